/* Random numbers by counter: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3,
 * SC11, section 3.3).
 *
 * There is no generator whose state must be kept: what is drawn is a function of the seed (the key) and of what it is
 * drawn for (the counter), so that order, threads, ranks and resuming cannot change it. A counter has four words:
 *
 *     0  the block of four words, from 0 upwards      2  the epoch or step
 *     1  the image, or another item's number          3  the purpose
 */
#ifndef RN_PHILOX_H
#define RN_PHILOX_H

#include <math.h>
#include <stdint.h>

/* What is drawn for. A checkpoint's meaning depends on these numbers: they are never given to another purpose. */
typedef enum rn_purpose {
    RN_DRAW_INITIAL = 1, /* parameters at the start; item: the parameter */
    RN_DRAW_ORDER = 2,   /* the images' order in an epoch */
    RN_DRAW_AUGMENT = 3, /* what is done to an image in an epoch */
    RN_DRAW_MIXUP = 4,   /* the share of a pair; of a step, item: the pair */
    RN_DRAW_DROPOUT = 5, /* of a step */
    RN_DRAW_TEST = 6     /* for tests of the project */
} rn_purpose;

/* The ten rounds: four words of the counter -> four random words. */
static inline void rn_philox(uint32_t random[4], const uint32_t counter[4], uint64_t seed) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    random[0] = c0;
    random[1] = c1;
    random[2] = c2;
    random[3] = c3;
}

/* The draws for one item, one after another; on the caller's stack while they are made. */
typedef struct rn_draws {
    uint64_t seed;
    uint32_t counter[4]; /* of the next block */
    uint32_t word[4];
    int used; /* of word */
} rn_draws;

static inline rn_draws rn_draws_for(uint64_t seed, rn_purpose purpose, uint32_t epoch, uint32_t item) {
    rn_draws d = {.seed = seed, .counter = {0, item, epoch, (uint32_t)purpose}, .used = 4};
    return d;
}

/* 32 random bits. */
static inline uint32_t rn_draw(rn_draws *d) {
    if (d->used == 4) {
        rn_philox(d->word, d->counter, d->seed);
        d->counter[0]++;
        d->used = 0;
    }
    return d->word[d->used++];
}

/* Uniform in [0, 1), a multiple of 2^-53; two words. */
static inline double rn_draw_uniform(rn_draws *d) {
    const uint64_t high = rn_draw(d) >> 5, low = rn_draw(d) >> 6;
    return (double)(high << 26 | low) * 0x1p-53;
}

/* A number from 0 to n - 1, n at least 1; one word. A number is n / 2^32 likelier than another at most. */
static inline uint32_t rn_draw_below(rn_draws *d, uint32_t n) {
    return (uint32_t)((uint64_t)rn_draw(d) * n >> 32);
}

/* Normal, mean 0 and variance 1 (Box and Muller 1958); four words, of whose two numbers one is taken. */
static inline double rn_draw_normal(rn_draws *d) {
    const double u = 1 - rn_draw_uniform(d), angle = 6.283185307179586477 * rn_draw_uniform(d);
    return sqrt(-2 * log(u)) * cos(angle);
}

#endif
