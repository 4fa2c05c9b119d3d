/* Parameters alone, to and from weights files. */
#include "core/pages.h"
#include "core/status.h"
#include "train/tensors.h"
#include "train/trainer.h"
#include "weights/format.h"
#include "weights/params.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

rn_status rn_train_export(void *trainer, const char *path) {
    rn_train_context *context = trainer;
    cJSON *metadata = cJSON_CreateObject(); /* as safetensors.torch writes it: some readers insist on it */
    if (!metadata || !cJSON_AddStringToObject(metadata, "format", "pt")) {
        cJSON_Delete(metadata);
        return rn_context_fail(&context->base, RN_ERROR_MEMORY, "%s: out of memory", path);
    }
    const rn_status status =
        rn_tensors_write(context, 0, metadata, path, context->base.message, sizeof context->base.message);
    cJSON_Delete(metadata);
    return status;
}

/* ---- reading ---- */

typedef struct Loading {
    rn_train_context *context;
    const char *path;
    rn_param *params;              /* those to be read */
    const rn_train_parameter **of; /* of each */
    int count;
    float *values;                   /* as the flat buffer: taken over when all are read */
    char problem[RN_ERROR_SIZE / 2]; /* the first one */
} Loading;

static void keep_first(void *user, int hint, const char *text) {
    Loading *loading = user;
    if (!hint && !*loading->problem) rn_status_fail(loading->problem, sizeof loading->problem, RN_OK, "%s", text);
}

static int allocate(Loading *loading, const char *except) {
    const rn_train_model *model = loading->context->model;
    const size_t count = (size_t)model->parameter_count, size = sizeof(float) * (size_t)model->floats;
    loading->params = calloc(count, sizeof *loading->params);
    loading->of = calloc(count, sizeof *loading->of);
    loading->values = malloc(size);
    if (!loading->params || !loading->of || !loading->values) return 0;
    memcpy(loading->values, loading->context->parameters, size);
    for (int i = 0; i < model->parameter_count; i++) {
        const rn_train_parameter *p = &model->parameters[i];
        if (except && !fnmatch(except, p->name, 0)) continue;
        loading->of[loading->count] = p;
        loading->params[loading->count++] = (rn_param){p->name, p->ndim, p->dim, NULL, p->kind == RN_TRAIN_CONSTANT};
    }
    return 1;
}

static rn_status read_all(Loading *loading, const rn_safetensors *file, const char *except) {
    rn_context *base = &loading->context->base;
    const rn_params_options options = {.ignore = &except, .ignore_count = except ? 1 : 0};
    rn_params_result result;
    const int problems = rn_params_match(loading->params, loading->count, file, &options, &result, keep_first, loading);
    if (problems < 0) return rn_context_fail(base, RN_ERROR_MEMORY, "%s: out of memory", loading->path);
    if (problems > 1)
        return rn_context_fail(base, RN_ERROR_FORMAT, "%s: not the weights of %s: %s, and %d more", loading->path,
                               loading->context->model->name, loading->problem, problems - 1);
    if (problems)
        return rn_context_fail(base, RN_ERROR_FORMAT, "%s: not the weights of %s: %s", loading->path,
                               loading->context->model->name, loading->problem);
    for (int i = 0; i < loading->count; i++)
        if (!rn_param_read(&loading->params[i], loading->values + loading->of[i]->offset, loading->problem,
                           sizeof loading->problem))
            return rn_context_fail(base, RN_ERROR_FORMAT, "%s: %s", loading->path, loading->problem);
    return RN_OK;
}

static rn_status read_file(Loading *loading, const rn_pages *pages, const char *except) {
    rn_context *base = &loading->context->base;
    const char *path = loading->path;
    if (rn_pages_fault(pages->bytes, pages->count))
        return rn_context_fail(base, RN_ERROR_FILE, "%s: cannot be read, or was cut short meanwhile", path);
    if (!rn_safetensors_recognize(pages->bytes, pages->count)) {
        const char *advice = rn_format_advice(pages->bytes, pages->count);
        return rn_context_fail(base, RN_ERROR_FORMAT, "%s: %s", path, advice ? advice : "not a safetensors file");
    }
    rn_safetensors file;
    rn_status status =
        rn_safetensors_parse(&file, pages->bytes, pages->count, path, base->message, sizeof base->message);
    if (status) return status;
    status = allocate(loading, except) ? read_all(loading, &file, except)
                                       : rn_context_fail(base, RN_ERROR_MEMORY, "%s: out of memory", path);
    rn_safetensors_free(&file);
    return status;
}

rn_status rn_train_load_weights(void *trainer, const char *path, const char *except) {
    rn_train_context *context = trainer;
    Loading loading = {.context = context, .path = path};
    rn_pages pages;
    rn_status status = rn_pages_map(&pages, path, context->base.message, sizeof context->base.message);
    if (status) return status;
    status = read_file(&loading, &pages, except);
    if (!status) {
        memcpy(context->parameters, loading.values, sizeof(float) * (size_t)context->model->floats);
        rn_train_begin(context);
    }
    free(loading.params);
    free(loading.of);
    free(loading.values);
    rn_pages_free(&pages);
    return status;
}
