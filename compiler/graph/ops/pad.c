/* pad: zeros around the image (window.top, left, bottom, right), and zero channels at the end. */
#include "graph/tensor.h"
#include "rules.h"

#include <string.h>

bool pad_infer(Node *node, Diag *diag) {
    const Window *window = &node->attr.window;
    Shape in = node->in[0]->shape;
    if (window->top < 0 || window->left < 0 || window->bottom < 0 || window->right < 0 || node->attr.channels < 0)
        return rule_error(node, diag, "top %d left %d bottom %d right %d channels %d: none may be negative",
                          window->top, window->left, window->bottom, window->right, node->attr.channels);
    return rule_set_shape(node, diag, (int64_t)in.c + node->attr.channels, (int64_t)in.h + window->top + window->bottom,
                          (int64_t)in.w + window->left + window->right);
}

RULE_NO_PARAMS(pad)
RULE_NO_COST(pad)
RULE_KEEPS_MOMENTS(pad)

void pad_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const Window *window = &node->attr.window;
    Shape shape = node->in[0]->shape, result = node_unpooled_shape(node);
    memset(out, 0, sizeof(double) * (size_t)shape_size(result));
    for (int c = 0; c < shape.c; c++)
        for (int y = 0; y < shape.h; y++)
            memcpy(out + ((size_t)c * result.h + y + window->top) * result.w + window->left,
                   in[0] + ((size_t)c * shape.h + y) * shape.w, sizeof(double) * (size_t)shape.w);
}

bool pad_gradient(Gradients *g, const Node *node, Value *dy) {
    const Window *w = &node->attr.window;
    gradients_add(g, node->in[0], gradients_part(g, node, dy, node->in[0]->shape, 0, w->top, w->left));
    return true;
}
