/* .sum: over all pixels of the batch, for each channel: the gradient of a bias; C x 1 x 1. */
#include "rules.h"

bool sum_infer(Node *node, Diag *diag) {
    return rule_of_images(node, diag, 1) && rule_set_shape(node, diag, node->in[0]->shape.c, 1, 1);
}

RULE_NO_PARAMS(sum)
RULE_NO_COST(sum)

void sum_reduce(const Node *node, const double *const *in, int images, double *out) {
    const Shape shape = node->in[0]->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c; c++) {
        out[c] = 0;
        for (int n = 0; n < images; n++)
            for (int64_t i = 0; i < pixels; i++) out[c] += in[0][((int64_t)n * shape.c + c) * pixels + i];
    }
}
