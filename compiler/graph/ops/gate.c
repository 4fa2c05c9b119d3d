/* .gate(dy, v): the gradient of what an activation read: dy times its derivative, from its result or its input, as
 * act.def says. A slope for each channel is its weight. */
#include "graph/act.h"
#include "rules.h"

bool gate_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    return rule_same_shapes(node, diag, 2) && rule_set_shape(node, diag, in.c, in.h, in.w);
}

int gate_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias;
    if (act_info(node->attr.act)->parameter != PARAMETER_PER_CHANNEL) return 0;
    spec[0] = (ParamSpec){"weight", WEIGHT, 1, {node->in[0]->shape.c}};
    return 1;
}

RULE_NO_COST(gate)

void gate_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)threads;
    const Shape shape = node->in[0]->shape;
    const float *slope = node->weight[WEIGHT] ? rule_weight(node, weights, node->weight[WEIGHT]) : NULL;
    const int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++) {
        const ActNumbers numbers = slope ? (ActNumbers){.p = slope[c]} : gate_numbers(node);
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++)
            out[i] = in[0][i] * act_derivative(node->attr.act, in[1][i], numbers);
    }
}
