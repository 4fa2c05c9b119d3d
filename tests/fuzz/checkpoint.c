/* A checkpoint: its state and tensors into a trainer. The checksum is made right first, or nothing would be read behind
 * it. */
#include "fuzz.h"

#include "runtime/train/checkpoint.h"
#include "runtime/train/tensors.h"

/* As tests/unit/softmax.c has it, whose checkpoint is among the seeds. */
static const rn_train_parameter parameters[4] = {
    {.name = "fc.weight", .kind = RN_TRAIN_WEIGHT, .trained = 1, .ndim = 2, .dim = {6, 18, 1, 1}, .offset = 16},
    {.name = "fc.bias", .kind = RN_TRAIN_BIAS, .trained = 1, .ndim = 1, .dim = {6, 1, 1, 1}},
    {.name = "norm.running_mean", .kind = RN_TRAIN_RUNNING_MEAN, .ndim = 1, .dim = {2, 1, 1, 1}, .offset = 128},
    {.name = "norm.running_var", .kind = RN_TRAIN_RUNNING_VAR, .ndim = 1, .dim = {2, 1, 1, 1}, .offset = 144},
};
static const rn_train_recipe recipe = {.batch = 20};
static const rn_train_model model = {.name = "softmax",
                                     .recipe = &recipe,
                                     .parameters = parameters,
                                     .parameter_count = 4,
                                     .source_hash = "0123456789abcdef",
                                     .plan_hash = "fedcba9876543210"};

static void restore(const rn_checkpoint *checkpoint) {
    char error[RN_ERROR_SIZE] = "";
    float *values = malloc(160 * sizeof *values), *momentum = malloc(128 * sizeof *momentum);
    rn_train_context context = {.model = &model, .parameters = values, .momentum = momentum};
    if (!rn_checkpoint_restore(checkpoint, &context, "fuzz", error, sizeof error)) {
        const rn_train_schedule *s = &context.schedule;
        CHECK(context.step >= 0 && s->told >= 0 && s->warm >= -1 && s->divisions >= 0 &&
              s->divisions <= RN_TRAIN_PLATEAUS);
        for (int i = 0; i < RN_TRAIN_WINDOW; i++) CHECK(s->wrong[i] >= 0 && s->wrong[i] <= s->images[i]);
    } else {
        CHECK(*error);
    }
    free(values);
    free(momentum);
}

static void parse(const uint8_t *bytes, size_t size) {
    char error[RN_ERROR_SIZE] = "";
    rn_checkpoint checkpoint;
    if (!rn_checkpoint_parse(&checkpoint, bytes, size, "fuzz", error, sizeof error)) {
        restore(&checkpoint);
        rn_checkpoint_close(&checkpoint);
    } else {
        CHECK(*error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char sum[RN_CHECKSUM_DIGITS + 1];
    uint8_t *copy = malloc(size ? size : 1); /* of exact size, so that a read beyond it is seen */
    memcpy(copy, bytes, size);
    parse(copy, size);
    if (rn_checksum_has_place(copy, size)) {
        snprintf(sum, sizeof sum, "%016llx", (unsigned long long)rn_checksum_of(copy, size));
        memcpy(copy + RN_CHECKSUM_AT, sum, RN_CHECKSUM_DIGITS);
        parse(copy, size);
    }
    free(copy);
    return 0;
}
