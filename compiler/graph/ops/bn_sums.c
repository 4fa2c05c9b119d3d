/* .bn_sums(dz, y, stats): the gradients of batch normalisation's parameters, for each channel over all pixels of the
 * batch: the sum of dz, which is the bias's, and the sum of dz times y normalised, which is the weight's; 2 x C x 1. */
#include "rules.h"

#include <math.h>

bool bn_sums_infer(Node *node, Diag *diag) {
    return rule_of_images(node, diag, 2) && rule_same_shapes(node, diag, 2) &&
           rule_fits_stats(node, diag, node->in[1], node->in[2]) &&
           rule_set_shape(node, diag, 2, node->in[0]->shape.c, 1);
}

RULE_NO_PARAMS(bn_sums)
RULE_NO_COST(bn_sums)

void bn_sums_reduce(const Node *node, const double *const *in, int images, double *out) {
    const Shape shape = node->in[0]->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w, size = shape_size(shape);
    for (int c = 0; c < shape.c; c++) {
        const double mean = in[2][c], scale = 1 / sqrt(in[2][shape.c + c] + node->attr.eps);
        double sum = 0, product = 0;
        for (int n = 0; n < images; n++)
            for (int64_t i = n * size + c * pixels; i < n * size + (c + 1) * pixels; i++) {
                sum += in[0][i];
                product += in[0][i] * (in[1][i] - mean) * scale;
            }
        out[c] = sum;
        out[shape.c + c] = product;
    }
}
