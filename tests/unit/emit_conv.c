/* Emitted convolutions: offsets of images of more than 2^31 floats. (What they compute: tests/numeric.) */
#include <CUnit/CUnit.h>
#include <string.h>

#include "emit/emit.h"
#include "nets.h"

void suite_emit_conv(void);

/* The C of a 3x3 convolution over a square image. */
static Text emit_square(int size) {
    Arena arena = {0};
    Text text = {0};
    Graph *graph = net_new(&arena, "square", (Shape){1, size, size});
    graph_add_output(graph, net_conv(graph, graph->input, 1, 3, 1, 1, true));
    const Plan *plan = plan_make(&arena, graph, &(PlanOptions){.isa = 3, .batch = 1, .reuse_memory = true});
    emit_c(plan, &(EmitOptions){.name = "square", .command = "test", .source_hash = "0", .header_name = "square.h"},
           &text);
    arena_free(&arena);
    return text;
}

static void test_wide_rows(void) {
    Text small = emit_square(1000), large = emit_square(40000); /* 4 floats a pixel: 6.4e9 */
    CU_ASSERT_PTR_NOT_NULL(strstr(small.s, "for (int r = "));
    CU_ASSERT_PTR_NULL(strstr(large.s, "for (int r = "));
    CU_ASSERT_PTR_NOT_NULL(strstr(large.s, "for (long r = "));
    text_free(&small);
    text_free(&large);
}

void suite_emit_conv(void) {
    CU_pSuite suite = CU_add_suite("emit_conv", NULL, NULL);
    CU_add_test(suite, "images of more than 2^31 floats", test_wide_rows);
}
