/* Winograd's method within the plan: what choose.c asks of it before it decides. */
#ifndef RNC_PLAN_WINOGRAD_H
#define RNC_PLAN_WINOGRAD_H

#include "plan.h"
#include "graph/ops.h"

enum { WINOGRAD_CALL = 32 /* most tiles of a GEMM: more columns gain nothing, and their results stay in L1 */ };

enum { WINOGRAD_DEEP_PIXEL = 4 /* floats of a pixel of at most so many channels, see layout.c */ };

/* How many pixels a side may be taken as one, with the channels of all: the stride, where few channels of the network's
 * input are read at stride 2 or 4; else 1. */
int winograd_side(const Plan *plan, const Node *node);

/* Transforms and number of tiles; false where there is no such transform, or where blocks or several images would cut a
 * pool's windows. */
bool winograd_tiles(WinogradPlan *w, const Node *node, const Choice *choice, int images);

#endif
