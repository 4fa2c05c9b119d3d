/* Threads beside rn_parallel, and what outlives a call of the application's. */
#ifndef RN_THREADS_H
#define RN_THREADS_H

#include "rn.h"

/* Calls work(arg) on the caller's thread and on up to threads - 1 new ones, which end before it returns. There may be
 * fewer, or none: each call takes what is left to do until nothing is. */
void rn_threads_run(int threads, void *(*work)(void *), void *arg);
#ifdef _OPENMP
/* The shared object that holds `address`, and all that it needs, stay loaded until the process ends, whatever dlclose
 * says. */
void rn_keep_loaded(const void *address);
#endif

#ifndef RN_STANDALONE
/* One lock for what the libraries below librn keep in variables of their own. No thread holds it while another one
 * forks, so that a child may take it. */
void rn_lock(void);
void rn_unlock(void);
#endif

#endif
