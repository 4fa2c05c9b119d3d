/* remove-copies: layers that move no data at inference disappear: dropout, identity, a concat of one value, and flatten
 * where the shape stays or only fc layers see the result (an fc reads its input in C, H, W order, whatever its shape).
 *
 *     %1 = relu(%0)                           %1 = relu(%0)
 *     %2 = flatten(%1)                        %4 = fc(%1 * @w)
 *     %3 = dropout(%2) rate 0.5
 *     %4 = fc(%3 * @w)
 *
 * In training the gradient of an fc's weights reads the input as the fc does, and that of its input has the shape that
 * is asked of it; dropout is an operation of its own there.
 *
 *     %8 = fc_data(%7) weight @w ...          %9 = fc_data(%7) weight @w ...
 *     %9 = reshape(%8) ...
 *
 * A copy that is an output gives its value's name to the layer before it; it stays where that is the network's input or
 * an output itself.
 */
#include "rewrite.h"

/* Whether the node reads input i in C, H, W order, whatever its shape. */
static bool reads_any_shape(const Node *node, int i) {
    return node->op == OP_FC || (node->op == OP_FC_WEIGHTS && i == 0);
}

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
            if (passes_on ? seen[node->out->id] : !reads_any_shape(node, j)) seen[node->in[j]->id] = true;
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

/* A reshape of an fc's input's gradient, which nothing else reads: that has the shape at once. */
static bool join_fc_data(Rewrite *r, Node *node) {
    Node *data = node->op == OP_RESHAPE ? rewrite_resolve(r, node->in[0])->producer : NULL;
    if (!data || data->op != OP_FC_DATA || rewrite_only_user(r, data->out) != node) return false;
    data->attr.channels = node->attr.channels, data->attr.height = node->attr.height;
    data->attr.width = node->attr.width;
    rewrite_absorb(r, data, node);
    return true;
}

void pass_copies(Graph *graph) {
    Rewrite r;
    rewrite_begin(&r, graph);
    bool *seen = find_seen(&r);
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (join_fc_data(&r, node) || !is_copy(node, seen)) continue;
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
