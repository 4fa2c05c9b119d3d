/* add: the sum of two values of one shape, or of one and C x 1 x 1, 1 x H x W or 1 x 1 x 1; with `fill`, of two values
 * of any shapes, each zero-filled at the end of its channels, rows and columns to the larger of both (shortcut option
 * A, dlib's add_prev). */
#include "graph/tensor.h"
#include "rules.h"

static int larger(int a, int b) {
    return a > b ? a : b;
}

bool add_infer(Node *node, Diag *diag) {
    Shape a = node->in[0]->shape, b = node->in[1]->shape;
    if (node_broadcast(node) == BROADCAST_NONE)
        return rule_error(node, diag, "the two sides differ: %dx%dx%d and %dx%dx%d", a.c, a.h, a.w, b.c, b.h, b.w);
    return rule_set_shape(node, diag, larger(a.c, b.c), larger(a.h, b.h), larger(a.w, b.w));
}

RULE_NO_PARAMS(add)
RULE_NO_COST(add)

Moments add_moments(const Node *node, const Moments *in, double *carried) {
    (void)node;
    carried[1] = 1;
    return moments_residual(in[0], in[1], &carried[0]);
}

void add_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    Shape result = node_unpooled_shape(node);
    const Broadcast broadcast = node_broadcast(node);
    if (broadcast != BROADCAST_EQUAL) {
        const int64_t pixels = (int64_t)result.h * result.w;
        for (int64_t i = 0; i < shape_size(result); i++) out[i] = in[0][i] + in[1][rule_beside(broadcast, i, pixels)];
        return;
    }
    for (int c = 0; c < result.c; c++)
        for (int y = 0; y < result.h; y++)
            for (int x = 0; x < result.w; x++) {
                double sum = 0;
                for (int i = 0; i < 2; i++) {
                    Shape shape = node->in[i]->shape;
                    if (c < shape.c && y < shape.h && x < shape.w)
                        sum += in[i][((size_t)c * shape.h + y) * shape.w + x];
                }
                out[((size_t)c * result.h + y) * result.w + x] = sum;
            }
}

bool add_gradient(Gradients *g, const Node *node, Value *dy) {
    const bool beside = node_broadcast(node) != BROADCAST_EQUAL;
    for (int i = 0; i < 2 - beside; i++)
        if (gradients_want(g, node->in[i]))
            gradients_add(g, node->in[i], gradients_part(g, node, dy, node->in[i]->shape, 0, 0, 0));
    if (beside) rule_broadcast_gradient(g, node, dy, NULL);
    return true;
}
