/* Instances side by side, see evaluator.h. */
#include "evaluator.h"
#include "core/status.h"
#include "rn_emitted.h"

#include <stdlib.h>

struct rn_evaluator {
    const rn_model *network;
    rn_weights *owned; /* closed with it */
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

void rn_evaluator_keep(rn_evaluator *evaluator, rn_weights *weights) {
    evaluator->owned = weights;
}

void rn_evaluator_use_pool(rn_evaluator *evaluator, void (*parallel)(void *user, int n, rn_task fn, void *arg),
                           void *user) {
    evaluator->pool.parallel = parallel;
    evaluator->pool.parallel_user = user;
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
