/* .upsample_gradient(dy): the gradient of what was upsampled: the sum over the factor x factor pixels that each pixel
 * became. */
#include "rules.h"

#include <string.h>

bool upsample_gradient_infer(Node *node, Diag *diag) {
    const Shape dy = node->in[0]->shape;
    const int factor = node->attr.factor;
    if (factor < 1 || dy.h % factor || dy.w % factor)
        return rule_error(node, diag, "factor %d does not divide %dx%d pixels", factor, dy.h, dy.w);
    return rule_set_shape(node, diag, dy.c, dy.h / factor, dy.w / factor);
}

RULE_NO_PARAMS(upsample_gradient)
RULE_NO_COST(upsample_gradient)

void upsample_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                                 int threads) {
    (void)weights, (void)threads;
    const Shape dy = node->in[0]->shape, result = node->out->shape;
    const int factor = node->attr.factor;
    memset(out, 0, sizeof *out * (size_t)shape_size(result));
    for (int c = 0; c < dy.c; c++)
        for (int y = 0; y < dy.h; y++)
            for (int x = 0; x < dy.w; x++)
                out[((size_t)c * result.h + y / factor) * result.w + x / factor] +=
                    in[0][((size_t)c * dy.h + y) * dy.w + x];
}
