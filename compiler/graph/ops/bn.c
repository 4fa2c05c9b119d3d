/* bn: batch normalisation at inference, out = (x - mean) / sqrt(var + eps) * weight + bias, per channel. */
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

bool bn_infer(Node *node, Diag *diag) {
    if (!(node->attr.eps >= 0)) return rule_error(node, diag, "eps %g: must be 0 or more", node->attr.eps);
    Shape in = node->in[0]->shape;
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

int bn_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias; /* batch norm always has one */
    int c = node->in[0]->shape.c;
    spec[0] = (ParamSpec){"weight", WEIGHT, 1, {c}};
    spec[1] = (ParamSpec){"bias", BIAS, 1, {c}};
    spec[2] = (ParamSpec){"running_mean", MEAN, 1, {c}};
    spec[3] = (ParamSpec){"running_var", VAR, 1, {c}};
    return 4;
}

RULE_NO_COST(bn)

Moments bn_moments(const Node *node, const Moments *in, double *carried) {
    (void)node;
    return moments_batch_norm(in[0], carried);
}

void bn_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)threads;
    Shape shape = node->in[0]->shape;
    const float *weight = rule_weight(node, weights, node->weight[WEIGHT]);
    const float *bias = rule_weight(node, weights, node->weight[BIAS]);
    const float *mean = rule_weight(node, weights, node->weight[MEAN]);
    const float *var = rule_weight(node, weights, node->weight[VAR]);
    int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++)
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++)
            out[i] = (in[0][i] - mean[c]) / sqrt(var[c] + node->attr.eps) * weight[c] + bias[c];
}

RULE_NO_GRADIENT(bn) /* differentiate has made .stats and .normalise of it */
