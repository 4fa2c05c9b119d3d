/* What can be said of a value's numbers before there are any: a mean-field model of the network, in which numbers are
 * normal, a channel's differ from another's in their mean, and weights are as training leaves them on the whole. From
 * it follows how far an error spreads (plan/spread.c). The method: Poole et al. 2016, "Exponential expressivity in deep
 * neural networks through transient chaos"; why batch norms make errors grow: Yang et al. 2019, "A mean field theory of
 * batch normalization" (the mean that they subtract carries a part of the numbers, but none of the error, so that the
 * error is larger beside what is left).
 */
#ifndef RNC_MOMENTS_H
#define RNC_MOMENTS_H

#include "ir.h"

typedef struct Moments {
    double mean;    /* of all numbers */
    double between; /* variance of the channels' means */
    double within;  /* variance inside a channel */
} Moments;

/* Mean square. */
static inline double moments_square(Moments m) {
    return m.mean * m.mean + m.between + m.within;
}

/* Each returns the moments of a result. *carried: by how much the mean square of a small error in x is multiplied. */

Moments moments_activation(Act act, ActNumbers numbers, Moments x, double *carried);
/* Of a mean of `count` neighbours, and of the largest of them, whose error is its own. */
Moments moments_average(Moments x, double count, double *carried);
Moments moments_maximum(Moments x, double count);
Moments moments_batch_norm(Moments x, double *carried);
/* A layer norm, whose statistics are over the channels of a pixel. */
Moments moments_layer_norm(Moments x, double *carried);
/* Of weights * x; a batch norm may have been folded into them. The mean square becomes 1. */
Moments moments_product(Moments x, const Tensor *weights, double *carried);
/* Of branch + shortcut. *carried: of the branch; the shortcut's errors stay as they are. */
Moments moments_residual(Moments branch, Moments shortcut, double *carried);
/* Of a + b and a * b, which know nothing of each other. */
Moments moments_sum(Moments a, Moments b);
Moments moments_times(Moments a, Moments b);
/* Whether a batch norm was folded into a tensor's numbers. */
bool weights_hold_bn(const Tensor *tensor);

#endif
