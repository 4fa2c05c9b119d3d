/* .normalise: batch normalisation in training (Ioffe and Szegedy 2015, algorithm 1):
 * out = (x - mean) / sqrt(var + eps) * weight + bias, with the statistics of the batch (.stats). */
#include "rules.h"

#include <math.h>

bool rule_fits_stats(const Node *node, Diag *diag, const Value *value, const Value *stats) {
    const Shape want = {3, value->shape.c, 1};
    if (shape_equal(stats->shape, want) && stats->all) return true;
    return rule_error(node, diag, "statistics of %dx%dx%d are not those of %d channels", stats->shape.c, stats->shape.h,
                      stats->shape.w, value->shape.c);
}

bool normalise_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    return rule_fits_stats(node, diag, node->in[0], node->in[1]) && rule_set_shape(node, diag, in.c, in.h, in.w);
}

int normalise_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias;
    const int c = node->in[0]->shape.c;
    spec[0] = (ParamSpec){"weight", WEIGHT, 1, {c}};
    spec[1] = (ParamSpec){"bias", BIAS, 1, {c}};
    return 2;
}

RULE_NO_COST(normalise)

void normalise_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                         int threads) {
    (void)threads;
    const Shape shape = node->in[0]->shape;
    const float *weight = rule_weight(node, weights, node->weight[WEIGHT]);
    const float *bias = rule_weight(node, weights, node->weight[BIAS]);
    const int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++) {
        const double mean = in[1][c], scale = weight[c] / sqrt(in[1][shape.c + c] + node->attr.eps);
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++) out[i] = (in[0][i] - mean) * scale + bias[c];
    }
}

bool normalise_gradient(Gradients *g, const Node *node, Value *dy) {
    Value *y = node->in[0], *stats = node->in[1];
    Node *made = gradients_node(g, node, "sums", OP_BN_SUMS, (Value *[]){dy, y, stats}, 3);
    made->attr.eps = node->attr.eps;
    Value *sums = gradients_done(g, made);
    if (gradients_want(g, y)) {
        Node *data = gradients_node(g, node, "data", OP_BN_GRADIENT, (Value *[]){dy, y, stats, sums}, 4);
        data->attr.eps = node->attr.eps;
        data->weight[WEIGHT] = node->weight[WEIGHT];
        gradients_add(g, y, gradients_done(g, data));
    }
    for (int slot = WEIGHT; slot <= BIAS; slot++)
        if (gradients_train(g, node->weight[slot]) &&
            !gradients_param(g, node, node->weight[slot], sums, slot == WEIGHT))
            return false;
    return true;
}
