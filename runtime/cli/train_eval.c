/* eval: errors and loss on the test set, by the inference code; of several views, sizes or networks the mean of their
 * probabilities. */
#include "train.h"
#include "train/evaluate.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCALES_MOST = 32 };

typedef struct Network { /* one of those that are averaged */
    rn_weights *weights;
    rn_evaluator *evaluator;
} Network;

typedef struct Eval {
    const TrainCli *cli;
    Pictures pictures;
    Network *networks;
    int network_count;
    int scales[SCALES_MOST], scale_count; /* 0: the preprocessing's */
    double *sums;                         /* pictures x classes */
    int32_t *labels;                      /* of the pictures; -1: left out */
    int terms;                            /* probabilities in each sum */
} Eval;

static int read_scales(Eval *eval) {
    const char *at = eval->cli->scales;
    if (!at) {
        eval->scale_count = 1;
        return CLI_OK;
    }
    while (eval->scale_count < SCALES_MOST) {
        char *end;
        errno = 0;
        const long n = strtol(at, &end, 10);
        if (end == at || errno || n < 1 || n > RN_MAX_IMAGE_SIDE || (*end && *end != ',')) break;
        eval->scales[eval->scale_count++] = (int)n;
        if (!*end) return CLI_OK;
        at = end + 1;
    }
    return cli_usage(&eval->cli->base, "--scales: '%s' is no list of sizes, such as 224,256,384", eval->cli->scales);
}

/* ---- networks ---- */

/* The mean that the weights bring along; malloc'd, NULL where they have none that fits. */
static float *mean_of(const char *path, size_t count) {
    rn_pages pages;
    rn_safetensors file;
    float *mean = NULL;
    if (rn_pages_map(&pages, path, NULL, 0)) return NULL;
    if (!rn_pages_fault(pages.bytes, pages.count) && rn_safetensors_recognize(pages.bytes, pages.count) &&
        !rn_safetensors_parse(&file, pages.bytes, pages.count, path, NULL, 0)) {
        const rn_safetensor *tensor = rn_safetensors_find(&file, RN_TRAIN_MEAN);
        if (tensor && rn_safetensor_readable(tensor) && (size_t)tensor->count == count) {
            mean = malloc(count * sizeof *mean);
            if (mean) rn_safetensor_read(tensor, mean);
        }
        rn_safetensors_free(&file);
    }
    rn_pages_free(&pages);
    return mean;
}

static bool open_mean(Eval *eval, const char *path) {
    if (eval->pictures.mean) return true; /* of the first network */
    float *known = mean_of(path, pictures_mean_size(&eval->pictures));
    const bool is_open = pictures_mean(&eval->pictures, known);
    free(known);
    return is_open;
}

static int open_network(Eval *eval, const char *given) {
    char error[RN_ERROR_SIZE];
    const Cli *cli = &eval->cli->base;
    char *path = train_weights_path(eval->cli, given);
    if (!path) return CLI_FAILED;
    Network *network = &eval->networks[eval->network_count++];
    int status = CLI_OK;
    if (rn_weights_open(&network->weights, cli->model, path, error, sizeof error) ||
        rn_evaluator_create(&network->evaluator, cli->model, network->weights, cli->threads, error, sizeof error))
        status = cli_fail(cli, "%s", error);
    if (!status && !open_mean(eval, path)) status = CLI_FAILED;
    free(path);
    return status;
}

static int open_networks(Eval *eval) {
    const Cli *cli = &eval->cli->base;
    const int count = cli->weights ? 1 : cli->file_count;
    eval->networks = calloc((size_t)count, sizeof *eval->networks);
    if (!eval->networks) return cli_fail(cli, "out of memory");
    int status = CLI_OK;
    for (int i = 0; i < count && !status; i++) status = open_network(eval, cli->weights ? cli->weights : cli->files[i]);
    return status;
}

/* ---- pictures ---- */

static int add_batch(Eval *eval, const Network *network, const rn_batch *batch) {
    char error[RN_ERROR_SIZE];
    const Cli *cli = &eval->cli->base;
    const rn_model *m = cli->model;
    const int images = batch->count * batch->views, classes = eval->cli->model->classes;
    float *output = malloc((size_t)images * m->output_size * sizeof *output);
    if (!output) return cli_fail(cli, "out of memory");
    int status = CLI_OK;
    if (rn_evaluator_run(network->evaluator, images, batch->images, output, error, sizeof error))
        status = cli_fail(cli, "%s", error);
    for (int i = 0; i < images && !status; i++)
        rn_score_add(eval->sums + (size_t)batch->pictures[i / batch->views] * (size_t)classes,
                     rn_scores(m, output + (size_t)i * m->output_size), classes, m->probabilities);
    free(output);
    return status;
}

static int add_scale(Eval *eval, int scale) {
    char error[RN_ERROR_SIZE];
    rn_loader *loader = pictures_test(&eval->pictures, eval->cli->crops, scale);
    if (!loader) return CLI_FAILED;
    int status = CLI_OK, views = 1;
    rn_batch batch = {.count = 1};
    while (!status && batch.count) {
        if (rn_loader_next(loader, &batch, error, sizeof error)) status = cli_fail(&eval->cli->base, "%s", error);
        if (status || !batch.count) break;
        views = batch.views;
        for (int i = 0; i < batch.count; i++) eval->labels[batch.pictures[i]] = batch.labels[i].first;
        for (int k = 0; k < eval->network_count && !status; k++) status = add_batch(eval, &eval->networks[k], &batch);
    }
    eval->terms += views * eval->network_count;
    rn_loader_destroy(loader);
    return status;
}

/* ---- the result ---- */

static int report(const Eval *eval, const rn_train_result *r) {
    const TrainCli *cli = eval->cli;
    if (!r->images) return cli_fail(&cli->base, "%s: no picture of the test set can be read", cli->data);
    const double n = (double)r->images, top1 = (double)r->wrong / n, top5 = (double)r->wrong5 / n;
    if (cli->base.json) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "network", cli->base.model->name);
        cJSON_AddStringToObject(json, "data", cli->data);
        cJSON_AddNumberToObject(json, "pictures", n);
        cJSON_AddNumberToObject(json, "top1_error", top1);
        cJSON_AddNumberToObject(json, "top5_error", top5);
        cJSON_AddNumberToObject(json, "loss", r->loss / n);
        return cli_print_json(&cli->base, json);
    }
    printf("%s: %lld pictures: top-1 error %.2f %%, top-5 error %.2f %%, loss %.4f\n", cli->data, (long long)r->images,
           100 * top1, 100 * top5, r->loss / n);
    return CLI_OK;
}

static int evaluate(Eval *eval) {
    const TrainCli *cli = eval->cli;
    const uint32_t count = rn_data_about(eval->pictures.data)->count[RN_TEST];
    const int classes = cli->model->classes;
    eval->sums = calloc((size_t)count * (size_t)classes, sizeof *eval->sums);
    eval->labels = malloc((size_t)count * sizeof *eval->labels);
    if (!eval->sums || !eval->labels) return cli_fail(&cli->base, "out of memory");
    for (uint32_t i = 0; i < count; i++) eval->labels[i] = -1;
    int status = CLI_OK;
    for (int i = 0; i < eval->scale_count && !status; i++) status = add_scale(eval, eval->scales[i]);
    rn_train_result result = {0};
    for (uint32_t i = 0; i < count && !status; i++)
        if (eval->labels[i] >= 0)
            rn_train_add_outcome(&result, rn_score_mean(eval->sums + (size_t)i * (size_t)classes, eval->terms, classes,
                                                        eval->labels[i]));
    return status ? status : report(eval, &result);
}

int train_eval(const TrainCli *cli) {
    Eval eval = {.cli = cli};
    int status = read_scales(&eval);
    if (status) return status;
    if (!pictures_open(&eval.pictures, cli)) return cli->data ? CLI_FAILED : CLI_USAGE;
    status = open_networks(&eval);
    if (!status) status = evaluate(&eval);
    for (int i = 0; i < eval.network_count; i++) {
        rn_evaluator_destroy(eval.networks[i].evaluator);
        rn_weights_close(eval.networks[i].weights);
    }
    pictures_close(&eval.pictures);
    free(eval.networks);
    free(eval.sums);
    free(eval.labels);
    return status;
}
