/* softmax: out = exp(x) / sum of exp(x), shifted by the largest, or its logarithm: over the channels of each pixel;
 * over the pixels of each channel; or over `branches` numbers of a pixel that lie channels / branches apart. */
#include "graph/tensor.h"
#include "rules.h"

#include <math.h>

bool rule_fits_softmax(const Node *node, Diag *diag) {
    const int c = node->in[0]->shape.c;
    const Attr *attr = &node->attr;
    if (attr->branches < 1 || c % attr->branches)
        return rule_error(node, diag, "%d branches do not divide %d channels", attr->branches, c);
    return attr->pixels + attr->log + (attr->branches > 1) <= 1 ||
           rule_error(node, diag, "pixels, log and branches: one of these");
}

bool softmax_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    return rule_fits_softmax(node, diag) && rule_set_shape(node, diag, in.c, in.h, in.w);
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

SoftmaxOf rule_softmax_of(const Node *node) {
    const Shape shape = node->in[0]->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w, branches = node->attr.branches;
    if (node->attr.pixels) return (SoftmaxOf){pixels, 1, shape.c, pixels};
    const int64_t count = branches > 1 ? branches : shape.c;
    return (SoftmaxOf){count, shape.c / count * pixels, shape.c / count * pixels, 1};
}

void softmax_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    (void)weights, (void)threads;
    const SoftmaxOf of = rule_softmax_of(node);
    for (int64_t i = 0; i < of.all; i++) {
        const int64_t first = i * of.next;
        softmax_of(in[0] + first, out + first, of.count, of.step, node->attr.log);
    }
}

bool node_is_plain_softmax(const Node *node) {
    return node->op == OP_SOFTMAX && !node->attr.pixels && !node->attr.log && node->attr.branches == 1;
}

bool softmax_gradient(Gradients *g, const Node *node, Value *dy) {
    Node *data = gradients_node(g, node, "data", OP_SOFTMAX_GRADIENT, (Value *[]){dy, node->out}, 2);
    data->attr = node->attr;
    gradients_add(g, node->in[0], gradients_done(g, data));
    return true;
}
