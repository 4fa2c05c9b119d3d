/* upsample: nearest neighbour by a whole factor, out[c][y][x] = in[c][y / factor][x / factor]. */
#include "graph/tensor.h"
#include "rules.h"

bool upsample_infer(Node *node, Diag *diag) {
    Shape in = node->in[0]->shape;
    if (node->attr.factor < 1) return rule_error(node, diag, "factor %d: must be 1 or more", node->attr.factor);
    return rule_set_shape(node, diag, in.c, (int64_t)in.h * node->attr.factor, (int64_t)in.w * node->attr.factor);
}

RULE_NO_PARAMS(upsample)
RULE_NO_COST(upsample)
RULE_KEEPS_MOMENTS(upsample)

void upsample_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                        int threads) {
    (void)weights, (void)threads;
    Shape shape = node->in[0]->shape, result = node_unpooled_shape(node);
    int factor = node->attr.factor;
    for (int c = 0; c < result.c; c++)
        for (int y = 0; y < result.h; y++)
            for (int x = 0; x < result.w; x++)
                out[((size_t)c * result.h + y) * result.w + x] =
                    in[0][((size_t)c * shape.h + y / factor) * shape.w + x / factor];
}

bool upsample_gradient(Gradients *g, const Node *node, Value *dy) {
    Node *made = gradients_node(g, node, "data", OP_UPSAMPLE_GRADIENT, &dy, 1);
    made->attr = node->attr;
    gradients_add(g, node->in[0], gradients_done(g, made));
    return true;
}
