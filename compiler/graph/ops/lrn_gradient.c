/* .lrn_gradient(dy, x): the gradient of what local response normalisation read, from that. With the denominators
 * d[c] = k + alpha / size * sum of x^2 around c (lrn.c), and the sum here over the channels c around which i is:
 *
 *     out[i] = dy[i] / d[i]^beta - 2 * alpha * beta / size * x[i] * sum of dy[c] * x[c] / d[c]^(beta + 1)
 */
#include "rules.h"

#include <math.h>

bool lrn_gradient_infer(Node *node, Diag *diag) {
    const Shape in = node->in[0]->shape;
    if (node->attr.size < 1) return rule_error(node, diag, "size %d: must be 1 or more", node->attr.size);
    return rule_same_shapes(node, diag, 2) && rule_set_shape(node, diag, in.c, in.h, in.w);
}

RULE_NO_PARAMS(lrn_gradient)
RULE_NO_COST(lrn_gradient)

static double denominator(const Attr *attr, int channels, const double *x, int64_t pixels, int c) {
    double sum = 0;
    for (int d = c - attr->size / 2; d <= c + (attr->size - 1) / 2 && d < channels; d++)
        if (d >= 0) sum += x[d * pixels] * x[d * pixels];
    return attr->k + attr->alpha / attr->size * sum;
}

void lrn_gradient_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                            int threads) {
    (void)weights, (void)threads;
    const Attr *attr = &node->attr;
    const Shape shape = node->in[0]->shape;
    const int64_t pixels = (int64_t)shape.h * shape.w;
    const double factor = 2 * attr->alpha * attr->beta / attr->size;
    for (int64_t p = 0; p < pixels; p++) {
        const double *dy = in[0] + p, *x = in[1] + p;
        for (int i = 0; i < shape.c; i++) {
            double sum = 0;
            for (int c = i - (attr->size - 1) / 2; c <= i + attr->size / 2 && c < shape.c; c++)
                if (c >= 0)
                    sum +=
                        dy[c * pixels] * x[c * pixels] * pow(denominator(attr, shape.c, x, pixels, c), -attr->beta - 1);
            out[i * pixels + p] = dy[i * pixels] * pow(denominator(attr, shape.c, x, pixels, i), -attr->beta) -
                                  factor * x[i * pixels] * sum;
        }
    }
}
