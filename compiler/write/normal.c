/* The graph as it is best said. Densely connected networks are exported with a concatenation of all layers so far for
 * each layer: said as the one before it and one value more, they are the blocks that the paper has. Layers `identity`
 * do nothing but name a value: where a name is needed, the source has them again.
 */
#include <string.h>

#include "inner.h"

enum { MOST_BEHIND = 64 }; /* concatenations that are looked back at */

typedef struct Joined {
    Value **in; /* as they were */
    int count;
    Value *out;
} Joined;

/* The longest of the last ones that joins what this one begins with; NULL: none. */
static const Joined *find_beginning(const Joined *all, int count, const Node *node) {
    const Joined *best = NULL;
    for (int i = count; i-- > 0 && i >= count - MOST_BEHIND;) {
        const Joined *j = &all[i];
        if (j->count < 2 || j->count >= node->nin || (best && j->count <= best->count)) continue;
        if (!memcmp(j->in, node->in, sizeof *j->in * (size_t)j->count)) best = j;
    }
    return best;
}

static void join_stepwise(Graph *graph) {
    Arena *arena = graph->arena;
    Joined *all = NULL;
    int count = 0, capacity = 0;
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (node->op != OP_CONCAT) continue;
        const Joined joined = {node->in, node->nin, node->out}, *beginning = find_beginning(all, count, node);
        ARENA_PUSH(arena, all, count, capacity, joined); /* the older ones stay where they are, in the arena */
        if (!beginning) continue;
        const int left = node->nin - beginning->count;
        node->in = arena_alloc(arena, sizeof *node->in * (size_t)(left + 1));
        node->in[0] = beginning->out;
        memcpy(node->in + 1, joined.in + beginning->count, sizeof *node->in * (size_t)left);
        node->nin = left + 1;
    }
}

/* An output is a value of its own: of two that are one value, both stay. */
static void remove_identities(Graph *graph) {
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        Value *from = node->in[0], *to = node->out;
        if (node->op != OP_IDENTITY || (to->is_output && (from->is_output || !from->producer))) continue;
        if (from->producer) from->name = to->name;
        graph_replace_uses(graph, to, from);
        graph_remove_node(graph, node);
        graph_renumber(graph);
        i--;
    }
}

Graph *graph_as_said(const Graph *graph, Arena *arena) {
    Graph *copy = graph_clone(graph, arena);
    remove_identities(copy);
    join_stepwise(copy);
    return copy;
}
