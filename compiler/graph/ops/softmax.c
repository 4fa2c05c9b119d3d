/* softmax: out = exp(x) / sum of exp(x), shifted by the largest, or its logarithm: over the channels of each pixel;
 * over the pixels of each channel; or over `branches` numbers of a pixel that lie channels / branches apart. */
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

bool softmax_infer(Node *node, Diag *diag) {
    Shape in = node->in[0]->shape;
    const Attr *attr = &node->attr;
    if (attr->branches < 1 || in.c % attr->branches)
        return rule_error(node, diag, "%d branches do not divide %d channels", attr->branches, in.c);
    if (attr->pixels + attr->log + (attr->branches > 1) > 1)
        return rule_error(node, diag, "pixels, log and branches: one of these");
    return rule_set_shape(node, diag, in.c, in.h, in.w);
}

RULE_NO_PARAMS(softmax)
RULE_NO_COST(softmax)
RULE_KEEPS_MOMENTS(softmax)

/* `count` numbers from the first on, `step` apart. */
static void softmax_of(const double *x, double *out, int64_t count, int64_t step, bool log_of) {
    double largest = x[0], sum = 0;
    for (int64_t i = 1; i < count; i++)
        if (x[i * step] > largest) largest = x[i * step];
    for (int64_t i = 0; i < count; i++) sum += exp(x[i * step] - largest);
    for (int64_t i = 0; i < count; i++)
        out[i * step] = log_of ? x[i * step] - largest - log(sum) : exp(x[i * step] - largest) / sum;
}

void softmax_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[0]->shape;
    const Attr *attr = &node->attr;
    const int64_t pixels = (int64_t)shape.h * shape.w, apart = attr->branches > 1 ? shape.c / attr->branches : 1;
    const int64_t count = attr->branches > 1 ? attr->branches : shape.c;
    for (int c = 0; c < shape.c && attr->pixels; c++)
        softmax_of(in[0] + c * pixels, out + c * pixels, pixels, 1, false);
    for (int64_t i = 0; i < apart * pixels && !attr->pixels; i++)
        softmax_of(in[0] + i, out + i, count, apart * pixels, attr->log);
}

bool node_is_plain_softmax(const Node *node) {
    return node->op == OP_SOFTMAX && !node->attr.pixels && !node->attr.log && node->attr.branches == 1;
}

bool softmax_gradient(Gradients *g, const Node *node, Value *dy) {
    if (!node_is_plain_softmax(node)) return gradients_none(g, node);
    gradients_add(g, node->in[0], gradients_value(g, node, "data", OP_SOFTMAX_GRADIENT, (Value *[]){dy, node->out}, 2));
    return true;
}
