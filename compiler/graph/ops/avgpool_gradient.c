/* .avgpool_gradient(dy): each window's gradient, divided as the window's sum was, goes to all of its elements. */
#include "rules.h"

#include <string.h>

bool avgpool_gradient_infer(Node *node, Diag *diag) {
    const Shape dy = node->in[0]->shape, x = {dy.c, node->attr.height, node->attr.width};
    int p = 1, q = 1;
    if (!node->attr.global && !rule_window(node, diag, &node->attr.window, x, &p, &q)) return false;
    if (!node->attr.global && !rule_window_covers(node, diag, &node->attr.window, x, p, q)) return false;
    if (p != dy.h || q != dy.w) return rule_error(node, diag, "its gradient does not fit in size");
    return rule_set_shape(node, diag, x.c, x.h, x.w);
}

RULE_NO_PARAMS(avgpool_gradient)
RULE_NO_COST(avgpool_gradient)

/* Adds to the elements of one channel's window at result (y, x); as avgpool.c divides. */
static void spread(const Attr *attr, const Window *w, Shape in, double gradient, int y, int x, double *channel) {
    int64_t inside = 0, padded = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int r = 0; r < w->r; r++)
            for (int s = 0; s < w->s; s++) {
                const int row = y * w->stride_h + r * w->dilate_h - w->top;
                const int column = x * w->stride_w + s * w->dilate_w - w->left;
                const bool within = row >= 0 && row < in.h && column >= 0 && column < in.w;
                if (!pass) padded += row < in.h + w->bottom && column < in.w + w->right, inside += within;
                if (pass && within)
                    channel[(size_t)row * in.w + column] +=
                        gradient / (double)(attr->count_include_pad ? padded : inside);
            }
}

void avgpool_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                                int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->out->shape, dy = node->in[0]->shape;
    Window whole = window_unit();
    whole.r = shape.h, whole.s = shape.w;
    const Window *w = node->attr.global ? &whole : &node->attr.window;
    memset(out, 0, sizeof *out * (size_t)shape_size(shape));
    for (int c = 0; c < dy.c; c++)
        for (int y = 0; y < dy.h; y++)
            for (int x = 0; x < dy.w; x++)
                spread(&node->attr, w, shape, in[0][((size_t)c * dy.h + y) * dy.w + x], y, x,
                       out + (size_t)c * shape.h * shape.w);
}
