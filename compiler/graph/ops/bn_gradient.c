/* .bn_gradient(dz, y, stats, sums): the gradient of what batch normalisation read (Ioffe and Szegedy 2015, section 3):
 *
 *     dy = weight / sqrt(var + eps) * (dz - sum(dz) / M - y' * sum(dz y') / M),    y' = (y - mean) / sqrt(var + eps)
 *
 * where the sums are .bn_sums' and M is the number of pixels of the batch. */
#include "rules.h"

#include <math.h>

bool bn_gradient_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape, sums = {2, in.c, 1};
    if (!rule_same_shapes(node, diag, 2)) return false;
    if (!shape_equal(node->in[3]->shape, sums) || !node->in[3]->all)
        return rule_error(node, diag, "its sums are not those of %d channels", in.c);
    return rule_fits_stats(node, diag, node->in[1], node->in[2]) && rule_set_shape(node, diag, in.c, in.h, in.w);
}

int bn_gradient_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias;
    spec[0] = (ParamSpec){"weight", WEIGHT, 1, {node->in[0]->shape.c}};
    return 1;
}

RULE_NO_COST(bn_gradient)

void bn_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                           int threads) {
    (void)threads;
    const Shape shape = node->in[0]->shape;
    const float *weight = rule_weight(node, weights, node->weight[WEIGHT]);
    const int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++) {
        const double mean = in[2][c], scale = 1 / sqrt(in[2][shape.c + c] + node->attr.eps),
                     count = in[2][2 * shape.c + c];
        const double sum = in[3][c] / count, product = in[3][shape.c + c] / count;
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++)
            out[i] = weight[c] * scale * (in[0][i] - sum - (in[1][i] - mean) * scale * product);
    }
}
