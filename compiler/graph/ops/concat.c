/* concat: the channels of all inputs, one after the other. */
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

#include <string.h>

bool concat_infer(Node *node, Diag *diag) {
    Shape first = node->in[0]->shape;
    int64_t channels = 0;
    for (int i = 0; i < node->nin; i++) {
        Shape in = node->in[i]->shape;
        if (in.h != first.h || in.w != first.w)
            return rule_error(node, diag,
                              "branch %d is %dx%dx%d, but branch 1 is %dx%dx%d: heights and widths must agree", i + 1,
                              in.c, in.h, in.w, first.c, first.h, first.w);
        channels += in.c;
    }
    return rule_set_shape(node, diag, channels, first.h, first.w);
}

RULE_NO_PARAMS(concat)
RULE_NO_COST(concat)

Moments concat_moments(const Node *node, const Moments *in, double *carried) {
    Moments all = {0};
    double means = 0;
    for (int i = 0; i < node->nin; i++) {
        const double share = (double)node->in[i]->shape.c / node_unpooled_shape(node).c;
        carried[i] = share;
        all.mean += share * in[i].mean;
        all.within += share * in[i].within;
        means += share * (in[i].mean * in[i].mean + in[i].between);
    }
    all.between = fmax(means - all.mean * all.mean, 0);
    return all;
}

void concat_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    for (int i = 0; i < node->nin; i++) {
        int64_t size = shape_size(node->in[i]->shape);
        memcpy(out, in[i], sizeof(double) * (size_t)size);
        out += size;
    }
}

bool concat_gradient(Gradients *g, const Node *node, Value *dy) {
    int channel = 0;
    for (int i = 0; i < node->nin; channel += node->in[i++]->shape.c)
        if (gradients_want(g, node->in[i]))
            gradients_add(g, node->in[i], gradients_part(g, node, dy, node->in[i]->shape, channel, 0, 0));
    return true;
}
