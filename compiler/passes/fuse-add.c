/* fuse-add: a sum joins the layer that computes one of its summands: the other summand becomes its epilogue's addend,
 * added while the result is in registers.
 *
 *     %2 = conv(%1 * @w 3x3 pad 1)            %3 = conv(%1 * @w 3x3 pad 1) + %0
 *     %3 = add(%2, %0)
 *
 * Legal where the sum alone reads the summand and the summand's layer ends in at most a bias. Carriers have
 * OPF_EPILOGUE in ops.def. The layer moves to the sum's place, where the other summand is ready; nothing between reads
 * its value. Where both summands could carry, a convolution does (it can accumulate in place), and of two the first:
 * the residual branch, whose name the block's last layer keeps. A sum that reads one number for a channel or pixel
 * stays a layer of its own. A zero-filling add (option A) joins a convolution that has the sum's full shape where only
 * channels are filled; its addend is then partial.
 */
#include "rewrite.h"

/* Whether the layer that makes summand `v` can take the rest of the sum into its epilogue. */
static bool can_carry(const Rewrite *r, const Node *sum, const Value *v, const Value *other) {
    const Node *node = v->producer;
    if (!node || !op_carries_addend(node->op) || rewrite_only_user(r, v) != sum || v->home) return false;
    if (!epilogue_is_linear(&node->epilogue) || !shape_equal(v->shape, sum->out->shape)) return false;
    if (other->shape.h != v->shape.h || other->shape.w != v->shape.w)
        return false; /* kernels check channels, not borders */
    return other->shape.c == v->shape.c || node->op == OP_CONV;
}

/* The index of the summand whose layer takes the sum, or -1. */
static int choose_carrier(const Rewrite *r, const Node *sum) {
    int best = -1;
    for (int k = 0; k < 2; k++) {
        if (!can_carry(r, sum, sum->in[k], sum->in[1 - k])) continue;
        if (best < 0 || (sum->in[k]->producer->op == OP_CONV && sum->in[best]->producer->op != OP_CONV)) best = k;
    }
    return best;
}

void pass_fuse_add(Graph *graph) {
    Rewrite r;
    rewrite_begin(&r, graph);
    for (int i = 0; i < graph->node_count; i++) {
        Node *sum = graph->nodes[i];
        if (!sum || sum->op != OP_ADD || !epilogue_is_linear(&sum->epilogue)) continue;
        if (node_broadcast(sum) != BROADCAST_EQUAL) continue;
        int k = choose_carrier(&r, sum);
        if (k < 0) continue;
        Node *node = sum->in[k]->producer;
        node->epilogue.addend = sum->in[1 - k];
        node->epilogue.addend_stride = 1;
        node->epilogue.addend_partial = !shape_equal(sum->in[1 - k]->shape, sum->out->shape);
        rewrite_absorb_late(&r, node, sum);
    }
    rewrite_end(&r);
}
