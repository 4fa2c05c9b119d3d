/* How far from the interpreter's values emitted fp32 code may be: a bound for every element of every value. */
#ifndef TEST_BOUNDS_H
#define TEST_BOUNDS_H

#include "graph/tensor.h"
#include "plan/plan.h"

/* `source`: the graph before the passes, whose nodes have no epilogue but a bias; values: what interpret made of one
 * image; plan: of the graph after the passes, which says where transforms amplify rounding. Returns an array by value
 * id of malloc'd C x H x W bounds, NULL where a value has none; bounds_free frees it. */
double **bounds_make(const Graph *source, const TensorData *weights, double *const *values, const Plan *plan);
void bounds_free(double **bounds, int count);

#endif
