/* softmax: over the channels of each pixel, out[c] = exp(x[c]) / sum over d of exp(x[d]), shifted by the largest. */
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

bool softmax_infer(Node *node, Diag *diag) {
    Shape in = node->in[0]->shape;
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

RULE_NO_PARAMS(softmax)
RULE_NO_COST(softmax)
RULE_KEEPS_MOMENTS(softmax)

void softmax_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    Shape shape = node->in[0]->shape;
    int64_t pixels = (int64_t)shape.h * shape.w;
    for (int64_t i = 0; i < pixels; i++) {
        double largest = in[0][i], sum = 0;
        for (int c = 1; c < shape.c; c++)
            if (in[0][c * pixels + i] > largest) largest = in[0][c * pixels + i];
        for (int c = 0; c < shape.c; c++) sum += exp(in[0][c * pixels + i] - largest);
        for (int c = 0; c < shape.c; c++) out[c * pixels + i] = exp(in[0][c * pixels + i] - largest) / sum;
    }
}

bool softmax_gradient(Gradients *g, const Node *node, Value *dy) {
    gradients_add(g, node->in[0], gradients_value(g, node, "data", OP_SOFTMAX_GRADIENT, (Value *[]){dy, node->out}, 2));
    return true;
}
