/* Evaluation by the inference code, see evaluate.h. */
#include "train/evaluate.h"
#include "core/status.h"
#include "train/tensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct rn_evaluator {
    const rn_model *network;
    rn_weights *owned; /* packed here */
    int threads;
    rn_context pool;  /* for rn_parallel: threads alone count */
    void **instances; /* one a thread */
};

rn_status rn_evaluator_create(rn_evaluator **evaluator, const rn_model *network, const rn_weights *weights, int threads,
                              char *error, size_t error_size) {
    rn_evaluator *e = *evaluator = calloc(1, sizeof *e);
    if (e) e->instances = calloc((size_t)threads, sizeof *e->instances);
    if (!e || !e->instances) {
        free(e);
        *evaluator = NULL;
        return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", network->name);
    }
    e->network = network;
    e->threads = threads;
    e->pool.threads = threads;
    const rn_options options = {.threads = 1, .error = error, .error_size = error_size};
    for (int i = 0; i < threads; i++) {
        const rn_status status = network->create(&e->instances[i], NULL, 0, weights, &options);
        if (!status) continue;
        rn_evaluator_destroy(e);
        *evaluator = NULL;
        return status;
    }
    return RN_OK;
}

rn_status rn_evaluator_of_trainer(rn_evaluator **evaluator, const rn_train_context *context, char *error,
                                  size_t error_size) {
    const rn_model *network = context->model->network;
    rn_weights *weights = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    *evaluator = NULL;
    rn_status status = rn_tensors_image(context, 0, NULL, &bytes, &size, error, error_size);
    if (!status) status = rn_weights_memory(&weights, network, bytes, size, error, error_size);
    free(bytes); /* packed by now */
    if (!status) status = rn_evaluator_create(evaluator, network, weights, context->base.threads, error, error_size);
    if (status) {
        rn_weights_close(weights);
        return status;
    }
    (*evaluator)->owned = weights;
    (*evaluator)->pool.parallel = context->base.parallel;
    (*evaluator)->pool.parallel_user = context->base.parallel_user;
    return RN_OK;
}

void rn_evaluator_destroy(rn_evaluator *evaluator) {
    if (!evaluator) return;
    for (int i = 0; i < evaluator->threads; i++)
        if (evaluator->instances[i]) evaluator->network->destroy(evaluator->instances[i]);
    rn_weights_close(evaluator->owned);
    free(evaluator->instances);
    free(evaluator);
}

typedef struct Running {
    rn_evaluator *evaluator;
    int n;
    const float *images;
    float *output;
    rn_status status; /* of the last run that failed */
    int failed;       /* its instance */
} Running;

static void run_part(void *arg, int part, int parts) {
    Running *running = arg;
    const rn_evaluator *e = running->evaluator;
    const rn_model *network = e->network;
    const size_t image = (size_t)network->input.c * (size_t)network->input.h * (size_t)network->input.w;
    const int batch = network->batch, runs = (running->n + batch - 1) / batch;
    for (int run = part; run < runs; run += parts) {
        const int first = run * batch, count = running->n - first < batch ? running->n - first : batch;
        const rn_status status = network->run(e->instances[part], count, running->images + (size_t)first * image,
                                              running->output + (size_t)first * network->output_size);
        if (!status) continue;
        __atomic_store_n(&running->failed, part, __ATOMIC_RELAXED);
        __atomic_store_n(&running->status, status, __ATOMIC_RELAXED);
    }
}

rn_status rn_evaluator_run(rn_evaluator *evaluator, int n, const float *images, float *output, char *error,
                           size_t error_size) {
    Running running = {.evaluator = evaluator, .n = n, .images = images, .output = output, .status = RN_OK};
    rn_parallel(&evaluator->pool, run_part, &running);
    if (running.status)
        rn_status_fail(error, error_size, running.status, "%s",
                       evaluator->network->message(evaluator->instances[running.failed]));
    return running.status;
}

/* ---- where a NaN begins ---- */

typedef struct Search {
    int first; /* layer; -1: none yet */
} Search;

/* Floats and the upper halves of floats have their exponents at the same place. */
static int is_finite_at(const rn_tensor *t, int n, int c, int y, int x) {
    const void *at = rn_tensor_at(t, n, c, y, x);
    uint16_t upper;
    memcpy(&upper, (const char *)at + (t->type == RN_F32 ? 2 : 0), sizeof upper);
    return (upper & 0x7f80) != 0x7f80;
}

static void look(void *user, int layer, const rn_tensor *out) {
    Search *search = user;
    if (!out || (search->first >= 0 && search->first <= layer)) return;
    for (int n = 0; n < out->images; n++)
        for (int c = 0; c < out->shape.c; c++)
            for (int y = 0; y < out->shape.h; y++)
                for (int x = 0; x < out->shape.w; x++)
                    if (!is_finite_at(out, n, c, y, x)) search->first = layer;
}

const char *rn_evaluate_not_finite(const rn_train_context *context, int n, const float *images) {
    const rn_model *network = context->model->network;
    rn_weights *weights = NULL;
    uint8_t *bytes = NULL;
    void *net = NULL;
    size_t size = 0;
    Search search = {-1};
    const rn_options options = {.threads = 1, .layer = look, .layer_user = &search};
    const size_t image = (size_t)network->input.c * (size_t)network->input.h * (size_t)network->input.w;
    float *output = malloc(network->output_size * sizeof *output);
    if (output && !rn_tensors_image(context, 0, NULL, &bytes, &size, NULL, 0) &&
        !rn_weights_memory(&weights, network, bytes, size, NULL, 0) &&
        !network->create(&net, NULL, 0, weights, &options))
        for (int i = 0; i < n; i++) network->run(net, 1, images + (size_t)i * image, output);
    if (net) network->destroy(net);
    rn_weights_close(weights);
    free(bytes);
    free(output);
    return search.first < 0 ? NULL : network->layers[search.first].name;
}

/* ---- scores ---- */

/* The number that a softmax divides by, and what it subtracts. */
static double score_sum(const float *scores, int classes, double *largest) {
    double sum = 0;
    *largest = -INFINITY;
    for (int k = 0; k < classes; k++) *largest = fmax(*largest, (double)scores[k]);
    for (int k = 0; k < classes; k++) sum += exp((double)scores[k] - *largest);
    return sum;
}

/* -log(0) is not asked for: what was rounded to 0 is not impossible. */
static double loss_of(double probability) {
    return isnan(probability) ? NAN : -log(fmax(probability, 0x1p-149));
}

static void count_outcome(rn_train_result *result, int likelier, double loss) {
    result->images++;
    result->wrong += likelier >= 1;
    result->wrong5 += likelier >= 5;
    result->loss += loss;
}

void rn_train_score(rn_train_result *result, const float *scores, int classes, int probabilities, int32_t label) {
    const float own = scores[label];
    int likelier = 0;
    for (int k = 0; k < classes; k++)
        if (k != label) likelier += !(scores[k] < own || (scores[k] == own && k > label));
    double largest, loss = loss_of((double)own);
    if (!probabilities) {
        const double sum = score_sum(scores, classes, &largest);
        loss = log(sum) + largest - (double)own;
    }
    count_outcome(result, likelier, loss);
}

void rn_train_add_probabilities(double *sum, const float *scores, int classes, int probabilities) {
    double largest = 0;
    const double all = probabilities ? 1 : score_sum(scores, classes, &largest);
    for (int k = 0; k < classes; k++)
        sum[k] += probabilities ? (double)scores[k] : exp((double)scores[k] - largest) / all;
}

void rn_train_score_mean(rn_train_result *result, const double *sum, int terms, int classes, int32_t label) {
    int likelier = 0;
    for (int k = 0; k < classes; k++)
        if (k != label) likelier += !(sum[k] < sum[label] || (sum[k] == sum[label] && k > label));
    count_outcome(result, likelier, loss_of(sum[label] / terms));
}

/* ---- the interface ---- */

rn_status rn_train_evaluate(void *trainer, int n, const float *images, float *output) {
    rn_train_context *context = trainer;
    char *error = context->base.message;
    const size_t size = sizeof context->base.message;
    if (n < 1 || !images || !output)
        return rn_context_fail(&context->base, RN_ERROR_ARGUMENT, "%d images to evaluate, or a null pointer", n);
    rn_evaluator *evaluator;
    rn_status status = rn_evaluator_of_trainer(&evaluator, context, error, size);
    if (!status) status = rn_evaluator_run(evaluator, n, images, output, error, size);
    rn_evaluator_destroy(evaluator);
    return status;
}

rn_status rn_train_test(void *trainer, int n, const float *images, const int32_t *labels, rn_train_result *result) {
    rn_train_context *context = trainer;
    const rn_model *network = context->model->network;
    *result = (rn_train_result){0};
    for (int i = 0; i < n; i++)
        if (labels[i] < 0 || labels[i] >= context->model->classes)
            return rn_context_fail(&context->base, RN_ERROR_ARGUMENT, "image %d is of class %d; the network has %d", i,
                                   (int)labels[i], context->model->classes);
    float *output = n > 0 ? malloc((size_t)n * network->output_size * sizeof *output) : NULL;
    if (n > 0 && !output) return rn_context_fail(&context->base, RN_ERROR_MEMORY, "out of memory");
    const rn_status status = rn_train_evaluate(trainer, n, images, output);
    for (int i = 0; i < n && !status; i++)
        rn_train_score(result, rn_train_scores(network, output + (size_t)i * network->output_size),
                       context->model->classes, network->probabilities, labels[i]);
    free(output);
    return status;
}
