/* pad: numbers around the image (window.top, left, bottom, right), and channels of them at the end: `value`, or, around
 * it alone, the image's own edge or the image mirrored at it (the edge itself is not repeated). */
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

bool pad_infer(Node *node, Diag *diag) {
    const Window *window = &node->attr.window;
    Shape in = node->in[0]->shape;
    if (window->top < 0 || window->left < 0 || window->bottom < 0 || window->right < 0 || node->attr.channels < 0)
        return rule_error(node, diag, "top %d left %d bottom %d right %d channels %d: none may be negative",
                          window->top, window->left, window->bottom, window->right, node->attr.channels);
    const bool mirrors = node->attr.reflect, of_pixels = mirrors || node->attr.edge;
    if ((mirrors && node->attr.edge) || (of_pixels && (node->attr.value != 0 || node->attr.channels)))
        return rule_error(node, diag, "reflect, edge, and a value or channels: one of these");
    if (!isfinite(node->attr.value)) return rule_error(node, diag, "value %g", node->attr.value);
    if (mirrors && (window->top >= in.h || window->bottom >= in.h || window->left >= in.w || window->right >= in.w))
        return rule_error(node, diag, "%dx%d pixels are too few to mirror %d, %d, %d, %d of them", in.h, in.w,
                          window->top, window->left, window->bottom, window->right);
    return rule_set_shape(node, diag, (int64_t)in.c + node->attr.channels, (int64_t)in.h + window->top + window->bottom,
                          (int64_t)in.w + window->left + window->right);
}

RULE_NO_PARAMS(pad)
RULE_NO_COST(pad)
RULE_KEEPS_MOMENTS(pad)

int64_t rule_pad_place(const Attr *attr, int64_t at, int size) {
    if (at >= 0 && at < size) return at;
    if (attr->edge) return at < 0 ? 0 : size - 1;
    if (attr->reflect) return at < 0 ? -at : 2 * (int64_t)(size - 1) - at;
    return -1;
}

void pad_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const Attr *attr = &node->attr;
    const Shape shape = node->in[0]->shape, result = node_unpooled_shape(node);
    for (int c = 0; c < result.c; c++)
        for (int y = 0; y < result.h; y++)
            for (int x = 0; x < result.w; x++) {
                const int64_t row = rule_pad_place(attr, (int64_t)y - attr->window.top, shape.h);
                const int64_t column = rule_pad_place(attr, (int64_t)x - attr->window.left, shape.w);
                const bool inside = c < shape.c && row >= 0 && column >= 0;
                *out++ = inside ? in[0][(c * (int64_t)shape.h + row) * shape.w + column] : attr->value;
            }
}

bool pad_gradient(Gradients *g, const Node *node, Value *dy) {
    const Window *w = &node->attr.window;
    const Shape in = node->in[0]->shape;
    if (!node->attr.reflect && !node->attr.edge) {
        gradients_add(g, node->in[0], gradients_part(g, node, dy, in, 0, w->top, w->left));
        return true;
    }
    Node *sums = gradients_node(g, node, "data", OP_PAD_GRADIENT, &dy, 1);
    sums->attr.window.top = w->top, sums->attr.window.left = w->left;
    sums->attr.reflect = node->attr.reflect, sums->attr.edge = node->attr.edge;
    sums->attr.height = in.h, sums->attr.width = in.w;
    gradients_add(g, node->in[0], gradients_done(g, sums));
    return true;
}
