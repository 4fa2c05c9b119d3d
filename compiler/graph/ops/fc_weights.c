/* .fc_weights(x, dy): the gradient of a fully connected layer's weights, K x C*H*W x 1:
 * out[k][i] = sum over images of dy[k] * x[i]. */
#include "rules.h"

bool fc_weights_infer(Node *node, Diag *diag) {
    const Shape dy = node->in[1]->shape;
    if (dy.h != 1 || dy.w != 1) return rule_error(node, diag, "a gradient of %dx%dx%d is no vector", dy.c, dy.h, dy.w);
    return rule_of_images(node, diag, 2) && rule_set_shape(node, diag, dy.c, shape_size(node->in[0]->shape), 1);
}

RULE_NO_PARAMS(fc_weights)

int64_t fc_weights_cost(const Node *node) {
    return shape_size(node->out->shape);
}

void fc_weights_reduce(const Node *node, const double *const *in, int images, double *out) {
    const int64_t size = shape_size(node->in[0]->shape);
    const int features = node->in[1]->shape.c;
    for (int64_t i = 0; i < features * size; i++) out[i] = 0;
    for (int n = 0; n < images; n++)
        for (int k = 0; k < features; k++)
            for (int64_t i = 0; i < size; i++) out[k * size + i] += in[1][n * features + k] * in[0][n * size + i];
}
