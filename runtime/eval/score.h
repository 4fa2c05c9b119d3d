/* What a network says of an image, against the image's class. */
#ifndef RN_SCORE_H
#define RN_SCORE_H

#include "rn.h"

typedef struct rn_outcome {
    int32_t predicted; /* the likeliest class; -1: no score is a number */
    int likelier;      /* classes likelier than its own: 0: it is right; below 5: it is among the first five */
    double own, best;  /* probabilities of its own class and of `predicted` */
    double loss;       /* -log(own) */
} rn_outcome;

/* `scores` are the probabilities (with probabilities = 1) or logits of `classes` classes. A class is likelier than
 * another where its score is greater, or where it is equal and its number is smaller; a NaN is no class's. */
rn_outcome rn_score(const float *scores, int classes, int probabilities, int32_t label);
/* Adds an image's probabilities, from its scores, to `sum`: crops, scales and networks are averaged by it. */
void rn_score_add(double *sum, const float *scores, int classes, int probabilities);
/* rn_score by the mean of `terms` probabilities that were added. */
rn_outcome rn_score_mean(const double *sum, int terms, int classes, int32_t label);

/* Where an image's scores begin in the network's outputs: those of the last output. */
static inline const float *rn_scores(const rn_model *network, const float *output) {
    const rn_shape s = network->outputs[network->output_count - 1].shape;
    return output + network->output_size - (size_t)s.c * (size_t)s.h * (size_t)s.w;
}

#endif
