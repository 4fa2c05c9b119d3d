/* What is being trained, evaluated by the inference code. */
#ifndef RN_TRAIN_EVALUATE_H
#define RN_TRAIN_EVALUATE_H

#include "eval/evaluator.h"
#include "eval/score.h"
#include "train/trainer.h"

/* With the weights as they are now in the trainer: packed by the network's recipe. On an error *evaluator is NULL. */
rn_status rn_evaluator_of_trainer(rn_evaluator **evaluator, const rn_train_context *context, char *error,
                                  size_t error_size);

/* The name of the network's first layer whose value has a NaN or an infinity for one of these images, by the inference
 * code with the parameters as they are; NULL: none has, or it cannot be run. For errors: it allocates. */
const char *rn_evaluate_not_finite(const rn_train_context *context, int n, const float *images);

/* Adds an image's outcome. */
void rn_train_add_outcome(rn_train_result *result, rn_outcome outcome);

#endif
