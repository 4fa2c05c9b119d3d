/* Threads beside rn_parallel, and what outlives a call of the application's. */
#ifndef RN_THREADS_H
#define RN_THREADS_H

#include "rn_emitted.h"

/* Calls work(arg) on the caller's thread and on up to threads - 1 new ones, which end before it returns. There may be
 * fewer, or none: each call takes what is left to do until nothing is. */
void rn_threads_run(int threads, void *(*work)(void *), void *arg);
#ifdef _OPENMP
/* The shared object that holds `address`, and all that it needs, stay loaded until the process ends, whatever dlclose
 * says. *is_kept, from 0 on, spares all calls but the first. It waits for other threads' dlopen, whose constructors may
 * call librn: so no lock is held across it, nor is it called by pthread_once. */
void rn_keep_loaded(const void *address, int *is_kept);
#endif

#ifndef RN_STANDALONE
/* Around libxsmm, for what it keeps in variables of its own. No thread holds it while another one forks, so that a
 * child finds libxsmm's own locks free. */
void rn_lock(void);
void rn_unlock(void);
/* Around cJSON, which notes the place of its last error in a variable. It may be held for long, so fork() does not wait
 * for it: a child's is new. */
void rn_json_lock(void);
void rn_json_unlock(void);
#endif

#endif
