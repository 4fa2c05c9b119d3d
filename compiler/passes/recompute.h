/* Less memory for training: values of the forward pass that the backward pass needs are computed again instead of kept.
 */
#ifndef RNC_RECOMPUTE_H
#define RNC_RECOMPUTE_H

#include "graph/ir.h"

typedef enum Recompute {
    RECOMPUTE_NONE,
    RECOMPUTE_SUMS,  /* what is of each element alone: normalisations, sums, activations */
    RECOMPUTE_BLOCKS /* everything between two kept values */
} Recompute;

/* Keeps every `every`-th of the values that the network passes through, at which all that comes later depends on one
 * value alone (in a residual network: the blocks' results); what lies between is computed again, from the kept value
 * before it, when the backward pass comes there (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost").
 * Statistics of batch norms are kept, so that the numbers are the same. Returns how many nodes were added. */
int recompute(Graph *graph, Recompute mode, int every);
/* How many such values there are. */
int recompute_cuts(const Graph *graph);

#endif
