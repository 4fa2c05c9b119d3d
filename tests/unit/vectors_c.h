/* vectors.h's checks, and those of what only the emitted code for any CPU has: kernels as loops, the transpose. */
#ifndef TEST_VECTORS_C_H
#define TEST_VECTORS_C_H

#include "emit/c/vectors_c.h"
#include "emit/c/vector_functions.h"
#include "emit/c/images.h"
#include "emit/c/strassen.h"
#include "emit/c/gemm_loops.h"
#include "vectors.h"

static void test_transpose(void) {
    float from[4][4], to[4][4];
    for (int i = 0; i < 16; i++) from[i / 4][i % 4] = (float)i;
    V a = load(from[0]), b = load(from[1]), c = load(from[2]), d = load(from[3]);
    transpose(&a, &b, &c, &d);
    store(to[0], a), store(to[1], b), store(to[2], c), store(to[3], d);
    for (int i = 0; i < 16; i++) CU_ASSERT(to[i % 4][i / 4] == (float)i);
}

/* Small whole numbers, whose sums are exact in any order. */
static float whole_number(unsigned i) {
    return (float)(i * 2654435761u >> 28) - 8;
}

static void test_gemm(void) {
    enum { MOST_M = 37, MOST_N = 13, K = 5, TERMS = 3, LDA = 48, LDB = 7, LDC = 41 };
    static float a[TERMS * K * LDA], b[TERMS * LDB + MOST_N * LDB], c[MOST_N * LDC];
    static const unsigned long long at_a[TERMS] = {4 * K * LDA, 0, 8 * K * LDA}, at_b[TERMS] = {0, 8, 20};
    for (unsigned i = 0; i < sizeof a / sizeof *a; i++) a[i] = whole_number(i);
    for (unsigned i = 0; i < sizeof b / sizeof *b; i++) b[i] = whole_number(i + 7);
    for (int m = 1; m <= MOST_M; m++)
        for (int n = 1; n <= MOST_N; n++)
            for (int accumulate = 0; accumulate < 2; accumulate++) {
                for (int i = 0; i < MOST_N * LDC; i++) c[i] = 1000;
                gemm(m, n, K, LDA, LDB, LDC, accumulate, a, b, c, TERMS, at_a, at_b,
                     accumulate ? a : NULL); /* fetching changes no number */
                bool right = true;
                for (int j = 0; j < MOST_N; j++)
                    for (int i = 0; i < LDC; i++) {
                        const bool inside = i < m && j < n;
                        double want = inside && !accumulate ? 0 : 1000;
                        for (int t = 0; inside && t < TERMS; t++)
                            for (int k = 0; k < K; k++)
                                want += (double)a[at_a[t] / 4 + (size_t)(k * LDA + i)] *
                                        b[at_b[t] / 4 + (size_t)(j * LDB + k)];
                        right &= c[j * LDC + i] == want;
                    }
                if (!right) printf("\ngemm %d x %d, accumulate %d\n", m, n, accumulate);
                CU_ASSERT(right);
            }
}

static void add_c_tests(const char *name) {
    add_vector_tests(name, true);
    CU_add_test(CU_get_suite(name), "transpose", test_transpose);
    CU_add_test(CU_get_suite(name), "matrix kernels as loops", test_gemm);
}

#endif
