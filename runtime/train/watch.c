/* Where a NaN or an infinity begins: the forward pass once more, with a look at each value when it is made. (ReLUs are
 * none of the table's: they make none of their own.) */
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>

const char *rn_train_parameter_not_finite(const rn_train_context *context, int first, int end) {
    const rn_train_model *model = context->model;
    for (int i = first; i < end; i++) {
        const rn_train_parameter *p = &model->parameters[i];
        const int64_t count = rn_train_count(p);
        for (int64_t k = 0; k < count; k++)
            if (!isfinite(context->parameters[p->offset + k])) return p->name;
    }
    return NULL;
}

static int is_finite(const rn_train_value *v, const float *y, int images) {
    for (int n = 0; n < images; n++, y += v->apart)
        for (int64_t i = 0; i < v->pixels; i++)
            for (int c = 0; c < v->channels; c++)
                if (!isfinite(y[i * v->pixel + c])) return 0;
    return 1;
}

/* A value that is not stored, and for which there is no memory, counts as finite: what comes of it is looked at. */
static int is_made_finite(rn_train_context *context, const rn_train_watch *watch, const rn_train_value *v) {
    if (!v->compute) return is_finite(v, context->base.arena + v->at, watch->images);
    float *y = malloc(sizeof *y * (size_t)v->apart * (size_t)watch->images);
    if (!y) return 1;
    v->compute(context, watch->kernels, watch->images, y);
    const int finite = is_finite(v, y, watch->images);
    free(y);
    return finite;
}

void rn_train_look(rn_train_context *context) {
    rn_train_watch *watch = context->watch;
    context->watch = NULL; /* what computes a value is no call of the forward pass */
    for (; watch->next < watch->count && watch->values[watch->next].call == watch->call; watch->next++) {
        const rn_train_value *v = &watch->values[watch->next];
        const int known = watch->next ? v[-1].parameters : 0;
        watch->parameter = rn_train_parameter_not_finite(context, known, v->parameters);
        if (!watch->parameter && !is_made_finite(context, watch, v)) watch->layer = v->layer;
        if (watch->parameter || watch->layer) break;
    }
    watch->call++;
    context->watch = watch;
}
