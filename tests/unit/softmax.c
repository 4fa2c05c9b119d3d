/* Softmax regression, see softmax.h. */
#include "softmax.h"

#include "rn_recipe.h"
#include "runtime/train/philox.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    C = 2,
    WEIGHT_AT = 16, /* in the flat buffers: the bias is first, as the last layer's */
    MEAN_AT = 128,
    VAR_AT = 144,
    TRAINED = 128,
    FLOATS = 160,
    LINE = 64,
    INSTANCE = (sizeof(rn_train_context) + 63) / 64 * 64
};

/* ---- the network ---- */
enum { PACKED_BIAS = 448, PACKED_MEAN = 512, PACKED_VAR = 576, PACKED = 640 };
static const rn_recipe_step steps[] = {
    {.op = RN_PARAM, .ndim = 2, .dim = {SOFTMAX_CLASSES, SOFTMAX_INPUTS, 1, 1}, .name = "fc.weight"},
    {.op = RN_PARAM, .ndim = 1, .dim = {SOFTMAX_CLASSES, 1, 1, 1}, .name = "fc.bias"},
    {.op = RN_PARAM, .ndim = 1, .dim = {C, 1, 1, 1}, .name = "norm.running_mean"},
    {.op = RN_PARAM, .ndim = 1, .dim = {C, 1, 1, 1}, .name = "norm.running_var"},
    {.op = RN_RESHAPE, .ndim = 1, .arg = {0}, .dim = {SOFTMAX_CLASSES * SOFTMAX_INPUTS, 1, 1, 1}},
    {.op = RN_PACK_VECTOR, .ndim = 1, .arg = {4}, .dim = {SOFTMAX_CLASSES * SOFTMAX_INPUTS, 1, 1, 1}},
    {.op = RN_PACK_VECTOR, .ndim = 1, .arg = {1}, .dim = {SOFTMAX_CLASSES, 1, 1, 1}, .offset = PACKED_BIAS},
    {.op = RN_PACK_VECTOR, .ndim = 1, .arg = {2}, .dim = {C, 1, 1, 1}, .offset = PACKED_MEAN},
    {.op = RN_PACK_VECTOR, .ndim = 1, .arg = {3}, .dim = {C, 1, 1, 1}, .offset = PACKED_VAR},
};
enum { STEPS = sizeof steps / sizeof *steps };
static rn_recipe recipe = {steps, STEPS, PACKED, 0};

static void logits(const float *weight, const float *bias, const float *image, float *out) {
    for (int k = 0; k < SOFTMAX_CLASSES; k++) {
        out[k] = bias[k];
        for (int i = 0; i < SOFTMAX_INPUTS; i++) out[k] += weight[k * SOFTMAX_INPUTS + i] * image[i];
    }
}

static size_t net_size(int batch, int threads) {
    (void)batch, (void)threads;
    return (sizeof(rn_context) + LINE - 1) / LINE * LINE;
}

static rn_status net_create(void **net, void *arena, size_t size, const rn_weights *weights,
                            const rn_options *options) {
    return rn_context_create(net, sizeof(rn_context), net_size(1, 1), softmax.network, arena, size, weights, options);
}

static rn_status net_run(void *net, int batch, const float *image, float *output) {
    const rn_context *context = net;
    const uint8_t *packed = context->weights;
    for (int i = 0; i < batch; i++)
        logits((const float *)(const void *)packed, (const float *)(const void *)(packed + PACKED_BIAS),
               image + i * SOFTMAX_INPUTS, output + i * SOFTMAX_CLASSES);
    const rn_tensor out = {.data = output, .shape = {SOFTMAX_CLASSES, 1, 1}, .images = 1};
    if (context->layer) context->layer(context->layer_user, 0, &out);
    return RN_OK;
}

static const char *net_message(const void *net) {
    return ((const rn_context *)net)->message;
}

static void net_destroy(void *net) {
    rn_context_destroy(net);
}

static const rn_output output = {"fc", {SOFTMAX_CLASSES, 1, 1}, RN_NCHW};
static const rn_layer layer = {.name = "the only layer"};
static const rn_model network = {.abi = RN_ABI,
                                 .name = "softmax",
                                 .rnc_version = RN_VERSION,
                                 .source_hash = "0123456789abcdef",
                                 .batch = 8,
                                 .input = {C, 3, 3},
                                 .outputs = &output,
                                 .output_count = 1,
                                 .output_size = SOFTMAX_CLASSES,
                                 .layers = &layer,
                                 .layer_count = 1,
                                 .recipe = &recipe,
                                 .arena_size = net_size,
                                 .create = net_create,
                                 .run = net_run,
                                 .message = net_message,
                                 .destroy = net_destroy,
                                 .weights_open = rn_weights_open,
                                 .weights_memory = rn_weights_memory};

/* ---- the trainer ---- */
typedef struct Step {
    rn_train_context *context;
    int n;
    const float *images;
    const rn_train_label *labels;
    float *probability; /* n x classes: the scratch */
} Step;

static float target(const rn_train_label *label, int k) {
    const float smooth = (float)softmax_recipe.smooth;
    const float plain = (k == label->first ? label->share : 0) + (k == label->second ? 1 - label->share : 0);
    return (1 - smooth) * plain + smooth / SOFTMAX_CLASSES;
}

static void forward_part(void *arg, int part, int parts) {
    const Step *s = arg;
    const float *parameters = s->context->parameters;
    for (int i = part; i < s->n; i += parts) {
        float *p = s->probability + i * SOFTMAX_CLASSES, largest = -INFINITY, sum = 0;
        logits(parameters + WEIGHT_AT, parameters, s->images + i * SOFTMAX_INPUTS, p);
        for (int k = 0; k < SOFTMAX_CLASSES; k++) largest = fmaxf(largest, p[k]);
        for (int k = 0; k < SOFTMAX_CLASSES; k++) sum += p[k] = expf(p[k] - largest);
        for (int k = 0; k < SOFTMAX_CLASSES; k++) p[k] /= sum;
    }
}

static void backward_part(void *arg, int part, int parts) {
    const Step *s = arg;
    float *gradients = s->context->gradients;
    for (int k = part; k < SOFTMAX_CLASSES; k += parts) {
        float *row = gradients + WEIGHT_AT + k * SOFTMAX_INPUTS;
        memset(row, 0, SOFTMAX_INPUTS * sizeof *row);
        gradients[k] = 0;
        for (int i = 0; i < s->n; i++) {
            const float d = (s->probability[i * SOFTMAX_CLASSES + k] - target(&s->labels[i], k)) / (float)s->n;
            gradients[k] += d;
            for (int j = 0; j < SOFTMAX_INPUTS; j++) row[j] += d * s->images[i * SOFTMAX_INPUTS + j];
        }
    }
}

static void statistics(const Step *s) {
    for (int c = 0; c < C; c++) {
        const double count = (double)s->n * SOFTMAX_PIXELS;
        double sum = 0, squares = 0;
        for (int i = 0; i < s->n * SOFTMAX_PIXELS; i++) {
            const double x = s->images[(i / SOFTMAX_PIXELS * C + c) * SOFTMAX_PIXELS + i % SOFTMAX_PIXELS];
            sum += x;
            squares += x * x;
        }
        s->context->gradients[MEAN_AT + c] = (float)(sum / count);
        s->context->gradients[VAR_AT + c] = (float)((squares - sum * sum / count) / (count - 1));
    }
}

static void outcome(const Step *s, rn_train_result *result) {
    *result = (rn_train_result){0};
    for (int i = 0; i < s->n; i++) {
        const float *p = s->probability + i * SOFTMAX_CLASSES;
        int likelier = 0;
        for (int k = 0; k < SOFTMAX_CLASSES; k++) {
            likelier += p[k] > p[s->labels[i].first];
            result->loss -= (double)target(&s->labels[i], k) * log((double)p[k]);
        }
        result->images++;
        result->wrong += likelier >= 1;
        result->wrong5 += likelier >= 5;
    }
}

static rn_status gradients(void *trainer, int n, const float *images, const rn_train_label *labels,
                           rn_train_result *result) {
    rn_train_context *context = trainer;
    Step step = {context, n, images, labels, context->base.arena};
    context->changed = 0;
    rn_train_parallel(context, forward_part, &step);
    rn_train_parallel(context, backward_part, &step);
    statistics(&step);
    outcome(&step, result);
    if (context->step == softmax_breaks_at) result->loss = NAN;
    return RN_OK;
}

static void not_finite(void *trainer, int n, const float *images, const rn_train_label *labels, const char **layer,
                       const char **parameter) {
    (void)trainer, (void)n, (void)images, (void)labels;
    *layer = "fc";
    *parameter = NULL;
}

static size_t size(int batch, int threads) {
    (void)threads;
    const size_t scratch = sizeof(float) * (size_t)batch * SOFTMAX_CLASSES;
    return INSTANCE + rn_train_buffers_size(&softmax, batch) + (scratch + LINE - 1) / LINE * LINE;
}

static rn_status create(void **trainer, void *arena, size_t bytes, const rn_train_options *options) {
    const size_t need = size(rn_train_options_batch(&softmax, options), rn_train_options_threads(options));
    return rn_train_context_create(trainer, sizeof(rn_train_context), need, &softmax, arena, bytes, options);
}

rn_train_model softmax;
rn_train_recipe softmax_recipe;
rn_train_parameter softmax_parameters[4];
int64_t softmax_breaks_at;

void softmax_reset(void) {
    static const rn_train_parameter parameters[4] = {
        {"fc.weight",
         RN_TRAIN_WEIGHT,
         1,
         0,
         2,
         {SOFTMAX_CLASSES, SOFTMAX_INPUTS, 1, 1},
         SOFTMAX_INPUTS,
         SOFTMAX_CLASSES,
         0,
         WEIGHT_AT},
        {"fc.bias", RN_TRAIN_BIAS, 1, 0, 1, {SOFTMAX_CLASSES, 1, 1, 1}, 0, 0, 0, 0},
        {"norm.running_mean", RN_TRAIN_RUNNING_MEAN, 0, 0, 1, {C, 1, 1, 1}, 0, 0, 0.1, MEAN_AT},
        {"norm.running_var", RN_TRAIN_RUNNING_VAR, 0, 0, 1, {C, 1, 1, 1}, 0, 0, 0.1, VAR_AT},
    };
    memcpy(softmax_parameters, parameters, sizeof parameters);
    recipe.hash = rn_recipe_hash(steps, STEPS);
    softmax_breaks_at = -1;
    softmax_recipe = (rn_train_recipe){.batch = SOFTMAX_BATCH, .lr = 0.1, .momentum = 0.9, .decay = 1e-3, .stop = 100};
    softmax = (rn_train_model){.abi = RN_TRAIN_ABI,
                               .name = "softmax",
                               .network = &network,
                               .recipe = &softmax_recipe,
                               .parameters = softmax_parameters,
                               .parameter_count = 4,
                               .floats = FLOATS,
                               .gradient_floats = FLOATS,
                               .trained_floats = TRAINED,
                               .source_hash = "0123456789abcdef",
                               .plan_hash = "fedcba9876543210",
                               .batch = SOFTMAX_BATCH,
                               .classes = SOFTMAX_CLASSES,
                               .macs = 324,
                               .multiplications = 324,
                               .size = size,
                               .create = create,
                               .gradients = gradients,
                               .not_finite = not_finite};
}

void *softmax_trainer(int threads, uint64_t seed) {
    char error[RN_ERROR_SIZE];
    void *trainer;
    const rn_train_options options = {.threads = threads, .error = error, .error_size = sizeof error};
    CU_ASSERT_EQUAL_FATAL(rn_train_create(&softmax, &trainer, NULL, 0, &options), RN_OK);
    CU_ASSERT_EQUAL(rn_train_init(trainer, seed), RN_OK);
    return trainer;
}

/* ---- images: each class has a pattern, under noise ---- */
int32_t softmax_image(uint32_t index, float *image) {
    const int32_t label = (int32_t)(index % SOFTMAX_CLASSES);
    rn_draws pattern = rn_draws_for(1, RN_DRAW_TEST, 0, (uint32_t)label);
    rn_draws noise = rn_draws_for(1, RN_DRAW_TEST, 1, index);
    for (int i = 0; i < SOFTMAX_INPUTS; i++)
        image[i] = (float)(0.7 * rn_draw_normal(&pattern) + rn_draw_normal(&noise));
    return label;
}

void softmax_batch(float images[SOFTMAX_BATCH * SOFTMAX_INPUTS], int32_t labels[SOFTMAX_BATCH], uint32_t first) {
    for (uint32_t i = 0; i < SOFTMAX_BATCH; i++) labels[i] = softmax_image(first + i, images + i * SOFTMAX_INPUTS);
}

static rn_status begin(void *user, rn_split split, uint64_t first, uint64_t seed, char *error, size_t error_size) {
    SoftmaxData *place = user;
    (void)error, (void)error_size;
    if (split == RN_TRAIN) {
        place->step = first;
        place->seed = seed;
    } else {
        place->test = 0;
    }
    return RN_OK;
}

static rn_status next(void *user, rn_split split, rn_batch *batch, char *error, size_t error_size) {
    SoftmaxData *place = user;
    const int is_train = split == RN_TRAIN;
    const uint64_t at = is_train ? place->step++ : place->test++;
    (void)error, (void)error_size;
    *batch = (rn_batch){
        .step = at, .views = 1, .images = place->images, .labels = place->labels, .pictures = place->pictures};
    if (!is_train && at * SOFTMAX_BATCH >= SOFTMAX_TESTS) return RN_OK;
    batch->count = SOFTMAX_BATCH;
    rn_draws draws = rn_draws_for(place->seed, RN_DRAW_ORDER, (uint32_t)at, 0);
    for (uint32_t i = 0; i < SOFTMAX_BATCH; i++) {
        const uint32_t index =
            is_train ? rn_draw_below(&draws, SOFTMAX_IMAGES) : SOFTMAX_IMAGES + (uint32_t)at * SOFTMAX_BATCH + i;
        const int32_t label = softmax_image(index, place->images + i * SOFTMAX_INPUTS);
        place->labels[i] = (rn_train_label){label, label, 1};
        place->pictures[i] = index;
    }
    return RN_OK;
}

rn_train_source softmax_source(SoftmaxData *place) {
    return (rn_train_source){place, 0x5eed, "made-up images", SOFTMAX_IMAGES / SOFTMAX_BATCH, begin, next};
}
