/* Ranks as threads of one process: an application's own team over shared memory. Each has a trainer and its images of
 * every batch; prints the losses and what the bits of rank 0's parameters and momentum hash to, after checking that all
 * ranks have the same.
 *
 *     ranks RANKS THREADS
 */
#include "net.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

enum { CLASSES = 4, STEPS = 12, BATCH = ALL_IMAGES, MOST = 16 };

/* ---- the team ---- */
typedef struct Piece {
    float *values;
    int64_t count;
} Piece;

static struct {
    int ranks;
    pthread_barrier_t all;
    double *sums[MOST];
    Piece pieces[MOST][64];
    void *bytes[MOST];
} shared;

typedef struct Rank {
    rn_train_team team;
    pthread_t thread;
    int threads, started;
    unsigned long long hash;
    double first, last, wrong;
    char error[RN_ERROR_SIZE];
} Rank;

/* Element i of all ranks: the tree. */
#define TREE(type, at)                                                                                                 \
    type v[MOST] = {0};                                                                                                \
    for (int r = 0; r < shared.ranks; r++) v[r] = (at);                                                                \
    for (int half = 1; half < shared.ranks; half *= 2)                                                                 \
        for (int r = 0; r + half < shared.ranks; r += 2 * half) v[r] += v[r + half]

static rn_status sum(void *user, const char *what, double *values, int count) {
    const Rank *rank = user;
    (void)what;
    double *out = malloc(sizeof *out * (size_t)count);
    shared.sums[rank->team.rank] = values;
    pthread_barrier_wait(&shared.all);
    for (int i = 0; i < count; i++) {
        TREE(double, shared.sums[r][i]);
        out[i] = v[0];
    }
    pthread_barrier_wait(&shared.all);
    memcpy(values, out, sizeof *out * (size_t)count);
    free(out);
    return RN_OK;
}

static rn_status start(void *user, const char *what, float *values, int64_t count) {
    Rank *rank = user;
    (void)what;
    if (rank->started == 64) return RN_ERROR_MEMORY;
    shared.pieces[rank->team.rank][rank->started++] = (Piece){values, count};
    return RN_OK;
}

static rn_status await(void *user) {
    Rank *rank = user;
    pthread_barrier_wait(&shared.all);
    for (int p = 0; p < rank->started && rank->team.rank == 0; p++)
        for (int64_t i = 0; i < shared.pieces[0][p].count; i++) {
            TREE(float, shared.pieces[r][p].values[i]);
            for (int r = 0; r < shared.ranks; r++) shared.pieces[r][p].values[i] = v[0];
        }
    rank->started = 0;
    pthread_barrier_wait(&shared.all);
    return RN_OK;
}

static rn_status share(void *user, const char *what, void *bytes, size_t size) {
    const Rank *rank = user;
    (void)what;
    shared.bytes[rank->team.rank] = bytes;
    pthread_barrier_wait(&shared.all);
    if (rank->team.rank) memcpy(bytes, shared.bytes[0], size);
    pthread_barrier_wait(&shared.all);
    return RN_OK;
}

/* ---- a rank ---- */
static unsigned long long hash(const void *bytes, size_t size, unsigned long long h) { /* FNV-1a */
    for (size_t i = 0; i < size; i++) h = (h ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return h;
}

/* Image `index` of all that are ever drawn, of its class. */
static void draw(float *image, int32_t label, uint64_t index) {
    uint64_t seed = index * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < NET_INPUT_SIZE; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        image[i] = (float)(seed >> 40) / (float)(1 << 24) + (i % 16 / 4 == label ? 1.0f : 0.0f);
    }
}

static void *run(void *arg) {
    Rank *rank = arg;
    net_trainer *t;
    const int n = BATCH / shared.ranks, first = rank->team.rank * n;
    const rn_train_options options = {
        .threads = rank->threads, .team = &rank->team, .error = rank->error, .error_size = sizeof rank->error};
    float *images = malloc(sizeof(float) * (size_t)n * NET_INPUT_SIZE);
    int32_t labels[BATCH];
#if defined(__SSE2__)
    _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
    if (!images || net_train_create(&t, NULL, 0, &options)) {
        free(images);
        return NULL; /* create fails on all ranks or on none */
    }
    if (net_train_init(t, 1)) exit(1);
    for (int step = 0; step < STEPS; step++) {
        rn_train_result result;
        for (int i = 0; i < n; i++) {
            labels[i] = (step + first + i) % CLASSES;
            draw(images + (size_t)i * NET_INPUT_SIZE, labels[i], (uint64_t)step * BATCH + (uint64_t)(first + i));
        }
        if (net_train_step(t, n, images, labels, &result)) {
            fprintf(stderr, "rank %d: %s\n", rank->team.rank, net_train_message(t));
            exit(1);
        }
        if (result.images != n * shared.ranks) exit(3);
        rank->last = result.loss / (double)result.images;
        rank->wrong += (double)result.wrong;
        if (!step) rank->first = rank->last;
    }
    size_t floats;
    const float *parameters = net_train_parameters(t, &floats);
    rank->hash = hash(parameters, sizeof(float) * floats, 0xcbf29ce484222325u);
    for (size_t i = 0; i < floats; i++)
        if (!(parameters[i] - parameters[i] == 0)) exit(4);
    const float *momentum = net_train_momentum(t, &floats);
    rank->hash = hash(momentum, sizeof(float) * floats, rank->hash);
    net_train_destroy(t);
    free(images);
    return NULL;
}

int main(int argc, char **argv) {
    static Rank ranks[MOST];
    if (argc < 3 || atoi(argv[1]) > MOST) return 2;
    shared.ranks = atoi(argv[1]);
    pthread_barrier_init(&shared.all, NULL, (unsigned)shared.ranks);
    for (int r = 0; r < shared.ranks; r++) {
        ranks[r].team = (rn_train_team){r, shared.ranks, &ranks[r], sum, start, await, share, NULL, NULL};
        ranks[r].threads = atoi(argv[2]);
        pthread_create(&ranks[r].thread, NULL, run, &ranks[r]);
    }
    for (int r = 0; r < shared.ranks; r++) pthread_join(ranks[r].thread, NULL);
    if (*ranks[0].error) {
        fprintf(stderr, "%s\n", ranks[0].error);
        return 1;
    }
    for (int r = 1; r < shared.ranks; r++)
        if (ranks[r].hash != ranks[0].hash || ranks[r].last != ranks[0].last) return 5;
    printf("%.17g %.17g %g %016llx\n", ranks[0].first, ranks[0].last, ranks[0].wrong, ranks[0].hash);
    return 0;
}
