/* The outcomes of a set's pictures: how many are right, of each class, and what is taken for what. */
#ifndef RN_TALLY_H
#define RN_TALLY_H

#include "eval/score.h"

typedef struct rn_tally_class {
    int64_t pictures, right, right5; /* of this class */
    int64_t predicted;               /* pictures of any class that are taken for it */
} rn_tally_class;

typedef struct rn_confusion { /* pictures of class `label` that are taken for `predicted`, another one */
    int32_t label, predicted;
    int64_t pictures;
} rn_confusion;

typedef struct rn_tally {
    int classes;
    uint32_t count;       /* of the set's pictures */
    int32_t *labels;      /* count; -1: left out */
    rn_outcome *outcomes; /* count */
    /* after rn_tally_finish: */
    int64_t pictures, right, right5; /* without those that were left out */
    double loss;                     /* the sum of the pictures' losses, added in their order */
    rn_tally_class *class;           /* classes */
    rn_confusion *confusions;        /* the most frequent first */
    size_t confusion_count;
    uint32_t *wrong; /* pictures that are not right, the surest of them first: pictures - right */
} rn_tally;

/* No picture has an outcome at first: all are left out. RN_ERROR_MEMORY or RN_OK; rn_tally_free in either case. */
rn_status rn_tally_create(rn_tally *tally, int classes, uint32_t count);
void rn_tally_set(rn_tally *tally, uint32_t picture, int32_t label, rn_outcome outcome);
/* Counts. The result does not depend on the order in which outcomes were set. RN_ERROR_MEMORY or RN_OK. */
rn_status rn_tally_finish(rn_tally *tally);
void rn_tally_free(rn_tally *tally); /* a zeroed or freed one is allowed */

typedef struct rn_interval {
    double low, high;
} rn_interval;

/* The 95 % confidence interval of a share of which `hits` of n > 0 were seen: Wilson's score interval (Wilson 1927,
 * Probable inference, the law of succession, and statistical inference, JASA 22). */
rn_interval rn_wilson(int64_t hits, int64_t n);

#endif
