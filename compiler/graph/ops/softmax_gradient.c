/* .softmax_gradient(dy, y): the gradient of what softmax read, from its result y, for each pixel over the channels:
 * out[c] = y[c] * (dy[c] - sum over d of dy[d] * y[d]). */
#include "rules.h"

bool softmax_gradient_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    return rule_same_shapes(node, diag, 2) && rule_set_shape(node, diag, in.c, in.h, in.w);
}

RULE_NO_PARAMS(softmax_gradient)
RULE_NO_COST(softmax_gradient)

void softmax_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                                int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[0]->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w, size = shape_size(shape);
    for (int64_t p = 0; p < pixels; p++) {
        double sum = 0;
        for (int64_t i = p; i < size; i += pixels) sum += in[0][i] * in[1][i];
        for (int64_t i = p; i < size; i += pixels) out[i] = in[1][i] * (in[0][i] - sum);
    }
}
