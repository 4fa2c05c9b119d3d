/* .maxpool_gradient(dy, x): each window's gradient goes to its largest element, the first of several. */
#include "rules.h"

#include <string.h>

bool maxpool_gradient_infer(Node *node, Diag *diag) {
    const Shape x = node->in[1]->shape, dy = node->in[0]->shape;
    int p = 1, q = 1;
    if (!node->attr.global && !rule_window(node, diag, &node->attr.window, x, &p, &q)) return false;
    if (!node->attr.global && !rule_window_covers(node, diag, &node->attr.window, x, p, q)) return false;
    if (x.c != dy.c || p != dy.h || q != dy.w) return rule_error(node, diag, "its inputs do not fit in size");
    return rule_set_shape(node, diag, x.c, x.h, x.w);
}

RULE_NO_PARAMS(maxpool_gradient)
RULE_NO_COST(maxpool_gradient)

/* Where a window's largest element lies in its channel. */
static size_t largest(const Window *w, Shape shape, const double *channel, int y, int x) {
    size_t found = SIZE_MAX;
    for (int r = 0; r < w->r; r++)
        for (int s = 0; s < w->s; s++) {
            const int row = y * w->stride_h + r * w->dilate_h - w->top;
            const int column = x * w->stride_w + s * w->dilate_w - w->left;
            if (row < 0 || row >= shape.h || column < 0 || column >= shape.w) continue;
            const size_t at = (size_t)row * shape.w + column;
            if (found == SIZE_MAX || channel[at] > channel[found]) found = at;
        }
    return found;
}

void maxpool_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                                int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[1]->shape, dy = node->in[0]->shape;
    Window whole = window_unit();
    whole.r = shape.h, whole.s = shape.w;
    const Window *w = node->attr.global ? &whole : &node->attr.window;
    const size_t plane = (size_t)shape.h * shape.w;
    memset(out, 0, sizeof *out * (size_t)shape_size(shape));
    for (int c = 0; c < dy.c; c++)
        for (int y = 0; y < dy.h; y++)
            for (int x = 0; x < dy.w; x++)
                out[c * plane + largest(w, shape, in[1] + c * plane, y, x)] += in[0][((size_t)c * dy.h + y) * dy.w + x];
}
