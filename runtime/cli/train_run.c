/* train and export: signals around the loop, and the files of a run. */
#include "train.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- signals ---- */
static volatile sig_atomic_t signal_caught, save_wanted;

/* The first one asks the loop to end; the second one, whatever it is, ends at once. */
static void on_end(int number) {
    if (signal_caught) _exit(128 + number);
    signal_caught = number;
}

static void on_save(int number) {
    (void)number;
    save_wanted = 1;
}

static void catch_signals(void) {
    struct sigaction end = {.sa_handler = on_end, .sa_flags = SA_RESTART},
                     save = {.sa_handler = on_save, .sa_flags = SA_RESTART};
    sigemptyset(&end.sa_mask);
    sigemptyset(&save.sa_mask);
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGUSR1, &save, NULL);
}

/* ---- train ---- */
/* An epoch has whole batches. */
static bool check_batch(const TrainCli *cli, const rn_data *data) {
    const int batch = cli->model->recipe->batch, ranks = train_ranks(cli), most = cli->model->batch;
    const uint32_t count = rn_data_about(data)->count[RN_TRAIN];
    if (ranks > 1 && !cli->model->ranks)
        cli_fail(&cli->base, "%d processes; this build trains in one (rnc --train --mpi is for several)", ranks);
    else if (batch % ranks)
        cli_fail(
            &cli->base,
            "%d processes cannot have equal shares of a batch of %d images; a number that divides it can, and powers "
            "of two up to %d have the bits of one",
            ranks, batch, cli->model->ranks);
    else if (batch / ranks > most && cli->model->ranks)
        cli_fail(&cli->base,
                 "%d images of the source's batch of %d for each of %d processes; this build takes at most %d: start "
                 "more, or say rnc --train --mpi --batch %d",
                 batch / ranks, batch, ranks, most, batch / ranks);
    else if (batch / ranks > most)
        cli_fail(&cli->base,
                 "the source says batch %d, this build takes at most %d images a step (rnc --train --batch %d)", batch,
                 most, batch);
    else if (count < (uint32_t)batch)
        cli_fail(&cli->base, "%s: %u training pictures are fewer than a batch, %d", cli->base.data, count, batch);
    else
        return true;
    return false;
}

static void report(const TrainCli *cli, const rn_loop_result *result) {
    if (result->was_interrupted) {
        fprintf(stderr, "saved at step %lld; '%s train --data %s --out %s --resume' goes on\n", (long long)result->step,
                cli->base.program, cli->base.data, cli->out);
        return;
    }
    fprintf(stderr, "step %lld", (long long)result->step);
    if (isfinite(result->test_error)) fprintf(stderr, ": test error %.2f %%", 100 * result->test_error);
    if (isfinite(result->best))
        fprintf(stderr, ", the best %.2f %% (%s/best.safetensors)", 100 * result->best, cli->out);
    fputc('\n', stderr);
}

/* Other numbers of ranks add in another order. */
static void note_ranks(const TrainCli *cli) {
    const int ranks = train_ranks(cli), most = cli->model->ranks;
    if (ranks == 1 || cli->team->rank) return;
    fprintf(stderr, "%d processes of %d images each", ranks, cli->model->recipe->batch / ranks);
    if (ranks > most || ranks & (ranks - 1))
        fprintf(stderr, "; they equal one to rounding (powers of two up to %d to the bit)", most);
    fputc('\n', stderr);
}

int train_train(TrainCli *cli) {
    char error[RN_ERROR_SIZE] = "";
    Pictures pictures;
    void *trainer = NULL;
    int status = CLI_OK;
    const bool opened = pictures_open(&pictures, cli);
    const bool good =
        opened && check_batch(cli, pictures.data) && pictures_mean(&pictures) && train_create(&trainer, cli);
    catch_signals(); /* nobody ends while others wait for it */
    if (!ranks_agree(cli, good)) {
        rn_train_destroy(trainer);
        if (opened) pictures_close(&pictures);
        return cli->base.data ? CLI_FAILED : CLI_USAGE;
    }
    note_ranks(cli);
    const bool leads = !cli->team || cli->team->rank == 0;
    const rn_train_source source = pictures_source(&pictures);
    const rn_loop_options options = {.folder = cli->out,
                                     .resume = cli->resume,
                                     .has_seed = cli->has_seed,
                                     .seed = cli->seed,
                                     .stop = cli->steps,
                                     .test_every = cli->test_every,
                                     .save_every = cli->save_every,
                                     .log_every = cli->log_every,
                                     .lr = cli->lr,
                                     .weights = cli->base.weights,
                                     .except = cli->except,
                                     .mean = pictures.mean,
                                     .mean_count = (int64_t)pictures_mean_size(&pictures),
                                     .signal = &signal_caught,
                                     .save_wanted = &save_wanted,
                                     .report = leads ? stderr : NULL};
    rn_loop_result result;
    if (rn_loop_run(trainer, &source, &options, &result, error, sizeof error)) {
        status = CLI_FAILED;
        if (!leads && !result.is_of_all) fprintf(stderr, "rank %d: ", cli->team->rank);
        if (leads || !result.is_of_all) cli_fail(&cli->base, "%s", error);
        cli->is_alone = !result.is_of_all && train_ranks(cli) > 1;
    } else if (leads) {
        report(cli, &result);
    }
    if (!status && result.was_interrupted) status = 128 + (signal_caught ? signal_caught : SIGTERM); /* another's */
    rn_train_destroy(trainer);
    pictures_close(&pictures);
    return status;
}

/* ---- export ---- */
int train_export(const TrainCli *cli) {
    void *trainer;
    char *path = train_weights_path(cli, cli->from);
    if (!path) return CLI_FAILED;
    if (!train_create(&trainer, cli)) {
        free(path);
        return CLI_FAILED;
    }
    int status = CLI_OK;
    if (rn_train_load_weights(trainer, path, NULL) || rn_train_export(trainer, cli->output))
        status = cli_fail(&cli->base, "%s", rn_train_message(trainer));
    rn_train_destroy(trainer);
    free(path);
    return status;
}
