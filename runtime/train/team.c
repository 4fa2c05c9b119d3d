/* Several ranks: what a trainer asks of its team (rn_train_team), and the part of each sum that is done here, the tree
 * over a rank's own slabs. It goes on over ranks in the team, in the same order; so one rank has the bits of several.
 */
#include "core/status.h"
#include "train/flush.h"
#include "train/trainer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

rn_status rn_train_check_team(const rn_train_model *model, const rn_train_options *options, char *error) {
    const rn_train_team *team = options ? options->team : NULL;
    if (!team) return RN_OK;
    if (team->ranks < 1 || team->rank < 0 || team->rank >= team->ranks)
        return rn_status_fail(error, RN_ERROR_SIZE, RN_ERROR_ARGUMENT, "%s: rank %d of %d", model->name, team->rank,
                              team->ranks);
    if (team->ranks > 1 && !model->ranks)
        return rn_status_fail(error, RN_ERROR_SIZE, RN_ERROR_ARGUMENT,
                              "%s: %d processes; this build trains in one (rnc --train --mpi is for several)",
                              model->name, team->ranks);
    return RN_OK;
}

void rn_train_join_team(rn_train_context *context, const rn_train_team *team) {
    const int all = context->model->ranks ? context->model->ranks : 1, ranks = team ? team->ranks : 1;
    context->team = team;
    context->groups = ranks < all ? (all + ranks - 1) / ranks : 1;
}

static rn_status say_failed(rn_train_context *context, const char *what, rn_status status) {
    if (status) rn_context_fail(&context->base, status, "%s: the ranks could not exchange it", what);
    return status;
}

rn_status rn_train_sum_ranks(rn_train_context *context, const char *what, double *values, int count) {
    const rn_train_team *team = context->team;
    if (!team || team->ranks == 1) return RN_OK;
    return say_failed(context, what, team->sum(team->user, what, values, count));
}

rn_status rn_train_share(rn_train_context *context, const char *what, void *bytes, size_t size) {
    const rn_train_team *team = context->team;
    if (!team || team->ranks == 1) return RN_OK;
    return say_failed(context, what, team->share(team->user, what, bytes, size));
}

/* The tree over `number` vectors of `count` doubles, into the first. */
static void sum_slabs(double *slabs, int count, int number) {
    const unsigned int mode = rn_flush_begin();
    for (int half = 1; half < number; half *= 2)
        for (int s = 0; s + half < number; s += 2 * half) {
            double *to = slabs + (size_t)s * (size_t)count;
            const double *from = to + (size_t)half * (size_t)count;
            for (int i = 0; i < count; i++) to[i] += from[i];
        }
    rn_flush_end(mode);
}

/* ---- for emitted code ---- */
void rn_train_sum(rn_train_context *context, double *slabs, int count, int slabs_of_group, const char *what) {
    sum_slabs(slabs, count, slabs_of_group * context->groups);
    if (!context->failed) context->failed = rn_train_sum_ranks(context, what, slabs, count);
}

void rn_train_start(rn_train_context *context, int64_t offset, int64_t count, const char *what) {
    const rn_train_team *team = context->team;
    if (!team || team->ranks == 1 || context->failed) return;
    context->failed = say_failed(context, what, team->start(team->user, what, context->gradients + offset, count));
}

rn_status rn_train_end(rn_train_context *context, double sums[][RN_TRAIN_SUMS], rn_train_result *result) {
    enum { SAVES = RN_TRAIN_SUMS, ENDS, ALL };
    const rn_train_team *team = context->team;
    sum_slabs(sums[0], RN_TRAIN_SUMS, context->groups);
    double all[ALL] = {sums[0][0], sums[0][1], sums[0][2]};
    all[SAVES] = (context->tells & RN_TRAIN_TELLS_SAVE) != 0;
    all[ENDS] = (context->tells & RN_TRAIN_TELLS_END) != 0;
    if (!context->failed) context->failed = rn_train_sum_ranks(context, "the loss", all, ALL);
    if (team && team->ranks > 1) {
        const rn_status status = say_failed(context, "gradients", team->await(team->user));
        if (!context->failed) context->failed = status;
    }
    context->heard = (all[SAVES] > 0 ? RN_TRAIN_TELLS_SAVE : 0) | (all[ENDS] > 0 ? RN_TRAIN_TELLS_END : 0);
    *result = (rn_train_result){
        .images = context->images, .wrong = (int64_t)all[1], .wrong5 = (int64_t)all[2], .loss = all[0]};
    return context->failed;
}

/* ---- state ---- */
rn_status rn_train_share_state(rn_train_context *context) {
    const rn_train_model *model = context->model;
    struct {
        int64_t step;
        uint64_t seed;
        rn_train_schedule schedule;
    } rest = {context->step, context->seed, context->schedule};
    rn_status status =
        rn_train_share(context, "the parameters", context->parameters, sizeof(float) * (size_t)model->floats);
    if (!status)
        status =
            rn_train_share(context, "the momentum", context->momentum, sizeof(float) * (size_t)model->trained_floats);
    if (!status) status = rn_train_share(context, "the schedule", &rest, sizeof rest);
    context->step = rest.step;
    context->seed = rest.seed;
    context->schedule = rest.schedule;
    context->changed = 1;
    return status;
}

rn_status rn_train_compare(rn_train_context *context, int *count, int *rank) {
    const rn_train_model *model = context->model;
    *count = *rank = 0;
    if (rn_train_ranks(context) == 1) return RN_OK;
    XXH64_hash_t own = XXH3_64bits_withSeed(context->parameters, sizeof(float) * (size_t)model->floats, 0);
    own = XXH3_64bits_withSeed(context->momentum, sizeof(float) * (size_t)model->trained_floats, own);
    XXH64_hash_t first = own;
    rn_status status = rn_train_share(context, "a hash of the parameters", &first, sizeof first);
    double others[2] = {first != own, first != own ? rn_train_rank(context) : 0};
    if (!status) status = rn_train_sum_ranks(context, "whether parameters are the same", others, 2);
    *count = (int)others[0];
    *rank = (int)others[1];
    return status;
}
