/* groupnorm: over the channels of a group and all pixels, out = (x - mean) / sqrt(variance + eps) * weight + bias, the
 * last two per channel (Wu and He 2018; PyTorch's GroupNorm). With a group for each channel it is instance norm. */
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

bool rule_fits_groups(const Node *node, Diag *diag) {
    const int groups = node->attr.groups, c = node->in[0]->shape.c;
    return (groups >= 1 && c % groups == 0) ||
           rule_error(node, diag, "groups %d does not divide %d channels", groups, c);
}

bool groupnorm_infer(Node *node, Diag *diag) {
    const Attr *attr = &node->attr;
    Shape in = node->in[0]->shape;
    if (!(attr->eps >= 0)) return rule_error(node, diag, "eps %g: must be 0 or more", attr->eps);
    if (attr->groups < 1) return rule_error(node, diag, "groups %d: must be 1 or more", attr->groups);
    return rule_fits_groups(node, diag) && rule_set_shape(node, diag, in.c, in.h, in.w);
}

int groupnorm_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    (void)bias; /* it always has one */
    return scale_params(node, true, spec);
}

RULE_NO_COST(groupnorm)

Moments groupnorm_moments(const Node *node, const Moments *in, double *carried) {
    (void)node;
    return moments_layer_norm(in[0], carried);
}

Normal rule_group_normal(const double *x, int64_t size, double eps) {
    Normal n = {0};
    double variance = 0;
    for (int64_t i = 0; i < size; i++) n.mean += x[i] / (double)size;
    for (int64_t i = 0; i < size; i++) variance += (x[i] - n.mean) * (x[i] - n.mean) / (double)size;
    n.scale = 1 / sqrt(variance + eps);
    return n;
}

void groupnorm_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                         int threads) {
    (void)threads;
    const Shape shape = node->in[0]->shape;
    const float *weight = rule_weight(node, weights, node->weight[WEIGHT]);
    const float *bias = rule_weight(node, weights, node->weight[BIAS]);
    const int channels = shape.c / node->attr.groups;
    const int64_t pixels = (int64_t)shape.h * shape.w, size = channels * pixels;
    for (int g = 0; g < node->attr.groups; g++) {
        const double *x = in[0] + g * size;
        const Normal normal = rule_group_normal(x, size, node->attr.eps);
        for (int64_t i = 0; i < size; i++) {
            const int64_t c = g * channels + i / pixels;
            out[g * size + i] = (x[i] - normal.mean) * normal.scale * weight[c] + bias[c];
        }
    }
}

bool groupnorm_gradient(Gradients *g, const Node *node, Value *dy) {
    return gradients_norm(g, node, dy, OP_GROUPNORM_GRADIENT, OP_GROUPNORM_SUMS);
}
