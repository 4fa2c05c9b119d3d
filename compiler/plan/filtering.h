/* Minimal filtering in one dimension (runtime/core/winograd.h), each F(m, taps) derived once for a plan: a network's
 * layers ask for the same ones thousands of times. */
#ifndef RNC_PLAN_FILTERING_H
#define RNC_PLAN_FILTERING_H

#include "plan.h"
#include "runtime/core/winograd.h"

typedef struct Filtering {
    rn_winograd w;
    int input_operations, output_operations;              /* vector operations of a transform (linear.h) */
    double rough[RN_WINOGRAD_MAX], even[RN_WINOGRAD_MAX]; /* what it amplifies, see rn_winograd_amplify */
} Filtering;

struct Filterings *filterings_new(Arena *arena);
/* F(m, taps) at a stride, or NULL where there is none. Lives as long as the plan. */
const Filtering *filtering_of(const Plan *plan, int m, int taps, int stride);

#endif
