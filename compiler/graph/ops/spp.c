/* spp: spatial pyramid pooling (He et al. 2014). Each level n max-pools the image into n x n bins, bin i covering rows
 * floor(i*H/n) .. ceil((i+1)*H/n) - 1, so that no bin is empty (with n > H bins share rows); the levels follow each
 * other, each in C, n, n order: C * sum of n^2 channels. */
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

enum { LARGEST_LEVEL = 1024 };

int64_t rule_spp_bins(const Node *node, Diag *diag) {
    int64_t bins = 0;
    if (node->attr.levels.count < 1) rule_error(node, diag, "no levels are given");
    for (int i = 0; i < node->attr.levels.count; i++) {
        const int n = node->attr.levels.item[i];
        if (n < 1 || n > LARGEST_LEVEL) {
            rule_error(node, diag, "level %d: must be from 1 to %d", n, LARGEST_LEVEL);
            return 0;
        }
        bins += (int64_t)n * n;
    }
    return bins;
}

SppBin rule_spp_bin(int size, int n, int i) {
    return (SppBin){(int)((int64_t)i * size / n), (int)(((int64_t)(i + 1) * size + n - 1) / n)};
}

bool spp_infer(Node *node, Diag *diag) {
    const int64_t bins = rule_spp_bins(node, diag);
    return bins && rule_set_shape(node, diag, node->in[0]->shape.c * bins, 1, 1);
}

RULE_NO_PARAMS(spp)
RULE_NO_COST(spp)
RULE_KEEPS_MOMENTS(spp)

static double largest_of_bin(Shape shape, const double *channel, int n, int i, int j) {
    const SppBin rows = rule_spp_bin(shape.h, n, i), columns = rule_spp_bin(shape.w, n, j);
    double largest = -INFINITY;
    for (int y = rows.begin; y < rows.end; y++)
        for (int x = columns.begin; x < columns.end; x++) {
            double value = channel[(size_t)y * shape.w + x];
            if (value > largest || isnan(value)) largest = value;
        }
    return largest;
}

void spp_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    Shape shape = node->in[0]->shape;
    for (int level = 0; level < node->attr.levels.count; level++) {
        int n = node->attr.levels.item[level];
        for (int c = 0; c < shape.c; c++)
            for (int i = 0; i < n; i++)
                for (int j = 0; j < n; j++)
                    *out++ = largest_of_bin(shape, in[0] + (size_t)c * shape.h * shape.w, n, i, j);
    }
}

bool spp_gradient(Gradients *g, const Node *node, Value *dy) {
    Node *made = gradients_node(g, node, "data", OP_SPP_GRADIENT, (Value *[]){dy, node->in[0]}, 2);
    made->attr = node->attr;
    gradients_add(g, node->in[0], gradients_done(g, made));
    return true;
}
