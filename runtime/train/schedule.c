/* The learning rate of a step, see schedule.h. */
#include "train/schedule.h"

#include <math.h>

void rn_schedule_begin(rn_train_schedule *schedule, const rn_train_recipe *recipe) {
    *schedule = (rn_train_schedule){.lr = recipe->lr, .warm = -1, .best = INFINITY};
}

static int warms_by_error(const rn_train_recipe *recipe) {
    return recipe->warmup && recipe->warmup_error > 0;
}

int rn_schedule_is_warming(const rn_train_schedule *schedule, const rn_train_recipe *recipe, int64_t step) {
    if (!recipe->warmup) return 0;
    return warms_by_error(recipe) ? schedule->warm < 0 || step < schedule->warm : step < recipe->warmup_steps;
}

/* The step at which the warm-up ended. */
static int64_t warm_up_end(const rn_train_schedule *schedule, const rn_train_recipe *recipe) {
    if (!recipe->warmup) return 0;
    return warms_by_error(recipe) ? schedule->warm : recipe->warmup_steps;
}

static double cosine(const rn_train_schedule *schedule, const rn_train_recipe *recipe, int64_t step) {
    const int64_t from = warm_up_end(schedule, recipe), to = recipe->stop;
    if (step >= to) return recipe->cosine_to;
    const double turn = M_PI * (double)(step - from) / (double)(to - from);
    return recipe->cosine_to + (schedule->lr - recipe->cosine_to) * (1 + cos(turn)) / 2;
}

double rn_schedule_lr(const rn_train_schedule *schedule, const rn_train_recipe *recipe, int64_t step) {
    if (rn_schedule_is_warming(schedule, recipe, step)) {
        if (!recipe->warmup_rise) return recipe->warmup_lr;
        const double done = (double)step / (double)recipe->warmup_steps;
        return recipe->warmup_lr + (schedule->lr - recipe->warmup_lr) * done;
    }
    if (recipe->cosine) return cosine(schedule, recipe, step);
    double lr = schedule->lr;
    for (int64_t i = 0; i < schedule->divisions; i++) lr /= recipe->divide_by;
    for (int i = 0; i < recipe->divide_count && recipe->divide_at[i] <= step; i++) lr /= recipe->divide_by;
    return lr;
}

double rn_schedule_error(const rn_train_schedule *schedule) {
    int64_t wrong = 0, images = 0;
    for (int i = 0; i < RN_TRAIN_WINDOW; i++) {
        wrong += schedule->wrong[i];
        images += schedule->images[i];
    }
    return images ? (double)wrong / (double)images : NAN;
}

void rn_schedule_tell_step(rn_train_schedule *schedule, const rn_train_recipe *recipe, int64_t step,
                           const rn_train_result *result) {
    const int at = (int)(schedule->told++ % RN_TRAIN_WINDOW);
    schedule->wrong[at] = result->wrong;
    schedule->images[at] = result->images;
    if (warms_by_error(recipe) && schedule->warm < 0 && schedule->told >= RN_TRAIN_WINDOW &&
        rn_schedule_error(schedule) < recipe->warmup_error)
        schedule->warm = step;
}

void rn_schedule_tell_test(rn_train_schedule *schedule, const rn_train_recipe *recipe, int64_t step, double error) {
    if (!recipe->divide_at_plateau || rn_schedule_is_warming(schedule, recipe, step)) return;
    if (error < schedule->best) {
        schedule->best = error;
        schedule->waited = 0;
    } else if (++schedule->waited == RN_TRAIN_PATIENCE) {
        schedule->waited = 0;
        if (schedule->divisions < RN_TRAIN_PLATEAUS) schedule->divisions++;
    }
}
