/* The locks of librn for what the libraries below it keep in variables of their own. */
#include "threads.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, json_lock = PTHREAD_MUTEX_INITIALIZER;

void rn_lock(void) {
    pthread_mutex_lock(&lock);
}

void rn_unlock(void) {
    pthread_mutex_unlock(&lock);
}

void rn_json_lock(void) {
    pthread_mutex_lock(&json_lock);
}

void rn_json_unlock(void) {
    pthread_mutex_unlock(&json_lock);
}

/* The thread that may have held cJSON's lock is not in the child. */
static void in_child(void) {
    rn_unlock();
    json_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

__attribute__((constructor)) static void lock_watch_forks(void) {
    pthread_atfork(rn_lock, rn_unlock, in_child);
}
