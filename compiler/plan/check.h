/* What every plan keeps, whoever made its steps. */
#ifndef RNC_PLAN_CHECK_H
#define RNC_PLAN_CHECK_H

#include "plan.h"

/* On a broken rule calls bug() naming step, operand and rule. */
void plan_check(const Plan *plan);

#endif
