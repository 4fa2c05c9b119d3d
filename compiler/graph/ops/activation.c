/* The activations as layers of their own: out = act(x). The functions are act_apply's; prelu has a slope per channel.
 */
#include "graph/act.h"
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

bool activation_infer(Node *node, Diag *diag) {
    Shape in = node->in[0]->shape;
    const ActNumbers numbers = node_act_numbers(node);
    if (node->op == OP_CLIP && !(numbers.p <= numbers.q))
        return rule_error(node, diag, "low %g is above high %g", numbers.p, numbers.q);
    if (node->op == OP_CLIP && isinf(numbers.p) && isinf(numbers.q))
        return rule_error(node, diag, "it has neither low nor high");
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

int activation_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias;
    if (act_info(node_act(node))->parameter != PARAMETER_PER_CHANNEL) return 0;
    spec[0] = (ParamSpec){"weight", WEIGHT, 1, {node->in[0]->shape.c}};
    return 1;
}

RULE_NO_COST(activation)

Moments activation_moments(const Node *node, const Moments *in, double *carried) {
    return moments_activation(node_act(node), node_act_numbers(node), in[0], carried);
}

void activation_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                          int threads) {
    (void)threads;
    Shape shape = node->in[0]->shape;
    const Act act = node_act(node);
    const bool per_channel = act_info(act)->parameter == PARAMETER_PER_CHANNEL;
    const float *prelu = per_channel ? rule_weight(node, weights, node->weight[WEIGHT]) : NULL;
    int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++) {
        const ActNumbers numbers = prelu ? (ActNumbers){.p = prelu[c]} : node_act_numbers(node);
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++) out[i] = act_apply(act, in[0][i], numbers);
    }
}

bool activation_gradient(Gradients *g, const Node *node, Value *dy) {
    const ActInfo *info = act_info(node_act(node));
    Value *x = node->in[0];
    if (gradients_train(g, node->weight[WEIGHT])) {
        Value *sums = gradients_value(g, node, "weights", OP_PRELU_WEIGHTS, (Value *[]){x, dy}, 2);
        if (!gradients_param(g, node, node->weight[WEIGHT], sums, 0)) return false;
    }
    if (!gradients_want(g, x)) return true;
    Node *gate = gradients_node(g, node, "gate", OP_GATE, (Value *[]){dy, info->from_result ? node->out : x}, 2);
    gate->attr.act = node_act(node);
    const ActNumbers numbers = node_act_numbers(node);
    if (info->attribute[1])
        gate->attr.low = numbers.p, gate->attr.high = numbers.q;
    else
        gate->attr.slope = numbers.p;
    gate->weight[WEIGHT] = node->weight[WEIGHT];
    gradients_add(g, x, gradients_done(g, gate));
    return true;
}
