/* Which layers of a batch run for several images at once. */
#ifndef RNC_PLAN_GROUP_H
#define RNC_PLAN_GROUP_H

#include "plan.h"

void plan_group(Plan *plan);

#endif
