/* lower: batch norm and scale become affine, out = x * weight + bias per channel. Always runs: the plan and the passes
 * after it know no other normalisation.
 *
 *     weight = gamma / sqrt(var + eps)        bias = beta - mean * weight          (Ioffe and Szegedy 2015,
 * section 3.1)
 *
 *     %1 = bn(%0) weight @gamma bias @beta mean @mean var @var eps 1e-05
 *     %2 = scale(%1) weight @s bias @t
 * becomes
 *     @scale = bn_scale(@gamma, @var) real 1e-05
 *     @shift = bn_shift(@beta, @mean, @scale)
 *     %1 = affine(%0) weight @scale bias @shift
 *     %2 = affine(%1) weight @s bias @t
 *
 * The node keeps its name, place and value. Leaves true: no node is a bn or a scale.
 */
#include "rewrite.h"

static void lower_bn(Graph *graph, Node *node) {
    int c = node->in[0]->shape.c;
    Tensor **w = node->weight;
    Tensor *gamma = w[WEIGHT] ? w[WEIGHT] : tensor_fill(graph, c, 1);
    Tensor *beta = w[BIAS] ? w[BIAS] : tensor_fill(graph, c, 0);
    Tensor *scale = graph_add_expr(graph, RN_BN_SCALE, arena_printf(graph->arena, "%s.scale", node->name), 1, &c, 2,
                                   (Tensor *[]){gamma, w[VAR]}, node->attr.eps);
    Tensor *shift = graph_add_expr(graph, RN_BN_SHIFT, arena_printf(graph->arena, "%s.shift", node->name), 1, &c, 3,
                                   (Tensor *[]){beta, w[MEAN], scale}, 0);
    w[WEIGHT] = scale, w[BIAS] = shift, w[MEAN] = w[VAR] = NULL;
}

void pass_lower(Graph *graph) {
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (node->op != OP_BN && node->op != OP_SCALE) continue;
        if (node->op == OP_BN) lower_bn(graph, node);
        if (!node->weight[BIAS]) node->weight[BIAS] = tensor_fill(graph, node->in[0]->shape.c, 0);
        node->op = OP_AFFINE;
        node->attr = (Attr){0};
    }
}
