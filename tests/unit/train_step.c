/* A trainer's parts by hand: creation, initialisation's moments, SGD against torch.optim.SGD's recurrence, threads,
 * denormal numbers, what is refused. */
#include "softmax.h"

#include "runtime/train/trainer.h"

#include <CUnit/CUnit.h>
#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int setup(void) {
    softmax_reset();
    return 0;
}

/* ---- creation ---- */
static void test_create(void) {
    char error[RN_ERROR_SIZE];
    void *trainer;
    rn_train_options options = {.threads = 2, .batch = 5, .error = error, .error_size = sizeof error};
    const size_t need = softmax.size(5, 2);
    CU_ASSERT(need < softmax.size(SOFTMAX_BATCH, 2));
    char *arena = aligned_alloc(64, need + 64);
    memset(arena, 0xee, need + 64);
    CU_ASSERT_EQUAL(rn_train_create(&softmax, &trainer, arena, need - 1, &options), RN_ERROR_ARGUMENT);
    CU_ASSERT(trainer == NULL && strstr(error, "softmax_train_size"));
    CU_ASSERT_EQUAL(rn_train_create(&softmax, &trainer, arena + 4, need, &options), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL_FATAL(rn_train_create(&softmax, &trainer, arena, need, &options), RN_OK);
    CU_ASSERT_STRING_EQUAL(error, "");
    float images[SOFTMAX_BATCH * SOFTMAX_INPUTS];
    int32_t labels[SOFTMAX_BATCH];
    softmax_batch(images, labels, 0);
    CU_ASSERT_EQUAL(rn_train_init(trainer, 1), RN_OK);
    CU_ASSERT_EQUAL(rn_train_step(trainer, 5, images, labels, NULL), RN_OK);
    CU_ASSERT_EQUAL(rn_train_step(trainer, 6, images, labels, NULL), RN_ERROR_ARGUMENT);
    CU_ASSERT(strstr(rn_train_message(trainer), "1 to 5") != NULL);
    for (size_t i = need; i < need + 64; i++) CU_ASSERT_EQUAL_FATAL((unsigned char)arena[i], 0xee);
    rn_train_destroy(trainer);
    free(arena);

    options.batch = SOFTMAX_BATCH + 1;
    CU_ASSERT_EQUAL(rn_train_create(&softmax, &trainer, NULL, 0, &options), RN_ERROR_ARGUMENT);
    CU_ASSERT(trainer == NULL && strstr(error, "at most 20"));
    options = (rn_train_options){.threads = -1, .error = error, .error_size = sizeof error};
    CU_ASSERT_EQUAL(rn_train_create(&softmax, &trainer, NULL, 0, &options), RN_ERROR_ARGUMENT);
    softmax.abi++;
    CU_ASSERT_EQUAL(rn_train_create(&softmax, &trainer, NULL, 0, NULL), RN_ERROR_VERSION);
    softmax.abi--;
    rn_train_destroy(NULL);
}

/* ---- initialisation ---- */
typedef struct Moments {
    double mean, variance, kurtosis, largest;
} Moments;

static Moments moments(const float *x, int64_t n) {
    Moments m = {0};
    for (int64_t i = 0; i < n; i++) {
        m.mean += x[i] / (double)n;
        m.largest = fmax(m.largest, fabs((double)x[i]));
    }
    for (int64_t i = 0; i < n; i++) m.variance += pow(x[i] - m.mean, 2) / (double)n;
    for (int64_t i = 0; i < n; i++) m.kurtosis += pow(x[i] - m.mean, 4) / (double)n / m.variance / m.variance;
    return m;
}

/* One weight of 64 x 64 x 3 x 3, which has enough elements to tell the distributions apart: their error is below 1 %.
 */
enum { WIDE = 64 * 64 * 9 };

static rn_status no_gradients(void *trainer, int n, const float *images, const rn_train_label *labels,
                              rn_train_result *result) {
    (void)trainer, (void)n, (void)images, (void)labels;
    *result = (rn_train_result){0};
    return RN_OK;
}

static void widen(void) {
    softmax_parameters[0] = (rn_train_parameter){.name = "conv.weight",
                                                 .kind = RN_TRAIN_WEIGHT,
                                                 .trained = 1,
                                                 .ndim = 4,
                                                 .dim = {64, 64, 3, 3},
                                                 .fan_in = 576,
                                                 .fan_out = 288};
    for (int i = 1; i < 4; i++) {
        softmax_parameters[i] = (rn_train_parameter){.name = "other",
                                                     .kind = RN_TRAIN_NORM_WEIGHT,
                                                     .trained = 1,
                                                     .ndim = 1,
                                                     .dim = {16},
                                                     .offset = WIDE + 16 * i};
    }
    softmax.floats = softmax.trained_floats = softmax.gradient_floats = WIDE + 64;
    softmax.gradients = no_gradients;
}

static void test_init(void) {
    widen();
    softmax_parameters[1].last = 1;
    softmax_parameters[2].kind = RN_TRAIN_SLOPE;
    softmax_parameters[3].kind = RN_TRAIN_RUNNING_VAR;
    softmax_parameters[3].trained = 0;
    void *one = softmax_trainer(1, 42), *three = softmax_trainer(3, 42), *other = softmax_trainer(1, 43);
    const float *values = rn_train_parameters(one, NULL);
    const size_t bytes = WIDE * sizeof(float);
    CU_ASSERT(memcmp(values, rn_train_parameters(three, NULL), bytes) == 0);
    CU_ASSERT(memcmp(values, rn_train_parameters(other, NULL), bytes) != 0);
    Moments m = moments(values, WIDE);
    CU_ASSERT(fabs(m.mean) < 5 * sqrt(2. / 576 / WIDE));
    CU_ASSERT(fabs(m.variance / (2. / 576) - 1) < 0.03);
    CU_ASSERT(fabs(m.kurtosis - 3) < 0.15); /* normal */
    CU_ASSERT(values[WIDE + 16] == 1 && values[WIDE + 31] == 1 && values[WIDE + 32] == 0.25F && values[WIDE + 48] == 1);
    softmax_recipe.init = RN_TRAIN_XAVIER;
    softmax_recipe.zero_last = 1;
    CU_ASSERT_EQUAL(rn_train_init(one, 42), RN_OK);
    m = moments(values, WIDE);
    const double bound = sqrt(6. / (576 + 288));
    CU_ASSERT(fabs(m.mean) < 5 * sqrt(2. / 864 / WIDE));
    CU_ASSERT(fabs(m.variance / (2. / 864) - 1) < 0.03);
    CU_ASSERT(fabs(m.kurtosis - 1.8) < 0.05); /* uniform */
    CU_ASSERT(m.largest <= bound && m.largest > 0.999 * bound);
    CU_ASSERT(values[WIDE + 16] == 0 && values[WIDE + 31] == 0);
    rn_train_destroy(one);
    rn_train_destroy(three);
    rn_train_destroy(other);
    softmax_reset();
}

/* ---- SGD ---- */

/* torch.optim.SGD for one number, in double */
static void torch_sgd(double *w, double *b, double g, double lr, double decay, int first) {
    const rn_train_recipe *r = &softmax_recipe;
    g += decay * *w;
    *b = first ? g : r->momentum * *b + g;
    *w -= lr * (r->nesterov ? g + r->momentum * *b : *b);
}

static double gradient_at(int i, int step) {
    return sin(0.1 * i + step);
}

/* Gradients that are known, on all of it for ten steps. */
static void check_sgd(int threads) {
    enum { STEPS = 10 };
    void *trainer = softmax_trainer(threads, 3);
    size_t floats, trained, all;
    float *parameters = rn_train_parameters(trainer, &all), *g = rn_train_gradient_buffer(trainer, &floats);
    CU_ASSERT(rn_train_momentum(trainer, &trained) != NULL && floats >= trained && all >= floats);
    double *w = calloc(all, sizeof *w), *b = calloc(all, sizeof *b);
    for (size_t i = 0; i < all; i++) w[i] = parameters[i];
    for (int step = 0; step < STEPS; step++) {
        CU_ASSERT_EQUAL(rn_train_steps(trainer), step);
        for (int p = 0; p < softmax.parameter_count; p++) {
            const rn_train_parameter *of = &softmax_parameters[p];
            for (int64_t i = of->offset; i < of->offset + rn_train_count(of); i++) {
                if (i < (int64_t)floats) g[i] = (float)gradient_at((int)i, step);
                if (of->trained)
                    torch_sgd(&w[i], &b[i], (float)gradient_at((int)i, step), 0.05,
                              softmax_recipe.decay_all || of->kind == RN_TRAIN_WEIGHT ? softmax_recipe.decay : 0,
                              !step);
                else if (i < (int64_t)floats)
                    w[i] = (1 - of->momentum) * w[i] + of->momentum * (float)gradient_at((int)i, step);
            }
        }
        CU_ASSERT_EQUAL(rn_train_apply(trainer, 0.05), RN_OK);
    }
    for (size_t i = 0; i < all; i++) CU_ASSERT_FATAL(fabs(parameters[i] - w[i]) < 2e-6);
    free(w);
    free(b);
    rn_train_destroy(trainer);
}

static void test_sgd(void) {
    softmax_recipe.decay = 0.1; /* so that it shows */
    for (int nesterov = 0; nesterov < 2; nesterov++)
        for (int all = 0; all < 2; all++) {
            softmax_recipe.nesterov = nesterov;
            softmax_recipe.decay_all = all;
            check_sgd(1);
        }
    widen(); /* more than a thread's block */
    check_sgd(3);
    softmax_reset();
}

/* Frozen parameters lie behind the gradients and stay, as do their running statistics. */
static void test_frozen(void) {
    softmax.gradient_floats = softmax.trained_floats; /* the norm's statistics are frozen */
    void *trainer = softmax_trainer(2, 1);
    float images[SOFTMAX_BATCH * SOFTMAX_INPUTS], *parameters = rn_train_parameters(trainer, NULL);
    int32_t labels[SOFTMAX_BATCH];
    softmax_batch(images, labels, 0);
    softmax.gradients = no_gradients;
    parameters[softmax_parameters[SOFTMAX_MEAN].offset] = 7;
    CU_ASSERT_EQUAL(rn_train_step(trainer, SOFTMAX_BATCH, images, labels, NULL), RN_OK);
    CU_ASSERT_EQUAL(parameters[softmax_parameters[SOFTMAX_MEAN].offset], 7);
    rn_train_destroy(trainer);
    softmax_reset();
}

/* Ten steps give the same bits on any number of threads, the application's own among them, and it learns. */
static void backwards(void *user, int n, rn_task fn, void *arg) {
    for (int i = n - 1; i >= 0; i--) fn(arg, i, n);
    ++*(int *)user;
}

static void test_threads(void) {
    enum { STEPS = 60 };
    float first[160];
    int calls = 0;
    for (int threads = 1; threads <= 7; threads += 2) {
        char error[RN_ERROR_SIZE];
        rn_train_options options = {.threads = threads, .error = error, .error_size = sizeof error};
        if (threads == 7) options.parallel = backwards, options.parallel_user = &calls;
        void *trainer;
        CU_ASSERT_EQUAL_FATAL(rn_train_create(&softmax, &trainer, NULL, 0, &options), RN_OK);
        rn_train_init(trainer, 5);
        float images[SOFTMAX_BATCH * SOFTMAX_INPUTS];
        int32_t labels[SOFTMAX_BATCH];
        rn_train_result result, begun;
        for (uint32_t step = 0; step < STEPS; step++) {
            softmax_batch(images, labels, step * SOFTMAX_BATCH % SOFTMAX_IMAGES);
            CU_ASSERT_EQUAL(rn_train_step(trainer, SOFTMAX_BATCH, images, labels, &result), RN_OK);
            if (!step) begun = result;
        }
        CU_ASSERT(result.images == SOFTMAX_BATCH && result.loss < begun.loss / 2 && result.wrong < begun.wrong);
        size_t floats;
        const float *parameters = rn_train_parameters(trainer, &floats);
        CU_ASSERT_EQUAL_FATAL(floats, 160);
        if (threads == 1) memcpy(first, parameters, sizeof first);
        CU_ASSERT(memcmp(first, parameters, sizeof first) == 0);
        rn_train_destroy(trainer);
    }
    CU_ASSERT(calls > STEPS);
}

/* ---- denormal numbers ---- */
typedef struct Tiny {
    volatile float small, product[4];
} Tiny;

static void halve(void *arg, int part, int parts) {
    Tiny *tiny = arg;
    (void)parts;
    tiny->product[part] = tiny->small * 0.5F;
}

static void test_denormals(void) {
    Tiny tiny = {.small = 0x1p-126F};
    void *trainer = softmax_trainer(4, 1);
    const unsigned mode = _mm_getcsr();
    rn_train_parallel(trainer, halve, &tiny);
    for (int i = 0; i < 4; i++) CU_ASSERT_EQUAL(tiny.product[i], 0);
    CU_ASSERT_EQUAL(_mm_getcsr() & 0x8040, mode & 0x8040);
    rn_parallel(&((rn_train_context *)trainer)->base, halve, &tiny); /* on the same threads: restored */
    for (int i = 0; i < 4; i++) CU_ASSERT(tiny.product[i] > 0);
    rn_train_destroy(trainer);
}

/* ---- what is refused ---- */
static void test_labels(void) {
    void *trainer = softmax_trainer(1, 1);
    float images[SOFTMAX_BATCH * SOFTMAX_INPUTS];
    int32_t labels[SOFTMAX_BATCH];
    rn_train_label mixed[SOFTMAX_BATCH];
    softmax_batch(images, labels, 0);
    for (int i = 0; i < SOFTMAX_BATCH; i++) mixed[i] = (rn_train_label){labels[i], 0, 0.5F};
    CU_ASSERT_EQUAL(rn_train_step_mixed(trainer, SOFTMAX_BATCH, images, mixed, NULL), RN_OK);
    const size_t bytes = 160 * sizeof(float);
    float *parameters = rn_train_parameters(trainer, NULL), *before = malloc(bytes);
    memcpy(before, parameters, bytes);
    labels[7] = SOFTMAX_CLASSES;
    CU_ASSERT_EQUAL(rn_train_step(trainer, SOFTMAX_BATCH, images, labels, NULL), RN_ERROR_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(rn_train_message(trainer),
                           "image 7 of the batch is of class 6; the network has classes 0 to 5");
    labels[7] = -1;
    CU_ASSERT_EQUAL(rn_train_step(trainer, SOFTMAX_BATCH, images, labels, NULL), RN_ERROR_ARGUMENT);
    mixed[3].share = NAN;
    CU_ASSERT_EQUAL(rn_train_step_mixed(trainer, SOFTMAX_BATCH, images, mixed, NULL), RN_ERROR_ARGUMENT);
    mixed[3] = (rn_train_label){0, 6, 1};
    CU_ASSERT_EQUAL(rn_train_step_mixed(trainer, SOFTMAX_BATCH, images, mixed, NULL), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_train_step(trainer, 0, images, labels, NULL), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_train_step(trainer, SOFTMAX_BATCH, NULL, labels, NULL), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_train_step(trainer, SOFTMAX_BATCH, images, NULL, NULL), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_train_apply(trainer, NAN), RN_ERROR_ARGUMENT);
    CU_ASSERT(memcmp(before, parameters, bytes) == 0);
    CU_ASSERT_EQUAL(rn_train_steps(trainer), 1);
    free(before);
    rn_train_destroy(trainer);
}

static void test_nan(void) {
    softmax_breaks_at = 1;
    void *trainer = softmax_trainer(1, 1);
    float images[SOFTMAX_BATCH * SOFTMAX_INPUTS], before[160];
    int32_t labels[SOFTMAX_BATCH];
    softmax_batch(images, labels, 0);
    rn_train_result result;
    CU_ASSERT_EQUAL(rn_train_step(trainer, SOFTMAX_BATCH, images, labels, &result), RN_OK);
    memcpy(before, rn_train_parameters(trainer, NULL), sizeof before);
    CU_ASSERT_EQUAL(rn_train_step(trainer, SOFTMAX_BATCH, images, labels, &result), RN_ERROR_FORMAT);
    CU_ASSERT(isnan(result.loss));
    CU_ASSERT_STRING_EQUAL(rn_train_message(trainer),
                           "step 2: the loss is nan; the first layer with such a value is fc");
    CU_ASSERT(memcmp(before, rn_train_parameters(trainer, NULL), sizeof before) == 0);
    CU_ASSERT_EQUAL(rn_train_steps(trainer), 1);
    /* a trainer that cannot tell: what the inference code has, or a parameter */
    softmax_breaks_at = -1;
    softmax.not_finite = NULL;
    images[5] = 3e38F;
    rn_train_parameters(trainer, NULL)[softmax_parameters[SOFTMAX_WEIGHT].offset + 5] = 3;
    CU_ASSERT_EQUAL(rn_train_step(trainer, SOFTMAX_BATCH, images, labels, &result), RN_ERROR_FORMAT);
    CU_ASSERT(strstr(rn_train_message(trainer), "the first layer with such a value is the only layer") != NULL);
    rn_train_parameters(trainer, NULL)[softmax_parameters[SOFTMAX_BIAS].offset + 2] = NAN;
    CU_ASSERT_EQUAL(rn_train_step(trainer, SOFTMAX_BATCH, images, labels, &result), RN_ERROR_FORMAT);
    CU_ASSERT(strstr(rn_train_message(trainer), "the first parameter with such a value is fc.bias") != NULL);
    rn_train_destroy(trainer);
    softmax_reset();
}

/* The inference code with the live parameters gives what the trainer's own forward pass does. */
static void test_evaluate(void) {
    void *trainer = softmax_trainer(3, 9);
    float images[SOFTMAX_BATCH * SOFTMAX_INPUTS], output[SOFTMAX_BATCH * SOFTMAX_CLASSES];
    int32_t labels[SOFTMAX_BATCH];
    rn_train_result trained, tested;
    softmax_batch(images, labels, 40);
    for (int step = 0; step < 5; step++)
        CU_ASSERT_EQUAL(rn_train_step(trainer, SOFTMAX_BATCH, images, labels, NULL), RN_OK);
    CU_ASSERT_EQUAL(rn_train_gradients(trainer, SOFTMAX_BATCH, images, labels, &trained), RN_OK);
    CU_ASSERT_EQUAL(rn_train_test(trainer, SOFTMAX_BATCH, images, labels, &tested), RN_OK);
    CU_ASSERT(tested.images == trained.images && tested.wrong == trained.wrong && tested.wrong5 == trained.wrong5);
    CU_ASSERT(fabs(tested.loss - trained.loss) < 1e-4);
    CU_ASSERT_EQUAL(rn_train_evaluate(trainer, SOFTMAX_BATCH, images, output), RN_OK);
    const float *w = rn_train_parameters(trainer, NULL) + softmax_parameters[SOFTMAX_WEIGHT].offset;
    double first = rn_train_parameters(trainer, NULL)[softmax_parameters[SOFTMAX_BIAS].offset];
    for (int i = 0; i < SOFTMAX_INPUTS; i++) first += (double)w[i] * images[i];
    CU_ASSERT(fabs(first - output[0]) < 1e-5);
    labels[2] = 6;
    CU_ASSERT_EQUAL(rn_train_test(trainer, SOFTMAX_BATCH, images, labels, &tested), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_train_evaluate(trainer, 0, images, output), RN_ERROR_ARGUMENT);
    rn_train_destroy(trainer);
}

void suite_train_step(void) {
    CU_pSuite suite = CU_add_suite("train_step", setup, NULL);
    CU_add_test(suite, "create", test_create);
    CU_add_test(suite, "init", test_init);
    CU_add_test(suite, "sgd", test_sgd);
    CU_add_test(suite, "frozen", test_frozen);
    CU_add_test(suite, "threads", test_threads);
    CU_add_test(suite, "denormals", test_denormals);
    CU_add_test(suite, "labels", test_labels);
    CU_add_test(suite, "nan", test_nan);
    CU_add_test(suite, "evaluate", test_evaluate);
}
