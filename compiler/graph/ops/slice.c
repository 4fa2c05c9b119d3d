/* slice: the part of an image that begins at a channel, row and column; also the gradient of what was concatenated,
 * padded or filled up. */
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
RULE_KEEPS_MOMENTS(slice)

void slice_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const Attr *a = &node->attr;
    const Shape shape = node->in[0]->shape, result = node_unpooled_shape(node);
    for (int c = 0; c < result.c; c++)
        for (int y = 0; y < result.h; y++)
            for (int x = 0; x < result.w; x++)
                *out++ = in[0][((size_t)(a->first + c) * shape.h + a->window.top + y) * shape.w + a->window.left + x];
}

bool slice_gradient(Gradients *g, const Node *node, Value *dy) {
    const Shape in = node->in[0]->shape;
    Node *embedded = gradients_node(g, node, "data", OP_SLICE_GRADIENT, &dy, 1);
    embedded->attr = node->attr;
    embedded->attr.channels = in.c, embedded->attr.height = in.h, embedded->attr.width = in.w;
    gradients_add(g, node->in[0], gradients_done(g, embedded));
    return true;
}
