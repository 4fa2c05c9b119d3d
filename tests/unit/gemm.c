/* Kernels of libxsmm as the runtime dispatches them, against loops in double precision.
 *
 * Operands end at a page that cannot be touched, so that reading or writing past them ends the test; what lies between
 * the columns of C must not change.
 */
#include <CUnit/CUnit.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/core/gemm.h"

enum { CASES = 600, TERMS_MAX = 9 };

static uint64_t state;

static int draw(int from, int to) { /* inclusive */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return from + (int)(state % (uint64_t)(to - from + 1));
}

static float real(void) {
    return (float)draw(-1000, 1000) / 1000;
}

typedef struct Guarded {
    void *map;
    size_t size;
    float *data; /* ends where the forbidden page begins */
    size_t count;
} Guarded;

static Guarded guarded_make(size_t count) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    Guarded g = {.count = count};
    const size_t body = (count * sizeof(float) + page - 1) / page * page;
    g.size = body + page;
    g.map = mmap(NULL, g.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || mprotect((char *)g.map + body, page, PROT_NONE)) abort();
    g.data = (float *)((char *)g.map + body) - count;
    for (size_t i = 0; i < count; i++) g.data[i] = real();
    return g;
}

static void guarded_free(Guarded *g) {
    munmap(g->map, g->size);
}

/* C's elements by the definition, and the sum of magnitudes that bounds the rounding */
static double expected(const rn_kernel_spec *s, int terms, const float *a, const float *b, float c,
                       const unsigned long long *at_a, const unsigned long long *at_b, int i, int j, double *bound) {
    double sum = s->accumulate ? c : 0;
    *bound = fabs(sum);
    for (int t = 0; t < terms; t++)
        for (int k = 0; k < s->k; k++) {
            const double x = (double)a[at_a[t] / 4 + (size_t)k * (size_t)s->lda + (size_t)i] *
                             b[at_b[t] / 4 + (size_t)j * (size_t)s->ldb + (size_t)k];
            sum += x;
            *bound += fabs(x);
        }
    return sum;
}

static bool case_right(const rn_kernel_spec *s, int terms) {
    unsigned long long at_a[TERMS_MAX], at_b[TERMS_MAX];
    const size_t size_a = (size_t)(s->k - 1) * (size_t)s->lda + (size_t)s->m;
    const size_t size_b = (size_t)(s->n - 1) * (size_t)s->ldb + (size_t)s->k;
    const size_t size_c = (size_t)(s->n - 1) * (size_t)s->ldc + (size_t)s->m;
    Guarded a = guarded_make(size_a + 40), b = guarded_make(size_b + 40), c = guarded_make(size_c);
    for (int t = 0; t < terms; t++) { /* terms overlap, in any order, the last one at the very end */
        at_a[t] = 4 * (unsigned long long)(t == terms - 1 ? 40 : draw(0, 40));
        at_b[t] = 4 * (unsigned long long)(t == terms - 1 ? 40 : draw(0, 40));
    }
    float *before = malloc(size_c * sizeof *before);
    if (!before) abort();
    memcpy(before, c.data, size_c * sizeof *before);

    rn_kernel kernel;
    char error[RN_ERROR_SIZE] = "";
    bool right = rn_gemm_dispatch(&kernel, s, error, sizeof error) == RN_OK && kernel.any;
    if (!right) {
        fprintf(stderr, "%s\n", error);
    } else if (s->reduce) {
        const unsigned long long count = (unsigned long long)terms;
        kernel.offs(a.data, b.data, c.data, &count, at_a, at_b);
    } else {
        kernel.gemm(a.data + 40, b.data + 40, c.data, a.data, b.data, c.data);
    }
    for (int j = 0; right && j < s->n; j++)
        for (int i = 0; i < s->ldc; i++) {
            const size_t at = (size_t)j * (size_t)s->ldc + (size_t)i;
            if (at >= size_c) break;
            double bound = 0, want = before[at];
            if (i < s->m) want = expected(s, terms, a.data, b.data, before[at], at_a, at_b, i, j, &bound);
            if (!(fabs(c.data[at] - want) <= 1e-6 * bound)) right = false;
        }
    if (!right)
        fprintf(stderr, "wrong: m %d n %d k %d lda %d ldb %d ldc %d accumulate %d reduce %d prefetch %d terms %d\n",
                s->m, s->n, s->k, s->lda, s->ldb, s->ldc, s->accumulate, s->reduce, s->prefetch, terms);
    free(before);
    guarded_free(&a);
    guarded_free(&b);
    guarded_free(&c);
    return right;
}

static rn_kernel_spec draw_spec(void) {
    static const int ms[] = {1, 3, 8, 10, 15, 16, 17, 24, 31, 32, 48, 63, 64};
    static const int ks[] = {1, 3, 9, 16, 21, 64, 147};
    rn_kernel_spec s = {0};
    s.m = draw(0, 2) ? ms[draw(0, 12)] : draw(1, 80);
    s.n = draw(1, 30);
    s.k = draw(0, 2) ? ks[draw(0, 6)] : draw(1, 130);
    s.lda = s.m + draw(0, 1) * draw(0, 20);
    s.ldb = s.k + draw(0, 1) * draw(0, 40);
    s.ldc = s.m + draw(0, 1) * draw(0, 40);
    s.accumulate = (unsigned char)draw(0, 1);
    s.reduce = (unsigned char)draw(0, 1);
    s.prefetch = (unsigned char)(s.reduce ? 0 : draw(0, 1));
    return s;
}

static void test_random_shapes(void) {
    state = 20240607;
    for (int i = 0; i < CASES; i++) {
        const rn_kernel_spec s = draw_spec();
        CU_ASSERT(case_right(&s, s.reduce ? draw(1, TERMS_MAX) : 1));
    }
}

static void test_equal_specs_share(void) {
    const rn_kernel_spec s = {.m = 16, .n = 7, .k = 16, .lda = 16, .ldb = 16, .ldc = 16, .reduce = 1};
    rn_kernel a, b;
    CU_ASSERT_EQUAL(rn_gemm_dispatch(&a, &s, NULL, 0), RN_OK);
    CU_ASSERT_EQUAL(rn_gemm_dispatch(&b, &s, NULL, 0), RN_OK);
    CU_ASSERT(a.any == b.any);
}

/* What libxsmm answers with a crash or with wrong numbers is refused before it is asked */
static void test_refusals(void) {
    static const struct {
        rn_kernel_spec spec;
        const char *reason;
    } cases[] = {
        {{.m = 0, .n = 7, .k = 16, .lda = 16, .ldb = 16, .ldc = 16}, "m, n and k"},
        {{.m = 16, .n = -1, .k = 16, .lda = 16, .ldb = 16, .ldc = 16}, "m, n and k"},
        {{.m = 16, .n = 7, .k = 0, .lda = 16, .ldb = 16, .ldc = 16}, "m, n and k"},
        {{.m = 16, .n = 7, .k = 16, .lda = 15, .ldb = 16, .ldc = 16}, "lda"},
        {{.m = 16, .n = 7, .k = 16, .lda = 16, .ldb = 15, .ldc = 16, .reduce = 1}, "ldb"},
        {{.m = 16, .n = 7, .k = 16, .lda = 16, .ldb = 16, .ldc = 15}, "ldc"},
        {{.m = 16, .n = 7, .k = 16, .lda = 16, .ldb = 16, .ldc = 16, .accumulate = 2}, "accumulate"},
        {{.m = 16, .n = 7, .k = 16, .lda = 16, .ldb = 16, .ldc = 16, .reduce = 2}, "reduce"},
        {{.m = 16, .n = 7, .k = 16, .lda = 16, .ldb = 16, .ldc = 16, .prefetch = 2}, "prefetch"},
        {{.m = 16, .n = 7, .k = 16, .lda = 16, .ldb = 16, .ldc = 16, .reduce = 1, .prefetch = 1}, "prefetch"},
        {{.m = 16, .n = 7, .k = 16, .lda = 16, .ldb = 16, .ldc = 16, .b = RN_BF16}, "f32 alone"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rn_kernel kernel;
        char error[RN_ERROR_SIZE] = "";
        CU_ASSERT_EQUAL(rn_gemm_dispatch(&kernel, &cases[i].spec, error, sizeof error), RN_ERROR_ARGUMENT);
        CU_ASSERT_PTR_NULL(kernel.any);
        CU_ASSERT(strstr(error, cases[i].reason) != NULL);
    }
}

/* In a child, since libxsmm initialises once a process: exit status 0 is success */
static int in_child(int (*body)(void)) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
}

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static const rn_kernel_spec unusual = {
    .m = 19, .n = 11, .k = 13, .lda = 23, .ldb = 29, .ldc = 31}; /* a shape that no other test compiles */

static int denied(void) {
    if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)) return 77; /* before Linux 6.3 */
    rn_kernel kernel;
    char error[RN_ERROR_SIZE] = "";
    if (rn_gemm_dispatch(&kernel, &unusual, error, sizeof error) != RN_ERROR_KERNEL) return 2;
    return kernel.any || !strstr(error, "executable");
}

static void test_denied_jit_is_an_error(void) {
    const int status = in_child(denied);
    if (status == 77) return; /* this kernel cannot deny it: nothing to see */
    CU_ASSERT_EQUAL(status, 0);
}

/* The environment before and after libxsmm starts; needs a process where it has not: this suite's children, when it
 * runs before the parent's first dispatch */
static int environment_kept(void) {
    rn_kernel kernel;
    unsetenv("OMP_PROC_BIND");
    if (rn_gemm_dispatch(&kernel, &unusual, NULL, 0)) return 2;
    return getenv("OMP_PROC_BIND") != NULL;
}

static int environment_kept_empty(void) {
    rn_kernel kernel;
    setenv("OMP_PROC_BIND", "", 1);
    if (rn_gemm_dispatch(&kernel, &unusual, NULL, 0)) return 2;
    const char *now = getenv("OMP_PROC_BIND");
    return !now || *now;
}

static void test_environment_is_kept(void) {
    CU_ASSERT_EQUAL(in_child(environment_kept), 0);
    CU_ASSERT_EQUAL(in_child(environment_kept_empty), 0);
}

void suite_gemm(void) {
    CU_pSuite suite = CU_add_suite("gemm", NULL, NULL);
    CU_add_test(suite, "the environment is kept", test_environment_is_kept);
    CU_add_test(suite, "memory that may not be executable is an error", test_denied_jit_is_an_error);
    CU_add_test(suite, "random shapes", test_random_shapes);
    CU_add_test(suite, "equal specs share a kernel", test_equal_specs_share);
    CU_add_test(suite, "refusals", test_refusals);
}
