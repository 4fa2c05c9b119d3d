/* Finding parameters by name, and telling what does not fit: see params.h. */
#include "params.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <float.h>
#include <math.h>

enum { TEXT_SIZE = 512, SHAPE_SIZE = 96, NAME_SIZE = 768, FEW = 10, SHOWN_PAIRS = 8, PREFIX_PARTS = 16 };

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

static const rn_safetensor *find_param(const rn_safetensors *file, const char *prefix, const char *name) {
    char full[NAME_SIZE];
    if (snprintf(full, sizeof full, "%s%s", prefix, name) >= NAME_SIZE) return NULL;
    const rn_safetensor *tensor = rn_safetensors_find(file, full);
    for (size_t i = 0; !tensor && i < sizeof aliases / sizeof aliases[0]; i++) {
        const int before = before_component(name, aliases[i].ours);
        if (before < 0) continue;
        if (snprintf(full, sizeof full, "%s%.*s%s", prefix, before, name, aliases[i].theirs) < NAME_SIZE)
            tensor = rn_safetensors_find(file, full);
    }
    /* a factor alone is often no layer's weight, but the block's own parameter: "layer_scale" */
    const int before = before_component(name, "weight");
    if (!tensor && before > 1 && snprintf(full, sizeof full, "%s%.*s", prefix, before - 1, name) < NAME_SIZE)
        tensor = rn_safetensors_find(file, full);
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

/* Dimensions of 1 at the end say nothing: a 1x1 convolution's weights may be a linear layer's, a factor's C x 1 x 1. */
static int same_shape(const rn_param *param, const rn_safetensor *tensor) {
    for (int i = 0; i < param->ndim || i < tensor->ndim; i++)
        if ((i < param->ndim ? param->dim[i] : 1) != (i < tensor->ndim ? tensor->dim[i] : 1)) return 0;
    return 1;
}

/* Writes what is wrong with a parameter; 0 where nothing is. */
static int param_problem(const rn_param *param, char text[TEXT_SIZE]) {
    char want[SHAPE_SIZE], have[SHAPE_SIZE];
    const rn_safetensor *tensor = param->tensor;
    param_shape_text(want, param);
    if (!tensor && param->optional) {
        return 0;
    } else if (!tensor) {
        snprintf(text, TEXT_SIZE, "%.160s is missing (%s)", param->name, want);
    } else if (!same_shape(param, tensor)) {
        snprintf(text, TEXT_SIZE, "%.160s is %s, the network needs %s", tensor->name,
                 shape_text(have, tensor->ndim, tensor->dim), want);
    } else if (!rn_safetensor_readable(tensor)) {
        snprintf(text, TEXT_SIZE, "%.160s has the type %s; F32, F16, BF16 and F64 can be read", tensor->name,
                 tensor->dtype);
    } else {
        return 0;
    }
    return 1;
}

/* ---- prefixes ---- */

static int count_found(const rn_param *params, int count, const rn_safetensors *file, const char *prefix) {
    int found = 0;
    for (int i = 0; i < count; i++) found += find_param(file, prefix, params[i].name) != NULL;
    return found;
}

static int is_ignored(const rn_params_options *options, const char *prefix, const char *name) {
    for (int i = 0; i < options->ignore_count; i++)
        if (rn_params_glob(options->ignore[i], prefix, name)) return 1;
    return 0;
}

/* What all names have in common at their beginning, up to a dot; the ignored ones only where there are no others. */
static void common_prefix(char prefix[RN_PREFIX_SIZE], const rn_safetensors *file, const rn_params_options *options) {
    const char *first = NULL;
    size_t length = 0;
    for (int ignored = 0; ignored < 2 && !first; ignored++)
        for (int i = 0; i < file->count; i++) {
            const char *name = file->tensors[i].name;
            size_t n = 0;
            if (!ignored && is_ignored(options, "", name)) continue;
            if (!first) first = name, length = strlen(name) < RN_PREFIX_SIZE ? strlen(name) : RN_PREFIX_SIZE - 1;
            while (n < length && name[n] == first[n]) n++;
            length = n;
        }
    while (length && first[length - 1] != '.') length--;
    snprintf(prefix, RN_PREFIX_SIZE, "%.*s", (int)length, first ? first : "");
}

/* The part of the common prefix, the shortest of several, without which most parameters are found. */
static void find_prefix(char best[RN_PREFIX_SIZE], const rn_param *params, int count, const rn_safetensors *file,
                        const rn_params_options *options) {
    char common[RN_PREFIX_SIZE], part[RN_PREFIX_SIZE];
    int most = count_found(params, count, file, ""), parts = 0;
    best[0] = 0;
    if (most == count) return;
    common_prefix(common, file, options);
    for (const char *dot = strchr(common, '.'); dot && parts < PREFIX_PARTS; dot = strchr(dot + 1, '.'), parts++) {
        snprintf(part, sizeof part, "%.*s", (int)(dot + 1 - common), common);
        const int found = count_found(params, count, file, part);
        if (found <= most) continue;
        most = found;
        strcpy(best, part);
    }
}

/* Completes a prefix that was given by its dot; false where no name begins with it. */
static int complete_prefix(char prefix[RN_PREFIX_SIZE], const char *given, const rn_safetensors *file) {
    const size_t n = strlen(given);
    int begins = !n, dotted = 0;
    for (int i = 0; i < file->count; i++) {
        if (strncmp(file->tensors[i].name, given, n)) continue;
        begins = 1;
        dotted |= n && file->tensors[i].name[n] == '.';
    }
    return snprintf(prefix, RN_PREFIX_SIZE, "%s%s", given, dotted ? "." : "") < RN_PREFIX_SIZE && begins;
}

/* A prefix that some names have, and below which more parameters are found; tried are those that tensors have before
 * the names of a few parameters. Returns how many are found below it. */
static int likely_prefix(char best[RN_PREFIX_SIZE], const rn_param *params, int count, const rn_safetensors *file) {
    int most = 0, tried = 0;
    for (int p = 0; p < count && p < 4; p++)
        for (int i = 0; i < file->count && tried < PREFIX_PARTS; i++) {
            const int before = before_component(file->tensors[i].name, params[p].name);
            char prefix[RN_PREFIX_SIZE];
            if (before <= 0 || before >= RN_PREFIX_SIZE) continue;
            snprintf(prefix, sizeof prefix, "%.*s", before, file->tensors[i].name);
            const int found = count_found(params, count, file, prefix);
            tried++;
            if (found <= most) continue;
            most = found;
            strcpy(best, prefix);
        }
    return most;
}

/* ---- what is told ---- */

typedef struct Teller {
    rn_param_problem problem;
    void *user;
} Teller;

static void tell(const Teller *teller, int hint, const char *text) {
    teller->problem(teller->user, hint, text);
}

static void tell_surplus(const Teller *teller, const rn_safetensor *tensor) {
    char text[TEXT_SIZE], shape[SHAPE_SIZE];
    snprintf(text, sizeof text, "%.160s is surplus: the network has no such parameter (%s)", tensor->name,
             shape_text(shape, tensor->ndim, tensor->dim));
    tell(teller, 0, text);
}

/* How alike two names are: their common end counts for more than their common beginning. */
static size_t likeness(const char *a, const char *b) {
    const size_t n = strlen(a), m = strlen(b);
    size_t front = 0, back = 0;
    while (front < n && front < m && a[front] == b[front]) front++;
    while (back < n && back < m && a[n - 1 - back] == b[m - 1 - back]) back++;
    return front + 2 * back;
}

/* Hints: surplus tensors that may be the missing ones, each once. `taken` is marked. */
static void tell_pairs(const Teller *teller, const rn_param *params, int count, const rn_safetensors *file,
                       char *taken) {
    char text[TEXT_SIZE], shape[SHAPE_SIZE];
    for (int i = 0, shown = 0; i < count && shown < SHOWN_PAIRS; i++) {
        int best = -1;
        if (params[i].tensor || params[i].optional) continue;
        for (int j = 0; j < file->count; j++) {
            const rn_safetensor *other = &file->tensors[j];
            if (taken[j] || !same_shape(&params[i], other)) continue;
            if (best < 0 || likeness(params[i].name, other->name) > likeness(params[i].name, file->tensors[best].name))
                best = j;
        }
        if (best < 0) continue;
        taken[best] = 1;
        shown++;
        snprintf(text, sizeof text, "%.160s is missing; of its shape, and perhaps it, is %.160s (%s)", params[i].name,
                 file->tensors[best].name, param_shape_text(shape, &params[i]));
        tell(teller, 1, text);
    }
}

static void tell_summary(const Teller *teller, const rn_param *params, int count, const rn_safetensors *file,
                         const rn_params_result *result, char *taken) {
    char text[TEXT_SIZE];
    int n = snprintf(text, sizeof text, "hardly anything fits: ");
    rn_params_counts(text + n, sizeof text - (size_t)n, result, count, file);
    tell(teller, 0, text);
    for (int i = 0, shown = 0; i < count && shown < SHOWN_PAIRS; i++)
        if (params[i].tensor && param_problem(&params[i], text)) tell(teller, 1, text), shown++;
    tell_pairs(teller, params, count, file, taken);
}

static void tell_all(const Teller *teller, const rn_param *params, int count, const rn_safetensors *file,
                     const char *taken) {
    char text[TEXT_SIZE];
    for (int i = 0; i < count; i++)
        if (param_problem(&params[i], text)) tell(teller, 0, text);
    for (int i = 0; i < file->count; i++)
        if (!taken[i]) tell_surplus(teller, &file->tensors[i]);
}

void rn_params_counts(char *text, size_t size, const rn_params_result *result, int count, const rn_safetensors *file) {
    snprintf(
        text, size,
        "%d of the network's %d parameters %s missing, %d %s another shape or type; %d of the file's %d tensors %s "
        "surplus",
        result->missing, count, result->missing == 1 ? "is" : "are", result->unfit, result->unfit == 1 ? "has" : "have",
        result->surplus, file->count, result->surplus == 1 ? "is" : "are");
}

/* ---- matching ---- */

int rn_params_glob(const char *glob, const char *prefix, const char *name) {
    const size_t n = strlen(prefix);
    return !fnmatch(glob, name, 0) || (n && !strncmp(name, prefix, n) && !fnmatch(glob, name + n, 0));
}

/* A checkpoint has the momentum of its parameters beside them. */
static int is_momentum(const rn_safetensors *file, const char *name) {
    static const char prefix[] = "momentum.";
    return !strncmp(name, prefix, sizeof prefix - 1) && rn_safetensors_find(file, name + sizeof prefix - 1);
}

/* Finds tensors and counts; `taken` marks those that are no surplus. */
static void find_all(rn_param *params, int count, const rn_safetensors *file, const rn_params_options *options,
                     rn_params_result *result, char *taken) {
    char text[TEXT_SIZE];
    for (int i = 0; i < count; i++) {
        params[i].tensor = find_param(file, result->prefix, params[i].name);
        if (params[i].tensor) taken[params[i].tensor - file->tensors] = 1;
        if (!params[i].tensor && !params[i].optional)
            result->missing++;
        else if (param_problem(&params[i], text))
            result->unfit++;
        else
            result->found++;
    }
    for (int i = 0; i < file->count; i++) {
        const char *name = file->tensors[i].name;
        taken[i] |= before_component(name, "num_batches_tracked") >= 0 || is_momentum(file, name) ||
                    is_ignored(options, result->prefix, name);
        result->surplus += !taken[i];
    }
}

/* Where other names have a prefix below which more parameters are found than there are now. */
static void tell_likely_prefix(const Teller *teller, const rn_param *params, int count, const rn_safetensors *file,
                               int found) {
    char text[TEXT_SIZE], likely[RN_PREFIX_SIZE];
    const int better = likely_prefix(likely, params, count, file);
    if (better <= found) return;
    snprintf(text, sizeof text, "%d of the network's %d parameters are below '%.160s': rnc --weights-prefix %.160s",
             better, count, likely, likely);
    tell(teller, 1, text);
}

int rn_params_match(rn_param *params, int count, const rn_safetensors *file, const rn_params_options *options,
                    rn_params_result *result, rn_param_problem problem, void *user) {
    static const rn_params_options none = {0};
    char text[TEXT_SIZE];
    const Teller teller = {problem, user};
    if (!options) options = &none;
    *result = (rn_params_result){0};
    for (int i = 0; i < count; i++) params[i].tensor = NULL;
    if (!options->prefix) {
        find_prefix(result->prefix, params, count, file, options);
    } else if (!complete_prefix(result->prefix, options->prefix, file)) {
        result->missing = count;
        snprintf(text, sizeof text, "no tensor's name begins with '%.160s'%s%.160s%s", options->prefix,
                 file->count ? "; the first is '" : "", file->count ? file->tensors[0].name : "",
                 file->count ? "'" : "");
        tell(&teller, 0, text);
        return 1;
    }
    char *taken = calloc((size_t)file->count + 1, 1);
    if (!taken) return -1;
    find_all(params, count, file, options, result, taken);
    const int problems = result->missing + result->unfit + result->surplus;
    if (problems > FEW && 2 * result->found < count)
        tell_summary(&teller, params, count, file, result, taken);
    else
        tell_all(&teller, params, count, file, taken);
    if (result->missing && !options->prefix) tell_likely_prefix(&teller, params, count, file, count - result->missing);
    free(taken);
    return problems;
}

/* ---- values ---- */

int64_t rn_param_count(const rn_param *param) {
    int64_t count = 1;
    for (int i = 0; i < param->ndim; i++) count *= param->dim[i];
    return count;
}

static int is_variance(const char *name) {
    static const char end[] = ".running_var";
    const size_t n = strlen(name), m = sizeof end - 1;
    return n > m && !strcmp(name + n - m, end);
}

int64_t rn_param_unsound(const char *name, const float *values, int64_t count) {
    const float least = is_variance(name) ? 0.0f : -FLT_MAX;
    int64_t i = 0;
    while (i < count && values[i] >= least && values[i] <= FLT_MAX) i++;
    return i < count ? i : -1;
}

int rn_param_read(const rn_param *param, float *values, char *text, size_t size) {
    if (!param->tensor) {
        memset(values, 0, (size_t)rn_param_count(param) * sizeof *values);
        return 1;
    }
    rn_safetensor_read(param->tensor, values);
    const int64_t i = rn_param_unsound(param->name, values, param->tensor->count);
    if (i < 0) return 1;
    const double value = rn_safetensor_element(param->tensor, i);
    snprintf(text, size, "%s: element %" PRId64 " is %g%s", param->name, i, value,
             !isfinite(value)        ? ""
             : fabs(value) > FLT_MAX ? ", beyond the range of fp32"
                                     : ", a variance");
    return 0;
}
