/* in-place: a residual sum accumulates into its shortcut's buffer: the block's output overwrites its input, kernels
 * with beta = 1 make the addition free, and the buffer is loaded once and stored once.
 *
 *     %4 = conv(%3 * @w 1x1) + %1 -> relu     %4 = conv(%3 * @w 1x1) + %1 in_place -> relu
 *
 * Legal where this is the addend's last use, the shapes agree element by element (no stride, no zero filling, no pool
 * after), the convolution reads the addend in no other way, and the buffer belongs to the addend alone: it is not the
 * network's input or an output, no slice of a concatenation or made of slices, and no copy (identity, flatten) shares
 * it. Runs last: any later change of the order of reading would break it.
 */
#include "rewrite.h"

typedef struct Reads {
    int *last;    /* by value id: position of its last reader */
    bool *shared; /* by value id: a copy or a slice shares its buffer */
} Reads;

static Reads find_reads(const Graph *graph, Arena *arena) {
    Reads reads = {arena_alloc(arena, sizeof(int) * (size_t)graph->value_count),
                   arena_alloc(arena, (size_t)graph->value_count)};
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        for (int j = 0; j < node->nin; j++) reads.last[node->in[j]->id] = i;
        if (node->epilogue.addend) reads.last[node->epilogue.addend->id] = i;
        if ((op_info(node->op)->flags & OPF_COPY) || node->op == OP_SLICE)
            reads.shared[node->in[0]->id] = reads.shared[node->out->id] = true;
        if (node->op == OP_CONCAT) reads.shared[node->out->id] = true;
    }
    return reads;
}

static bool is_legal(const Node *node, const Reads *reads) {
    const Epilogue *e = &node->epilogue;
    const Value *addend = e->addend;
    if (!addend || !addend->producer || addend->is_output || addend->home || node->out->home) return false;
    if (e->addend_stride != 1 || e->addend_partial || e->pool != POOL_NONE || !conv_is_dense(node)) return false;
    if (!shape_equal(addend->shape, node->out->shape)) return false;
    for (int i = 0; i < node->nin; i++)
        if (node->in[i] == addend) return false;
    return reads->last[addend->id] == node->id && !reads->shared[addend->id];
}

void pass_in_place(Graph *graph) {
    Arena arena = {0};
    graph_renumber(graph);
    Reads reads = find_reads(graph, &arena);
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (is_legal(node, &reads)) node->epilogue.in_place = true;
    }
    arena_free(&arena);
}
