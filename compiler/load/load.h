/* What the compiler loads besides its source: a network's weights, from a file or made up. */
#ifndef RNC_LOAD_H
#define RNC_LOAD_H

#include "../ir.h"

/* Reads every parameter of the graph from a safetensors file, by name and dims (docs/weights.md). All missing, surplus,
 * mis-shaped and unreadable tensors become errors of `diag`; returns false after one, and `out` is empty then. */
bool weights_load(const Graph *graph, const char *path, TensorData *out, Diag *diag);

/* Makes up every parameter: random, the same for a seed on every machine, and calibrated so that every layer's result
 * has about unit variance, however deep the network is. */
void weights_random(const Graph *graph, uint64_t seed, TensorData *out, int threads);

#endif
