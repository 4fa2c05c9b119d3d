/* The network as it ships, over many images: instances of the inference code, one thread each, that share the images.
 * An image's result does not depend on the number of threads: images are cut into runs of the network's batch by their
 * place alone. */
#ifndef RN_EVALUATOR_H
#define RN_EVALUATOR_H

#include "rn.h"

typedef struct rn_evaluator rn_evaluator;

/* threads: instances. The weights outlive it (NULL: embedded ones). On an error *evaluator is NULL. */
rn_status rn_evaluator_create(rn_evaluator **evaluator, const rn_model *network, const rn_weights *weights, int threads,
                              char *error, size_t error_size);
/* The weights are closed with it. */
void rn_evaluator_keep(rn_evaluator *evaluator, rn_weights *weights);
/* The threads of rn_options' `parallel`, not OpenMP's. */
void rn_evaluator_use_pool(rn_evaluator *evaluator, void (*parallel)(void *user, int n, rn_task fn, void *arg),
                           void *user);
void rn_evaluator_destroy(rn_evaluator *evaluator); /* NULL is allowed */
/* n images as the network's run takes them; output: n x network->output_size floats. */
rn_status rn_evaluator_run(rn_evaluator *evaluator, int n, const float *images, float *output, char *error,
                           size_t error_size);

#endif
