/* The loop of training: a run that is interrupted anywhere, in any way, and resumed ends with the files of one that was
 * not. RN_KILLS=200 kills so many runs at random moments instead of a few. */
#include "faults.h"
#include "softmax.h"

#include "base/base.h"
#include "runtime/train/folder.h"

#include <CUnit/CUnit.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char parent[64], whole[96], broken[96]; /* folders: of the run that nothing disturbs, and of another */
static const int64_t divisions[] = {70};

/* ---- a run ---- */
typedef struct Run {
    rn_loop_options options;
    rn_loop_result result;
    char error[RN_ERROR_SIZE], said[4096];
    int threads;
    uint64_t hash;
    /* The source raises `signal` when it is asked for so many batches of a split; 0: never. */
    uint64_t signal_at[RN_SPLITS], asked[RN_SPLITS];
    volatile sig_atomic_t signal, save;
} Run;

static Run *current;
static SoftmaxData data;

static rn_status next(void *user, rn_split split, rn_batch *batch, char *error, size_t error_size) {
    if (++current->asked[split] == current->signal_at[split]) current->signal = SIGTERM;
    return softmax_source(&data).next(user, split, batch, error, error_size);
}

/* A recipe with all that a schedule can have learnt. */
static void set_recipe(void) {
    softmax_reset();
    softmax_recipe.lr = 0.05;
    softmax_recipe.warmup = 1;
    softmax_recipe.warmup_lr = 0.002;
    softmax_recipe.warmup_error = 0.95;
    softmax_recipe.divide_by = 10;
    softmax_recipe.divide_at = divisions;
    softmax_recipe.divide_count = 1;
    softmax_recipe.stop = 240;
}

static Run new_run(const char *folder) {
    return (Run){.options = {.folder = folder, .test_every = 20, .save_every = 40, .log_every = 7}, .threads = 1};
}

static rn_status run(Run *r) {
    void *trainer = softmax_trainer(r->threads, 99); /* which the loop does not take over */
    rn_train_source source = softmax_source(&data);
    FILE *report = tmpfile();
    source.next = next;
    if (r->hash) source.hash = r->hash;
    r->options.signal = &r->signal;
    r->options.save_wanted = &r->save;
    r->options.report = report;
    current = r;
    const rn_status status = rn_loop_run(trainer, &source, &r->options, &r->result, r->error, sizeof r->error);
    rewind(report);
    r->said[fread(r->said, 1, sizeof r->said - 1, report)] = 0;
    fclose(report);
    rn_train_destroy(trainer);
    return status;
}

static rn_status resume(const char *folder) {
    Run r = new_run(folder);
    r.options.resume = 1;
    const rn_status status = run(&r);
    if (status) printf("%s\n", r.error);
    return status;
}

/* ---- folders ---- */
static const char *file_of(const char *folder, const char *name) {
    static char text[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(text[turn], sizeof text[turn], "%s/%s", folder, name);
    return text[turn];
}

static void empty(const char *folder) {
    DIR *list = opendir(folder);
    if (!list) return;
    for (const struct dirent *entry; (entry = readdir(list));)
        if (entry->d_name[0] != '.') unlink(file_of(folder, entry->d_name));
    closedir(list);
}

static int has(const char *folder, const char *name) {
    return access(file_of(folder, name), F_OK) == 0;
}

static int count_files(const char *folder) {
    int count = 0;
    DIR *list = opendir(folder);
    if (!list) return 0;
    for (const struct dirent *entry; (entry = readdir(list));) count += entry->d_name[0] != '.';
    closedir(list);
    return count;
}

/* The log without its last column, whose times differ. */
static char *log_of(const char *folder) {
    size_t size;
    char *text = file_read(file_of(folder, RN_RUN_LOG), SIZE_MAX, &size), *to = text;
    if (!text) return NULL;
    for (char *line = text; *line;) {
        char *end = strchr(line, '\n'), *comma = end;
        if (!end) break;
        while (comma > line && *comma != ',') comma--;
        memmove(to, line, (size_t)(comma - line));
        to += comma - line;
        *to++ = '\n';
        line = end + 1;
    }
    *to = 0;
    return text;
}

static int same_file(const char *name) {
    size_t n = 0, m = 1;
    char *a = file_read(file_of(whole, name), SIZE_MAX, &n), *b = file_read(file_of(broken, name), SIZE_MAX, &m);
    const int same = a && b && n == m && memcmp(a, b, n) == 0;
    free(a);
    free(b);
    return same;
}

static int same_runs(void) {
    char *a = log_of(whole), *b = log_of(broken);
    const int same = a && b && strcmp(a, b) == 0;
    free(a);
    free(b);
    return same && same_file("step-240.safetensors") && same_file("step-200.safetensors") && same_file(RN_RUN_BEST) &&
           count_files(broken) == 4;
}

static int setup(void) {
    set_recipe();
    strcpy(parent, "/dev/shm/rnc-loop-XXXXXX"); /* in memory, where there is that: nothing waits for a disk */
    if (!mkdtemp(parent) && !mkdtemp(strcpy(parent, "/tmp/rnc-loop-XXXXXX"))) return 1;
    snprintf(whole, sizeof whole, "%s/whole", parent);
    snprintf(broken, sizeof broken, "%s/broken", parent);
    return 0;
}

static int cleanup(void) {
    empty(whole), empty(broken);
    rmdir(whole), rmdir(broken);
    return rmdir(parent);
}

/* ---- the run that nothing disturbs ---- */
static void test_whole(void) { /* the first: the others compare with it */
    Run first = new_run(whole);
    CU_ASSERT(run(&first) == RN_OK && first.result.step == 240);
    CU_ASSERT(count_files(whole) == 4 && has(whole, "step-200.safetensors") && has(whole, "step-240.safetensors"));
    char *text = log_of(whole), *line = strchr(text, '\n') + 1;
    CU_ASSERT_EQUAL(strncmp(text, "step,epoch,lr,loss,train error,test error\n", 42), 0);
    int64_t before = 0;
    int tests = 0, warm = 0;
    double first_loss = 0, last_loss = 0, last_error = 1;
    for (char *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        long long step;
        double epoch, lr, loss, error, test = NAN;
        *end = 0;
        const int fields = sscanf(line, "%lld,%lf,%lf,%lf,%lf,%lf", &step, &epoch, &lr, &loss, &error, &test);
        CU_ASSERT(fields >= 5 && (step % 7 == 0 || step % 20 == 0) && step > before);
        CU_ASSERT_EQUAL(fields == 6, step % 20 == 0);
        CU_ASSERT(fabs(epoch - (double)step / 15) < 1e-4);
        CU_ASSERT(lr == 0.002 || fabs(lr - (step <= 70 ? 0.05 : 0.005)) < 1e-12);
        warm += lr == 0.002;
        if (!before) first_loss = loss;
        before = step;
        last_loss = loss;
        if (fields == 6) last_error = test;
        tests += fields == 6;
    }
    CU_ASSERT(before == 240 && tests == 12 && warm >= 14 && warm < 30); /* a hundred steps at least: 14 lines of 7 */
    CU_ASSERT(last_loss < 0.8 * first_loss && last_error < 0.5);
    free(text);
    /* threads do not matter */
    empty(broken);
    Run r = new_run(broken);
    r.threads = 3;
    CU_ASSERT(run(&r) == RN_OK && same_runs());
}

/* ---- ends before the end ---- */
static void test_steps(void) {
    for (int64_t stop = 37; stop <= 100; stop += 63) { /* 100 is a step of a test and of no checkpoint */
        empty(broken);
        Run r = new_run(broken);
        r.options.stop = stop;
        CU_ASSERT_EQUAL(run(&r), RN_OK);
        CU_ASSERT(r.result.step == stop && !r.result.was_interrupted && r.result.test_error < 1);
        char *text = log_of(broken);
        CU_ASSERT(strstr(text, stop == 37 ? "\n37," : "\n100,") != NULL); /* a line, for who reads it */
        free(text);
        CU_ASSERT_EQUAL(resume(broken), RN_OK);
        CU_ASSERT(same_runs());
    }
    Run r = new_run(broken); /* nothing is left to do */
    r.options.resume = 1;
    CU_ASSERT(run(&r) == RN_OK && r.result.step == 240 && r.asked[RN_TRAIN] == 0 && same_runs());
}

static void test_signals(void) {
    static const uint64_t batches[] = {1, 37, 40, 140, 199};
    for (int i = 0; i < 5; i++) {
        empty(broken);
        Run r = new_run(broken);
        r.signal_at[RN_TRAIN] = batches[i];
        CU_ASSERT_EQUAL(run(&r), RN_OK);
        CU_ASSERT(r.result.was_interrupted && r.result.step == (int64_t)batches[i]);
        char name[64];
        snprintf(name, sizeof name, "step-%d.safetensors", (int)batches[i]);
        CU_ASSERT(has(broken, name));
        CU_ASSERT(resume(broken) == RN_OK && same_runs());
    }
    for (uint64_t batch = 1; batch <= 9; batch += 4) { /* while it tests: the test is made when it goes on */
        empty(broken);
        Run r = new_run(broken);
        r.signal_at[RN_TEST] = batch;
        CU_ASSERT_EQUAL(run(&r), RN_OK);
        CU_ASSERT(r.result.was_interrupted && r.result.step == 20 * (int64_t)((batch + 3) / 4));
        CU_ASSERT(resume(broken) == RN_OK && same_runs());
    }
    empty(broken);
    Run r = new_run(broken);
    r.options.stop = 10;
    r.save = 1; /* as SIGUSR1 does */
    CU_ASSERT(run(&r) == RN_OK && !r.save && has(broken, "step-0.safetensors") && has(broken, "step-10.safetensors"));
}

/* ---- processes that end anywhere ---- */

/* Runs in a child, which the armed fault may kill. Returns how it ended. */
static int in_child(int is_resumed, Fault fault, int nth) {
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        Run r = new_run(broken);
        r.options.resume = is_resumed;
        faults_arm(fault, nth);
        _exit(run(&r) ? 1 : 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

static int calls_of_a_run(void) {
    empty(broken);
    Run r = new_run(broken);
    faults_arm(FAULT_NONE, 0);
    CU_ASSERT_EQUAL(run(&r), RN_OK);
    return faults_count();
}

static void test_killed_at_calls(void) {
    const int calls = calls_of_a_run();
    CU_ASSERT(calls > 100);
    const char *more = getenv("RN_KILLS");
    for (int nth = 1; nth <= calls; nth += more || nth < 30 ? 1 : 5) {
        empty(broken);
        int status = in_child(0, FAULT_KILL, nth);
        CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        status = in_child(1, FAULT_KILL, 17); /* and again, soon after it went on */
        status = in_child(1, FAULT_NONE, 0);
        CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        const int same = same_runs();
        CU_ASSERT(same);
        if (!same) printf("killed at call %d of %d\n", nth, calls);
    }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void test_killed_at_random(void) {
    const char *more = getenv("RN_KILLS");
    const int kills = more ? atoi(more) : 6;
    const double start = now();
    calls_of_a_run();
    const double takes = now() - start;
    unsigned state = 1;
    for (int i = 0; i < kills; i++) {
        empty(broken);
        fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            Run r = new_run(broken);
            _exit(run(&r) ? 1 : 0);
        }
        state = state * 1664525U + 1013904223U;
        const double wait = takes * (state >> 8) / (1 << 24);
        nanosleep(&(struct timespec){(time_t)wait, (long)(1e9 * (wait - floor(wait)))}, NULL);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        const int status = in_child(1, FAULT_NONE, 0);
        CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0 && same_runs());
    }
}

/* A call that fails ends the run with an error that names the file; what there is can be gone on with. */
static void test_faults(void) {
    const int calls = calls_of_a_run();
    const char *more = getenv("RN_KILLS");
    for (Fault fault = FAULT_IO; fault <= FAULT_FULL; fault++)
        for (int nth = 1; nth <= calls; nth += more || nth < 20 ? 1 : 7) {
            empty(broken);
            Run r = new_run(broken);
            faults_arm(fault, nth);
            const rn_status status = run(&r);
            faults_arm(FAULT_NONE, 0);
            const int is_removal = status == RN_OK; /* of a file on a full disk: allowed */
            CU_ASSERT(is_removal ? fault == FAULT_FULL : status == RN_ERROR_FILE && strstr(r.error, broken) == r.error);
            CU_ASSERT(is_removal || strstr(r.error, strerror(fault == FAULT_IO ? EIO : ENOSPC)) != NULL);
            CU_ASSERT_EQUAL(resume(broken), RN_OK);
            const int same = same_runs();
            CU_ASSERT(same);
            if (!same) printf("fault %d at call %d of %d: %s\n", (int)fault, nth, calls, r.error);
        }
}

/* ---- what the user is told ---- */
static void flip_last_byte(const char *name) {
    size_t size;
    char *bytes = file_read(file_of(broken, name), SIZE_MAX, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    bytes[size - 1] ^= 1;
    CU_ASSERT(file_write(file_of(broken, name), bytes, size));
    free(bytes);
}

static void test_passed_over(void) {
    calls_of_a_run();
    flip_last_byte("step-240.safetensors");
    Run r = new_run(broken);
    r.options.resume = 1;
    CU_ASSERT_EQUAL(run(&r), RN_OK);
    CU_ASSERT(strstr(r.said, "step-240.safetensors: damaged or altered") && strstr(r.said, "going on from") &&
              strstr(r.said, "step-2")); /* 200, or the best one where that is newer */
    CU_ASSERT(same_runs());

    flip_last_byte("step-240.safetensors");
    flip_last_byte("step-200.safetensors");
    r = new_run(broken);
    r.options.resume = 1;
    CU_ASSERT(run(&r) == RN_OK && strstr(r.said, RN_RUN_BEST) != NULL); /* the best one holds */
    empty(broken);
    calls_of_a_run();
    flip_last_byte("step-240.safetensors");
    flip_last_byte("step-200.safetensors");
    flip_last_byte(RN_RUN_BEST);
    r = new_run(broken);
    r.options.resume = 1;
    CU_ASSERT_EQUAL(run(&r), RN_ERROR_FORMAT);
    CU_ASSERT(strstr(r.error, "step-240.safetensors: damaged") != NULL);
}

static void refused(Run *r, rn_status wanted, const char *word, const char *more) {
    CU_ASSERT_EQUAL(run(r), wanted);
    CU_ASSERT(strstr(r->error, word) && strstr(r->error, more));
    if (!strstr(r->error, word) || !strstr(r->error, more)) printf("%s\n", r->error);
}

static void test_refused(void) {
    empty(broken);
    Run r = new_run(broken);
    r.options.has_seed = 1;
    r.options.seed = 5;
    r.options.stop = 10;
    CU_ASSERT_EQUAL(run(&r), RN_OK);
    r = new_run(broken);
    refused(&r, RN_ERROR_ARGUMENT, broken, "--resume");
    r.options.resume = 1;
    r.hash = 0xbad;
    refused(&r, RN_ERROR_FORMAT, "0000000000005eed", "0000000000000bad");
    r.hash = 0;
    r.options.has_seed = 1;
    r.options.seed = 6;
    refused(&r, RN_ERROR_ARGUMENT, "seed 5", "6");
    r.options.seed = 5;
    softmax.source_hash = "another";
    refused(&r, RN_ERROR_FORMAT, "0123456789abcdef", "another");
    set_recipe();
    rn_run_folder held;
    CU_ASSERT_EQUAL(rn_run_folder_open(&held, broken, r.error, sizeof r.error), RN_OK);
    refused(&r, RN_ERROR_FILE, broken, "another process");
    rn_run_folder_close(&held);
    softmax_recipe.stop = 0;
    refused(&r, RN_ERROR_ARGUMENT, "--steps", "stop at");
    set_recipe();
    CU_ASSERT(file_write(file_of(broken, RN_RUN_LOG), "my notes\n", 9));
    refused(&r, RN_ERROR_FORMAT, RN_RUN_LOG, "not a log");
    r.options.folder = "/nowhere/run";
    refused(&r, RN_ERROR_FILE, "/nowhere/run", "No such file");
    /* a run that ended before its first checkpoint begins anew */
    empty(broken);
    r = new_run(broken);
    r.options.resume = 1;
    CU_ASSERT(file_write(file_of(broken, "step-0.safetensors.abcdef"), "half", 4));
    CU_ASSERT(run(&r) == RN_OK && same_runs());
}

static void test_not_finite(void) {
    empty(broken);
    softmax_breaks_at = 50;
    Run r = new_run(broken);
    refused(&r, RN_ERROR_FORMAT, "step 51: the loss is nan; the first layer with such a value is fc",
            "step-40.safetensors");
    softmax_breaks_at = -1;
    CU_ASSERT(resume(broken) == RN_OK && same_runs());
}

/* Another lr, rhythm and beginning are kept by what is resumed. */
static void test_options(void) {
    char *logs[2];
    CU_ASSERT(has(whole, "step-240.safetensors"));
    for (int is_cut = 0; is_cut < 2; is_cut++) {
        empty(broken);
        Run r = new_run(broken);
        r.options.lr = 0.03;
        r.options.log_every = 11;
        r.options.weights = file_of(whole, "step-240.safetensors");
        if (is_cut) r.options.stop = 33;
        CU_ASSERT_EQUAL(run(&r), RN_OK);
        r = (Run){.options = {.folder = broken, .resume = 1}, .threads = 1};
        if (is_cut) CU_ASSERT_EQUAL(run(&r), RN_OK);
        logs[is_cut] = log_of(broken);
    }
    CU_ASSERT(strstr(logs[0], "\n11,") && strstr(logs[0], "\n220,14.6667,0.003,"));
    CU_ASSERT_STRING_EQUAL(logs[0], logs[1]);
    free(logs[0]);
    free(logs[1]);
}

/* With an lr that changes nothing every test but the first is in vain: lr is divided after the sixth and the eleventh.
 */
static void test_plateau(void) {
    softmax_recipe.warmup = softmax_recipe.divide_count = 0;
    softmax_recipe.divide_at_plateau = 1;
    softmax_recipe.lr = 1e-12;
    empty(broken);
    Run r = new_run(broken);
    r.options.stop = 150;
    CU_ASSERT(run(&r) == RN_OK && resume(broken) == RN_OK);
    char *log = log_of(broken);
    CU_ASSERT(strstr(log, "\n120,8.0000,1e-12,") && strstr(log, "\n126,8.4000,1e-13,"));
    CU_ASSERT(strstr(log, "\n220,14.6667,1e-13,") && strstr(log, "\n224,14.9333,1e-14,"));
    free(log);
    set_recipe();
}

void suite_train_loop(void) {
    CU_pSuite suite = CU_add_suite("train_loop", setup, cleanup);
    CU_add_test(suite, "whole", test_whole);
    CU_add_test(suite, "steps", test_steps);
    CU_add_test(suite, "signals", test_signals);
    CU_add_test(suite, "killed at calls", test_killed_at_calls);
    CU_add_test(suite, "killed at random", test_killed_at_random);
    CU_add_test(suite, "faults", test_faults);
    CU_add_test(suite, "passed over", test_passed_over);
    CU_add_test(suite, "refused", test_refused);
    CU_add_test(suite, "not finite", test_not_finite);
    CU_add_test(suite, "options", test_options);
    CU_add_test(suite, "plateau", test_plateau);
}
