#include "moments.h"

#include <math.h>

#include "act.h"
#include "ops.h"

/* A channel's mean over one picture is partly the picture's own: so much of its square is what a batch norm takes away.
 * In theory all of it, at initialisation; measured, on networks of 18 to 152 layers, less (docs/errors.md). */
static const double COMMON_MEAN = 0.3;
/* A trained branch adds little to its shortcut (Goyal et al. 2017, section 5.1, begin with nothing). */
static const double BRANCH = 0.2;
static const double PRELU_SLOPE = 0.25; /* where training begins (He et al. 2015) */

/* Means over a normal distribution, by midpoints: activations have kinks, where a higher order gains nothing. */
enum { POINTS = 24 };
static const double REACH = 4;    /* standard deviations */
static const double STEP = 1e-3;  /* of a difference quotient, in roots of the mean square */
static const double TINY = 1e-30; /* keeps divisors from 0 where all numbers are */

static double point(int i) {
    return REACH * (2 * (i + 0.5) / POINTS - 1);
}

static void normal_weights(double weight[POINTS]) {
    double sum = 0;
    for (int i = 0; i < POINTS; i++) sum += weight[i] = exp(-0.5 * point(i) * point(i));
    for (int i = 0; i < POINTS; i++) weight[i] /= sum;
}

Moments moments_activation(Act act, ActNumbers numbers, Moments x, double *carried) {
    if (act_info(act)->parameter == PARAMETER_PER_CHANNEL) numbers.p = PRELU_SLOPE;
    const double between = sqrt(x.between), within = sqrt(x.within), step = STEP * sqrt(moments_square(x)) + TINY;
    double weight[POINTS], mean = 0, means = 0, squares = 0, slopes = 0;
    normal_weights(weight);
    for (int i = 0; i < POINTS; i++) { /* channels */
        double own = 0;
        for (int k = 0; k < POINTS; k++) { /* numbers of one */
            const double at = x.mean + between * point(i) + within * point(k), y = act_apply(act, at, numbers);
            const double rise = (act_apply(act, at + step, numbers) - act_apply(act, at - step, numbers)) / (2 * step);
            own += weight[k] * y;
            squares += weight[i] * weight[k] * y * y;
            slopes += weight[i] * weight[k] * rise * rise;
        }
        mean += weight[i] * own;
        means += weight[i] * own * own;
    }
    *carried = slopes;
    return (Moments){mean, fmax(means - mean * mean, 0), fmax(squares - means, 0)};
}

/* Errors of neighbouring pixels agree in part. Were they equal, the mean would keep their mean square; were they
 * independent, it would be divided by count. Halfway, in proportion, is the root of count.
 */
Moments moments_average(Moments x, double count, double *carried) {
    *carried = 1 / sqrt(count);
    return (Moments){x.mean, x.between, x.within / count};
}

/* The largest of sqrt(count) independent numbers of a channel, since neighbours agree in part, as above. Its error is
 * that of one number.
 */
Moments moments_maximum(Moments x, double count) {
    const double n = sqrt(count), within = sqrt(x.within);
    double weight[POINTS], mean = 0, square = 0, sum = 0;
    normal_weights(weight);
    for (int i = 0; i < POINTS; i++) {
        const double share = weight[i] * n * pow(0.5 * erfc(-point(i) / sqrt(2)), n - 1);
        sum += share, mean += share * point(i), square += share * point(i) * point(i);
    }
    mean /= sum, square /= sum;
    return (Moments){x.mean + within * mean, x.between, x.within * (square - mean * mean)};
}

Moments moments_batch_norm(Moments x, double *carried) {
    const double channels = x.mean * x.mean + x.between;
    const double variance = fmax(x.within + (1 - COMMON_MEAN) * channels, TINY);
    *carried = 1 / variance;
    return (Moments){0, (1 - COMMON_MEAN) * channels / variance, x.within / variance};
}

Moments moments_layer_norm(Moments x, double *carried) {
    const double variance = fmax(x.between + x.within, 1e-30);
    *carried = 1 / variance;
    return (Moments){0, x.between / variance, x.within / variance};
}

Moments moments_product(Moments x, const Tensor *weights, double *carried) {
    if (weights_hold_bn(weights)) return moments_batch_norm(x, carried);
    const double square = fmax(moments_square(x), TINY);
    *carried = 1 / square;
    return (Moments){0, (x.mean * x.mean + x.between) / square, x.within / square};
}

Moments moments_residual(Moments branch, Moments shortcut, double *carried) {
    const double square = BRANCH * BRANCH;
    *carried = square;
    return moments_sum((Moments){BRANCH * branch.mean, square * branch.between, square * branch.within}, shortcut);
}

Moments moments_sum(Moments a, Moments b) {
    return (Moments){a.mean + b.mean, a.between + b.between, a.within + b.within};
}

Moments moments_times(Moments a, Moments b) {
    const double mean = a.mean * b.mean;
    const double means = (a.mean * a.mean + a.between) * (b.mean * b.mean + b.between);
    return (Moments){mean, fmax(means - mean * mean, 0), fmax(moments_square(a) * moments_square(b) - means, 0)};
}

bool weights_hold_bn(const Tensor *tensor) {
    if (tensor->op == RN_BN_SCALE) return true;
    for (int i = 0; i < tensor->nargs; i++)
        if (weights_hold_bn(tensor->arg[i])) return true;
    return false;
}
