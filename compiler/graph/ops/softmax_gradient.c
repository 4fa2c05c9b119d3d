/* .softmax_gradient(dy, y): the gradient of what softmax read, from its result y, over the numbers that it was over:
 * out[c] = y[c] * (dy[c] - sum over d of dy[d] * y[d]); of its logarithm dy[c] - e^y[c] * sum over d of dy[d]. */
#include "rules.h"

#include <math.h>

bool softmax_gradient_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    return rule_same_shapes(node, diag, 2) && rule_fits_softmax(node, diag) &&
           rule_set_shape(node, diag, in.c, in.h, in.w);
}

RULE_NO_PARAMS(softmax_gradient)
RULE_NO_COST(softmax_gradient)

void softmax_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                                int threads) {
    (void)weights, (void)threads;
    const SoftmaxOf of = rule_softmax_of(node);
    const bool log_of = node->attr.log;
    for (int64_t k = 0; k < of.all; k++) {
        const int64_t first = k * of.next, end = first + of.count * of.step;
        double sum = 0;
        for (int64_t i = first; i < end; i += of.step) sum += log_of ? in[0][i] : in[0][i] * in[1][i];
        for (int64_t i = first; i < end; i += of.step)
            out[i] = log_of ? in[0][i] - exp(in[1][i]) * sum : in[1][i] * (in[0][i] - sum);
    }
}
