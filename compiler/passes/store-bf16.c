/* store-bf16: the weights of fully connected layers are rounded to bf16, and the plan then stores them in two bytes
 * each.
 *
 *     %1 = fc(%0 * @w) + @b                   %1 = fc(%0 * @w2) + @b          @w2 = cast(@w) bf16
 *
 * It changes results, so it runs only where asked for (--store bf16). The parameters are rounded as they are given,
 * before any fold: weights that are bf16 in their file stay exactly what they are, and the network is the same at every
 * level. So fold-affine leaves a batch norm beside such a layer alone, which costs one number a channel where the layer
 * reads a row of weights. Biases stay float.
 */
#include "rewrite.h"

void pass_store_bf16(Graph *graph) {
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        for (int k = 0; node->op == OP_FC && k < node->nin; k++) {
            Tensor *weight = node->term[k].weight;
            if (weight->type != RN_BF16) node->term[k].weight = graph_add_cast(graph, weight, RN_BF16);
        }
    }
}
