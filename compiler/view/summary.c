/* rnc --summary: the graph as a table of layers with shapes, parameters and multiply-adds, and its totals.
 *
 *     layer         operation              output        parameters  multiply-adds
 *     conv1         conv 7x7 /2 pad 3      64x112x112         9,408    118,013,952
 */
#include "graph/irtext_fields.h"
#include "view.h"

#include <inttypes.h>
#include <string.h>

int64_t node_params(const Node *node) {
    int64_t count = 0;
    if (node->term)
        for (int i = 0; i < node->nin; i++) count += tensor_size(node->term[i].weight);
    for (int i = WEIGHT; i <= BIAS; i++)
        if (node->weight[i]) count += tensor_size(node->weight[i]);
    if (node->epilogue.bias) count += tensor_size(node->epilogue.bias);
    if (node->epilogue.prelu) count += tensor_size(node->epilogue.prelu);
    return count;
}

/* ---- activation memory ---- */

/* By value id: the value whose memory it is; a copy (dropout, identity, flatten) is its input's. */
static int *find_owners(const Graph *graph, Arena *arena) {
    int *owner = arena_alloc(arena, sizeof(int) * (size_t)graph->value_count);
    for (int i = 0; i < graph->value_count; i++) owner[i] = i;
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        if (op_info(node->op)->flags & OPF_COPY) owner[node->out->id] = owner[node->in[0]->id];
    }
    return owner;
}

/* By value id: the position of the last node that reads it, past the end for outputs. */
static int *find_last_reads(const Graph *graph, const int *owner, Arena *arena) {
    int *last = arena_alloc(arena, sizeof(int) * (size_t)graph->value_count);
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        last[owner[node->out->id]] = i; /* where nobody reads it, it still has to be written */
        for (int j = 0; j < node->nin; j++) last[owner[node->in[j]->id]] = i;
        if (node->epilogue.addend) last[owner[node->epilogue.addend->id]] = i;
    }
    for (int i = 0; i < graph->output_count; i++) last[owner[graph->outputs[i]->id]] = graph->node_count;
    return last;
}

static void measure_activations(const Graph *graph, Totals *totals) {
    Arena arena = {0};
    int *owner = find_owners(graph, &arena), *last = find_last_reads(graph, owner, &arena);
    /* freed[i]: bytes whose last reader is node i */
    int64_t *freed = arena_alloc(&arena, sizeof *freed * (size_t)(graph->node_count + 1));
    int64_t live = 4 * shape_size(graph->input->shape);
    totals->activation_bytes = totals->live_bytes = live;
    freed[last[graph->input->id]] += live;
    for (int i = 0; i < graph->node_count; i++) {
        const Value *out = graph->nodes[i]->out;
        if (owner[out->id] == out->id) {
            int64_t bytes = 4 * shape_size(out->shape);
            totals->activation_bytes += bytes;
            live += bytes;
            freed[last[out->id]] += bytes;
        }
        if (live > totals->live_bytes) totals->live_bytes = live;
        live -= freed[i];
    }
    arena_free(&arena);
}

Totals graph_totals(const Graph *graph) {
    Totals totals = {0};
    for (int i = 0; i < graph->node_count; i++) {
        totals.params += node_params(graph->nodes[i]);
        totals.macs += node_cost(graph->nodes[i]);
    }
    measure_activations(graph, &totals);
    return totals;
}

/* ---- the table ---- */

/* 1234567 as 1,234,567, and nothing for a layer that has none. */
static const char *grouped(Arena *arena, int64_t number) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, number);
    Text text = {0};
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) text_puts(&text, ",");
        text_write(&text, &digits[i], 1);
    }
    const char *copy = arena_strdup(arena, text.s);
    text_free(&text);
    return copy;
}

const char *view_bytes(Arena *arena, double bytes) {
    return bytes < 999.5e3   ? arena_printf(arena, "%.1f KB", bytes * 1e-3)
           : bytes < 999.5e6 ? arena_printf(arena, "%.1f MB", bytes * 1e-6)
                             : arena_printf(arena, "%.2f GB", bytes * 1e-9);
}

int64_t graph_weight_bytes(const Graph *graph) {
    int64_t bytes = 0;
    for (int i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i]->op == RN_PARAM) bytes += tensor_bytes(graph->tensors[i]);
    return bytes;
}

const char *summary_operation(Arena *arena, const Node *node) {
    Text text = {0};
    const char *word = op_info(node->op)->word;
    text_puts(&text, *word == '.' ? word + 1 : word);
    if (node->term && node->op != OP_FC) {
        irtext_print_window(&text, &node->term[0].window);
        if (node->term[0].groups != 1) text_printf(&text, " groups %d", node->term[0].groups);
    }
    irtext_print_attributes(&text, node);
    const char *copy = arena_strdup(arena, text.s);
    text_free(&text);
    return copy;
}

enum { COLUMNS = 5 };

static void print_row(FILE *out, const char *const cells[COLUMNS], const int width[COLUMNS]) {
    int count = COLUMNS;
    while (count > 0 && !*cells[count - 1]) count--; /* no spaces at a line's end */
    for (int i = 0; i < count; i++) {
        bool number = i >= 3, last = i == count - 1;
        fprintf(out, number ? "%*s" : "%-*s", number || !last ? width[i] : 0, cells[i]);
        fputs(last ? "\n" : "  ", out);
    }
}

static void print_sizes(const Sizes *s, Arena *arena, FILE *out) {
    fprintf(out, "weights        %s in float32, %s packed (-O%d, %s)\n", view_bytes(arena, (double)s->weights),
            view_bytes(arena, (double)s->packed), s->level, s->target);
    fprintf(out, "arena          %s an instance (batch %d, %d thread%s)\n", view_bytes(arena, (double)s->arena),
            s->batch, s->threads, s->threads == 1 ? "" : "s");
}

static void print_outputs(const Graph *graph, FILE *out) {
    for (int i = 0; i < graph->output_count; i++) {
        const Shape s = graph->outputs[i]->shape;
        fprintf(out, "%-14s %s %dx%dx%d\n",
                i                         ? ""
                : graph->output_count > 1 ? "outputs"
                                          : "output",
                graph->outputs[i]->name, s.c, s.h, s.w);
    }
}

void summary_print(const Graph *graph, const Sizes *sizes, FILE *out) {
    Arena arena = {0};
    int rows = graph->node_count + 2, width[COLUMNS] = {0}; /* a heading, the input, the layers */
    const char *(*cells)[COLUMNS] = arena_alloc(&arena, sizeof *cells * (size_t)rows);
    static const char *const heading[COLUMNS] = {"layer", "operation", "output", "parameters", "multiply-adds"};
    Shape input = graph->input->shape;
    memcpy(cells[0], heading, sizeof heading);
    cells[1][0] = graph->input->name ? graph->input->name : "";
    cells[1][1] = graph->input->channels_last ? "input, nhwc" : "input";
    cells[1][2] = arena_printf(&arena, "%dx%dx%d", input.c, input.h, input.w);
    cells[1][3] = cells[1][4] = "";
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        Shape shape = node->out->shape;
        int64_t params = node_params(node), macs = node_cost(node);
        const char **row = cells[i + 2];
        row[0] = node->name;
        row[1] = summary_operation(&arena, node);
        row[2] = arena_printf(&arena, "%dx%dx%d", shape.c, shape.h, shape.w);
        row[3] = params ? grouped(&arena, params) : "";
        row[4] = macs ? grouped(&arena, macs) : "";
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < COLUMNS; j++)
            if ((int)strlen(cells[i][j]) > width[j]) width[j] = (int)strlen(cells[i][j]);
    for (int i = 0; i < rows; i++) print_row(out, cells[i], width);

    Totals totals = graph_totals(graph);
    fprintf(out, "\nnetwork        %s\n", graph->name);
    print_outputs(graph, out);
    fprintf(out, "parameters     %s\n", grouped(&arena, totals.params));
    fprintf(out, "multiply-adds  %s\n", grouped(&arena, totals.macs));
    fprintf(out, "activations    %s in all, %s at one time at most (one image, float32, unfused)\n",
            view_bytes(&arena, (double)totals.activation_bytes), view_bytes(&arena, (double)totals.live_bytes));
    if (sizes) print_sizes(sizes, &arena, out);
    arena_free(&arena);
}
