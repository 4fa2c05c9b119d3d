/* lower-transposed: a transposed convolution becomes a convolution at stride 1, whose output channels are the phases of
 * the result, and their interleaving to pixels. Always runs: the plan knows no transposed convolution.
 *
 *     %1 = convtranspose(%0 * @w 4x4 /2 pad 1) + @b
 * becomes
 *     @v = phases(@w) integers 2,2            (each phase of the result sees every second tap of the kernel)
 *     %2 = conv(%0 * @v 2x2 pad 1)
 *     %1 = interleave(%2) rows 2 columns 2 channels 8 top 1 left 1 height 8 width 8 + @b
 *
 * At stride 1 the convolution is all, unless its padding would have to be negative. The last node keeps the layer's
 * name, place and value. Leaves true: no node is a convtranspose. Runs after fold-affine, which knows how norms fold
 * into the weights as they are in the file.
 */
#include "rewrite.h"

/* A convolution of these weights and this window instead of the transposed one. */
static void become_phases(Graph *graph, Node *conv, const Node *node, const Phases *phases) {
    const Term *term = &node->term[0];
    const int dim[4] = {phases->shape.c, node->in[0]->shape.c / term->groups, phases->window.r, phases->window.s};
    Tensor *weight = graph_add_expr(graph, RN_PHASES, term->weight->name, 4, dim, 1, (Tensor *[]){term->weight}, 0);
    weight->integer[0] = term->window.stride_h;
    weight->integer[1] = term->window.stride_w;
    conv->features = phases->shape.c;
    conv->term[0] = (Term){weight, phases->window, term->groups};
}

static Value *add_phases(Graph *graph, Node *node, const Phases *phases) {
    const char *name = arena_printf(graph->arena, "%s phases", node->name); /* no layer of a source is called so */
    Node *conv = graph_add_node(graph, OP_CONV, name, node->in, 1, node->place);
    conv->via = node->via;
    conv->group = node->group;
    become_phases(graph, conv, node, phases);
    op_info(OP_CONV)->infer(conv, NULL);
    graph_insert_before(graph, node, conv);
    return conv->out;
}

static void lower(Graph *graph, Node *node) {
    const Phases phases = convtranspose_phases(node);
    const Term term = node->term[0];
    const Shape out = node_unpooled_shape(node);
    if (shape_equal(phases.shape, out)) {
        become_phases(graph, node, node, &phases);
        node->op = OP_CONV;
        node->attr = (Attr){0};
        return;
    }
    node->in[0] = add_phases(graph, node, &phases);
    node->op = OP_INTERLEAVE;
    node->term = NULL;
    node->attr = (Attr){.channels = node->features / term.groups, .height = out.h, .width = out.w};
    node->attr.window.stride_h = term.window.stride_h, node->attr.window.stride_w = term.window.stride_w;
    node->attr.window.top = phases.top, node->attr.window.left = phases.left;
    node->features = 0;
}

void pass_lower_transposed(Graph *graph) {
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == OP_CONVTRANSPOSE) lower(graph, graph->nodes[i]);
}
