/* responsenorm: out = x * g / (mean of g over the channels + eps) * weight + bias, the last two per channel, where g is
 * the root of the sum of squares of a channel's pixels. With a shortcut around it it is the global response
 * normalisation of ConvNeXt V2 (Woo et al. 2023, section 3.2; timm's GlobalResponseNorm). */
#include "rules.h"

#include <math.h>

bool responsenorm_infer(Node *node, Diag *diag) {
    if (!(node->attr.eps >= 0)) return rule_error(node, diag, "eps %g: must be 0 or more", node->attr.eps);
    const Shape in = node->in[0]->shape;
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

int responsenorm_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias; /* it always has one */
    return scale_params(node, true, spec);
}

RULE_NO_COST(responsenorm)
RULE_KEEPS_MOMENTS(responsenorm) /* a channel's factor is about 1 */

double rule_response(const double *x, int64_t pixels) {
    double squares = 0;
    for (int64_t i = 0; i < pixels; i++) squares += x[i] * x[i];
    return sqrt(squares);
}

double rule_response_scale(const double *x, Shape shape, double eps) {
    const int64_t pixels = (int64_t)shape.h * shape.w;
    double mean = 0;
    for (int c = 0; c < shape.c; c++) mean += rule_response(x + c * pixels, pixels) / shape.c;
    return 1 / (mean + eps);
}

void responsenorm_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                            int threads) {
    (void)threads;
    const Shape shape = node->in[0]->shape;
    const float *weight = rule_weight(node, weights, node->weight[WEIGHT]);
    const float *bias = rule_weight(node, weights, node->weight[BIAS]);
    const int64_t pixels = (int64_t)shape.h * shape.w;
    const double scale = rule_response_scale(in[0], shape, node->attr.eps);
    for (int c = 0; c < shape.c; c++) {
        const double factor = rule_response(in[0] + c * pixels, pixels) * scale * weight[c];
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++) out[i] = in[0][i] * factor + bias[c];
    }
}

bool responsenorm_gradient(Gradients *g, const Node *node, Value *dy) {
    return gradients_norm(g, node, dy, OP_RESPONSENORM_GRADIENT, OP_RESPONSENORM_SUMS);
}
