/* .crossentropy(logits, labels): the loss of an image, - sum over k of t[k] * log softmax(logits)[k], with targets t
 * that are 1 for the class, mixed with another class's by its share (Zhang et al. 2018), and smoothed by `smooth`
 * towards 1/K (Szegedy et al. 2016, section 7); then whether the class is not the likeliest, and whether it is none of
 * the five likeliest, 1 or 0: 3 x 1 x 1. Of equally likely classes the first counts as likelier. */
#include "rules.h"

#include <math.h>

bool rule_fits_labels(const Node *node, Diag *diag) {
    const Shape logits = node->in[0]->shape, labels = {4, 1, 1};
    if (logits.h != 1 || logits.w != 1)
        return rule_error(node, diag, "the result has %dx%d pixels: a class for each is not supported", logits.h,
                          logits.w);
    if (!(node->attr.smooth >= 0 && node->attr.smooth < 1))
        return rule_error(node, diag, "smooth %g: must be from 0 to below 1", node->attr.smooth);
    return shape_equal(node->in[1]->shape, labels) || rule_error(node, diag, "its second input is no label");
}

double rule_target(const Node *node, const double *labels, int k) {
    const int classes = node->in[0]->shape.c;
    const double hard = (k == (int)labels[0] ? labels[2] : 0) + (k == (int)labels[1] ? 1 - labels[2] : 0);
    return (1 - node->attr.smooth) * hard + node->attr.smooth / classes;
}

double rule_log_sum(Shape shape, const double *logits) {
    double largest = logits[0], sum = 0;
    for (int k = 1; k < shape.c; k++) largest = fmax(largest, logits[k]);
    for (int k = 0; k < shape.c; k++) sum += exp(logits[k] - largest);
    return largest + log(sum);
}

bool crossentropy_infer(Node *node, Diag *diag) {
    return rule_fits_labels(node, diag) && rule_set_shape(node, diag, 3, 1, 1);
}

RULE_NO_PARAMS(crossentropy)
RULE_NO_COST(crossentropy)

void crossentropy_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                            int threads) {
    (void)weights, (void)threads;
    const Shape shape = node->in[0]->shape;
    const double log_sum = rule_log_sum(shape, in[0]);
    const int label = (int)in[1][0];
    int likelier = 0;
    out[0] = 0;
    for (int k = 0; k < shape.c; k++) {
        out[0] += rule_target(node, in[1], k) * (log_sum - in[0][k]);
        likelier += in[0][k] > in[0][label] || (in[0][k] == in[0][label] && k < label);
    }
    out[1] = likelier >= 1;
    out[2] = likelier >= 5;
}
