/* Matrix kernels as loops, for any CPU, in terms of vectors_c.h. A kernel calls gemm with literal bounds, and all below
 * it is inlined, so the C compiler sees a constant shape:
 *
 *     static void rn_kernel_0(const float *a, ...) { gemm(64, 28, 64, 64, 80, 80, 0, a, b, c, 1, &start, &start, NULL); }
 *
 * gemm covers C with blocks of 2 vectors of channels by 6 pixels: 12 sums, which with 2 vectors of weights and a pixel
 * fit the 16 vector registers of the smallest CPUs. The sums are named one by one, s01 for pixel 0 and vector 1, since
 * gcc -O2 keeps no array in registers over a loop. `wide` is as wide as the vectors that the C compiler has.
 *
 * Where `next` is given, the weights of the next GEMM, of which there are as many, are fetched from there on: a step of
 * k fetches what comes to it, so that all steps of all blocks fetch evenly.
 */
#if defined(__AVX512F__)
#define WIDE 16
#elif defined(__AVX__)
#define WIDE 8
#else
#define WIDE 4
#endif

#ifdef VECTORS
typedef float wide __attribute__((vector_size(4 * WIDE)));
HELPER wide wide_add(wide sum, wide a, float x) { return sum + a * x; }
#else
typedef struct wide {
    float lane[WIDE];
} wide;
HELPER wide wide_add(wide sum, wide a, float x) {
    for (int i = 0; i < WIDE; i++) sum.lane[i] += a.lane[i] * x;
    return sum;
}
#endif
HELPER wide wide_load(const float *p) {
    wide v;
    memcpy(&v, p, sizeof v);
    return v;
}
HELPER wide wide_start(const float *c, int accumulate, int channels) {
    wide v;
    memset(&v, 0, sizeof v);
    if (accumulate) memcpy(&v, c, 4 * (size_t)channels);
    return v;
}
HELPER void wide_store(float *c, wide v, int channels) { memcpy(c, &v, 4 * (size_t)channels); }

#define GEMM_PARAMETERS                                                                                                \
    int k, int lda, int ldb, int ldc, int accumulate, const float *a, const float *b, float *c,                        \
        unsigned long long terms, const unsigned long long *at_a, const unsigned long long *at_b, const float *next,   \
        int share
/* `done`: blocks before. */
#define GEMM_ARGUMENTS(i, j, done)                                                                                     \
    k, lda, ldb, ldc, accumulate, a + (i), b + ((j)*ldb), c + ((j)*ldc + (i)), terms, at_a, at_b,                      \
        share ? next + (done)*k * share : next, share

/* One and two vectors of pixel j; of the last vector, `channels` are there. */
#define GEMM_START_1(j) wide s##j##0 = wide_start(c + j * ldc, accumulate, channels);
#define GEMM_START_2(j)                                                                                                \
    wide s##j##0 = wide_start(c + j * ldc, accumulate, WIDE),                                                          \
         s##j##1 = wide_start(c + (j * ldc + WIDE), accumulate, channels);
#define GEMM_LOAD_1 const wide w0 = wide_load(p);
#define GEMM_LOAD_2 const wide w0 = wide_load(p), w1 = wide_load(p + WIDE);
#define GEMM_ADD_1(j) s##j##0 = wide_add(s##j##0, w0, x[j * ldb]);
#define GEMM_ADD_2(j) GEMM_ADD_1(j) s##j##1 = wide_add(s##j##1, w1, x[j * ldb]);
#define GEMM_STORE_1(j) wide_store(c + j * ldc, s##j##0, channels);
#define GEMM_STORE_2(j)                                                                                                \
    wide_store(c + j * ldc, s##j##0, WIDE);                                                                            \
    wide_store(c + (j * ldc + WIDE), s##j##1, channels);

#define PIXELS_1(DO) DO(0)
#define PIXELS_2(DO) PIXELS_1(DO) DO(1)
#define PIXELS_3(DO) PIXELS_2(DO) DO(2)
#define PIXELS_4(DO) PIXELS_3(DO) DO(3)
#define PIXELS_5(DO) PIXELS_4(DO) DO(4)
#define PIXELS_6(DO) PIXELS_5(DO) DO(5)

#define GEMM_BLOCK(PIXELS, START, LOAD, ADD, STORE)                                                                    \
    PIXELS(START)                                                                                                      \
    for (unsigned long long term = 0; term < terms; term++) {                                                          \
        const float *p = a + at_a[term] / 4, *x = b + at_b[term] / 4;                                                  \
        for (int i = 0; i < k; i++, p += lda, x++) {                                                                   \
            if (share) {                                                                                               \
                fetch_line(next);                                                                                      \
                next += share;                                                                                         \
            }                                                                                                          \
            LOAD PIXELS(ADD)                                                                                           \
        }                                                                                                              \
    }                                                                                                                  \
    PIXELS(STORE)
#define GEMM_BLOCK_1(PIXELS) GEMM_BLOCK(PIXELS, GEMM_START_1, GEMM_LOAD_1, GEMM_ADD_1, GEMM_STORE_1)
#define GEMM_BLOCK_2(PIXELS) GEMM_BLOCK(PIXELS, GEMM_START_2, GEMM_LOAD_2, GEMM_ADD_2, GEMM_STORE_2)

/* gemm_VxP: V vectors of channels by P pixels */
HELPER void gemm_1x1(int channels, GEMM_PARAMETERS) { GEMM_BLOCK_1(PIXELS_1); }
HELPER void gemm_1x2(int channels, GEMM_PARAMETERS) { GEMM_BLOCK_1(PIXELS_2); }
HELPER void gemm_1x3(int channels, GEMM_PARAMETERS) { GEMM_BLOCK_1(PIXELS_3); }
HELPER void gemm_1x4(int channels, GEMM_PARAMETERS) { GEMM_BLOCK_1(PIXELS_4); }
HELPER void gemm_1x5(int channels, GEMM_PARAMETERS) { GEMM_BLOCK_1(PIXELS_5); }
HELPER void gemm_1x6(int channels, GEMM_PARAMETERS) { GEMM_BLOCK_1(PIXELS_6); }
HELPER void gemm_2x1(int channels, GEMM_PARAMETERS) { GEMM_BLOCK_2(PIXELS_1); }
HELPER void gemm_2x2(int channels, GEMM_PARAMETERS) { GEMM_BLOCK_2(PIXELS_2); }
HELPER void gemm_2x3(int channels, GEMM_PARAMETERS) { GEMM_BLOCK_2(PIXELS_3); }
HELPER void gemm_2x4(int channels, GEMM_PARAMETERS) { GEMM_BLOCK_2(PIXELS_4); }
HELPER void gemm_2x5(int channels, GEMM_PARAMETERS) { GEMM_BLOCK_2(PIXELS_5); }
HELPER void gemm_2x6(int channels, GEMM_PARAMETERS) { GEMM_BLOCK_2(PIXELS_6); }

/* gemm_V: V vectors of channels by all n pixels */
HELPER void gemm_1(int channels, int n, GEMM_PARAMETERS) {
    int j = 0;
    for (; j + 6 <= n; j += 6) gemm_1x6(channels, GEMM_ARGUMENTS(0, j, j / 6));
    switch (n % 6) {
    case 1: gemm_1x1(channels, GEMM_ARGUMENTS(0, j, j / 6)); break;
    case 2: gemm_1x2(channels, GEMM_ARGUMENTS(0, j, j / 6)); break;
    case 3: gemm_1x3(channels, GEMM_ARGUMENTS(0, j, j / 6)); break;
    case 4: gemm_1x4(channels, GEMM_ARGUMENTS(0, j, j / 6)); break;
    case 5: gemm_1x5(channels, GEMM_ARGUMENTS(0, j, j / 6)); break;
    }
}
HELPER void gemm_2(int channels, int n, GEMM_PARAMETERS) {
    int j = 0;
    for (; j + 6 <= n; j += 6) gemm_2x6(channels, GEMM_ARGUMENTS(0, j, j / 6));
    switch (n % 6) {
    case 1: gemm_2x1(channels, GEMM_ARGUMENTS(0, j, j / 6)); break;
    case 2: gemm_2x2(channels, GEMM_ARGUMENTS(0, j, j / 6)); break;
    case 3: gemm_2x3(channels, GEMM_ARGUMENTS(0, j, j / 6)); break;
    case 4: gemm_2x4(channels, GEMM_ARGUMENTS(0, j, j / 6)); break;
    case 5: gemm_2x5(channels, GEMM_ARGUMENTS(0, j, j / 6)); break;
    }
}
/* C[n][m] (+)= sum A[k][m] * B[n][k] over all terms. A's rows hold whole vectors, so that of the last one only the
 * result is cut. */
HELPER void gemm(int m, int n, int k, int lda, int ldb, int ldc, int accumulate, const float *a, const float *b, float *c,
                 unsigned long long terms, const unsigned long long *at_a, const unsigned long long *at_b,
                 const float *next) {
    const int sweeps = (n + 5) / 6, blocks = (m + 2 * WIDE - 1) / (2 * WIDE) * sweeps;
    const int share = next ? (lda + blocks - 1) / blocks : 0;
    int i = 0;
    for (; i + 2 * WIDE <= m; i += 2 * WIDE) gemm_2(WIDE, n, GEMM_ARGUMENTS(i, 0, i / (2 * WIDE) * sweeps));
    for (; i + WIDE <= m; i += WIDE) gemm_1(WIDE, n, GEMM_ARGUMENTS(i, 0, i / (2 * WIDE) * sweeps));
    if (i < m) gemm_1(m - i, n, GEMM_ARGUMENTS(i, 0, i / (2 * WIDE) * sweeps));
}
