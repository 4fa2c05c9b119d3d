/* A graph as a source in the language (docs/language.md, "Sources that rnc writes"): rnc X -o net.rn.
 *
 * The text is found from the values and layers alone, never from the groups of a source that the graph may come from.
 */
#ifndef RNC_WRITE_H
#define RNC_WRITE_H

#include "base/base.h"
#include "base/diag.h"
#include "graph/ir.h"
#include "graph/tensor.h"

typedef struct WrittenSource {
    const char *text; /* as --format writes it */
    Graph *graph;     /* what the text says: elaborated from it */
    /* By id of the parameters of `graph`: the tensor of the graph that was written; NULL for expressions. */
    const Tensor **origin;
    int renamed;  /* layers with parameters whose names changed */
    int left_out; /* layers that no output needs */
} WrittenSource;

/* Writes `graph`, as it is before the passes, as the network `name`. With `rename`, layers may get other names than the
 * graph's where those follow no pattern; without, every parameter keeps its name. False after one error, at the layer
 * that the language cannot say. All of it lives in `arena`. */
bool source_write(const Graph *graph, const char *name, bool rename, Arena *arena, WrittenSource *written, Diag *diag);

/* The written graph's parameters, from those of the graph that it was written from, whose expressions are evaluated.
 * The arrays are `from`'s own: free the result's `data` alone. */
TensorData source_weights(const WrittenSource *written, const TensorData *from);

#endif
