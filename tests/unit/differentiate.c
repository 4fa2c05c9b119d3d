/* The training graph against central differences of the loss it computes: parameter by parameter for networks of every
 * operation; along one direction of all parameters for random geometries and whole random networks. The interpreter's
 * sums are double, so that what is left is the third derivative's share. RNC_SEED=N runs one seed. */
#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "graph/interpret.h"
#include "graph/irtext.h"
#include "language/ast.h"
#include "passes/differentiate.h"
#include "runtime/train/drop.h"
#include "../random_graph.h"

enum { IMAGES = 3 };

typedef struct Run {
    Arena arena;
    Diag diag;
    Text errors;
    Graph *source, *graph;
    TensorData weights;
    float *images;
    double labels[IMAGES * 4];
    uint64_t seed;
} Run;

static float draw(uint64_t *seed) { /* [-1, 1) */
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(*seed >> 32) / 2147483648.0f;
}

/* `layers`: of the network, and after a brace that ends it the train section. */
static void run_open(Run *run, const char *layers) {
    *run = (Run){.seed = 7};
    run->diag.capture = &run->errors;
    Source *source = arena_alloc(&run->arena, sizeof *source);
    const char *text = arena_printf(&run->arena, "network t {\n%s\n}\n", layers);
    *source = (Source){"test.rn", text, strlen(text)};
    const Ast *ast = ast_parse_text(&run->arena, source, &run->diag);
    run->source = ast ? elaborate(&run->arena, ast, NULL, 0, &run->diag) : NULL;
    if (run->source) run->graph = differentiate(run->source, &run->arena, &run->diag);
    if (run->errors.size) fprintf(stderr, "%s", run->errors.s);
}

static void fill_images(Run *run) {
    const int64_t size = shape_size(run->graph->input->shape);
    run->images = malloc(sizeof *run->images * (size_t)size * IMAGES);
    for (int64_t i = 0; i < size * IMAGES; i++) run->images[i] = draw(&run->seed);
    for (int n = 0; n < IMAGES; n++) {
        double *label = run->labels + 4 * n;
        label[0] = n % 2, label[1] = (n + 1) % 3, label[2] = n == 1 ? 0.7 : 1, label[3] = 1000 * n + 17;
    }
}

static void fill(Run *run) {
    const Graph *g = run->graph;
    run->weights = (TensorData){calloc((size_t)g->tensor_count, sizeof(float *)), g->tensor_count};
    for (int i = 0; i < g->tensor_count; i++) {
        const Tensor *t = g->tensors[i];
        if (t->op != RN_PARAM) continue;
        float *data = run->weights.data[i] = malloc(sizeof *data * (size_t)tensor_size(t));
        const double scale = t->ndim > 1 ? 1.5 / sqrt((double)tensor_size(t) / t->dim[0]) : 0.3;
        for (int64_t j = 0; j < tensor_size(t); j++) data[j] = (float)((t->ndim == 1) + scale * draw(&run->seed));
    }
    tensor_data_evaluate(g, &run->weights);
    fill_images(run);
}

static void run_close(Run *run) {
    tensor_data_free(&run->weights);
    free(run->images);
    text_free(&run->errors);
    arena_free(&run->arena);
}

/* The values of one run; `gradients` of each trained parameter where it is not NULL. Returns the loss. */
static double evaluate(Run *run, double **gradients) {
    const Graph *g = run->graph;
    double **values = calloc((size_t)g->value_count, sizeof *values), loss = 0;
    interpret_batch(g, &run->weights, run->images, run->labels, IMAGES, values, 1);
    for (int n = 0; n < IMAGES; n++) loss += values[g->outputs[g->training->loss]->id][3 * n];
    for (int i = 0; gradients && i < g->training->trained_count; i++) {
        const Trained *t = &g->training->trained[i];
        const Value *value = g->outputs[t->output];
        const size_t count = (size_t)tensor_size(t->param);
        gradients[i] = malloc(sizeof(double) * count);
        memcpy(gradients[i], values[value->id] + (size_t)t->channel * (size_t)value->shape.h * (size_t)value->shape.w,
               sizeof(double) * count);
    }
    for (int i = 0; i < g->value_count; i++) free(values[i]);
    free(values);
    return loss;
}

/* The step is small, so that it crosses no edge, and a power of two, so that it is exact. */
static double difference(Run *run, float *at) {
    const float before = *at, step = 1.0f / 16384;
    *at = before + step;
    const double after = evaluate(run, NULL);
    *at = before - step;
    const double sum = after - evaluate(run, NULL);
    *at = before;
    return sum / (2 * (double)step);
}

/* The text of the graph is the graph: it reads back, to the same text. */
static void check_text(const Graph *graph) {
    Arena arena = {0};
    Diag diag = {0};
    Text once = {0}, twice = {0};
    irtext_print(graph, &once);
    const Source source = {"printed.ir", once.s, once.size};
    const Graph *again = irtext_parse(&arena, &source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(again);
    irtext_print(again, &twice);
    CU_ASSERT_STRING_EQUAL(once.s, twice.s);
    text_free(&once);
    text_free(&twice);
    arena_free(&arena);
}

static void check(const char *layers) {
    Run run;
    run_open(&run, layers);
    CU_ASSERT_PTR_NOT_NULL_FATAL(run.graph);
    check_text(run.graph);
    fill(&run);
    const Training *t = run.graph->training;
    double **gradients = calloc((size_t)t->trained_count, sizeof *gradients);
    for (int i = 0; i < t->trained_count; i++) {
        const int64_t count = tensor_size(t->trained[i].param), every = count > 12 ? count / 12 : 1;
        for (int64_t j = 0; j < count; j += every) {
            float *at = &run.weights.data[t->trained[i].param->id][j];
            *at = roundf(*at * 1024) / 1024; /* so that the steps are exact */
        }
    }
    evaluate(&run, gradients);
    for (int i = 0; i < t->trained_count; i++) {
        const int64_t count = tensor_size(t->trained[i].param), every = count > 12 ? count / 12 : 1;
        double scale = 1e-3;
        for (int64_t j = 0; j < count; j++) scale = fmax(scale, fabs(gradients[i][j]));
        for (int64_t j = 0; j < count; j += every) {
            const double expected = difference(&run, &run.weights.data[t->trained[i].param->id][j]);
            const double error = fabs(gradients[i][j] - expected) / scale;
            if (error > 1e-6)
                fprintf(stderr, "%s: %s[%lld]: %.12g, by differences %.12g\n", layers, t->trained[i].param->name,
                        (long long)j, gradients[i][j], expected);
            CU_ASSERT_TRUE(error <= 1e-6);
        }
        free(gradients[i]);
    }
    free(gradients);
    run_close(&run);
}

static void test_layers(void) {
    check("input 2x5x6\nconv 3, 3x3 pad 1 bias\navgpool global\nfc 3");
    check("input 4x7x6\nconv 6, 3x2 / 2 pad [1, 0, 2, 1] groups 2\ntanh\nconv 3, 3x3 pad 1 / 3 dilate 2\navgpool "
          "global\nfc 4\nsoftmax");
    check("input 3x4x4\nconv 5, 1x1; bn; tanh\nconv 4, 3x3 pad 1; bn; sigmoid\nflatten\nfc 3");
    check("input 3x6x6\nconv 4, 3x3 pad 1; bn; relu\nresidual { conv 4, 3x3 pad 1; bn; tanh; conv 4, 3x3 pad 1; bn "
          "}\nswish\navgpool global\nfc 3");
    check("input 3x6x6\nconv 4, 3x3 pad 1\nmaxpool 3x3 / 2 pad 1\nconv 4, 3x3\navgpool 2x2\nfc 3");
    check("input 3x6x6\nconv 4, 3x3 pad 1\nmaxpool global\nfc 3");
}

/* Each between a convolution, whose gradient asks for that of the layer's input, and an fc, which has the losses differ
 * in what the layer gives. */
static void test_each_layer(void) {
    static const char *const layers[] = {"scale",
                                         "scale no bias",
                                         "prelu",
                                         "leakyrelu 0.2",
                                         "clip -0.4, 0.7",
                                         "clip low 0.1",
                                         "relu6",
                                         "gelu",
                                         "gelu approximate",
                                         "hardsigmoid",
                                         "hardswish",
                                         "elu 0.7",
                                         "selu",
                                         "mish",
                                         "softplus",
                                         "softmax",
                                         "softmax pixels",
                                         "softmax branches 2",
                                         "softmax log",
                                         "layernorm",
                                         "groupnorm 2",
                                         "groupnorm 4",
                                         "responsenorm",
                                         "residual { responsenorm eps 0.1 }",
                                         "lrn",
                                         "lrn size 3 alpha 0.5 beta 0.6 k 2",
                                         "lrn size 4 alpha 2",
                                         "dropout 0.4",
                                         "identity",
                                         "flatten",
                                         "convtranspose 3, 3x3 bias",
                                         "convtranspose 6, 4x3 /2 pad 1 output_pad 1 groups 2",
                                         "convtranspose 4, 2x2 /3",
                                         "spp [1]",
                                         "spp [4, 2, 1]",
                                         "spp [7]",
                                         "upsample 2",
                                         "upsample 3",
                                         "resize 9x4",
                                         "resize 3x12 bilinear",
                                         "resize 7x9 bilinear align_corners",
                                         "resize 1x1 bilinear align_corners",
                                         "resize 8x11 bilinear asymmetric",
                                         "resize 2x3 asymmetric",
                                         "pad top 1 left 2 bottom 0 right 1 channels 3",
                                         "pad top 1 right 2 value 0.5",
                                         "pad top 1 left 2 bottom 3 right 1 edge",
                                         "pad top 1 left 2 bottom 3 right 1 reflect",
                                         "slice channel 1 channels 2",
                                         "slice 3x2 top 2 left 1",
                                         "shuffle 2",
                                         "slice 4x6; spacetodepth 2",
                                         "slice 4x6; pixelunshuffle 2",
                                         "depthtospace 2",
                                         "pixelshuffle 2",
                                         "convtranspose 8, 2x2 /2; reshape 4x10x24",
                                         "gate { conv 1, 3x3; sigmoid }",
                                         "gate { conv 1, 3x3; avgpool global }",
                                         "identity as kept; conv 1, 3x3; tanh as p; from kept; add p",
                                         "identity as kept; avgpool global; tanh as p; from kept; add p",
                                         "identity as kept; conv 1, 3x3; avgpool global as p; from kept; add p",
                                         "maxpool 2x3 /2 ceil",
                                         "avgpool 3x3 /2 pad 1",
                                         "avgpool 3x2 /2 pad 1 ceil count_include_pad",
                                         "avgpool 2x2",
                                         "gate { avgpool global; fc 2; relu; fc 4; sigmoid }",
                                         "gate { conv 4, 3x3; tanh }",
                                         "concat { { conv 2, 1x1 } { maxpool 3x3 pad 1 /1 } { identity } }",
                                         "identity as kept; conv 6, 3x3 /2; add kept fill"};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        char text[256];
        snprintf(text, sizeof text, "input 2x5x6\nconv 4, 3x3 pad 1 bias\n%s\nfc 3", layers[i]);
        check(text);
    }
}

/* Gradients pass through what stays as it is. */
static void test_frozen_layers(void) {
    check("input 3x4x4\nconv 5, 1x1; bn; tanh\nconv 4, 3x3; bn; prelu\nlayernorm\nscale\nconvtranspose 2, 2x2 bias\n"
          "fc 3\n}\ntrain { freeze bn1, conv2, prelu, layernorm, scale, convtranspose");
    check("input 3x4x4\nconv 5, 1x1; bn; tanh\nflatten\nfc 3\n}\ntrain { loss crossentropy smooth 0.2");
}

/* ---- dropout ---- */

/* So many stay as the rate says, each for itself: of an image, of a layer and of a draw. What is drawn is what it was:
 * recorded checkpoints go on with it. */
static void test_drop(void) {
    enum { BLOCKS = 25000 };
    uint32_t first[BLOCKS][4], other[4];
    int kept = 0, alike = 0;
    for (uint32_t i = 0; i < BLOCKS; i++) {
        rn_drop_words(first[i], 12345, 1, i);
        rn_drop_words(other, 12345 + i % 2, 1 + (i + 1) % 2, i); /* another image's, or another layer's */
        for (int k = 0; k < 4; k++) {
            kept += first[i][k] >= rn_drop_limit(0.3);
            alike += (first[i][k] >= rn_drop_limit(0.3)) == (other[k] >= rn_drop_limit(0.3));
        }
    }
    CU_ASSERT_TRUE(abs(kept - 70000) < 600); /* four deviations */
    CU_ASSERT_TRUE(abs(alike - 58000) < 650);
    CU_ASSERT_EQUAL(rn_drop_limit(0), 0);
    CU_ASSERT_EQUAL(rn_drop_limit(0.5), 0x80000000u);
    const uint32_t counter[4] = {7, 2, 0, 5};
    uint32_t expected[4], word[4];
    rn_philox(expected, counter, 12345);
    rn_drop_words(word, 12345, 2, 7);
    CU_ASSERT_TRUE(!memcmp(word, expected, sizeof word));
}

/* An element is dropped in both directions or stays in both, times 1 / (1 - rate). */
static void test_dropout(void) {
    Run run;
    run_open(&run, "input 2x3x3\nconv 2, 1x1 bias\ndropout 0.5 as one\ndropout 0.25 as two\nfc 3");
    CU_ASSERT_PTR_NOT_NULL_FATAL(run.graph);
    fill(&run);
    const Graph *g = run.graph;
    double **values = calloc((size_t)g->value_count, sizeof *values);
    interpret_batch(g, &run.weights, run.images, run.labels, IMAGES, values, 1);
    const Node *node[4] = {NULL}; /* forward one, two; backward two, one */
    int count = 0, dropped[2] = {0};
    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i]->op == OP_DROP && count < 4) node[count++] = g->nodes[i];
    CU_ASSERT_EQUAL_FATAL(count, 4);
    for (int k = 0; k < 4; k++) {
        const bool first = k == 0 || k == 3;
        CU_ASSERT_EQUAL(node[k]->backward, k > 1);
        for (int i = 0; i < 18 * IMAGES; i++) {
            const double in = values[node[k]->in[0]->id][i], out = values[node[k]->out->id][i];
            uint32_t word[4];
            rn_drop_words(word, (uint32_t)run.labels[4 * (i / 18) + 3], first ? 1 : 2, (uint32_t)(i % 18 / 4));
            const bool stays = word[i % 18 % 4] >= (first ? 0x80000000u : 0x40000000u);
            CU_ASSERT_DOUBLE_EQUAL(out, stays ? in / (first ? 0.5 : 0.75) : 0, 1e-12);
            if (k < 2) dropped[k] += !stays;
        }
    }
    CU_ASSERT_TRUE(dropped[0] > 10 && dropped[0] < 44 && dropped[1] > 3 && dropped[1] < 30);
    for (int i = 0; i < g->value_count; i++) free(values[i]);
    free(values);
    run_close(&run);
}

/* ---- what cannot be trained ---- */

static void check_refused(const char *layers, const char *message) {
    Run run = {0};
    run.diag.capture = &run.errors;
    Source *source = arena_alloc(&run.arena, sizeof *source);
    const char *text = arena_printf(&run.arena, "network t {\n%s\n}\n", layers);
    *source = (Source){"test.rn", text, strlen(text)};
    const Ast *ast = ast_parse_text(&run.arena, source, &run.diag);
    run.source = ast ? elaborate(&run.arena, ast, NULL, 0, &run.diag) : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(run.source);
    CU_ASSERT_PTR_NULL(differentiate(run.source, &run.arena, &run.diag));
    CU_ASSERT_EQUAL(run.diag.errors, 1);
    const bool said = run.errors.s && strstr(run.errors.s, message);
    if (!said) fprintf(stderr, "expected: %s\ngot: %s\n", message, run.errors.s ? run.errors.s : "nothing");
    CU_ASSERT_TRUE(said);
    run_close(&run);
}

static void test_refused(void) {
    check_refused("input 3x4x4\nconv 3, 3x3",
                  "test.rn:3:1: error: crossentropy: the result has 4x4 pixels: a class for "
                  "each is not supported");
    check_refused("input 3x4x4\nrelu\navgpool global", "training: t has no parameter to train");
    check_refused("input 3x4x4\nidentity as a\nconv 2, 1x1\noutput\nfrom a\nfc 2\n}\ntrain { freeze fc",
                  "training: t has no parameter to train that is not frozen");
}

/* ---- along one direction ---- */

/* How far apart the derivative along a direction is from that by differences, relative to the largest that it could be,
 * less by how much the derivatives to both sides differ: by the edges of relu and of maxima in between. Every parameter
 * moves by the step or against it; all are rounded so that this is exact and that none is 0, which makes ties. */
static double direction_error(Run *run, int exponent) {
    const Training *t = run->graph->training;
    const float step = ldexpf(1, -exponent);
    double **gradients = calloc((size_t)t->trained_count, sizeof *gradients), slope = 0, most = 1e-9;
    for (int i = 0; i < t->trained_count; i++) {
        float *data = run->weights.data[t->trained[i].param->id];
        for (int64_t j = 0; j < tensor_size(t->trained[i].param); j++) data[j] = (floorf(data[j] * 1024) + 0.5f) / 1024;
    }
    double loss[3] = {0, 0, evaluate(run, gradients)};
    const uint64_t seed = run->seed;
    for (int side = 1; side >= -1; side--) { /* forward by a step, back by two, and to where it was */
        run->seed = seed;
        for (int i = 0; i < t->trained_count; i++) {
            float *data = run->weights.data[t->trained[i].param->id];
            for (int64_t j = 0; j < tensor_size(t->trained[i].param); j++) {
                const float sign = draw(&run->seed) < 0 ? -1 : 1;
                data[j] += (side == 1 ? 1 : side == 0 ? -2 : 1) * sign * step;
                if (side == 1) slope += sign * gradients[i][j], most += fabs(gradients[i][j]);
            }
        }
        if (side >= 0) loss[side] = evaluate(run, NULL);
    }
    for (int i = 0; i < t->trained_count; i++) free(gradients[i]);
    free(gradients);
    const double above = (loss[1] - loss[2]) / step, below = (loss[2] - loss[0]) / step;
    return fmax(fabs(slope - (above + below) / 2) - fabs(above - below), 0) / most;
}

/* Several edges may make up for each other, and a batch norm of next to no variance bends more than a step allows: then
 * other directions and steps do not. A wrong gradient is wrong in all of them. NaN is wrong. */
static bool check_graph(Run *run, uint64_t seed) {
    static const int exponents[] = {17, 20, 19, 21, 16, 18};
    double error = INFINITY;
    check_text(run->graph);
    fill_images(run);
    run->weights = random_weights(run->graph, seed);
    tensor_data_evaluate(run->graph, &run->weights);
    for (size_t i = 0; i < sizeof exponents / sizeof *exponents && !(error <= 1e-6); i++)
        error = direction_error(run, exponents[i]);
    if (error <= 1e-6) return true;
    Text text = {0};
    irtext_print(run->graph, &text);
    fprintf(stderr, "RNC_SEED=%llu: the derivative along a direction is off by %g\n%s", (unsigned long long)seed, error,
            text.s);
    text_free(&text);
    return false;
}

/* A network of a layer or two of random geometry, after a convolution, before an fc. */
static Graph *random_geometry(Arena *arena, uint64_t seed) {
    Random random = {.arena = arena, .graph = graph_new(arena, "geometry"), .state = seed}, *r = &random;
    r->graph->input =
        graph_add_value(r->graph, "image", (Shape){random_int(r, 1, 4), random_int(r, 1, 9), random_int(r, 1, 9)});
    const int groups = random_int(r, 1, 3);
    Value *x = random_conv(r, r->graph->input, groups * random_int(r, 1, 3), 3, 1, 1, 1, 1, random_chance(r, 50));
    static const Op plain[] = {OP_LRN,   OP_LAYERNORM, OP_GROUPNORM, OP_RESPONSENORM, OP_BN,
                               OP_SCALE, OP_SOFTMAX,   OP_UPSAMPLE,  OP_RESIZE,       OP_PAD,
                               OP_SPP,   OP_DROPOUT,   OP_FLATTEN,   OP_PRELU};
    for (int count = random_int(r, 1, 2); count > 0; count--) {
        const int kind = random_int(r, 0, 25);
        if (kind < 4)
            x = random_window_conv(r, x, x->shape.c % groups ? 3 : groups * random_int(r, 1, 4),
                                   x->shape.c % groups ? 1 : groups);
        else if (kind < 7)
            x = random_transposed(r, x, random_int(r, 1, 4));
        else if (kind < 10)
            x = random_window_pool(r, x);
        else if (kind < 11)
            x = random_gate(r, x);
        else if (kind < 12)
            x = random_activation(r, x);
        else
            x = random_unary(r, plain[kind - 12], x);
        if (x->producer->op == OP_DROPOUT) x->producer->attr.rate = random_real(r, 0, 0.8);
    }
    graph_add_output(r->graph, random_fc(r, x, 3));
    return r->graph;
}

/* A random network, with an fc of three classes at its end. */
static Graph *random_classifier(Arena *arena, uint64_t seed) {
    Graph *graph = random_graph(arena, seed);
    Random r = {.arena = arena, .graph = graph, .state = seed, .layers = 1000};
    graph_add_output(graph, random_fc(&r, graph->outputs[graph->output_count - 1], 3));
    return graph;
}

static void check_random(Graph *(*make)(Arena *arena, uint64_t seed), int seeds) {
    const char *one = getenv("RNC_SEED");
    const uint64_t first = one ? strtoull(one, NULL, 10) : (uint64_t)time(NULL) * 1000;
    int failed = 0, refused = 0;
    for (uint64_t seed = first; seed < first + (uint64_t)(one ? 1 : seeds) && failed < 3; seed++) {
        Run run = {.seed = seed};
        run.diag.capture = &run.errors;
        run.graph = differentiate(make(&run.arena, seed), &run.arena, &run.diag);
        if (run.graph)
            failed += !check_graph(&run, seed);
        else
            refused++;
        if (!run.graph && !strstr(run.errors.s, "is shared by several layers")) {
            fprintf(stderr, "RNC_SEED=%llu: %s", (unsigned long long)seed, run.errors.s);
            failed++;
        }
        run_close(&run);
    }
    CU_ASSERT_EQUAL(failed, 0);
    CU_ASSERT_TRUE(refused <= seeds / 3);
}

static void test_random_geometries(void) {
    check_random(random_geometry, 300);
}

static void test_random_networks(void) {
    check_random(random_classifier, 100);
}

void suite_differentiate(void) {
    CU_pSuite suite = CU_add_suite("differentiate", NULL, NULL);
    CU_add_test(suite, "gradients against central differences", test_layers);
    CU_add_test(suite, "every layer", test_each_layer);
    CU_add_test(suite, "frozen layers, smoothed labels", test_frozen_layers);
    CU_add_test(suite, "what dropout draws", test_drop);
    CU_add_test(suite, "dropout in both directions", test_dropout);
    CU_add_test(suite, "what cannot be trained is named", test_refused);
    CU_add_test(suite, "random geometries, along a direction", test_random_geometries);
    CU_add_test(suite, "random networks, along a direction", test_random_networks);
}
