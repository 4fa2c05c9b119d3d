/* .prelu_weights(x, dy): the gradient of prelu's slopes: out[c] = sum over the batch's pixels of dy * min(x, 0);
 * C x 1 x 1. */
#include "rules.h"

bool prelu_weights_infer(Node *node, Diag *diag) {
    return rule_of_images(node, diag, 2) && rule_same_shapes(node, diag, 2) &&
           rule_set_shape(node, diag, node->in[0]->shape.c, 1, 1);
}

RULE_NO_PARAMS(prelu_weights)
RULE_NO_COST(prelu_weights)

void prelu_weights_reduce(const Node *node, const double *const *in, int images, double *out) {
    const Shape shape = node->in[0]->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++) out[c] = 0;
    for (int64_t i = 0; i < images * shape_size(shape); i++)
        if (!(in[0][i] > 0)) out[i / pixels % shape.c] += in[1][i] * in[0][i];
}
