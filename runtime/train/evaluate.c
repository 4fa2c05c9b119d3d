/* Evaluation of what is being trained, see evaluate.h. */
#include "train/evaluate.h"
#include "core/status.h"
#include "train/tensors.h"

#include <stdlib.h>
#include <string.h>

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
    rn_evaluator_keep(*evaluator, weights);
    rn_evaluator_use_pool(*evaluator, context->base.parallel, context->base.parallel_user);
    return RN_OK;
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

/* ---- the interface ---- */

void rn_train_add_outcome(rn_train_result *result, rn_outcome outcome) {
    result->images++;
    result->wrong += outcome.likelier >= 1;
    result->wrong5 += outcome.likelier >= 5;
    result->loss += outcome.loss;
}

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
        rn_train_add_outcome(result, rn_score(rn_scores(network, output + (size_t)i * network->output_size),
                                              context->model->classes, network->probabilities, labels[i]));
    free(output);
    return status;
}
