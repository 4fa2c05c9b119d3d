/* .crossentropy_gradient(logits, labels): the gradient of an image's loss: softmax(logits) less the targets
 * (crossentropy.c). */
#include "rules.h"

#include <math.h>

bool crossentropy_gradient_infer(Node *node, Diag *diag) {
    return rule_fits_labels(node, diag) && rule_set_shape(node, diag, node->in[0]->shape.c, 1, 1);
}

RULE_NO_PARAMS(crossentropy_gradient)
RULE_NO_COST(crossentropy_gradient)

void crossentropy_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                                     int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[0]->shape;
    const double log_sum = rule_log_sum(shape, in[0]);
    for (int k = 0; k < shape.c; k++) out[k] = exp(in[0][k] - log_sum) - rule_target(node, in[1], k);
}
