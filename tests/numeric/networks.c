/* Emitted code against the interpreter: random networks unfused and fused, on both instruction sets, with threads and
 * batches; and convolutions of every kind over odd shapes. The seed is printed by a failing case's name.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/irtext.h"
#include "graph/tensor.h"
#include "graph/interpret.h"
#include "../random_graph.h"
#include "emitted.h"
#include "plan/fc.h"
#include "plan/strassen.h"
#include "plan/winograd.h"

void suite_networks(void);

enum { RANDOM_NETWORKS = 24 };

/* Under sanitizers, where all is slower, every third case: they look for other faults than wrong numbers. */
static int stride(void) {
    return getenv("SANITIZED") ? 3 : 1;
}

static const Variant variants[] = {
    {"O2", 2, 4, NULL, 1, 1, 0, KERNELS_JIT, NULL, 0},
    {"O0", 0, 4, NULL, 1, 1, 0, KERNELS_JIT, NULL, 0},
    {"O2_avx2_threads3_batch2", 2, 3, NULL, 3, 2, 0, KERNELS_JIT, NULL, 0},
    {"O0_avx2_threads2", 0, 3, NULL, 2, 1, 0, KERNELS_JIT, NULL, 0},
    {"O2_c", 2, 0, NULL, 1, 1, 0, KERNELS_C, NULL, 0},
    {"O0_c_batch2", 0, 0, NULL, 2, 2, 0, KERNELS_C, NULL, 0},
    {"O2_batch5_threads2", 2, 4, NULL, 2, 5, 0, KERNELS_JIT, NULL, 0},
    {"O2_woven", 2, 4, NULL, 2, 1, 0, KERNELS_STATIC, "emeraldrapids,dram=0.1", 0},
    {"O2_woven_avx2_batch2", 2, 3, NULL, 1, 2, 0, KERNELS_JIT, "emeraldrapids,dram=0.1", 0},
};

static Variant with_winograd(Variant variant, int seed) {
    variant.winograd = seed;
    return variant;
}

/* Batches run as a whole from the first node on, from the second ... */
static Variant with_last_layers(Variant variant, int node) {
    variant.last_layers = variant.batch > 1 ? node + 1 : 0;
    return variant;
}

static void test_random_networks(void) {
    Batch batch;
    batch_begin(&batch);
    for (int seed = 1; seed <= RANDOM_NETWORKS; seed += stride())
        for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
            if (seed % 2 && v >= 2) continue; /* AVX2 and C on every other */
            if (seed % 4 && (v == 4 || v == 5)) continue;
            Arena arena = {0};
            Arena *kept = &arena;
            Graph *graph = random_graph(kept, (uint64_t)seed);
            char name[32];
            snprintf(name, sizeof name, "random%d", seed);
            /* half of them by Winograd's method; fused and unfused, AVX-512 and AVX2 take turns */
            const Variant variant = with_winograd(variants[v], (seed / 2 + (int)v) % 2 ? seed : 0);
            batch_add_graph(&batch, name, arena, graph, random_weights(graph, (uint64_t)seed),
                            with_last_layers(variant, seed / 2 % 8));
        }
    const int compared = batch_check(&batch, 1e-4);
    CU_ASSERT(compared > 100);
}

typedef struct ConvCase {
    int c, h, w, k, r, s, stride, pad, dilate, groups;
} ConvCase;

static const ConvCase conv_cases[] = {
    /* 1x1: channels around every panel and tile border, stride, one pixel, long prime rows */
    {1, 5, 5, 1, 1, 1, 1, 0, 1, 1},
    {3, 7, 9, 10, 1, 1, 1, 0, 1, 1},
    {16, 8, 8, 16, 1, 1, 1, 0, 1, 1},
    {17, 13, 13, 65, 1, 1, 1, 0, 1, 1},
    {64, 14, 14, 72, 1, 1, 1, 0, 1, 1},
    {96, 7, 7, 130, 1, 1, 2, 0, 1, 1},
    {200, 1, 1, 208, 1, 1, 1, 0, 1, 1},
    {31, 3, 113, 24, 1, 1, 1, 0, 1, 1},
    {24, 28, 28, 1000, 1, 1, 1, 0, 1, 1},
    {20, 9, 9, 20, 1, 1, 1, 1, 1, 1},
    {256, 14, 14, 64, 1, 1, 2, 0, 1, 1},
    /* windows: kernels of every shape, strides, dilation, pads up to and beyond the kernel */
    {3, 11, 13, 8, 3, 3, 1, 1, 1, 1},
    {64, 9, 9, 64, 3, 3, 1, 1, 1, 1},
    {131, 6, 5, 33, 3, 3, 1, 1, 1, 1},
    {160, 8, 8, 96, 3, 3, 2, 1, 1, 1},
    {256, 7, 7, 80, 3, 3, 1, 1, 1, 1},
    {300, 5, 5, 70, 3, 3, 1, 1, 1, 1},
    {5, 17, 19, 12, 5, 5, 1, 2, 1, 1},
    {3, 30, 30, 40, 7, 7, 2, 3, 1, 1},
    {8, 12, 12, 16, 1, 3, 1, 0, 1, 1},
    {8, 12, 12, 16, 4, 2, 1, 1, 1, 1},
    {12, 15, 15, 20, 3, 3, 1, 2, 2, 1},
    {12, 15, 15, 20, 3, 3, 2, 0, 3, 1},
    {6, 6, 6, 10, 6, 6, 1, 0, 1, 1},
    {4, 2, 2, 9, 3, 3, 1, 3, 1, 1},
    {16, 40, 31, 48, 3, 3, 3, 1, 1, 1},
    /* groups: merged, whole, uneven last merge; depthwise with and without multiplier */
    {32, 8, 8, 32, 3, 3, 1, 1, 1, 8},
    {24, 7, 7, 24, 3, 3, 2, 1, 1, 6},
    {64, 6, 6, 128, 1, 1, 1, 0, 1, 2},
    {20, 9, 9, 30, 3, 3, 1, 1, 1, 10},
    {18, 9, 9, 12, 3, 3, 1, 1, 1, 3},
    {33, 10, 10, 33, 3, 3, 1, 1, 1, 33},
    {16, 10, 11, 16, 5, 5, 2, 2, 1, 16},
    {12, 8, 8, 24, 3, 3, 1, 1, 1, 12},
    {40, 9, 9, 40, 3, 3, 1, 2, 2, 40},
    {384, 5, 5, 384, 3, 3, 1, 1, 1, 3},
    /* groups of which a vector holds several, and a last one holds fewer */
    {40, 9, 11, 40, 3, 3, 2, 1, 1, 5},
    {24, 10, 7, 24, 5, 3, 1, 2, 2, 12},
    {56, 13, 9, 56, 7, 7, 1, 3, 1, 7},
    {36, 5, 23, 36, 1, 4, 1, 2, 1, 9},
    /* all groups merge into one panel, whose channels are more than a GEMM's block */
    {66, 8, 8, 2, 3, 3, 1, 1, 1, 2},
    {65, 4, 4, 5, 3, 3, 1, 1, 1, 5},
    {130, 4, 4, 2, 3, 3, 1, 1, 1, 2},
    {128, 6, 7, 16, 3, 3, 1, 1, 1, 16},
    {600, 5, 5, 6, 1, 1, 1, 0, 1, 3},
    {96, 6, 5, 12, 5, 5, 2, 2, 1, 4},
};

static Graph *conv_graph(Arena *arena, const ConvCase *k, int variation) {
    Random random = {.arena = arena, .graph = graph_new(arena, "conv"), .state = 1}, *r = &random;
    Graph *g = r->graph;
    g->input = graph_add_value(g, "image", (Shape){k->c, k->h, k->w});
    Node *n = random_node(r, OP_CONV, &g->input, 1);
    n->features = k->k;
    n->term[0].groups = k->groups;
    n->term[0].window =
        (Window){k->r, k->s, k->stride, k->stride, k->dilate, k->dilate, k->pad, k->pad, k->pad, k->pad, false};
    build_params(r->graph, n, variation & 1);
    Value *x = random_done(n);
    if (variation & 2) x = random_unary(r, OP_BN, x);
    if (variation & 4) x = random_unary(r, variation & 8 ? OP_PRELU : OP_RELU, x);
    graph_add_output(g, x);
    return g;
}

static void add_pool(Graph *g, int r, int s, bool ceil) {
    Random random = {.arena = g->arena, .graph = g, .state = 1};
    Value *x = g->outputs[0];
    g->output_count = 0;
    x->is_output = false;
    Node *pool = random_node(&random, OP_MAXPOOL, &x, 1);
    pool->attr.window = (Window){r, s, r, s, 1, 1, 0, 0, 0, 0, ceil};
    graph_add_output(g, random_done(pool));
}

static void test_convolutions(void) {
    Batch batch;
    batch_begin(&batch);
    for (size_t i = 0; i < sizeof conv_cases / sizeof *conv_cases; i += (size_t)stride()) {
        Arena arena = {0};
        Graph *graph = conv_graph(&arena, &conv_cases[i], (int)i % 16);
        char name[32];
        snprintf(name, sizeof name, "conv%d", (int)i);
        batch_add_graph(&batch, name, arena, graph, random_weights(graph, i),
                        with_last_layers(variants[i % 2 ? 2 : 0], (int)i / 2 % 2));
        Arena second = {0};
        graph = conv_graph(&second, &conv_cases[i], (int)i % 16);
        batch_add_graph(&batch, name, second, graph, random_weights(graph, i), variants[4]);
    }
    const int compared = batch_check(&batch, 2e-5);
    CU_ASSERT(compared >= batch.count);
}

static Graph *parsed_graph(Arena *arena, const char *text) {
    Source *source = arena_alloc(arena, sizeof *source);
    *source = (Source){.path = "test.ir", .text = arena_strdup(arena, text), .size = strlen(text)};
    Diag diag = {0};
    Graph *graph = irtext_parse(arena, source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return graph;
}

/* Two groups of 33 channels of ones, merged into one panel: 33 * 9 inside and 33 * 4 in a corner, twice that where all
 * weights are 2. */
static void test_merged_groups(void) {
    Batch batch;
    batch_begin(&batch);
    for (int v = 0; v < 5; v++) {
        Arena arena = {0};
        Graph *graph = parsed_graph(&arena, "network n\ninput %0 66x8x8 image\n@0 = param 2x33x3x3 name w\n"
                                            "%1 a = conv(%0 * @0 3x3 pad 1 groups 2)\noutput %1\n");
        TensorData weights = random_weights(graph, 1);
        for (int i = 0; i < 2 * 33 * 9; i++) weights.data[0][i] = i < 33 * 9 ? 1 : 2;
        batch_add_graph(&batch, "merged", arena, graph, weights, variants[v]);
        EmittedCase *c = &batch.cases[batch.count - 1];
        for (int n = 0; n < c->variant.batch; n++) {
            double **expected = c->expected + n * graph->value_count;
            float *image = c->image + (ptrdiff_t)n * 66 * 64;
            for (int i = 0; i < graph->value_count; i++) free(expected[i]);
            for (int i = 0; i < 66 * 64; i++) image[i] = 1;
            interpret(graph, &c->weights, image, expected, 1);
            const double *out = expected[graph->outputs[0]->id];
            CU_ASSERT_EQUAL(out[9], 297);
            CU_ASSERT_EQUAL(out[0], 132);
            CU_ASSERT_EQUAL(out[64 + 9], 594);
            CU_ASSERT_EQUAL(out[64], 264);
        }
    }
    CU_ASSERT(batch_check(&batch, 1e-7) >= 5);
}

/* One convolution's terms may have groups of different numbers, or none: its panels hold whole groups of each. */
static void test_grouped_terms(void) {
    static const struct {
        int features, channels[2], groups[2], kernel[2];
    } cases[] = {
        {48, {24, 36}, {4, 6}, {3, 1}},     {12, {130, 6}, {2, 6}, {3, 5}},      {80, {20, 75}, {5, 1}, {1, 3}},
        {6, {300, 300}, {1, 3}, {3, 1}},    {40, {80, 40}, {40, 40}, {3, 1}},    {160, {64, 96}, {4, 8}, {1, 1}},
        {30, {600, 6}, {1, 6}, {1, 3}},     {128, {128, 128}, {128, 1}, {3, 1}}, {18, {9, 27}, {9, 3}, {3, 3}},
        {210, {105, 70}, {15, 35}, {1, 3}},
    };
    Batch batch;
    batch_begin(&batch);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena arena = {0};
        Text text = {0};
        text_puts(&text, "network n\ninput %0 3x9x7 image\n");
        for (int t = 0; t < 2; t++)
            text_printf(&text, "@%d = param %dx3x1x1 name a%d\n@%d = param %dx%dx%dx%d name b%d\n", 2 * t,
                        cases[i].channels[t], t, 2 * t + 1, cases[i].features,
                        cases[i].channels[t] / cases[i].groups[t], cases[i].kernel[t], cases[i].kernel[t], t);
        text_puts(&text, "%1 a = conv(%0 * @0 1x1) -> relu\n%2 b = conv(%0 * @2 1x1)\n%3 c = conv(");
        for (int t = 0; t < 2; t++)
            text_printf(&text, "%%%d * @%d %dx%d pad %d groups %d%s", t + 1, 2 * t + 1, cases[i].kernel[t],
                        cases[i].kernel[t], cases[i].kernel[t] / 2, cases[i].groups[t], t ? ") -> relu\n" : ", ");
        text_puts(&text, "output %3\n");
        Graph *graph = parsed_graph(&arena, text.s);
        batch_add_graph(&batch, arena_printf(&arena, "terms%d", (int)i), arena, graph, random_weights(graph, i),
                        with_winograd(variants[i % 5], i % 2));
        text_free(&text);
    }
    CU_ASSERT(batch_check(&batch, 1e-5) >= batch.count);
}

/* Winograd's method: tiles of every size that divide the image or reach over it, kernels of each kind, strides,
 * channels around vectors and panels, few and many tiles, an image larger than L2. */
static const ConvCase winograd_cases[] = {
    {16, 12, 12, 16, 3, 3, 1, 1, 1, 1},   {17, 13, 11, 65, 3, 3, 1, 1, 1, 1}, {3, 9, 9, 10, 3, 3, 1, 0, 1, 1},
    {40, 7, 7, 130, 3, 3, 1, 1, 1, 1},    {64, 5, 31, 72, 3, 3, 1, 2, 1, 1},  {20, 14, 14, 24, 5, 5, 1, 2, 1, 1},
    {9, 10, 10, 33, 7, 7, 1, 3, 1, 1},    {32, 15, 15, 48, 3, 3, 2, 1, 1, 1}, {21, 13, 16, 20, 5, 5, 2, 2, 1, 1},
    {5, 20, 20, 7, 7, 7, 2, 3, 1, 1},     {12, 9, 30, 16, 1, 3, 1, 0, 1, 1},  {12, 30, 9, 80, 3, 1, 1, 0, 1, 1},
    {18, 11, 12, 16, 2, 2, 1, 0, 1, 1},   {70, 3, 3, 70, 3, 3, 1, 1, 1, 1},   {1, 6, 6, 1, 3, 3, 1, 1, 1, 1},
    {128, 7, 7, 128, 1, 1, 1, 0, 1, 1},   {160, 5, 9, 256, 1, 1, 1, 0, 1, 1}, {192, 14, 13, 384, 1, 1, 1, 0, 1, 1},
    {24, 111, 109, 18, 3, 3, 1, 1, 1, 1}, {16, 41, 40, 16, 3, 3, 1, 1, 1, 1}, {33, 8, 8, 96, 3, 5, 1, 2, 1, 1},
    {16, 2, 2, 16, 3, 3, 1, 3, 1, 1},     {5, 13, 26, 20, 2, 4, 3, 0, 1, 1},  {3, 24, 22, 9, 4, 2, 2, 1, 1, 1},
    {20, 17, 17, 24, 2, 2, 4, 1, 1, 1},
};

static void test_winograd(void) {
    Batch batch;
    batch_begin(&batch);
    const int count = sizeof winograd_cases / sizeof *winograd_cases;
    for (int i = 0; i < 3 * count / stride(); i++) { /* three draws of tiles and blocks each */
        Arena arena = {0};
        Graph *graph = conv_graph(&arena, &winograd_cases[i % count], i * 5 % 16);
        char name[32];
        snprintf(name, sizeof name, "winograd%d", i);
        batch_add_graph(&batch, name, arena, graph, random_weights(graph, (uint64_t)i),
                        with_last_layers(with_winograd(variants[i % 2 ? (i % 4 == 1 ? 2 : 6) : 0], i + 1), 0));
    }
    for (int i = 0; i < batch.count; i++) { /* none fell back to the direct sum */
        int found = 0;
        for (int k = 0; k < batch.cases[i].plan->step_count; k++)
            found += batch.cases[i].plan->steps[k].algorithm == ALG_WINOGRAD ||
                     batch.cases[i].plan->steps[k].algorithm == ALG_STRASSEN;
        CU_ASSERT_EQUAL(found, 1);
    }
    const int compared = batch_check(&batch, 1e-4);
    CU_ASSERT(compared >= batch.count);
}

/* Strassen's multiplication: projections whose terms' pixels lie side by side, at a stride or between halos; one, two
 * and three terms, with an addend beside or in place; odd images, every activation with weights of its own. */
static const struct {
    const char *input, *text;
    int steps, terms, apart; /* by Strassen's method; terms of these, and those that are copied */
} strassen_cases[] = {
    {"128x9x7", "residual { conv 128, 1x1; relu; conv 256, 1x1; bn } shortcut { conv 256, 1x1; bn }; prelu", 2, 3, 0},
    {"160x13x11", "residual { conv 192, 3x3 /2; relu; conv 128, 1x1; bn } shortcut { conv 128, 1x1 /2; bn }; relu", 1,
     2, 1},
    {"192x8x10", "residual { conv 128, 1x1; relu; conv 256, 1x1 /2 } shortcut { conv 256, 1x1 /2 bias }; prelu", 2, 3,
     2},
    {"8x9x6",
     "conv 128, 3x3; relu; residual { conv 160, 3x3; swish; conv 256, 1x1; bn } shortcut { conv 256, 1x1 }; relu; conv "
     "9, 3x3",
     1, 2, 1},
    {"8x13x5", "conv 128, 3x3; concat { {conv 9, 3x3} {conv 256, 1x1 bias; prelu} {conv 128, 1x1} }", 2, 2, 2},
    {"128x15x15", "conv 256, 1x1 /2 bias; leakyrelu 0.2; conv 128, 1x1 /3; tanh", 2, 2, 2},
    {"128x7x6",
     "residual { conv 128, 1x1; relu; conv 256, 1x1; bn } shortcut { residual { conv 256, 1x1; relu; conv 256, 1x1; bn "
     "} shortcut { conv 256, 1x1 } }; relu",
     3, 5, 0},
    {"128x6x11",
     "conv 128, 1x1; relu; residual { conv 256, 1x1; relu; residual { conv 160, 1x1; relu; conv 128, 1x1; bn } "
     "shortcut { conv 128, 1x1 } } shortcut identity; prelu",
     3, 4, 0},
    {"256x5x5",
     "residual { conv 256, 1x1; relu; conv 128, 1x1; bn } shortcut { conv 128, 1x1 }; relu; residual { conv 128, 1x1; "
     "bn } shortcut identity; sigmoid",
     3, 4, 0},
};

static void test_strassen(void) {
    static const int kinds[] = {0, 2, 6, 4}; /* AVX-512; AVX2 and threads; batches and threads; C */
    enum { CASES = sizeof strassen_cases / sizeof *strassen_cases };
    Batch batch;
    batch_begin(&batch);
    for (int i = 0; i < 4 * CASES; i += stride()) {                      /* each with another draw of tiles */
        const int at = (i + i / CASES) % CASES, kind = kinds[i / CASES]; /* every case, at any stride */
        char name[32];
        Text text = {0};
        text_printf(&text, "network net {\n    input %s\n    %s\n}\n", strassen_cases[at].input,
                    strassen_cases[at].text);
        snprintf(name, sizeof name, "strassen%d", i);
        batch_add(&batch, name, text.s, with_last_layers(with_winograd(variants[kind], i + 1), i % 2 ? 9 : 0));
        text_free(&text);
        const Plan *plan = batch.cases[batch.count - 1].plan;
        int steps = 0, terms = 0, apart = 0;
        for (int k = 0; k < plan->step_count; k++) {
            const Step *s = &plan->steps[k];
            if (s->algorithm != ALG_STRASSEN) continue;
            steps++;
            for (int j = 0; j < s->nin; j++) terms++, apart += !strassen_plan(s)->term[j].flat;
        }
        CU_ASSERT_EQUAL(steps, strassen_cases[at].steps);
        CU_ASSERT_EQUAL(terms, strassen_cases[at].terms);
        CU_ASSERT_EQUAL(apart, strassen_cases[at].apart);
    }
    const int compared = batch_check(&batch, 1e-4);
    CU_ASSERT(compared >= 2 * batch.count);
}

/* Pools whose windows are apart, in the convolution before: windows that the image's edge drops or cuts off, several
 * passes over the channels, 1x1 kernels, strides, fewer channels than a stem's. */
static const struct {
    ConvCase conv;
    int r, s; /* the pool's window */
    bool ceil;
} pool_cases[] = {
    {{16, 12, 12, 16, 3, 3, 1, 1, 1, 1}, 2, 2, false}, {{17, 13, 11, 65, 3, 3, 1, 1, 1, 1}, 2, 2, false},
    {{17, 13, 11, 65, 3, 3, 1, 1, 1, 1}, 2, 2, true},  {{3, 9, 9, 10, 3, 3, 1, 0, 1, 1}, 2, 2, true},
    {{160, 7, 9, 130, 3, 3, 1, 1, 1, 1}, 2, 2, false}, {{131, 9, 7, 33, 3, 3, 1, 1, 1, 1}, 2, 2, true},
    {{20, 14, 14, 24, 5, 5, 1, 2, 1, 1}, 3, 3, false}, {{20, 13, 14, 24, 5, 5, 1, 2, 1, 1}, 3, 3, true},
    {{21, 13, 16, 20, 3, 3, 2, 1, 1, 1}, 2, 2, false}, {{4, 41, 40, 72, 3, 3, 1, 1, 1, 1}, 2, 2, false},
    {{18, 11, 12, 16, 2, 2, 1, 0, 1, 1}, 3, 2, true},  {{16, 9, 8, 16, 3, 3, 1, 1, 1, 1}, 2, 4, true},
    {{64, 2, 3, 70, 3, 3, 1, 1, 1, 1}, 2, 2, true},    {{33, 19, 61, 40, 3, 3, 1, 1, 1, 1}, 2, 2, false},
    {{12, 9, 30, 16, 1, 3, 1, 0, 1, 1}, 1, 2, false},  {{3, 30, 29, 96, 7, 7, 2, 3, 1, 1}, 2, 2, false},
    {{16, 9, 9, 16, 3, 3, 1, 1, 1, 1}, 1, 1, false},   {{600, 8, 9, 70, 1, 1, 1, 0, 1, 1}, 2, 2, false},
    {{24, 15, 15, 40, 3, 3, 1, 2, 2, 1}, 2, 2, true},
};

/* Each with every tail of the epilogue: none, bias, batch norm, ReLU, PReLU; direct, and by two draws of tiles. */
static void test_pools(void) {
    Batch batch;
    batch_begin(&batch);
    const int count = sizeof pool_cases / sizeof *pool_cases;
    int tiled = 0, apart = 0;
    for (int i = 0; i < 3 * count; i += stride()) {
        const ConvCase *conv = &pool_cases[i % count].conv;
        Arena arena = {0};
        Graph *graph = conv_graph(&arena, conv, i * 5 % 16);
        add_pool(graph, pool_cases[i % count].r, pool_cases[i % count].s, pool_cases[i % count].ceil);
        char name[32];
        snprintf(name, sizeof name, "pool%d", i);
        const bool winograd = i >= count && conv->r * conv->s > 1 && conv->dilate == 1;
        batch_add_graph(&batch, name, arena, graph, random_weights(graph, (uint64_t)i),
                        with_winograd(variants[(i + i / count) % 3 * 2], winograd ? i + 1 : 0));
        const Plan *plan = batch.cases[batch.count - 1].plan;
        for (int k = 0; k < plan->step_count; k++) {
            CU_ASSERT_NOT_EQUAL(plan->steps[k].algorithm, ALG_POOL);
            if (plan->steps[k].algorithm != ALG_WINOGRAD) continue;
            tiled++;
            apart += winograd_plan(&plan->steps[k])->pool_image;
        }
    }
    if (stride() == 1) {
        CU_ASSERT_EQUAL(tiled, 2 * (count - 2));   /* all but the 1x1 and the dilated one */
        CU_ASSERT(apart > 5 && tiled - apart > 5); /* windows across tiles, and within */
    }
    const int compared = batch_check(&batch, 1e-4);
    CU_ASSERT(compared >= batch.count);
}

/* First layers at a stride, whose few channels are taken with those of neighbouring pixels, and max-pools whose windows
 * overlap, from rows of tiles: channels, odd sizes, paddings, kernels and strides of each kind; windows that reach back
 * over several rows, none, or lie apart by more than their size. */
static const struct {
    const char *input, *text;
    bool deep; /* pixels may be taken together */
} stems[] = {
    {"3x37x41", "conv 64, 7x7 /2; bn; relu; maxpool 3x3 /2 pad 1; conv 9, 3x3", true},
    {"3x38x29", "conv 70, 7x7 /2 bias; prelu; maxpool 3x3 /2 ceil", true},
    {"3x33x32", "conv 20, 3x3 /2 bias; relu; conv 7, 3x3", true},
    {"4x31x24", "conv 130, 5x5 /2 pad 0; bn; swish; maxpool 3x3 /1 pad 1", true},
    {"1x28x35", "conv 17, 7x7 /2 pad [2, 4, 1, 3]; maxpool 5x3 /2 pad 1; relu", true},
    {"2x45x19", "conv 33, 5x7 /2 bias; relu; maxpool 2x2 /3", true},
    {"3x51x47", "conv 24, 11x11 /4 pad 2; relu; maxpool 3x3 /2", true},
    {"1x40x43", "conv 16, 8x5 /4 pad 1 bias; relu", true},
    {"3x9x70", "conv 12, 3x3 /2; relu; maxpool 2x3 /1; avgpool global", true},
    {"4x21x22", "conv 40, 4x4 /2 pad 1; relu; avgpool global; fc 5", true},
    {"3x25x26", "concat { {conv 5, 3x3 /2; relu} {maxpool 3x3 /2 pad 1} {conv 8, 7x7 /2} }", true},
    {"3x23x27", "concat { {conv 5, 5x5} {identity} }; conv 8, 5x5 /2", false},
    {"5x24x23", "conv 19, 5x5 /2; relu", false},
    {"3x25x23", "conv 21, 3x3 bias; relu; maxpool 3x3 /2 pad 1", false},
};

static void test_stems(void) {
    static const int kinds[] = {0, 2, 6, 4};
    Batch batch;
    batch_begin(&batch);
    const int count = sizeof stems / sizeof *stems;
    int deep = 0, rows = 0;
    for (int i = 0; i < 4 * count; i += stride()) { /* AVX-512, AVX2, batches, C: each with another draw of tiles */
        const int at = i % count, kind = kinds[i / count];
        char name[32];
        Text text = {0};
        text_printf(&text, "network net {\n    input %s\n    %s\n}\n", stems[at].input, stems[at].text);
        snprintf(name, sizeof name, "stem%d", i);
        batch_add(&batch, name, text.s, with_last_layers(with_winograd(variants[kind], i + 1), i % 3 ? 9 : 0));
        text_free(&text);
        const Plan *plan = batch.cases[batch.count - 1].plan;
        for (int k = 0; k < plan->step_count; k++) {
            const WinogradPlan *w = plan->steps[k].algorithm == ALG_WINOGRAD ? winograd_plan(&plan->steps[k]) : NULL;
            if (!w) continue;
            CU_ASSERT(w->side == 1 || stems[at].deep);
            deep += w->side > 1;
            rows += w->pool_rows;
        }
    }
    CU_ASSERT(deep > 20 / stride());
    CU_ASSERT(rows > 15 / stride());
    const int compared = batch_check(&batch, 1e-4);
    CU_ASSERT(compared >= batch.count);
}

/* What the random ones rarely have: an image of one pixel that a padded window reads, projections with windows and
 * groups, K in several blocks and a rest with every destination, many and wide joins, the rarer layers in their order.
 */
static const struct {
    const char *name, *text;
} written[] = {
    {"pooled", "conv 24, 3x3; relu; avgpool global; conv 40, 3x3 bias; relu; conv 9, 5x5"},
    {"window_projection",
     "conv 20, 1x1; relu; residual { conv 72, 1x1 /2; bn } shortcut { conv 72, 3x3 /2; bn }; relu; conv 20, 3x3"},
    {"grouped_projection",
     "conv 48, 1x1; relu; residual { conv 48, 3x3 groups 3 /2; bn } shortcut { conv 48, 1x1 groups 6 /2; bn }\n"
     "relu; residual { conv 30, 3x3 groups 6; bn } shortcut { conv 30, 5x5 groups 3; bn }"},
    {"deep_blocks",
     "conv 131, 1x1; relu; residual { conv 131, 3x3; bn } shortcut identity; relu; conv 1100, 1x1; relu\n"
     "residual { conv 70, 1x1; bn } shortcut { conv 70, 3x3; bn }; relu\n"
     "residual { conv 650, 1x1; bn; relu; conv 70, 1x1; bn } shortcut identity; relu"},
    {"pooled_sums", "conv 131, 3x3; relu; residual { conv 90, 3x3; bn } shortcut { conv 90, 3x3 pad 1; bn }; relu; "
                    "avgpool global; fc 7"},
    {"bottlenecks",
     "conv 256, 1x1; relu; residual { conv 128, 1x1; bn; relu; conv 128, 3x3; bn; relu; conv 256, 1x1; bn } "
     "shortcut identity; prelu; conv 128, 1x1 bias"},
    {"pooled_identity",
     "conv 24, 3x3; relu; residual { conv 24, 3x3; bn } shortcut identity; relu; avgpool global; fc 7"},
    {"pooled_option_a",
     "conv 20, 3x3; relu; residual { conv 90, 3x3 /2; bn } shortcut pad; relu; avgpool global; fc 7"},
    {"wide_join", "conv 5, 3x3; relu\n"
                  "concat { {conv 3, 1x1; relu} {conv 17, 3x3; relu} {maxpool 3x3 pad 1} {conv 1, 1x1} {avgpool 3x3 "
                  "pad 1} {conv 33, 3x3} {identity} }\n"
                  "concat { {conv 18, 3x3 groups 3; relu} {identity} {conv 13, 5x5} }; lrn size 7 alpha 0.3 beta 0.6 k "
                  "2; conv 8, 3x3; lrn size 15 alpha 2 beta 0.5 k 1e-3; scale no bias; conv 37, 1x1; lrn size 73 beta "
                  "0.6; conv 3, 1x1"},
    {"join_in_place",
     "conv 24, 1x1; relu; concat { {conv 24, 3x3; relu; residual { conv 24, 3x3; bn } shortcut identity; relu} {conv "
     "8, 1x1} }\n"
     "residual { conv 32, 3x3; bn } shortcut identity; relu; residual { conv 32, 1x1 } shortcut identity; conv 4, 7x7"},
    {"pyramid", "conv 21, 3x3; relu; residual { conv 21, 3x3 groups 21; bn; relu6; conv 21, 1x1 } shortcut identity; "
                "maxpool 2x2 /2; spp [1, 2, 3]; fc 11; softmax"},
    {"enlarged", "conv 13, 3x3 /2; prelu; upsample 3; conv 13, 3x3 groups 13; swish; maxpool 3x3 /2 ceil; tanh; pad "
                 "top 1 left 2 right 3 channels 5; conv 6, 3x3 pad 0"},
    {"flattened", "conv 19, 3x3; relu; maxpool 2x2 /2; flatten; scale; concat { {fc 21; relu} {identity} {fc 3} }; fc "
                  "70; sigmoid; fc 130"},
    {"transposed", "conv 13, 3x3 /2; relu; convtranspose 20, 4x4 /2 pad 1 bias; relu; convtranspose 40, 2x2 /2; bn; "
                   "prelu; conv 21, 3x3 /4; convtranspose 7, 3x5 /2x3 pad 1x2 output_pad 1x0 groups 7; swish; "
                   "convtranspose 5, 3x3 pad 1; layernorm"},
    {"transposed_sum", "conv 16, 2x2 /2 pad 0; residual { conv 24, 3x3; relu; convtranspose 16, 3x3 pad 1; bn } "
                       "shortcut identity; relu; convtranspose 35, 9x9 /3 pad 3 bias; sigmoid"},
    {"resized", "conv 20, 3x3 bias; groupnorm 4; relu; resize 7x9 bilinear; conv 36, 3x3 groups 2; groupnorm channels; "
                "swish; residual { conv 36, 1x1; groupnorm 1 } shortcut identity; resize 3; conv 5, 1x1; "
                "resize 20x31 bilinear align_corners; sigmoid"},
    {"largest",
     "conv 40, 3x3; relu; residual { conv 40, 3x3; bn } shortcut identity; prelu; concat { { maxpool global } "
     "{ conv 70, 3x3; tanh; maxpool global } { conv 9, 1x1 bias; maxpool 13x12 } }; fc 11"},
    {"stem_pools", "conv 70, 5x5 /2 bias; prelu; maxpool 3x3 /2 pad 1; conv 9, 3x3"},
    {"grouped_sums",
     "conv 24, 1x1; relu; residual { conv 24, 3x3 groups 6; bn } shortcut identity; prelu; residual { conv 40, 1x1; "
     "relu; conv 40, 3x3 groups 5 /2 } shortcut pad; residual { depthwise 3x3 } shortcut identity; relu6; residual { "
     "conv 90, 1x1 bias } shortcut pad; relu; shuffle 2; conv 30, 1x1"},
    {"divided_channels",
     "conv 70, 3x3 /2; relu; conv 203, 1x1; relu; depthwise 3x3; relu6; conv 136, 1x1; residual { depthwise 5x5; bn } "
     "shortcut identity; prelu; conv 130, 1x1 bias; conv 130, 3x3 /2 groups 65; relu; conv 9, 1x1"},
    {"shared_panels",
     "conv 96, 1x1; relu; conv 160, 1x1; swish; conv 80, 3x3; prelu; conv 320, 1x1 /2; residual { conv "
     "192, 1x1; relu; conv 320, 1x1 } shortcut identity; relu; fc 7"},
    {"sparse_pool", "conv 10, 3x3 bias; swish; maxpool 2x2 /3; conv 9, 3x3"},
};

static void test_written_networks(void) {
    Batch batch;
    batch_begin(&batch);
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        Text text = {0};
        text_printf(&text, "network net {\n    input 3x13x12\n    %s\n}\n", written[i].text);
        const Variant kinds[] = {variants[0], with_winograd(variants[i % 2 ? 3 : 2], (int)i + 1),
                                 with_winograd(variants[i % 2 ? 5 : 4], (int)i + 1)};
        for (size_t k = i / 2 % (size_t)stride(); k < 3; k += (size_t)stride())
            batch_add(&batch, written[i].name, text.s, kinds[k]);
        text_free(&text);
    }
    const int compared = batch_check(&batch, 5e-5);
    CU_ASSERT(compared > 100 / stride());
}

/* Graphs that random layers were reduced to (layers.c), each once wrong. */
static const struct {
    const char *text;
    int variant;
} found[] = {
    /* a depthwise layer whose addend ends between its channels: C with an unused variable */
    {"input %0 378x1x1 image\n@0 = param 378x1x1x1 name a\n@1 = param 293x378x3x3 name b\n"
     "%1 b = conv(%0 * @1 3x3 pad 1)\n%2 a = conv(%0 * @0 1x1 groups 378)\n%3 c = add(%1, %2) fill\noutput %3\n",
     2},
};

static void test_found(void) {
    Batch batch;
    batch_begin(&batch);
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        Arena arena = {0};
        Graph *graph = parsed_graph(&arena, arena_printf(&arena, "network n\n%s", found[i].text));
        batch_add_graph(&batch, arena_printf(&arena, "found%d", (int)i), arena, graph, random_weights(graph, i),
                        variants[found[i].variant]);
    }
    CU_ASSERT(batch_check(&batch, 1e-5) >= batch.count);
}

/* Fully connected layers whose weights are stored as bf16: inputs and outputs around every vector and panel border,
 * images with and without halos and gaps between pixels, tails of the epilogue, a batch norm beside them. */
static const struct {
    const char *name, *text; /* after `input 3x13x12` */
} bf16_cases[] = {
    {"one", "avgpool global; conv 1, 1x1; fc 1; fc 1"},
    {"prime", "avgpool global; conv 523, 1x1; fc 521; relu; fc 20"},
    {"lanes",
     "fc 3; relu; fc 4; relu; fc 5; relu; fc 8; relu; fc 15; relu; fc 16; relu; fc 17; sigmoid; fc 33; prelu; fc 7"},
    {"panels", "fc 63; relu; fc 64; tanh; fc 65; relu; fc 127; leakyrelu 0.1; fc 128; swish; fc 129; relu6; fc 200"},
    {"long", "conv 35, 3x3; fc 72 bias; relu; fc 1000 bias; softmax"},
    {"halo", "conv 19, 3x3; relu; concat { {conv 5, 3x3; fc 21; relu} {fc 13} {fc 70 bias; relu} }; fc 66"},
    {"pixels", "conv 17, 1x1; relu; maxpool 2x2 /2; concat { {conv 3, 1x1} {identity} }; fc 45; bn; relu; fc 9"},
    {"norms", "conv 20, 3x3; flatten; bn; fc 50; bn; prelu; scale; fc 11; scale; softmax"},
    {"sum", "fc 24; residual { fc 24; relu; fc 24 } shortcut identity; relu; fc 6"},
};

static void test_bf16(void) {
    static const Variant stored[] = {
        {"O2_bf16", 2, 4, "store-bf16", 1, 1, 0, KERNELS_JIT, NULL, 0},
        {"O2_bf16_avx2_threads3_batch2", 2, 3, "store-bf16", 3, 2, 0, KERNELS_JIT, NULL, 0},
        {"O0_bf16", 0, 4, "store-bf16", 2, 1, 0, KERNELS_STATIC, NULL, 0},
        {"O2_bf16_c", 2, 0, "store-bf16", 1, 1, 0, KERNELS_C, NULL, 0},
        /* groups of images, whose weights are widened once for a block of them */
        {"O2_bf16_group13", 2, 4, "store-bf16", 1, 13, 0, KERNELS_JIT, NULL, 1},
        {"O2_bf16_avx2_group7", 2, 3, "store-bf16", 2, 7, 0, KERNELS_STATIC, NULL, 1},
        {"O2_bf16_c_group2", 2, 0, "store-bf16", 1, 2, 0, KERNELS_C, NULL, 1},
    };
    enum { VARIANTS = sizeof stored / sizeof *stored };
    Batch batch;
    batch_begin(&batch);
    for (size_t i = 0; i < sizeof bf16_cases / sizeof *bf16_cases; i++) {
        Text text = {0};
        text_printf(&text, "network net {\n    input 3x13x12\n    %s\n}\n", bf16_cases[i].text);
        for (size_t v = 0; v < VARIANTS; v += 2 * (size_t)stride())
            batch_add(&batch, bf16_cases[i].name, text.s, stored[(v + i) % VARIANTS]);
        text_free(&text);
    }
    for (int i = 0; i < batch.count; i++) /* all of them are */
        for (int k = 0; k < batch.cases[i].plan->step_count; k++) {
            const Step *s = &batch.cases[i].plan->steps[k];
            if (s->algorithm == ALG_FC) CU_ASSERT(fc_plan(s)->type == RN_BF16);
        }
    const int compared = batch_check(&batch, 1e-5);
    CU_ASSERT(compared >= 2 * batch.count);
}

void suite_networks(void) {
    CU_pSuite suite = CU_add_suite("networks", NULL, NULL);
    CU_add_test(suite, "convolutions over odd shapes", test_convolutions);
    CU_add_test(suite, "groups that merge into one panel", test_merged_groups);
    CU_add_test(suite, "terms with groups of their own", test_grouped_terms);
    CU_add_test(suite, "Winograd's method over odd shapes", test_winograd);
    CU_add_test(suite, "Strassen's multiplication of several terms", test_strassen);
    CU_add_test(suite, "pools in the convolution before", test_pools);
    CU_add_test(suite, "weights stored as bf16", test_bf16);
    CU_add_test(suite, "first layers by Winograd's method", test_stems);
    CU_add_test(suite, "what random layers found", test_found);
    CU_add_test(suite, "written networks", test_written_networks);
    CU_add_test(suite, "random networks", test_random_networks);
}
