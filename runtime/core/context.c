/* An instance of an emitted network: created inside one arena, checked against everything that could go wrong later, so
 * that run itself has nothing left to check, allocate or compile.
 *
 *     arena:  | instance (rn_context, kernel table) | to 64 bytes | scratch and activations ... |
 *
 * A failed create gives back whatever it took, and leaves its text in the options' error buffer.
 */
#include "cpu.h"
#include "pages.h"
#include "rn_emitted.h"
#include "rn_recipe.h"
#include "status.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 64 };

static size_t context_round(size_t bytes, size_t to) {
    return (bytes + to - 1) / to * to;
}

int rn_options_threads(const rn_options *options) {
    return options && options->threads > 0 ? options->threads : 1;
}

/* Activations are read through wide strides: on 4 KB pages the TLB misses show, so larger arenas ask for huge ones.
 * By malloc: glibc's posix_memalign (before 2.38) seldom takes again what it gave and got back, so that a program which
 * makes and ends instances in turns would grow. */
static void *context_allocate(size_t *size, void **owned) {
    const size_t alignment = *size >= RN_HUGE_PAGE ? RN_HUGE_PAGE : LINE;
    *size = context_round(*size, alignment);
    *owned = malloc(*size + alignment - 1);
    if (!*owned) return NULL;
    void *memory = (char *)*owned + (context_round((uintptr_t)*owned, alignment) - (uintptr_t)*owned);
    if (alignment == RN_HUGE_PAGE) rn_pages_prefer_huge(memory, *size);
    return memory;
}

static rn_status context_check(const rn_model *model, const rn_options *options, char *error) {
    const size_t size = RN_ERROR_SIZE;
    if (model->abi != RN_ABI)
        return rn_status_fail(
            error, size, RN_ERROR_VERSION,
            "%s: emitted for librn ABI %d, this librn (%s) has ABI %d; compile the network again with "
            "the rnc that belongs to this librn",
            model->name, model->abi, RN_VERSION, RN_ABI);
    if (options && (options->threads < 0 || options->threads > RN_MAX_THREADS))
        return rn_status_fail(error, size, RN_ERROR_ARGUMENT, "%s: %d threads; must be 0 (meaning 1) to %d",
                              model->name, options->threads, RN_MAX_THREADS);
#ifndef _OPENMP /* librn has it; a standalone network as it is compiled */
    if (options && options->threads > 1 && !options->parallel)
        return rn_status_fail(
            error, size, RN_ERROR_ARGUMENT,
            "%s: %d threads, but its C was compiled without OpenMP; compile it with -fopenmp, or give "
            "options.parallel a pool",
            model->name, options->threads);
#endif
    const char *missing = rn_cpu_missing(model->isa);
    if (missing)
        return rn_status_fail(error, size, RN_ERROR_CPU,
                              "%s: compiled for %s, but this machine has no %s; compile with a lower --target",
                              model->name, rn_isa_name(model->isa), missing);
    return RN_OK;
}

/* The payload that kernels read; weights that create opens itself go to *opened. */
static rn_status context_weights(const rn_model *model, const rn_weights *weights, rn_weights **opened,
                                 const uint8_t **payload, char *error) {
    const size_t need = model->recipe ? (size_t)model->recipe->packed_size : 0;
    *opened = NULL;
    *payload = NULL;
    if (need == 0) return RN_OK;
    if (!weights) {
        if (!model->embedded)
            return rn_status_fail(error, RN_ERROR_SIZE, RN_ERROR_ARGUMENT,
                                  "%s: no weights given and none embedded; open them with rn_weights_open, or compile "
                                  "with --embed",
                                  model->name);
        rn_status status =
            rn_weights_memory(opened, model, model->embedded, model->embedded_size, error, RN_ERROR_SIZE);
        if (status) return status;
        weights = *opened;
    }
    if (rn_weights_recipe(weights) != model->recipe->hash)
        return rn_status_fail(
            error, RN_ERROR_SIZE, RN_ERROR_FORMAT,
            "%s: these weights were opened for another network or another build of this one; open them "
            "with this network's model",
            model->name);
    size_t size;
    *payload = rn_weights_payload(weights, &size);
    if (size != need)
        return rn_status_fail(error, RN_ERROR_SIZE, RN_ERROR_FORMAT, "%s: %zu bytes of packed weights, %zu needed",
                              model->name, size, need);
    return RN_OK;
}

static rn_status context_arena(const rn_model *model, size_t need, void **arena, size_t *size, void **owned,
                               char *error) {
    *owned = NULL;
    if (!*arena) {
        *size = need;
        *arena = context_allocate(size, owned);
        if (!*arena)
            return rn_status_fail(error, RN_ERROR_SIZE, RN_ERROR_MEMORY, "%s: no memory for an arena of %zu bytes",
                                  model->name, need);
        return RN_OK;
    }
    if (*size < need)
        return rn_status_fail(error, RN_ERROR_SIZE, RN_ERROR_ARGUMENT,
                              "%s: the arena has %zu bytes, %zu are needed (ask %s_arena_size with the threads that "
                              "create gets)",
                              model->name, *size, need, model->name);
    if ((uintptr_t)*arena % LINE)
        return rn_status_fail(error, RN_ERROR_SIZE, RN_ERROR_ARGUMENT,
                              "%s: the arena at %p is not aligned to %d bytes (use aligned_alloc or posix_memalign)",
                              model->name, *arena, LINE);
    return RN_OK;
}

rn_status rn_context_create(void **net, size_t instance_size, size_t need, const rn_model *model, void *arena,
                            size_t size, const rn_weights *weights, const rn_options *options) {
    char text[RN_ERROR_SIZE] = "";
    void *owned = NULL;
    rn_weights *opened = NULL;
    const uint8_t *payload = NULL;

    if (net) *net = NULL;
    rn_status status = context_check(model, options, text);
    if (!status && !net)
        status = rn_status_fail(text, sizeof text, RN_ERROR_ARGUMENT, "%s: no place for the instance", model->name);
    if (!status) status = context_weights(model, weights, &opened, &payload, text);
    if (!status) status = context_arena(model, need, &arena, &size, &owned, text);
    if (status) {
        rn_weights_close(opened);
        if (options) rn_status_fail(options->error, options->error_size, status, "%s", text);
        return status;
    }

    /* All of it, so that every page is there before the first run and every run starts from the same bytes */
    memset(arena, 0, need);
    rn_context *context = arena;
    context->model = model;
    context->weights = payload;
    context->arena = (float *)((char *)arena + context_round(instance_size, LINE));
    context->threads = rn_options_threads(options);
    if (options) {
        context->parallel = options->parallel;
        context->parallel_user = options->parallel_user;
        context->layer = options->layer;
        context->layer_user = options->layer_user;
        rn_status_fail(options->error, options->error_size, RN_OK, "%s", "");
    }
    context->owned = owned;
    context->owned_size = owned ? size : 0;
    context->owned_weights = opened;
    *net = context;
    return RN_OK;
}

void rn_context_destroy(rn_context *context) {
    if (!context) return;
    rn_weights_close(context->owned_weights);
    free(context->owned); /* with the context in it; last */
}

rn_status rn_context_fail(rn_context *context, rn_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    rn_status_vfail(context->message, sizeof context->message, status, format, arguments);
    va_end(arguments);
    return status;
}
