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
                       "%1 8x8x8 x in %2[0] = conv(%0 * @0 3x3 pad 1) layer conv1 + @1 + %0 -> relu\n"
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
        {"layer a", "expected network, input, preprocess, output"},
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

void suite_irtext(void) {
    CU_pSuite suite = CU_add_suite("irtext", NULL, NULL);
    CU_add_test(suite, "what is printed reads back", test_round_trip);
    CU_add_test(suite, "hand-written text", test_loose);
    CU_add_test(suite, "numbers after a pass", test_numbers_after_a_pass);
    CU_add_test(suite, "errors", test_errors);
}
