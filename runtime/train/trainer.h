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

/* ---- team.c ---- */
enum { RN_TRAIN_TELLS_END = 1, RN_TRAIN_TELLS_SAVE = 2 /* bits of context->tells */ };

static inline int rn_train_ranks(const rn_train_context *context) {
    return context->team ? context->team->ranks : 1;
}
static inline int rn_train_rank(const rn_train_context *context) {
    return context->team ? context->team->rank : 0;
}
/* Whether the team of the options can train this model; error has RN_ERROR_SIZE bytes. */
rn_status rn_train_check_team(const rn_train_model *model, const rn_train_options *options, char *error);
void rn_train_join_team(rn_train_context *context, const rn_train_team *team);
/* The sum over ranks of a few numbers, and rank 0's bytes for all; of one rank nothing. */
rn_status rn_train_sum_ranks(rn_train_context *context, const char *what, double *values, int count);
rn_status rn_train_share(rn_train_context *context, const char *what, void *bytes, size_t size);
/* Everything that the next steps depend on becomes rank 0's: parameters, momentum, step, seed, schedule. */
rn_status rn_train_share_state(rn_train_context *context);
/* How many ranks' parameters and momentum are not rank 0's, to the bit; *rank: of one that is alone, which. */
rn_status rn_train_compare(rn_train_context *context, int *count, int *rank);

/* ---- watch.c ---- */
/* The first parameter of the table's [first, end) that is not finite; NULL: none is. */
const char *rn_train_parameter_not_finite(const rn_train_context *context, int first, int end);
/* After a call of the forward pass: looks at what it made, and counts it. */
void rn_train_look(rn_train_context *context);

/* ---- step.c ---- */
/* rn_train_apply without the count of the step: SGD and running statistics. */
void rn_train_update(rn_train_context *context, double lr);

#endif
