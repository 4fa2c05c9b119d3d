/* Emitted convolutions: offsets of images of more than 2^31 floats, pieces that fetch weights. (What they compute:
 * tests/numeric.) */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "emit/emit.h"
#include "nets.h"

void suite_emit_conv(void);

/* The C of a convolution over a square image. */
static Text emit_square(int channels, int size, int kernel, int isa) {
    Arena arena = {0};
    Text text = {0};
    Graph *graph = net_new(&arena, "square", (Shape){channels, size, size});
    graph_add_output(graph, net_conv(graph, graph->input, channels, kernel, 1, 1, true));
    const Plan *plan = plan_make(&arena, graph, &(PlanOptions){.isa = isa, .batch = 1, .reuse_memory = true});
    emit_c(plan, &(EmitOptions){.name = "square", .command = "test", .source_hash = "0", .header_name = "square.h"},
           &text);
    arena_free(&arena);
    return text;
}

static void test_wide_rows(void) {
    Text small = emit_square(1, 1000, 3, 3), large = emit_square(1, 40000, 3, 3); /* 4 floats a pixel: 6.4e9 */
    CU_ASSERT_PTR_NOT_NULL(strstr(small.s, "for (int r = "));
    CU_ASSERT_PTR_NULL(strstr(large.s, "for (int r = "));
    CU_ASSERT_PTR_NOT_NULL(strstr(large.s, "for (long r = "));
    text_free(&small);
    text_free(&large);
}

/* libxsmm's AVX2 kernels do not fetch: GEMMs whose weights are used little are in pieces, which together fetch all of
 * the next ones. */
static void test_pieces(void) {
    static const int channels[] = {64, 100, 512};
    Arena arena = {0};
    for (int i = 0; i < 3; i++) {
        Text text = emit_square(channels[i], 7, 1, 3);
        const char *function = strstr(text.s, "static TARGET void gemm32x49x");
        int k = 0, step = 0, share = 0;
        CU_ASSERT_PTR_NOT_NULL_FATAL(function);
        CU_ASSERT_EQUAL(sscanf(function, "static TARGET void gemm32x49x%d(", &k), 1);
        CU_ASSERT_EQUAL(k, channels[i]);
        const char *steps = strstr(function, "c += "), *shares = strstr(function, "next += ");
        CU_ASSERT_PTR_NOT_NULL_FATAL(shares);
        CU_ASSERT_EQUAL(sscanf(shares, "next += %d", &share), 1);
        if (!steps || steps > shares || sscanf(steps, "c += %d", &step) != 1) step = k;
        CU_ASSERT(divide_up(k, step) * divide_up(49, 3) * share >= 32 * k);
        CU_ASSERT_PTR_NOT_NULL(strstr(function, arena_printf(&arena, "fetch(next, %d);", share)));
        /* 15 pieces of three columns, then two of two */
        CU_ASSERT_PTR_NOT_NULL(strstr(function, "for (int j = 0; j < 49; j += j < 45 ? 3 : 2, next += "));
        text_free(&text);
    }
    Text large = emit_square(100, 40, 1, 3), other = emit_square(100, 7, 1, 4);
    CU_ASSERT_PTR_NULL(strstr(large.s, "static TARGET void gemm"));
    CU_ASSERT_PTR_NULL(strstr(other.s, "static TARGET void gemm"));
    text_free(&large);
    text_free(&other);
    arena_free(&arena);
}

void suite_emit_conv(void) {
    CU_pSuite suite = CU_add_suite("emit_conv", NULL, NULL);
    CU_add_test(suite, "images of more than 2^31 floats", test_wide_rows);
    CU_add_test(suite, "weights are fetched between pieces on AVX2", test_pieces);
}
