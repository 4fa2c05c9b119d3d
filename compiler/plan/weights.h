/* The packing of a step's weights: recipe steps, and operands that say where in the packed file they go. */
#ifndef RNC_PLAN_WEIGHTS_H
#define RNC_PLAN_WEIGHTS_H

#include "plan.h"

/* The recipe step that makes a tensor, those of its arguments before it; one however often it is asked for. */
int weights_tensor(Plan *plan, const Tensor *tensor);
int weights_recipe_step(Plan *plan, rn_recipe_step step); /* one that no tensor of the graph stands for */
/* Packs what recipe step `arg` makes, as numbers of this type, as an operand of `step`. */
void weights_pack(Plan *plan, Step *step, Role role, rn_recipe_op op, rn_dtype type, int arg, const int32_t dim[4],
                  const int32_t integer[4]);
/* One number a channel; nothing for NULL. */
void weights_pack_vector(Plan *plan, Step *step, Role role, const Tensor *tensor);

/* For rows of algorithms.def: no weights but the epilogue's. */
void weights_of_epilogue(Plan *plan, Step *step);

void plan_weights(Plan *plan); /* of all steps, in their order */

#endif
