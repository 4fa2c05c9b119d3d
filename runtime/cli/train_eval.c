/* eval of a trainer: weights and runs, with the mean that training subtracted. */
#include "eval.h"
#include "train.h"

#include <stdlib.h>
#include <string.h>

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

/* The training pictures' mean, where the weights do not say it. */
static int compute_mean(Eval *eval, const TrainCli *cli) {
    Pictures pictures;
    if (!pictures_open(&pictures, cli)) return CLI_FAILED;
    const bool good = pictures_mean(&pictures);
    if (good) {
        eval->mean = pictures.mean;
        pictures.mean = NULL;
    }
    pictures_close(&pictures);
    return good ? CLI_OK : CLI_FAILED;
}

/* Pictures of all networks become inputs with the first one's mean. */
static int take_mean(Eval *eval, const TrainCli *cli, const char *path) {
    const rn_train_subtract subtract = cli->model->recipe->subtract;
    const rn_shape s = cli->base.model->input;
    if (eval->mean || subtract == RN_TRAIN_SUBTRACT_NOTHING) return CLI_OK;
    eval->loader.recipe.subtract = subtract;
    eval->mean =
        mean_of(path, (size_t)s.c * (subtract == RN_TRAIN_SUBTRACT_CHANNEL_MEAN ? 1 : (size_t)s.h * (size_t)s.w));
    return eval->mean ? CLI_OK : compute_mean(eval, cli);
}

static int add_weights(Eval *eval, const TrainCli *cli, const char *given) {
    char error[RN_ERROR_SIZE];
    rn_weights *weights;
    char *path = train_weights_path(cli, given);
    if (!path) return CLI_FAILED;
    int status = CLI_OK;
    if (rn_weights_open(&weights, cli->base.model, path, error, sizeof error))
        status = cli_fail(&cli->base, "%s", error);
    else
        status = eval_add_network(eval, weights);
    if (!status) status = take_mean(eval, cli, path);
    free(path);
    return status;
}

int train_eval(const TrainCli *cli) {
    Eval eval;
    int status = eval_open(&eval, &cli->base, true);
    if (!status && cli->base.weights) status = add_weights(&eval, cli, cli->base.weights);
    for (int i = 0; i < cli->base.file_count && !status; i++) {
        const char *file = cli->base.files[i];
        status = eval_is_file(file) ? eval_add_file(&eval, file) : add_weights(&eval, cli, file);
    }
    if (!status) status = eval_run(&eval);
    eval_close(&eval);
    return status;
}
