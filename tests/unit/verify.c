/* The verifier: a sound graph passes, and each way to break one is found and named. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "graph/irtext.h"
#include "graph/verify.h"
#include "graph/ops.h"

static const char *const sound =
    "network t\ninput %0 8x8x8 image\n\n"
    "@0 = param 8x8x3x3 name conv.weight\n@1 = param 8 name conv.bias\n@2 = param 8 name bn.weight\n"
    "@3 = fill 8 real 1\n@4 = scale_out(@0, @3) 8x8x3x3\n\n"
    "%1 8x8x8 a = conv(%0 * @4 3x3 pad 1) + @1 -> relu\n"
    "%2 8x8x8 b = bn(%1) weight @2 bias @1 mean @1 var @3 eps 1e-05 momentum 0.1\n"
    "%3 8x8x8 c = conv(%2 * @0 3x3 pad 1) + @1 + %1 in_place -> prelu weight @2\n"
    "%4 8x4x4 d in %5[0] = conv(%3 * @0 3x3 pad 1) -> maxpool 2x2 /2 hides full\n"
    "%5 8x4x4 e = concat(%4)\noutput %5\n";

enum { A, B, C, D, E }; /* positions of the nodes */

static Graph *parse_sound(Arena *arena) {
    static Source source;
    source = (Source){"t.ir", sound, strlen(sound)};
    Diag diag = {0};
    Graph *graph = irtext_parse(arena, &source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return graph;
}

static void break_shape(Graph *g) {
    g->nodes[B]->out->shape.w = 7;
}
static void break_unpooled(Graph *g) {
    g->nodes[D]->epilogue.unpooled.h = 9;
}
static void break_order(Graph *g) {
    Node *first = g->nodes[A];
    g->nodes[A] = g->nodes[B], g->nodes[B] = first;
    graph_renumber(g);
}
static void break_ids(Graph *g) {
    g->nodes[C]->id = 7;
}
static void break_producer(Graph *g) {
    g->nodes[B]->out->producer = g->nodes[A];
}
static void break_twice(Graph *g) {
    g->nodes[B]->out = g->nodes[A]->out, g->nodes[A]->out->producer = g->nodes[B];
}
static void break_foreign_value(Graph *g) {
    g->nodes[B]->in[0] = arena_alloc(g->arena, sizeof(Value));
}
static void break_inputs(Graph *g) {
    g->nodes[B]->nin = 0;
}
static void break_weight(Graph *g) {
    g->nodes[A]->term[0].weight = g->tensors[1];
}
static void break_no_weight(Graph *g) {
    g->nodes[A]->term[0].weight = NULL;
}
static void break_groups(Graph *g) {
    g->nodes[A]->term[0].groups = 3;
}
static void break_window(Graph *g) {
    g->nodes[A]->term[0].window = (Window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0, false};
}
static void break_features(Graph *g) {
    g->nodes[A]->features = 9;
}
static void break_bn(Graph *g) {
    g->nodes[B]->weight[VAR] = NULL;
}
static void break_extra(Graph *g) {
    g->nodes[E]->weight[WEIGHT] = g->tensors[1];
}
static void break_bias(Graph *g) {
    g->nodes[C]->epilogue.bias = g->tensors[0];
}
static void break_prelu(Graph *g) {
    g->nodes[C]->epilogue.prelu = NULL;
}
static void break_relu_slopes(Graph *g) {
    g->nodes[A]->epilogue.prelu = g->tensors[1];
}
static void break_name(Graph *g) {
    g->nodes[C]->name = "a";
}
static void break_args(Graph *g) {
    g->tensors[4]->arg[1] = g->tensors[4];
}
static void break_dims(Graph *g) {
    g->tensors[3]->dim[0] = 7;
}
static void break_param_name(Graph *g) {
    g->tensors[2]->name = "conv.bias";
}
static void break_packing(Graph *g) {
    g->tensors[3]->op = RN_PACK_VECTOR;
}
static void break_addend(Graph *g) {
    g->nodes[C]->epilogue.addend_stride = 2, g->nodes[C]->epilogue.in_place = false;
}
static void break_partial(Graph *g) {
    g->nodes[C]->epilogue.addend_partial = true;
}
static void break_in_place_input(Graph *g) {
    g->nodes[C]->epilogue.addend = g->input;
}
static void break_in_place_last(Graph *g) {
    g->nodes[D]->in[0] = g->nodes[A]->out;
}
static void break_in_place_read(Graph *g) {
    g->nodes[C]->in[0] = g->nodes[A]->out;
}
static void break_in_place_output(Graph *g) {
    graph_add_output(g, g->nodes[A]->out);
}
static void break_home(Graph *g) {
    g->nodes[D]->out->home_channel = 1;
}
static void break_home_op(Graph *g) {
    g->nodes[B]->out->home = g->nodes[A]->out;
}
static void break_home_act(Graph *g) {
    g->nodes[E]->epilogue.act = ACT_RELU;
}
static void break_output(Graph *g) {
    g->outputs[0]->is_output = false;
}
static void break_unlisted(Graph *g) {
    g->nodes[D]->out->is_output = true;
}
static void break_no_output(Graph *g) {
    g->outputs[0]->is_output = false, g->output_count = 0;
}
static void break_dead_producer(Graph *g) {
    g->nodes[D]->out->home = NULL, g->node_count = 4;
}

static const struct {
    void (*apply)(Graph *graph);
    const char *message;
} breaks[] = {
    {break_shape, "layer b: its shape is 8x8x7"},
    {break_unpooled, "layer d: its shape is 8x4x4 (8x9x8 before a pool)"},
    {break_order, "layer b: reads a, which is not made before it"},
    {break_ids, "layer c: id 7 at position 2"},
    {break_producer, "layer b: its value does not name it as producer"},
    {break_twice, "layer a: its value does not name it as producer"},
    {break_foreign_value, "layer b: input 0 is no value of the graph"},
    {break_inputs, "layer b: bn with 0 inputs"},
    {break_weight, "layer a: the dims of weight conv.bias do not fit term 0"},
    {break_no_weight, "layer a: term 0 has no weight"},
    {break_groups, "groups 3 does not divide 8 input channels"},
    {break_window, "layer a: the dims of weight"},
    {break_features, "layer a: its shape is 8x8x8"},
    {break_bn, "layer b: no variance"},
    {break_extra, "layer e: concat has no weight"},
    {break_bias, "layer c: its bias conv.weight is not a vector of 8"},
    {break_prelu, "layer c: prelu's slopes"},
    {break_relu_slopes, "layer a: prelu's slopes"},
    {break_name, "two layers with parameters are called a"},
    {break_args, "tensor : argument 2 does not come before it"},
    {break_dims, "tensor : dims or integers do not fit scale_out"},
    {break_param_name, "two parameters are called conv.bias"},
    {break_packing, "is none of a graph's"},
    {break_addend, "layer c: an addend of 8x8x8 (stride 2) does not fit a result of 8x8x8"},
    {break_partial, "layer c: in_place, but the addend is partial"},
    {break_in_place_input, "layer c: in_place, but the addend is the network's input"},
    {break_in_place_last, "layer c: in_place, but the addend is read again"},
    {break_in_place_read, "layer c: in_place, but the addend is an input too"},
    {break_in_place_output, "layer c: in_place, but the addend is an output"},
    {break_home, "value d: it is not channel 1 of its home e"},
    {break_home_op, "value b: its home a is no concatenation"},
    {break_home_act, "value d: its home e has an epilogue"},
    {break_output, "output 0 is not made, or not marked"},
    {break_unlisted, "1 values are marked as outputs, but not listed"},
    {break_no_output, "the graph has no output"},
    {break_dead_producer, "it has a producer that does not make it"},
};

static void test_breaks(void) {
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
        Arena arena = {0};
        Text problem = {0};
        Graph *graph = parse_sound(&arena);
        CU_ASSERT_TRUE(graph_check(graph, &problem, NULL));
        breaks[i].apply(graph);
        CU_ASSERT_FALSE(graph_check(graph, &problem, NULL));
        bool found = problem.s && strstr(problem.s, breaks[i].message);
        if (!found) fprintf(stderr, "expected: %s\ngot: %s\n", breaks[i].message, problem.s ? problem.s : "nothing");
        CU_ASSERT_TRUE(found);
        text_free(&problem);
        arena_free(&arena);
    }
}

/* Checking must not change what it checks: it infers shapes again in place. */
static void test_unchanged(void) {
    Arena arena = {0};
    Graph *graph = parse_sound(&arena);
    break_shape(graph);
    CU_ASSERT_FALSE(graph_check(graph, NULL, NULL));
    CU_ASSERT_EQUAL(graph->nodes[B]->out->shape.w, 7);
    arena_free(&arena);
}

static void test_place(void) {
    Arena arena = {0};
    Graph *graph = parse_sound(&arena);
    Place place;
    break_bias(graph);
    CU_ASSERT_FALSE(graph_check(graph, NULL, &place));
    CU_ASSERT_EQUAL(place.line, 12);
    arena_free(&arena);
}

void suite_verify(void) {
    CU_pSuite suite = CU_add_suite("verify", NULL, NULL);
    CU_add_test(suite, "each broken rule is named", test_breaks);
    CU_add_test(suite, "checking changes nothing", test_unchanged);
    CU_add_test(suite, "the place of the broken layer", test_place);
}
