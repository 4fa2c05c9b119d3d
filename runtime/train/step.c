/* A step: gradients by the emitted code, then SGD over the flat buffers, divided among the threads by blocks. Each
 * element is computed alike in any division, so that the bits do not depend on the threads.
 */
#include "train/trainer.h"
#include "core/status.h"
#include "train/evaluate.h"
#include "train/schedule.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 1 << 14 /* floats that a thread updates at once */ };

/* ---- update ---- */
typedef struct Update {
    rn_train_context *context;
    float lr;
} Update;

/* As torch.optim.SGD: g += decay * w; b = momentum * b + g; w -= lr * b, with nesterov w -= lr * (g + momentum * b).
 * The first step's b is g, since b was 0. */
static void sgd(float *w, const float *g, float *b, int64_t count, float lr, float momentum, float decay,
                int nesterov) {
    if (nesterov) {
#pragma omp simd
        for (int64_t i = 0; i < count; i++) {
            const float slope = g[i] + decay * w[i];
            b[i] = momentum * b[i] + slope;
            w[i] -= lr * (slope + momentum * b[i]);
        }
    } else {
#pragma omp simd
        for (int64_t i = 0; i < count; i++) {
            const float slope = g[i] + decay * w[i];
            b[i] = momentum * b[i] + slope;
            w[i] -= lr * b[i];
        }
    }
}

static void update_part(void *arg, int part, int parts) {
    const Update *update = arg;
    rn_train_context *context = update->context;
    const rn_train_model *model = context->model;
    const rn_train_recipe *recipe = model->recipe;
    int64_t block = 0; /* counted over all parameters, so that small ones are shared out as well */
    for (int i = 0; i < model->parameter_count; i++) {
        const rn_train_parameter *p = &model->parameters[i];
        if (!p->trained) continue;
        const float decay = rn_train_decays(recipe, p) ? (float)recipe->decay : 0;
        const int64_t count = rn_train_count(p);
        for (int64_t from = 0; from < count; from += BLOCK, block++) {
            if (block % parts != part) continue;
            const int64_t at = p->offset + from, n = count - from < BLOCK ? count - from : BLOCK;
            sgd(context->parameters + at, context->gradients + at, context->momentum + at, n, update->lr,
                (float)recipe->momentum, decay, recipe->nesterov);
        }
    }
}

/* They are few: a part of one thread. */
static void update_running(rn_train_context *context) {
    const rn_train_model *model = context->model;
    for (int i = 0; i < model->parameter_count; i++) {
        const rn_train_parameter *p = &model->parameters[i];
        if (!rn_train_is_running(p) || p->offset >= model->gradient_floats) continue; /* of a frozen norm */
        float *running = context->parameters + p->offset;
        const float *batch = context->gradients + p->offset;
        const float momentum = (float)p->momentum;
        const int64_t count = rn_train_count(p);
        for (int64_t k = 0; k < count; k++) running[k] += momentum * (batch[k] - running[k]);
    }
}

void rn_train_update(rn_train_context *context, double lr) {
    Update update = {context, (float)lr};
    rn_train_parallel(context, update_part, &update);
    update_running(context);
    context->changed = 1;
}

/* ---- the interface ---- */
static rn_status check_labels(rn_train_context *context, int n, const float *images, const void *labels) {
    if (n < 1 || n > context->batch)
        return rn_context_fail(&context->base, RN_ERROR_ARGUMENT, "a step of %d images; 1 to %d are possible", n,
                               context->batch);
    if (context->model->ranks && n > context->groups * context->model->group_images)
        return rn_context_fail(&context->base, RN_ERROR_ARGUMENT, "a step of %d images; of %d ranks each may have %d",
                               n, rn_train_ranks(context), context->groups * context->model->group_images);
    if (!images || !labels) return rn_context_fail(&context->base, RN_ERROR_ARGUMENT, "no images or no labels (NULL)");
    return RN_OK;
}

static rn_status bad_label(rn_train_context *context, int at, int32_t class) {
    return rn_context_fail(&context->base, RN_ERROR_ARGUMENT,
                           "image %d of the batch is of class %d; the network has classes 0 to %d", at, (int)class,
                           context->model->classes - 1);
}

rn_status rn_train_gradients_mixed(void *trainer, int n, const float *images, const rn_train_label *labels,
                                   rn_train_result *result) {
    rn_train_context *context = trainer;
    const int32_t classes = context->model->classes;
    rn_status status = check_labels(context, n, images, labels);
    if (status) return status;
    for (int i = 0; i < n; i++) {
        const rn_train_label *label = &labels[i];
        if (label->first < 0 || label->first >= classes) return bad_label(context, i, label->first);
        if (label->second < 0 || label->second >= classes) return bad_label(context, i, label->second);
        if (!(label->share >= 0 && label->share <= 1))
            return rn_context_fail(&context->base, RN_ERROR_ARGUMENT,
                                   "image %d of the batch has a share of %g of its first class", i,
                                   (double)label->share);
    }
    rn_train_result ignored;
    context->images = n * rn_train_ranks(context);
    context->first = n * rn_train_rank(context);
    context->failed = RN_OK;
    if (context->team && context->team->at) context->team->at(context->team->user, context->step + 1);
    return context->model->gradients(trainer, n, images, labels, result ? result : &ignored);
}

rn_status rn_train_gradients(void *trainer, int n, const float *images, const int32_t *labels,
                             rn_train_result *result) {
    rn_train_context *context = trainer;
    rn_status status = check_labels(context, n, images, labels);
    if (status) return status;
    for (int i = 0; i < n; i++) context->labels[i] = (rn_train_label){labels[i], labels[i], 1};
    return rn_train_gradients_mixed(trainer, n, images, context->labels, result);
}

rn_status rn_train_apply(void *trainer, double lr) {
    rn_train_context *context = trainer;
    if (!isfinite(lr)) return rn_context_fail(&context->base, RN_ERROR_ARGUMENT, "lr is %g", lr);
    rn_train_update(context, lr);
    context->step++;
    return RN_OK;
}

/* From 1; 0: all are finite. */
static int image_not_finite(const rn_train_context *context, int n, const float *images) {
    const rn_shape shape = context->model->network->input;
    const size_t size = (size_t)shape.c * (size_t)shape.h * (size_t)shape.w;
    for (size_t i = 0; i < size * (size_t)n; i++)
        if (!isfinite(images[i])) return (int)(i / size) + 1;
    return 0;
}

/* The trainer's own account of it is the best; without that, what was not finite before the step, or becomes so in the
 * inference code. */
static rn_status refuse_loss(rn_train_context *context, int n, const float *images, const rn_train_label *labels,
                             double loss) {
    const rn_train_model *model = context->model;
    const long long step = (long long)context->step + 1;
    const char *number = isnan(loss) ? "nan" : "inf", *layer = NULL, *parameter = NULL;
    if (model->not_finite) { /* of several ranks each comes here, since it computes a step */
        model->not_finite(context, n, images, labels, &layer, &parameter);
    } else {
        parameter = rn_train_parameter_not_finite(context, 0, model->parameter_count);
        if (!parameter) layer = rn_evaluate_not_finite(context, n, images);
    }
    int image = image_not_finite(context, n, images);
    double places[] = {image ? context->first + image : 0, image > 0}; /* among those of all ranks */
    if (rn_train_sum_ranks(context, "which images are finite", places, 2)) return RN_ERROR_FORMAT;
    if (places[1] > 0) image = image ? context->first + image : (int)(places[0] / places[1]);
    if (image && places[1] > 1 && context->team && context->team->ranks > 1)
        return rn_context_fail(&context->base, RN_ERROR_FORMAT,
                               "step %lld: the loss is %s; images of %d ranks' shares of the batch have such a value",
                               step, number, (int)places[1]);
    if (image)
        return rn_context_fail(&context->base, RN_ERROR_FORMAT,
                               "step %lld: the loss is %s; image %d of the batch has such a value", step, number,
                               image);
    if (layer || parameter)
        return rn_context_fail(&context->base, RN_ERROR_FORMAT,
                               "step %lld: the loss is %s; the first %s with such a value is %s", step, number,
                               layer ? "layer" : "parameter", layer ? layer : parameter);
    return rn_context_fail(&context->base, RN_ERROR_FORMAT,
                           "step %lld: the loss is %s; a smaller lr or a longer warm-up may help", step, number);
}

rn_status rn_train_step_mixed(void *trainer, int n, const float *images, const rn_train_label *labels,
                              rn_train_result *result) {
    rn_train_context *context = trainer;
    rn_train_result here;
    rn_status status = rn_train_gradients_mixed(trainer, n, images, labels, &here);
    if (result && !status) *result = here;
    if (!status && !isfinite(here.loss)) status = refuse_loss(context, n, images, labels, here.loss);
    if (!status) status = rn_train_apply(trainer, rn_train_lr(trainer));
    if (!status) rn_train_tell_step(trainer, &here);
    return status;
}

rn_status rn_train_step(void *trainer, int n, const float *images, const int32_t *labels, rn_train_result *result) {
    rn_train_context *context = trainer;
    rn_status status = check_labels(context, n, images, labels);
    if (status) return status;
    for (int i = 0; i < n; i++) context->labels[i] = (rn_train_label){labels[i], labels[i], 1};
    return rn_train_step_mixed(trainer, n, images, context->labels, result);
}
