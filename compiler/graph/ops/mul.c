/* .mul: the product of a value and a gate, which has the value's shape or one factor for each channel, C x 1 x 1
 * (squeeze-excite), for each pixel, 1 x H x W (spatial attention), or for all, 1 x 1 x 1. */
#include "graph/tensor.h"
#include "rules.h"

bool mul_infer(Node *node, Diag *diag) {
    Shape in = node->in[0]->shape, gate = node->in[1]->shape;
    if (broadcast_of(in, gate) == BROADCAST_NONE)
        return rule_error(
            node, diag,
            "a gate of %dx%dx%d does not fit a value of %dx%dx%d: it must be that, %dx1x1, 1x%dx%d or 1x1x1", gate.c,
            gate.h, gate.w, in.c, in.h, in.w, in.c, in.h, in.w);
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

RULE_NO_PARAMS(mul)
RULE_NO_COST(mul)

Moments mul_moments(const Node *node, const Moments *in, double *carried) {
    (void)node;
    carried[0] = moments_square(in[1]);
    carried[1] = moments_square(in[0]);
    return moments_times(in[0], in[1]);
}

void mul_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[0]->shape;
    const Broadcast broadcast = node_broadcast(node);
    const int64_t pixels = (int64_t)shape.h * shape.w;
    for (int64_t i = 0; i < shape_size(shape); i++) out[i] = in[0][i] * in[1][rule_beside(broadcast, i, pixels)];
}

bool mul_gradient(Gradients *g, const Node *node, Value *dy) {
    Value *x = node->in[0], *gate = node->in[1];
    if (gradients_want(g, x)) gradients_add(g, x, gradients_value(g, node, "data", OP_MUL, (Value *[]){dy, gate}, 2));
    rule_broadcast_gradient(g, node, dy, x);
    return true;
}
