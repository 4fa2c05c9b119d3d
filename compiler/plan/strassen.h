/* Strassen's multiplication within the plan. */
#ifndef RNC_PLAN_STRASSEN_H
#define RNC_PLAN_STRASSEN_H

#include "plan.h"

/* Whether the node is a 1x1 convolution whose channels can be halved and whose pixels lie side by side. */
bool strassen_possible(const Plan *plan, const Node *node);

#endif
