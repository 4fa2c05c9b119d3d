/* Pictures of --data as batches. */
#include "train.h"

#include <stdlib.h>

size_t pictures_mean_size(const Pictures *p) {
    const rn_shape s = p->recipe.input;
    return p->recipe.subtract == RN_TRAIN_SUBTRACT_CHANNEL_MEAN ? (size_t)s.c : (size_t)s.c * (size_t)s.h * (size_t)s.w;
}

static rn_augment augment_of(const rn_train_recipe *r) {
    return (rn_augment){.pad = r->pad,
                        .crop = r->crop_h > 0,
                        .scale_min = r->resize_min,
                        .scale_max = r->resize_max,
                        .area_min = r->area_min,
                        .area_max = r->area_max,
                        .mirror = r->mirror,
                        .colour = r->colour,
                        .mixup = r->mixup};
}

static bool check(const Pictures *pictures) {
    char error[RN_ERROR_SIZE];
    const TrainCli *cli = pictures->cli;
    const rn_data_info *about = rn_data_about(pictures->data);
    if (about->classes > cli->model->classes) {
        cli_fail(&cli->base, "%s: %d classes; the network has %d", cli->base.data, about->classes, cli->model->classes);
        return false;
    }
    if (!rn_picture_recipe_check(&pictures->recipe, pictures->data, error, sizeof error) &&
        !rn_augment_check(&pictures->drawing.augment, &pictures->recipe, pictures->data, error, sizeof error))
        return true;
    cli_fail(&cli->base, "%s", error);
    return false;
}

bool pictures_open(Pictures *pictures, const TrainCli *cli) {
    char error[RN_ERROR_SIZE];
    const rn_augment augment = augment_of(cli->model->recipe);
    *pictures = (Pictures){.cli = cli, .drawing = rn_augmentation_of(&augment, cli->seed)};
    if (!cli->base.data) {
        cli_usage(&cli->base, "--data KIND:FOLDER is missing: cifar10:, cifar100:, idx:, folder: or npy:");
        return false;
    }
    if (rn_data_open(&pictures->data, cli->base.data, error, sizeof error)) {
        cli_fail(&cli->base, "%s", error);
        return false;
    }
    const rn_model *network = cli->base.model;
    pictures->recipe = (rn_picture_recipe){.input = network->input,
                                           .preprocess = network->preprocess,
                                           .subtract = cli->model->recipe->subtract,
                                           .skip_broken = cli->base.skip_broken};
    if (check(pictures)) return true;
    pictures_close(pictures);
    return false;
}

void pictures_close(Pictures *pictures) {
    for (int i = 0; i < RN_SPLITS; i++) rn_loader_destroy(pictures->loaders[i]);
    rn_data_close(pictures->data);
    free(pictures->mean);
    *pictures = (Pictures){0};
}

bool pictures_mean(Pictures *pictures) {
    char error[RN_ERROR_SIZE];
    const TrainCli *cli = pictures->cli;
    if (pictures->recipe.subtract == RN_TRAIN_SUBTRACT_NOTHING) return true;
    pictures->recipe.subtracted = pictures->mean = malloc(pictures_mean_size(pictures) * sizeof *pictures->mean);
    if (!pictures->mean) {
        cli_fail(&cli->base, "out of memory");
        return false;
    }
    if (!rn_data_mean(pictures->data, &pictures->recipe, cli->base.threads, pictures->mean, error, sizeof error))
        return true;
    cli_fail(&cli->base, "%s", error);
    return false;
}

static void log_skipped(void *user, const char *text) {
    const Pictures *pictures = user;
    fprintf(stderr, "%s: %s\n", pictures->cli->base.program, text);
}

static rn_loader_options loader_options(Pictures *pictures, rn_split split) {
    const rn_train_team *team = pictures->cli->team;
    return (rn_loader_options){.data = pictures->data,
                               .split = split,
                               .recipe = pictures->recipe,
                               .drawing = &pictures->drawing.drawing,
                               .batch = pictures->cli->model->recipe->batch,
                               .rank = team ? team->rank : 0,
                               .ranks = team ? team->ranks : 1,
                               .threads = pictures->cli->base.threads,
                               .log = log_skipped,
                               .log_user = pictures};
}

static rn_status begin(void *user, rn_split split, uint64_t first, uint64_t seed, char *error, size_t error_size) {
    Pictures *pictures = user;
    pictures->drawing.seed = seed;
    rn_loader_options options = loader_options(pictures, split);
    options.first_step = first;
    rn_loader_destroy(pictures->loaders[split]);
    return rn_loader_create(&pictures->loaders[split], &options, error, error_size);
}

static rn_status next(void *user, rn_split split, rn_batch *batch, char *error, size_t error_size) {
    return rn_loader_next(((Pictures *)user)->loaders[split], batch, error, error_size);
}

rn_train_source pictures_source(Pictures *pictures) {
    return (rn_train_source){.user = pictures,
                             .hash = rn_data_about(pictures->data)->hash,
                             .name = pictures->cli->base.data,
                             .epoch_steps = rn_loader_epoch_steps(pictures->data, pictures->cli->model->recipe->batch),
                             .begin = begin,
                             .next = next};
}
