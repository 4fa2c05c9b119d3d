/* The cost model: how long a convolution takes one way or another, and how large its rounding error is. */
#ifndef RNC_PLAN_COST_H
#define RNC_PLAN_COST_H

#include "plan.h"

Cost cost_direct(const Plan *plan, const Node *node);
/* choice->algorithm is ALG_WINOGRAD; us is infinite where there is no such transform. */
Cost cost_winograd(const Plan *plan, const Node *node, const Choice *choice);
/* choice->algorithm is ALG_STRASSEN. */
Cost cost_strassen(const Plan *plan, const Node *node, const Choice *choice);

#endif
