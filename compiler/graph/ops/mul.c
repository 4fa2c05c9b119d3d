/* .mul: the product of a value and a gate, which has the value's shape or is one factor per channel, C x 1 x 1
 * (squeeze-excite). */
#include "graph/tensor.h"
#include "rules.h"

bool mul_infer(Node *node, Diag *diag) {
    Shape in = node->in[0]->shape, gate = node->in[1]->shape;
    if (!shape_equal(in, gate) && !shape_equal((Shape){in.c, 1, 1}, gate))
        return rule_error(node, diag, "a gate of %dx%dx%d does not fit a value of %dx%dx%d: it must be that or %dx1x1",
                          gate.c, gate.h, gate.w, in.c, in.h, in.w, in.c);
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
    Shape shape = node->in[0]->shape;
    bool per_channel = !shape_equal(shape, node->in[1]->shape);
    int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++)
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++) out[i] = in[0][i] * in[1][per_channel ? c : i];
}

bool mul_gradient(Gradients *g, const Node *node, Value *dy) {
    Value *x = node->in[0], *gate = node->in[1];
    if (gradients_want(g, x)) gradients_add(g, x, gradients_value(g, node, "data", OP_MUL, (Value *[]){dy, gate}, 2));
    if (gradients_want(g, gate)) {
        const Op op = shape_equal(gate->shape, x->shape) ? OP_MUL : OP_DOT;
        gradients_add(g, gate, gradients_value(g, node, "gate", op, (Value *[]){dy, x}, 2));
    }
    return true;
}
