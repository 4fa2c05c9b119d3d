/* From a network to its training graph. */
#ifndef RNC_DIFFERENTIATE_H
#define RNC_DIFFERENTIATE_H

#include "graph/ir.h"

/* A graph that computes, for each image, the loss of the source's last output against a label, and for the batch the
 * gradients of all parameters that are not frozen, by differentiating each operation in reverse (graph/gradients.h).
 * The source is a graph as elaborated, before any pass; it stays as it is. A softmax at its end belongs to the loss.
 * Batch norm uses the batch's statistics. NULL after errors: an operation that has no gradient, nothing to train. */
Graph *differentiate(const Graph *source, Arena *arena, Diag *diag);

#endif
