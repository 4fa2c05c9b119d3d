/* .dot(a, b): for each channel the sum over the image's pixels of a * b, C x 1 x 1: the gradient of a gate that has one
 * factor for each channel. */
#include "rules.h"

bool dot_infer(Node *node, Diag *diag) {
    return rule_same_shapes(node, diag, 2) && rule_set_shape(node, diag, node->in[0]->shape.c, 1, 1);
}

RULE_NO_PARAMS(dot)
RULE_NO_COST(dot)

void dot_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[0]->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++) {
        out[c] = 0;
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++) out[c] += in[0][i] * in[1][i];
    }
}
