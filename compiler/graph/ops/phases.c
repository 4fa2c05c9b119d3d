/* .phases: an image's phases, its pixels rows x columns apart, as channels (space to depth): what interleave undoes:
 *
 *     out[(g * phases + r * columns + s) * channels + k][y][x] = in[g * channels + k][y * rows + r][x * columns + s]
 *
 * of phases = rows * columns. `channels` lie together in a phase; they are the image's of a group g.
 */
#include "graph/tensor.h"
#include "rules.h"

bool phases_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    const Attr *attr = &node->attr;
    const int rows = attr->window.stride_h, columns = attr->window.stride_w;
    if (rows < 1 || columns < 1 || attr->channels < 1)
        return rule_error(node, diag, "rows %d columns %d channels %d: not possible", rows, columns, attr->channels);
    if (in.h % rows || in.w % columns)
        return rule_error(node, diag, "%dx%d pixels do not fall into %dx%d phases", in.h, in.w, rows, columns);
    if (in.c % attr->channels)
        return rule_error(node, diag, "%d channels are no multiple of %d that lie together", in.c, attr->channels);
    return rule_set_shape(node, diag, (int64_t)in.c * rows * columns, in.h / rows, in.w / columns);
}

RULE_NO_PARAMS(phases)
RULE_NO_COST(phases)
RULE_KEEPS_MOMENTS(phases)

void phases_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[0]->shape, result = node_unpooled_shape(node);
    const int rows = node->attr.window.stride_h, columns = node->attr.window.stride_w;
    const int channels = node->attr.channels, phases = rows * columns;
    for (int c = 0; c < result.c; c++) {
        const int phase = c / channels % phases, from = c / channels / phases * channels + c % channels;
        for (int y = 0; y < result.h; y++)
            for (int x = 0; x < result.w; x++)
                *out++ = in[0][((size_t)from * shape.h + y * rows + phase / columns) * shape.w + x * columns +
                               phase % columns];
    }
}

bool phases_gradient(Gradients *g, const Node *node, Value *dy) {
    const Shape in = node->in[0]->shape;
    Node *pixels = gradients_node(g, node, "data", OP_INTERLEAVE, &dy, 1);
    pixels->attr.window = node->attr.window;
    pixels->attr.channels = node->attr.channels;
    pixels->attr.height = in.h, pixels->attr.width = in.w;
    gradients_add(g, node->in[0], gradients_done(g, pixels));
    return true;
}
