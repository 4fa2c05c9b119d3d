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

void pass_lower(Graph *graph) {
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (node->op == OP_BN || node->op == OP_SCALE) become_affine(graph, node);
    }
}
