/* dropout (which does nothing at inference; in training it is a .drop), identity, and flatten (which renames C x H x W
 * to C*H*W x 1 x 1). */
#include "graph/tensor.h"
#include "rules.h"

#include <string.h>

bool copy_infer(Node *node, Diag *diag) {
    Shape in = node->in[0]->shape;
    if (node->op == OP_FLATTEN) return rule_set_shape(node, diag, shape_size(in), 1, 1);
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

RULE_NO_PARAMS(copy)
RULE_NO_COST(copy)
RULE_KEEPS_MOMENTS(copy)

void copy_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    memcpy(out, in[0], sizeof(double) * (size_t)shape_size(node->in[0]->shape));
}

bool copy_gradient(Gradients *g, const Node *node, Value *dy) {
    const Shape in = node->in[0]->shape;
    if (!shape_equal(in, dy->shape)) {
        Node *reshape = gradients_node(g, node, "reshape", OP_RESHAPE, &dy, 1);
        reshape->attr.channels = in.c, reshape->attr.height = in.h, reshape->attr.width = in.w;
        dy = gradients_done(g, reshape);
    }
    gradients_add(g, node->in[0], dy);
    return true;
}
