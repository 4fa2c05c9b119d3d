/* Woven kernels (compiler/emit/c/woven.h) in terms of the vectors that the file that includes this has included: the
 * bits of libxsmm's kernels, nothing written beside the result, and every line of the next weights asked for once.
 */
#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/gemm.h"
#include "rn_emitted.h"

static int asked[4096]; /* lines of the next weights: how often they were fetched */
static const float *asked_from;

/* In place of the vectors' fetch_line, which nothing can see. */
static void count_line(const float *p) {
    const ptrdiff_t at = (p - asked_from) / 16;
    if (at >= 0 && at < 4096) asked[at]++;
}
#define fetch_line count_line
#include "emit/c/woven.h"
#undef fetch_line

/* Two widths and several rates of fetching of each; under sanitizers, which take long to compile them, two. */
#define WAY(n, V, P, spare, lines, streams)                                                                            \
    if (way == n) woven_##V##x##P(WOVEN_ARGUMENTS, V *LANES + spare, lines, streams);
#ifdef __SANITIZE_ADDRESS__
#define WAYS(V, P) WAY(0, V, P, 0, 0, 1) WAY(1, V, P, 16, 16, 4)
#else
#define WAYS(V, P)                                                                                                     \
    WAY(0, V, P, 0, 0, 1)                                                                                              \
    WAY(1, V, P, 16, 16, 4) WAY(2, V, P, 0, 1, 1) WAY(3, V, P, 16, 3, 1) WAY(4, V, P, 0, 4, 4) WAY(5, V, P, 0, 32, 4)
#endif
#define SWEEP(V, P)                                                                                                    \
    static TARGET void sweep_##V##x##P(WOVEN_PARAMETERS, int way) {                                                    \
        WAYS(V, P)                                                                                                     \
    }
#define SWEEPS(V) SWEEP(V, 1) SWEEP(V, 2) SWEEP(V, 3) SWEEP(V, 4) SWEEP(V, 5) SWEEP(V, 6)
SWEEPS(2)
SWEEPS(3)
SWEEPS(4)
typedef void (*Sweep)(WOVEN_PARAMETERS, int way);
static const Sweep sweeps[3][6] = {
    {sweep_2x1, sweep_2x2, sweep_2x3, sweep_2x4, sweep_2x5, sweep_2x6},
    {sweep_3x1, sweep_3x2, sweep_3x3, sweep_3x4, sweep_3x5, sweep_3x6},
    {sweep_4x1, sweep_4x2, sweep_4x3, sweep_4x4, sweep_4x5, sweep_4x6},
};
static const struct {
    int spare, lines, streams;
} ways[] = {
    {0, 0, 1}, {16, 16, 4},
#ifndef __SANITIZE_ADDRESS__
    {0, 1, 1}, {16, 3, 1},  {0, 4, 4}, {0, 32, 4},
#endif
};

static uint64_t random_state;
static int draw(int most) { /* 0 to most - 1 */
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)((random_state >> 33) % (uint64_t)most);
}
static void fill(float *p, int n) {
    for (int i = 0; i < n; i++) p[i] = (float)(draw(2000) - 1000) / 512;
}

enum { MOST = 1 << 17, TAPS = 4 };
static float w[MOST], x[MOST], y[MOST], expected[MOST], next_weights[MOST];

static void test_sweep(int vectors, int columns, int way) {
    const int m = (vectors - 1) * LANES + 1 + draw(LANES), k = 1 + draw(40), taps = draw(2) ? 1 : 1 + draw(TAPS);
    const int lda = vectors * LANES + ways[way].spare, ldb = k + draw(20), ldc = m + draw(20), accumulate = draw(2);
    int x_of[6], y_of[6];
    unsigned long long w_at[TAPS], x_at[TAPS], count = (unsigned long long)taps;
    for (int j = 0; j < columns; j++) x_of[j] = j * ldb, y_of[j] = j * ldc;
    for (int i = 0; i < taps; i++) {
        w_at[i] = (unsigned long long)(i * k * lda) * sizeof(float);
        x_at[i] = (unsigned long long)draw(3000) * sizeof(float);
    }
    fill(w, taps * k * lda), fill(x, 3000 + columns * ldb), fill(y, columns * ldc + 64);
    memcpy(expected, y, sizeof y);

    rn_kernel kernel;
    char error[200];
    const rn_kernel_spec spec = {.m = m,
                                 .n = columns,
                                 .k = k,
                                 .lda = lda,
                                 .ldb = ldb,
                                 .ldc = ldc,
                                 .accumulate = (uint8_t)accumulate,
                                 .reduce = 1};
    CU_ASSERT_EQUAL_FATAL(rn_gemm_dispatch(&kernel, &spec, error, sizeof error), RN_OK);
    kernel.offs(w, x, expected, &count, w_at, x_at);

    const int lines = taps * (k / 8) * ways[way].lines, apart = lines / ways[way].streams * 16;
    memset(asked, 0, sizeof asked);
    asked_from = next_weights;
    sweeps[vectors - 2][columns - 1](w, x, y, x_of, y_of, k, taps, x_at, accumulate, m - (vectors - 1) * LANES,
                                     next_weights, apart, way);
    CU_ASSERT(!memcmp(y, expected, sizeof y));
    int wrong = 0;
    for (int i = 0; i < 4096; i++) wrong += asked[i] != (i < lines);
    CU_ASSERT_EQUAL(wrong, 0);
}

static bool woven_supported;
static void test_woven(void) {
    if (!woven_supported) return;
    random_state = 1;
    for (int round = 0; round < 12; round++)
        for (int vectors = 2; vectors <= 4; vectors++)
            for (int columns = 1; columns <= 6; columns++)
                for (int way = 0; way < (int)(sizeof ways / sizeof *ways); way++) test_sweep(vectors, columns, way);
}

static void add_woven_tests(const char *suite, bool supported) {
    woven_supported = supported;
    CU_add_test(CU_add_suite(suite, NULL, NULL), "bits of libxsmm's kernels, each next line fetched once", test_woven);
}
