/* rnc --summary: the table and the totals of a small network, by hand. (tests/unit/counts.c holds the examples.) */
#include "ir_run.h"
#include "view/view.h"

static const char *const text =
    "network tiny\ninput %0 3x8x8 image\n@0 = param 16x3x3x3 name conv1.weight\n@1 = param 16 name bn1.weight\n"
    "@2 = param 16 name bn1.bias\n@3 = param 16 name bn1.running_mean\n@4 = param 16 name bn1.running_var\n"
    "@5 = param 10x16 name fc.weight\n@6 = param 10 name fc.bias\n"
    "%1 conv1 = conv(%0 * @0 3x3 /2 pad 1)\n%2 bn1 = bn(%1) weight @1 bias @2 mean @3 var @4 eps 1e-05 momentum 0.1\n"
    "%3 pool = avgpool(%2) global\n%4 flat = flatten(%3)\n%5 fc = fc(%4 * @5) + @6\noutput %5\n";

static void test_totals(void) {
    IrRun run;
    ir_run_open(&run, text);
    Totals totals = graph_totals(run.graph);
    CU_ASSERT_EQUAL(totals.params, 16 * 27 + 32 + 170); /* without running statistics */
    CU_ASSERT_EQUAL(totals.macs, 16 * 16 * 27 + 160);
    CU_ASSERT_EQUAL(totals.activation_bytes, 4 * (192 + 256 + 256 + 16 + 10)); /* flatten is its input */
    CU_ASSERT_EQUAL(totals.live_bytes, 4 * (256 + 256));
    ir_run_close(&run);
}

static void test_live_residual(void) { /* the shortcut stays alive beside its branch */
    IrRun run;
    ir_run_open(&run, "network t\ninput %0 1x1x10 image\n%1 a = relu(%0)\n%2 b = relu(%1)\n%3 c = relu(%2)\n"
                      "%4 d = add(%3, %1)\noutput %4\n");
    CU_ASSERT_EQUAL(graph_totals(run.graph).live_bytes, 4 * 30); /* a, b, c; then a, c, d */
    ir_run_close(&run);
}

static void test_table(void) {
    IrRun run;
    ir_run_open(&run, text);
    char *page = NULL;
    size_t size;
    FILE *out = open_memstream(&page, &size);
    summary_print(run.graph, NULL, out);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(page,
                           "layer  operation                  output  parameters  multiply-adds\n"
                           "image  input                      3x8x8\n"
                           "conv1  conv 3x3 /2 pad 1          16x4x4         432          6,912\n"
                           "bn1    bn eps 1e-05 momentum 0.1  16x4x4          32\n"
                           "pool   avgpool global             16x1x1\n"
                           "flat   flatten                    16x1x1\n"
                           "fc     fc                         10x1x1         170            160\n"
                           "\n"
                           "network        tiny\n"
                           "output         fc 10x1x1\n"
                           "parameters     634\n"
                           "multiply-adds  7,072\n"
                           "activations    2.9 KB in all, 2.0 KB at one time at most (one image, float32, unfused)\n");
    free(page);
    ir_run_close(&run);
}

void suite_summary(void) {
    CU_pSuite suite = CU_add_suite("summary", NULL, NULL);
    CU_add_test(suite, "totals", test_totals);
    CU_add_test(suite, "a shortcut stays alive", test_live_residual);
    CU_add_test(suite, "the table", test_table);
}
