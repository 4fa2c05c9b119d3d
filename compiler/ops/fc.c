/* fc: out[k] = sum over terms, i of weight[k][i] * in[i], where i runs over the input in C, H, W order. */
#include "rules.h"

#include <limits.h>

bool fc_infer(Node *node, Diag *diag) {
    if (node->features < 1) return rule_error(node, diag, "%d outputs: must be 1 or more", node->features);
    if (node->nin > NODE_MAX_TERMS) return rule_error(node, diag, "%d inputs are too many", node->nin);
    for (int i = 0; i < node->nin; i++) {
        double elements = (double)node->features * (double)shape_size(node->in[i]->shape);
        if (elements > INT_MAX) return rule_error(node, diag, "%.3g weights exceed the limit of 2^31", elements);
    }
    return rule_set_shape(node, diag, node->features, 1, 1);
}

int fc_params(const Node *node, bool bias, ParamSpec spec[4]) {
    spec[0] = (ParamSpec){"weight", WEIGHT, 2, {node->features, (int)shape_size(node->in[0]->shape)}};
    if (bias) spec[1] = (ParamSpec){"bias", BIAS, 1, {node->features}};
    return bias ? 2 : 1;
}

int64_t fc_cost(const Node *node) {
    int64_t cost = 0;
    for (int i = 0; i < node->nin; i++) cost += node->features * shape_size(node->in[i]->shape);
    return cost;
}

void fc_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
#pragma omp parallel for num_threads(threads)
    for (int k = 0; k < node->features; k++) {
        double sum = 0;
        for (int i = 0; i < node->nin; i++) {
            int64_t size = shape_size(node->in[i]->shape);
            const float *weight = rule_weight(node, weights, node->term[i].weight) + k * size;
            for (int64_t j = 0; j < size; j++) sum += weight[j] * in[i][j];
        }
        out[k] = sum;
    }
}
