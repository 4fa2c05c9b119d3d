/* .interleave: channels that are phases of an image become its pixels (depth to space, cropped), which ends a
 * transposed convolution:
 *
 *     out[g * channels + k][y][x] = in[(g * phases + phase) * channels + k][(y + top) / rows][(x + left) / columns]
 *
 * where phase is (y + top) % rows * columns + (x + left) % columns, of rows * columns phases. `channels` lie together;
 * they are the result's of a group g. The result is height x width pixels.
 */
#include "graph/tensor.h"
#include "rules.h"

bool interleave_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    const Attr *attr = &node->attr;
    const Window *w = &attr->window;
    if (w->stride_h < 1 || w->stride_w < 1 || w->stride_h > RULE_WINDOW_LIMIT || w->stride_w > RULE_WINDOW_LIMIT ||
        attr->channels < 1 || attr->height < 1 || attr->width < 1 || w->top < 0 || w->left < 0)
        return rule_error(node, diag, "rows %d columns %d channels %d top %d left %d height %d width %d: not possible",
                          w->stride_h, w->stride_w, attr->channels, w->top, w->left, attr->height, attr->width);
    const int64_t phases = (int64_t)w->stride_h * w->stride_w;
    if (in.c % phases || in.c / phases % attr->channels)
        return rule_error(node, diag, "%d channels are no multiple of %dx%d phases of %d", in.c, w->stride_h,
                          w->stride_w, attr->channels);
    if ((int64_t)w->top + attr->height > (int64_t)in.h * w->stride_h ||
        (int64_t)w->left + attr->width > (int64_t)in.w * w->stride_w)
        return rule_error(node, diag, "%dx%d pixels at %d,%d are not within those of %dx%d phases of %dx%d",
                          attr->height, attr->width, w->top, w->left, w->stride_h, w->stride_w, in.h, in.w);
    return rule_set_shape(node, diag, in.c / phases, attr->height, attr->width);
}

RULE_NO_PARAMS(interleave)
RULE_NO_COST(interleave)
RULE_KEEPS_MOMENTS(interleave)

void interleave_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                          int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[0]->shape, result = node_unpooled_shape(node);
    const Window *w = &node->attr.window;
    const int channels = node->attr.channels, phases = w->stride_h * w->stride_w;
    for (int k = 0; k < result.c; k++)
        for (int y = 0; y < result.h; y++)
            for (int x = 0; x < result.w; x++) {
                const int phase = (y + w->top) % w->stride_h * w->stride_w + (x + w->left) % w->stride_w;
                const int c = (k / channels * phases + phase) * channels + k % channels;
                *out++ =
                    in[0][((size_t)c * shape.h + (y + w->top) / w->stride_h) * shape.w + (x + w->left) / w->stride_w];
            }
}

/* The phases of dy, after the rows and columns that were cut off. */
bool interleave_gradient(Gradients *g, const Node *node, Value *dy) {
    const Shape in = node->in[0]->shape, out = node->out->shape;
    const Window *w = &node->attr.window;
    const Shape all = {out.c, in.h * w->stride_h, in.w * w->stride_w};
    if (!shape_equal(all, out)) {
        Node *whole = gradients_node(g, node, "pixels", OP_SLICE_GRADIENT, &dy, 1);
        whole->attr.window = *w;
        whole->attr.channels = all.c, whole->attr.height = all.h, whole->attr.width = all.w;
        dy = gradients_done(g, whole);
    }
    Node *phases = gradients_node(g, node, "data", OP_PHASES, &dy, 1);
    phases->attr.window = (Window){.stride_h = w->stride_h, .stride_w = w->stride_w};
    phases->attr.channels = node->attr.channels;
    gradients_add(g, node->in[0], gradients_done(g, phases));
    return true;
}
