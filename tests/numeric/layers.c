/* Random single layers (random_layer.h), compiled in every way that rnc has, against the interpreter.
 *
 * Compiling and running is the work of a second process (this program again, RNC_WORKER=1), since a crash or a loop
 * without end is a fault of the case, whatever the case is. This one gives it cases, a batch at a time; divides a batch
 * that did not end; and reduces a failing case: smaller choices, as long as it fails.
 *
 *     RNC_SEED=17 RNC_LAYERS=1 build/tests/numeric =numeric/layers          the case of seed 17
 *     RNC_SEED=17 RNC_CHOICES=0,3,1 build/tests/numeric =numeric/layers     a reduced one
 *     STRESS_SECONDS=3600 RNC_TARGET=x86-64-v3 ...                          for so long (make stress)
 *
 * Graphs of failing cases, and as they were reduced, are left in build/layers (RNC_FAILURES=).
 */
#include <CUnit/CUnit.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "graph/irtext.h"
#include "../random_graph.h"
#include "emitted.h"
#include "random_layer.h"
#include "rn.h"

void suite_layers(void);

enum {
    LAYERS = 200,
    CHECK_SEED = 1000, /* of check: a commit passes or fails whenever it is tested. Stress runs begin anew */
    BATCH = 50,
    EMITTED = 20, /* times as many are large and only emitted: far quicker, and it finds what crashes */
    MOST_BATCH = EMITTED * BATCH,
    MOST_FAILURES = 5,
    WORKER_CPU_SECONDS = 200,
    WORKER_SECONDS = 1800,
    MOST_TRIALS = 150,
    REDUCE_SECONDS = 120
};

static uint64_t number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static int target(void) {
    const char *name = getenv("RNC_TARGET");
    if (!name || !*name) return -1;
    if (!strcmp(name, "x86-64-v4")) return 4;
    if (!strcmp(name, "x86-64-v3")) return 3;
    CU_FAIL_FATAL("RNC_TARGET is x86-64-v3, x86-64-v4 or empty");
    return -1;
}

/* ---- the worker ---- */

static void print_done(const EmittedCase *c, bool failed) {
    printf("@%s %" PRIu64 " %.3g\n", failed ? "failed" : "passed", c->id, c->worst);
    fflush(stdout);
}

/* Cases of seeds first, first + 1, ...; or one, from choices that are given. */
static void work(uint64_t first, int count, const Choices *given, bool run) {
    Batch batch = {0};
    if (run) batch_begin(&batch);
    batch.bounded = true;
    batch.done = print_done;
    for (int i = 0; i < count; i++) {
        Arena arena = {0};
        Choices choices = {.given = -1};
        if (given) choices = *given;
        choices.state = first + (uint64_t)i;
        const uint64_t id = choices.state;
        Variant variant;
        Graph *graph = random_layer(&arena, &choices, target(), &variant);
        char name[32];
        snprintf(name, sizeof name, "seed%" PRIu64, first + (uint64_t)i);
        if (!run) {
            graph_emit(arena, graph, variant);
            print_done(&(EmittedCase){.id = id}, false);
            continue;
        }
        batch_add_graph(&batch, name, arena, graph, random_weights(graph, first + (uint64_t)i), variant);
        batch.cases[batch.count - 1].id = first + (uint64_t)i;
    }
    if (run) batch_check(&batch, 0);
}

/* ---- the driver ---- */

typedef struct Driver {
    bool runs; /* what is emitted; else it is only emitted */
    int done, emitted, failed;
    double worst;       /* of those that passed, in units of the bounds */
    time_t end;         /* of a stress run; 0: none */
    const char *folder; /* for failing cases */
    char program[4096]; /* this */
    char work[32];      /* the worker's files */
} Driver;

typedef enum Result { UNKNOWN, PASSED, FAILED } Result;

static Text choices_text(const Choices *choices) {
    Text text = {0};
    int count = choices->count; /* those beyond are 0 anyway */
    while (count > 1 && !choices->value[count - 1]) count--;
    for (int i = 0; i < count; i++) text_printf(&text, "%s%d", i ? "," : "", choices->value[i]);
    return text;
}

/* Runs a worker; results[i]: of seed first + i; what it said goes to `log`. Returns whether it ended by itself. */
static bool run_worker(Driver *d, uint64_t first, int count, const Choices *choices, Result *results, Text *log) {
    Text command = {0};
    text_printf(&command,
                "rm -f %s/seed*; OMP_WAIT_POLICY=passive RNC_WORKER=1 RNC_FOLDER=%s RNC_SEED=%" PRIu64
                " RNC_LAYERS=%d ",
                d->work, d->work, first, count);
    if (choices) {
        Text list = choices_text(choices);
        text_printf(&command, "RNC_CHOICES=%s ", list.s ? list.s : "");
        text_free(&list);
    }
    /* a loop without end uses up its processor time, however busy the machine is; a deadlock does not */
    text_printf(&command, "sh -c 'ulimit -t %d; exec timeout -k 5 %d \"%s\" =numeric/layers' 2>&1", WORKER_CPU_SECONDS,
                WORKER_SECONDS, d->program);
    fflush(NULL);
    FILE *pipe = popen(command.s, "r");
    text_free(&command);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pipe);
    char line[4096], word[16];
    for (int i = 0; i < count; i++) results[i] = UNKNOWN;
    while (fgets(line, sizeof line, pipe)) {
        uint64_t seed;
        double worst;
        if (sscanf(line, "@%15s %" SCNu64 " %lf", word, &seed, &worst) == 3 && seed - first < (uint64_t)count) {
            results[seed - first] = strcmp(word, "passed") ? FAILED : PASSED;
            if (results[seed - first] == PASSED && worst > d->worst) d->worst = worst;
        } else if (line[0] != '@')
            text_puts(log, line);
    }
    const int status = pclose(pipe);
    bool all = true;
    for (int i = 0; i < count; i++) all &= results[i] != UNKNOWN;
    if (!all) text_printf(log, "the worker ended with status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return all;
}

static bool fails(Driver *d, const Choices *choices) {
    Text log = {0};
    Result result;
    Choices trial = *choices;
    trial.given = trial.count;
    run_worker(d, choices->state, 1, &trial, &result, &log);
    text_free(&log);
    return result != PASSED;
}

/* Tries smaller values of each choice, from nothing to one less; then again, while it helps. */
static void reduce(Driver *d, Choices *choices) {
    const time_t end = time(NULL) + REDUCE_SECONDS;
    int trials = 0;
    for (bool better = true; better;) {
        better = false;
        for (int i = 0; i < choices->count; i++) {
            const int value = choices->value[i];
            for (int step = value; step > 0; step /= 2) {
                if (trials++ >= MOST_TRIALS || time(NULL) > end) return;
                Choices trial = *choices;
                trial.value[i] = value - step;
                if (!fails(d, &trial)) continue;
                *choices = trial;
                better = true;
                break;
            }
        }
    }
}

static const char *write_graph(const Driver *d, Arena *arena, const Graph *graph, uint64_t seed, const char *ending) {
    Text text = {0};
    const char *path = arena_printf(arena, "%s/%" PRIu64 "%s.ir", d->folder, seed, ending);
    irtext_print(graph, &text);
    mkdir(d->folder, 0777);
    if (!file_write(path, text.s, text.size)) path = "no file";
    text_free(&text);
    return path;
}

static void report(Driver *d, uint64_t seed, const Text *log) {
    Arena arena = {0};
    Choices choices = {.state = seed, .given = -1};
    Variant variant;
    Graph *graph = random_layer(&arena, &choices, target(), &variant);
    const char *of = getenv("RNC_TARGET"), *out = getenv("OUT");
    const char *name = of && *of ? arena_printf(&arena, "RNC_TARGET=%s ", of) : "";
    const char *program = arena_printf(&arena, "%s/tests/numeric", out ? out : "build");
    printf("FAIL layers: %sRNC_SEED=%" PRIu64 " RNC_LAYERS=1 %s =numeric/layers    (%s, %s)\n%s", name, seed, program,
           write_graph(d, &arena, graph, seed, ""), random_layer_options(&arena, &variant), log->s ? log->s : "");
    fflush(stdout);
    if (!d->end && d->failed > 1) { /* check has little time */
        arena_free(&arena);
        return;
    }
    choices.state = seed;
    reduce(d, &choices);
    Text list = choices_text(&choices);
    choices.given = choices.count;
    choices.state = seed;
    graph = random_layer(&arena, &choices, target(), &variant);
    printf("FAIL layers: reduced: %sRNC_SEED=%" PRIu64 " RNC_CHOICES=%s %s =numeric/layers    (%s, %s)\n", name, seed,
           list.s, program, write_graph(d, &arena, graph, seed, "-reduced"), random_layer_options(&arena, &variant));
    fflush(stdout);
    text_free(&list);
    arena_free(&arena);
}

static bool over(const Driver *d) {
    return d->end ? time(NULL) >= d->end : d->failed >= MOST_FAILURES;
}

static void drive(Driver *d, uint64_t first, int count) {
    Result results[MOST_BATCH];
    Text log = {0};
    const bool ended = run_worker(d, first, count, NULL, results, &log);
    if (ended || count == 1) {
        for (int i = 0; i < count; i++) {
            *(d->runs ? &d->done : &d->emitted) += 1;
            if (results[i] == PASSED) continue;
            d->failed++;
            Text own = {0};
            if (count > 1) run_worker(d, first + (uint64_t)i, 1, NULL, &results[i], &own);
            report(d, first + (uint64_t)i, count > 1 ? &own : &log);
            text_free(&own);
        }
    } else {
        drive(d, first, count / 2);
        drive(d, first + (uint64_t)(count / 2), count - count / 2);
    }
    text_free(&log);
}

static void print_counts(const Driver *d) {
    printf("%d layers run, %d more emitted, %d failed, largest error %.2g of its bound\n", d->done, d->emitted,
           d->failed, d->worst);
}

static void read_choices(Choices *choices, const char *text) {
    for (char *end; *text && choices->count < CHOICES_MOST; text = *end ? end + 1 : end)
        choices->value[choices->count++] = (int)strtol(text, &end, 10);
    choices->given = choices->count;
}

static void test_layers(void) {
    const uint64_t seed = number("RNC_SEED", getenv("STRESS_SECONDS") ? (uint64_t)time(NULL) * 1000 : CHECK_SEED);
    const int share = getenv("SANITIZED") ? LAYERS / 4 : LAYERS, count = (int)number("RNC_LAYERS", (uint64_t)share);
    const uint64_t seconds = number("STRESS_SECONDS", 0);
    Choices given = {.state = seed};
    if (getenv("RNC_CHOICES")) read_choices(&given, getenv("RNC_CHOICES"));
    if (getenv("RNC_WORKER") || getenv("RNC_CHOICES")) {
        const bool one = getenv("RNC_CHOICES");
        work(seed, one ? 1 : count, one ? &given : NULL, !random_layer_is_large(seed));
        return;
    }
    Driver d = {.end = seconds ? time(NULL) + (time_t)seconds : 0};
    d.folder = getenv("RNC_FAILURES") ? getenv("RNC_FAILURES") : "build/layers";
    const ssize_t length = readlink("/proc/self/exe", d.program, sizeof d.program - 1);
    CU_ASSERT_FATAL(length > 0);
    strcpy(d.work, "/tmp/rn-layers-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(d.work));
    const time_t begin = time(NULL);
    printf("layers: from seed %" PRIu64 "\n", seed);
    fflush(stdout);
    for (int i = 0; (d.end || i < count) && !over(&d); i += BATCH) {
        const int some = d.end || count - i > BATCH ? BATCH : count - i;
        d.runs = true;
        drive(&d, seed + (uint64_t)i, some);
        d.runs = false;
        if (count > 1) drive(&d, LARGE_LAYERS + seed + (uint64_t)i * EMITTED, some * EMITTED);
        if (!d.end) continue;
        printf("%6lld s: ", (long long)(time(NULL) - begin));
        print_counts(&d);
        printf("        next seed %" PRIu64 "\n", seed + (uint64_t)i + BATCH);
        fflush(stdout);
    }
    print_counts(&d);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", d.work);
    if (system(command)) printf("%s is left\n", d.work);
    CU_ASSERT_EQUAL(d.failed, 0);
}

static void count_ops(const Graph *graph, int counts[OP_COUNT]) {
    for (int i = 0; i < graph->node_count; i++) counts[graph->nodes[i]->op]++;
}

/* A new layer that nothing draws would pass every stress run. */
static void test_all_are_drawn(void) {
    enum { GRAPHS = 1500, FEW = 15 };
    int layers[OP_COUNT] = {0}, networks[OP_COUNT] = {0};
    if (getenv("RNC_WORKER")) return;
    for (uint64_t seed = CHECK_SEED; seed < CHECK_SEED + GRAPHS; seed++) {
        Arena arena = {0};
        Choices choices = {.state = seed, .given = -1};
        Variant variant;
        count_ops(random_layer(&arena, &choices, -1, &variant), layers);
        count_ops(random_graph(&arena, seed), networks);
        arena_free(&arena);
    }
    for (int op = 0; op < OP_COUNT; op++) {
        const char *word = op_info((Op)op)->word;
        if (*word == '.') continue; /* the passes make these */
        /* a roundoff becomes a step of a quantize, which bounds of layers allow, and those of networks do not */
        const bool drawn = layers[op] >= FEW && (networks[op] >= FEW || op == OP_QUANTIZE);
        if (!drawn) printf("%s: in %d random layers and %d networks\n", word, layers[op], networks[op]);
        CU_ASSERT(drawn);
    }
}

void suite_layers(void) {
    CU_pSuite suite = CU_add_suite("layers", NULL, NULL);
    CU_add_test(suite, "every layer is drawn", test_all_are_drawn);
    CU_add_test(suite, "random layers", test_layers);
}
