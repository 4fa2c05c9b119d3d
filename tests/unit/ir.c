/* The graph's functions: what passes rely on when they ask and change, and that a copy shares nothing. */
#include <CUnit/CUnit.h>
#include <string.h>
#include <time.h>

#include "graph/irtext.h"
#include "graph/verify.h"
#include "graph/ops.h"

static const Place nowhere = {0};

/* in -> a -> b; a -> c; d = b + c; d is the output */
typedef struct Diamond {
    Arena arena;
    Graph *graph;
    Node *a, *b, *c, *d;
} Diamond;

static Node *add_unary(Graph *graph, const char *name, Value *in) {
    Node *node = graph_add_node(graph, OP_RELU, name, &in, 1, nowhere);
    op_info(OP_RELU)->infer(node, NULL);
    return node;
}

static void diamond_make(Diamond *diamond) {
    *diamond = (Diamond){0};
    Graph *graph = diamond->graph = graph_new(&diamond->arena, "diamond");
    graph->input = graph_add_value(graph, "image", (Shape){3, 4, 5});
    diamond->a = add_unary(graph, "a", graph->input);
    diamond->b = add_unary(graph, "b", diamond->a->out);
    diamond->c = add_unary(graph, "c", diamond->a->out);
    diamond->d = graph_add_node(graph, OP_ADD, "d", (Value *[]){diamond->b->out, diamond->c->out}, 2, nowhere);
    op_info(OP_ADD)->infer(diamond->d, NULL);
    graph_add_output(graph, diamond->d->out);
    verify_graph(graph);
}

static bool order_is(const Graph *graph, const char *names) {
    if (graph->node_count != (int)strlen(names)) return false;
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->name[0] != names[i]) return false;
    return true;
}

static void test_asking(void) {
    Diamond t;
    diamond_make(&t);
    CU_ASSERT_EQUAL(value_use_count(t.graph, t.a->out), 2);
    CU_ASSERT_EQUAL(value_use_count(t.graph, t.b->out), 1);
    CU_ASSERT_EQUAL(value_use_count(t.graph, t.d->out), 1); /* being an output */
    CU_ASSERT_PTR_NULL(value_only_user(t.graph, t.a->out));
    CU_ASSERT_PTR_EQUAL(value_only_user(t.graph, t.b->out), t.d);
    CU_ASSERT_PTR_NULL(value_only_user(t.graph, t.d->out));
    t.d->epilogue.addend = t.b->out; /* read twice by one node */
    CU_ASSERT_EQUAL(value_use_count(t.graph, t.b->out), 2);
    CU_ASSERT_PTR_NULL(value_only_user(t.graph, t.b->out));
    Value *reads[3];
    CU_ASSERT_EQUAL(node_reads(t.d, reads), 3);
    CU_ASSERT_TRUE(reads[0] == t.b->out && reads[1] == t.c->out && reads[2] == t.b->out);
    int *uses = graph_use_counts(t.graph, &t.arena);
    for (int i = 0; i < t.graph->value_count; i++)
        CU_ASSERT_EQUAL(uses[i], value_use_count(t.graph, t.graph->values[i]));
    arena_free(&t.arena);
}

static void test_replace_uses(void) {
    Diamond t;
    diamond_make(&t);
    t.d->epilogue.addend = t.b->out;
    graph_replace_uses(t.graph, t.b->out, t.a->out);
    CU_ASSERT_TRUE(t.d->in[0] == t.a->out && t.d->in[1] == t.c->out && t.d->epilogue.addend == t.a->out);
    graph_remove_node(t.graph, t.b);
    CU_ASSERT_PTR_NULL(t.b->out->producer);
    graph_replace_uses(t.graph, t.d->out, t.c->out); /* an output: the other takes its place */
    CU_ASSERT_TRUE(t.graph->outputs[0] == t.c->out && t.c->out->is_output && !t.d->out->is_output);
    graph_remove_node(t.graph, t.d);
    CU_ASSERT_TRUE(order_is(t.graph, "ac"));
    graph_renumber(t.graph);
    verify_graph(t.graph);
    arena_free(&t.arena);
}

static void test_remove_and_insert(void) {
    Diamond t;
    diamond_make(&t);
    graph_remove_node(t.graph, t.a); /* ids behind it are stale now */
    CU_ASSERT_TRUE(order_is(t.graph, "bcd"));
    graph_remove_node(t.graph, t.c);
    graph_remove_node(t.graph, t.b);
    CU_ASSERT_TRUE(order_is(t.graph, "d"));
    arena_free(&t.arena);

    diamond_make(&t);
    graph_remove_node(t.graph, t.b);
    Node *e = add_unary(t.graph, "e", t.graph->input);
    graph_insert_before(t.graph, t.a, e);
    CU_ASSERT_TRUE(order_is(t.graph, "eacd"));
    graph_insert_before(t.graph, t.d, e);
    CU_ASSERT_TRUE(order_is(t.graph, "aced"));
    graph_insert_before(t.graph, e, e);
    CU_ASSERT_TRUE(order_is(t.graph, "aced"));
    for (int i = 0; i < 4; i++) CU_ASSERT_EQUAL(t.graph->nodes[i]->id, i);
    arena_free(&t.arena);
}

static void test_handed_value(void) { /* fusion: the earlier node takes the later one's value */
    Diamond t;
    diamond_make(&t);
    t.c->out = t.d->out;
    t.c->out->producer = t.c;
    graph_remove_node(t.graph, t.d);
    CU_ASSERT_PTR_EQUAL(t.c->out->producer, t.c);
    CU_ASSERT_TRUE(t.c->out->is_output);
    arena_free(&t.arena);
}

static void test_clone(void) {
    Arena first = {0}, second = {0};
    const char *text = "network t\ninput %0 4x8x8 image\npreprocess bgr range 255 mean 1,2,3,4 std 5,6,7,8\n\n"
                       "@0 = param 8x4x3x3 name w\n@1 = fill 8 real 2 name f\n@2 = scale_out(@0, @1) 8x4x3x3\n\n"
                       "%1 8x8x8 a = conv(%0 * @2 3x3 pad 1) + @1 -> prelu weight @1\n"
                       "%2 8x4x4 b in %3[0] = conv(%1 * @2 3x3 pad 1 groups 2) -> relu -> maxpool 2x2 /2 hides full\n"
                       "%3 16x4x4 c = concat(%2, %2)\noutput %3\n";
    Source source = {"t.ir", text, strlen(text)};
    Diag diag = {0};
    Graph *graph = irtext_parse(&first, &source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    Graph *copy = graph_clone(graph, &second);
    for (int i = 0; i < graph->value_count; i++) CU_ASSERT_STRING_EQUAL(copy->values[i]->name, graph->values[i]->name);
    Text before = {0}, after = {0};
    irtext_print(graph, &before);
    arena_free(&first); /* the copy must not need it */
    verify_graph(copy);
    irtext_print(copy, &after);
    CU_ASSERT_STRING_EQUAL(before.s, after.s);
    CU_ASSERT_STRING_EQUAL(before.s, text);
    text_free(&before);
    text_free(&after);
    arena_free(&second);
}

static void test_window_out(void) {
    CU_ASSERT_EQUAL(window_out(224, 7, 2, 1, 3, 3, false), 112);
    CU_ASSERT_EQUAL(window_out(112, 3, 2, 1, 1, 1, false), 56);
    CU_ASSERT_EQUAL(window_out(112, 3, 2, 1, 0, 0, true), 56);
    CU_ASSERT_EQUAL(window_out(112, 3, 2, 1, 0, 0, false), 55);
    CU_ASSERT_EQUAL(window_out(9, 3, 1, 2, 0, 0, false), 5);
    CU_ASSERT_EQUAL(window_out(3, 2, 3, 1, 0, 0, true), 1); /* a second one would start behind the image */
    CU_ASSERT_EQUAL(window_out(3, 2, 3, 1, 1, 0, true), 2);
    CU_ASSERT_EQUAL(window_out(3, 7, 1, 1, 0, 0, false), 0);
    CU_ASSERT_TRUE(window_out(2147483647, 1, 1, 1, 2147483647, 2147483647, false) > 0); /* no overflow */
}

/* ResNet-1202 has thousands of nodes: verifying and removing must not take their square. */
static void test_large(void) {
    Arena arena = {0};
    Graph *graph = graph_new(&arena, "large");
    Value *value = graph->input = graph_add_value(graph, "image", (Shape){16, 8, 8});
    for (int i = 0; i < 20000; i++) value = add_unary(graph, arena_printf(&arena, "n%d", i), value)->out;
    graph_add_output(graph, value);
    clock_t start = clock();
    verify_graph(graph);
    for (int i = 1; i < 20000; i += 2) { /* each odd node gives its value to the one before it */
        Node *keep = graph->nodes[i / 2], *gone = graph->nodes[i / 2 + 1];
        keep->out->producer = NULL;
        keep->out = gone->out;
        keep->out->producer = keep;
        graph_remove_node(graph, gone);
    }
    graph_renumber(graph);
    verify_graph(graph);
    CU_ASSERT_EQUAL(graph->node_count, 10000);
    CU_ASSERT_TRUE((double)(clock() - start) / CLOCKS_PER_SEC < 1.0); /* 0.03 s; quadratic walks take seconds */
    arena_free(&arena);
}

void suite_ir(void) {
    CU_pSuite suite = CU_add_suite("ir", NULL, NULL);
    CU_add_test(suite, "readers and use counts", test_asking);
    CU_add_test(suite, "replacing uses", test_replace_uses);
    CU_add_test(suite, "removing and moving nodes", test_remove_and_insert);
    CU_add_test(suite, "a value handed to another node", test_handed_value);
    CU_add_test(suite, "a clone is equal and stands alone", test_clone);
    CU_add_test(suite, "output size of a window", test_window_out);
    CU_add_test(suite, "20,000 nodes", test_large);
}
