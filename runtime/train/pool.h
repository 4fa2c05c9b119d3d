/* Threads for a trainer beside others: the loader's, and whatever else the machine does. A step has hundreds of short
 * tasks. OpenMP's threads meet after each, so that one that waits for a core holds up all; here the caller does what
 * nobody has begun, and threads that wait sleep soon. */
#ifndef RN_TRAIN_POOL_H
#define RN_TRAIN_POOL_H

#include "rn.h"

typedef struct rn_pool rn_pool;

/* `threads` of them, the caller's own among them; fewer where the system gives fewer. NULL: no memory. */
rn_pool *rn_pool_create(int threads);
void rn_pool_destroy(rn_pool *pool); /* NULL is allowed */
/* As the `parallel` of rn_options, with the pool as `user`: fn(arg, i, n) for i in 0 .. n - 1, part i on thread i
 * unless it is late. One caller at a time. */
void rn_pool_run(void *pool, int n, rn_task fn, void *arg);

#endif
