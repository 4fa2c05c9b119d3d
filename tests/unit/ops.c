/* Every op's shape rule, parameters, cost and reference, against values worked out by hand or by a second, plainer
 * program (the naive convolution below). The reference is the oracle of all other tests, so nothing here uses it to
 * check itself. */
#include "graph/act.h"
#include "graph/irtext.h"
#include "graph/verify.h"
#include "ir_run.h"
#include "passes/passes.h"

/* ---- the table ---- */

static void test_words(void) {
    for (int i = 0; i < OP_COUNT; i++) {
        CU_ASSERT_EQUAL(op_by_word(op_info((Op)i)->word), i);
        CU_ASSERT_TRUE(op_info((Op)i)->min_in >= 1 && op_info((Op)i)->min_in <= op_info((Op)i)->max_in);
        const Node node = {.op = (Op)i};
        CU_ASSERT_EQUAL(node_act(&node) != ACT_NONE, (op_info((Op)i)->flags & OPF_ACTIVATION) != 0);
    }
    CU_ASSERT_EQUAL(op_by_word("convolution"), OP_COUNT);
    CU_ASSERT_STRING_EQUAL(op_info(OP_MAXPOOL)->id, "MAXPOOL");
}

/* ---- running one op: no weights, or with them ---- */

enum { MOST = 64 };

/* The text's first output for this image, against `expected`. */
static void check_run(const char *text, const float *image, const double *expected, int count) {
    IrRun run;
    ir_run_open(&run, text);
    const double *out = ir_run(&run, image, 1);
    CU_ASSERT_EQUAL(shape_size(run.graph->outputs[0]->shape), count);
    CU_ASSERT_TRUE(ir_run_near(out, expected, count, 1e-12));
    ir_run_close(&run);
}

static void check_op(const char *shape, const char *op, const float *image, const double *expected, int count) {
    char text[512];
    snprintf(text, sizeof text, "network test\ninput %%0 %s image\n%%1 out = %s\noutput %%1\n", shape, op);
    check_run(text, image, expected, count);
}

#define CHECK_OP(shape, op, image, ...)                                                                                \
    do {                                                                                                               \
        const double expected_[] = __VA_ARGS__;                                                                        \
        check_op(shape, op, image, expected_, sizeof expected_ / sizeof *expected_);                                   \
    } while (0)

static const float counting[MOST] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                     17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
static const float mixed[] = {-8, -1, -0.5f, 0, 0.5f, 1, 6, 8};

static void test_activations(void) {
    CHECK_OP("1x2x4", "relu(%0)", mixed, {0, 0, 0, 0, 0.5, 1, 6, 8});
    CHECK_OP("1x2x4", "relu6(%0)", mixed, {0, 0, 0, 0, 0.5, 1, 6, 6});
    CHECK_OP("1x2x4", "clip(%0) low -0.75 high 1", mixed, {-0.75, -0.75, -0.5, 0, 0.5, 1, 1, 1});
    CHECK_OP("1x2x4", "clip(%0) low 0.75", mixed, {0.75, 0.75, 0.75, 0.75, 0.75, 1, 6, 8});
    CHECK_OP("1x2x4", "clip(%0) high -0.5", mixed, {-8, -1, -0.5, -0.5, -0.5, -0.5, -0.5, -0.5});
    CHECK_OP("1x2x4", "leakyrelu(%0) slope 0.25", mixed, {-2, -0.25, -0.125, 0, 0.5, 1, 6, 8});
    CHECK_OP("1x1x3", "tanh(%0)", ((float[]){-1, 0, 2}), {-0.76159415595576489, 0, 0.96402758007581688});
    CHECK_OP("1x1x3", "sigmoid(%0)", ((float[]){-1, 0, 2}), {0.26894142136999512, 0.5, 0.88079707797788243});
    CHECK_OP("1x1x3", "gelu(%0)", ((float[]){-1, 2, -4}),
             {-0.158655253931457051, 1.95449973610364159, -0.000126684967332479685});
    CHECK_OP("1x1x3", "gelu(%0) approximate", ((float[]){-1, 2, -4}),
             {-0.158808009391723295, 1.95459769408777502, -0.0000702459481923726898});
    CHECK_OP("1x1x4", "hardsigmoid(%0)", ((float[]){-4, -1, 2, 5}), {0, 1 / 3., 5 / 6., 1});
    CHECK_OP("1x1x4", "hardswish(%0)", ((float[]){-4, -1, 2, 5}), {0, -1 / 3., 5 / 3., 5});
    CHECK_OP("1x1x3", "elu(%0) alpha 0.5", ((float[]){-1, -0.5f, 2}),
             {-0.316060279414278839, -0.196734670143683288, 2});
    CHECK_OP("1x1x3", "elu(%0)", ((float[]){-1, 0, 2}), {-0.632120558828557678, 0, 2});
    CHECK_OP("1x1x2", "selu(%0)", ((float[]){-1, 2}), {-1.11133073781256276, 2.10140197471096099});
    CHECK_OP("1x1x2", "mish(%0)", ((float[]){-1, 2}), {-0.303401461374108918, 1.94395895953399452});
    CHECK_OP("1x1x3", "softplus(%0)", ((float[]){-1, 0, 2}),
             {0.313261687518222834, 0.693147180559945309, 2.1269280110429725});
    CHECK_OP("1x1x3", "swish(%0)", ((float[]){-1, 0, 2}), {-0.26894142136999512, 0, 1.7615941559557649});
}

static void test_prelu(void) {
    IrRun run;
    ir_run_open(&run, "network t\ninput %0 2x1x2 image\n@0 = param 2 name p.weight\n"
                      "%1 p = prelu(%0) weight @0\noutput %1\n");
    ir_run_set(&run, "p.weight", (float[]){0.5f, -1});
    const double *out = ir_run(&run, (float[]){-2, 3, -2, 3}, 1);
    CU_ASSERT_TRUE(ir_run_near(out, (double[]){-1, 3, 2, 3}, 4, 0));
    ir_run_close(&run);
}

static void test_nan_stays(void) {
    static const char *const ops[] = {"relu(%0)",           "relu6(%0)",          "sigmoid(%0)",     "maxpool(%0) 1x3",
                                      "maxpool(%0) global", "avgpool(%0) global", "spp(%0) levels 1"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (int at = 0; at < 3; at++) {
            char text[256];
            float image[3] = {1, 2, 3};
            IrRun run;
            image[at] = NAN;
            snprintf(text, sizeof text, "network t\ninput %%0 1x1x3 image\n%%1 out = %s\noutput %%1\n", ops[i]);
            ir_run_open(&run, text);
            const double *out = ir_run(&run, image, 1);
            CU_ASSERT_TRUE(isnan(out[shape_equal(run.graph->outputs[0]->shape, (Shape){1, 1, 3}) ? at : 0]));
            ir_run_close(&run);
        }
}

static void test_maxpool(void) {
    CHECK_OP("1x4x4", "maxpool(%0) 2x2 /2", counting, {6, 8, 14, 16});
    CHECK_OP("1x4x4", "maxpool(%0) 3x3 /2 pad 1", counting, {6, 8, 14, 16});
    CHECK_OP("1x4x4", "maxpool(%0) 3x3 /2 ceil", counting, {11, 12, 15, 16});
    CHECK_OP("1x4x4", "maxpool(%0) 3x3 /2", counting, {11});
    CHECK_OP("2x2x2", "maxpool(%0) global", counting, {4, 8});
    CHECK_OP("1x3x4", "maxpool(%0) 2x3 /1x2 pad 0,1,1,0", counting, {6, 8, 10, 12, 10, 12});
    CHECK_OP("1x1x3", "maxpool(%0) 1x2 /3 ceil", counting, {2}); /* a second window would start behind the image */
    /* the padding is no zero: negative values stay */
    CHECK_OP("1x1x3", "maxpool(%0) 1x3 /2 pad 0,1,0,1", ((float[]){-5, -4, -3}), {-4, -3});
}

static void test_avgpool(void) {
    CHECK_OP("1x4x4", "avgpool(%0) 2x2 /2", counting, {3.5, 5.5, 11.5, 13.5});
    CHECK_OP("2x2x2", "avgpool(%0) global", counting, {2.5, 6.5});
    CHECK_OP("1x1x5", "avgpool(%0) 1x3 /2 pad 0,1,0,1", counting, {1.5, 3, 4.5});
    CHECK_OP("1x1x5", "avgpool(%0) 1x3 /2 pad 0,1,0,1 count_include_pad", counting, {1, 3, 3});
    CHECK_OP("1x1x5", "avgpool(%0) 1x2 /2 ceil", counting, {1.5, 3.5, 5});
    /* the last window reaches beyond the padding: what lies there is not counted (PyTorch) */
    CHECK_OP("1x1x6", "avgpool(%0) 1x3 /2 pad 0,1,0,1 ceil", counting, {1.5, 3, 5, 6});
    CHECK_OP("1x1x6", "avgpool(%0) 1x3 /2 pad 0,1,0,1 ceil count_include_pad", counting, {1, 3, 5, 3});
    CHECK_OP("1x6x1", "avgpool(%0) 3x1 /2 pad 1,0,1,0 ceil count_include_pad", counting, {1, 3, 5, 3});
}

static void test_lrn(void) {
    CHECK_OP("4x1x1", "lrn(%0) size 3 alpha 3 beta 1 k 1", counting, {1 / 6., 2 / 15., 3 / 30., 4 / 26.});
    CHECK_OP("2x1x1", "lrn(%0) size 2 alpha 2 beta 1 k 1", counting, {1 / 2., 2 / 6.});
    CHECK_OP("2x1x1", "lrn(%0) size 5 alpha 5 beta 0.5 k 4", counting, {1 / 3., 2 / 3.});
}

static void test_spp(void) {
    CHECK_OP("1x3x3", "spp(%0) levels 2,1", counting, {5, 6, 8, 9, 9});
    CHECK_OP("2x2x3", "spp(%0) levels 1,2", counting, {6, 12, 2, 3, 5, 6, 8, 9, 11, 12});
    CHECK_OP("1x2x2", "spp(%0) levels 3", counting, {1, 2, 2, 3, 4, 4, 3, 4, 4}); /* more bins than pixels */
}

static void test_moving(void) {
    CHECK_OP("1x1x2", "pad(%0) top 1 left 2 bottom 0 right 1 channels 1", counting,
             {0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    CHECK_OP("1x2x1", "pad(%0) top 0 left 1 bottom 1 right 0 channels 1 value 7", counting,
             {7, 1, 7, 2, 7, 7, 7, 7, 7, 7, 7, 7});
    CHECK_OP("1x1x3", "pad(%0) left 2 right 1 reflect", counting, {3, 2, 1, 2, 3, 2});
    CHECK_OP("1x3x1", "pad(%0) top 2 bottom 2 reflect", counting, {3, 2, 1, 2, 3, 2, 1});
    CHECK_OP("1x2x2", "pad(%0) top 1 right 2 edge", counting, {1, 2, 2, 2, 1, 2, 2, 2, 3, 4, 4, 4});
    CHECK_OP("1x2x2", "upsample(%0) factor 2", counting, {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4});
    CHECK_OP("2x1x2", "flatten(%0)", counting, {1, 2, 3, 4});
    CHECK_OP("2x1x2", "dropout(%0) rate 0.5", counting, {1, 2, 3, 4});
    CHECK_OP("2x1x2", "identity(%0)", counting, {1, 2, 3, 4});
    CHECK_OP("2x1x2", "concat(%0, %0)", counting, {1, 2, 3, 4, 1, 2, 3, 4});
}

static void test_softmax(void) {
    /* per pixel over channels; 1000 would overflow without the shift */
    CHECK_OP("2x1x2", "softmax(%0)", ((float[]){1, 1000, 1, 998}),
             {0.5, 0.88079707797788243, 0.5, 0.11920292202211755});
    CHECK_OP("2x1x2", "softmax(%0) pixels", ((float[]){1, 1, 1000, 998}),
             {0.5, 0.5, 0.88079707797788243, 0.11920292202211755});
    CHECK_OP("4x1x1", "softmax(%0) branches 2", ((float[]){1, 1000, 1, 998}),
             {0.5, 0.88079707797788243, 0.5, 0.11920292202211755});
    CHECK_OP("2x1x2", "softmax(%0) log", ((float[]){1, 1000, 1, 998}),
             {-0.69314718055994529, -0.1269280110429726, -0.69314718055994529, -2.1269280110429727});
}

static void test_add_and_mul(void) {
    CHECK_OP("1x2x2", "add(%0, %0)", counting, {2, 4, 6, 8});
    CHECK_OP("1x2x2", "mul(%0, %0)", counting, {1, 4, 9, 16});
    const char *gate = "network t\ninput %0 2x1x2 image\n%1 g = avgpool(%0) global\n%2 m = mul(%0, %1)\noutput %2\n";
    check_run(gate, counting, (double[]){1.5, 3, 10.5, 14}, 4);
    const char *beside = "network t\ninput %0 2x1x2 image\n%1 p = slice(%0) channel 1 channels 1 height 1 width 2\n"
                         "%2 a = add(%0, %1)\n%3 i = slice(%1) left 1 channels 1 height 1 width 1\n"
                         "%4 m = mul(%2, %3)\n%5 c = slice(%4) left 1 channels 2 height 1 width 1\n"
                         "%6 s = add(%4, %5)\n%7 q = mul(%6, %1)\noutput %7\n";
    /* a: 4 6 6 8; m: 16 24 24 32; c: 24 32; s: 40 48 56 64 */
    check_run(beside, counting, (double[]){120, 192, 168, 256}, 4);
    const char *fill = "network t\ninput %0 2x1x2 image\n%1 big = pad(%0) top 0 left 0 bottom 1 right 0 channels 0\n"
                       "%2 one = maxpool(%0) global\n%3 pad = pad(%2) top 0 left 0 bottom 0 right 0 channels 1\n"
                       "%4 sum = add(%3, %1) fill\noutput %4\n";
    check_run(fill, counting, (double[]){1 + 2, 2, 0, 0, 3 + 4, 4, 0, 0, 0, 0, 0, 0}, 12);
}

static void test_norms(void) {
    IrRun run;
    ir_run_open(&run, "network t\ninput %0 2x1x2 image\n@0 = param 2 name w\n@1 = param 2 name b\n@2 = param 2 name m\n"
                      "@3 = param 2 name v\n%1 bn = bn(%0) weight @0 bias @1 mean @2 var @3 eps 0.25 momentum 0.1\n"
                      "%2 s = scale(%1) weight @0 bias @1\n%3 a = affine(%2) weight @1 bias @0\noutput %3\n");
    ir_run_set(&run, "w", (float[]){2, -1});
    ir_run_set(&run, "b", (float[]){10, 20});
    ir_run_set(&run, "m", (float[]){1, 3});
    ir_run_set(&run, "v", (float[]){3.75f, 0});
    ir_run(&run, counting, 1);
    double bn[] = {10, 11, 20, 18}, scaled[] = {30, 32, 0, 2}, affine[] = {302, 322, -1, 39};
    CU_ASSERT_TRUE(ir_run_near(run.values[1], bn, 4, 1e-15));
    CU_ASSERT_TRUE(ir_run_near(run.values[2], scaled, 4, 1e-15));
    CU_ASSERT_TRUE(ir_run_near(run.values[3], affine, 4, 1e-15));
    ir_run_close(&run);
}

/* Two channels with weights 2 and -1, biases 10 and 20. */
static const double *run_norm(IrRun *run, const char *shape, const char *norm, const char *attributes,
                              const float *image) {
    char text[512];
    snprintf(text, sizeof text,
             "network t\ninput %%0 %s image\n@0 = param 2 name n.weight\n@1 = param 2 name n.bias\n"
             "%%1 n = %s(%%0) weight @0 bias @1 %s\noutput %%1\n",
             shape, norm, attributes);
    ir_run_open(run, text);
    ir_run_set(run, "n.weight", (float[]){2, -1});
    ir_run_set(run, "n.bias", (float[]){10, 20});
    return ir_run(run, image, 1);
}

static void test_layernorm(void) { /* channels of a pixel: 1 and 5, then 4 and 4 */
    IrRun run;
    const double *out = run_norm(&run, "2x1x2", "layernorm", "eps 12", (float[]){1, 4, 5, 4});
    CU_ASSERT_TRUE(ir_run_near(out, (double[]){9, 10, 19.5, 20}, 4, 1e-15));
    ir_run_close(&run);
    out = run_norm(&run, "2x1x2", "layernorm", "eps 12", (float[]){1, 4, NAN, 4}); /* the whole pixel, and no other */
    CU_ASSERT_TRUE(isnan(out[0]) && isnan(out[2]) && out[1] == 10 && out[3] == 20);
    ir_run_close(&run);
}

/* In steps of 1/2 about 1: ties go to the even number, and what is beyond a bound stops there. The other channel has
 * steps of 4 about 0. */
static void test_quantize(void) {
    IrRun run;
    ir_run_open(&run, "network t\ninput %0 2x1x6 image\n@0 = param 2 name q.scale\n@1 = param 2 name q.zero_point\n"
                      "%1 q = quantize(%0) weight @0 bias @1 low -3 high 4\noutput %1\n");
    ir_run_set(&run, "q.scale", (float[]){0.5F, 4});
    ir_run_set(&run, "q.zero_point", (float[]){1, 0});
    const double *out = ir_run(&run, (float[]){0.25F, 0.75F, -0.75F, 0.3F, 9, -9, 2, 6, -6, 7, 99, NAN}, 1);
    CU_ASSERT_TRUE(ir_run_near(out, (double[]){0, 1, -1, 0.5, 1.5, -2, 0, 8, -8, 8, 16}, 11, 0));
    CU_ASSERT_TRUE(isnan(out[11]));
    ir_run_close(&run);
}

/* The definition the other way round: what each pixel of the result gathers. */
static double transposed_naive(const Node *node, const float *image, const float *weight, int k, int y, int x) {
    const Term *t = &node->term[0];
    const Window *w = &t->window;
    const Shape in = node->in[0]->shape;
    const int features = node->features / t->groups, channels = in.c / t->groups;
    double sum = 0;
    for (int c = k / features * channels; c < (k / features + 1) * channels; c++)
        for (int i = 0; i < in.h; i++)
            for (int j = 0; j < in.w; j++) {
                const int r = y + w->top - i * w->stride_h, s = x + w->left - j * w->stride_w;
                if (r < 0 || r >= w->r || s < 0 || s >= w->s) continue;
                sum += (double)image[(c * in.h + i) * in.w + j] *
                       weight[((c * features + k % features) * w->r + r) * w->s + s];
            }
    return sum;
}

/* Kernels smaller and larger than their stride, padding that crops, rows that no window reaches; and the same after
 * lowering, whose phases are worked out in another way. */
static void test_convtranspose(void) {
    static const struct {
        const char *shape, *weights, *attributes;
    } rows[] = {
        {"3x4x5", "3x2x1x1", "1x1"},
        {"3x4x5", "3x2x3x3", "3x3 pad 1"},
        {"3x4x5", "3x2x2x2", "2x2 pad 2"},
        {"2x4x5", "2x3x2x2", "2x2 /2"},
        {"2x4x5", "2x3x4x4", "4x4 /2 pad 1"},
        {"2x4x5", "2x3x3x3", "3x3 /2 pad 1) extra_rows 1 extra_columns 1"},
        {"2x4x5", "2x3x1x2", "1x2 /3) extra_rows 2 extra_columns 0"},
        {"2x4x5", "2x3x5x3", "5x3 /2x3 pad 4,1,0,2) extra_rows 0 extra_columns 2"},
        {"6x3x3", "6x2x4x3", "4x3 /2x1 pad 1,0,2,1 groups 3"},
        {"4x3x3", "4x1x4x4", "4x4 /2 pad 1 groups 4"},
        {"1x1x1", "1x1x7x5", "7x5 /4x5"},
        {"2x5x1", "2x1x2x9", "2x9 /3x2 pad 4,3,1,3) extra_rows 1 extra_columns 0"},
        {"1x6x6", "1x1x3x3", "3x3 /2 pad 5"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        IrRun run, lowered;
        char text[512];
        const char *end = strchr(rows[i].attributes, ')') ? "" : ")";
        snprintf(text, sizeof text,
                 "network t\ninput %%0 %s image\n@0 = param %s name w\n%%1 t = convtranspose(%%0 * @0 "
                 "%s%s\noutput %%1\n",
                 rows[i].shape, rows[i].weights, rows[i].attributes, end);
        ir_run_open(&run, text);
        ir_run_open(&lowered, text);
        pass_run(lowered.graph, PASS_lower_transposed);
        verify_graph(lowered.graph);
        tensor_data_evaluate(lowered.graph, &lowered.weights);
        const Node *node = run.graph->nodes[0];
        const Shape out = node->out->shape;
        float image[MOST];
        for (int64_t k = 0; k < shape_size(node->in[0]->shape); k++) image[k] = ir_run_random(&run.seed);
        ir_run_set(&lowered, "w", ir_run_data(&run, "w"));
        const double *result = ir_run(&run, image, 2), *phases = ir_run(&lowered, image, 1);
        bool same = shape_equal(out, lowered.graph->outputs[0]->shape);
        for (int k = 0; k < out.c && same; k++)
            for (int y = 0; y < out.h; y++)
                for (int x = 0; x < out.w; x++) {
                    const double expected = transposed_naive(node, image, ir_run_data(&run, "w"), k, y, x);
                    const int64_t at = ((int64_t)k * out.h + y) * out.w + x;
                    same = same && ir_run_near(&result[at], &expected, 1, 1e-13) &&
                           ir_run_near(&phases[at], &expected, 1, 1e-13);
                }
        if (!same) fprintf(stderr, "%s", text);
        CU_ASSERT_TRUE(same);
        ir_run_close(&run);
        ir_run_close(&lowered);
    }
}

static void test_interleave(void) {
    CHECK_OP("4x1x2", "interleave(%0) rows 2 columns 2 channels 1 height 2 width 4", counting,
             {1, 3, 2, 4, 5, 7, 6, 8});
    CHECK_OP("4x1x2", "interleave(%0) rows 1 columns 2 channels 2 left 1 height 1 width 2", counting, {5, 2, 7, 4});
    CHECK_OP("4x1x2", "interleave(%0) rows 1 columns 2 channels 1 height 1 width 4", counting,
             {1, 3, 2, 4, 5, 7, 6, 8});
}

static void test_phases(void) {
    CHECK_OP("1x2x4", "phases(%0) rows 2 columns 2 channels 1", counting, {1, 3, 2, 4, 5, 7, 6, 8});
    CHECK_OP("2x1x4", "phases(%0) rows 1 columns 2 channels 2", counting, {1, 3, 5, 7, 2, 4, 6, 8}); /* SpaceToDepth */
    CHECK_OP("2x1x4", "phases(%0) rows 1 columns 2 channels 1", counting, {1, 3, 2, 4, 5, 7, 6, 8}); /* unshuffled */
}

static void test_slice(void) {
    CHECK_OP("2x2x2", "slice(%0) channel 1 channels 1 height 2 width 2", counting, {5, 6, 7, 8});
    CHECK_OP("2x2x2", "slice(%0) top 1 left 1 channels 2 height 1 width 1", counting, {4, 8});
    CHECK_OP("2x2x2", "slice(%0) channel 1 left 1 channels 1 height 2 width 1", counting, {6, 8});
}

static void test_shuffle(void) {
    CHECK_OP("6x1x1", "shuffle(%0) groups 2", counting, {1, 4, 2, 5, 3, 6});
    CHECK_OP("6x1x1", "shuffle(%0) groups 3", counting, {1, 3, 5, 2, 4, 6});
    CHECK_OP("4x1x2", "shuffle(%0) groups 2", counting, {1, 2, 5, 6, 3, 4, 7, 8});
}

static void test_reshape(void) {
    CHECK_OP("2x2x2", "reshape(%0) channels 1 height 4 width 2", counting, {1, 2, 3, 4, 5, 6, 7, 8});
    CHECK_OP("2x1x2", "reshape(%0) channels 4 height 1 width 1", counting, {1, 2, 3, 4});
}

static void test_scale_alone(void) {
    IrRun run;
    ir_run_open(&run,
                "network t\ninput %0 2x1x2 image\n@0 = param 2 name s.weight\n%1 s = scale(%0) weight @0\noutput %1\n");
    ir_run_set(&run, "s.weight", (float[]){2, -1});
    const double *out = ir_run(&run, counting, 1);
    CU_ASSERT_TRUE(ir_run_near(out, (double[]){2, 4, -3, -4}, 4, 0));
    pass_run(run.graph, PASS_lower);
    verify_graph(run.graph);
    CU_ASSERT(run.graph->nodes[0]->op == OP_AFFINE && run.graph->nodes[0]->weight[BIAS]);
    ir_run_close(&run);
}

static void test_groupnorm(void) { /* two channels of two pixels: as one group, and each its own */
    IrRun run;
    const float image[] = {1, 5, 9, 13};
    const double *out = run_norm(&run, "2x1x2", "groupnorm", "groups 1 eps 5", image); /* mean 7, variance 20 */
    CU_ASSERT_TRUE(ir_run_near(out, (double[]){7.6, 9.2, 19.6, 18.8}, 4, 1e-14));
    ir_run_close(&run);
    out = run_norm(&run, "2x1x2", "groupnorm", "groups 2 eps 12", image); /* means 3 and 11, variances 4 */
    CU_ASSERT_TRUE(ir_run_near(out, (double[]){9, 11, 20.5, 19.5}, 4, 1e-14));
    ir_run_close(&run);
}

static void test_responsenorm(void) { /* responses 5 and 15, whose mean is 10; a channel of zeros stays zero */
    IrRun run;
    const double *out = run_norm(&run, "2x1x2", "responsenorm", "eps 0", (float[]){3, -4, 9, 12});
    CU_ASSERT_TRUE(ir_run_near(out, (double[]){13, 6, 6.5, 2}, 4, 1e-14));
    ir_run_close(&run);
    out = run_norm(&run, "2x1x2", "responsenorm", "eps 2.5", (float[]){3, 4, 0, 0}); /* 5 and 0 */
    CU_ASSERT_TRUE(ir_run_near(out, (double[]){16, 18, 20, 20}, 4, 1e-14));
    ir_run_close(&run);
}

static void test_resize(void) {
    CHECK_OP("1x1x2", "resize(%0) height 1 width 4 bilinear", ((float[]){0, 4}), {0, 1, 3, 4});
    CHECK_OP("1x1x2", "resize(%0) height 1 width 4 bilinear asymmetric", ((float[]){0, 4}), {0, 2, 4, 4});
    CHECK_OP("1x1x2", "resize(%0) height 1 width 5 bilinear align_corners", ((float[]){0, 4}), {0, 1, 2, 3, 4});
    CHECK_OP("1x1x4", "resize(%0) height 1 width 2 bilinear", counting, {1.5, 3.5});
    CHECK_OP("1x1x4", "resize(%0) height 1 width 1 bilinear align_corners", counting, {1});
    CHECK_OP("1x2x2", "resize(%0) height 3 width 1 bilinear", counting, {1.5, 2.5, 3.5});
    CHECK_OP("1x1x3", "resize(%0) height 2 width 6", counting, {1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3});
    CHECK_OP("1x1x5", "resize(%0) height 1 width 2", counting, {2, 4});                  /* places 0.75 and 3.25 */
    CHECK_OP("1x1x5", "resize(%0) height 1 width 2 asymmetric", counting, {1, 3});       /* 0 and 2.5 */
    CHECK_OP("1x1x4", "resize(%0) height 1 width 3 align_corners", counting, {1, 3, 4}); /* 0, 1.5, 3 */
    CHECK_OP("1x1x6", "resize(%0) height 1 width 4 asymmetric", counting, {1, 2, 4, 5}); /* 0, 1.5, 3, 4.5 */
    CHECK_OP("2x1x1", "resize(%0) height 1 width 2 bilinear", counting, {1, 1, 2, 2});
}

static void test_fc(void) { /* the input runs in C, H, W order */
    IrRun run;
    ir_run_open(&run, "network t\ninput %0 2x1x2 image\n@0 = param 2x4 name w\n%1 fc = fc(%0 * @0)\noutput %1\n");
    ir_run_set(&run, "w", (float[]){1, 10, 100, 1000, 0, 0, 1, 0});
    const double *out = ir_run(&run, counting, 2);
    CU_ASSERT_TRUE(ir_run_near(out, (double[]){4321, 3}, 2, 0));
    CU_ASSERT_EQUAL(node_cost(run.graph->nodes[0]), 8);
    ir_run_close(&run);
}

/* ---- convolution: seven loops, each bound tested, against the oracle ---- */

typedef struct ConvCase {
    int c, h, w, k, r, s, stride_h, stride_w, top, left, bottom, right, dilate_h, dilate_w, groups;
} ConvCase;

static const ConvCase conv_cases[] = {
    {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1},    {3, 7, 9, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {3, 11, 13, 17, 7, 7, 2, 2, 3, 3, 3, 3, 1, 1, 1}, {8, 5, 17, 8, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1},
    {5, 9, 8, 9, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1, 1},    {6, 7, 7, 6, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 6},
    {6, 7, 7, 12, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 6},   {12, 6, 5, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4},
    {4, 9, 9, 3, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 1},    {2, 10, 12, 20, 2, 5, 3, 1, 0, 4, 1, 0, 1, 2, 1},
    {2, 3, 3, 7, 5, 5, 1, 1, 4, 4, 4, 4, 1, 1, 1},    {3, 6, 33, 11, 1, 3, 1, 2, 0, 0, 0, 3, 3, 1, 1},
};

static double conv_naive(const ConvCase *t, const float *image, const float *weight, int k, int y, int x) {
    int channels = t->c / t->groups, group = k / (t->k / t->groups);
    double sum = 0;
    for (int c = 0; c < channels; c++)
        for (int r = 0; r < t->r; r++)
            for (int s = 0; s < t->s; s++) {
                int row = y * t->stride_h + r * t->dilate_h - t->top;
                int column = x * t->stride_w + s * t->dilate_w - t->left;
                if (row < 0 || row >= t->h || column < 0 || column >= t->w) continue;
                double pixel = image[((group * channels + c) * t->h + row) * t->w + column];
                sum += pixel * weight[((k * channels + c) * t->r + r) * t->s + s];
            }
    return sum;
}

static void check_conv(const ConvCase *t, int threads) {
    char text[512];
    snprintf(text, sizeof text,
             "network t\ninput %%0 %dx%dx%d image\n@0 = param %dx%dx%dx%d name w\n"
             "%%1 conv = conv(%%0 * @0 %dx%d /%dx%d pad %d,%d,%d,%d dilate %dx%d groups %d)\noutput %%1\n",
             t->c, t->h, t->w, t->k, t->c / t->groups, t->r, t->s, t->r, t->s, t->stride_h, t->stride_w, t->top,
             t->left, t->bottom, t->right, t->dilate_h, t->dilate_w, t->groups);
    IrRun run;
    ir_run_open(&run, text);
    float *image = malloc(sizeof *image * (size_t)(t->c * t->h * t->w));
    for (int i = 0; i < t->c * t->h * t->w; i++) image[i] = ir_run_random(&run.seed);
    const double *out = ir_run(&run, image, threads);
    Shape shape = run.graph->outputs[0]->shape;
    CU_ASSERT_EQUAL(shape.h, (t->h + t->top + t->bottom - t->dilate_h * (t->r - 1) - 1) / t->stride_h + 1);
    CU_ASSERT_EQUAL(shape.w, (t->w + t->left + t->right - t->dilate_w * (t->s - 1) - 1) / t->stride_w + 1);
    CU_ASSERT_EQUAL(node_cost(run.graph->nodes[0]),
                    (int64_t)shape.h * shape.w * t->k * (t->c / t->groups) * t->r * t->s);
    bool same = true;
    for (int k = 0; k < shape.c; k++)
        for (int y = 0; y < shape.h; y++)
            for (int x = 0; x < shape.w; x++) {
                double expected = conv_naive(t, image, ir_run_data(&run, "w"), k, y, x);
                same = same && ir_run_near(&out[(k * shape.h + y) * shape.w + x], &expected, 1, 1e-13);
            }
    CU_ASSERT_TRUE(same);
    free(image);
    ir_run_close(&run);
}

static void test_conv(void) {
    for (size_t i = 0; i < sizeof conv_cases / sizeof *conv_cases; i++) check_conv(&conv_cases[i], 1 + (int)i % 2);
}

/* ---- what a user is told ---- */

static void test_errors(void) {
    static const struct {
        const char *shape, *op, *message;
    } rows[] = {
        {"3x3x3", "conv(%0 * @0 7x7)", "conv: kernel 7x7 does not fit a 3x3 input with pad 0"},
        {"3x3x3", "conv(%0 * @0 7x7 pad 0,1,1,0)",
         "does not fit a 3x3 input with pad 0,1,1,0 (top, left, bottom, right)"},
        {"3x4x4", "conv(%0 * @0 3x3 dilate 2)", "kernel 3x3 dilated by 2x2 does not fit a 4x4 input with pad 0"},
        {"64x4x4", "conv(%0 * @0 1x1 groups 3)", "conv: groups 3 does not divide 64 input channels"},
        {"64x4x4", "conv(%0 * @0 1x1 groups 64)", "conv: groups 64 does not divide 8 output channels"},
        {"3x9x9", "conv(%0 * @0 1x1, %0 * @0 1x1 /2)", "conv: its terms differ in size: 9x9 and 5x5"},
        {"3x1x1", "fc(%0 * @0, %0 * @0)", "fc: 2 inputs: must be 1"},
        {"3x2x2", "maxpool(%0) 3x3 /2", "maxpool: kernel 3x3 does not fit a 2x2 input with pad 0"},
        {"3x2x2", "maxpool(%0) 2x2 pad 2",
         "maxpool: with kernel 2x2 and pad 2,2,2,2 some windows lie wholly in the padding"},
        {"3x2x2", "maxpool(%0) 2x2 pad 2,0,0,0", "maxpool: with kernel 2x2 and pad 2,0,0,0 some windows"},
        {"3x2x2", "avgpool(%0) 1x1 pad 99999", "avgpool: 99999 exceeds the limit of 65535"},
        {"3x5x5", "spp(%0) levels 6,1025", "spp: level 1025: must be from 1 to 1024"},
        {"3x5x5", "lrn(%0) size 0 alpha 1 beta 1 k 1", "lrn: size 0: must be 1 or more"},
        {"3x5x5", "upsample(%0) factor 0", "upsample: factor 0: must be 1 or more"},
        {"3x5x5", "upsample(%0) factor 100000",
         "upsample: the result, 3x500000x500000, exceeds the limit of 2^31 elements"},
        {"3x5x5", "pad(%0) top -1 left 0 bottom 0 right 0 channels 0",
         "pad: top -1 left 0 bottom 0 right 0 channels 0: none may be negative"},
        {"3x5x5", "pad(%0) top 1 reflect edge", "pad: reflect, edge, and a value or channels: one of these"},
        {"3x5x5", "pad(%0) top 1 channels 1 edge", "pad: reflect, edge, and a value or channels: one of these"},
        {"3x5x5", "pad(%0) right 5 reflect", "pad: 5x5 pixels are too few to mirror 0, 0, 0, 5 of them"},
        {"3x5x5", "softmax(%0) branches 2", "softmax: 2 branches do not divide 3 channels"},
        {"3x5x5", "softmax(%0) pixels log", "softmax: pixels, log and branches: one of these"},
        {"8x5x5", "quantize(%0) low 0.5 high 3", "quantize: from 0.5 to 3: two whole numbers"},
        {"8x5x5", "quantize(%0) low 3 high 3", "quantize: from 3 to 3: two whole numbers"},
        {"3x5x5", "bn(%0) eps -1 momentum 0", "bn: eps -1: must be 0 or more"},
        {"8x5x5", "convtranspose(%0 * @0 1x1 dilate 2)", "convtranspose: it has neither dilation nor ceil"},
        {"8x5x5", "convtranspose(%0 * @0 1x1 /2x3) extra_rows 2 extra_columns 1",
         "convtranspose: output_pad 2x1: must be smaller than the stride, 2x3"},
        {"8x1x1", "convtranspose(%0 * @0 1x1 pad 1)", "convtranspose: the result would be 3x-1x-1"},
        {"8x1x1", "convtranspose(%0 * @0 1x1 groups 3)", "convtranspose: groups 3 does not divide 8 input channels"},
        {"8x999x9", "convtranspose(%0 * @0 1x1 /60000)", "weights exceed the limit of 2^31"},
        {"6x5x5", "interleave(%0) rows 2 columns 2 channels 1 height 5 width 5",
         "interleave: 6 channels are no multiple of 2x2 phases of 1"},
        {"4x5x5", "interleave(%0) rows 2 columns 2 channels 1 top 1 height 10 width 5",
         "interleave: 10x5 pixels at 1,0 are not within those of 2x2 phases of 5x5"},
        {"6x5x5", "shuffle(%0) groups 4", "shuffle: groups 4 does not divide 6 channels"},
        {"6x5x5", "slice(%0) channel 3 channels 4 height 5 width 5",
         "slice: 4x5x5 from 3, 0, 0 on is no part of 6x5x5"},
        {"6x5x5", "slice(%0) channels 6 height 0 width 5", "slice: the result would be 6x0x5"},
        {"6x5x5", "reshape(%0) channels 6 height 5 width 6", "reshape: 6x5x5 and 6x5x6 differ in size"},
        {"6x5x5", "phases(%0) rows 2 columns 1 channels 6", "phases: 5x5 pixels do not fall into 2x1 phases"},
        {"6x4x4", "phases(%0) rows 2 columns 2 channels 4",
         "phases: 6 channels are no multiple of 4 that lie together"},
        {"6x4x4", "phases(%0) rows 0 columns 2 channels 6", "phases: rows 0 columns 2 channels 6: not possible"},
        {"6x4x4", "clip(%0)", "clip: it has neither low nor high"},
        {"6x4x4", "clip(%0) low 2 high 1", "clip: low 2 is above high 1"},
        {"6x5x5", "groupnorm(%0) groups 4 eps 1e-05", "groupnorm: groups 4 does not divide 6 channels"},
        {"6x5x5", "groupnorm(%0) groups 0 eps 1e-05", "groupnorm: groups 0: must be 1 or more"},
        {"6x5x5", "groupnorm(%0) groups 2 eps -1", "groupnorm: eps -1: must be 0 or more"},
        {"3x5x5", "responsenorm(%0) eps -1", "responsenorm: eps -1: must be 0 or more"},
        {"3x5x5", "resize(%0) height 0 width 5", "resize: to 0x5: must be from 1x1 to 65536x65536"},
        {"3x5x5", "resize(%0) height 9 width 5 align_corners asymmetric",
         "resize: either align_corners or asymmetric, not both"},
        {"3x5x5", "layernorm(%0) eps -1", "layernorm: eps -1: must be 0 or more"},
        {"3x5x5", "relu(%0) -> maxpool 7x7", "relu: kernel 7x7 does not fit a 5x5 input with pad 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        Arena arena = {0};
        Text errors = {0};
        Diag diag = {.capture = &errors};
        int n = snprintf(text, sizeof text,
                         "network t\ninput %%0 %s image\n@0 = param 8x3x1x1 name w\n%%1 out = %s\noutput %%1\n",
                         rows[i].shape, rows[i].op);
        Source source = {"test.ir", text, (size_t)n};
        CU_ASSERT_PTR_NULL(irtext_parse(&arena, &source, &diag));
        CU_ASSERT_EQUAL(diag.errors, 1);
        bool found = errors.s && strstr(errors.s, rows[i].message) && strstr(errors.s, "test.ir:4:");
        if (!found) fprintf(stderr, "expected: %s\ngot: %s\n", rows[i].message, errors.s ? errors.s : "nothing");
        CU_ASSERT_TRUE(found);
        text_free(&errors);
        arena_free(&arena);
    }
}

static void check_two_inputs(Op op, Shape a, Shape b, const char *message) {
    Arena arena = {0};
    Text errors = {0};
    Diag diag = {.capture = &errors};
    Graph *graph = graph_new(&arena, "t");
    Value *in[] = {graph_add_value(graph, "a", a), graph_add_value(graph, "b", b)};
    Node *node = graph_add_node(graph, op, "n", in, 2, (Place){0});
    CU_ASSERT_EQUAL(op_info(op)->infer(node, &diag), message == NULL);
    if (message) CU_ASSERT_PTR_NOT_NULL(strstr(errors.s, message));
    text_free(&errors);
    arena_free(&arena);
}

static void test_two_inputs(void) {
    Shape a = {64, 56, 56}, b = {128, 28, 28}, gate = {64, 1, 1};
    check_two_inputs(OP_ADD, a, a, NULL);
    check_two_inputs(OP_ADD, a, b, "add: the two sides differ: 64x56x56 and 128x28x28");
    check_two_inputs(OP_MUL, a, gate, NULL);
    check_two_inputs(OP_ADD, a, gate, NULL);
    check_two_inputs(OP_ADD, a, (Shape){1, 56, 56}, NULL);
    check_two_inputs(OP_MUL, a, (Shape){1, 56, 56}, NULL);
    check_two_inputs(OP_MUL, a, (Shape){1, 1, 1}, NULL);
    check_two_inputs(OP_ADD, gate, a, "add: the two sides differ: 64x1x1 and 64x56x56");
    check_two_inputs(
        OP_MUL, a, (Shape){1, 56, 1},
        "mul: a gate of 1x56x1 does not fit a value of 64x56x56: it must be that, 64x1x1, 1x56x56 or 1x1x1");
    check_two_inputs(OP_MUL, a, b, "mul: a gate of 128x28x28 does not fit a value of 64x56x56");
    check_two_inputs(OP_MUL, gate, a, "mul: a gate of 64x56x56 does not fit");
    check_two_inputs(OP_CONCAT, a, b, "concat: branch 2 is 128x28x28, but branch 1 is 64x56x56");
    check_two_inputs(OP_CONCAT, a, (Shape){3, 56, 56}, NULL);
}

static void test_params(void) {
    Arena arena = {0};
    Graph *graph = graph_new(&arena, "t");
    Value *in = graph_add_value(graph, "image", (Shape){6, 4, 5});
    ParamSpec spec[NODE_MAX_WEIGHTS];
    Node *conv = graph_add_node(graph, OP_CONV, "conv", &in, 1, (Place){0});
    conv->features = 9;
    conv->term[0].groups = 3;
    conv->term[0].window.r = 7;
    CU_ASSERT_EQUAL(op_info(OP_CONV)->params(conv, true, spec), 2);
    CU_ASSERT_STRING_EQUAL(spec[0].suffix, "weight");
    CU_ASSERT_TRUE(spec[0].ndim == 4 && !memcmp(spec[0].dim, (int[]){9, 2, 7, 1}, sizeof spec[0].dim));
    CU_ASSERT_TRUE(spec[1].slot == BIAS && spec[1].ndim == 1 && spec[1].dim[0] == 9);
    CU_ASSERT_EQUAL(op_info(OP_CONV)->params(conv, false, spec), 1);
    Node *fc = graph_add_node(graph, OP_FC, "fc", &in, 1, (Place){0});
    fc->features = 10;
    CU_ASSERT_EQUAL(op_info(OP_FC)->params(fc, true, spec), 2);
    CU_ASSERT_TRUE(spec[0].ndim == 2 && spec[0].dim[0] == 10 && spec[0].dim[1] == 120);
    Node *bn = graph_add_node(graph, OP_BN, "bn", &in, 1, (Place){0});
    CU_ASSERT_EQUAL(op_info(OP_BN)->params(bn, false, spec), 4);
    static const char *const suffixes[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_STRING_EQUAL(spec[i].suffix, suffixes[i]);
        CU_ASSERT_TRUE(spec[i].slot == i && spec[i].ndim == 1 && spec[i].dim[0] == 6);
    }
    Node *prelu = graph_add_node(graph, OP_PRELU, "p", &in, 1, (Place){0});
    CU_ASSERT_TRUE(op_info(OP_PRELU)->params(prelu, false, spec) == 1 && spec[0].dim[0] == 6);
    CU_ASSERT_EQUAL(op_info(OP_RELU)->params(graph_add_node(graph, OP_RELU, "r", &in, 1, (Place){0}), false, spec), 0);
    Node *affine = graph_add_node(graph, OP_AFFINE, "a", &in, 1, (Place){0});
    CU_ASSERT_TRUE(op_info(OP_AFFINE)->params(affine, false, spec) == 2 && spec[1].slot == BIAS && spec[1].dim[0] == 6);
    arena_free(&arena);
}

void suite_ops(void) {
    CU_pSuite suite = CU_add_suite("ops", NULL, NULL);
    CU_add_test(suite, "the table's words", test_words);
    CU_add_test(suite, "activations", test_activations);
    CU_add_test(suite, "prelu", test_prelu);
    CU_add_test(suite, "a NaN stays a NaN", test_nan_stays);
    CU_add_test(suite, "maxpool", test_maxpool);
    CU_add_test(suite, "avgpool", test_avgpool);
    CU_add_test(suite, "lrn", test_lrn);
    CU_add_test(suite, "spp", test_spp);
    CU_add_test(suite, "pad, upsample, copies, concat", test_moving);
    CU_add_test(suite, "softmax", test_softmax);
    CU_add_test(suite, "add and mul", test_add_and_mul);
    CU_add_test(suite, "bn, scale, affine", test_norms);
    CU_add_test(suite, "layernorm", test_layernorm);
    CU_add_test(suite, "quantize", test_quantize);
    CU_add_test(suite, "convtranspose against its gathering", test_convtranspose);
    CU_add_test(suite, "interleave", test_interleave);
    CU_add_test(suite, "phases", test_phases);
    CU_add_test(suite, "slice", test_slice);
    CU_add_test(suite, "shuffle", test_shuffle);
    CU_add_test(suite, "reshape", test_reshape);
    CU_add_test(suite, "scale without a bias", test_scale_alone);
    CU_add_test(suite, "groupnorm", test_groupnorm);
    CU_add_test(suite, "responsenorm", test_responsenorm);
    CU_add_test(suite, "resize", test_resize);
    CU_add_test(suite, "fc", test_fc);
    CU_add_test(suite, "conv against seven loops", test_conv);
    CU_add_test(suite, "errors say the numbers", test_errors);
    CU_add_test(suite, "ops of two inputs", test_two_inputs);
    CU_add_test(suite, "parameters in the weights file", test_params);
}
