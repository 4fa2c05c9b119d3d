/* Lifetimes of what lies in the arena, and where each lies. */
#ifndef RNC_PLAN_MEMORY_H
#define RNC_PLAN_MEMORY_H

#include "plan.h"

void plan_memory(Plan *plan);
/* The largest live set alone, in plan->live_bytes, without places. */
void plan_live_bytes(Plan *plan);

#endif
