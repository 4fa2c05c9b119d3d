/* rn_parallel: one task over a context's threads, on the application's pool or on OpenMP's.
 *
 * OpenMP keeps its threads from one task to the next. Two calls of an application's would break that:
 *
 * dlclose   may unload GNU's OpenMP with its last user, while its threads wait inside it. So it stays loaded.
 * fork      A child has none but the thread that forked. GNU's OpenMP does not notice, and would wait for ever for the
 *           threads that this one had. So in the child each task runs on threads that are started for it.
 */
#include "threads.h"

#if defined(_REENTRANT) || defined(_OPENMP) /* librn has threads; a standalone network as it is compiled */
#include <pthread.h>
#define HELPERS
#endif
#ifdef _OPENMP
#include <dlfcn.h>
#include <omp.h>
#include <string.h>
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 32)
#include <sys/single_threaded.h>
#define IS_SINGLE_THREADED __libc_single_threaded
#endif
#endif
#ifndef IS_SINGLE_THREADED /* true: no thread was ever started */
#define IS_SINGLE_THREADED 0
#endif
#endif
#ifndef RN_STANDALONE
#ifndef _OPENMP
#error "threads.c is the built-in pool: compile it with -fopenmp"
#endif
#endif

void rn_threads_run(int threads, void *(*work)(void *), void *arg) {
#ifdef HELPERS
    enum { MOST = 64 };
    pthread_t helpers[MOST];
    int started = 0;
    while (started < threads - 1 && started < MOST && pthread_create(&helpers[started], NULL, work, arg) == 0)
        started++;
    work(arg);
    for (int i = 0; i < started; i++) pthread_join(helpers[i], NULL);
#else
    (void)threads;
    work(arg);
#endif
}

#ifdef _OPENMP
void rn_keep_loaded(const void *address, int *is_kept) {
    Dl_info object;
    if (__atomic_load_n(is_kept, __ATOMIC_RELAXED)) return;
    if (dladdr(address, &object) && object.dli_fname && strchr(object.dli_fname, '/')) { /* else the program */
        void *handle = dlopen(object.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
        if (handle) dlclose(handle);
    }
    __atomic_store_n(is_kept, 1, __ATOMIC_RELAXED);
}

static _Thread_local int forks_beside_threads; /* this thread is in fork(), and there are, or were, others */
static _Thread_local int pool_is_lost;         /* this thread's OpenMP may count on threads of the parent */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void before_fork(void) {
    forks_beside_threads = !IS_SINGLE_THREADED;
}

static void in_child(void) {
    pool_is_lost |= forks_beside_threads;
}

static void watch_forks(void) {
    pthread_atfork(before_fork, NULL, in_child);
}

#ifdef __GNUC__ /* from the start, since the application's own regions count; elsewhere from the first use */
static void watch_forks_once(void) __attribute__((constructor));
#endif
static void watch_forks_once(void) {
    pthread_once(&fork_once, watch_forks);
}

static void pool_prepare(void) {
    static int is_kept;
    const union {
        int (*function)(void);
        const void *address;
    } openmp = {omp_get_thread_num};
    rn_keep_loaded(openmp.address, &is_kept);
    watch_forks_once();
}

typedef struct PoolTask {
    rn_task fn;
    void *arg;
    int parts, next;
} PoolTask;

static void *take_parts(void *arg) {
    PoolTask *task = arg;
    for (int part; (part = __atomic_fetch_add(&task->next, 1, __ATOMIC_RELAXED)) < task->parts;)
        task->fn(task->arg, part, task->parts);
    return NULL;
}

static void pool_run(int parts, rn_task fn, void *arg) {
    pool_prepare();
    if (pool_is_lost) {
        rn_threads_run(parts, take_parts, &(PoolTask){fn, arg, parts, 0});
        return;
    }
    /* OpenMP may give fewer threads than asked (OMP_THREAD_LIMIT, a caller that is itself inside a parallel region):
     * the parts are dealt out over those there are, so that each part always runs, and the work of a part, hence the
     * result, does not depend on it. */
#pragma omp parallel num_threads(parts)
    {
        const int got = omp_get_num_threads();
        for (int part = omp_get_thread_num(); part < parts; part += got) fn(arg, part, parts);
    }
}
#else
static void pool_run(int parts, rn_task fn, void *arg) { /* create refuses more than one thread, hence not silently */
    for (int part = 0; part < parts; part++) fn(arg, part, parts);
}
#endif

void rn_parallel(rn_context *context, rn_task fn, void *arg) {
    const int parts = context->threads;
    if (parts <= 1)
        fn(arg, 0, 1);
    else if (context->parallel)
        context->parallel(context->parallel_user, parts, fn, arg);
    else
        pool_run(parts, fn, arg);
}
