/* Choices about single nodes that several parts of the plan ask. */
#ifndef RNC_PLAN_STEPS_H
#define RNC_PLAN_STEPS_H

#include "plan.h"

/* A copy (dropout, identity, flatten) that needs no code: its value is its input's storage under another name. */
bool step_is_alias(const Plan *plan, const Node *node);
/* The value that an fc or output really reads: flattens that are aliases are looked through. */
const Value *step_source(const Plan *plan, const Value *value);
Algorithm step_algorithm(const Plan *plan, const Node *node);

#endif
