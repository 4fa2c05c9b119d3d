/* The commands of a training program. train_main.c reads the command line into a TrainCli; each command has a file;
 * train_data.c makes the pictures. Commands return the exit status. */
#ifndef RN_CLI_TRAIN_H
#define RN_CLI_TRAIN_H

#include "cli.h"
#include "train/augment.h"
#include "train/checkpoint.h"
#include "train/loop.h"
#include "train/pool.h"

typedef struct TrainCli {
    Cli base; /* first; its model is the network; weights: --weights */
    const rn_train_model *model;
    const char *out, *except, *from, *output, *title; /* NULL: not given */
    bool resume, has_seed, window, raw, log_loss;
    uint64_t seed;
    int64_t steps, test_every, save_every, log_every, smooth;
    double lr, error_limit;
    int seeds;
    rn_pool *pool;             /* of trainers; NULL: one thread, or OpenMP's */
    const rn_train_team *team; /* of several ranks; NULL: this process is alone */
    int terminal, memory;      /* of train_ranks.c: standard error's descriptor, and what stands for it; -1: none */
    bool is_alone;             /* an error of this rank that others do not know of */
} TrainCli;

static inline int train_ranks(const TrainCli *cli) {
    return cli->team ? cli->team->ranks : 1;
}

int train_train(TrainCli *cli);
int train_eval(const TrainCli *cli);
int train_export(const TrainCli *cli);
int train_curves(const TrainCli *cli);
int train_info(const TrainCli *cli);
int train_bench(TrainCli *cli);

/* ---- train_data.c ---- */
typedef struct Pictures { /* the set of --data, and how it becomes the network's input */
    const TrainCli *cli;
    rn_data *data;
    rn_picture_recipe recipe;
    float *mean;             /* that is subtracted from values 0..1; NULL: nothing is */
    float *deployed_mean;    /* the same of values 0..range, as weights files have it: RN_TRAIN_MEAN */
    rn_augmentation drawing; /* of training; its seed may change before a loader is made */
    rn_loader *loaders[RN_SPLITS];
} Pictures;

/* Opens --data and checks it against the network. False: said why; nothing is left to close. */
bool pictures_open(Pictures *pictures, const TrainCli *cli);
void pictures_close(Pictures *pictures);
/* The mean that the recipe subtracts, of the training pictures. False: said why. */
bool pictures_mean(Pictures *pictures);
size_t pictures_mean_size(const Pictures *pictures); /* its floats */
rn_train_source pictures_source(Pictures *pictures); /* while they are open; draws by the run's seed */

/* ---- train_ranks.c ---- */
void ranks_mute(TrainCli *cli); /* until all are ready, this one's errors are kept */
/* Whether all ranks are ready; called by all. Where one is not, it or one like it has said why. */
bool ranks_agree(TrainCli *cli, bool good);

/* ---- train_main.c ---- */
bool train_create(void **trainer, const TrainCli *cli); /* false: said why */
/* The weights' file of a path: of a run's folder its best checkpoint, or else its newest; malloc'd. NULL: said why. */
char *train_weights_path(const TrainCli *cli, const char *path);

#endif
