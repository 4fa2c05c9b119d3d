/* The interpreter: what a node does after its op, several terms, whole graphs, and the tensors' expressions. Expected
 * values are worked out by hand, or by composing unfused nodes, whose ops tests/unit/ops.c checks. */
#include "graph/tensor.h"
#include "ir_run.h"

static const float counting[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void check_output(const char *text, const double *expected, int count) {
    IrRun run;
    ir_run_open(&run, text);
    const double *out = ir_run(&run, counting, 1);
    CU_ASSERT_EQUAL(shape_size(run.graph->outputs[0]->shape), count);
    CU_ASSERT_TRUE(ir_run_near(out, expected, count, 1e-7)); /* constants such as 0.1 are floats */
    ir_run_close(&run);
}

/* out = pool(act(op + bias + addend)): each step moves the result, so another order would show. */
static void test_order(void) {
    check_output("network t\ninput %0 1x2x2 image\n@0 = fill 1 real -10\n"
                 "%1 big = affine(%0) weight @0 bias @0\n" /* -20 -30 -40 -50 */
                 "%2 out = identity(%0) + @0 + %1 -> leakyrelu slope 0.5 -> avgpool global\noutput %2\n",
                 /* -29 -38 -47 -56, halved, their mean */ (double[]){-21.25}, 1);
    check_output("network t\ninput %0 1x2x2 image\n@0 = fill 1 real -2.5\n"
                 "%1 out = identity(%0) + @0 -> relu -> maxpool 1x2\noutput %1\n",
                 (double[]){0, 1.5}, 2);
}

static void test_prelu_slopes(void) {
    IrRun run;
    ir_run_open(&run, "network t\ninput %0 2x1x1 image\n@0 = param 2 name p\n@1 = fill 2 real -3\n"
                      "%1 out = identity(%0) + @1 -> prelu weight @0\noutput %1\n");
    ir_run_set(&run, "p", (float[]){10, 100});
    const double *out = ir_run(&run, counting, 1);
    CU_ASSERT_TRUE(ir_run_near(out, (double[]){-20, -100}, 2, 0));
    ir_run_close(&run);
}

static void test_addends(void) {
    /* a strided one: rows and columns 0 and 2 of a 3 x 3 image */
    check_output(
        "network t\ninput %0 1x3x3 image\n%1 p = maxpool(%0) 1x1 /2\n%2 out = identity(%1) + %0 stride 2\noutput %2\n",
        (double[]){2, 6, 14, 18}, 4);
    /* a partial one: zero beyond its channel, row and column */
    check_output("network t\ninput %0 1x2x2 image\n%1 big = pad(%0) top 0 left 0 bottom 1 right 1 channels 1\n"
                 "%2 out = identity(%1) + %0 partial\noutput %2\n",
                 (double[]){2, 4, 0, 6, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 18);
    /* both: shortcut option A of a block that halves the image and doubles the channels */
    check_output("network t\ninput %0 1x3x3 image\n%1 p = maxpool(%0) 1x1 /2\n"
                 "%2 big = pad(%1) top 0 left 0 bottom 0 right 0 channels 1\n"
                 "%3 out = identity(%2) + %0 stride 2 partial\noutput %3\n",
                 (double[]){2, 6, 14, 18, 0, 0, 0, 0}, 8);
}

/* Two terms in one node are the sum of two convolutions. */
static void test_terms(void) {
    IrRun run;
    ir_run_open(&run, "network t\ninput %0 2x5x5 image\n@0 = param 3x2x3x3 name a\n@1 = param 3x2x1x1 name b\n"
                      "@2 = param 3 name c\n"
                      "%1 one = conv(%0 * @0 3x3 /2 pad 1)\n%2 two = conv(%0 * @1 1x1 /2)\n%3 sum = add(%1, %2)\n"
                      "%4 biased = identity(%3) + @2\n"
                      "%5 fused = conv(%0 * @0 3x3 /2 pad 1, %0 * @1 1x1 /2) + @2\noutput %5\noutput %4\n");
    float image[50];
    for (int i = 0; i < 50; i++) image[i] = ir_run_random(&run.seed);
    const double *out = ir_run(&run, image, 2);
    CU_ASSERT_TRUE(ir_run_near(out, run.values[run.graph->outputs[1]->id], 27, 1e-14));
    ir_run_close(&run);
}

/* The result does not depend on the number of threads, nor on placement and in-place marks. */
static void test_same_bits(void) {
    const char *text =
        "network t\ninput %0 8x9x9 image\n@0 = param 8x8x3x3 name w\n%1 a = conv(%0 * @0 3x3 pad 1) -> relu\n"
        "%2 b = conv(%1 * @0 3x3 pad 1)\n%3 c in %4[0] = conv(%2 * @0 3x3 pad 1)\n%4 d = concat(%3, %1)\n"
        "%5 e = conv(%2 * @0 3x3 pad 1) + %2\noutput %4\noutput %5\n";
    IrRun one, two;
    float image[8 * 81];
    uint64_t seed = 7;
    for (int i = 0; i < 8 * 81; i++) image[i] = ir_run_random(&seed);
    ir_run_open(&one, text);
    ir_run_open(&two, text);
    two.graph->nodes[2]->out->home = NULL;
    const double *a = ir_run(&one, image, 1), *b = ir_run(&two, image, 3);
    CU_ASSERT_EQUAL(memcmp(a, b, sizeof(double) * 16 * 81), 0);
    CU_ASSERT_EQUAL(memcmp(one.values[5], two.values[5], sizeof(double) * 8 * 81), 0);
    ir_run_close(&one);
    ir_run_close(&two);
}

static void test_values(void) { /* every value that a node makes, and the input; nothing for hidden ones */
    IrRun run;
    ir_run_open(&run, "network t\ninput %0 1x2x2 image\n%1 a = relu(%0) -> avgpool global hides full\noutput %1\n");
    ir_run(&run, counting, 1);
    int made = 0;
    for (int i = 0; i < run.graph->value_count; i++) made += run.values[i] != NULL;
    CU_ASSERT_EQUAL(run.graph->value_count, 3);
    CU_ASSERT_EQUAL(made, 2);
    CU_ASSERT_TRUE(ir_run_near(run.values[run.graph->input->id], (double[]){1, 2, 3, 4}, 4, 0));
    ir_run_close(&run);
}

static void test_expressions(void) {
    IrRun run;
    ir_run_open(&run,
                "network t\ninput %0 2x1x1 image\n@0 = param 2 name w\n@1 = param 2 name v\n@2 = param 2x2x1x1 name k\n"
                "@3 = bn_scale(@0, @1) 2 real 1 name scale\n@4 = bn_shift(@0, @1, @3) 2 name shift\n"
                "@5 = mul_add(@0, @1, @3) 2 name ma\n@6 = scale_out(@2, @0) 2x2x1x1 name so\n"
                "@7 = scale_in(@2, @0) 2x2x1x1 integers 1,1 name si\n@8 = shift_in(@2, @0) 2 integers 1,1 name hi\n"
                "@9 = identity_kernel 2x2x3x3 integers 1,0 name id\n@10 = embed(@2) 2x2x3x3 integers 1,1 name em\n"
                "@11 = add(@9, @10) 2x2x3x3 name sum\n@12 = reshape(@2) 4 name flat\n@13 = fill 2 real 0.5 name half\n"
                "%1 a = relu(%0)\noutput %1\n");
    ir_run_set(&run, "w", (float[]){2, 6});
    ir_run_set(&run, "v", (float[]){3, 8});
    ir_run_set(&run, "k", (float[]){1, 2, 3, 4});
    ir_run(&run, counting, 1);
    const struct {
        const char *name;
        int count;
        float values[4];
    } rows[] = {
        {"scale", 2, {1, 2}},      {"shift", 2, {-1, -10}}, {"ma", 2, {7, 50}},        {"so", 4, {2, 4, 18, 24}},
        {"si", 4, {2, 12, 6, 24}}, {"hi", 2, {14, 30}},     {"flat", 4, {1, 2, 3, 4}}, {"half", 2, {0.5f, 0.5f}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CU_ASSERT_EQUAL(memcmp(ir_run_data(&run, rows[i].name), rows[i].values, sizeof(float) * (size_t)rows[i].count),
                        0);
    const float *sum = ir_run_data(&run, "sum");
    for (int i = 0; i < 36; i++) {
        static const float centres[] = {2, 2, 3, 5}; /* kernel + identity */
        CU_ASSERT_EQUAL(sum[i], i % 9 == 4 ? centres[i / 9] : 0);
    }
    ir_run_close(&run);
}

/* Without a parameter, what depends on it waits; with it, a second call fills the gap and keeps the rest. */
static void test_missing_parameter(void) {
    IrRun run;
    ir_run_open(&run, "network t\ninput %0 2x1x1 image\n@0 = param 2 name w\n@1 = fill 2 real 3 name f\n"
                      "@2 = mul_add(@0, @1, @1) 2 name out\n%1 a = relu(%0)\noutput %1\n");
    float *w = run.weights.data[0];
    run.weights.data[0] = NULL;
    tensor_data_evaluate(run.graph, &run.weights);
    CU_ASSERT_PTR_NULL(run.weights.data[2]);
    const float *fill = run.weights.data[1];
    CU_ASSERT_TRUE(fill && fill[1] == 3);
    run.weights.data[0] = w;
    w[0] = 1, w[1] = 2;
    tensor_data_evaluate(run.graph, &run.weights);
    CU_ASSERT_PTR_EQUAL(run.weights.data[1], fill);
    CU_ASSERT_TRUE(run.weights.data[2] && run.weights.data[2][0] == 6 && run.weights.data[2][1] == 9);
    ir_run_close(&run);
}

void suite_interpret(void) {
    CU_pSuite suite = CU_add_suite("interpret", NULL, NULL);
    CU_add_test(suite, "bias, addend, activation, pool, in this order", test_order);
    CU_add_test(suite, "prelu's slopes are per channel", test_prelu_slopes);
    CU_add_test(suite, "strided and partial addends", test_addends);
    CU_add_test(suite, "several terms", test_terms);
    CU_add_test(suite, "threads and placement change no bit", test_same_bits);
    CU_add_test(suite, "which values are there", test_values);
    CU_add_test(suite, "expressions over tensors", test_expressions);
    CU_add_test(suite, "a missing parameter", test_missing_parameter);
}
