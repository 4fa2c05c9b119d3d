/* A team of ranks over MPI. The trainer's thread leaves its sums here; a thread that alone calls MPI makes them: those
 * that are waited for at once, and beside them pieces of the gradients, a few at a time, so that the former are never
 * behind much. Pieces of all ranks are the same, in the same order.
 */
#include "core/status.h"
#include "exchange.h"
#include "rn_train_mpi.h"
#include "train/flush.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECE = 1 << 16,       /* floats of gradients that are summed at once: small enough for L2 */
    PIECES = 4,            /* under way at a time */
    SHARE_BYTES = 1 << 26, /* of a broadcast at once; MPI counts in ints */
    TAG_NOW = 1,           /* of what is waited for */
    TAG_PIECE = 16,        /* and on, of the pieces */
    TAGS = 16384,
    STEPS = 64,   /* whose times the watchdog knows */
    GAP = 1,      /* seconds between looks for messages that count as waiting */
    SPINS = 2000, /* looks of a waiting thread before it sleeps */
    POLLS = 2000  /* looks for messages before the processor is left to others */
};

typedef struct Bucket {
    struct Bucket *next;
    const char *what;
    float *values;
    int64_t count;
} Bucket;

struct rn_train_mpi {
    rn_train_team team; /* first */
    Ranks ranks;
    int is_ours; /* create has started MPI */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    /* with the lock: */
    Exchange *now;        /* waited for at once; NULL: nothing is */
    Bucket *first, *last; /* given by start */
    int64_t started;      /* pieces that are not done */
    int ends, aborts, status;
    int64_t step;
    rn_train_traffic traffic;
    /* of the thread: */
    Exchange pieces[PIECES];
    int piece_count;
    int64_t cut; /* floats of the first bucket that are under way or done */
    unsigned piece;
    double busy_since; /* when the first of the pieces under way began, and there had been none */
    double timeout;
    /* of the trainer's thread */
    double times[STEPS], step_began;
    int64_t timed;
    void *staging; /* of `now` */
    size_t staging_size;
};

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define STORE(x, value) __atomic_store_n(&(x), value, __ATOMIC_RELEASE)

static double clock_now(void) { /* seconds */
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the watchdog ---- */
static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds that a round may take: the timeout, or 20 of the median step. */
static double patience(const rn_train_mpi *mpi) {
    enum { MEDIANS = 20 };
    double times[STEPS];
    const int count = mpi->timed < STEPS ? (int)mpi->timed : STEPS;
    if (!count) return mpi->timeout;
    memcpy(times, mpi->times, sizeof *times * (size_t)count);
    qsort(times, (size_t)count, sizeof *times, compare_doubles);
    const double steps = MEDIANS * times[count / 2];
    return steps > mpi->timeout ? steps : mpi->timeout;
}

/* A rank that hangs keeps its neighbour waiting in an early round, and others in later ones: who is nearest speaks
 * first. */
static void watch(rn_train_mpi *mpi, Exchange *x, double seconds) {
    x->waited += seconds;
    if (!(mpi->timeout > 0) || x->peer < 0 || x->waited < mpi->timeout + 0.3 * x->round) return;
    pthread_mutex_lock(&mpi->lock);
    const double most = patience(mpi);
    const long long step = (long long)mpi->step;
    pthread_mutex_unlock(&mpi->lock);
    if (x->waited < most + 0.3 * x->round) return;
    fprintf(stderr, "rank %d: error: step %lld: nothing of rank %d for %.0f s; waited for: %s; all ranks end\n",
            mpi->team.rank, step, x->peer, x->waited, x->what);
    fflush(stderr);
    MPI_Abort(mpi->ranks.comm, 1);
}

/* ---- the thread ---- */
/* The next piece of the gradients; the caller has the lock, and there is one. */
static void begin_piece(rn_train_mpi *mpi) {
    Bucket *b = mpi->first;
    Exchange *x = &mpi->pieces[mpi->piece_count++];
    const int64_t left = b->count - mpi->cut;
    if (mpi->piece_count == 1) mpi->busy_since = clock_now();
    x->kind = EXCHANGE_FLOATS;
    x->what = b->what;
    x->data = b->values + mpi->cut;
    x->count = left < PIECE ? left : PIECE;
    x->tag = TAG_PIECE + (int)(mpi->piece++ % TAGS);
    mpi->cut += x->count;
    if (mpi->cut == b->count) {
        mpi->first = b->next;
        if (!mpi->first) mpi->last = NULL;
        mpi->cut = 0;
        free(b);
    }
    exchange_begin(&mpi->ranks, x);
}

/* Whether something has moved. What was sent is counted before anybody hears that it is done. */
static int advance(rn_train_mpi *mpi, Exchange **now) {
    int moved = 0;
    if (*now && exchange_advance(&mpi->ranks, *now, &moved)) {
        pthread_mutex_lock(&mpi->lock);
        mpi->traffic.bytes += (*now)->sent;
        STORE(mpi->now, NULL);
        pthread_cond_broadcast(&mpi->done);
        pthread_mutex_unlock(&mpi->lock);
        *now = NULL;
        moved = 1;
    }
    for (int i = 0; i < mpi->piece_count; i++) {
        if (!exchange_advance(&mpi->ranks, &mpi->pieces[i], &moved)) continue;
        Exchange ended = mpi->pieces[i]; /* the others keep their order; staging goes with its place */
        memmove(&mpi->pieces[i], &mpi->pieces[i + 1], sizeof ended * (size_t)(mpi->piece_count - i - 1));
        mpi->pieces[--mpi->piece_count] = ended;
        pthread_mutex_lock(&mpi->lock);
        mpi->traffic.bytes += ended.sent;
        if (!mpi->piece_count) mpi->traffic.gradients += clock_now() - mpi->busy_since;
        if (!--mpi->started) pthread_cond_broadcast(&mpi->done);
        pthread_mutex_unlock(&mpi->lock);
        i--;
        moved = 1;
    }
    return moved;
}

/* What is begun: the caller has the lock. */
static void take_work(rn_train_mpi *mpi, Exchange **now) {
    if (mpi->now && mpi->now != *now) {
        *now = mpi->now;
        exchange_begin(&mpi->ranks, *now);
    }
    while (mpi->first && mpi->piece_count < PIECES) begin_piece(mpi);
}

static void rest(unsigned idle) {
    if (idle < POLLS) return;
    if (idle < 20 * POLLS)
        sched_yield();
    else
        usleep(50);
}

static void *communicate(void *arg) {
    rn_train_mpi *mpi = arg;
    Exchange *now = NULL;
    unsigned idle = 0;
    double last = clock_now();
    rn_flush_begin();
    for (;;) {
        pthread_mutex_lock(&mpi->lock);
        while (!mpi->now && !mpi->first && !mpi->piece_count && !mpi->ends && !mpi->aborts) {
            pthread_cond_wait(&mpi->work, &mpi->lock);
            last = clock_now();
            idle = 0;
        }
        const int aborts = mpi->aborts, ends = mpi->ends;
        take_work(mpi, &now);
        pthread_mutex_unlock(&mpi->lock);
        if (aborts) MPI_Abort(mpi->ranks.comm, mpi->status);
        if (ends) return NULL;
        idle = advance(mpi, &now) ? 0 : idle + 1;
        if (idle % 64 && idle) {
            rest(idle);
            continue;
        }
        /* a rank that was stopped, or had no processor, has not listened */
        const double time = clock_now(), seconds = time - last < GAP ? time - last : GAP;
        last = time;
        if (now) watch(mpi, now, seconds);
        for (int i = 0; i < mpi->piece_count; i++) watch(mpi, &mpi->pieces[i], seconds);
    }
}

/* ---- the team's functions: of the trainer's thread ---- */
static void make_now(rn_train_mpi *mpi, Exchange *x) {
    const double start = clock_now();
    x->tag = TAG_NOW;
    pthread_mutex_lock(&mpi->lock);
    STORE(mpi->now, x);
    pthread_cond_signal(&mpi->work);
    pthread_mutex_unlock(&mpi->lock);
    for (int i = 0; i < SPINS && LOAD(mpi->now); i++) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    }
    pthread_mutex_lock(&mpi->lock);
    while (mpi->now) pthread_cond_wait(&mpi->done, &mpi->lock);
    mpi->traffic.waited_for_sums += clock_now() - start;
    pthread_mutex_unlock(&mpi->lock);
}

static rn_status sum(void *user, const char *what, double *values, int count) {
    rn_train_mpi *mpi = user;
    const size_t size = sizeof *values * (size_t)count;
    if (size > mpi->staging_size) {
        free(mpi->staging);
        mpi->staging = malloc(size);
        mpi->staging_size = mpi->staging ? size : 0;
        if (!mpi->staging) return RN_ERROR_MEMORY;
    }
    Exchange x = {.kind = EXCHANGE_DOUBLES, .what = what, .data = values, .count = count, .staging = mpi->staging};
    make_now(mpi, &x);
    return RN_OK;
}

static rn_status start(void *user, const char *what, float *values, int64_t count) {
    rn_train_mpi *mpi = user;
    Bucket *b = malloc(sizeof *b);
    if (!b) return RN_ERROR_MEMORY;
    *b = (Bucket){.what = what, .values = values, .count = count};
    pthread_mutex_lock(&mpi->lock);
    if (mpi->last)
        mpi->last->next = b;
    else
        mpi->first = b;
    mpi->last = b;
    mpi->started += (count + PIECE - 1) / PIECE;
    pthread_cond_signal(&mpi->work);
    pthread_mutex_unlock(&mpi->lock);
    return RN_OK;
}

static rn_status await(void *user) {
    rn_train_mpi *mpi = user;
    const double start = clock_now();
    pthread_mutex_lock(&mpi->lock);
    while (mpi->started) pthread_cond_wait(&mpi->done, &mpi->lock);
    mpi->traffic.waited_for_gradients += clock_now() - start;
    pthread_mutex_unlock(&mpi->lock);
    return RN_OK;
}

static rn_status share(void *user, const char *what, void *bytes, size_t size) {
    for (size_t at = 0; at < size; at += SHARE_BYTES) {
        const size_t part = size - at < SHARE_BYTES ? size - at : SHARE_BYTES;
        Exchange x = {.kind = EXCHANGE_BYTES, .what = what, .data = (char *)bytes + at, .count = (int64_t)part};
        make_now(user, &x);
    }
    return RN_OK;
}

static void at(void *user, int64_t step) {
    rn_train_mpi *mpi = user;
    const double time = clock_now();
    pthread_mutex_lock(&mpi->lock);
    if (mpi->step + 1 == step && mpi->step_began > 0) mpi->times[mpi->timed++ % STEPS] = time - mpi->step_began;
    mpi->step_began = time;
    mpi->step = step;
    pthread_mutex_unlock(&mpi->lock);
}

static void traffic(void *user, rn_train_traffic *result) {
    rn_train_mpi *mpi = user;
    pthread_mutex_lock(&mpi->lock);
    *result = mpi->traffic;
    pthread_mutex_unlock(&mpi->lock);
}

/* ---- create and destroy ---- */
static rn_status start_mpi(rn_train_mpi *mpi, char *error, size_t error_size) {
    int is_there, provided;
    MPI_Initialized(&is_there);
    if (is_there)
        MPI_Query_thread(&provided);
    else
        MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided);
    mpi->is_ours = !is_there;
    if (provided >= MPI_THREAD_SERIALIZED) return RN_OK;
    return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT,
                          "this MPI was started for calls of one thread; MPI_THREAD_SERIALIZED is needed");
}

/* Signals stay with the threads of the application. */
static int start_thread(rn_train_mpi *mpi) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&mpi->thread, NULL, communicate, mpi);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed;
}

static rn_status read_timeout(double *seconds, char *error, size_t error_size) {
    enum { TIMEOUT = 60 };
    const char *text = getenv("RN_MPI_TIMEOUT");
    char *end;
    *seconds = TIMEOUT;
    if (!text || !*text) return RN_OK;
    *seconds = strtod(text, &end);
    if (end > text && !*end && *seconds >= 0) return RN_OK;
    return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, "RN_MPI_TIMEOUT: '%s' is not a number of seconds",
                          text);
}

rn_status rn_train_mpi_create(rn_train_mpi **result, char *error, size_t error_size) {
    *result = NULL;
    rn_train_mpi *mpi = calloc(1, sizeof *mpi);
    if (!mpi) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "no memory for a team of ranks");
    rn_status status = read_timeout(&mpi->timeout, error, error_size);
    if (!status) status = start_mpi(mpi, error, error_size);
    for (int i = 0; i < PIECES && !status; i++) {
        mpi->pieces[i].staging = malloc(sizeof(float) * PIECE);
        if (!mpi->pieces[i].staging) status = RN_ERROR_MEMORY;
    }
    pthread_mutex_init(&mpi->lock, NULL);
    pthread_cond_init(&mpi->work, NULL);
    pthread_cond_init(&mpi->done, NULL);
    if (!status) {
        MPI_Comm comm;
        MPI_Comm_dup(MPI_COMM_WORLD, &comm);
        mpi->ranks = exchange_ranks(comm);
        mpi->team = (rn_train_team){.rank = mpi->ranks.rank,
                                    .ranks = mpi->ranks.ranks,
                                    .user = mpi,
                                    .sum = sum,
                                    .start = start,
                                    .await = await,
                                    .share = share,
                                    .at = at,
                                    .traffic = traffic};
        if (start_thread(mpi)) {
            *result = mpi;
            return RN_OK;
        }
        status = RN_ERROR_MEMORY;
    }
    if (status == RN_ERROR_MEMORY)
        rn_status_fail(error, error_size, status, "no memory or no thread for a team of ranks");
    if (mpi->is_ours) MPI_Finalize();
    for (int i = 0; i < PIECES; i++) free(mpi->pieces[i].staging);
    free(mpi);
    return status;
}

const rn_train_team *rn_train_mpi_team(const rn_train_mpi *mpi) {
    return &mpi->team;
}

void rn_train_mpi_destroy(rn_train_mpi *mpi) {
    if (!mpi) return;
    pthread_mutex_lock(&mpi->lock);
    mpi->ends = 1;
    pthread_cond_signal(&mpi->work);
    pthread_mutex_unlock(&mpi->lock);
    pthread_join(mpi->thread, NULL);
    MPI_Comm_free(&mpi->ranks.comm);
    if (mpi->is_ours) MPI_Finalize();
    for (int i = 0; i < PIECES; i++) free(mpi->pieces[i].staging);
    free(mpi->staging);
    pthread_cond_destroy(&mpi->work);
    pthread_cond_destroy(&mpi->done);
    pthread_mutex_destroy(&mpi->lock);
    free(mpi);
}

void rn_train_mpi_abort(rn_train_mpi *mpi, int status) {
    pthread_mutex_lock(&mpi->lock);
    mpi->aborts = 1;
    mpi->status = status;
    pthread_cond_signal(&mpi->work);
    pthread_mutex_unlock(&mpi->lock);
    pthread_join(mpi->thread, NULL);
}
