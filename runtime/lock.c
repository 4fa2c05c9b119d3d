/* The one lock of librn, which is never held across fork(). */
#include "threads.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void rn_lock(void) {
    pthread_mutex_lock(&lock);
}

void rn_unlock(void) {
    pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void lock_watch_forks(void) {
    pthread_atfork(rn_lock, rn_unlock, rn_unlock);
}
