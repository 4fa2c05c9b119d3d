/* The counterparts of two networks' values: what is the same is found under other names, with norms folded, in another
 * order, and on both sides of what differs; and nothing is paired that is not the same. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "graph/match.h"
#include "language/elaborate.h"
#include "language/parse.h"
#include "passes/passes.h"

static Arena arena;

static Graph *network(const char *statements) {
    Source *source = arena_alloc(&arena, sizeof *source);
    const char *text = arena_printf(&arena, "network n {\n input 3x16x16\n%s\n}\n", statements);
    *source = (Source){"test.rn", text, strlen(text)};
    Diag diag = {0};
    const Ast *ast = ast_parse_text(&arena, source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ast);
    Graph *graph = elaborate(&arena, ast, NULL, 0, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return graph;
}

static const Graph *fold(const Graph *graph) {
    PassOptions passes = {.set = {[PASS_dce] = 1, [PASS_copies] = 1, [PASS_cse] = 1, [PASS_fold_affine] = 1}};
    Graph *folded = graph_clone(graph, &arena);
    passes_run(folded, &passes);
    return folded;
}

/* The pairs in the first's order, "conv1=a relu=b "; values without a counterpart are left out. */
static const char *pairs(const Graph *a, const Graph *b) {
    const Graph *const folded[2] = {fold(a), fold(b)};
    Value **of = graph_match(a, b, folded, &arena);
    Text text = {0};
    CU_ASSERT_PTR_EQUAL(of[a->input->id], shape_size(a->input->shape) == shape_size(b->input->shape) ? b->input : NULL);
    for (int i = 0; i < a->node_count; i++) {
        const Value *value = a->nodes[i]->out;
        if (of[value->id]) text_printf(&text, "%s=%s ", value->name, of[value->id]->name);
    }
    const char *result = arena_strndup(&arena, text.s ? text.s : "", text.size);
    text_free(&text);
    return result;
}

#define PAIRS(first, second, expected) CU_ASSERT_STRING_EQUAL(pairs(network(first), network(second)), expected)

static void test_names(void) {
    PAIRS("conv 8, 3x3 as a; bn as b; relu as c; fc 4 as d", "conv 8, 3x3 as x; bn as y; relu as z; fc 4 as w",
          "a=x b=y c=z d=w ");
    /* alike but for their names: branches of one layer */
    PAIRS(
        "concat { {conv 8, 3x3 as a} {conv 8, 3x3 as b} }; conv 8, 1x1 as p; from concat; conv 8, 1x1 as q; add p as s",
        "concat { {conv 8, 3x3 as a} {conv 8, 3x3 as b} }; conv 8, 1x1 as q; from concat; conv 8, 1x1 as p; add q as s",
        "a=a b=b concat=concat p=p q=q s=s ");
    arena_free(&arena);
}

static void test_order(void) {
    /* summands in another order, and computed in another order */
    PAIRS("conv 8, 3x3 as s; conv 8, 3x3 as a; bn as n; from s; conv 8, 1x1 as b; add n as sum; relu",
          "conv 8, 3x3 as s; conv 8, 1x1 as x; from s; conv 8, 3x3 as y; bn as m; add x as sum; relu",
          "s=s a=y n=m b=x sum=sum relu=relu ");
    /* branches of a concatenation are not to be exchanged: their results lie apart */
    PAIRS("concat { {conv 8, 3x3 as a} {conv 8, 3x3 as b} }", "concat { {conv 8, 3x3 as x} {conv 8, 3x3 as y} }",
          "a=x b=y concat=concat ");
    arena_free(&arena);
}

static void test_folded(void) {
    /* what an exporter folded: its convolution's result is the norm's; "c" of one name is another value */
    PAIRS("conv 8, 3x3 as c; bn as n; relu as r; dropout; conv 8, 3x3 as d; bn as m; add r as s; fc 4 as f",
          "conv 8, 3x3 bias as c; relu as q; conv 8, 3x3 bias as d; add q as t; fc 4 as g", "n=c r=q m=d s=t f=g ");
    arena_free(&arena);
}

static void test_difference(void) {
    /* in one place: what is before it and what is behind it */
    PAIRS("conv 8, 3x3 as a; relu as b; conv 8, 3x3 as c; relu as d; conv 8, 3x3 as e; relu as f; fc 4 as g",
          "conv 8, 3x3 as h; relu as i; conv 8, 5x5 as j; relu as k; conv 8, 3x3 as l; relu as m; fc 4 as n",
          "a=h b=i c=j d=k e=l f=m g=n ");
    /* a layer more; other shapes are never a pair */
    PAIRS("conv 8, 3x3 as a; relu as b; fc 4 as g", "conv 8, 3x3 as a; relu as b; maxpool 2x2 /2 as p; fc 4 as g",
          "a=a b=b g=g ");
    /* what is before it is the surer sign: a softmax behind it makes no other value of the last */
    PAIRS("conv 8, 3x3 as a; bn; fc 4 as f", "conv 8, 3x3 bias as a; fc 4 as f; softmax", "bn1=a f=f ");
    /* nothing in common but names, of other kinds of nodes, and that the last is given out */
    PAIRS("conv 8, 3x3 as a; relu as x; fc 4",
          "avgpool 2x2 /2 as x; conv 4, 1x1; sigmoid as a; avgpool global; softmax", "fc=softmax ");
    arena_free(&arena);
}

static void test_dead(void) {
    /* what no output needs is paired by what computes it alone */
    PAIRS("conv 8, 3x3 as a; relu as b; from a; fc 4 as f", "conv 8, 3x3 as a; sigmoid as b; from a; fc 4 as f",
          "a=a f=f ");
    arena_free(&arena);
}

void suite_match(void);
void suite_match(void) {
    CU_pSuite suite = CU_add_suite("match", NULL, NULL);
    CU_add_test(suite, "names", test_names);
    CU_add_test(suite, "order", test_order);
    CU_add_test(suite, "folded", test_folded);
    CU_add_test(suite, "difference", test_difference);
    CU_add_test(suite, "dead", test_dead);
}
