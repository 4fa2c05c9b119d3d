/* .layernorm_gradient(dy, x): the gradient of what a layer norm read, for each pixel over its C channels:
 *
 *     out = (g - mean(g) - x' * mean(g * x')) / sqrt(variance + eps),    g = dy * weight,  x' normalised
 */
#include "rules.h"

bool layernorm_gradient_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    return rule_same_shapes(node, diag, 2) && rule_set_shape(node, diag, in.c, in.h, in.w);
}

int layernorm_gradient_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias;
    spec[0] = (ParamSpec){"weight", WEIGHT, 1, {node->in[0]->shape.c}};
    return 1;
}

RULE_NO_COST(layernorm_gradient)

void layernorm_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                                  int threads) {
    (void)threads;
    const Shape shape = node->in[0]->shape;
    const float *weight = rule_weight(node, weights, node->weight[WEIGHT]);
    const int64_t pixels = (int64_t)shape.h * shape.w;
    for (int64_t p = 0; p < pixels; p++) {
        const Normal normal = rule_layer_normal(in[1], shape, p, node->attr.eps);
        double sum = 0, product = 0;
        for (int c = 0; c < shape.c; c++) {
            const int64_t i = c * pixels + p;
            const double g = in[0][i] * weight[c] / shape.c;
            sum += g;
            product += g * (in[1][i] - normal.mean) * normal.scale;
        }
        for (int c = 0; c < shape.c; c++) {
            const int64_t i = c * pixels + p;
            out[i] = normal.scale * (in[0][i] * weight[c] - sum - (in[1][i] - normal.mean) * normal.scale * product);
        }
    }
}
