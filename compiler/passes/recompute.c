#include "recompute.h"

#include <string.h>

#include "graph/ops.h"

static int forward_count(const Graph *graph) {
    int count = 0;
    while (count < graph->node_count && !graph->nodes[count]->backward && graph->nodes[count]->op != OP_CROSSENTROPY)
        count++;
    return count;
}

/* By node: 1 where, after it, its value alone is what later layers of the forward pass read. */
static bool *find_cuts(const Graph *graph, Arena *arena, int forward) {
    bool *cut = arena_alloc(arena, (size_t)forward + 1);
    int *last = arena_alloc(arena, sizeof *last * ((size_t)graph->value_count + 1)); /* reader in the forward pass */
    int *ends = arena_alloc(arena, sizeof *ends * ((size_t)forward + 1)); /* values whose last reader a node is */
    for (int i = 0; i < forward; i++)
        for (int k = 0; k < graph->nodes[i]->nin; k++) last[graph->nodes[i]->in[k]->id] = i;
    int live = 1; /* the input */
    ends[last[graph->input->id]]++;
    for (int i = 0; i < forward; i++) {
        const Value *out = graph->nodes[i]->out;
        live -= ends[i];
        if (out->all || !last[out->id]) continue;
        live++;
        ends[last[out->id]]++;
        cut[i] = live == 1;
    }
    return cut;
}

int recompute_cuts(const Graph *graph) {
    Arena arena = {0};
    const int forward = forward_count(graph);
    const bool *cut = find_cuts(graph, &arena, forward);
    int count = 0;
    for (int i = 0; i < forward; i++) count += cut[i];
    arena_free(&arena);
    return count;
}

static bool is_of_elements(const Node *node) {
    return node->op == OP_NORMALISE || (op_info(node->op)->flags & (OPF_ACTIVATION | OPF_COPY)) ||
           (node->op == OP_ADD && shape_equal(node->in[0]->shape, node->in[1]->shape));
}

typedef struct Work {
    Graph *graph;
    Arena arena;
    Recompute mode;
    int forward;
    bool *kept;    /* by value id */
    Value **again; /* by value id: the value that stands for it in the backward pass */
    Node **added;  /* by position in the old order: nodes that go before it, linked */
    Node **next;   /* by id of a made node (its value's id): the one after it */
    int count;
} Work;

/* A copy of the node that reads what stands for its inputs; its value's name and place are the node's. */
static Node *copy_node(Work *w, const Node *node) {
    Graph *graph = w->graph;
    Value *in[64];
    if (node->nin > 64) return NULL;
    for (int i = 0; i < node->nin; i++) in[i] = w->again[node->in[i]->id] ? w->again[node->in[i]->id] : node->in[i];
    const int position = graph->node_count;
    Node *made =
        graph_add_node(graph, node->op, arena_printf(graph->arena, "%s again", node->name), in, node->nin, node->place);
    Value **inputs = made->in, *out = made->out;
    Term *term = made->term;
    const char *name = made->name;
    const int id = made->id;
    *made = *node;
    made->in = inputs, made->out = out, made->name = name, made->id = id, made->term = term;
    if (term) memcpy(term, node->term, sizeof *term * NODE_MAX_TERMS);
    made->backward = true;
    out->shape = node->out->shape, out->type = node->out->type, out->all = node->out->all;
    graph->node_count = position; /* its place in the order comes later */
    return made;
}

/* Everything in (from, to) that the backward pass, or something computed again, needs. */
static void repeat_segment(Work *w, int from, int to, const bool *needed_at_all, const int *first_use) {
    Graph *graph = w->graph;
    bool *needed = arena_alloc(&w->arena, (size_t)graph->value_count + 1);
    int position = graph->node_count;
    for (int i = to - 1; i > from; i--) {
        const Node *node = graph->nodes[i];
        const Value *out = node->out;
        if (w->kept[out->id] || !(needed[out->id] || needed_at_all[out->id])) continue;
        needed[out->id] = true;
        if (needed_at_all[out->id] && first_use[out->id] < position) position = first_use[out->id];
        for (int k = 0; k < node->nin; k++) needed[node->in[k]->id] = true;
    }
    Node *tail = w->added[position];
    while (tail && w->next[tail->out->id]) tail = w->next[tail->out->id];
    for (int i = from + 1; i < to; i++) {
        const Node *node = graph->nodes[i];
        if (!needed[node->out->id] || w->kept[node->out->id]) continue;
        Node *made = copy_node(w, node);
        if (!made) continue;
        w->again[node->out->id] = made->out;
        if (tail)
            w->next[tail->out->id] = made;
        else
            w->added[position] = made;
        tail = made;
        w->count++;
    }
}

/* Which values a segment keeps: of the batch; by RECOMPUTE_SUMS what is not of each element alone. */
static void keep_values(Work *w, const bool *cut, int every) {
    const Graph *graph = w->graph;
    w->kept[graph->input->id] = w->kept[graph->training->labels->id] = true;
    int cuts = 0;
    for (int i = 0; i < w->forward; i++) {
        const Node *node = graph->nodes[i];
        const bool chosen = cut[i] && ++cuts % every == 0;
        w->kept[node->out->id] =
            chosen || node->out->all || node->nin > 64 || (w->mode == RECOMPUTE_SUMS && !is_of_elements(node));
    }
}

static void reorder(Work *w, int old_count) {
    Graph *graph = w->graph;
    Node **nodes = arena_alloc(graph->arena, sizeof *nodes * ((size_t)old_count + (size_t)w->count + 1));
    int count = 0;
    for (int i = 0; i < old_count; i++) {
        for (Node *made = w->added[i]; made; made = w->next[made->out->id]) nodes[count++] = made;
        nodes[count++] = graph->nodes[i];
    }
    graph->nodes = nodes;
    graph->node_count = graph->node_capacity = count;
    graph_renumber(graph);
}

int recompute(Graph *graph, Recompute mode, int every) {
    if (mode == RECOMPUTE_NONE || every < 1) return 0;
    Work w = {.graph = graph, .mode = mode, .forward = forward_count(graph)};
    const size_t values = (size_t)graph->value_count + (size_t)w.forward + 2; /* and those that are made */
    const int old_count = graph->node_count;
    w.kept = arena_alloc(&w.arena, values);
    w.again = arena_alloc(&w.arena, sizeof *w.again * values);
    w.added = arena_alloc(&w.arena, sizeof *w.added * ((size_t)old_count + 1));
    w.next = arena_alloc(&w.arena, sizeof *w.next * values);
    const bool *cut = find_cuts(graph, &w.arena, w.forward);
    keep_values(&w, cut, every);
    bool *needed = arena_alloc(&w.arena, values);
    int *first_use = arena_alloc(&w.arena, sizeof *first_use * values);
    for (int i = old_count - 1; i >= w.forward; i--)
        for (int k = 0; k < graph->nodes[i]->nin; k++) {
            needed[graph->nodes[i]->in[k]->id] = true;
            first_use[graph->nodes[i]->in[k]->id] = i;
        }
    int from = -1, cuts = 0;
    for (int i = 0; i < w.forward; i++) /* what follows the last kept value is needed at once */
        if (cut[i] && ++cuts % every == 0) {
            repeat_segment(&w, from, i, needed, first_use);
            from = i;
        }
    for (int i = w.forward; i < old_count; i++) {
        Node *node = graph->nodes[i];
        for (int k = 0; k < node->nin; k++)
            if (w.again[node->in[k]->id]) node->in[k] = w.again[node->in[k]->id];
    }
    reorder(&w, old_count);
    const int count = w.count;
    arena_free(&w.arena);
    return count;
}
