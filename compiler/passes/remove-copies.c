/* remove-copies: layers that move no data at inference disappear: dropout, identity, a concat of one value, and flatten
 * where the shape stays or only fc layers see the result (an fc reads its input in C, H, W order, whatever its shape).
 *
 *     %1 = relu(%0)                           %1 = relu(%0)
 *     %2 = flatten(%1)                        %4 = fc(%1 * @w)
 *     %3 = dropout(%2) rate 0.5
 *     %4 = fc(%3 * @w)
 *
 * A copy that is an output gives its value's name to the layer before it; it stays where that is the network's input or
 * an output itself.
 */
#include "rewrite.h"

/* By value id: some reader other than an fc sees it, directly or through copies, or it is an output. */
static bool *find_seen(Rewrite *r) {
    const Graph *graph = r->graph;
    bool *seen = arena_alloc(&r->arena, (size_t)graph->value_count);
    for (int i = 0; i < graph->output_count; i++) seen[graph->outputs[i]->id] = true;
    for (int i = graph->node_count - 1; i >= 0; i--) {
        const Node *node = graph->nodes[i];
        if (node->epilogue.addend) seen[node->epilogue.addend->id] = true;
        bool passes_on = op_info(node->op)->flags & OPF_COPY;
        for (int j = 0; j < node->nin; j++)
            if (passes_on ? seen[node->out->id] : node->op != OP_FC) seen[node->in[j]->id] = true;
    }
    return seen;
}

/* Whether the node moves nothing, given who sees its value. */
static bool is_copy(const Node *node, const bool *seen) {
    if (!epilogue_is_linear(&node->epilogue) || node->out->home) return false;
    if (node->op == OP_CONCAT) return node->nin == 1;
    if (!(op_info(node->op)->flags & OPF_COPY)) return false;
    return shape_equal(node->in[0]->shape, node->out->shape) || !seen[node->out->id];
}

void pass_copies(Graph *graph) {
    Rewrite r;
    rewrite_begin(&r, graph);
    bool *seen = find_seen(&r);
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (!is_copy(node, seen)) continue;
        Value *in = rewrite_resolve(&r, node->in[0]), *out = node->out;
        if (!out->is_output) {
            rewrite_forward(&r, out, in);
            rewrite_remove(&r, node);
        } else if (in->producer && !in->is_output && !in->home && shape_equal(in->shape, out->shape)) {
            Node *producer = in->producer;
            rewrite_forward(&r, in, out);
            rewrite_remove(&r, node);
            in->producer = NULL;
            producer->out = out;
            out->producer = producer;
        }
    }
    rewrite_end(&r);
}
