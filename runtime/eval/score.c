/* Outcomes of images, see score.h. */
#include "score.h"

#include <math.h>

/* The number that a softmax divides by, and what it subtracts. */
static double score_sum(const float *scores, int classes, double *largest) {
    double sum = 0;
    *largest = -INFINITY;
    for (int k = 0; k < classes; k++) *largest = fmax(*largest, (double)scores[k]);
    for (int k = 0; k < classes; k++) sum += exp((double)scores[k] - *largest);
    return sum;
}

/* -log(0) is not asked for: what was rounded to 0 is not impossible. */
static double loss_of(double probability) {
    return isnan(probability) ? NAN : -log(fmax(probability, 0x1p-149));
}

rn_outcome rn_score(const float *scores, int classes, int probabilities, int32_t label) {
    const float own = scores[label];
    rn_outcome o = {.predicted = -1};
    for (int k = 0; k < classes; k++) {
        if (k != label) o.likelier += !(scores[k] < own || (scores[k] == own && k > label));
        if (scores[k] > (o.predicted < 0 ? -INFINITY : scores[o.predicted])) o.predicted = k;
    }
    o.own = (double)own;
    o.best = o.predicted < 0 ? NAN : (double)scores[o.predicted];
    o.loss = loss_of(o.own);
    if (!probabilities) {
        double largest;
        const double sum = score_sum(scores, classes, &largest);
        o.loss = log(sum) + largest - o.own;
        o.own = exp(o.own - largest) / sum;
        o.best = exp(o.best - largest) / sum;
    }
    return o;
}

void rn_score_add(double *sum, const float *scores, int classes, int probabilities) {
    double largest = 0;
    const double all = probabilities ? 1 : score_sum(scores, classes, &largest);
    for (int k = 0; k < classes; k++)
        sum[k] += probabilities ? (double)scores[k] : exp((double)scores[k] - largest) / all;
}

rn_outcome rn_score_mean(const double *sum, int terms, int classes, int32_t label) {
    rn_outcome o = {.predicted = -1};
    for (int k = 0; k < classes; k++) {
        if (k != label) o.likelier += !(sum[k] < sum[label] || (sum[k] == sum[label] && k > label));
        if (sum[k] > (o.predicted < 0 ? -INFINITY : sum[o.predicted])) o.predicted = k;
    }
    o.own = sum[label] / terms;
    o.best = o.predicted < 0 ? NAN : sum[o.predicted] / terms;
    o.loss = loss_of(o.own);
    return o;
}
