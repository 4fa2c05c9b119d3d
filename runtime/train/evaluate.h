/* The network as it ships, over many images: instances of the inference code, one thread each, that share the images.
 * An image's result does not depend on the number of threads: images are cut into runs of the network's batch by their
 * place alone. */
#ifndef RN_TRAIN_EVALUATE_H
#define RN_TRAIN_EVALUATE_H

#include "train/trainer.h"

typedef struct rn_evaluator rn_evaluator;

/* With the weights as they are now in the trainer: packed by the network's recipe. threads: instances. On an error
 * *evaluator is NULL. */
rn_status rn_evaluator_of_trainer(rn_evaluator **evaluator, const rn_train_context *context, char *error,
                                  size_t error_size);
/* With weights that outlive it. */
rn_status rn_evaluator_create(rn_evaluator **evaluator, const rn_model *network, const rn_weights *weights, int threads,
                              char *error, size_t error_size);
void rn_evaluator_destroy(rn_evaluator *evaluator); /* NULL is allowed */
/* n images as the network's run takes them; output: n x network->output_size floats. */
rn_status rn_evaluator_run(rn_evaluator *evaluator, int n, const float *images, float *output, char *error,
                           size_t error_size);

/* The name of the network's first layer whose value has a NaN or an infinity for one of these images, by the inference
 * code with the parameters as they are; NULL: none has, or it cannot be run. For errors: it allocates. */
const char *rn_evaluate_not_finite(const rn_train_context *context, int n, const float *images);

/* Adds an image's outcome: `scores` are the probabilities (with probabilities = 1) or logits of `classes` classes. A
 * class is likelier than another where its score is greater, or where it is equal and its number is smaller; a NaN is
 * no class's. */
void rn_train_score(rn_train_result *result, const float *scores, int classes, int probabilities, int32_t label);
/* Adds an image's probabilities, from its scores, to `sum`: crops, scales and networks are averaged by it. */
void rn_train_add_probabilities(double *sum, const float *scores, int classes, int probabilities);
/* rn_train_score by the mean of `terms` probabilities that were added. */
void rn_train_score_mean(rn_train_result *result, const double *sum, int terms, int classes, int32_t label);
/* Where an image's scores begin in the network's outputs: those of the last output. */
static inline const float *rn_train_scores(const rn_model *network, const float *output) {
    const rn_shape s = network->outputs[network->output_count - 1].shape;
    return output + network->output_size - (size_t)s.c * (size_t)s.h * (size_t)s.w;
}

#endif
