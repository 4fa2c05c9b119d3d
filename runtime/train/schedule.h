/* The learning rate: a function of the recipe, the step and the little that was learnt on the way (rn_train_schedule).
 *
 * warm-up   lr is warmup_lr (rising to lr by a straight line over its steps, with `rise`), until the recipe's steps are
 *           done, or the mean training error of the last RN_TRAIN_WINDOW steps is below the recipe's. He et al. (2015,
 *           section 4.2) warm ResNet-110 up in this way.
 * division  by divide_by at each of the recipe's steps that has been reached (torch's MultiStepLR), or each time that
 *           RN_TRAIN_PATIENCE tests in a row had no smaller error than the smallest before, RN_TRAIN_PLATEAUS times at
 *           most (torch's ReduceLROnPlateau with threshold 0 and one test less of patience). Tests before the end of
 * the warm-up do not count. cosine    from lr at the end of the warm-up to cosine_to at `stop` (Loshchilov and Hutter
 * 2017, equation 5, without restarts); cosine_to from then on.
 */
#ifndef RN_TRAIN_SCHEDULE_H
#define RN_TRAIN_SCHEDULE_H

#include "rn_train_emitted.h"

void rn_schedule_begin(rn_train_schedule *schedule, const rn_train_recipe *recipe); /* nothing learnt */
/* lr of the step after `step` ones. */
double rn_schedule_lr(const rn_train_schedule *schedule, const rn_train_recipe *recipe, int64_t step);
/* After each step: `step` steps are done, the last with this result. */
void rn_schedule_tell_step(rn_train_schedule *schedule, const rn_train_recipe *recipe, int64_t step,
                           const rn_train_result *result);
/* After each test, of the network as it is after `step` steps. */
void rn_schedule_tell_test(rn_train_schedule *schedule, const rn_train_recipe *recipe, int64_t step, double error);
int rn_schedule_is_warming(const rn_train_schedule *schedule, const rn_train_recipe *recipe, int64_t step);
/* The training error over the last steps told, at most RN_TRAIN_WINDOW of them; NaN where there was none. */
double rn_schedule_error(const rn_train_schedule *schedule);

#endif
