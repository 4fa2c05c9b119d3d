/* A trainer: created inside one arena, of which the flat buffers are the first part.
 *
 *     arena:  | instance | to 64 bytes | parameters | gradients | momentum | labels | scratch ... |
 */
#include "train/trainer.h"
#include "core/status.h"
#include "train/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/flush.h"

enum { LINE = 64 };

static size_t to_line(size_t bytes) {
    return (bytes + LINE - 1) / LINE * LINE;
}

size_t rn_train_buffers_size(const rn_train_model *model, int batch) {
    const int64_t floats = model->floats + model->gradient_floats + model->trained_floats;
    return sizeof(float) * (size_t)floats + to_line(sizeof(rn_train_label) * (size_t)batch);
}

int rn_train_options_batch(const rn_train_model *model, const rn_train_options *options) {
    return options && options->batch > 0 ? options->batch : model->batch;
}

int rn_train_options_threads(const rn_train_options *options) {
    return options && options->threads > 0 ? options->threads : 1;
}

static rn_status check(const rn_train_model *model, const rn_train_options *options, size_t need, const void *arena,
                       size_t size, char *error) {
    if (model->abi != RN_TRAIN_ABI)
        return rn_status_fail(
            error, RN_ERROR_SIZE, RN_ERROR_VERSION,
            "%s: its trainer was emitted for librn's training ABI %d, this librn (%s) has %d; compile "
            "the network again",
            model->name, model->abi, RN_VERSION, RN_TRAIN_ABI);
    if (options && (options->batch < 0 || options->batch > model->batch))
        return rn_status_fail(error, RN_ERROR_SIZE, RN_ERROR_ARGUMENT,
                              "%s: steps of %d images; this build has at most %d (rnc --train --batch N)", model->name,
                              options->batch, model->batch);
    if (rn_train_check_team(model, options, error)) return RN_ERROR_ARGUMENT;
    if (arena && size < need)
        return rn_status_fail(error, RN_ERROR_SIZE, RN_ERROR_ARGUMENT,
                              "%s: the arena has %zu bytes, %zu are needed (ask %s_train_size with the batch and the "
                              "threads that create gets)",
                              model->name, size, need, model->name);
    return RN_OK;
}

/* What follows the instance. */
static void place_buffers(rn_train_context *context) {
    const rn_train_model *model = context->model;
    context->parameters = context->base.arena;
    context->gradients = context->parameters + model->floats;
    context->momentum = context->gradients + model->gradient_floats;
    context->labels = (rn_train_label *)(void *)(context->momentum + model->trained_floats);
    context->base.arena = (float *)(void *)((char *)context->parameters + rn_train_buffers_size(model, context->batch));
}

rn_status rn_train_context_create(void **trainer, size_t instance_size, size_t need, const rn_train_model *model,
                                  void *arena, size_t size, const rn_train_options *options) {
    char text[RN_ERROR_SIZE] = "";
    if (trainer) *trainer = NULL;
    rn_status status = check(model, options, need, arena, size, text);
    if (!status) {
        rn_model bare = *model->network; /* kernels read the live parameters: there are no weights to give */
        bare.recipe = NULL;
        rn_options base = {.error = text, .error_size = sizeof text};
        if (options) {
            base.threads = options->threads;
            base.parallel = options->parallel;
            base.parallel_user = options->parallel_user;
        }
        status = rn_context_create(trainer, instance_size, need, &bare, arena, size, NULL, &base);
    }
    if (options) rn_status_fail(options->error, options->error_size, status, "%s", text);
    if (status) return status;
    rn_train_context *context = *trainer;
    context->base.model = model->network;
    context->model = model;
    context->batch = rn_train_options_batch(model, options);
    context->changed = 1;
    place_buffers(context);
    rn_train_join_team(context, options ? options->team : NULL);
    rn_schedule_begin(&context->schedule, model->recipe);
    return RN_OK;
}

rn_status rn_train_create(const rn_train_model *model, void **trainer, void *arena, size_t size,
                          const rn_train_options *options) {
    return model->create(trainer, arena, size, options);
}

void rn_train_destroy(void *trainer) {
    if (trainer) rn_context_destroy(&rn_trainer(trainer)->base);
}

const char *rn_train_message(const void *trainer) {
    return ((const rn_train_context *)trainer)->base.message;
}

void rn_train_begin(rn_train_context *context) {
    const double lr = context->schedule.lr;
    memset(context->momentum, 0, sizeof(float) * (size_t)context->model->trained_floats);
    rn_schedule_begin(&context->schedule, context->model->recipe);
    context->schedule.lr = lr;
    context->step = 0;
    context->changed = 1;
}

/* ---- threads ---- */
typedef struct Flushed {
    rn_task fn;
    void *arg;
} Flushed;

static void run_flushed(void *arg, int part, int parts) {
    const Flushed *task = arg;
    const unsigned int mode = rn_flush_begin();
    task->fn(task->arg, part, parts);
    rn_flush_end(mode);
}

void rn_train_parallel(rn_train_context *context, rn_task fn, void *arg) {
    if (context->watch && (context->watch->layer || context->watch->parameter)) return;
    rn_parallel(&context->base, run_flushed, &(Flushed){fn, arg});
    if (context->watch) rn_train_look(context);
}

/* ---- what a trainer shows ---- */
static float *buffer(float *floats, int64_t count, size_t *length) {
    if (length) *length = (size_t)count;
    return floats;
}

float *rn_train_parameters(void *trainer, size_t *floats) {
    rn_train_context *context = trainer;
    context->changed = 1;
    return buffer(context->parameters, context->model->floats, floats);
}

float *rn_train_gradient_buffer(void *trainer, size_t *floats) {
    rn_train_context *context = trainer;
    return buffer(context->gradients, context->model->gradient_floats, floats);
}

float *rn_train_momentum(void *trainer, size_t *floats) {
    rn_train_context *context = trainer;
    return buffer(context->momentum, context->model->trained_floats, floats);
}

const rn_train_parameter *rn_train_parameter_named(const void *trainer, const char *name) {
    const rn_train_model *model = ((const rn_train_context *)trainer)->model;
    for (int i = 0; i < model->parameter_count; i++)
        if (!strcmp(model->parameters[i].name, name)) return &model->parameters[i];
    return NULL;
}

int64_t rn_train_steps(const void *trainer) {
    return ((const rn_train_context *)trainer)->step;
}

double rn_train_lr(const void *trainer) {
    const rn_train_context *context = trainer;
    return rn_schedule_lr(&context->schedule, context->model->recipe, context->step);
}

void rn_train_tell_step(void *trainer, const rn_train_result *result) {
    rn_train_context *context = trainer;
    rn_schedule_tell_step(&context->schedule, context->model->recipe, context->step, result);
}

void rn_train_tell_test(void *trainer, double error) {
    rn_train_context *context = trainer;
    rn_schedule_tell_test(&context->schedule, context->model->recipe, context->step, error);
}
