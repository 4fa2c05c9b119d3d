/* The command line of an emitted program: `NAME COMMAND [options] [files]` -> a Cli -> the command's function. */
#include "arguments.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN = 1, CLASSIFY = 2, INFO = 4, BENCH = 8, PROFILE = 16, EVAL = 32, EVERY = 63 };

static const Command commands[] = {
    {"run", RUN, "IN.npy OUT.npy...", "run the network: N x C x H x W normalised floats in, a file per output out"},
    {"classify", CLASSIFY, "IMAGE...", "the likeliest classes of PNG or JPEG pictures"},
    {"eval", EVAL, "[FILE...]", "how many pictures of a labelled set are classified rightly"},
    {"info", INFO, "", "what this network is"},
    {"bench", BENCH, "", "time whole runs, against the machine's peak"},
    {"profile", PROFILE, "", "time each layer, against the machine's peak"},
};

static const Option options[] = {
    {"--weights", EVERY, KIND_TEXT, offsetof(Cli, weights), "FILE",
     "packed or safetensors weights (default: embedded, or the packed file beside this program)"},
    {"--threads", RUN | CLASSIFY | EVAL | BENCH | PROFILE, KIND_COUNT, offsetof(Cli, threads), "N",
     "threads (1); of eval's results none depends on them"},
    {"--batch", BENCH | PROFILE, KIND_COUNT, offsetof(Cli, batch), "N", "images a run (1)"},
    {"--seconds", BENCH | PROFILE, KIND_SECONDS, offsetof(Cli, seconds), "S", "measure for so long (3)"},
    {"--labels", CLASSIFY | EVAL, KIND_TEXT, offsetof(Cli, labels), "FILE", "the classes' names, one a line"},
    {"--top", CLASSIFY, KIND_COUNT, offsetof(Cli, top), "K", "how many classes to show (5)"},
    {"--data", EVAL, KIND_TEXT, offsetof(Cli, data), "KIND:DIR",
     "the pictures: folder:DIR, list:FILE, idx:DIR, cifar10:DIR, cifar100:DIR or npy:DIR"},
#define EVAL_OPTION(name, kind, member, value, help) {name, EVAL, kind, offsetof(Cli, eval.member), value, help},
#include "eval_options.def"
    {"--ensemble", EVAL, KIND_FLAG, offsetof(Cli, eval.ensemble), NULL,
     "the mean of all FILEs: weights of this network, and probabilities (.npy) of any"},
    {"--skip-broken", EVAL, KIND_FLAG, offsetof(Cli, skip_broken), NULL, "leave out pictures that do not decode"},
    {"--json", EVERY, KIND_FLAG, offsetof(Cli, json), NULL, "print JSON"},
};

static const Syntax syntax = {commands, sizeof commands / sizeof *commands, options, sizeof options / sizeof *options,
                              "The network"};

/* What this program's commands need beside. */
static int check(const Cli *cli, const Command *command) {
    if (cli->batch > cli->model->batch)
        return cli_fail(cli, "--batch: this build takes at most %d images a run (rnc --batch N)", cli->model->batch);
    const int files = cli->file_count, outputs = cli->model->output_count;
    if (command->bit == RUN && files != 1 + outputs)
        return cli_usage(cli, "'run' takes IN.npy and %s; %d files given",
                         outputs == 1 ? "OUT.npy" : "one OUT.npy for each output (see info)", files);
    if (command->bit == EVAL && files && !cli->eval.ensemble)
        return cli_usage(cli, "'eval' takes no files but --ensemble's: '%s'; the pictures are --data's", cli->files[0]);
    if (command->bit == EVAL && cli->eval.ensemble && !files)
        return cli_usage(cli, "--ensemble goes with what is averaged: --ensemble A.npy B.npy");
    if (command->bit == EVAL && files && cli->weights)
        return cli_usage(cli, "--ensemble names all weights; there is no --weights beside it");
    if (command->bit == CLASSIFY && files == 0) return cli_usage(cli, "'classify' needs pictures");
    return CLI_OK;
}

static int dispatch(Cli *cli, int argc, char **argv) {
    const Command *command;
    uint64_t seen;
    int status = arguments_parse(cli, &syntax, argc, argv, &command, &seen);
    if (!status && command) status = check(cli, command);
    if (status || !command) return status;
    switch (command->bit) {
    case RUN:
        return cli_run(cli);
    case CLASSIFY:
        return cli_classify(cli);
    case EVAL:
        return cli_eval(cli);
    case INFO:
        return cli_info(cli);
    case BENCH:
        return cli_bench(cli);
    default:
        return cli_profile(cli);
    }
}

int rn_main(const rn_model *model, int argc, char **argv) {
    Cli cli = {.model = model,
               .program = argc > 0 && argv[0] ? argv[0] : model->name,
               .threads = 1,
               .batch = 1,
               .top = 5,
               .seconds = 3};
    if (model->abi != RN_ABI)
        return cli_fail(&cli, "emitted for librn ABI %d, this librn has %d; compile the network again", model->abi,
                        RN_ABI);
    cli_watch_json();
    cli.files = calloc((size_t)argc + 1, sizeof *cli.files);
    if (!cli.files) return cli_fail(&cli, "out of memory");
    int status = dispatch(&cli, argc, argv);
    free(cli.files);
    const int lost = fflush(stdout) || ferror(stdout); /* where an error was said, one is enough */
    if (lost && !status) return cli_fail(&cli, "cannot write the output: %s", strerror(errno));
    return status;
}
