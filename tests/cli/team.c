/* runtime/mpi's team with threads as ranks, over a stand-in for MPI (mpi_threads.h): sums and broadcasts as a training
 * step makes them, gradients summed while their rank goes on. cli/team builds it with ThreadSanitizer.
 *
 *     team RANKS       sums are those of the tree over ranks to the bit, on all ranks; and what was sent is counted
 *     team silent      a rank of two is silent: the other one says so
 *     team abort       rank 0 ends all, with status 7
 *     team early       MPI allows no calls of another thread
 */
#include "mpi.h"
#include "runtime/rn_train_mpi.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEPS = 6, BUCKETS = 5, MOST = 16, SUMS = 37, STEP_SUMS = 4, SHARED = 1000 };

/* Pieces are of 65,536 floats, four at a time. */
static const int64_t bucket_sizes[BUCKETS] = {5 * 65536 + 12, 65536, 1, 3, 40};
enum { FLOATS = 5 * 65536 + 12 + 65536 + 1 + 3 + 40 };

static int ranks, is_hasty;
static const char *mode;

/* ---- time ---- */
/* A clock that goes by the calls of it. A rank that falls silent makes it go fast. */
static int64_t microseconds;
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t) {
    (void)clock;
    const int64_t tick = __atomic_load_n(&is_hasty, __ATOMIC_RELAXED) ? 1000000 : 1;
    const int64_t now = __atomic_add_fetch(&microseconds, tick, __ATOMIC_RELAXED);
    *t = (struct timespec){now / 1000000, now % 1000000 * 1000};
    return 0;
}

/* ---- values ---- */
static float value_of(int rank, int step, int64_t i) {
    const uint32_t bits = (uint32_t)(i * 8 + rank + 1) * 2654435761u ^ (uint32_t)step * 2246822519u;
    return (float)(int32_t)(bits ^ bits >> 15) * 0x1p-31f;
}

/* Over the largest power of two of the ranks, to each of which one beyond it has been added. */
#define TREE(type, v)                                                                                                  \
    int power = 1;                                                                                                     \
    while (2 * power <= ranks) power *= 2;                                                                             \
    for (int r = power; r < ranks; r++) v[r - power] += v[r];                                                          \
    for (int half = 1; half < power; half *= 2)                                                                        \
        for (int r = 0; r < power; r += 2 * half) v[r] += v[r + half];                                                 \
    return v[0]

static float sum_of_floats(int step, int64_t i) {
    float v[MOST];
    for (int r = 0; r < ranks; r++) v[r] = value_of(r, step, i);
    TREE(float, v);
}

static double sum_of_doubles(int step, int64_t i) {
    double v[MOST];
    for (int r = 0; r < ranks; r++) v[r] = value_of(r, step, i) / 3.0;
    TREE(double, v);
}

/* ---- a rank ---- */
typedef struct Rank {
    pthread_t thread;
    int rank;
    int64_t wrong;
    float *gradients;
} Rank;

static void sum_some(Rank *rank, const rn_train_team *team, int step, const char *what) {
    double values[SUMS];
    for (int i = 0; i < SUMS; i++) values[i] = value_of(rank->rank, step, i) / 3.0;
    rank->wrong += team->sum(team->user, what, values, SUMS) != RN_OK;
    for (int i = 0; i < SUMS; i++) rank->wrong += values[i] != sum_of_doubles(step, i);
}

/* All are looked at; each rank says whether its share of them is right. */
static void check_gradients(Rank *rank, int step) {
    float sum = 0;
    for (int64_t i = 0; i < FLOATS; i++) {
        sum += rank->gradients[i];
        if (i % ranks == rank->rank || i < 64 || i > FLOATS - 64)
            rank->wrong += rank->gradients[i] != sum_of_floats(step, i);
    }
    rank->wrong += !(sum - sum == 0);
}

/* Several times for 100 s, while others wait for this rank: not to be taken for its silence. */
static void stop_all(void) {
    for (int i = 0; i < 20; i++) {
        usleep(5000);
        __atomic_add_fetch(&microseconds, INT64_C(100000000), __ATOMIC_RELAXED);
    }
}

static void make_step(Rank *rank, const rn_train_team *team, int step) {
    rn_train_traffic traffic;
    team->at(team->user, step);
    if (!strcmp(mode, "silent") && step == 5 && rank->rank == 1) {
        __atomic_store_n(&is_hasty, 1, __ATOMIC_RELAXED);
        for (;;) pause();
    }
    sum_some(rank, team, step, "a sum");
    if (step == 4 && rank->rank == 1) stop_all(); /* all are in this step: no other one seems long */
    int64_t at = 0;
    for (int b = 0; b < BUCKETS; at += bucket_sizes[b++]) {
        for (int64_t i = at; i < at + bucket_sizes[b]; i++) rank->gradients[i] = value_of(rank->rank, step, i);
        rank->wrong += team->start(team->user, "gradients", rank->gradients + at, bucket_sizes[b]) != RN_OK;
        if (b < 2) continue; /* nothing waits between these, whose pieces are under way */
        sum_some(rank, team, step + b, "another");
        team->traffic(team->user, &traffic); /* whenever somebody asks */
    }
    rank->wrong += team->await(team->user) != RN_OK;
    check_gradients(rank, step);
}

static void share_some(Rank *rank, const rn_train_team *team) {
    unsigned char bytes[SHARED];
    for (int i = 0; i < SHARED; i++) bytes[i] = (unsigned char)(i * 7 + rank->rank);
    rank->wrong += team->share(team->user, "some bytes", bytes, sizeof bytes) != RN_OK;
    for (int i = 0; i < SHARED; i++) rank->wrong += bytes[i] != (unsigned char)(i * 7);
}

/* Of two ranks each sends what it has once, a half and the sums of the other half, and the first one its bytes. */
static void check_traffic(Rank *rank, const rn_train_team *team, int steps) {
    rn_train_traffic t;
    team->traffic(team->user, &t);
    if (ranks == 2)
        rank->wrong +=
            t.bytes != steps * (FLOATS * (int64_t)sizeof(float) + STEP_SUMS * SUMS * (int64_t)sizeof(double));
    if (ranks > 1 && steps)
        rank->wrong += !(t.gradients > 0) || !(t.waited_for_sums > 0) || !(t.waited_for_gradients > 0);
}

static void *run(void *arg) {
    Rank *rank = arg;
    rn_train_mpi *mpi;
    char error[RN_ERROR_SIZE];
    mpi_threads_rank(rank->rank);
    if (rn_train_mpi_create(&mpi, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        rank->wrong++;
        return NULL;
    }
    const rn_train_team *team = rn_train_mpi_team(mpi);
    rank->wrong += team->rank != rank->rank || team->ranks != ranks;
    rank->gradients = malloc(sizeof(float) * FLOATS);
    if (!rank->gradients) exit(1);
    check_traffic(rank, team, 0);
    for (int step = 1; step <= STEPS; step++) {
        make_step(rank, team, step);
        check_traffic(rank, team, step);
    }
    share_some(rank, team);
    if (!strcmp(mode, "abort") && !rank->rank) rn_train_mpi_abort(mpi, 7);
    free(rank->gradients);
    rn_train_mpi_destroy(mpi);
    return NULL;
}

int main(int argc, char **argv) {
    static Rank all[MOST];
    int64_t wrong = 0;
    mode = argc > 1 ? argv[1] : "";
    ranks = atoi(mode) > 0 ? atoi(mode) : 2;
    if (ranks > MOST) return 2;
    mpi_threads_begin(ranks, strcmp(mode, "early") ? MPI_THREAD_SERIALIZED : MPI_THREAD_FUNNELED);
    for (int r = 0; r < ranks; r++) {
        all[r].rank = r;
        if (pthread_create(&all[r].thread, NULL, run, &all[r])) return 1;
    }
    for (int r = 0; r < ranks; r++) {
        pthread_join(all[r].thread, NULL);
        wrong += all[r].wrong;
    }
    printf("%d ranks: %lld wrong, %d left\n", ranks, (long long)wrong, mpi_threads_left());
    return wrong || mpi_threads_left();
}
