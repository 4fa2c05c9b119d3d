/* The language's front end, source text to graph: names, shortcuts, defaults, parameters, preprocessing, outputs,
 * places, limits, and the formatter. The train section is tests/unit/train.c's; trees and messages are held by
 * tests/golden/parse. */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "graph/verify.h"
#include "language/ast.h"
#include "graph/ops.h"
#include "language/parse.h"

typedef struct Result {
    Arena arena;
    Text messages;
    Diag diag;
    Graph *graph; /* NULL after errors */
} Result;

static void load(Result *r, const char *text, const char *define) {
    *r = (Result){0};
    r->diag.capture = &r->messages;
    Source *source = arena_alloc(&r->arena, sizeof *source);
    *source = (Source){"no-such-folder/test.rn", text, strlen(text)};
    Ast *ast = ast_parse_text(&r->arena, source, &r->diag);
    if (ast) r->graph = elaborate(&r->arena, ast, &define, define ? 1 : 0, &r->diag);
}

/* A text that must be right. */
static Graph *load_good(Result *r, const char *text) {
    load(r, text, NULL);
    if (r->messages.size) fprintf(stderr, "%s", r->messages.s);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r->graph);
    CU_ASSERT_EQUAL(r->diag.errors, 0);
    verify_graph(r->graph);
    return r->graph;
}

static void finish(Result *r) {
    text_free(&r->messages);
    arena_free(&r->arena);
}

static bool says(const Result *r, const char *part) {
    bool found = r->messages.size && strstr(r->messages.s, part);
    if (!found) fprintf(stderr, "not said: %s\n%s", part, r->messages.size ? r->messages.s : "");
    return found;
}

/* All layers' names in order, each followed by a blank. */
static void check_names(const Graph *graph, const char *expected) {
    Text names = {0};
    for (int i = 0; i < graph->node_count; i++) text_printf(&names, "%s ", graph->nodes[i]->name);
    CU_ASSERT_STRING_EQUAL(names.s, expected);
    if (strcmp(names.s, expected)) fprintf(stderr, "%s\n%s\n", names.s, expected);
    text_free(&names);
}

static const Node *node(const Graph *graph, const char *name) {
    const Value *value = graph_find_layer(graph, name);
    if (!value) fprintf(stderr, "no layer %s\n", name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    return value->producer;
}

static bool has_shape(const Node *n, int c, int h, int w) {
    return shape_equal(n->out->shape, (Shape){c, h, w});
}

#define BASIC(shortcut)                                                                                                \
    "block basic(width) {\n residual {\n conv width, 3x3 /stride; bn; relu\n conv width, 3x3; bn\n } " shortcut        \
    "\n relu\n}\n"
#define NET(body) "network net(classes = 10, size = 8) {\n input 3 x size x size\n" body "\n}\n"

/* The nodes' operations and shapes; a pool to a size has windows side by side. */
static void test_moving_layers(void) {
    Result r;
    const Graph *g = load_good(&r, NET("conv 12, 3x3; avgpool to 4x2; slice channel 2, channels 8; slice 2x1 top 1\n"
                                       "depthtospace 2; pixelunshuffle 2; spacetodepth 1; pixelshuffle 1; shuffle 2\n"
                                       "reshape 4x2x2; clip -1, 1; clip high 0.5; slice channel 3"));
    static const Op ops[] = {OP_CONV,       OP_AVGPOOL, OP_SLICE,   OP_SLICE, OP_INTERLEAVE, OP_PHASES, OP_PHASES,
                             OP_INTERLEAVE, OP_SHUFFLE, OP_RESHAPE, OP_CLIP,  OP_CLIP,       OP_SLICE};
    static const Shape shapes[] = {{12, 8, 8}, {12, 4, 2}, {8, 4, 2}, {8, 2, 1}, {2, 4, 2}, {8, 2, 1}, {8, 2, 1},
                                   {8, 2, 1},  {8, 2, 1},  {4, 2, 2}, {4, 2, 2}, {4, 2, 2}, {1, 2, 2}};
    CU_ASSERT_EQUAL_FATAL(g->node_count, 13);
    for (int i = 0; i < g->node_count; i++)
        CU_ASSERT(g->nodes[i]->op == ops[i] && shape_equal(g->nodes[i]->out->shape, shapes[i]));
    const Window *w = &g->nodes[1]->attr.window;
    CU_ASSERT(w->r == 2 && w->s == 4 && w->stride_h == 2 && w->stride_w == 4 && window_is_disjoint(w));
    CU_ASSERT(g->nodes[4]->attr.channels == 2 && g->nodes[5]->attr.channels == 1);
    CU_ASSERT(g->nodes[10]->attr.low == -1 && g->nodes[10]->attr.high == 1 && isinf(g->nodes[11]->attr.low));
    finish(&r);
}

static void test_default_names(void) {
    Result r;
    check_names(
        load_good(&r, BASIC("") NET("conv 8, 3x3; bn; relu; maxpool 2x2 /2; stage 1 basic(8); stage 2 basic(16) /2\n"
                                    "basic(16); basic(16); avgpool global; fc classes; fc 5; softmax")),
        "conv1 bn1 relu maxpool layer1.0.conv1 layer1.0.bn1 layer1.0.relu layer1.0.conv2 layer1.0.bn2 "
        "layer1.0.add layer1.0.relu2 layer2.0.conv1 layer2.0.bn1 layer2.0.relu layer2.0.conv2 layer2.0.bn2 "
        "layer2.0.downsample.0 layer2.0.downsample.1 layer2.0.add layer2.0.relu2 layer2.1.conv1 layer2.1.bn1 "
        "layer2.1.relu layer2.1.conv2 layer2.1.bn2 layer2.1.add layer2.1.relu2 basic.conv1 basic.bn1 basic.relu "
        "basic.conv2 basic.bn2 basic.add basic.relu2 basic2.conv1 basic2.bn1 basic2.relu basic2.conv2 basic2.bn2 "
        "basic2.add basic2.relu2 avgpool fc fc2 softmax ");
    finish(&r);
}

static void test_given_names(void) {
    Result r;
    check_names(
        load_good(
            &r,
            "block b(n) { conv 8, 3x3 as /con{n+index}; relu as act; gate { avgpool global; sigmoid } as se }\n" NET(
                "stage 2 b(3) as body; stage 2 b(7) as x{2*index}; b(20) as one\n"
                "repeat 2 { relu } as r; repeat 2 { tanh }; concat { { relu } as left; { relu; relu } }")),
        "con3 body.0.act body.0.se.avgpool body.0.se.sigmoid body.0.se.mul con4 body.1.act body.1.se.avgpool "
        "body.1.se.sigmoid body.1.se.mul con7 x0.act x0.se.avgpool x0.se.sigmoid x0.se.mul con8 x2.act "
        "x2.se.avgpool x2.se.sigmoid x2.se.mul con20 one.act one.se.avgpool one.se.sigmoid one.se.mul r.0.relu "
        "r.1.relu tanh tanh2 left.relu relu relu2 concat ");
    finish(&r);
    check_names(load_good(&r, "block b2 { tanh }\n" NET("relu6; relu6; relu; relu6; relu; b2; b2")),
                "relu6 relu6_2 relu relu6_3 relu2 b2.tanh b2_2.tanh ");
    finish(&r);
    /* "relu6" is the first relu6 and the sixth relu */
    check_names(load_good(&r, NET("relu6; relu; relu; relu; relu; relu; relu; relu6")),
                "relu6 relu relu2 relu3 relu4 relu5 relu7 relu6_2 ");
    finish(&r);
    check_names(load_good(&r, NET("relu; relu; relu; relu; relu; relu; relu6; relu6; relu")),
                "relu relu2 relu3 relu4 relu5 relu6 relu6_2 relu6_3 relu7 ");
    finish(&r);
    load(&r, NET("relu as a; relu as a"), NULL);
    CU_ASSERT(!r.graph && says(&r, "a second layer called 'a'"));
    finish(&r);
}

static void test_projection(void) {
    Result r;
    const Graph *graph = load_good(&r, BASIC("shortcut project") NET("conv 8, 3x3; stage 2 basic(16) /2"));
    const Node *conv = node(graph, "layer1.0.downsample.0"), *add = node(graph, "layer1.0.add");
    CU_ASSERT(has_shape(conv, 16, 4, 4) && conv->term[0].window.r == 1 && conv->term[0].window.stride_h == 2);
    CU_ASSERT(!conv->epilogue.bias && !add->attr.fill);
    CU_ASSERT_PTR_EQUAL(conv->in[0], node(graph, "conv1")->out);
    CU_ASSERT_PTR_EQUAL(add->in[0], node(graph, "layer1.0.bn2")->out);
    CU_ASSERT_PTR_EQUAL(add->in[1], node(graph, "layer1.0.downsample.1")->out);
    CU_ASSERT_PTR_EQUAL(node(graph, "layer1.1.add")->in[1], node(graph, "layer1.0.relu2")->out);
    CU_ASSERT_PTR_NULL(graph_find_layer(graph, "layer1.1.downsample.0"));
    finish(&r);
    graph = load_good(&r, BASIC("shortcut project always") NET("conv 8, 3x3; stage 2 basic(8)"));
    CU_ASSERT(has_shape(node(graph, "layer1.1.downsample.1"), 8, 8, 8));
    finish(&r);
}

static void test_option_a(void) {
    Result r;
    const Graph *graph = load_good(&r, BASIC("shortcut pad") NET("conv 8, 3x3; stage 2 basic(16) /2; basic(20)"));
    const Node *sample = node(graph, "layer1.0.downsample.0"), *add = node(graph, "layer1.0.add");
    CU_ASSERT(sample->op == OP_MAXPOOL && sample->attr.window.r == 1 && sample->attr.window.stride_h == 2);
    CU_ASSERT(has_shape(sample, 8, 4, 4) && add->attr.fill && has_shape(add, 16, 4, 4));
    CU_ASSERT_FALSE(node(graph, "layer1.1.add")->attr.fill);
    CU_ASSERT_PTR_EQUAL(node(graph, "basic.add")->in[1], node(graph, "layer1.1.relu2")->out); /* stride 1: no pool */
    CU_ASSERT_TRUE(node(graph, "basic.add")->attr.fill);
    finish(&r);
    load(&r, NET("conv 8, 3x3; residual { conv 4, 3x3 } shortcut pad"), NULL);
    CU_ASSERT(!r.graph && says(&r, "which has more channels"));
    finish(&r);
}

static void test_other_shortcuts(void) {
    Result r;
    const Graph *graph = load_good(&r, BASIC("shortcut none") NET("stage 1 basic(16) /2"));
    CU_ASSERT_PTR_NULL(graph_find_layer(graph, "layer1.0.add"));
    finish(&r);
    graph = load_good(&r, BASIC("shortcut { avgpool 2x2 /2 } fill") NET("conv 8, 3x3; stage 2 basic(16) /2"));
    CU_ASSERT(node(graph, "layer1.0.downsample.0")->op == OP_AVGPOOL && node(graph, "layer1.0.add")->attr.fill);
    CU_ASSERT_PTR_NULL(graph_find_layer(graph, "layer1.1.downsample.0"));
    finish(&r);
    graph = load_good(&r, BASIC("shortcut always { bn as own }") NET("conv 8, 3x3; stage 2 basic(8)"));
    CU_ASSERT_PTR_EQUAL(node(graph, "layer1.1.add")->in[1], node(graph, "layer1.1.own")->out);
    finish(&r);
    load(&r, BASIC("shortcut identity") NET("conv 8, 3x3; stage 2 basic(16) /2"), NULL);
    CU_ASSERT(!r.graph && says(&r, "its body gives 16x4x4, its shortcut 8x8x8") &&
              says(&r, "in this use of block 'basic'"));
    CU_ASSERT_EQUAL(r.diag.errors, 1); /* once, though the stage has two copies */
    finish(&r);
}

static void test_identity_or_none(void) {
    Result r;
    const Graph *graph =
        load_good(&r, BASIC("shortcut identity or none") NET("conv 8, 3x3; basic(8); basic(8) /2; basic(16)"));
    CU_ASSERT_PTR_EQUAL(node(graph, "basic.add")->in[1], node(graph, "conv1")->out);
    CU_ASSERT_PTR_EQUAL(node(graph, "basic2.relu2")->in[0], node(graph, "basic2.bn2")->out);
    CU_ASSERT(!graph_find_layer(graph, "basic2.add") && !graph_find_layer(graph, "basic3.add"));
    finish(&r);
}

/* `channels`, `height`, `width`: of the value that the statement reads. */
static void test_shape_names(void) {
    Result r;
    const Graph *graph =
        load_good(&r, "block wide(k, inner = channels*2) {\n conv 7, 1x1\n conv inner, 3x3 /stride\n conv k, 1x1\n}\n"
                      "block own(width, height = 2) { conv width*height, 1x1 }\n" NET(
                          "conv 8, 3x3 /2x1; wide(channels) /2; conv height, 1x1; conv 10*width, 1x1\n"
                          "stage 2 wide(channels + 1); own(5)\n"
                          "residual { conv channels/2, 1x1 as half; conv 2*channels, 1x1 as whole } shortcut identity\n"
                          "residual { conv 4, 3x3 } shortcut { conv channels - 6, 1x1 as side }\n"
                          "concat { { conv 3, 3x3 }; { conv channels, 3x3 as branch } }\n"
                          "gate { avgpool global; conv channels*height, 1x1 as excite }\n"
                          "from conv1; repeat 2 { conv channels + 1, 1x1 as n{channels} }"));
    CU_ASSERT(has_shape(node(graph, "wide.conv2"), 16, 2, 4) && has_shape(node(graph, "wide.conv3"), 8, 2, 4));
    CU_ASSERT(has_shape(node(graph, "conv2"), 2, 2, 4) && has_shape(node(graph, "conv3"), 40, 2, 4));
    CU_ASSERT(has_shape(node(graph, "layer1.0.conv2"), 80, 2, 4) && has_shape(node(graph, "layer1.1.conv2"), 82, 2, 4));
    CU_ASSERT(has_shape(node(graph, "layer1.1.conv3"), 42, 2, 4) && has_shape(node(graph, "own.conv1"), 10, 2, 4));
    CU_ASSERT(has_shape(node(graph, "half"), 5, 2, 4) && has_shape(node(graph, "whole"), 10, 2, 4));
    CU_ASSERT(has_shape(node(graph, "side"), 4, 2, 4) && has_shape(node(graph, "branch"), 4, 2, 4));
    CU_ASSERT(has_shape(node(graph, "excite"), 7, 1, 1) && has_shape(node(graph, "n8"), 9, 4, 8));
    CU_ASSERT(has_shape(node(graph, "n9"), 10, 4, 8));
    finish(&r);
    static const char *const wrong[][2] = {
        {"network n(k = channels) { input 3x8x8; fc k }", ":1:15: error: 'channels' is that of the value at hand"},
        {"network n { input 3 x height x 8; relu }", ":1:23: error: 'height' is that of the value at hand"},
        {"network n { input 3x8x8; relu }\ntrain { batch width }", ":2:15: error: 'width' is that of the value at"},
        {"network n { input 3x8x8; fc chanels }", "did you mean 'channels'?"},
        /* what follows an error has no value, and no errors for that */
        {"network n { input 3x8x8; conv 8, 9x9 pad 0; fc channels; repeat width { relu }; if (height > 1) { relu } }",
         "does not fit"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        load(&r, wrong[i][0], NULL);
        CU_ASSERT(!r.graph && r.diag.errors == 1 && says(&r, wrong[i][1]));
        finish(&r);
    }
}

static void test_choice(void) {
    static const struct {
        const char *expr;
        int value; /* 0: an error */
    } rows[] = {{"true ? 2 : 3", 2},
                {"false ? 2 : 3", 3},
                {"false ? 1/0 : 4", 4}, /* the other is not evaluated */
                {"true ? 5 : nothing", 5},
                {"false ? 1 : true ? 2 : 3", 2}, /* from the right */
                {"false ? 1 : false ? 2 : 3", 3},
                {"true ? false ? 1 : 2 : 3", 2},
                {"1 < 2 || false ? 6 : 7", 6}, /* loosest */
                {"true ? 1 : 2 + 3", 1},
                {"(true ? 1 : 2) + 3", 4},
                {"true ? -1 + 3 : -2", 2},
                {"max(true ? 9 : 8, 3)", 9},
                {"1 ? 2 : 3", 0},
                {"true ? false : 3", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Result r;
        char text[100];
        snprintf(text, sizeof text, "network n { input 3x8x8; fc %s }", rows[i].expr);
        load(&r, text, NULL);
        CU_ASSERT_EQUAL(r.diag.errors, rows[i].value == 0);
        CU_ASSERT((r.graph != NULL) == (rows[i].value != 0));
        if (r.graph) CU_ASSERT(has_shape(node(r.graph, "fc"), rows[i].value, 1, 1));
        finish(&r);
    }
}

static void test_convolution_defaults(void) {
    Result r;
    const Graph *graph =
        load_good(&r, NET("conv 8, 5x3; conv 8, 3x3 dilate 2; conv 8, 3x3 /2x1 pad 0 bias\n"
                          "conv 8, 3x3 groups 4 pad [1, 2, 0, 1]; fc 4; fc 4 no bias; fc 4 bias false"));
    const Window *w = &node(graph, "conv1")->term[0].window;
    CU_ASSERT(w->r == 5 && w->s == 3 && w->top == 2 && w->left == 1 && w->bottom == 2 && w->right == 1);
    w = &node(graph, "conv2")->term[0].window;
    CU_ASSERT(w->dilate_h == 2 && w->top == 2 && has_shape(node(graph, "conv2"), 8, 8, 8));
    w = &node(graph, "conv3")->term[0].window;
    CU_ASSERT(w->stride_h == 2 && w->stride_w == 1 && has_shape(node(graph, "conv3"), 8, 3, 6));
    w = &node(graph, "conv4")->term[0].window;
    CU_ASSERT(w->top == 1 && w->left == 2 && w->bottom == 0 && w->right == 1);
    CU_ASSERT_EQUAL(node(graph, "conv4")->term[0].weight->dim[1], 2);
    CU_ASSERT(!node(graph, "conv1")->epilogue.bias && node(graph, "conv3")->epilogue.bias);
    CU_ASSERT_STRING_EQUAL(node(graph, "conv3")->epilogue.bias->name, "conv3.bias");
    CU_ASSERT(node(graph, "fc")->epilogue.bias && !node(graph, "fc2")->epilogue.bias &&
              !node(graph, "fc3")->epilogue.bias);
    finish(&r);
}

/* TensorFlow's other way to say SAME: max(k - s, 0) zeros where s divides the size, else max(k - size % s, 0). */
static void check_same(int size, int k, int stride, int dilate) {
    char text[160];
    Result r;
    snprintf(text, sizeof text, "network n { input 1x%dx40; conv 1, %dx3 /%dx1 pad same dilate %d }", size, k, stride,
             dilate);
    const Node *conv = node(load_good(&r, text), "conv1");
    const Window *w = &conv->term[0].window;
    int span = dilate * (k - 1) + 1, total = span - (size % stride ? size % stride : stride);
    if (total < 0) total = 0;
    CU_ASSERT(w->top == total / 2 && w->bottom == total - total / 2 && w->left == dilate && w->right == dilate);
    CU_ASSERT_EQUAL(conv->out->shape.h, (size + stride - 1) / stride);
    finish(&r);
}

static void test_padding_words(void) {
    Result r;
    for (int size = 1; size <= 12; size++)
        for (int k = 1; k <= 7; k++)
            for (int stride = 1; stride <= 5; stride++)
                for (int dilate = 1; dilate <= 2; dilate++) check_same(size, k, stride, dilate);
    const Graph *graph = load_good(
        &r, "block b(same) { maxpool 3x3 pad same }\n" NET("maxpool 3x3 /2 pad same; avgpool 3x3 pad valid; b(1)"));
    const Window *w = &node(graph, "maxpool")->attr.window;
    CU_ASSERT(w->top == 0 && w->left == 0 && w->bottom == 1 && w->right == 1);
    CU_ASSERT(has_shape(node(graph, "avgpool"), 3, 2, 2));
    CU_ASSERT(has_shape(node(graph, "b.maxpool"), 3, 2, 2)); /* a parameter of that name */
    finish(&r);
    load(&r, NET("conv 8, 3x3 pad some"), NULL);
    CU_ASSERT(!r.graph && says(&r, "nothing is called 'some'"));
    finish(&r);
}

static void test_depthwise(void) {
    Result r;
    const Graph *graph =
        load_good(&r, "block b(depthwise) { conv depthwise, 1x1 }\n" NET(
                          "conv 6, 1x1; depthwise 3x3 /2; depthwise 12, 5x3 dilate 2 bias as two; b(2)"));
    const Term *term = &node(graph, "conv2")->term[0];
    CU_ASSERT(has_shape(node(graph, "conv2"), 6, 4, 4) && term->groups == 6 && term->window.top == 1);
    term = &node(graph, "two")->term[0];
    CU_ASSERT(has_shape(node(graph, "two"), 12, 4, 4) && term->groups == 6 && node(graph, "two")->epilogue.bias);
    CU_ASSERT(term->window.top == 4 && term->window.left == 2 && term->weight->dim[1] == 1);
    finish(&r);
    static const char *const wrong[][2] = {{"depthwise", "its kernel size is missing, as in `depthwise 3x3`"},
                                           {"depthwise 3x3 groups 3", "depthwise has no attribute 'groups'"},
                                           {"depthwise 3x3, 3x3", "one argument too many"},
                                           {"depthwise 7, 3x3", "groups 3 does not divide 7 output channels"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[100];
        snprintf(text, sizeof text, "network n { input 3x8x8; %s }", wrong[i][0]);
        load(&r, text, NULL);
        CU_ASSERT(!r.graph && r.diag.errors == 1 && says(&r, wrong[i][1]));
        finish(&r);
    }
}

static void test_synonyms(void) {
    Result r;
    const Graph *graph = load_good(&r, NET("conv 8, 3x3 padding 0 group 1; batchnorm epsilon 1e-3; silu; batchnorm2d\n"
                                           "conv 8, 3x3 dilation 2; silu as act; linear 12; dense classes no bias"));
    check_names(graph, "conv1 bn1 swish bn2 conv2 act fc fc2 ");
    CU_ASSERT(has_shape(node(graph, "conv1"), 8, 6, 6) && node(graph, "bn1")->attr.eps == 1e-3);
    CU_ASSERT(node(graph, "conv2")->term[0].window.dilate_h == 2 && node(graph, "act")->op == OP_SWISH);
    CU_ASSERT(node(graph, "fc")->epilogue.bias && !node(graph, "fc2")->epilogue.bias);
    finish(&r);
    /* no reserved words: a block of the name hides them, wherever it is declared; a parameter is one */
    graph = load_good(
        &r, NET("silu; dense(3); stage 1 dense(2); silu as b") "\nblock silu(linear = 4) { conv linear, 1x1 }\n"
                                                               "block dense(k) { conv k, 1x1 }");
    check_names(graph, "silu.conv1 dense.conv1 layer1.0.conv1 b.conv1 ");
    CU_ASSERT(has_shape(node(graph, "silu.conv1"), 4, 8, 8) && has_shape(node(graph, "dense.conv1"), 3, 8, 8));
    finish(&r);
    load(&r, "block dense(k) { conv k, 1x1 }\n" NET("dense 3"), NULL);
    CU_ASSERT(!r.graph && r.diag.errors == 1 && says(&r, "'dense' is a block here"));
    finish(&r);
}

/* words.def: in the spelling that it is looked up by, each once, none a word of the language. */
static void test_words(void) {
    static const struct {
        const char *word, *standard;
        bool attr;
    } rows[] = {
#define SAME(word, standard) {#word, #standard, false},
#define WRITE(word, how) {#word, NULL, false},
#define ABSENT(word, nearest) {#word, NULL, false},
#define SAME_ATTR(word, standard) {#word, #standard, true},
#define WRITE_ATTR(word, how) {#word, NULL, true},
#define ABSENT_ATTR(word, nearest) {#word, NULL, true},
#include "language/words.def"
    };
    LayerWord layer;
    int n = sizeof rows / sizeof *rows;
    for (int i = 0; i < n; i++) {
        for (const char *s = rows[i].word; *s; s++) CU_ASSERT((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9'));
        for (int j = 0; j < i; j++) CU_ASSERT(rows[i].attr != rows[j].attr || strcmp(rows[i].word, rows[j].word));
        if (rows[i].attr) CU_ASSERT(!attr_is_keyed(rows[i].word));
        if (rows[i].attr && rows[i].standard) CU_ASSERT(attr_is_keyed(rows[i].standard));
        if (rows[i].attr) continue;
        CU_ASSERT_EQUAL(layer_by_word(rows[i].word, &layer), rows[i].standard != NULL);
        if (rows[i].standard) CU_ASSERT_STRING_EQUAL(layer.standard, rows[i].standard);
    }
}

static void test_other_layers(void) {
    Result r;
    const Graph *graph = load_good(
        &r, NET("bn; bn eps 1e-3 momentum 0.5; leakyrelu; leakyrelu 0.2; lrn; lrn size 3, alpha 1, beta 2, k 3\n"
                "maxpool 3x3 /2 ceil; pad 1 channels 2; upsample 2; avgpool 2x2 count_include_pad; gelu\n"
                "gelu approximate; dropout rate 0.1; spp [2, 1]"));
    CU_ASSERT(!node(graph, "gelu")->attr.approximate && node(graph, "gelu2")->attr.approximate);
    CU_ASSERT(node(graph, "dropout")->attr.rate == 0.1);
    CU_ASSERT(node(graph, "bn1")->attr.eps == 1e-5 && node(graph, "bn1")->attr.momentum == 0.1);
    CU_ASSERT(node(graph, "bn2")->attr.eps == 1e-3 && node(graph, "bn2")->attr.momentum == 0.5);
    CU_ASSERT(node(graph, "leakyrelu")->attr.slope == 0.01 && node(graph, "leakyrelu2")->attr.slope == 0.2);
    const Attr *lrn = &node(graph, "lrn")->attr, *other = &node(graph, "lrn2")->attr;
    CU_ASSERT(lrn->size == 5 && lrn->alpha == 1e-4 && lrn->beta == 0.75 && lrn->k == 1);
    CU_ASSERT(other->size == 3 && other->alpha == 1 && other->beta == 2 && other->k == 3);
    CU_ASSERT(has_shape(node(graph, "maxpool"), 3, 4, 4) && has_shape(node(graph, "pad"), 5, 6, 6));
    CU_ASSERT(has_shape(node(graph, "upsample"), 5, 12, 12) && has_shape(node(graph, "spp"), 25, 1, 1));
    CU_ASSERT_TRUE(node(graph, "avgpool")->attr.count_include_pad);
    finish(&r);
}

static void test_blocks(void) {
    Result r;
    const char *text =
        "block b(w, g = w/2) {\n if (first) { conv w, 3x3 /stride groups g } else if (index == 2) { tanh }"
        " else { relu } }\n\n" NET("conv 8, 3x3; stage 4 b(g = 4, w = 8) /2; b(16)");
    const Graph *graph = load_good(&r, text);
    check_names(graph, "conv1 layer1.0.conv1 layer1.1.relu layer1.2.tanh layer1.3.relu b.conv1 ");
    CU_ASSERT(has_shape(node(graph, "layer1.0.conv1"), 8, 4, 4) && node(graph, "layer1.0.conv1")->term[0].groups == 4);
    CU_ASSERT(node(graph, "b.conv1")->term[0].groups == 8 && has_shape(node(graph, "b.conv1"), 16, 4, 4));
    CU_ASSERT_EQUAL(node(graph, "layer1.0.conv1")->place.line, 2);
    CU_ASSERT_EQUAL(node(graph, "layer1.0.conv1")->via.line, 6);
    CU_ASSERT_PTR_NULL(node(graph, "conv1")->via.source);
    finish(&r);
    load(&r, "block b { conv classes, 3x3 }\n" NET("b"), NULL); /* a block does not see the network's parameters */
    CU_ASSERT(!r.graph && says(&r, "nothing is called 'classes'"));
    finish(&r);
}

static void test_defines(void) {
    Result r;
    load(&r, NET("fc classes"), "classes=7");
    CU_ASSERT_PTR_NOT_NULL_FATAL(r.graph);
    CU_ASSERT(has_shape(node(r.graph, "fc"), 7, 1, 1));
    finish(&r);
    static const char *const wrong[][2] = {
        {"clases=7", "did you mean 'classes'?"}, {"classes=many", "a number, true or false"},
        {"classes", "must follow the '='"},      {"classes=2.5", "must be an integer"},
        {"classes=0", "must be from 1"},         {"classes=99999999999999999999", "a number"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        load(&r, NET("fc classes"), wrong[i][0]);
        CU_ASSERT(!r.graph && says(&r, wrong[i][1]));
        finish(&r);
    }
}

static void test_preprocess(void) {
    Result r;
    const Preprocess *p =
        &load_good(&r, "network n { input 3x8x6 bgr, range 255, mean [1, 2, 3.5], std 64, resize 9, crop 8x6\n"
                       "relu }")
             ->preprocess;
    CU_ASSERT(p->given && p->order == ORDER_BGR && p->range == 255 && p->resize == 9 && p->crop_h == 8 &&
              p->crop_w == 6);
    CU_ASSERT(p->mean[0] == 1 && p->mean[2] == 3.5 && p->std[0] == 64 && p->std[2] == 64);
    finish(&r);
    p = &load_good(&r, "network n { input 1x8x6; relu }")->preprocess;
    CU_ASSERT(!p->given && p->order == ORDER_GRAY && p->range == 1 && p->mean[0] == 0 && p->std[0] == 1 && !p->resize);
    finish(&r);
}

static void test_outputs(void) {
    Result r;
    const Graph *graph =
        load_good(&r, NET("conv 8, 3x3; output; relu; bn; from conv1; tanh; add relu; fc 4; output bn1"));
    CU_ASSERT_EQUAL_FATAL(graph->output_count, 3);
    CU_ASSERT_STRING_EQUAL(graph->outputs[0]->name, "conv1"); /* in the order of the statements */
    CU_ASSERT_STRING_EQUAL(graph->outputs[1]->name, "bn1");
    CU_ASSERT_STRING_EQUAL(graph->outputs[2]->name, "fc"); /* the network's result comes last */
    CU_ASSERT_PTR_EQUAL(node(graph, "tanh")->in[0], node(graph, "conv1")->out);
    CU_ASSERT_PTR_EQUAL(node(graph, "add")->in[1], node(graph, "relu")->out);
    CU_ASSERT_PTR_NULL(graph_find_layer(graph, "conv2"));
    finish(&r);
    graph = load_good(&r, NET("conv 8, 3x3; relu; tanh; output; output relu; output tanh; output conv1; from tanh"));
    CU_ASSERT_EQUAL_FATAL(graph->output_count, 3); /* each once, where it was first said */
    CU_ASSERT_STRING_EQUAL(graph->outputs[0]->name, "tanh");
    CU_ASSERT_STRING_EQUAL(graph->outputs[1]->name, "relu");
    CU_ASSERT_STRING_EQUAL(graph->outputs[2]->name, "conv1");
    finish(&r);
}

static void test_branches(void) { /* on lines of their own or beside each other, with names or without */
    static const char *const texts[] = {
        "concat { { conv 2, 1x1 } { conv 3, 3x3 } }; fc 4", "concat {{conv 2, 1x1}{conv 3, 3x3}}; fc 4",
        "concat { { conv 2, 1x1 } as a { conv 3, 3x3 } as b }; fc 4",
        "concat {\n{ conv 2, 1x1 } { conv 3, 3x3 }\n}; fc 4", "concat { { conv 2, 1x1 }\n{ conv 3, 3x3 } }\nfc 4"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Result r;
        Arena arena = {0};
        const Graph *graph = load_good(&r, arena_printf(&arena, "network n { input 3x8x8; %s }", texts[i]));
        CU_ASSERT_EQUAL(node(graph, "concat")->out->shape.c, 5);
        CU_ASSERT_EQUAL(node(graph, "concat")->nin, 2);
        finish(&r);
        arena_free(&arena);
    }
}

static void test_limits(void) {
    static const char *const endless[] = {
        "block a { a }\nnetwork n { input 3x8x8; a }",
        "network n { input 3x8x8; repeat 100000 { repeat 100000 { } } }",
        "network n { input 3x8x8; repeat 100000 { relu }; relu }",
        "network n { input 1x65536x65536; relu }",
        "network n { input 3x8x8; repeat 9 { conv 1000000, 3x3 } }",
        "network n { input 3x8x8; repeat 30 { upsample 1024 } }",
    };
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        Result r;
        load(&r, endless[i], NULL);
        CU_ASSERT_PTR_NULL(r.graph);
        CU_ASSERT_EQUAL(r.diag.errors, 1);
        finish(&r);
    }
}

/* What an error keeps from being expanded is bounded too, and the errors behind it are still found. */
static void test_failed_blocks(void) {
    Text text = {0};
    Result r;
    text_puts(&text, "block a {\nconv 8, 3x3 groups 2\n");
    for (int i = 0; i < 300; i++) text_puts(&text, "relu as x\n");
    text_puts(&text, "relu as /y\n}\nnetwork n { input 3x8x8; a; stage 100000 a; repeat 2000 { a }\n"
                     "from layer1.77.x; from y; from a.x; stage 2 a as b; from b.1.x\nfrom z }\n");
    load(&r, text.s, NULL);
    CU_ASSERT_EQUAL(r.diag.errors, 2);
    CU_ASSERT(says(&r, ":2:1: error: conv: groups 2") && says(&r, ": error: no layer before this is called 'z'"));
    finish(&r);
    text_free(&text);
}

static void test_several_errors(void) {
    Result r;
    load(&r, NET("conv 8, 3x3 groups 2\nfc clases\nrellu\nbn eps 0"), NULL);
    CU_ASSERT_EQUAL(r.diag.errors, 4);
    CU_ASSERT(says(&r, ":3:1: error: conv: groups 2 does not divide 3") &&
              says(&r, ":4:4: error: nothing is called 'clases'"));
    CU_ASSERT(says(&r, "did you mean 'relu'?") && says(&r, ":6:4: error: bn: eps"));
    finish(&r);
    load(&r, NET("conv 8 3x3\nfc (4\nrelu relu"), NULL); /* the parser goes on after each */
    CU_ASSERT_EQUAL(r.diag.errors, 3);
    finish(&r);
}

static void format(const char *text, Text *out) {
    Diag diag = {0};
    Source source = {"test.rn", text, strlen(text)};
    CU_ASSERT_TRUE(ast_format(&source, out, &diag));
}

/* Tokens that the text has, read as a compilation or as the formatter does; it must be right. */
static int count_tokens(const char *text, bool record) {
    Arena arena = {0};
    Diag diag = {0};
    const Source source = {"test.rn", text, strlen(text)};
    Ast ast = {.source = &source};
    Parser parser = {.arena = &arena, .diag = &diag, .source = &source, .ast = &ast, .record = record};
    CU_ASSERT_TRUE(parser_run(&parser));
    arena_free(&parser.token_arena);
    arena_free(&arena);
    return parser.token_count;
}

/* A separator that follows another one is no token of its own, and a run of them is read once. */
static void test_separators(void) {
    static const char *const runs[] = {"\n", ";", ";\n", "\n \f ;;", "\r\n", "\n# a comment\n"};
    enum { COUNT = 100000, COMMENTS = 5 };
    for (int i = 0; i <= COMMENTS; i++) {
        Text text = {0}, formatted = {0};
        Result r;
        text_puts(&text, "network n {\ninput 3x8x8");
        for (int k = 0; k < COUNT; k++) text_puts(&text, runs[i]);
        text_puts(&text, "\nrelu\n}\n");
        check_names(load_good(&r, text.s), "relu ");
        finish(&r);
        CU_ASSERT_EQUAL(count_tokens(text.s, false), 12);
        if (i < COMMENTS) { /* which are kept */
            CU_ASSERT(count_tokens(text.s, true) <= 14);
            format(text.s, &formatted);
            CU_ASSERT_STRING_EQUAL(formatted.s, !strcmp(runs[i], ";")
                                                    ? "network n {\n    input 3x8x8\n    relu\n}\n"
                                                    : "network n {\n    input 3x8x8\n\n    relu\n}\n");
        }
        text_free(&formatted);
        text_free(&text);
    }
    Text text = {0}; /* in brackets, which they do not end: one error */
    Result r;
    text_puts(&text, "network n {\ninput 3x8x8\nfc (3");
    for (int k = 0; k < COUNT; k++) text_puts(&text, "\n");
    text_puts(&text, ")\nconv 8 8\n}\n");
    load(&r, text.s, NULL);
    CU_ASSERT_EQUAL(r.diag.errors, 2);
    CU_ASSERT(says(&r, ":3:6: error: unexpected end of line") && says(&r, ":100004:8: error: unexpected '8'"));
    finish(&r);
    text_free(&text);
}

static void test_format(void) {
    Text once = {0}, twice = {0}, bad = {0}, messages = {0};
    format("#top\n\n\n\nblock b( w,g=1 ){  # what\nresidual{\n\nconv w ,3x3/ stride ;;bn; relu\nconv w*2 - -1,1x1 as "
           "/c{ w+1 }.x;bn  \n"
           "}shortcut  always{ }fill\n}\n\nnetwork n{input 3 x w x w mean [ 1,\n2 ]; # c\n}",
           &once);
    CU_ASSERT_STRING_EQUAL(once.s, "#top\n\nblock b(w, g = 1) {  # what\n    residual {\n"
                                   "        conv w, 3x3 /stride;             bn; relu\n"
                                   "        conv w*2 - -1, 1x1 as /c{w+1}.x; bn\n"
                                   "    } shortcut always {} fill\n}\n\n"
                                   "network n { input 3 x w x w mean [1,\n        2]  # c\n}\n");
    format(once.s, &twice);
    CU_ASSERT_STRING_EQUAL(once.s, twice.s);
    text_free(&once);
    format("block dense { silu }\nnetwork n { batchnorm, epsilon 1; silu; dense; linear 3; depthwise 3x3 padding 1 }",
           &once);
    CU_ASSERT_STRING_EQUAL(once.s,
                           "block dense { swish }\nnetwork n { bn, eps 1; swish; dense; fc 3; depthwise 3x3 pad 1 "
                           "}\n");
    text_free(&once);
    format("import \"b.rn\"\nnetwork n { silu; linear 3 }", &once); /* which may hold a block silu */
    CU_ASSERT_STRING_EQUAL(once.s, "import \"b.rn\"\nnetwork n { silu; fc 3 }\n");
    text_free(&once);
    format("train{\naugment area 8 %to 100 %,mirror\nfreeze layer1.0 ,# why\nlayer{ k%2 },fc\nmixup(a %b)\n}", &once);
    CU_ASSERT_STRING_EQUAL(once.s, "train {\n    augment area 8% to 100%, mirror\n    freeze layer1.0,  # why\n"
                                   "        layer{k%2}, fc\n    mixup (a%b)\n}\n");
    Diag diag = {.capture = &messages};
    Source source = {"bad.rn", "network n {", 11};
    CU_ASSERT_FALSE(ast_format(&source, &bad, &diag));
    CU_ASSERT(bad.size == 0 && diag.errors == 1);
    text_free(&once);
    text_free(&twice);
    text_free(&bad);
    text_free(&messages);
}

void suite_language(void) {
    CU_pSuite suite = CU_add_suite("language", NULL, NULL);
    CU_add_test(suite, "default names", test_default_names);
    CU_add_test(suite, "given names", test_given_names);
    CU_add_test(suite, "projection shortcuts", test_projection);
    CU_add_test(suite, "option A", test_option_a);
    CU_add_test(suite, "other shortcuts", test_other_shortcuts);
    CU_add_test(suite, "identity or none", test_identity_or_none);
    CU_add_test(suite, "channels, height, width", test_shape_names);
    CU_add_test(suite, "a ? b : c", test_choice);
    CU_add_test(suite, "convolution defaults", test_convolution_defaults);
    CU_add_test(suite, "pad same and pad valid", test_padding_words);
    CU_add_test(suite, "depthwise", test_depthwise);
    CU_add_test(suite, "synonyms", test_synonyms);
    CU_add_test(suite, "other words", test_words);
    CU_add_test(suite, "other layers", test_other_layers);
    CU_add_test(suite, "blocks and stages", test_blocks);
    CU_add_test(suite, "-D", test_defines);
    CU_add_test(suite, "preprocessing", test_preprocess);
    CU_add_test(suite, "outputs and earlier layers", test_outputs);
    CU_add_test(suite, "branches of a concat", test_branches);
    CU_add_test(suite, "limits", test_limits);
    CU_add_test(suite, "failed blocks", test_failed_blocks);
    CU_add_test(suite, "several errors", test_several_errors);
    CU_add_test(suite, "runs of separators", test_separators);
    CU_add_test(suite, "layers that move numbers", test_moving_layers);
    CU_add_test(suite, "format", test_format);
}
