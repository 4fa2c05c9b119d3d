/* .slice: the part of an image that begins at a channel, row and column: the gradient of what was concatenated, padded
 * or filled up. */
#include "rules.h"

bool slice_infer(Node *node, Diag *diag) {
    const Attr *a = &node->attr;
    const Shape in = node->in[0]->shape;
    if (a->first < 0 || a->window.top < 0 || a->window.left < 0 || a->channels > in.c - a->first ||
        a->height > in.h - a->window.top || a->width > in.w - a->window.left)
        return rule_error(node, diag, "%dx%dx%d from %d, %d, %d on is no part of %dx%dx%d", a->channels, a->height,
                          a->width, a->first, a->window.top, a->window.left, in.c, in.h, in.w);
    return rule_set_shape(node, diag, a->channels, a->height, a->width);
}

RULE_NO_PARAMS(slice)
RULE_NO_COST(slice)

void slice_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const Attr *a = &node->attr;
    const Shape shape = node->in[0]->shape, result = node->out->shape;
    for (int c = 0; c < result.c; c++)
        for (int y = 0; y < result.h; y++)
            for (int x = 0; x < result.w; x++)
                *out++ = in[0][((size_t)(a->first + c) * shape.h + a->window.top + y) * shape.w + a->window.left + x];
}
