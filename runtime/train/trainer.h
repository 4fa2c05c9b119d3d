/* What the files of training share: a trainer's parts by table, beside rn_train.h. */
#ifndef RN_TRAIN_TRAINER_H
#define RN_TRAIN_TRAINER_H

#include "rn_train_emitted.h"

static inline rn_train_context *rn_trainer(void *trainer) {
    return trainer;
}

/* Whether this parameter's update has the recipe's decay. */
static inline int rn_train_decays(const rn_train_recipe *recipe, const rn_train_parameter *p) {
    return p->trained && (recipe->decay_all || p->kind == RN_TRAIN_WEIGHT);
}

static inline int rn_train_is_running(const rn_train_parameter *p) {
    return p->kind == RN_TRAIN_RUNNING_MEAN || p->kind == RN_TRAIN_RUNNING_VAR;
}

/* Step 0: no momentum, nothing learnt of the schedule but lr, new parameters. */
void rn_train_begin(rn_train_context *context);

/* ---- step.c ---- */
/* rn_train_apply without the count of the step: SGD and running statistics. */
void rn_train_update(rn_train_context *context, double lr);

#endif
