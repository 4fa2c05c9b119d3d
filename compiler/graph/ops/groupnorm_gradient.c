/* .groupnorm_gradient(dy, x): the gradient of what a group norm read, over a group's channels and the image's pixels:
 *
 *     out = (g - mean(g) - x' * mean(g * x')) / sqrt(variance + eps),    g = dy * weight,  x' normalised
 */
#include "rules.h"

bool groupnorm_gradient_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    return rule_same_shapes(node, diag, 2) && rule_fits_groups(node, diag) &&
           rule_set_shape(node, diag, in.c, in.h, in.w);
}

int groupnorm_gradient_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias;
    spec[0] = (ParamSpec){"weight", WEIGHT, 1, {node->in[0]->shape.c}};
    return 1;
}

RULE_NO_COST(groupnorm_gradient)

void groupnorm_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                                  int threads) {
    (void)threads;
    const Shape shape = node->in[0]->shape;
    const float *weight = rule_weight(node, weights, node->weight[WEIGHT]);
    const int64_t pixels = (int64_t)shape.h * shape.w, size = shape_size(shape) / node->attr.groups;
    for (int64_t begin = 0; begin < shape_size(shape); begin += size) {
        const Normal normal = rule_group_normal(in[1] + begin, size, node->attr.eps);
        double sum = 0, product = 0;
        for (int64_t i = begin; i < begin + size; i++) {
            const double g = in[0][i] * weight[i / pixels] / (double)size;
            sum += g;
            product += g * (in[1][i] - normal.mean) * normal.scale;
        }
        for (int64_t i = begin; i < begin + size; i++)
            out[i] = normal.scale *
                     (in[0][i] * weight[i / pixels] - sum - (in[1][i] - normal.mean) * normal.scale * product);
    }
}
