/* .dot(a, b): sums of a * b, or with one input of a: for each channel over the image's pixels, C x 1 x 1; of_pixels:
 * for each pixel over its channels, 1 x H x W; of_image: over all, 1 x 1 x 1. The gradient of what a sum or product
 * reads beside a larger value. */
#include "rules.h"

#include <string.h>

bool dot_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    const Attr *a = &node->attr;
    if (a->of_pixels && a->of_image) return rule_error(node, diag, "either of_pixels or of_image");
    return rule_same_shapes(node, diag, node->nin) && rule_set_shape(node, diag, a->of_pixels || a->of_image ? 1 : in.c,
                                                                     a->of_pixels ? in.h : 1, a->of_pixels ? in.w : 1);
}

RULE_NO_PARAMS(dot)
RULE_NO_COST(dot)

void dot_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[0]->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w;
    const Broadcast kind = node->attr.of_pixels  ? BROADCAST_PIXELS
                           : node->attr.of_image ? BROADCAST_IMAGE
                                                 : BROADCAST_CHANNELS;
    memset(out, 0, sizeof *out * (size_t)shape_size(node->out->shape));
    for (int64_t i = 0; i < shape_size(shape); i++)
        out[rule_beside(kind, i, pixels)] += in[0][i] * (node->nin > 1 ? in[1][i] : 1);
}

void rule_broadcast_gradient(Gradients *g, const Node *node, Value *dy, Value *x) {
    Value *second = node->in[1];
    const Broadcast broadcast = node_broadcast(node);
    if (!gradients_want(g, second)) return;
    const char *what = node->op == OP_MUL ? "gate" : "second";
    if (broadcast == BROADCAST_EQUAL) {
        gradients_add(g, second, gradients_value(g, node, what, OP_MUL, (Value *[]){dy, x}, 2));
        return;
    }
    Node *sums = gradients_node(g, node, what, OP_DOT, (Value *[]){dy, x}, x ? 2 : 1);
    sums->attr.of_pixels = broadcast == BROADCAST_PIXELS;
    sums->attr.of_image = broadcast == BROADCAST_IMAGE;
    gradients_add(g, second, gradients_done(g, sums));
}
