/* .fc_data(dy): the gradient of what a fully connected layer read, C x H x W: out[i] = sum over k of
 * weight[k][i] * dy[k]. */
#include "rules.h"

bool fc_data_infer(Node *node, Diag *diag) {
    const Shape dy = node->in[0]->shape;
    if (dy.h != 1 || dy.w != 1) return rule_error(node, diag, "a gradient of %dx%dx%d is no vector", dy.c, dy.h, dy.w);
    return rule_set_shape(node, diag, node->attr.channels, node->attr.height, node->attr.width);
}

int fc_data_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias;
    const Attr *attr = &node->attr;
    spec[0] = (ParamSpec){"weight", WEIGHT, 2, {node->in[0]->shape.c, attr->channels * attr->height * attr->width}};
    return 1;
}

int64_t fc_data_cost(const Node *node) {
    return node->in[0]->shape.c * shape_size(node->out->shape);
}

void fc_data_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)threads;
    const float *weight = rule_weight(node, weights, node->weight[WEIGHT]);
    const int64_t size = shape_size(node->out->shape);
    for (int64_t i = 0; i < size; i++) out[i] = 0;
    for (int k = 0; k < node->in[0]->shape.c; k++)
        for (int64_t i = 0; i < size; i++) out[i] += weight[k * size + i] * in[0][k];
}
