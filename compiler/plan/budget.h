/* Of the ways to compute each layer, what is chosen. */
#ifndef RNC_PLAN_BUDGET_H
#define RNC_PLAN_BUDGET_H

#include "plan.h"

void plan_budget(Plan *plan);

#endif
