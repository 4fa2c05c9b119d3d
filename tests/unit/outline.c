/* The graph as it is drawn: every read of a value is an edge in each holder that it crosses, every edge goes down from
 * row to row without a gap, and cells of a row stand beside each other. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "language/ast.h"
#include "example.h"
#include "passes/passes.h"
#include "view/outline.h"

static int find_cell(const ItemRow *row, int source) {
    for (int i = 0; i < row->count; i++)
        if (row->cells[i].source == source) return i;
    return -1;
}

static bool joined(const ItemRow *row, int from, int to) {
    for (int i = 0; i < row->edge_count; i++)
        if (row->edges[i].from == from && row->edges[i].to == to) return true;
    return false;
}

static int row_of(const ItemRows *rows, const Item *item) {
    for (int k = 0; k < rows->count; k++)
        for (int i = 0; i < rows->rows[k].count; i++)
            if (rows->rows[k].cells[i].item == item) return k;
    return -1;
}

/* Whether the edge can be followed with a finger. */
static bool is_drawn(const ItemRows *rows, const Item *holder, ItemEdge e) {
    const int first = row_of(rows, holder->items[e.from]), last = row_of(rows, holder->items[e.to]);
    if (first < 0 || last <= first) return false;
    for (int k = first; k < last; k++) {
        const ItemRow *row = &rows->rows[k], *next = &rows->rows[k + 1];
        const int from = find_cell(row, e.from), to = find_cell(next, k + 1 == last ? e.to : e.from);
        if (from < 0 || to < 0 || !joined(row, from, to)) return false;
    }
    return true;
}

static bool stand_apart(const ItemRows *rows) {
    for (int k = 0; k < rows->count; k++)
        for (int i = 0; i < rows->rows[k].count; i++) {
            const RowCell *c = &rows->rows[k].cells[i];
            if (!(c->left >= -1e-9 && c->left < c->right && c->right <= rows->width + 1e-9)) return false;
            if (i && !(c[-1].right <= c->left + 1e-9)) return false;
        }
    return true;
}

typedef struct Counts {
    int groups, layers, edges, undrawn, crowded;
} Counts;

static void count_below(const Item *holder, Arena *arena, Counts *counts) {
    const ItemRows rows = outline_rows(holder, INT64_MAX, arena);
    counts->crowded += !stand_apart(&rows);
    for (int i = 0; i < holder->edge_count; i++) {
        counts->edges++;
        counts->undrawn += !is_drawn(&rows, holder, holder->edges[i]);
    }
    for (int i = 0; i < holder->count; i++) {
        counts->layers += holder->items[i]->kind == ITEM_LAYER;
        if (holder->items[i]->kind != ITEM_GROUP) continue;
        counts->groups++;
        count_below(holder->items[i], arena, counts);
    }
}

static void test_examples(void) {
    static const struct {
        const char *file;
        int groups; /* stages and blocks of the source */
    } cases[] = {{"examples/resnet18.rn", 4 + 8},     {"examples/resnet152.rn", 4 + 50},
                 {"examples/googlenet.rn", 9},        {"examples/densenet121.rn", 4 + 58 + 3},
                 {"examples/se_resnet50.rn", 4 + 16}, {"examples/vgg16.rn", 0},
                 {"examples/prelu_net_a.rn", -1},     {"examples/cifar/resnet1202.rn", 3 + 600}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int level = 0; level <= 2; level += 2) {
            Arena arena = {0};
            Graph *graph = example_load(&arena, cases[i].file, NULL);
            CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
            passes_run(graph, &(PassOptions){.level = level});
            Counts counts = {0};
            const Item *root = outline_make(graph, &arena);
            count_below(root, &arena, &counts);
            if (cases[i].groups >= 0) CU_ASSERT_EQUAL(counts.groups, cases[i].groups);
            CU_ASSERT_EQUAL(counts.layers, graph->node_count);
            CU_ASSERT_EQUAL(root->layers, graph->node_count);
            CU_ASSERT(counts.edges >= graph->node_count);
            CU_ASSERT_EQUAL(counts.undrawn, 0);
            CU_ASSERT_EQUAL(counts.crowded, 0);
            arena_free(&arena);
        }
}

/* What a block of a stage is called, and what stands in it. */
static void test_names(void) {
    Arena arena = {0};
    Graph *graph = example_load(&arena, "examples/resnet50.rn", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    const Item *root = outline_make(graph, &arena), *stage = NULL;
    for (int i = 0; i < root->count; i++)
        if (!strcmp(root->items[i]->label, "layer2")) stage = root->items[i];
    CU_ASSERT_PTR_NOT_NULL_FATAL(stage);
    CU_ASSERT_STRING_EQUAL(stage->text, "stage 4 bottleneck(128) /2");
    CU_ASSERT_EQUAL_FATAL(stage->count, 4 + 2); /* and what comes in, what goes out */
    const Item *block = stage->items[1];
    CU_ASSERT_STRING_EQUAL(block->label, "layer2.0");
    CU_ASSERT_STRING_EQUAL(block->text, "");
    CU_ASSERT_STRING_EQUAL(block->items[1]->label, "conv1");
    CU_ASSERT_EQUAL(block->layers, 3 + 3 + 3 + 2 + 1); /* convolutions, batch norms, relus, projection, sum */
    arena_free(&arena);
}

/* A chain of layers that are all read at its end: the edges that pass grow with the square of its length, and are not
 * drawn where they are too many. */
static void test_wide(void) {
    enum { LAYERS = 200 };
    Arena arena = {0};
    Text text = {0};
    text_puts(&text, "network wide {\n  input 1x2x2\n");
    for (int i = 0; i < LAYERS; i++) text_printf(&text, "  relu as a%d\n", i);
    for (int i = 0; i < LAYERS; i++) text_printf(&text, "  add a%d\n", i);
    text_puts(&text, "}\n");
    const Source source = {"wide.rn", text.s, text.size};
    Diag diag = {0};
    const Ast *ast = ast_parse_text(&arena, &source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ast);
    const Graph *graph = elaborate(&arena, ast, NULL, 0, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    const Item *root = outline_make(graph, &arena);
    const ItemRows rows = outline_rows(root, LAYERS * LAYERS * 2, &arena);
    int64_t cells = 0;
    for (int k = 0; k < rows.count; k++) cells += rows.rows[k].count;
    CU_ASSERT_EQUAL(rows.count, 2 * LAYERS + 2);
    CU_ASSERT_EQUAL(cells, rows.cells);
    CU_ASSERT(cells > LAYERS * LAYERS);
    CU_ASSERT_EQUAL(outline_rows(root, cells, &arena).count, rows.count);
    CU_ASSERT_EQUAL(outline_rows(root, cells - 1, &arena).count, 0);
    text_free(&text);
    arena_free(&arena);
}

void suite_outline(void);
void suite_outline(void) {
    CU_pSuite suite = CU_add_suite("outline", NULL, NULL);
    CU_add_test(suite, "examples", test_examples);
    CU_add_test(suite, "names", test_names);
    CU_add_test(suite, "too wide", test_wide);
}
