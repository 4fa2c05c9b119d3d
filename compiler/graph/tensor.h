/* The contents of weight tensors, and the words of their expressions. */
#ifndef RNC_TENSOR_H
#define RNC_TENSOR_H

#include "ir.h"

const char *recipe_op_name(rn_recipe_op op);      /* "bn_scale"; "param" */
const char *recipe_op_symbol(rn_recipe_op op);    /* "RN_BN_SCALE" */
const char *recipe_op_text(rn_recipe_op op);      /* what it is, in words */
rn_recipe_op recipe_op_by_name(const char *name); /* RN_RECIPE_OP_COUNT where unknown */
/* Whether an expression's argument is an average or a variance: measured in training, not trained. */
bool recipe_argument_is_statistic(rn_recipe_op op, int argument);
int recipe_op_arity(rn_recipe_op op); /* how many arguments; -1: packing, which no graph has */
/* Whether a tensor's dims and integers follow from its arguments', by its expression's definition (tensor_dims.c). */
bool tensor_dims_fit(const Tensor *tensor);
bool tensor_is_vector(const Tensor *tensor, int64_t size);

/* Weight tensors' contents, by tensor id (NULL where not evaluated); malloc'd, row-major floats. */
typedef struct TensorData {
    float **data;
    int count;
} TensorData;
void tensor_data_free(TensorData *data);
/* Evaluates every expression whose parameters are present in `data` (which has graph->tensor_count entries after). */
void tensor_data_evaluate(const Graph *graph, TensorData *data);

#endif
