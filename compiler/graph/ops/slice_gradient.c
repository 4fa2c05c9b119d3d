/* .slice_gradient(dy): dy at its channel, row and column of an image of channels x height x width, of zeros elsewhere.
 */
#include "rules.h"

#include <string.h>

bool slice_gradient_infer(Node *node, Diag *diag) {
    const Attr *a = &node->attr;
    const Shape in = node->in[0]->shape;
    if (a->first < 0 || a->window.top < 0 || a->window.left < 0 || in.c > a->channels - a->first ||
        in.h > a->height - a->window.top || in.w > a->width - a->window.left)
        return rule_error(node, diag, "%dx%dx%d at %d, %d, %d is not within %dx%dx%d", in.c, in.h, in.w, a->first,
                          a->window.top, a->window.left, a->channels, a->height, a->width);
    return rule_set_shape(node, diag, a->channels, a->height, a->width);
}

RULE_NO_PARAMS(slice_gradient)
RULE_NO_COST(slice_gradient)

void slice_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                              int threads) {
    (void)weights, (void)threads;
    const Attr *a = &node->attr;
    const Shape shape = node->in[0]->shape, result = node->out->shape;
    memset(out, 0, sizeof *out * (size_t)shape_size(result));
    const double *dy = in[0];
    for (int c = 0; c < shape.c; c++)
        for (int y = 0; y < shape.h; y++)
            for (int x = 0; x < shape.w; x++)
                out[((size_t)(a->first + c) * result.h + a->window.top + y) * result.w + a->window.left + x] = *dy++;
}
