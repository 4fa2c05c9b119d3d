/* The cost model: how long a convolution takes one way or another, of one image, and what its packed weights take.
 * Where the node runs for a group of `images`, its weights
 * are fetched once for all of them. */
#ifndef RNC_PLAN_COST_H
#define RNC_PLAN_COST_H

#include "winograd.h"

/* ---- for algorithms.def ---- */
Cost cost_direct(const Plan *plan, const Node *node, const Choice *choice, int images);
Cost cost_fc(const Plan *plan, const Node *node, const Choice *choice, int images);
/* us is infinite where there is no such transform. */
Cost cost_winograd(const Plan *plan, const Node *node, const Choice *choice, int images);
Cost cost_strassen(const Plan *plan, const Node *node, const Choice *choice, int images);

/* Microseconds in which the threads meet at the end of a step; 0 of one thread. */
double cost_barrier(const Plan *plan);

/* ---- for the choice ----
 * Winograd's method for one size of tiles and many sizes of blocks: what does not depend on the block is found once. */
typedef struct TileCost {
    WinogradPlan w;       /* transforms and number of tiles only */
    double input, output; /* vector operations of a tile's transforms */
    int64_t bytes;        /* of packed weights */
} TileCost;

/* False where there is no such transform. */
bool cost_tiles(TileCost *tiles, const Plan *plan, const Node *node, const Choice *choice, int images);
Cost cost_block(const Plan *plan, const Node *node, const TileCost *tiles, int block);

#endif
