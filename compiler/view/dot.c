/* rnc --dump=dot: the graph for Graphviz, a cluster for each stage and block.
 *
 *     n3 [label="layer1.0.conv1\nconv 3x3 + relu\n64x56x56"];
 *     n2 -> n3;
 */
#include "emit/describe.h"
#include "outline.h"
#include "view.h"

static void put_quoted(Text *out, const char *text) {
    Text utf8 = {0};
    text_puts_utf8(&utf8, text);
    for (const char *s = utf8.s; s && *s; s++) {
        if (*s == '"' || *s == '\\')
            text_printf(out, "\\%c", *s);
        else
            text_write(out, (unsigned char)*s < ' ' ? " " : s, 1);
    }
    text_free(&utf8);
}

static void put_box(Text *out, int depth, const char *id, const char *name, const char *words, Shape s) {
    text_printf(out, "%*s%s [label=\"", 2 * depth, "", id);
    put_quoted(out, name);
    text_puts(out, "\\n");
    put_quoted(out, words);
    text_printf(out, "\\n%dx%dx%d\"];\n", s.c, s.h, s.w);
}

static const char *value_id(const Graph *graph, Arena *arena, const Value *value) {
    if (value->producer) return arena_printf(arena, "n%d", value->producer->id);
    return value == graph->input ? "input" : "labels";
}

static const char *words_of(Arena *arena, const Node *node) {
    Text t = {0};
    describe_node(node, &t);
    const char *words = arena_strdup(arena, t.s);
    text_free(&t);
    return words;
}

static void put_items(Text *out, const Graph *graph, const Item *holder, int *clusters, int *outputs, Arena *arena) {
    const int depth = holder->depth + 1;
    for (int i = 0; i < holder->count; i++) {
        const Item *item = holder->items[i];
        if (item->kind == ITEM_GROUP) {
            text_printf(out, "%*ssubgraph cluster%d {\n%*slabel=\"", 2 * depth, "", (*clusters)++, 2 * depth + 2, "");
            put_quoted(out, item->label);
            text_puts(out, *item->text ? "  " : "");
            put_quoted(out, item->text);
            text_puts(out, "\";\n");
            put_items(out, graph, item, clusters, outputs, arena);
            text_printf(out, "%*s}\n", 2 * depth, "");
        } else if (item->kind == ITEM_LAYER)
            put_box(out, depth, arena_printf(arena, "n%d", item->node->id), item->node->name,
                    words_of(arena, item->node), item->node->out->shape);
        else if (item->kind == ITEM_INPUT)
            put_box(out, depth, value_id(graph, arena, item->value), item->label, "input", item->value->shape);
        else if (item->kind == ITEM_OUTPUT)
            put_box(out, depth, arena_printf(arena, "output%d", (*outputs)++), item->label, "output",
                    item->value->shape);
    }
}

void graph_dot(const Graph *graph, Text *out) {
    Arena arena = {0};
    int clusters = 0, outputs = 0;
    text_puts(out, "digraph \"");
    put_quoted(out, graph->name);
    text_puts(out, "\" {\n  node [shape=box, fontname=\"sans-serif\", fontsize=10];\n"
                   "  graph [fontname=\"sans-serif\", fontsize=11, labeljust=l, color=gray];\n");
    put_items(out, graph, outline_make(graph, &arena), &clusters, &outputs, &arena);
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        Value **reads = arena_alloc(&arena, sizeof *reads * (size_t)(node->nin + 1));
        const int count = node_reads(node, reads);
        for (int k = 0; k < count; k++)
            text_printf(out, "  %s -> n%d%s;\n", value_id(graph, &arena, reads[k]), node->id,
                        node->epilogue.addend && k == count - 1 ? " [label=\"+\"]" : "");
    }
    for (int i = 0; i < graph->output_count; i++)
        text_printf(out, "  %s -> output%d;\n", value_id(graph, &arena, graph->outputs[i]), i);
    text_puts(out, "}\n");
    arena_free(&arena);
}
