/* .conv_weights(x, dy): the gradient of a convolution's weights, K x C/groups x R*S:
 * out[k][c][r][s] = sum over images, y, x of dy[k][y][x] * x[c][y*stride + r*dilate - top][...]. */
#include "rules.h"

#include <stdlib.h>

bool conv_weights_infer(Node *node, Diag *diag) {
    const Shape x = node->in[0]->shape, dy = node->in[1]->shape;
    const int groups = node->attr.groups;
    int p, q;
    if (groups < 1 || x.c % groups || dy.c % groups)
        return rule_error(node, diag, "groups %d does not divide %d and %d channels", groups, x.c, dy.c);
    if (!rule_window(node, diag, &node->attr.window, x, &p, &q)) return false;
    if (p != dy.h || q != dy.w)
        return rule_error(node, diag, "a gradient of %dx%d is not that of a result of %dx%d", dy.h, dy.w, p, q);
    return rule_of_images(node, diag, 2) &&
           rule_set_shape(node, diag, dy.c, x.c / groups, (int64_t)node->attr.window.r * node->attr.window.s);
}

RULE_NO_PARAMS(conv_weights)

int64_t conv_weights_cost(const Node *node) {
    return shape_size(node->out->shape) * node->in[1]->shape.h * node->in[1]->shape.w;
}

/* Of one image, filter, channel and tap. */
static double tap(const Window *w, Shape in, Shape out, const double *x, const double *dy, int r, int s) {
    double sum = 0;
    for (int i = 0; i < out.h; i++) {
        const int row = i * w->stride_h + r * w->dilate_h - w->top;
        if (row < 0 || row >= in.h) continue;
        for (int j = 0; j < out.w; j++) {
            const int column = j * w->stride_w + s * w->dilate_w - w->left;
            if (column >= 0 && column < in.w) sum += dy[(size_t)i * out.w + j] * x[(size_t)row * in.w + column];
        }
    }
    return sum;
}

void conv_weights_reduce(const Node *node, const double *const *in, int images, double *out) {
    const Shape x = node->in[0]->shape, dy = node->in[1]->shape;
    const Window *w = &node->attr.window;
    const int groups = node->attr.groups, channels = x.c / groups, features = dy.c / groups;
    const size_t x_plane = (size_t)x.h * x.w, dy_plane = (size_t)dy.h * dy.w;
    for (int k = 0; k < dy.c; k++)
        for (int c = 0; c < channels; c++)
            for (int r = 0; r < w->r; r++)
                for (int s = 0; s < w->s; s++) {
                    double sum = 0;
                    for (int n = 0; n < images; n++)
                        sum += tap(w, x, dy, in[0] + ((size_t)n * x.c + k / features * channels + c) * x_plane,
                                   in[1] + ((size_t)n * dy.c + k) * dy_plane, r, s);
                    out[(((size_t)k * channels + c) * w->r + r) * w->s + s] = sum;
                }
}
