/* scale: out = x * weight + bias, per channel, read from the weights file; the bias may be left out. */
#include "graph/tensor.h"
#include "rules.h"

bool scale_infer(Node *node, Diag *diag) {
    Shape in = node->in[0]->shape;
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

int scale_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    int c = node->in[0]->shape.c;
    spec[0] = (ParamSpec){"weight", WEIGHT, 1, {c}};
    if (bias) spec[1] = (ParamSpec){"bias", BIAS, 1, {c}};
    return bias ? 2 : 1;
}

RULE_NO_COST(scale)
RULE_KEEPS_MOMENTS(scale)

void scale_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)threads;
    Shape shape = node->in[0]->shape;
    const float *weight = rule_weight(node, weights, node->weight[WEIGHT]);
    const Tensor *shift = node->weight[BIAS];
    const float *bias = shift ? rule_weight(node, weights, shift) : NULL;
    int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++)
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++) out[i] = in[0][i] * weight[c] + (bias ? bias[c] : 0);
}

bool scale_gradient(Gradients *g, const Node *node, Value *dy) {
    Value *x = node->in[0];
    if (gradients_want(g, x)) {
        Node *data = gradients_node(g, node, "data", OP_SCALE, &dy, 1);
        data->weight[WEIGHT] = node->weight[WEIGHT];
        gradients_add(g, x, gradients_done(g, data));
    }
    if (gradients_train(g, node->weight[WEIGHT])) {
        Value *sums = gradients_value(g, node, "weights", OP_SCALE_WEIGHTS, (Value *[]){x, dy}, 2);
        if (!gradients_param(g, node, node->weight[WEIGHT], sums, 0)) return false;
    }
    return gradients_bias(g, node, node->weight[BIAS], dy);
}
