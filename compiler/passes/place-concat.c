/* place-concat: a concatenation's inputs are written where they belong in its result, so that joining moves nothing.
 *
 *     %1 16x8x8 = conv(%0 * @a 1x1)           %1 16x8x8 in %3[0] = conv(%0 * @a 1x1)
 *     %2 32x8x8 = conv(%0 * @b 1x1)           %2 32x8x8 in %3[16] = conv(%0 * @b 1x1)
 *     %3 48x8x8 = concat(%1, %2)              %3 48x8x8 = concat(%1, %2)
 *
 * The concat stays; the plan copies only inputs that are not at home. Homes nest: a dense block's first join is a slice
 * of its second, and so on. A value that several concats join lives in the largest (of equals the last) and is copied
 * to the others. Not placed: the network's input and outputs (which are converted anyway), a value that one concat
 * joins twice, and one that shares its addend's buffer. Changes no node and no result; in-place must run after it,
 * since a slice cannot share a buffer otherwise.
 */
#include "rewrite.h"

/* By value id: its buffer is its addend's, or is overwritten by a sum. */
static bool *find_shared(Rewrite *r) {
    bool *shared = arena_alloc(&r->arena, (size_t)r->graph->value_count);
    for (int i = 0; i < r->graph->node_count; i++) {
        const Node *node = r->graph->nodes[i];
        if (!node->epilogue.in_place) continue;
        shared[node->out->id] = shared[node->epilogue.addend->id] = true;
    }
    return shared;
}

void pass_place_concat(Graph *graph) {
    Rewrite r;
    rewrite_begin(&r, graph);
    const bool *shared = find_shared(&r);
    int *joins = arena_alloc(&r.arena, sizeof(int) * (size_t)graph->value_count); /* by value id: in this concat */
    for (int i = 0; i < graph->node_count; i++) {
        const Node *concat = graph->nodes[i];
        if (concat->op != OP_CONCAT || !epilogue_is_linear(&concat->epilogue)) continue;
        for (int j = 0; j < concat->nin; j++) joins[concat->in[j]->id]++;
        int channel = 0;
        for (int j = 0; j < concat->nin; j++) {
            Value *v = concat->in[j];
            bool larger = !v->home || v->home->shape.c <= concat->out->shape.c;
            if (v->producer && !v->is_output && joins[v->id] == 1 && larger && !shared[v->id]) {
                v->home = concat->out;
                v->home_channel = channel;
            }
            channel += v->shape.c;
        }
        for (int j = 0; j < concat->nin; j++) joins[concat->in[j]->id] = 0;
    }
    rewrite_end(&r);
}
