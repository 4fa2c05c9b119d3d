/* Ranks whose parameters are not the same: that it is found, and that a run ends for it before it saves them. What
 * ranks compute together is in cli/ranks and cli/mpi. */
#include "softmax.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One rank of two, which hears of the other what a test wants. */
typedef struct Half {
    rn_train_team team;
    unsigned char shared[64]; /* rank 0's bytes, as it last gave them away */
    int liars;                /* how many ranks say that their parameters differ, besides this one */
} Half;

static rn_status sum(void *user, const char *what, double *values, int count) {
    const Half *half = user;
    if (strcmp(what, "whether parameters are the same") != 0) return RN_OK;
    if (count == 2) values[0] += half->liars, values[1] += half->liars; /* rank 1 is the other one */
    return RN_OK;
}

static rn_status start(void *user, const char *what, float *values, int64_t count) {
    (void)user, (void)what, (void)values, (void)count;
    return RN_OK;
}

static rn_status await(void *user) {
    (void)user;
    return RN_OK;
}

static rn_status share(void *user, const char *what, void *bytes, size_t size) {
    Half *half = user;
    (void)what;
    if (size > sizeof half->shared) return RN_OK;
    if (half->team.rank == 0)
        memcpy(half->shared, bytes, size);
    else
        memcpy(bytes, half->shared, size);
    return RN_OK;
}

static Half half_of(int rank) {
    return (Half){.team = {.rank = rank, .ranks = 2, .sum = sum, .start = start, .await = await, .share = share}};
}

static void *trainer_of(Half *half) {
    char error[RN_ERROR_SIZE];
    void *trainer;
    half->team.user = half;
    const rn_train_options options = {.team = &half->team, .error = error, .error_size = sizeof error};
    CU_ASSERT_FATAL(rn_train_create(&softmax, &trainer, NULL, 0, &options) == RN_OK);
    CU_ASSERT_FATAL(rn_train_init(trainer, 3) == RN_OK);
    return trainer;
}

static void set_ranks(void) {
    softmax_reset();
    softmax.ranks = 2;
    softmax.group_images = SOFTMAX_BATCH;
}

/* A bit of a parameter or of the momentum is enough. */
static void test_compare(void) {
    set_ranks();
    Half halves[2] = {half_of(0), half_of(1)};
    void *trainers[2] = {trainer_of(&halves[0]), trainer_of(&halves[1])};
    for (int broken = 0; broken < 3; broken++) {
        float *parameters = rn_train_parameters(trainers[1], NULL), *momentum = rn_train_momentum(trainers[1], NULL);
        int count, rank;
        uint32_t *bits = (uint32_t *)(void *)(broken == 1 ? parameters + 20 : momentum + 5);
        if (broken) *bits ^= 1;
        CU_ASSERT(rn_train_compare(rn_trainer(trainers[0]), &count, &rank) == RN_OK);
        CU_ASSERT(count == 0);
        memcpy(halves[1].shared, halves[0].shared, sizeof halves[0].shared);
        CU_ASSERT(rn_train_compare(rn_trainer(trainers[1]), &count, &rank) == RN_OK);
        CU_ASSERT(count == (broken > 0));
        if (broken) CU_ASSERT(rank == 1);
        if (broken) *bits ^= 1;
    }
    for (int i = 0; i < 2; i++) rn_train_destroy(trainers[i]);
    softmax_reset();
}

/* Before the next checkpoint, whose place the last good one keeps; and every thousand steps. */
static void run_with_a_liar(int64_t save_every, int64_t ends_at, int64_t liar_from) {
    set_ranks();
    char folder[] = "/tmp/rn-team-XXXXXX", error[RN_ERROR_SIZE] = "";
    CU_ASSERT_FATAL(mkdtemp(folder) != NULL);
    Half half = half_of(0);
    void *trainer = trainer_of(&half);
    SoftmaxData data;
    const rn_train_source source = softmax_source(&data);
    rn_loop_options options = {.folder = folder, .stop = liar_from, .save_every = save_every, .test_every = 100000};
    rn_loop_result result;
    CU_ASSERT(rn_loop_run(trainer, &source, &options, &result, error, sizeof error) == RN_OK);
    half.liars = 1;
    options.stop = 5000;
    options.resume = 1;
    CU_ASSERT(rn_loop_run(trainer, &source, &options, &result, error, sizeof error) == RN_ERROR_FORMAT);
    CU_ASSERT(result.is_of_all && result.step == ends_at);
    char expected[RN_ERROR_SIZE];
    snprintf(expected, sizeof expected,
             "step %lld: the parameters of 1 of 2 ranks, rank 1, differ from rank 0's; the last checkpoint is "
             "%s/step-%lld.safetensors",
             (long long)ends_at, folder, (long long)liar_from);
    CU_ASSERT_STRING_EQUAL(error, expected);
    rn_train_destroy(trainer);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CU_ASSERT(system(command) == 0);
    softmax_reset();
}

static void test_loop(void) {
    run_with_a_liar(30, 30, 20);
    run_with_a_liar(100000, 1000, 20);
}

/* More images than a rank's groups have room for. */
static void test_room(void) {
    set_ranks();
    softmax.group_images = SOFTMAX_BATCH - 1;
    float images[SOFTMAX_BATCH * SOFTMAX_INPUTS];
    int32_t labels[SOFTMAX_BATCH];
    Half half = half_of(0);
    void *trainer = trainer_of(&half);
    softmax_batch(images, labels, 0);
    CU_ASSERT(rn_train_step(trainer, SOFTMAX_BATCH, images, labels, NULL) == RN_ERROR_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(rn_train_message(trainer), "a step of 20 images; of 2 ranks each may have 19");
    CU_ASSERT(rn_train_step(trainer, SOFTMAX_BATCH - 1, images, labels, NULL) == RN_OK);
    rn_train_destroy(trainer);
    softmax_reset();
}

void suite_train_team(void);
void suite_train_team(void) {
    CU_pSuite suite = CU_add_suite("train_team", NULL, NULL);
    CU_add_test(suite, "compare", test_compare);
    CU_add_test(suite, "loop", test_loop);
    CU_add_test(suite, "room", test_room);
}
