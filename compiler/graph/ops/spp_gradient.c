/* .spp_gradient(dy, x): each bin's gradient goes to its largest element, the first of several (spp.c has the bins). */
#include "rules.h"

#include <string.h>

bool spp_gradient_infer(Node *node, Diag *diag) {
    const Shape x = node->in[1]->shape, dy = node->in[0]->shape;
    const int64_t bins = rule_spp_bins(node, diag);
    if (!bins) return false;
    if (dy.c != x.c * bins || dy.h != 1 || dy.w != 1) return rule_error(node, diag, "its inputs do not fit in size");
    return rule_set_shape(node, diag, x.c, x.h, x.w);
}

RULE_NO_PARAMS(spp_gradient)
RULE_NO_COST(spp_gradient)

/* Where the largest element of bin i, j of n x n lies in its channel. */
static size_t largest(Shape shape, const double *channel, int n, int i, int j) {
    const SppBin rows = rule_spp_bin(shape.h, n, i), columns = rule_spp_bin(shape.w, n, j);
    size_t found = (size_t)rows.begin * shape.w + columns.begin;
    for (int y = rows.begin; y < rows.end; y++)
        for (int x = columns.begin; x < columns.end; x++)
            if (channel[(size_t)y * shape.w + x] > channel[found]) found = (size_t)y * shape.w + x;
    return found;
}

void spp_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                            int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[1]->shape;
    const size_t plane = (size_t)shape.h * shape.w;
    const double *dy = in[0];
    memset(out, 0, sizeof *out * plane * shape.c);
    for (int level = 0; level < node->attr.levels.count; level++) {
        const int n = node->attr.levels.item[level];
        for (int c = 0; c < shape.c; c++)
            for (int i = 0; i < n; i++)
                for (int j = 0; j < n; j++) out[c * plane + largest(shape, in[1] + c * plane, n, i, j)] += *dy++;
    }
}
