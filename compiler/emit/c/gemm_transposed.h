/* gemm of gemm_loops.h with B[k][n]: what sums up the gradients of weights over pixels. Blocks of 1 vector by 4
 * columns. */
#define TRANSPOSED_BLOCK(COLUMNS)                                                                                      \
    wide s[4];                                                                                                         \
    for (int j = 0; j < COLUMNS; j++) s[j] = wide_start(c + j * ldc, accumulate, channels);                            \
    for (unsigned long long term = 0; term < terms; term++) {                                                          \
        const float *p = a + at_a[term] / 4, *x = b + at_b[term] / 4;                                                  \
        for (int i = 0; i < k; i++, p += lda, x += ldb) {                                                              \
            const wide w = wide_load(p);                                                                               \
            for (int j = 0; j < COLUMNS; j++) s[j] = wide_add(s[j], w, x[j]);                                          \
        }                                                                                                              \
    }                                                                                                                  \
    for (int j = 0; j < COLUMNS; j++) wide_store(c + j * ldc, s[j], channels);
#define TRANSPOSED_PARAMETERS                                                                                          \
    int channels, int k, int lda, int ldb, int ldc, int accumulate, const float *a, const float *b, float *c,          \
        unsigned long long terms, const unsigned long long *at_a, const unsigned long long *at_b
HELPER void transposed_1(TRANSPOSED_PARAMETERS) { TRANSPOSED_BLOCK(1) }
HELPER void transposed_4(TRANSPOSED_PARAMETERS) { TRANSPOSED_BLOCK(4) }

/* C[n][m] (+)= sum A[k][m] * B[k][n] over all terms. A's rows hold whole vectors. */
HELPER void gemm_transposed(int m, int n, int k, int lda, int ldb, int ldc, int accumulate, const float *a,
                            const float *b, float *c, unsigned long long terms, const unsigned long long *at_a,
                            const unsigned long long *at_b, const float *next) {
    (void)next;
    for (int i = 0; i < m; i += WIDE) {
        const int channels = m - i < WIDE ? m - i : WIDE;
        const int whole = n / 4 * 4;
        for (int j = 0; j < whole; j += 4)
            transposed_4(channels, k, lda, ldb, ldc, accumulate, a + i, b + j, c + (j * ldc + i), terms, at_a, at_b);
        for (int j = whole; j < n; j++)
            transposed_1(channels, k, lda, ldb, ldc, accumulate, a + i, b + j, c + (j * ldc + i), terms, at_a, at_b);
    }
}
