/* layernorm: over the channels of each pixel, out = (x - mean) / sqrt(variance + eps) * weight + bias, per channel
 * (Ba, Kiros and Hinton 2016; PyTorch's LayerNorm(C) on an image whose channels are last). */
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

bool layernorm_infer(Node *node, Diag *diag) {
    if (!(node->attr.eps >= 0)) return rule_error(node, diag, "eps %g: must be 0 or more", node->attr.eps);
    Shape in = node->in[0]->shape;
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

int layernorm_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias; /* it always has one */
    return scale_params(node, true, spec);
}

RULE_NO_COST(layernorm)

Moments layernorm_moments(const Node *node, const Moments *in, double *carried) {
    (void)node;
    return moments_layer_norm(in[0], carried);
}

Normal rule_layer_normal(const double *x, Shape shape, int64_t pixel, double eps) {
    const int64_t pixels = (int64_t)shape.h * shape.w;
    Normal n = {0};
    double variance = 0;
    for (int c = 0; c < shape.c; c++) n.mean += x[c * pixels + pixel] / shape.c;
    for (int c = 0; c < shape.c; c++) variance += pow(x[c * pixels + pixel] - n.mean, 2) / shape.c;
    n.scale = 1 / sqrt(variance + eps);
    return n;
}

void layernorm_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                         int threads) {
    (void)threads;
    Shape shape = node->in[0]->shape;
    const float *weight = rule_weight(node, weights, node->weight[WEIGHT]);
    const float *bias = rule_weight(node, weights, node->weight[BIAS]);
    int64_t pixels = (int64_t)shape.h * shape.w;
    for (int64_t i = 0; i < pixels; i++) {
        const Normal normal = rule_layer_normal(in[0], shape, i, node->attr.eps);
        for (int c = 0; c < shape.c; c++)
            out[c * pixels + i] = (in[0][c * pixels + i] - normal.mean) * normal.scale * weight[c] + bias[c];
    }
}

bool layernorm_gradient(Gradients *g, const Node *node, Value *dy) {
    return gradients_norm(g, node, dy, OP_LAYERNORM_GRADIENT, OP_LAYERNORM_SUMS);
}
