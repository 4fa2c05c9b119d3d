/* The choice carried out: steps, in order. */
#ifndef RNC_PLAN_STEPS_H
#define RNC_PLAN_STEPS_H

#include "plan.h"

void plan_steps(Plan *plan);

#endif
