/* The builders: a graph made by hand is the one that its text says; parameters have the names that were asked for; what
 * does not fit is an error that leaves the graph as it was. And the attributes that ops.def lists are attrs.def's. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "graph/act.h"
#include "graph/attrs.h"
#include "graph/build.h"
#include "graph/irtext.h"
#include "graph/ops.h"
#include "graph/verify.h"

typedef struct Run {
    Arena arena;
    Text errors;
    Diag diag;
    Builder builder;
} Run;

static Value *start(Run *run, int c, int h, int w) {
    *run = (Run){0};
    run->diag.capture = &run->errors;
    Graph *graph = graph_new(&run->arena, "t");
    run->builder = (Builder){.graph = graph, .diag = &run->diag};
    return graph->input = graph_add_value(graph, "input", (Shape){c, h, w});
}

static void finish(Run *run) {
    text_free(&run->errors);
    arena_free(&run->arena);
}

static bool said(const Run *run, const char *text) {
    return run->errors.s && strstr(run->errors.s, text);
}

static const char block[] = "network t\n"
                            "input %0 3x8x8 input\n"
                            "\n"
                            "@0 = param 4x3x3x3 name conv1.weight\n"
                            "@1 = param 4 name bn1.weight\n"
                            "@2 = param 4 name bn1.bias\n"
                            "@3 = param 4 name bn1.running_mean\n"
                            "@4 = param 4 name bn1.running_var\n"
                            "@5 = param 4 name act.weight\n"
                            "@6 = param 4x2x3x3 name conv2.weight\n"
                            "@7 = param 4 name conv2.bias\n"
                            "@8 = param 5x8 name fc.weight\n"
                            "@9 = param 5 name fc.bias\n"
                            "\n"
                            "%1 4x4x4 conv1 = conv(%0 * @0 3x3 /2 pad 1)\n"
                            "%2 4x4x4 bn1 = bn(%1) weight @1 bias @2 mean @3 var @4 eps 0.001 momentum 0.1\n"
                            "%3 4x4x4 act = prelu(%2) weight @5\n"
                            "%4 4x4x4 conv2 = conv(%3 * @6 3x3 pad 1 groups 2) + @7\n"
                            "%5 4x4x4 sum = add(%4, %2)\n"
                            "%6 4x4x4 half = avgpool(%5) 2x2 pad 0,0,1,1 count_include_pad\n"
                            "%7 8x4x4 both = concat(%6, %5)\n"
                            "%8 8x1x1 mean = avgpool(%7) global\n"
                            "%9 8x1x1 gate = sigmoid(%8)\n"
                            "%10 8x4x4 gated = mul(%7, %9)\n"
                            "%11 8x1x1 pool = maxpool(%10) global\n"
                            "%12 5x1x1 fc = fc(%11 * @8) + @9\n"
                            "output %12\n";

static void test_block(void) {
    Run run;
    Value *x = start(&run, 3, 8, 8);
    Builder *b = &run.builder;
    Window window = {3, 3, 2, 2, 1, 1, 1, 1, 1, 1, false};
    Value *bn = build_bn(b, "bn1", build_conv(b, "conv1", x, 4, window, 1, false), 1e-3);
    window.stride_h = window.stride_w = 1;
    x = build_conv(b, "conv2", build_op(b, OP_PRELU, "act", bn), 4, window, 2, true);
    Value *sum = build_add(b, "sum", x, bn, false);
    Value *half = build_pool(b, OP_AVGPOOL, "half", sum, &(Window){2, 2, 1, 1, 1, 1, 0, 0, 1, 1, false}, true);
    x = build_concat(b, "both", (Value *[]){half, sum}, 2);
    Value *gate = build_op(b, OP_SIGMOID, "gate", build_pool(b, OP_AVGPOOL, "mean", x, NULL, false));
    x = build_pool(b, OP_MAXPOOL, "pool", build_mul(b, "gated", x, gate), NULL, false);
    graph_add_output(b->graph, build_fc(b, "fc", x, 5, true));
    verify_graph(b->graph);
    Text text = {0};
    irtext_print(b->graph, &text);
    CU_ASSERT_STRING_EQUAL(text.s, block);
    CU_ASSERT_EQUAL(run.diag.errors, 0);
    text_free(&text);
    finish(&run);
}

/* Each activation of the table is made by its row, and found again in the layer. */
static void test_activations(void) {
    Run run;
    Value *x = start(&run, 2, 3, 3);
    for (Act act = ACT_NONE + 1; act < ACT_COUNT; act++) {
        x = build_act(&run.builder, act, act_info(act)->word, x, (ActNumbers){0.25, 0.75});
        const ActInfo *info = act_info(act);
        const ActNumbers numbers = node_act_numbers(x->producer);
        const bool one = info->parameter == PARAMETER_NUMBER, two = one && info->attribute[1];
        CU_ASSERT(node_act(x->producer) == act && numbers.p == (one ? 0.25 : 0) && numbers.q == (two ? 0.75 : 0));
    }
    graph_add_output(run.builder.graph, x);
    verify_graph(run.builder.graph);
    finish(&run);
}

/* As in ONNX files: initializers have any names, and equal ones are one. */
static void test_given_names(void) {
    Run run;
    Value *x = start(&run, 4, 6, 6);
    Builder *b = &run.builder;
    const char *const names[] = {"onnx::Conv_193", "zeros"}, *const others[] = {"w2", "zeros"};
    b->params = names;
    x = build_conv(b, "conv1", x, 4, window_unit(), 1, true);
    CU_ASSERT_PTR_NULL(b->params); /* of one layer */
    b->params = others;
    x = build_conv(b, "conv2", x, 4, window_unit(), 1, true);
    const Node *first = b->graph->nodes[0], *second = b->graph->nodes[1];
    CU_ASSERT_STRING_EQUAL(first->term[0].weight->name, "onnx::Conv_193");
    CU_ASSERT_STRING_EQUAL(second->term[0].weight->name, "w2");
    CU_ASSERT(first->epilogue.bias == second->epilogue.bias && b->graph->tensor_count == 3);
    b->params = others;
    CU_ASSERT_PTR_NULL(build_conv(b, "conv3", x, 5, window_unit(), 1, true));
    CU_ASSERT(said(&run, "conv3: the parameter 'w2' has another shape in another layer"));
    graph_add_output(b->graph, x);
    verify_graph(b->graph); /* without conv3 */
    finish(&run);
}

static void test_errors(void) {
    Run run;
    Value *x = start(&run, 4, 6, 6);
    Builder *b = &run.builder;
    Value *wrong = build_conv(b, "wrong", x, 4, (Window){9, 9, 1, 1, 1, 1, 0, 0, 0, 0, false}, 1, false);
    CU_ASSERT(!wrong && b->graph->node_count == 0 && b->graph->tensor_count == 0 && run.diag.errors == 1);
    CU_ASSERT(said(&run, "kernel 9x9 does not fit a 6x6 input"));
    CU_ASSERT(!build_op(b, OP_RELU, "after", wrong) && !build_add(b, "sum", x, wrong, false));
    CU_ASSERT(b->graph->node_count == 0 && run.diag.errors == 1); /* told once */
    finish(&run);
}

static void test_attributes(void) {
    for (int op = 0; op < OP_COUNT; op++) {
        const char *at = op_info((Op)op)->attrs;
        char known[256] = "";
        OpAttr attr;
        while (attr_next(&at, &attr)) strcat(strcat(known, attr.info->word), " ");
        for (const char *word = op_info((Op)op)->attrs; *word; word += strcspn(word, " "), word += strspn(word, " ")) {
            char name[64];
            snprintf(name, sizeof name, "%.*s ", (int)strcspn(word, " ="), word);
            CU_ASSERT(strstr(known, name) || !strcmp(name, "stride "));
        }
    }
    OpAttr attr;
    CU_ASSERT(attr_find("size=5 alpha=1e-4 factor ceil", "alpha", &attr) && attr.otherwise == 1e-4 && !attr.needed);
    CU_ASSERT(attr_find("size=5 alpha=1e-4 factor ceil", "factor", &attr) && attr.needed);
    CU_ASSERT(attr_find("size=5 alpha=1e-4 factor ceil", "ceil", &attr) && !attr.needed && attr.otherwise == 0);
    CU_ASSERT(!attr_find("size=5 alpha=1e-4", "siz", &attr) && !attr_find("size=5", "alpha", &attr));
    CU_ASSERT(!attr_find("", "", &attr));
    const Layer lrn = layer_default(OP_LRN), conv = layer_default(OP_CONV), fc = layer_default(OP_FC);
    CU_ASSERT(lrn.attr.size == 5 && lrn.attr.alpha == 1e-4 && lrn.attr.beta == 0.75 && lrn.attr.k == 1);
    CU_ASSERT(!conv.bias && fc.bias && conv.groups == 1 && conv.window.stride_w == 1);
}

void suite_build(void);
void suite_build(void) {
    CU_pSuite suite = CU_add_suite("build", NULL, NULL);
    CU_add_test(suite, "a block of all kinds of layers", test_block);
    CU_add_test(suite, "activations", test_activations);
    CU_add_test(suite, "parameters under given names", test_given_names);
    CU_add_test(suite, "what does not fit", test_errors);
    CU_add_test(suite, "attributes and their defaults", test_attributes);
}
