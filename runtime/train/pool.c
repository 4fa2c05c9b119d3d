/* Threads that share tasks, see pool.h.
 *
 * Tasks are numbered. A thread that sees a new number claims its own part of it, and then any other: claimed[i] goes
 * from the number before to this one, once, whoever does it. Only who has claimed a part reads the task; it stays until
 * all its parts are done.
 */
#include "train/pool.h"

#include <pthread.h>
#include <stdlib.h>

enum { SPINS = 2000 /* looks before a thread sleeps: some 50 us, longer than the pause between most tasks */ };

struct rn_pool {
    int threads, started; /* started: helpers */
    pthread_t *helpers;
    unsigned *claimed; /* by part: the number of the last task whose part was taken */
    rn_task fn;
    void *arg;
    unsigned number; /* of the task */
    int done;        /* parts of it */
    int sleepers, caller_sleeps, ends;
    pthread_mutex_t lock;
    pthread_cond_t task_is_there, task_is_done;
};

typedef struct Helper {
    rn_pool *pool;
    int index;
} Helper;

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define STORE(x, value) __atomic_store_n(&(x), value, __ATOMIC_SEQ_CST)

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void wake(rn_pool *pool, pthread_cond_t *condition) {
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(condition);
    pthread_mutex_unlock(&pool->lock);
}

/* All parts of task `number` that nobody has begun, from `index` on. */
static void work(rn_pool *pool, unsigned number, int index) {
    for (int i = 0; i < pool->threads; i++) {
        const int part = (index + i) % pool->threads;
        unsigned before = number - 1;
        if (!__atomic_compare_exchange_n(&pool->claimed[part], &before, number, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            continue;
        pool->fn(pool->arg, part, pool->threads);
        if (__atomic_add_fetch(&pool->done, 1, __ATOMIC_SEQ_CST) == pool->threads && LOAD(pool->caller_sleeps))
            wake(pool, &pool->task_is_done);
    }
}

/* The number of a task other than `last`; `last` where the pool ends. */
static unsigned wait_for_task(rn_pool *pool, unsigned last) {
    for (int i = 0; i < SPINS; i++) {
        const unsigned number = LOAD(pool->number);
        if (number != last || LOAD(pool->ends)) return number;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->lock);
    __atomic_add_fetch(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
    while (LOAD(pool->number) == last && !LOAD(pool->ends)) pthread_cond_wait(&pool->task_is_there, &pool->lock);
    __atomic_sub_fetch(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&pool->lock);
    return LOAD(pool->number);
}

static void *help(void *arg) {
    const Helper helper = *(Helper *)arg;
    free(arg);
    unsigned last = 0;
    for (unsigned number; (number = wait_for_task(helper.pool, last)) != last; last = number)
        work(helper.pool, number, helper.index);
    return NULL;
}

static int start(rn_pool *pool, int index) {
    Helper *helper = malloc(sizeof *helper);
    if (!helper) return 0;
    *helper = (Helper){pool, index};
    if (!pthread_create(&pool->helpers[pool->started], NULL, help, helper)) return 1;
    free(helper);
    return 0;
}

rn_pool *rn_pool_create(int threads) {
    rn_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    pool->threads = threads;
    pool->helpers = calloc((size_t)threads, sizeof *pool->helpers);
    pool->claimed = calloc((size_t)threads, sizeof *pool->claimed);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->task_is_there, NULL);
    pthread_cond_init(&pool->task_is_done, NULL);
    if (!pool->helpers || !pool->claimed) {
        rn_pool_destroy(pool);
        return NULL;
    }
    while (pool->started < threads - 1 && start(pool, pool->started + 1)) pool->started++;
    return pool;
}

void rn_pool_destroy(rn_pool *pool) {
    if (!pool) return;
    STORE(pool->ends, 1);
    wake(pool, &pool->task_is_there);
    for (int i = 0; i < pool->started; i++) pthread_join(pool->helpers[i], NULL);
    pthread_cond_destroy(&pool->task_is_there);
    pthread_cond_destroy(&pool->task_is_done);
    pthread_mutex_destroy(&pool->lock);
    free(pool->helpers);
    free(pool->claimed);
    free(pool);
}

static void wait_until_done(rn_pool *pool) {
    for (int i = 0; i < SPINS; i++) {
        if (LOAD(pool->done) == pool->threads) return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->lock);
    STORE(pool->caller_sleeps, 1);
    while (LOAD(pool->done) < pool->threads) pthread_cond_wait(&pool->task_is_done, &pool->lock);
    STORE(pool->caller_sleeps, 0);
    pthread_mutex_unlock(&pool->lock);
}

void rn_pool_run(void *user, int n, rn_task fn, void *arg) {
    rn_pool *pool = user;
    if (n != pool->threads) { /* not a trainer's task */
        for (int part = 0; part < n; part++) fn(arg, part, n);
        return;
    }
    pool->fn = fn;
    pool->arg = arg;
    STORE(pool->done, 0);
    STORE(pool->number, pool->number + 1);
    if (LOAD(pool->sleepers)) wake(pool, &pool->task_is_there);
    work(pool, pool->number, 0);
    wait_until_done(pool);
}
