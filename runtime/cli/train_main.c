/* The command line of a training program -> a TrainCli -> the command's function. */
#include "arguments.h"
#include "train.h"
#include "train/folder.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TRAIN = 1, EVAL = 2, EXPORT = 4, CURVES = 8, INFO = 16, BENCH = 32 };

static const Command commands[] = {
    {"train", TRAIN, "", "train, by the train section of the source; writes log.csv and checkpoints to --out"},
    {"eval", EVAL, "[WEIGHTS...]", "errors and loss on the test set"},
    {"export", EXPORT, "", "a run's parameters under their names, as safetensors"},
    {"curves", CURVES, "RUN...", "the logs of runs as one figure, .html or .svg"},
    {"info", INFO, "", "what is trained, and how"},
    {"bench", BENCH, "", "time steps of made-up images, against the machine's peak"},
};

#define MEMBER(name) offsetof(TrainCli, name)
static const Option options[] = {
    {"--data", TRAIN | EVAL, KIND_TEXT, offsetof(Cli, data), "KIND:DIR",
     "the pictures: cifar10:DIR, cifar100:DIR, idx:DIR, folder:DIR or npy:DIR; eval: list:FILE too"},
    {"--out", TRAIN, KIND_TEXT, MEMBER(out), "RUN",
     "the run's folder, for log.csv and checkpoints; it need not be there"},
    {"--resume", TRAIN, KIND_FLAG, MEMBER(resume), NULL,
     "go on from the newest checkpoint in RUN; begin where there is none"},
    {"--seed", TRAIN, KIND_SEED, MEMBER(seed), "N", "parameters, order and augmentation are drawn by it (1)"},
    {"--steps", TRAIN, KIND_STEPS, MEMBER(steps), "N", "end after so many steps in all (the source's 'stop at')"},
    {"--lr", TRAIN, KIND_POSITIVE, MEMBER(lr), "X", "the schedule's lr, instead of the source's"},
    {"--test-every", TRAIN, KIND_STEPS, MEMBER(test_every), "N", "steps from test to test (the source's, or 1k)"},
    {"--save-every", TRAIN, KIND_STEPS, MEMBER(save_every), "N", "from checkpoint to checkpoint (the source's, or 1k)"},
    {"--log-every", TRAIN, KIND_STEPS, MEMBER(log_every), "N", "from line to line of log.csv (100, or fewer)"},
    {"--weights", TRAIN | EVAL, KIND_TEXT, offsetof(Cli, weights), "FILE",
     "what to begin with (train), or to evaluate (eval: a RUN too)"},
    {"--except", TRAIN, KIND_TEXT, MEMBER(except), "GLOB", "of --weights, leave these out: 'fc.*'; they begin anew"},
    {"--skip-broken", TRAIN | EVAL, KIND_FLAG, offsetof(Cli, skip_broken), NULL,
     "leave out pictures that do not decode"},
#define EVAL_OPTION(name, kind, member, value, help) {name, EVAL, kind, offsetof(Cli, eval.member), value, help},
#include "eval_options.def"
    {"--labels", EVAL, KIND_TEXT, offsetof(Cli, labels), "FILE", "the classes' names, one a line"},
    {"--ensemble", EVAL, KIND_FLAG, offsetof(Cli, eval.ensemble), NULL,
     "the mean of all WEIGHTS' probabilities, and of those of .npy files"},
    {"--from", EXPORT, KIND_TEXT, MEMBER(from), "RUN", "a run's folder (its best checkpoint), or a checkpoint's file"},
    {"-o", EXPORT | CURVES, KIND_TEXT, MEMBER(output), "FILE", "the file to write"},
    {"--title", CURVES, KIND_TEXT, MEMBER(title), "TEXT", "above the figure"},
    {"--seeds", CURVES, KIND_COUNT, MEMBER(seeds), "N",
     "N runs after one another are one experiment, of one colour (1)"},
    {"--smooth", CURVES, KIND_STEPS, MEMBER(smooth), "N", "exponential means over about N steps (by the runs' length)"},
    {"--window", CURVES, KIND_FLAG, MEMBER(window), NULL, "the mean of the last N steps instead"},
    {"--raw", CURVES, KIND_FLAG, MEMBER(raw), NULL, "no means: curves as they were logged"},
    {"--log-loss", CURVES, KIND_FLAG, MEMBER(log_loss), NULL, "the loss on a logarithmic scale"},
    {"--error-limit", CURVES, KIND_POSITIVE, MEMBER(error_limit), "X", "where the errors' axis ends: 0.2 is 20 %"},
    {"--threads", TRAIN | EVAL | INFO | BENCH, KIND_COUNT, offsetof(Cli, threads), "N",
     "threads (1); results do not depend on them"},
    {"--batch", BENCH, KIND_COUNT, offsetof(Cli, batch), "N", "images a step (the source's)"},
    {"--seconds", BENCH, KIND_SECONDS, offsetof(Cli, seconds), "S", "measure for so long (3)"},
    {"--json", EVAL | INFO | BENCH, KIND_FLAG, offsetof(Cli, json), NULL, "print JSON"},
};
enum { SEED = 3 /* its row */ };

static const Syntax syntax = {commands, sizeof commands / sizeof *commands, options, sizeof options / sizeof *options,
                              "Trains the network"};

bool train_create(void **trainer, const TrainCli *cli) {
    char error[RN_ERROR_SIZE];
    const rn_train_options o = {.threads = cli->base.threads,
                                .parallel = cli->pool ? rn_pool_run : NULL,
                                .parallel_user = cli->pool,
                                .team = cli->team,
                                .error = error,
                                .error_size = sizeof error};
    if (!cli->model->create(trainer, NULL, 0, &o)) return true;
    cli_fail(&cli->base, "%s", error);
    return false;
}

static void passed_over(void *user, const char *text) {
    const TrainCli *cli = user;
    fprintf(stderr, "%s: passed over: %s\n", cli->base.program, text);
}

static char *newest(const TrainCli *cli, const char *folder) {
    char error[RN_ERROR_SIZE] = "";
    rn_checkpoint checkpoint;
    char *name;
    const rn_status status =
        rn_run_folder_newest(folder, &checkpoint, &name, passed_over, (void *)(uintptr_t)cli, error, sizeof error);
    if (status)
        cli_fail(&cli->base, "%s", error);
    else if (!name)
        cli_fail(&cli->base, "%s: there is no checkpoint in this folder", folder);
    else
        rn_checkpoint_close(&checkpoint);
    return name;
}

char *train_weights_path(const TrainCli *cli, const char *path) {
    struct stat info;
    const bool is_file = stat(path, &info) || !S_ISDIR(info.st_mode); /* who opens it says what is wrong */
    char *file = is_file ? strdup(path) : rn_run_folder_file(path, RN_RUN_BEST);
    if (!file) cli_fail(&cli->base, "out of memory");
    if (!file || is_file || !stat(file, &info)) return file;
    free(file);
    return newest(cli, path);
}

static bool ends_in(const char *path, const char *ending) {
    const size_t length = strlen(path), end = strlen(ending);
    return length > end && !strcmp(path + length - end, ending);
}

static int check(const TrainCli *cli, const Command *command) {
    const Cli *base = &cli->base;
    const int files = base->file_count;
    if (command->bit == TRAIN && !cli->out) return cli_usage(base, "'train' needs --out RUN");
    if (command->bit == TRAIN && cli->except && !base->weights)
        return cli_usage(base, "--except says what --weights leaves out; no --weights is given");
    if (command->bit == EVAL && (base->weights != NULL) + (files > 0) != 1)
        return cli_usage(base, "'eval' needs --weights FILE, or --ensemble WEIGHTS...");
    if (command->bit == EVAL && base->eval.ensemble != (files > 0))
        return cli_usage(base, "--ensemble goes with the networks' weights: --ensemble A.safetensors B.safetensors");
    if (command->bit == EXPORT && (!cli->from || !cli->output))
        return cli_usage(base, "'export' needs --from RUN and -o FILE");
    if (command->bit == EXPORT && !ends_in(cli->output, ".safetensors"))
        return cli_usage(base, "-o %s: what is exported is a .safetensors file", cli->output);
    if (command->bit == CURVES && (!files || !cli->output))
        return cli_usage(base, "'curves' needs the folders of runs, and -o FILE");
    if (command->bit == CURVES && cli->raw && (cli->window || cli->smooth))
        return cli_usage(base, "--raw takes neither --smooth nor --window");
    if (command->bit == CURVES && cli->seeds && files % cli->seeds)
        return cli_usage(base, "--seeds: %d runs are no multiple of %d", files, cli->seeds);
    if (command->bit == CURVES && cli->error_limit > 1)
        return cli_usage(base, "--error-limit: at most 1, which is 100 %%");
    const int ranks = command->bit == BENCH ? train_ranks(cli) : 1;
    if (ranks > 1 && !cli->model->ranks)
        return cli_fail(base, "%d processes; this build trains in one (rnc --train --mpi is for several)", ranks);
    if (base->batch % ranks) return cli_usage(base, "--batch: %d images for %d processes", base->batch, ranks);
    if (command->bit == BENCH && base->batch / ranks > cli->model->batch)
        return cli_fail(base, "--batch: this build takes at most %d images a step (rnc --train --batch N)",
                        cli->model->batch);
    return CLI_OK;
}

static int dispatch(TrainCli *cli, int argc, char **argv) {
    const Command *command;
    uint64_t seen;
    int status = arguments_parse(&cli->base, &syntax, argc, argv, &command, &seen);
    cli->has_seed = seen >> SEED & 1;
    if (!status && command) status = check(cli, command);
    if (status || !command) return status;
    if (!(command->bit & (TRAIN | BENCH)) && cli->team && cli->team->rank) return CLI_OK; /* rank 0 does it */
    if (cli->base.threads > 1 && command->bit & (TRAIN | BENCH)) cli->pool = rn_pool_create(cli->base.threads);
    switch (command->bit) {
    case TRAIN:
        return train_train(cli);
    case EVAL:
        return train_eval(cli);
    case EXPORT:
        return train_export(cli);
    case CURVES:
        return train_curves(cli);
    case INFO:
        return train_info(cli);
    default:
        return train_bench(cli);
    }
}

int rn_train_main_of(const rn_train_model *model, const rn_train_team *team, int argc, char **argv, int *alone) {
    const int ranks = team && model->ranks ? team->ranks : 1;
    TrainCli cli = {
        .base = {.model = model->network,
                 .program = argc > 0 && argv[0] ? argv[0] : model->name,
                 .threads = 1,
                 .batch = model->recipe->batch < model->batch * ranks ? model->recipe->batch : model->batch * ranks,
                 .seconds = 3},
        .model = model,
        .team = team,
        .seed = 1};
    if (alone) *alone = 0;
    ranks_mute(&cli);
    if (model->abi != RN_TRAIN_ABI || model->network->abi != RN_ABI)
        return cli_fail(&cli.base,
                        "emitted for another librn: ABI %d and %d, this one has %d and %d; compile the network again",
                        model->network->abi, model->abi, RN_ABI, RN_TRAIN_ABI);
    cli_watch_json();
    cli.base.files = calloc((size_t)argc + 1, sizeof *cli.base.files);
    if (!cli.base.files) return cli_fail(&cli.base, "out of memory");
    int status = dispatch(&cli, argc, argv);
    rn_pool_destroy(cli.pool);
    free(cli.base.files);
    if (alone) *alone = cli.is_alone;
    const int lost = fflush(stdout) || ferror(stdout); /* where an error was said, one is enough */
    if (lost && !status) return cli_fail(&cli.base, "cannot write the output: %s", strerror(errno));
    return status;
}

int rn_train_main(const rn_train_model *model, int argc, char **argv) {
    return rn_train_main_of(model, NULL, argc, argv, NULL);
}
