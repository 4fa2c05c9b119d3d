/* The graph's text: what is printed reads back to the same bytes, and wrong text gets an error at its place.
 * (tests/golden/ir has every op, expression and epilogue.) */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "graph/irtext.h"
#include "graph/ops.h"

/* Parses `text`; prints into `printed` where it is right, else its errors. */
static bool parse_and_print(const char *text, Text *printed) {
    Arena arena = {0};
    Diag diag = {.capture = printed};
    Source source = {"t.ir", text, strlen(text)};
    Graph *graph = irtext_parse(&arena, &source, &diag);
    CU_ASSERT_EQUAL(graph == NULL, diag.errors > 0);
    if (graph) irtext_print(graph, printed);
    arena_free(&arena);
    return graph != NULL;
}

static void check_prints(const char *text, const char *expected) {
    Text printed = {0};
    CU_ASSERT_TRUE(parse_and_print(text, &printed));
    if (strcmp(printed.s, expected)) fprintf(stderr, "expected:\n%s\ngot:\n%s\n", expected, printed.s);
    CU_ASSERT_STRING_EQUAL(printed.s, expected);
    text_free(&printed);
}

static void test_round_trip(void) {
    const char *text = "network t\ninput %0 8x8x8 image\npreprocess gray range 255 mean 0.1,0,0,0 std 1,1,1,1e-20\n\n"
                       "@0 = param 8x8x3x3 name \"a \\\"b\\\"\"\n@1 = fill 8 real 0.30000000000000004 name f\n\n"
                       "%1 8x8x8 all in %2[0] = conv(%0 * @0 3x3 pad 1) layer conv1 + @1 + %0 -> relu\n"
                       "%2 16x8x8 y = concat(%1, %0)\n%3 8x5x8 z = maxpool(%1) 3x2 /2x1 pad 1,0,1,1 ceil\n"
                       "output %3\noutput %2\n";
    check_prints(text, text);
}

/* Hand-written text may leave out shapes and number as it likes; comments and blank lines do not matter. */
static void test_loose(void) {
    check_prints("# a comment\nnetwork  t # more\n\n\ninput %7 3x4x4 image\r\n@9=param 3 name w\n"
                 "%40 a=affine( %7 )weight @9 bias @9\n   %2 b = relu(%40)\noutput %2",
                 "network t\ninput %0 3x4x4 image\n\n@0 = param 3 name w\n\n"
                 "%1 3x4x4 a = affine(%0) weight @0 bias @0\n%2 3x4x4 b = relu(%1)\noutput %2\n");
}

/* A pass leaves dead values behind: the text has no gaps. */
static void test_numbers_after_a_pass(void) {
    const char *text =
        "network t\ninput %0 3x4x4 image\n%1 a = relu(%0)\n%2 b = relu(%1)\n%3 c = relu(%2)\noutput %3\n";
    Arena arena = {0};
    Diag diag = {0};
    Source source = {"t.ir", text, strlen(text)};
    Graph *graph = irtext_parse(&arena, &source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    graph_replace_uses(graph, graph->nodes[0]->out, graph->input);
    graph_remove_node(graph, graph->nodes[0]);
    Text printed = {0};
    irtext_print(graph, &printed);
    CU_ASSERT_STRING_EQUAL(printed.s, "network t\ninput %0 3x4x4 image\n\n%1 3x4x4 b = relu(%0)\n"
                                      "%2 3x4x4 c = relu(%1)\noutput %2\n");
    text_free(&printed);
    arena_free(&arena);
}

static void test_errors(void) {
    static const struct {
        const char *line, *message; /* the third line, after a network and an input */
    } rows[] = {
        {"%1 a = rleu(%0)", "t.ir:3:8: error: unknown operation 'rleu'"},
        {"%1 a = relu(%2)", "t.ir:3:13: error: value %2 is not made above"},
        {"%1 a = relu(%0, %0)", "t.ir:3:15: error: more than 1 inputs"},
        {"%1 a = add(%0)", "fewer than 2 inputs"},
        {"%1 a = relu(%0) fast", "t.ir:3:17: error: unexpected text"},
        {"%0 a = relu(%0)", "value %0 is made twice"},
        {"%1 3x9x9 a = relu(%0)", "t.ir:3:1: error: relu gives 3x8x8, not 3x9x9"},
        {"%1 a = conv(%0 * @0 3x3)", "t.ir:3:18: error: tensor @0 is not made above"},
        {"%1 a = conv(%0)", "expected '*'"},
        {"%1 a = lrn(%0) size 99999999999 alpha 1 beta 1 k 1",
         "a number from -2147483648 to 2147483647 must stand here"},
        {"%1 a = leakyrelu(%0) slope nan", "expected a finite real number"},
        {"%1 a = relu(%0) -> arctan", "expected an activation, maxpool or avgpool global"},
        {"%1 a in %9[0] = relu(%0)", "value %9 is never made"},
        {"@0 = prod(@1) 3", "unknown expression 'prod'"},
        {"@0 = pack_vector 3", "unknown expression 'pack_vector'"},
        {"@0 = param 3x3x3x3x3 name w", "t.ir:3:12: error: expected 1 to 4 numbers joined by x"},
        {"@0 = param 3x3xbf17 name w", "t.ir:3:15: error: unexpected text"},
        {"@0 = param 3xbf16 name w", "tensor w: param makes numbers of f32 alone"},
        {"%1 3x8x8xbf16 a = relu(%0)", "layer a: relu makes numbers of f32 alone"},
        {"@0 = param 0 name w", "a number from 1 to 2147483647 must stand here"},
        {"@0 = param 3 name \"w", "the name does not end"},
        {"@0 = param 3", "parameter 0 has no name"},
        {"@0 = param 99999x99999 name w", "2^31 elements at most"},
        {"input %1 3x3x3 again", "a second input"},
        {"layer a", "expected network, input, preprocess, mean, output"},
        {"", "the graph has no output"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        Text errors = {0};
        snprintf(text, sizeof text, "network t\ninput %%0 3x8x8 image\n%s\n", rows[i].line);
        CU_ASSERT_FALSE(parse_and_print(text, &errors));
        bool found = errors.s && strstr(errors.s, rows[i].message);
        if (!found) fprintf(stderr, "expected: %s\ngot: %s\n", rows[i].message, errors.s ? errors.s : "nothing");
        CU_ASSERT_TRUE(found);
        text_free(&errors);
    }
    Text errors = {0};
    CU_ASSERT_FALSE(parse_and_print("network t\n", &errors));
    CU_ASSERT_PTR_NOT_NULL(strstr(errors.s, "no input"));
    text_free(&errors);
}

/* What the graph of a training step says wrong of itself; each is one line of a right graph, or its end, changed. */
static void test_training_errors(void) {
    static const char *const lines[] = {
        "network t",
        "input %0 3x8x8 image",
        "labels %1",
        "",
        "@0 = param 2x192 name fc.weight",
        "@1 = param 3 name bn.weight",
        "@2 = param 3 name bn.bias",
        "@3 = param 3 name bn.running_mean",
        "@4 = param 3 name bn.running_var",
        "",
        "%2 3x3x1 all \"bn stats\" = stats(%0)",
        "%3 3x8x8 bn = normalise(%0, %2) weight @1 bias @2 eps 1e-05",
        "%4 2x1x1 fc = fc(%3 * @0)",
        "%5 3x1x1 loss = crossentropy(%4, %1) smooth 0.1",
        "%6 2x1x1 \"loss gradient\" = crossentropy_gradient(%4, %1) smooth 0.1 backward",
        "%7 2x192x1 all \"fc weights\" = fc_weights(%3, %6) backward",
        "%8 3x8x8 \"fc data\" = fc_data(%6) weight @0 channels 3 height 8 width 8 backward",
        "%9 3x8x8 all = gate(%8, %3) leakyrelu slope 0.5 backward",
        "%10 2x3x1 all \"bn sums\" = bn_sums(%9, %0, %2) eps 1e-05 backward",
        "output %2",
        "output %5",
        "output %7",
        "output %10",
        "loss %5",
        "gradient @0 = %7",
        "gradient @1 = %10[1]",
        "gradient @2 = %10",
        "running @3 @4 = %2 momentum 0.1",
    };
    static const struct {
        const char *line, *instead, *message;
    } rows[] = {
        {"labels", "", "value %1 is not made above"},
        {"labels", "labels %1\nlabels %1", "labels a second time"},
        {"labels", "labels %0", "value %0 is made twice"},
        {"loss", "", "the graph has no loss"},
        {"loss", "loss %5\nloss %5", "a second loss"},
        {"loss", "loss %2", "the graph has no loss"},
        {"loss", "loss %4", "the value is no output listed above"},
        {"%2", "%2 3x3x1 stats = stats(%0)", "the value is one for the batch: 'all' must stand before its name"},
        {"%4", "%4 2x1x1 all fc = fc(%3 * @0)", "the value is one for each image: 'all' is not of it"},
        {"%6", "%6 2x1x1 g = crossentropy_gradient(%4, %1) smooth 1 backward", "smooth 1: must be from 0 to below 1"},
        {"%9", "%9 3x8x8 g = gate(%8, %3) backward", "expected an activation"},
        {"%9", "%9 3x8x8 g = gate(%8, %3) prelu backward", "layer g: no weight"},
        {"%10", "%10 2x3x1 all s = bn_sums(%9, %0, %0)", "statistics of 3x8x8 are not those of 3 channels"},
        {"%10", "%11 1x3x1 all a = sum(%2)", "its input 1 is one for the batch"},
        {"gradient @0", "gradient @0 = %5", "the gradient of fc.weight is no output that is one for the batch"},
        {"gradient @0", "gradient @0 = %10", "of fc.weight, 384 numbers, is not in channels 0 and after of 2x3x1"},
        {"gradient @1", "gradient @1 = %10[2]", "of bn.weight, 3 numbers, is not in channels 2 and after of 2x3x1"},
        {"gradient @1", "gradient @0 = %10[1]", "the parameter fc.weight is changed twice"},
        {"gradient @1", "@5 = fill 3 real 1\ngradient @5 = %10[1]", "a gradient is not of a parameter"},
        {"running", "running @1 @4 = %2 momentum 0.1", "the parameter bn.weight is changed twice"},
        {"running", "running @3 @4 = %10 momentum 0.1", "what bn.running_mean runs after is no output of statistics"},
        {"running", "running @3 @4 = %2", "expected 'momentum'"},
    };
    for (size_t i = 0; i <= sizeof rows / sizeof *rows; i++) {
        const bool right = i == sizeof rows / sizeof *rows; /* nothing is changed */
        Text text = {0}, printed = {0};
        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
            const size_t n = right ? 0 : strlen(rows[i].line);
            const bool changed = n && !strncmp(lines[k], rows[i].line, n) && (!lines[k][n] || lines[k][n] == ' ');
            text_printf(&text, "%s\n", changed ? rows[i].instead : lines[k]);
        }
        CU_ASSERT_EQUAL(parse_and_print(text.s, &printed), right);
        const char *expected = right ? text.s : rows[i].message;
        const bool found = printed.s && (right ? !strcmp(printed.s, expected) : strstr(printed.s, expected) != NULL);
        if (!found) fprintf(stderr, "expected: %s\ngot: %s\n", expected, printed.s ? printed.s : "nothing");
        CU_ASSERT_TRUE(found);
        text_free(&printed);
        text_free(&text);
    }
    Text errors = {0};
    CU_ASSERT_FALSE(parse_and_print("network t\ninput %0 3x8x8 image\n%1 a = relu(%0)\noutput %1\nloss %1\n", &errors));
    CU_ASSERT_PTR_NOT_NULL(strstr(errors.s, "loss without labels above"));
    text_free(&errors);
}

void suite_irtext(void) {
    CU_pSuite suite = CU_add_suite("irtext", NULL, NULL);
    CU_add_test(suite, "what is printed reads back", test_round_trip);
    CU_add_test(suite, "hand-written text", test_loose);
    CU_add_test(suite, "numbers after a pass", test_numbers_after_a_pass);
    CU_add_test(suite, "errors", test_errors);
    CU_add_test(suite, "training graphs, and errors in them", test_training_errors);
}
