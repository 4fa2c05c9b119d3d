/* maxpool: the largest of a window's elements, or of the whole image; the padding takes no part. */
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

bool maxpool_infer(Node *node, Diag *diag) {
    Shape in = node->in[0]->shape;
    if (node->attr.global) return rule_set_shape(node, diag, in.c, 1, 1);
    int p, q;
    if (!rule_window(node, diag, &node->attr.window, in, &p, &q)) return false;
    if (!rule_window_covers(node, diag, &node->attr.window, in, p, q)) return false;
    return rule_set_shape(node, diag, in.c, p, q);
}

RULE_NO_PARAMS(maxpool)
RULE_NO_COST(maxpool)

Moments maxpool_moments(const Node *node, const Moments *in, double *carried) {
    const Shape shape = node->in[0]->shape;
    const Window *w = &node->attr.window;
    *carried = 1;
    return moments_maximum(in[0], node->attr.global ? (double)shape.h * shape.w : (double)w->r * w->s);
}

void maxpool_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    Window whole = {.r = node->in[0]->shape.h,
                    .s = node->in[0]->shape.w,
                    .stride_h = 1,
                    .stride_w = 1,
                    .dilate_h = 1,
                    .dilate_w = 1};
    reference_maxpool(node->attr.global ? &whole : &node->attr.window, node->in[0]->shape, in[0],
                      node_unpooled_shape(node), out);
}

void reference_maxpool(const Window *window, Shape in, const double *image, Shape result, double *out) {
    for (int c = 0; c < result.c; c++)
        for (int y = 0; y < result.h; y++)
            for (int x = 0; x < result.w; x++) {
                double largest = -INFINITY;
                for (int r = 0; r < window->r; r++)
                    for (int s = 0; s < window->s; s++) {
                        int row = y * window->stride_h + r * window->dilate_h - window->top;
                        int column = x * window->stride_w + s * window->dilate_w - window->left;
                        if (row < 0 || row >= in.h || column < 0 || column >= in.w) continue;
                        double value = image[((size_t)c * in.h + row) * in.w + column];
                        if (value > largest || isnan(value)) largest = value; /* a NaN stays: nothing is above it */
                    }
                out[((size_t)c * result.h + y) * result.w + x] = largest;
            }
}

bool maxpool_gradient(Gradients *g, const Node *node, Value *dy) {
    Node *made = gradients_node(g, node, "data", OP_MAXPOOL_GRADIENT, (Value *[]){dy, node->in[0]}, 2);
    made->attr.window = node->attr.window;
    made->attr.global = node->attr.global;
    gradients_add(g, node->in[0], gradients_done(g, made));
    return true;
}
