/* .stats: what batch normalisation measures, for each channel over all pixels of the batch: the mean, the variance
 * (biased), and of how many numbers; 3 x C x 1. */
#include "rules.h"

bool stats_infer(Node *node, Diag *diag) {
    return rule_of_images(node, diag, 1) && rule_set_shape(node, diag, 3, node->in[0]->shape.c, 1);
}

RULE_NO_PARAMS(stats)
RULE_NO_COST(stats)

void stats_reduce(const Node *node, const double *const *in, int images, double *out) {
    const Shape shape = node->in[0]->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w, size = shape_size(shape);
    const double count = (double)pixels * images;
    for (int c = 0; c < shape.c; c++) {
        double sum = 0, squares = 0;
        for (int n = 0; n < images; n++)
            for (int64_t i = 0; i < pixels; i++) sum += in[0][n * size + c * pixels + i];
        const double mean = sum / count;
        for (int n = 0; n < images; n++)
            for (int64_t i = 0; i < pixels; i++) {
                const double apart = in[0][n * size + c * pixels + i] - mean;
                squares += apart * apart;
            }
        out[c] = mean;
        out[shape.c + c] = squares / count;
        out[2 * shape.c + c] = count;
    }
}
