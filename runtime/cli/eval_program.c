/* eval of an inference program: its own weights, or --ensemble's files. */
#include "eval.h"
#include "rn_recipe.h"

#include <stdlib.h>
#include <string.h>

/* ---- the mean image, which run_rgb subtracts ---- */

/* Where the packed weights have input.mean; NULL: the network has none. */
static const rn_recipe_step *mean_step(const rn_model *m, const rn_recipe_step **parameter) {
    for (int i = 0; i < m->recipe->count; i++) {
        const rn_recipe_step *s = &m->recipe->steps[i];
        if (s->op != RN_PACK_VECTOR) continue;
        *parameter = &m->recipe->steps[s->arg[0]];
        if ((*parameter)->op == RN_PARAM && !strcmp((*parameter)->name, "input.mean")) return s;
    }
    return NULL;
}

/* Pictures of all networks become inputs with the first one's mean. */
static int take_mean(Eval *eval, const rn_weights *weights) {
    const rn_recipe_step *parameter, *packed = mean_step(eval->cli->model, &parameter);
    rn_picture_recipe *r = &eval->loader.recipe;
    size_t size;
    if (!packed || eval->mean) return CLI_OK;
    const uint8_t *payload = rn_weights_payload(weights, &size);
    const size_t count = (size_t)packed->dim[0];
    eval->mean = malloc(count * sizeof *eval->mean);
    if (!eval->mean) return cli_fail(eval->cli, "out of memory");
    memcpy(eval->mean, payload + packed->offset, count * sizeof *eval->mean);
    r->subtract = parameter->ndim == 1 ? RN_TRAIN_SUBTRACT_CHANNEL_MEAN : RN_TRAIN_SUBTRACT_PIXEL_MEAN;
    return CLI_OK;
}

/* ---- networks ---- */

static int add_weights(Eval *eval, const char *path) {
    char error[RN_ERROR_SIZE];
    const rn_model *m = eval->cli->model;
    rn_weights *weights = NULL;
    rn_status status = RN_OK;
    if (path)
        status = rn_weights_open(&weights, m, path, error, sizeof error);
    else if (m->embedded)
        status = rn_weights_memory(&weights, m, m->embedded, m->embedded_size, error, sizeof error);
    if (status) return cli_fail(eval->cli, "%s", error);
    const int mean = take_mean(eval, weights);
    if (!mean) return eval_add_network(eval, weights);
    rn_weights_close(weights);
    return mean;
}

static int add_own(Eval *eval) {
    const Cli *cli = eval->cli;
    bool found;
    char *path;
    int status;
    if (!cli_weights_path(cli, &path, &found)) return CLI_FAILED;
    if (!found && cli->model->parameters > 0)
        status = cli_fail(cli, CLI_NO_WEIGHTS);
    else
        status = add_weights(eval, path);
    free(path);
    return status;
}

int cli_eval(const Cli *cli) {
    Eval eval;
    int status = eval_open(&eval, cli, false);
    if (!status && !cli->file_count) status = add_own(&eval);
    for (int i = 0; i < cli->file_count && !status; i++)
        status = eval_is_file(cli->files[i]) ? eval_add_file(&eval, cli->files[i]) : add_weights(&eval, cli->files[i]);
    if (!status) status = eval_run(&eval);
    eval_close(&eval);
    return status;
}
