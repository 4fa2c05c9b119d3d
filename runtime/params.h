/* A network's parameters, found in a safetensors file by name and shape; every problem is told, none is guessed away.
 */
#ifndef RN_PARAMS_H
#define RN_PARAMS_H

#include "safetensors.h"

typedef struct rn_param {
    const char *name; /* as the network calls it: layer1.0.bn1.weight */
    int ndim;
    const int32_t *dim;
    const rn_safetensor *tensor; /* where it was found; NULL: nowhere */
} rn_param;

/* Told one problem: the tensor's name, and what is wrong with it, as one phrase ("conv1.weight is missing (64x3x7x7)").
 */
typedef void (*rn_param_problem)(void *user, const char *text);

/* Finds every parameter. An exact name goes first; where there is none, "gamma" and "beta" serve for "weight" and
 * "bias", "moving_mean" and "moving_variance" for "running_mean" and "running_var". A file's *.num_batches_tracked is
 * ignored; any other tensor that no parameter takes is a problem, as are missing, mis-shaped and unreadable ones.
 * Returns how many problems there are, -1 where there is no memory. */
int rn_params_match(rn_param *params, int count, const rn_safetensors *file, rn_param_problem problem, void *user);

/* A value that no trained network has: a NaN or infinity anywhere, a negative variance. Returns false and words it
 * ("bn1.running_var: element 3 is -0.5, a variance"), true where all `count` values are sound. */
int rn_param_sound(const rn_param *param, const float *values, int64_t count, char *text, size_t size);

#endif
