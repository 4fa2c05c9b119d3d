/* Instances: what create checks, and that a refused one leaves nothing behind (the sanitizer's run sees leaks). The
 * model is written by hand in the form that rnc emits. */
#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/cpu.h"
#include "rn_recipe.h"
#include "rn_emitted.h"

typedef struct Tiny {
    rn_context context; /* first, as in every emitted network */
    rn_kernel kernels[2];
} Tiny;

static const rn_kernel_spec specs[2] = {
    {.m = 16, .n = 3, .k = 16, .lda = 16, .ldb = 16, .ldc = 16},
    {.m = 16, .n = 3, .k = 16, .lda = 16, .ldb = 16, .ldc = 16, .accumulate = 1, .reduce = 1}};
static const rn_recipe no_recipe = {NULL, 0, 0, 0}, some_recipe = {NULL, 0, 4096, 1};
enum { NEED = 4096 };

static rn_model tiny_model(void) {
    return (rn_model){.abi = RN_ABI,
                      .name = "tiny",
                      .rnc_version = RN_VERSION,
                      .isa = RN_ISA_X86_64_V3,
                      .batch = 1,
                      .recipe = &no_recipe};
}

static rn_status create(void **net, const rn_model *model, void *arena, size_t size, const rn_options *options) {
    return rn_context_create_jit(net, sizeof(Tiny), NEED, offsetof(Tiny, kernels), specs, 2, model, arena, size, NULL,
                                 options);
}

/* Creates with this model, expects this status and a text with this word; nothing is left */
static void expect(rn_status status, const char *word, const rn_model *model, void *arena, size_t size, int threads) {
    char error[RN_ERROR_SIZE] = "";
    void *net = &error; /* must become NULL */
    const rn_options options = {.threads = threads, .error = error, .error_size = sizeof error};
    CU_ASSERT_EQUAL(create(&net, model, arena, size, &options), status);
    CU_ASSERT_PTR_NULL(net);
    CU_ASSERT(strstr(error, word) != NULL);
    CU_ASSERT(strncmp(error, "tiny: ", 6) == 0); /* which network */
}

static void test_create_allocates(void) {
    const rn_model model = tiny_model();
    char error[RN_ERROR_SIZE] = "old";
    const rn_options options = {.threads = 2, .error = error, .error_size = sizeof error};
    void *net;
    CU_ASSERT_EQUAL_FATAL(create(&net, &model, NULL, 0, &options), RN_OK);
    Tiny *tiny = net;
    CU_ASSERT_STRING_EQUAL(error, "");
    CU_ASSERT_PTR_EQUAL(tiny->context.model, &model);
    CU_ASSERT_EQUAL(tiny->context.threads, 2);
    CU_ASSERT_EQUAL((uintptr_t)tiny->context.arena % 64, 0);
    CU_ASSERT((char *)tiny->context.arena >= (char *)(tiny + 1));
    CU_ASSERT(tiny->kernels[0].any && tiny->kernels[1].any);
    for (char *p = (char *)tiny->context.arena; p < (char *)net + NEED; p++)
        if (*p) CU_FAIL("the arena does not start as zeros");
    rn_context_destroy(net);
    rn_context_destroy(NULL);
}

static void test_create_in_an_arena(void) {
    const rn_model model = tiny_model();
    unsigned char *arena = aligned_alloc(64, NEED + 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(arena);
    memset(arena, 0xa5, NEED + 64);
    void *net;
    CU_ASSERT_EQUAL_FATAL(create(&net, &model, arena, NEED, NULL), RN_OK);
    CU_ASSERT_PTR_EQUAL(net, arena);
    CU_ASSERT_EQUAL(((Tiny *)net)->context.threads, 1);
    for (int i = 0; i < 64; i++) CU_ASSERT_EQUAL(arena[NEED + i], 0xa5);
    rn_context_destroy(net); /* leaves the arena to its owner */
    free(arena);
}

static void test_large_arenas_are_page_aligned(void) {
    const rn_model model = tiny_model();
    void *net;
    CU_ASSERT_EQUAL_FATAL(rn_context_create_jit(&net, sizeof(Tiny), 5 << 20, offsetof(Tiny, kernels), specs, 2, &model,
                                                NULL, 0, NULL, NULL),
                          RN_OK);
    CU_ASSERT_EQUAL((uintptr_t)net % (2 << 20), 0);
    rn_context_destroy(net);
}

static void test_refusals(void) {
    rn_model model = tiny_model();
    char *arena = aligned_alloc(64, NEED + 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(arena);
    expect(RN_ERROR_ARGUMENT, "4096 are needed", &model, arena, NEED - 1, 1);
    expect(RN_ERROR_ARGUMENT, "not aligned", &model, arena + 16, NEED, 1);
    expect(RN_ERROR_ARGUMENT, "threads", &model, NULL, 0, -1);
    expect(RN_ERROR_ARGUMENT, "threads", &model, NULL, 0, RN_MAX_THREADS + 1);
    free(arena);
    model.abi = RN_ABI + 1;
    expect(RN_ERROR_VERSION, "ABI", &model, NULL, 0, 1);
    model = tiny_model();
    model.recipe = &some_recipe;
    expect(RN_ERROR_ARGUMENT, "no weights", &model, NULL, 0, 1);
    model.embedded = "not packed weights";
    model.embedded_size = 18;
    char error[RN_ERROR_SIZE] = "";
    void *net;
    const rn_options options = {.error = error, .error_size = sizeof error};
    CU_ASSERT_NOT_EQUAL(create(&net, &model, NULL, 0, &options), RN_OK);
    CU_ASSERT_PTR_NULL(net);
    CU_ASSERT_STRING_NOT_EQUAL(error, "");
    model = tiny_model();
    CU_ASSERT_EQUAL(create(NULL, &model, NULL, 0, &options), RN_ERROR_ARGUMENT);
}

/* AddressSanitizer ends the process instead of giving NULL */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifndef SANITIZED
static void test_no_memory(void) {
    const rn_model model = tiny_model();
    char error[RN_ERROR_SIZE] = "";
    const rn_options options = {.error = error, .error_size = sizeof error};
    void *net;
    CU_ASSERT_EQUAL(rn_context_create_jit(&net, sizeof(Tiny), (size_t)1 << 50, offsetof(Tiny, kernels), specs, 2,
                                          &model, NULL, 0, NULL, &options),
                    RN_ERROR_MEMORY);
    CU_ASSERT(strstr(error, "no memory") != NULL);
}
#endif

static void test_a_missing_kernel_is_worded(void) {
    const rn_model model = tiny_model();
    const rn_kernel_spec bad = {.m = 16, .n = 3, .k = 16, .lda = 8, .ldb = 16, .ldc = 16};
    char error[RN_ERROR_SIZE] = "";
    const rn_options options = {.error = error, .error_size = sizeof error};
    void *net;
    CU_ASSERT_EQUAL(rn_context_create_jit(&net, sizeof(Tiny), NEED, offsetof(Tiny, kernels), &bad, 1, &model, NULL, 0,
                                          NULL, &options),
                    RN_ERROR_ARGUMENT);
    CU_ASSERT(strstr(error, "lda=8") != NULL);
}

static void test_missing_instructions(void) {
    rn_model model = tiny_model();
    model.isa = RN_ISA_X86_64_V4;
    const char *missing = rn_cpu_missing(RN_ISA_X86_64_V4);
    void *net;
    if (missing) {
        expect(RN_ERROR_CPU, missing, &model, NULL, 0, 1);
    } else {
        CU_ASSERT_EQUAL(create(&net, &model, NULL, 0, NULL), RN_OK);
        rn_context_destroy(net);
    }
}

static void hook(void *user, int layer, const rn_tensor *out) {
    (void)out;
    *(int *)user = layer;
}

static void test_options_reach_the_instance(void) {
    const rn_model model = tiny_model();
    int seen = 0;
    const rn_options options = {.layer = hook, .layer_user = &seen};
    void *net;
    CU_ASSERT_EQUAL_FATAL(create(&net, &model, NULL, 0, &options), RN_OK);
    rn_context *context = net;
    context->layer(context->layer_user, 7, NULL);
    CU_ASSERT_EQUAL(seen, 7);
    CU_ASSERT_EQUAL(rn_context_fail(context, RN_ERROR_ARGUMENT, "batch %d of %d", 9, 8), RN_ERROR_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(context->message, "batch 9 of 8");
    char wide[2 * RN_ERROR_SIZE];
    memset(wide, 'x', sizeof wide);
    wide[sizeof wide - 1] = 0;
    rn_context_fail(context, RN_ERROR_FORMAT, "%s", wide); /* cut, not overrun */
    CU_ASSERT_EQUAL(strlen(context->message), RN_ERROR_SIZE - 1);
    rn_context_destroy(net);
}

static void test_status_texts(void) {
    for (int i = RN_OK; i <= RN_ERROR_VERSION; i++)
        CU_ASSERT_STRING_NOT_EQUAL(rn_status_text((rn_status)i), "unknown status");
    CU_ASSERT_STRING_EQUAL(rn_status_text((rn_status)99), "unknown status");
}

void suite_context(void) {
    CU_pSuite suite = CU_add_suite("context", NULL, NULL);
    CU_add_test(suite, "create allocates", test_create_allocates);
    CU_add_test(suite, "create in an arena", test_create_in_an_arena);
    CU_add_test(suite, "large arenas are page-aligned", test_large_arenas_are_page_aligned);
    CU_add_test(suite, "refusals", test_refusals);
#ifndef SANITIZED
    CU_add_test(suite, "no memory", test_no_memory);
#endif
    CU_add_test(suite, "a missing kernel is worded", test_a_missing_kernel_is_worded);
    CU_add_test(suite, "missing instructions", test_missing_instructions);
    CU_add_test(suite, "options reach the instance", test_options_reach_the_instance);
    CU_add_test(suite, "status texts", test_status_texts);
}
