/* rn_weights: a network's packed weights in memory, from a packed file, a safetensors file, or bytes of either.
 *
 * Packed weights are used where they are: a file is mapped, its checksum verified by a few threads while its pages come
 * in. Measured on 240 MB in the page cache, AMD EPYC (Zen 3, two cores, Linux 6.18): mapped and verified in 15 ms with
 * two threads (19-30 ms with one; 27 and 41-45 ms with 4 KiB pages, from tmpfs), against 37-43 ms (one thread: 64-98
 * ms) for reading into anonymous huge pages, which costs the copy and the clearing of the pages. Kernels stream both at
 * the same 29-31 GB/s, since they walk panels in order and the page-table walks are hidden; so the mapping wins, and
 * processes share its memory.
 *
 * A safetensors file is run through the model's recipe into huge-page memory: what rnc --weights does at compile time.
 */
#include "format.h"
#include "packed.h"
#include "core/pages.h"
#include "params.h"
#include "rn_recipe.h"
#include "core/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PACK_THREADS = 8, REST_SIZE = 32 /* bytes of "\n   and N more" */ };
enum { ALIGNMENT = 64 }; /* a cache line, of which the recipe's offsets are multiples */

typedef struct Opened { /* what an rn_weights is here */
    rn_weights weights; /* first */
    rn_pages pages;     /* what close gives back; nothing for packed bytes of the caller's */
} Opened;

#ifndef RN_STANDALONE
/* ---- a safetensors image through the recipe ---- */

/* Collects problems into the error buffer: as many whole lines as fit, and how many more there are. */
typedef struct Problems {
    char *error;
    size_t size, used;
    int omitted;
} Problems;

static void add_problem(void *user, int hint, const char *text) {
    Problems *problems = user;
    const size_t need = strlen(text) + 3; /* newline and indent */
    if (problems->omitted || problems->used + need + REST_SIZE > problems->size) {
        problems->omitted += !hint;
        return;
    }
    memcpy(problems->error + problems->used, "\n", 2);
    rn_status_fail(problems->error + problems->used + 1, problems->size - problems->used - 1, RN_ERROR_FORMAT, "   %s",
                   text);
    problems->used += need + 1;
}

static rn_status find_params(rn_param **params, int *count, const rn_model *model, const rn_safetensors *file,
                             const char *source, char *error, size_t error_size) {
    const rn_recipe *recipe = model->recipe;
    *count = 0;
    *params = malloc(((size_t)recipe->count + 1) * sizeof **params);
    if (!*params) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", source);
    for (int i = 0; i < recipe->count; i++) {
        const rn_recipe_step *step = &recipe->steps[i];
        if (step->op == RN_PARAM)
            (*params)[(*count)++] = (rn_param){step->name, step->ndim, step->dim, NULL, step->integer[0]};
    }
    Problems problems = {error, error ? error_size : 0, 0, 0};
    if (problems.size) {
        rn_status_fail(error, error_size, RN_ERROR_FORMAT, "%s: these are not the weights of %s:", source, model->name);
        problems.used = strlen(error);
    }
    rn_params_result result;
    const int found = rn_params_match(*params, *count, file, NULL, &result, add_problem, &problems);
    if (found < 0) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", source);
    if (found > 0 && problems.omitted && problems.size > problems.used)
        snprintf(error + problems.used, problems.size - problems.used, "\n   and %d more", problems.omitted);
    if (!found && problems.size) error[0] = 0;
    return found > 0 ? RN_ERROR_FORMAT : RN_OK;
}

typedef struct Source { /* sorted by name */
    const rn_param *params;
    int count;
    char fault[256]; /* what is wrong with the values, "" while nothing is; several threads never read at once */
} Source;

static int compare_params(const void *a, const void *b) {
    return strcmp(((const rn_param *)a)->name, ((const rn_param *)b)->name);
}

/* Matched already: only memory can be missing, or a value be none. */
static float *read_param(void *user, const char *name, int ndim, const int32_t *dim) {
    (void)ndim, (void)dim;
    Source *source = user;
    const rn_param key = {.name = name};
    const rn_param *param = bsearch(&key, source->params, (size_t)source->count, sizeof key, compare_params);
    if (!param) return NULL;
    float *values = malloc((size_t)rn_param_count(param) * sizeof *values + 1);
    if (!values) return NULL;
    if (rn_param_read(param, values, source->fault, sizeof source->fault)) return values;
    free(values);
    return NULL;
}

static rn_status pack_safetensors(Opened *opened, const rn_model *model, const void *bytes, size_t size,
                                  const char *name, char *error, size_t error_size) {
    rn_safetensors file;
    rn_param *params = NULL;
    int count = 0, threads = rn_cpu_count();
    if (rn_pages_fault(bytes, size))
        return rn_status_fail(error, error_size, RN_ERROR_FILE, "%s: cannot be read, or was cut short meanwhile", name);
    rn_status status = rn_safetensors_parse(&file, bytes, size, name, error, error_size);
    if (status) return status;
    status = find_params(&params, &count, model, &file, name, error, error_size);
    if (!status && !rn_pages_allocate(&opened->pages, model->recipe->packed_size))
        status =
            rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: no memory for %" PRIu64 " bytes of packed weights",
                           name, model->recipe->packed_size);
    if (!status) {
        qsort(params, (size_t)count, sizeof *params, compare_params);
        Source source = {params, count, ""};
        if (threads > MAX_PACK_THREADS) threads = MAX_PACK_THREADS;
        if (rn_recipe_run(model->recipe, read_param, &source, (uint8_t *)(uintptr_t)opened->pages.bytes, threads))
            status = *source.fault
                         ? rn_status_fail(error, error_size, RN_ERROR_FORMAT, "%s: %s", name, source.fault)
                         : rn_status_fail(error, error_size, RN_ERROR_MEMORY,
                                          "%s: no memory to pack the weights, or the model's recipe is damaged", name);
        rn_pages_protect(&opened->pages);
        opened->weights.payload = opened->pages.bytes;
        opened->weights.size = model->recipe->packed_size;
    }
    free(params);
    rn_safetensors_free(&file);
    return status;
}

#endif
/* A standalone network has neither the recipe's steps nor the code that runs them. */
static rn_status use_safetensors(Opened *opened, const rn_model *model, const void *bytes, size_t size,
                                 const char *source, char *error, size_t error_size) {
#ifndef RN_STANDALONE
    if (model->recipe->count || !model->recipe->packed_size)
        return pack_safetensors(opened, model, bytes, size, source, error, error_size);
#endif
    (void)opened, (void)bytes, (void)size;
    return rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                          "%s: a safetensors file; %s is a standalone network, which reads packed weights alone: "
                          "rnc --standalone --weights FILE makes them",
                          source, model->name);
}

/* ---- packed bytes ---- */

static rn_status use_packed(Opened *opened, const rn_model *model, const void *bytes, size_t size, const char *source,
                            char *error, size_t error_size) {
    if ((uintptr_t)bytes % ALIGNMENT)
        return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, "%s: packed weights must be aligned to %d bytes",
                              source, ALIGNMENT);
    const rn_recipe *recipe = model->recipe;
    rn_status status = rn_packed_check(bytes, size, model->name, recipe->hash, recipe->packed_size, rn_cpu_count(),
                                       source, error, error_size);
    opened->weights.payload = (const uint8_t *)bytes + RN_PACKED_HEADER_SIZE;
    opened->weights.size = recipe->packed_size;
    return status;
}

static rn_status unknown_format(const void *bytes, size_t size, const char *source, char *error, size_t error_size) {
#ifdef RN_STANDALONE /* which does without the list of formats */
    const char *advice = NULL;
    (void)bytes, (void)size;
#else
    const char *advice = rn_format_advice(bytes, size);
#endif
    return rn_status_fail(error, error_size, RN_ERROR_FORMAT, "%s: %s", source,
                          advice ? advice : "neither packed weights (.rnw) nor safetensors");
}

/* ---- the interface ---- */

static void weights_free(rn_weights *weights) {
    rn_pages_free(&((Opened *)weights)->pages);
    free(weights);
}

static rn_status allocate(rn_weights **weights, const rn_model *model, const void *input, char *error,
                          size_t error_size) {
    if (error && error_size) error[0] = 0;
    if (!weights) return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, "no place for the weights (NULL)");
    *weights = NULL;
    if (!model || !model->recipe || !model->name || !input)
        return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, "no model or no weights (NULL)");
    Opened *opened = calloc(1, sizeof *opened);
    if (!opened) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "out of memory");
    opened->weights = (rn_weights){.close = weights_free, .recipe_hash = model->recipe->hash};
    *weights = &opened->weights;
    return RN_OK;
}

static rn_status finish(rn_weights **weights, rn_status status) {
    if (status) {
        rn_weights_close(*weights);
        *weights = NULL;
    }
    return status;
}

rn_status rn_weights_open(rn_weights **weights, const rn_model *model, const char *path, char *error,
                          size_t error_size) {
    rn_status status = allocate(weights, model, path, error, error_size);
    if (status) return status;
    Opened *opened = (Opened *)*weights;
    rn_pages file;
    status = rn_pages_map(&file, path, error, error_size);
    if (status) return finish(weights, status);
    if (file.count && rn_pages_fault(file.bytes, 1)) {
        status = rn_status_fail(error, error_size, RN_ERROR_FILE, "%s: cannot be read", path);
    } else if (rn_packed_recognize(file.bytes, file.count)) {
        status = use_packed(opened, model, file.bytes, file.count, path, error, error_size);
        opened->pages = file; /* stays mapped */
        return finish(weights, status);
    } else if (rn_safetensors_recognize(file.bytes, file.count)) {
        status = use_safetensors(opened, model, file.bytes, file.count, path, error, error_size);
    } else {
        status = unknown_format(file.bytes, file.count, path, error, error_size);
    }
    rn_pages_free(&file);
    return finish(weights, status);
}

rn_status rn_weights_memory(rn_weights **weights, const rn_model *model, const void *bytes, size_t size, char *error,
                            size_t error_size) {
    rn_status status = allocate(weights, model, bytes, error, error_size);
    if (status) return status;
    Opened *opened = (Opened *)*weights;
    const char *source = "weights in memory";
    if (rn_packed_recognize(bytes, size))
        status = use_packed(opened, model, bytes, size, source, error, error_size);
    else if (rn_safetensors_recognize(bytes, size))
        status = use_safetensors(opened, model, bytes, size, source, error, error_size);
    else
        status = unknown_format(bytes, size, source, error, error_size);
    return finish(weights, status);
}

void rn_weights_close(rn_weights *weights) {
    if (weights) weights->close(weights); /* perhaps of another runtime */
}

#ifndef RN_STANDALONE /* whose header has them */
const void *rn_weights_payload(const rn_weights *weights, size_t *size) {
    if (size) *size = weights->size;
    return weights->payload;
}

uint64_t rn_weights_recipe(const rn_weights *weights) {
    return weights->recipe_hash;
}
#endif
