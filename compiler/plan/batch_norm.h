/* Normalisations in training whose statistics are of one image: softmax, lrn and layer norm of a pixel's channels,
 * group norm and response norm of an image; their gradients, and the sums over the batch for their parameters'
 * (batch_norm.c). */
#ifndef RNC_PLAN_BATCH_NORM_H
#define RNC_PLAN_BATCH_NORM_H

#include "reader.h"

typedef struct BatchNorm {
    int inputs;        /* x; or dy and what the operation goes by: x, or softmax's result */
    Reader *read[2];   /* an expression each */
    int64_t copied[2]; /* floats: where scratch has what is computed as it is read; -1: it is stored */
    bool by_rows;      /* a row of it at a time, else a whole image */
    int64_t normals;   /* floats: where scratch has the pixels' statistics, of layernorm_sums */
} BatchNorm;

/* Whether a step of the operation is such, and whether it is a sum over the batch. */
bool batch_norm_can(const Node *node);
bool batch_norm_is_sum(const Node *node);

#endif
