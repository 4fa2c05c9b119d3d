/* .responsenorm_gradient(dy, x): the gradient of what a response norm read. With g a channel's response, m their mean
 * over the C channels + eps, and d the sum of dy * x over a channel's pixels:
 *
 *     out = dy * weight * g / m + x / g * (weight * d / m - sum over channels of (weight * d * g) / (m^2 C))
 *
 * where the second part is 0 of a channel whose response is. */
#include "rules.h"

bool responsenorm_gradient_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    return rule_same_shapes(node, diag, 2) && rule_set_shape(node, diag, in.c, in.h, in.w);
}

int responsenorm_gradient_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias;
    spec[0] = (ParamSpec){"weight", WEIGHT, 1, {node->in[0]->shape.c}};
    return 1;
}

RULE_NO_COST(responsenorm_gradient)

static double product(const double *a, const double *b, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

void responsenorm_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                                     int threads) {
    (void)threads;
    const Shape shape = node->in[0]->shape;
    const float *weight = rule_weight(node, weights, node->weight[WEIGHT]);
    const int64_t pixels = (int64_t)shape.h * shape.w;
    const double scale = rule_response_scale(in[1], shape, node->attr.eps);
    double common = 0;
    for (int64_t c = 0; c < shape.c; c++)
        common += weight[c] * product(in[0] + c * pixels, in[1] + c * pixels, pixels) *
                  rule_response(in[1] + c * pixels, pixels) * scale * scale / shape.c;
    for (int64_t c = 0; c < shape.c; c++) {
        const double *dy = in[0] + c * pixels, *x = in[1] + c * pixels;
        const double response = rule_response(x, pixels);
        const double times = response > 0 ? (weight[c] * product(dy, x, pixels) * scale - common) / response : 0;
        for (int64_t i = 0; i < pixels; i++) out[c * pixels + i] = dy[i] * weight[c] * response * scale + x[i] * times;
    }
}
