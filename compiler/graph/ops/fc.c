/* fc: out[k] = sum over i of weight[k][i] * in[i], where i runs over the input in C, H, W order. */
#include "graph/tensor.h"
#include "rules.h"

#include <limits.h>

bool fc_infer(Node *node, Diag *diag) {
    if (node->features < 1) return rule_error(node, diag, "%d outputs: must be 1 or more", node->features);
    if (node->nin != 1) return rule_error(node, diag, "%d inputs: must be 1", node->nin);
    const double elements = (double)node->features * (double)shape_size(node->in[0]->shape);
    if (elements > INT_MAX) return rule_error(node, diag, "%.3g weights exceed the limit of 2^31", elements);
    return rule_set_shape(node, diag, node->features, 1, 1);
}

int fc_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    spec[0] = (ParamSpec){"weight", WEIGHT, 2, {node->features, (int)shape_size(node->in[0]->shape)}};
    if (bias) spec[1] = (ParamSpec){"bias", BIAS, 1, {node->features}};
    return bias ? 2 : 1;
}

int64_t fc_cost(const Node *node) {
    return node->features * shape_size(node->in[0]->shape);
}

Moments fc_moments(const Node *node, const Moments *in, double *carried) {
    return rule_terms_moments(node, in, carried);
}

void fc_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    const int64_t size = shape_size(node->in[0]->shape);
    const float *weight = rule_weight(node, weights, node->term[0].weight);
#pragma omp parallel for num_threads(threads)
    for (int k = 0; k < node->features; k++) {
        double sum = 0;
        for (int64_t j = 0; j < size; j++) sum += weight[k * size + j] * in[0][j];
        out[k] = sum;
    }
}

bool fc_gradient(Gradients *g, const Node *node, Value *dy) {
    Value *x = node->in[0];
    Tensor *weight = node->term[0].weight;
    if (gradients_want(g, x)) {
        Node *data = gradients_node(g, node, "data", OP_FC_DATA, &dy, 1);
        data->weight[WEIGHT] = weight;
        data->attr.channels = x->shape.c, data->attr.height = x->shape.h, data->attr.width = x->shape.w;
        gradients_add(g, x, gradients_done(g, data));
    }
    if (gradients_train(g, weight)) {
        Value *sums = gradients_value(g, node, "weights", OP_FC_WEIGHTS, (Value *[]){x, dy}, 2);
        if (!gradients_param(g, node, weight, sums, 0)) return false;
    }
    return gradients_bias(g, node, node->epilogue.bias, dy);
}
