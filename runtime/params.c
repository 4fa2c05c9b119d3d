#include "params.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <float.h>
#include <math.h>

enum { TEXT_SIZE = 320, SHAPE_SIZE = 96 };

static const struct {
    const char *ours, *theirs;
} aliases[] = {
    {"weight", "gamma"}, {"bias", "beta"}, {"running_mean", "moving_mean"}, {"running_var", "moving_variance"}};

/* Does `name` end in the component `last`, alone or after a dot? Returns the length of what is before it, or -1. */
static int before_component(const char *name, const char *last) {
    const size_t n = strlen(name), m = strlen(last);
    if (n < m || strcmp(name + n - m, last)) return -1;
    return n == m || name[n - m - 1] == '.' ? (int)(n - m) : -1;
}

static const rn_safetensor *find_param(const rn_safetensors *file, const char *name) {
    const rn_safetensor *tensor = rn_safetensors_find(file, name);
    for (size_t i = 0; !tensor && i < sizeof aliases / sizeof aliases[0]; i++) {
        const int prefix = before_component(name, aliases[i].ours);
        char other[TEXT_SIZE];
        if (prefix < 0 || snprintf(other, sizeof other, "%.*s%s", prefix, name, aliases[i].theirs) >= TEXT_SIZE)
            continue;
        tensor = rn_safetensors_find(file, other);
    }
    return tensor;
}

/* "64x3x7x7"; "a single number" for no dimensions */
static const char *shape_text(char text[SHAPE_SIZE], int ndim, const int64_t *dim) {
    snprintf(text, SHAPE_SIZE, "a single number");
    for (int i = 0, n = 0; i < ndim && n < SHAPE_SIZE; i++)
        n += snprintf(text + n, (size_t)(SHAPE_SIZE - n), "%s%" PRId64, i ? "x" : "", dim[i]);
    return text;
}

static const char *param_shape_text(char text[SHAPE_SIZE], const rn_param *param) {
    int64_t dim[RN_SAFETENSOR_MAX_DIMS];
    for (int i = 0; i < param->ndim; i++) dim[i] = param->dim[i];
    return shape_text(text, param->ndim, dim);
}

static int same_shape(const rn_param *param, const rn_safetensor *tensor) {
    if (param->ndim != tensor->ndim) return 0;
    for (int i = 0; i < param->ndim; i++)
        if (param->dim[i] != tensor->dim[i]) return 0;
    return 1;
}

/* Writes what is wrong with a parameter; 0 where nothing is. */
static int param_problem(const rn_param *param, char text[TEXT_SIZE]) {
    char want[SHAPE_SIZE], have[SHAPE_SIZE];
    const rn_safetensor *tensor = param->tensor;
    param_shape_text(want, param);
    if (!tensor) {
        snprintf(text, TEXT_SIZE, "%.160s is missing (%s)", param->name, want);
    } else if (!same_shape(param, tensor)) {
        snprintf(text, TEXT_SIZE, "%.160s is %s, the network needs %s", tensor->name,
                 shape_text(have, tensor->ndim, tensor->dim), want);
    } else if (!rn_safetensor_readable(tensor)) {
        snprintf(text, TEXT_SIZE, "%.160s has the type %s; F32, F16 and BF16 can be read", tensor->name, tensor->dtype);
    } else {
        return 0;
    }
    return 1;
}

int rn_params_match(rn_param *params, int count, const rn_safetensors *file, rn_param_problem problem, void *user) {
    char text[TEXT_SIZE];
    int problems = 0;
    char *taken = calloc((size_t)file->count + 1, 1);
    if (!taken) return -1;
    for (int i = 0; i < count; i++) {
        params[i].tensor = find_param(file, params[i].name);
        if (params[i].tensor) taken[params[i].tensor - file->tensors] = 1;
        if (!param_problem(&params[i], text)) continue;
        problem(user, text);
        problems++;
    }
    for (int i = 0; i < file->count; i++) {
        const char *name = file->tensors[i].name;
        if (taken[i] || before_component(name, "num_batches_tracked") >= 0) continue;
        char shape[SHAPE_SIZE];
        snprintf(text, sizeof text, "%.160s is surplus: the network has no such parameter (%s)", name,
                 shape_text(shape, file->tensors[i].ndim, file->tensors[i].dim));
        for (char *c = text; *c; c++)
            if ((unsigned char)*c < 32 || *c == 127)
                *c = '?'; /* the file's bytes must not reach a terminal as they are */
        problem(user, text);
        problems++;
    }
    free(taken);
    return problems;
}

int rn_param_sound(const rn_param *param, const float *values, int64_t count, char *text, size_t size) {
    static const char variance[] = ".running_var";
    const size_t n = strlen(param->name), m = sizeof variance - 1;
    const float least = n > m && !strcmp(param->name + n - m, variance) ? 0.0f : -FLT_MAX;
    for (int64_t i = 0; i < count; i++) {
        if (values[i] >= least && values[i] <= FLT_MAX) continue;
        snprintf(text, size, "%s: element %" PRId64 " is %g%s", param->name, i, (double)values[i],
                 isfinite(values[i]) ? ", a variance" : "");
        return 0;
    }
    return 1;
}
