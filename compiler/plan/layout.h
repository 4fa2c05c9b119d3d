/* Which buffer each value lives in, and how it lies there. */
#ifndef RNC_PLAN_LAYOUT_H
#define RNC_PLAN_LAYOUT_H

#include "plan.h"

void plan_roots(Plan *plan);   /* before the choice: which values share a buffer */
void plan_layouts(Plan *plan); /* after it: halos and strides */

#endif
