/* avgpool: the mean of a window's elements, or of the whole image. The divisor is the number of the window's positions
 * inside the image; with count_include_pad, inside the padded image (a last window that `ceil` lets reach beyond the
 * padding does not count what lies there). This is PyTorch's rule. */
#include "graph/tensor.h"
#include "rules.h"

bool avgpool_infer(Node *node, Diag *diag) {
    Shape in = node->in[0]->shape;
    if (node->attr.global) return rule_set_shape(node, diag, in.c, 1, 1);
    int p, q;
    if (!rule_window(node, diag, &node->attr.window, in, &p, &q)) return false;
    if (!rule_window_covers(node, diag, &node->attr.window, in, p, q)) return false;
    return rule_set_shape(node, diag, in.c, p, q);
}

RULE_NO_PARAMS(avgpool)
RULE_NO_COST(avgpool)

/* The mean of one channel's window at output (y, x). */
static double average(const Attr *attr, const Window *window, Shape in, const double *channel, int y, int x) {
    double sum = 0;
    int64_t inside = 0, padded = 0;
    for (int r = 0; r < window->r; r++)
        for (int s = 0; s < window->s; s++) {
            int row = y * window->stride_h + r * window->dilate_h - window->top;
            int column = x * window->stride_w + s * window->dilate_w - window->left;
            if (row < in.h + window->bottom && column < in.w + window->right) padded++;
            if (row < 0 || row >= in.h || column < 0 || column >= in.w) continue;
            sum += channel[(size_t)row * in.w + column];
            inside++;
        }
    return sum / (double)(attr->count_include_pad ? padded : inside);
}

Moments avgpool_moments(const Node *node, const Moments *in, double *carried) {
    const Shape shape = node->in[0]->shape;
    const Window *w = &node->attr.window;
    return moments_average(in[0], node->attr.global ? (double)shape.h * shape.w : (double)w->r * w->s, carried);
}

void avgpool_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    Shape shape = node->in[0]->shape, result = node_unpooled_shape(node);
    Window whole = {.r = shape.h, .s = shape.w, .stride_h = 1, .stride_w = 1, .dilate_h = 1, .dilate_w = 1};
    const Window *window = node->attr.global ? &whole : &node->attr.window;
    for (int c = 0; c < result.c; c++)
        for (int y = 0; y < result.h; y++)
            for (int x = 0; x < result.w; x++)
                out[((size_t)c * result.h + y) * result.w + x] =
                    average(&node->attr, window, shape, in[0] + (size_t)c * shape.h * shape.w, y, x);
}

bool avgpool_gradient(Gradients *g, const Node *node, Value *dy) {
    Node *made = gradients_node(g, node, "data", OP_AVGPOOL_GRADIENT, &dy, 1);
    made->attr = node->attr;
    made->attr.height = node->in[0]->shape.h, made->attr.width = node->in[0]->shape.w;
    gradients_add(g, node->in[0], gradients_done(g, made));
    return true;
}
