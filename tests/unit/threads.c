/* rn_parallel: every part runs exactly once, whatever runs it. */
#include <CUnit/CUnit.h>
#include <omp.h>
#include <stdatomic.h>
#include <string.h>

#include "rn_emitted.h"

enum { PARTS_MAX = 64 };

typedef struct Record {
    atomic_int runs[PARTS_MAX];
    atomic_int wrong;
    int parts;
} Record;

static void task(void *arg, int part, int parts) {
    Record *r = arg;
    if (parts != r->parts || part < 0 || part >= parts)
        atomic_fetch_add(&r->wrong, 1);
    else
        atomic_fetch_add(&r->runs[part], 1);
}

static void check(rn_context *context) {
    Record r;
    memset(&r, 0, sizeof r);
    r.parts = context->threads > 1 ? context->threads : 1;
    rn_parallel(context, task, &r);
    CU_ASSERT_EQUAL(r.wrong, 0);
    for (int i = 0; i < PARTS_MAX; i++) CU_ASSERT_EQUAL(r.runs[i], i < r.parts ? 1 : 0);
}

static void test_builtin(void) {
    for (int threads = 1; threads <= PARTS_MAX; threads += threads < 9 ? 1 : 11) {
        rn_context context = {.threads = threads};
        check(&context);
    }
}

/* Inside a parallel region OpenMP gives one thread: all parts run on it */
static void test_fewer_threads_than_parts(void) {
    rn_context context = {.threads = 7};
    Record r;
    memset(&r, 0, sizeof r);
    r.parts = 7;
#pragma omp parallel num_threads(2)
#pragma omp single
    rn_parallel(&context, task, &r);
    CU_ASSERT_EQUAL(r.wrong, 0);
    for (int i = 0; i < 7; i++) CU_ASSERT_EQUAL(r.runs[i], 1);

    const int dynamic = omp_get_dynamic();
    omp_set_dynamic(1); /* lets it give fewer */
    check(&context);
    omp_set_dynamic(dynamic);
}

static void backwards(void *user, int n, rn_task fn, void *arg) {
    *(int *)user += 1;
    for (int i = n - 1; i >= 0; i--) fn(arg, i, n);
}

static void test_own_pool(void) {
    int calls = 0;
    rn_context context = {.threads = 5, .parallel = backwards, .parallel_user = &calls};
    check(&context);
    CU_ASSERT_EQUAL(calls, 1);
    context.threads = 1; /* one thread: no pool */
    check(&context);
    CU_ASSERT_EQUAL(calls, 1);
}

void suite_threads(void) {
    CU_pSuite suite = CU_add_suite("threads", NULL, NULL);
    CU_add_test(suite, "built-in pool", test_builtin);
    CU_add_test(suite, "fewer threads than parts", test_fewer_threads_than_parts);
    CU_add_test(suite, "the application's pool", test_own_pool);
}
