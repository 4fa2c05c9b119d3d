/* Parameters at the start of training. Weights:
 *
 *     he      normal, mean 0, variance 2 / fan_in (He, Zhang, Ren, Sun 2015: Delving Deep into Rectifiers, section 2.2)
 *     xavier  uniform, mean 0, variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010, equation 16)
 *
 * Element k of parameter i of the table is drawn by the counter (k, i): threads cannot change it.
 */
#include "train/philox.h"
#include "train/schedule.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

static double draw(const rn_train_recipe *recipe, const rn_train_parameter *p, rn_draws *draws) {
    if (recipe->init == RN_TRAIN_HE) return rn_draw_normal(draws) * sqrt(2 / (double)p->fan_in);
    const double bound = sqrt(6 / (double)(p->fan_in + p->fan_out));
    return bound * (2 * rn_draw_uniform(draws) - 1);
}

/* A thread's share of each weight. */
static void draw_part(void *arg, int part, int parts) {
    rn_train_context *context = arg;
    const rn_train_model *model = context->model;
    for (int i = 0; i < model->parameter_count; i++) {
        const rn_train_parameter *p = &model->parameters[i];
        if (p->kind != RN_TRAIN_WEIGHT) continue;
        const int64_t count = rn_train_count(p), end = count * (part + 1) / parts;
        for (int64_t k = count * part / parts; k < end; k++) {
            rn_draws draws = rn_draws_for(context->seed, RN_DRAW_INITIAL, 0, (uint32_t)i);
            draws.counter[0] = (uint32_t)k;
            context->parameters[p->offset + k] = (float)draw(model->recipe, p, &draws);
        }
    }
}

static float plain_value(const rn_train_recipe *recipe, const rn_train_parameter *p) {
    switch (p->kind) {
    case RN_TRAIN_NORM_WEIGHT:
        return p->last && recipe->zero_last ? 0 : 1;
    case RN_TRAIN_RUNNING_VAR:
        return 1;
    case RN_TRAIN_SLOPE:
        return 0.25F; /* He et al., section 2.1 */
    default:
        return 0;
    }
}

rn_status rn_train_init(void *trainer, uint64_t seed) {
    rn_train_context *context = trainer;
    const rn_train_model *model = context->model;
    context->seed = seed;
    rn_train_parallel(context, draw_part, context);
    for (int i = 0; i < model->parameter_count; i++) {
        const rn_train_parameter *p = &model->parameters[i];
        if (p->kind == RN_TRAIN_WEIGHT || p->kind == RN_TRAIN_CONSTANT) continue;
        const float value = plain_value(model->recipe, p);
        const int64_t count = rn_train_count(p);
        for (int64_t k = 0; k < count; k++) context->parameters[p->offset + k] = value;
    }
    rn_train_begin(context);
    return RN_OK;
}
