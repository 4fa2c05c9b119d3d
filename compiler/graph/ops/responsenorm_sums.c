/* .responsenorm_sums(dy, x): the gradients of a response norm's parameters, for each channel over the pixels of the
 * batch: the sum of dy, which is the bias's, and the sum of dy times x normalised, which is the weight's; 2 x C x 1. */
#include "rules.h"

bool responsenorm_sums_infer(Node *node, Diag *diag) {
    return rule_of_images(node, diag, 2) && rule_same_shapes(node, diag, 2) &&
           rule_set_shape(node, diag, 2, node->in[0]->shape.c, 1);
}

RULE_NO_PARAMS(responsenorm_sums)
RULE_NO_COST(responsenorm_sums)

void responsenorm_sums_reduce(const Node *node, const double *const *in, int images, double *out) {
    const Shape shape = node->in[0]->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < 2 * shape.c; c++) out[c] = 0;
    for (int n = 0; n < images; n++) {
        const double *image = in[1] + n * shape_size(shape);
        const double scale = rule_response_scale(image, shape, node->attr.eps);
        for (int64_t c = 0; c < shape.c; c++) {
            const double *dy = in[0] + n * shape_size(shape) + c * pixels, *x = image + c * pixels;
            const double factor = rule_response(x, pixels) * scale;
            for (int64_t i = 0; i < pixels; i++) {
                out[c] += dy[i];
                out[shape.c + c] += dy[i] * x[i] * factor;
            }
        }
    }
}
