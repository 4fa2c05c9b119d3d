/* .layernorm_sums(dy, x): the gradients of a layer norm's parameters, for each channel over the pixels of the batch:
 * the sum of dy, which is the bias's, and the sum of dy times x normalised, which is the weight's; 2 x C x 1. */
#include "rules.h"

bool layernorm_sums_infer(Node *node, Diag *diag) {
    return rule_of_images(node, diag, 2) && rule_same_shapes(node, diag, 2) &&
           rule_set_shape(node, diag, 2, node->in[0]->shape.c, 1);
}

RULE_NO_PARAMS(layernorm_sums)
RULE_NO_COST(layernorm_sums)

void layernorm_sums_reduce(const Node *node, const double *const *in, int images, double *out) {
    const Shape shape = node->in[0]->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w, size = shape_size(shape);
    for (int c = 0; c < 2 * shape.c; c++) out[c] = 0;
    for (int n = 0; n < images; n++)
        for (int64_t p = 0; p < pixels; p++) {
            const double *dy = in[0] + n * size, *x = in[1] + n * size;
            const Normal normal = rule_layer_normal(x, shape, p, node->attr.eps);
            for (int c = 0; c < shape.c; c++) {
                out[c] += dy[c * pixels + p];
                out[shape.c + c] += dy[c * pixels + p] * (x[c * pixels + p] - normal.mean) * normal.scale;
            }
        }
}
