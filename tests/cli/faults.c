/* Runs a program again and again, and each time one more of its allocations, reads or writes fails, until it comes to
 * its end without. Each run ends rightly: status 0 and the files and output of a run without faults; or status 1, one
 * line that says what failed, and files as they were before.
 *
 *     faults [OPTION...] KIND -- COMMAND...      in the folder ./run, made of ./before for each run
 *
 *     alloc alloc-on               the nth allocation is refused, and with -on all later ones (faults_alloc.c,
 * preloaded) mmap                         the nth mapping is refused read read-short read-again   the nth open, read or
 * look into a folder fails (EIO); the nth read has less than was asked for; is interrupted (EINTR) write write-short
 * write-again write-full  the same of what opens, writes, renames, syncs and closes; the disk is full from the nth on
 * (ENOSPC)
 *
 *     -l FILE    faults_alloc.so               -f FIRST -s STRIDE   of n, all of the first and every so many after them
 *     -e REGEX   what the error says           -x REGEX   what it does not say (as that a file is damaged)
 *     -o         output is not compared        -i REGEX   files that are not
 *     -m         there may be several errors, as of several inputs
 *     -t COMMAND after a failure, in place of files as before: this command brings those of a run without faults
 *     -n N -v    this one alone; tell of each  -b         the stack of the allocation that fails
 *
 * Reads and writes are made to fail by ptrace, so that those of libc count too; not in what a program starts.
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <regex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

typedef enum Kind {
    ALLOC,
    ALLOC_ON,
    MMAP,
    READ,
    READ_SHORT,
    READ_AGAIN,
    WRITE,
    WRITE_SHORT,
    WRITE_AGAIN,
    WRITE_FULL,
    KINDS
} Kind;
static const char *const kind_names[KINDS] = {"alloc",      "alloc-on", "mmap",        "read",        "read-short",
                                              "read-again", "write",    "write-short", "write-again", "write-full"};
enum { SECONDS = 60, SHOWN = 5, MOST_THREADS = 64 };

static struct {
    Kind kind;
    const char *library, *then;
    long first, stride, only;
    bool any_output, many, verbose, stack;
    regex_t says, not_says, ignored;
    bool has_says, has_not_says, has_ignored;
    char **command;
} o = {.first = 1L << 40, .stride = 1};
static FaultsPage *page;
static int page_file;
static long count; /* of calls of the system so far */

static void die(const char *what) {
    perror(what);
    exit(2);
}

/* ---- files ---- */
static uint64_t state;

static uint64_t mix(uint64_t hash, const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
    return hash;
}

static uint64_t hash_file(const char *path) {
    char bytes[1 << 16];
    uint64_t hash = 14695981039346656037u;
    FILE *file = fopen(path, "rb");
    if (!file) return 1;
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0;) hash = mix(hash, bytes, n);
    fclose(file);
    return hash;
}

static int add_file(const char *path, const struct stat *info, int type, struct FTW *at) {
    (void)at;
    if (o.has_ignored && !regexec(&o.ignored, path, 0, NULL, 0)) return 0;
    uint64_t hash = mix(14695981039346656037u, path, strlen(path));
    if (type == FTW_F) hash = mix(hash, &(uint64_t){hash_file(path)}, 8);
    if (type == FTW_F) hash = mix(hash, &info->st_mode, sizeof info->st_mode);
    state += hash; /* in whatever order */
    return 0;
}

static uint64_t files(void) {
    state = 0;
    nftw("run", add_file, 16, FTW_PHYS);
    return state;
}

static void renew(void) {
    if (system("rm -rf run && cp -a before run")) die("cp");
}

/* ---- one run ---- */
static pid_t child;

static void stop_child(int signal) {
    (void)signal;
    kill(child, SIGKILL);
}

static void start(long nth, bool traced) {
    page->nth = nth;
    atomic_store(&page->count, 0);
    page->lasting = o.kind == ALLOC_ON;
    page->counts_allocations = o.kind <= ALLOC_ON;
    page->shows_stack = o.stack;
    child = fork();
    if (child < 0) die("fork");
    if (child > 0) return;
    char text[16];
    snprintf(text, sizeof text, "%d", page_file);
    setenv("FAULTS_PAGE", text, 1), setenv("LD_PRELOAD", o.library, 1);
    const int out = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0666),
              err = open("err", O_WRONLY | O_CREAT | O_TRUNC, 0666), in = open("/dev/null", O_RDONLY);
    if (out < 0 || err < 0 || chdir("run")) die("run");
    dup2(in, 0), dup2(out, 1), dup2(err, 2), close(in), close(out), close(err);
    if (traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL)) _exit(125);
    execvp(o.command[0], o.command);
    _exit(126);
}

/* What a call of the system is for a kind of fault. */
static bool opens_to_write(const struct user_regs_struct *r) {
    const unsigned long long flags = r->orig_rax == SYS_openat ? r->rdx : r->rsi;
    return flags & (O_WRONLY | O_RDWR | O_CREAT);
}

static bool is_read(const struct user_regs_struct *r) {
    switch (r->orig_rax) {
    case SYS_read:
    case SYS_pread64:
    case SYS_readv:
        return true;
    case SYS_open:
    case SYS_openat:
        return o.kind == READ && !opens_to_write(r);
    case SYS_getdents64:
        return o.kind == READ;
    }
    return false;
}

static bool is_write(const struct user_regs_struct *r) {
    switch (r->orig_rax) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
        return r->rdi != 2;
    case SYS_open:
    case SYS_openat:
        return (o.kind == WRITE || o.kind == WRITE_FULL) && opens_to_write(r);
    case SYS_fallocate:
    case SYS_mkdir:
    case SYS_mkdirat:
        return o.kind == WRITE || o.kind == WRITE_FULL;
    case SYS_close:
    case SYS_rename:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_ftruncate:
    case SYS_fchmod:
    case SYS_link:
        return o.kind == WRITE;
    }
    return false;
}

typedef struct Thread {
    pid_t id;
    bool inside; /* of a call */
    int error;   /* that the call is to end with */
} Thread;

static void set_registers(pid_t id, struct user_regs_struct *r) {
    ptrace(PTRACE_SETREGS, id, NULL, r);
}

static void enter(Thread *t, struct user_regs_struct *r, long nth) {
    const bool counts = o.kind == MMAP   ? r->orig_rax == SYS_mmap || r->orig_rax == SYS_mremap
                        : o.kind < WRITE ? is_read(r)
                                         : is_write(r);
    if (!counts) return;
    count++;
    if (!nth || (o.kind == WRITE_FULL ? count < nth : count != nth)) return;
    const bool moves = r->orig_rax == SYS_read || r->orig_rax == SYS_pread64 || r->orig_rax == SYS_write ||
                       r->orig_rax == SYS_pwrite64;
    if (o.kind == READ_SHORT || o.kind == WRITE_SHORT ||
        (o.kind == WRITE_FULL && count == nth && moves && r->rdx > 1)) {
        if (moves && r->rdx > 1) r->rdx = (r->rdx + 1) / 2, set_registers(t->id, r);
        return;
    }
    t->error = o.kind == MMAP                                  ? ENOMEM
               : o.kind == READ_AGAIN || o.kind == WRITE_AGAIN ? EINTR
               : o.kind == WRITE_FULL                          ? ENOSPC
                                                               : EIO;
    if (r->orig_rax == SYS_close) return; /* which closes all the same */
    r->orig_rax = ~0ull;
    set_registers(t->id, r);
}

static Thread *find_thread(Thread *threads, pid_t id) {
    for (int i = 0; i < MOST_THREADS; i++)
        if (threads[i].id == id) return &threads[i];
    return NULL;
}

static int trace(long nth) {
    Thread threads[MOST_THREADS] = {{0}};
    bool begun = false;
    int status;
    count = 0;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return status;
    threads[0].id = child;
    ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
    ptrace(PTRACE_SYSCALL, child, NULL, NULL);
    for (;;) {
        const pid_t id = waitpid(-1, &status, __WALL);
        if (id < 0) return -1;
        Thread *t = find_thread(threads, id);
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (id == child) return status;
            if (t) *t = (Thread){0};
            continue;
        }
        int signal = WSTOPSIG(status);
        if (!t) { /* a new thread: stopped as it begins */
            t = find_thread(threads, 0);
            if (!t) die("too many threads");
            *t = (Thread){.id = id};
            signal = 0;
        } else if (signal == (SIGTRAP | 0x80)) {
            struct user_regs_struct r;
            ptrace(PTRACE_GETREGS, id, NULL, &r);
            t->inside = !t->inside;
            if (t->inside && r.orig_rax == FAULTS_BEGIN) begun = true;
            if (t->inside && begun) enter(t, &r, nth);
            if (!t->inside && t->error)
                r.rax = (unsigned long long)-(long long)t->error, set_registers(id, &r), t->error = 0;
            signal = 0;
        } else if (signal == SIGTRAP) {
            signal = 0;
        }
        ptrace(PTRACE_SYSCALL, id, NULL, (void *)(intptr_t)signal);
    }
}

/* Its status as waitpid says it. */
static int run(long nth) {
    const bool traced = o.kind > ALLOC_ON;
    int status;
    start(nth, traced);
    alarm(SECONDS);
    if (traced)
        status = trace(nth);
    else if (waitpid(child, &status, 0) != child)
        die("waitpid");
    alarm(0);
    if (!traced) count = atomic_load(&page->count);
    return status;
}

/* ---- what came of it ---- */
static char said[4096];

/* Lines of standard error that are errors; -1 where one is that none should be. */
static int errors_said(void) {
    FILE *file = fopen("err", "r");
    char line[2048];
    int errors = 0;
    size_t used = 0;
    bool wrong = false;
    *said = 0;
    while (file && fgets(line, sizeof line, file)) {
        const size_t n = strlen(line);
        if (used + n < sizeof said) memcpy(said + used, line, n + 1), used += n;
        if (strstr(line, "warning: ") || strstr(line, "note: ")) continue;
        if (strstr(line, "error: ") || strstr(line, "rnc: out of memory") || strstr(line, "libgomp: ")) errors++;
        wrong |= strstr(line, "internal error") || strstr(line, "Sanitizer") || strstr(line, "runtime error");
    }
    if (file) fclose(file);
    if (o.has_not_says && !regexec(&o.not_says, said, 0, NULL, 0)) wrong = true;
    return wrong ? -1 : errors;
}

static const char *judge(int status, uint64_t before, uint64_t after, uint64_t output) {
    static char text[200];
    const int errors = errors_said();
    const uint64_t now = files();
    if (strstr(said, "pthread_getattr_np")) return NULL; /* so AddressSanitizer ends where its thread has no memory */
    if (WIFSIGNALED(status)) return snprintf(text, sizeof text, "ended by signal %d", WTERMSIG(status)), text;
    if (WEXITSTATUS(status) == 0) {
        if (now != after) return "status 0, but other files than without a fault";
        if (!o.any_output && hash_file("out") != output) return "status 0, but another output than without a fault";
        return NULL;
    }
    if (WEXITSTATUS(status) != 1) return snprintf(text, sizeof text, "status %d", WEXITSTATUS(status)), text;
    if (errors < 1 || (errors > 1 && !o.many)) return snprintf(text, sizeof text, "%d errors said", errors), text;
    if (o.has_says && regexec(&o.says, said, 0, NULL, 0)) return "the error says something else";
    if (!o.then) return now == before ? NULL : "other files than before";
    char command[4096];
    snprintf(command, sizeof command, "cd run && { %s; } > ../then 2>&1", o.then);
    if (system(command)) return "the command after it fails";
    return files() == after ? NULL : "the command after it brings other files than a run without a fault";
}

static void compile_regex(regex_t *regex, bool *has, const char *text) {
    *has = true;
    if (regcomp(regex, text, REG_EXTENDED | REG_NOSUB)) die("regex");
}

static void read_options(int argc, char **argv) {
    for (int c; (c = getopt(argc, argv, "+l:f:s:e:x:i:t:n:omvb")) != -1;) {
        if (c == 'l') o.library = optarg;
        if (c == 'f') o.first = atol(optarg);
        if (c == 's') o.stride = atol(optarg);
        if (c == 'e') compile_regex(&o.says, &o.has_says, optarg);
        if (c == 'x') compile_regex(&o.not_says, &o.has_not_says, optarg);
        if (c == 'i') compile_regex(&o.ignored, &o.has_ignored, optarg);
        if (c == 't') o.then = optarg;
        if (c == 'n') o.only = atol(optarg);
        if (c == 'o') o.any_output = true;
        if (c == 'm') o.many = true;
        if (c == 'v') o.verbose = true;
        if (c == 'b') o.stack = true;
        if (c == '?') exit(2);
    }
    while (optind < argc && o.kind < KINDS && strcmp(kind_names[o.kind], argv[optind]) != 0) o.kind++;
    if (o.kind == KINDS || !o.library || argc < optind + 3) fputs("faults: see faults.c\n", stderr), exit(2);
    o.command = argv + optind + 2;
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    page_file = memfd_create("faults", 0);
    if (page_file < 0 || ftruncate(page_file, sizeof *page)) die("memfd_create");
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, page_file, 0);
    if (page == MAP_FAILED) die("mmap");
    signal(SIGALRM, stop_child);
    renew();
    const uint64_t before = files();
    const int good = run(0);
    if (!WIFEXITED(good) || WEXITSTATUS(good)) {
        errors_said();
        printf("faults: without a fault it ends with %#x: %s\n", good, said);
        return WIFEXITED(good) && WEXITSTATUS(good) == 125 ? 3 : 2;
    }
    const uint64_t after = files(), output = hash_file("out");
    const long all = count;
    long runs = 0, failed = 0;
    for (long n = o.only ? o.only : 1;;) {
        renew();
        const int status = run(n);
        const bool struck = count >= n;
        const char *wrong = judge(status, before, after, output);
        runs++;
        if (wrong && failed++ < SHOWN) printf("%s %ld of %ld: %s: %s\n", kind_names[o.kind], n, all, wrong, said);
        if (o.verbose) printf("%ld: %d: %s", n, WEXITSTATUS(status), *said ? said : "\n");
        if (!struck || o.only) break;
        n += n < o.first ? 1 : o.stride;
    }
    printf("%ld runs, %ld failed\n", runs, failed);
    return failed > 0;
}
