/* lrn: local response normalisation across channels, out[c] = x[c] / (k + alpha / size * sum)^beta, where the sum is of
 * x^2 over the channels c - size/2 .. c + (size-1)/2 that exist. */
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

bool lrn_infer(Node *node, Diag *diag) {
    if (node->attr.size < 1) return rule_error(node, diag, "size %d: must be 1 or more", node->attr.size);
    if (node->attr.alpha < 0) return rule_error(node, diag, "alpha %g: must be 0 or more", node->attr.alpha);
    Shape in = node->in[0]->shape;
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

RULE_NO_PARAMS(lrn)
RULE_NO_COST(lrn)
RULE_KEEPS_MOMENTS(lrn)

void lrn_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const Attr *attr = &node->attr;
    Shape shape = node->in[0]->shape;
    int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++) {
        int first = c - attr->size / 2, last = c + (attr->size - 1) / 2;
        if (first < 0) first = 0;
        if (last >= shape.c) last = shape.c - 1;
        for (int64_t i = 0; i < pixels; i++) {
            double sum = 0;
            for (int d = first; d <= last; d++) sum += in[0][d * pixels + i] * in[0][d * pixels + i];
            out[c * pixels + i] = in[0][c * pixels + i] / pow(attr->k + attr->alpha / attr->size * sum, attr->beta);
        }
    }
}

bool lrn_gradient(Gradients *g, const Node *node, Value *dy) {
    Node *made = gradients_node(g, node, "data", OP_LRN_GRADIENT, (Value *[]){dy, node->in[0]}, 2);
    made->attr = node->attr;
    gradients_add(g, node->in[0], gradients_done(g, made));
    return true;
}
