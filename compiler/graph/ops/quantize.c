/* quantize: to integers of few bits and back, per channel: q = round(x / scale) + zero_point, ties to the even number,
 * cut off at `low` and `high`; out = (q - zero_point) * scale. ONNX's QuantizeLinear and DequantizeLinear, in fp32 as
 * there. It is a staircase: it has no gradient.
 */
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

bool quantize_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    const double low = node->attr.low, high = node->attr.high, most = 65536;
    if (!(low < high) || low != rint(low) || high != rint(high) || low < -most || high > most)
        return rule_error(node, diag, "from %g to %g: two whole numbers from %g to %g, the smaller first", low, high,
                          -most, most);
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

int quantize_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    const int c = node->in[0]->shape.c;
    (void)bias;
    spec[0] = (ParamSpec){"scale", WEIGHT, 1, {c}};
    spec[1] = (ParamSpec){"zero_point", BIAS, 1, {c}};
    return 2;
}

RULE_NO_COST(quantize)
RULE_KEEPS_MOMENTS(quantize)

void quantize_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                        int threads) {
    (void)threads;
    const Shape shape = node->in[0]->shape;
    const float *scale = rule_weight(node, weights, node->weight[WEIGHT]);
    const float *zero = rule_weight(node, weights, node->weight[BIAS]);
    const double low = node->attr.low, high = node->attr.high;
    const int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++)
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++) {
            const float steps = (float)in[0][i] / scale[c]; /* where it lies between two decides: as in fp32 */
            const double q = (double)rintf(steps) + (double)zero[c];
            out[i] = ((q < low ? low : q > high ? high : q) - (double)zero[c]) * (double)scale[c];
        }
}

bool quantize_gradient(Gradients *g, const Node *node, Value *dy) {
    (void)dy;
    return gradients_none(g, node);
}
