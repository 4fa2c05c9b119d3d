/* The table of algorithms (algorithms.def). */
#ifndef RNC_PLAN_ALGORITHMS_H
#define RNC_PLAN_ALGORITHMS_H

#include "plan.h"

typedef enum AlgorithmKind {              /* what reports count together */
                             KIND_DIRECT, /* direct sums */
                             KIND_WINOGRAD,
                             KIND_STRASSEN,
                             KIND_FC,
                             KIND_PASS,       /* over activations */
                             KIND_CONVERSION, /* of input and outputs */
                             KIND_NOTHING,    /* no code */
                             KIND_COUNT = KIND_NOTHING
} AlgorithmKind;

typedef struct AlgorithmInfo {
    const char *word;
    AlgorithmKind kind;
    bool (*can)(const Plan *plan, const Node *node);
    Cost (*cost)(const Plan *plan, const Node *node, const Choice *choice, int images);
    void (*steps)(Plan *plan, const Node *node);
    void (*pack)(Plan *plan, Step *step);
    void (*describe)(const Step *step, Text *text);
} AlgorithmInfo;

const AlgorithmInfo *algorithm_info(Algorithm algorithm);
/* The first row that can compute the node as it is; a node that none can is our own mistake. */
Algorithm algorithm_of(const Plan *plan, const Node *node);

/* Microseconds of one image where the node runs for so many; 0 of what the cost model does not have. */
double algorithm_us(const Plan *plan, const Node *node, const Choice *choice, int images);

/* Whether a step is a call in emitted code, hence a row of the layer table. */
static inline bool step_is_call(const Step *step) {
    return algorithm_info(step->algorithm)->kind != KIND_NOTHING;
}

#endif
