/* A network's parameters, found in an index of tensors by name and shape; every problem is told, none is guessed away.
 */
#ifndef RN_PARAMS_H
#define RN_PARAMS_H

#include "safetensors.h"

enum { RN_PREFIX_SIZE = 256 };

typedef struct rn_param {
    const char *name; /* as the network calls it: layer1.0.bn1.weight */
    int ndim;
    const int32_t *dim;
    const rn_safetensor *tensor; /* where it was found; NULL: nowhere */
    int optional;                /* 1: it is no problem where it is nowhere */
} rn_param;

/* All zero is the default. */
typedef struct rn_params_options {
    const char *prefix; /* before the file's names, with or without a dot at its end; "": none; NULL: find it out */
    const char *const *ignore; /* globs (fnmatch) of surplus tensors that are no problem */
    int ignore_count;
} rn_params_options;

typedef struct rn_params_result {
    int found, missing, unfit, surplus; /* unfit: parameters whose tensor has another shape or an unreadable type */
    char prefix[RN_PREFIX_SIZE];        /* that the parameters' names have in the file; "" for none */
} rn_params_result;

/* Told a problem in one phrase ("conv1.weight is missing (64x3x7x7)"), or, where `hint` is true, what may help. Names
 * of the file stand in it as they are, with any control bytes. */
typedef void (*rn_param_problem)(void *user, int hint, const char *text);

/* Finds every parameter, of the optional ones those that are there. An exact name goes first; where there is none,
 * "gamma" and "beta" serve for "weight" and "bias", "moving_mean" and "moving_variance" for "running_mean" and
 * "running_var". Where all names of the file (but the ignored ones) begin with the same components ("module."), and
 * more parameters are found without them, they are left out. A file's *.num_batches_tracked is no problem, nor is
 * momentum.NAME beside NAME; any other tensor that no parameter takes is one, as are missing, mis-shaped and unreadable
 * ones. They are told one by one; where hardly anything fits as one, with the likely pairs of names as hints. options
 * may be NULL. Returns how many problems there are (result: of which kinds), -1 where there is no memory. */
int rn_params_match(rn_param *params, int count, const rn_safetensors *file, const rn_params_options *options,
                    rn_params_result *result, rn_param_problem problem, void *user);

/* "2 of the network's 62 parameters are missing, 1 has another shape or type; 3 of the file's 65 tensors are surplus"
 */
void rn_params_counts(char *text, size_t size, const rn_params_result *result, int count, const rn_safetensors *file);

/* Does a glob name this tensor, by its name with or without the prefix? */
int rn_params_glob(const char *glob, const char *prefix, const char *name);

int64_t rn_param_count(const rn_param *param); /* elements, by its dims */

/* The first element such as no trained network has: a NaN, an infinity, or a negative variance. -1: none is. */
int64_t rn_param_unsound(const char *name, const float *values, int64_t count);

/* The parameter's tensor as floats, zeros where it is nowhere; `values` has room for all elements. Returns false and
 * words it where one is such as no trained network has ("bn1.running_var: element 3 is -0.5, a variance"): a NaN, an
 * infinity, a double beyond floats, or a negative variance. */
int rn_param_read(const rn_param *param, float *values, char *text, size_t size);

#endif
