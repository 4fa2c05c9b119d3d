/* The reference interpreter: the oracle of every pass and of emitted code. */
#ifndef RNC_INTERPRET_H
#define RNC_INTERPRET_H

#include "tensor.h"

/* The reference interpreter: runs the graph by the ops' definitions, plain loops with double sums.
 * image: C x H x W floats, H x W x C where the input is channels_last. values: graph->value_count entries, filled with
 * malloc'd C x H x W doubles for every value that some node makes (and the input); the caller frees each. threads:
 * OpenMP threads. */
void interpret(const Graph *graph, const TensorData *weights, const float *image, double **values, int threads);
/* The same, into values that interpret_free() frees (NULL is allowed). */
double **interpret_image(const Graph *graph, const TensorData *weights, const float *image, int threads);
void interpret_free(const Graph *graph, double **values);
/* Where the application has number i of a value's C x H x W, of the input or an output. */
int64_t interpret_place(const Value *value, int64_t i);
/* The same over a batch, of training graphs: image: images x C x H x W floats, labels: images x 4 doubles (ir.h).
 * values[id] has one image's doubles after another's, or those of the batch where it is Value.all. */
void interpret_batch(const Graph *graph, const TensorData *weights, const float *image, const double *labels,
                     int images, double **values, int threads);
/* A node's value from its op's own results, `data`, which it takes over: with bias, addend (NULL: none), activation and
 * pool. malloc'd. */
double *interpret_epilogue(const Node *node, double *data, const double *addend, const TensorData *weights);

#endif
