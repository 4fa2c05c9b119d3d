/* .affine: out = x * weight + bias, per channel: what bn and scale are lowered to. Its weights are expressions over the
 * layer's parameters. */
#include "graph/tensor.h"
#include "rules.h"

bool affine_infer(Node *node, Diag *diag) {
    Shape in = node->in[0]->shape;
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

int affine_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias; /* it always has one */
    return scale_params(node, true, spec);
}

RULE_NO_COST(affine)

Moments affine_moments(const Node *node, const Moments *in, double *carried) {
    *carried = 1;
    return weights_hold_bn(node->weight[WEIGHT]) ? moments_batch_norm(in[0], carried) : in[0];
}

void affine_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)threads;
    Shape shape = node->in[0]->shape;
    const float *weight = rule_weight(node, weights, node->weight[WEIGHT]);
    const float *bias = rule_weight(node, weights, node->weight[BIAS]);
    int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++)
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++) out[i] = in[0][i] * weight[c] + bias[c];
}

/* A frozen batch norm's; what its weights are made of is not trained. */
bool affine_gradient(Gradients *g, const Node *node, Value *dy) {
    for (int slot = WEIGHT; slot <= BIAS; slot++)
        if (gradients_train(g, node->weight[slot])) return gradients_none(g, node);
    Node *data = gradients_node(g, node, "data", OP_SCALE, &dy, 1);
    data->weight[WEIGHT] = node->weight[WEIGHT];
    gradients_add(g, node->in[0], gradients_done(g, data));
    return true;
}
