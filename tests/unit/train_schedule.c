/* The learning rate against values worked out by hand and against the formulas of PyTorch's schedulers, which are
 * recurrences (torch.optim.lr_scheduler): another way to the same numbers. */
#include "runtime/train/schedule.h"

#include <CUnit/CUnit.h>
#include <math.h>

static void near(double got, double wanted) {
    CU_ASSERT(fabs(got - wanted) <= 1e-14 * fabs(wanted));
    if (!(fabs(got - wanted) <= 1e-14 * fabs(wanted))) printf("%.17g instead of %.17g\n", got, wanted);
}

static double at(const rn_train_recipe *recipe, int64_t step) {
    rn_train_schedule schedule;
    rn_schedule_begin(&schedule, recipe);
    return rn_schedule_lr(&schedule, recipe, step);
}

static void test_divisions(void) {
    static const int64_t steps[] = {32000, 48000};
    const rn_train_recipe recipe = {.lr = 0.1, .divide_by = 10, .divide_at = steps, .divide_count = 2, .stop = 64000};
    near(at(&recipe, 0), 0.1);
    near(at(&recipe, 31999), 0.1);
    near(at(&recipe, 32000), 0.01); /* as MultiStepLR: the milestone's step has the new one */
    near(at(&recipe, 47999), 0.01);
    near(at(&recipe, 48000), 0.001);
    near(at(&recipe, 1000000), 0.001);
}

/* CosineAnnealingLR: eta(t + 1) = min + (1 + cos(pi (t + 1) / T)) / (1 + cos(pi t / T)) (eta(t) - min) */
static void test_cosine(void) {
    const rn_train_recipe recipe = {.lr = 0.2, .cosine = 1, .cosine_to = 0.001, .stop = 50};
    double eta = 0.2;
    for (int t = 0; t < 50; t++) {
        CU_ASSERT(fabs(at(&recipe, t) - eta) < 1e-13);
        eta = 0.001 + (1 + cos(M_PI * (t + 1) / 50)) / (1 + cos(M_PI * t / 50)) * (eta - 0.001);
    }
    near(at(&recipe, 25), (0.2 + 0.001) / 2);
    near(at(&recipe, 50), 0.001);
    near(at(&recipe, 51), 0.001); /* PyTorch's would rise again */
}

/* LinearLR from start_factor 0.1: eta(t + 1) = eta(t) (1 + (end - start) / (total start + t (end - start))) */
static void test_rise(void) {
    const rn_train_recipe recipe = {
        .lr = 0.5, .warmup = 1, .warmup_lr = 0.05, .warmup_steps = 20, .warmup_rise = 1, .cosine = 1, .stop = 40};
    double eta = 0.05;
    for (int t = 0; t < 20; t++) {
        CU_ASSERT(fabs(at(&recipe, t) - eta) < 1e-13);
        eta *= 1 + 0.9 / (20 * 0.1 + t * 0.9);
    }
    near(at(&recipe, 20), 0.5);  /* and the cosine begins there */
    near(at(&recipe, 30), 0.25); /* half of the way from 20 to 40 */
    near(at(&recipe, 40), 0);
    rn_train_recipe flat = recipe;
    flat.warmup_rise = 0;
    near(at(&flat, 19), 0.05);
    near(at(&flat, 20), 0.5);
}

static void tell(rn_train_schedule *schedule, const rn_train_recipe *recipe, int64_t step, int wrong) {
    rn_schedule_tell_step(schedule, recipe, step, &(rn_train_result){.images = 10, .wrong = wrong});
}

static void test_until_error(void) {
    static const int64_t steps[] = {300};
    const rn_train_recipe recipe = {.lr = 0.1,
                                    .warmup = 1,
                                    .warmup_lr = 0.01,
                                    .warmup_error = 0.8,
                                    .divide_by = 10,
                                    .divide_at = steps,
                                    .divide_count = 1};
    rn_train_schedule schedule;
    rn_schedule_begin(&schedule, &recipe);
    CU_ASSERT(isnan(rn_schedule_error(&schedule)));
    int64_t step = 0;
    for (; step < 50; step++) tell(&schedule, &recipe, step + 1, 7); /* below, but there are no hundred steps yet */
    near(rn_schedule_lr(&schedule, &recipe, step), 0.01);
    for (; step < 99; step++) tell(&schedule, &recipe, step + 1, 9);
    near(rn_schedule_lr(&schedule, &recipe, 99), 0.01);
    tell(&schedule, &recipe, 100, 9); /* 50 of 7 and 50 of 9: 80 %, which is not below */
    near(rn_schedule_error(&schedule), 0.8);
    near(rn_schedule_lr(&schedule, &recipe, 100), 0.01);
    tell(&schedule, &recipe, 101, 6); /* in the place of a 7 */
    near(rn_schedule_lr(&schedule, &recipe, 101), 0.1);
    near(rn_schedule_lr(&schedule, &recipe, 100), 0.01); /* that step was still of the warm-up */
    for (step = 101; step < 300; step++) tell(&schedule, &recipe, step + 1, 10); /* it does not begin again */
    near(rn_schedule_lr(&schedule, &recipe, 299), 0.1);
    near(rn_schedule_lr(&schedule, &recipe, 300), 0.01);
}

/* ReduceLROnPlateau(patience=4, threshold=0), three times */
static void test_plateau(void) {
    const rn_train_recipe recipe = {.lr = 1, .divide_by = 2, .divide_at_plateau = 1};
    static const double errors[] = {0.5, 0.4, 0.4, 0.45, 0.41, 0.4, 0.4, 0.3, 0.31, 0.31, 0.31, 0.31, 0.3, 0.29};
    static const double lrs[] = {1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25};
    rn_train_schedule schedule;
    rn_schedule_begin(&schedule, &recipe);
    for (int i = 0; i < 14; i++) {
        rn_schedule_tell_test(&schedule, &recipe, i, errors[i]);
        near(rn_schedule_lr(&schedule, &recipe, i), lrs[i]);
    }
    for (int i = 0; i < 40; i++) rn_schedule_tell_test(&schedule, &recipe, 14 + i, NAN); /* no test is better */
    near(rn_schedule_lr(&schedule, &recipe, 60), 0.125);                                 /* at most three divisions */

    rn_train_recipe warming = recipe;
    warming.warmup = 1;
    warming.warmup_steps = 100;
    rn_schedule_begin(&schedule, &warming);
    for (int i = 0; i < 40; i++) rn_schedule_tell_test(&schedule, &warming, i, 0.9);
    near(rn_schedule_lr(&schedule, &warming, 100), 1);
}

static void test_own_lr(void) {
    static const int64_t steps[] = {5};
    const rn_train_recipe recipe = {.lr = 1, .divide_by = 10, .divide_at = steps, .divide_count = 1};
    rn_train_schedule schedule;
    rn_schedule_begin(&schedule, &recipe);
    schedule.lr = 0.3;
    near(rn_schedule_lr(&schedule, &recipe, 4), 0.3);
    near(rn_schedule_lr(&schedule, &recipe, 5), 0.03);
}

void suite_train_schedule(void) {
    CU_pSuite suite = CU_add_suite("train_schedule", NULL, NULL);
    CU_add_test(suite, "divisions", test_divisions);
    CU_add_test(suite, "cosine", test_cosine);
    CU_add_test(suite, "rise", test_rise);
    CU_add_test(suite, "until error", test_until_error);
    CU_add_test(suite, "plateau", test_plateau);
    CU_add_test(suite, "own lr", test_own_lr);
}
