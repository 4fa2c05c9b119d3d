/* rn_train: training of networks that rnc --train compiled.
 *
 * rnc --train resnet56.rn -o resnet56.c writes resnet56.h, whose functions resnet56_train_NAME are rn_train_NAME below
 * for a trainer of that network:
 *
 *     rn_train_options options = {.threads = 2, .error = error, .error_size = sizeof error};
 *     resnet56_trainer *t;
 *     if (resnet56_train_create(&t, NULL, 0, &options)) ...
 *     if (resnet56_train_init(t, 1)) ...                              or: resnet56_train_load_weights(t, path, "fc.*")
 *     while (...)
 *         if (resnet56_train_step(t, 128, images, labels, &result)) puts(resnet56_train_message(t));
 *     if (resnet56_train_export(t, "resnet56.safetensors")) ...
 *     resnet56_train_destroy(t);
 *
 * A step allocates nothing and prints nothing. A trainer is used by one thread at a time; different trainers run at
 * once. The result of a step depends on the program, its CPU's instructions, the parameters and the batch, not on the
 * number of threads. C99 and C++.
 */
#ifndef RN_TRAIN_H
#define RN_TRAIN_H

#include "rn.h"

#ifndef RN_STANDALONE
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif
#endif
#ifdef __cplusplus
extern "C" {
#endif

#define RN_TRAIN_ABI 1 /* of the structs of this header and of rn_train_emitted.h; create checks */

/* ---- a step's arguments ---- */

/* Several processes (ranks) that make a step together, each with its images of the batch; of programs and modules of
 * rnc --train --mpi[=R]. Each calls the same functions of its trainer with the same number of images, and then all have
 * the same gradients, parameters and results: those of all images. rn_train_mpi.h has a team over MPI; an application
 * may bring another. The functions are called by the trainer's thread alone, on every rank in the same order with the
 * same sizes. They return RN_OK, or a status that ends the step as an error.
 *
 * Numbers are added in a binary tree over ranks: 0 and 1, 2 and 3, ..., then the pairs, and so on. Then N ranks have
 * the bits of one for N = 1, 2, 4 .. R. Denormal numbers count as zero in the trainer's additions (FTZ and DAZ), so
 * they have to in a team's. `what` is for messages: "layer1.0.bn1". */
typedef struct rn_train_traffic { /* since the team began, of this rank */
    int64_t bytes;                /* sent */
    double gradients;             /* seconds in which sums of gradients were under way; */
    double waited_for_gradients;  /* of these, those that the trainer waited for them (await) */
    double waited_for_sums;       /* and those for sum and share */
} rn_train_traffic;

typedef struct rn_train_team {
    int rank, ranks; /* ranks: at least 1; rank: 0 .. ranks - 1 */
    void *user;
    /* values[i] becomes the sum of all ranks', and is that when it returns. */
    rn_status (*sum)(void *user, const char *what, double *values, int count);
    /* The same of floats, later: nobody touches them before the next await, when all are sums. */
    rn_status (*start)(void *user, const char *what, float *values, int64_t count);
    rn_status (*await)(void *user);
    rn_status (*share)(void *user, const char *what, void *bytes, size_t size); /* become those of rank 0 */
    void (*at)(void *user, int64_t step);                   /* a step begins, the first is 1; may be NULL */
    void (*traffic)(void *user, rn_train_traffic *traffic); /* for bench; may be NULL */
} rn_train_team;

/* All zero is the default. */
typedef struct rn_train_options {
    int threads;                                                /* 0: 1; at most RN_MAX_THREADS; as in rn_options */
    void (*parallel)(void *user, int n, rn_task fn, void *arg); /* as in rn_options. NULL: OpenMP */
    void *parallel_user;
    int batch;   /* the largest that a step will have; 0: the program's. A smaller one needs a smaller arena */
    char *error; /* the text of create's error, "" after success; may be NULL */
    size_t error_size;
    const rn_train_team *team; /* whom steps are made with; it outlives the trainer. NULL: nobody */
} rn_train_options;

/* The target of an image: probability `share` for class `first`, 1 - share for class `second` (mixup); before the
 * recipe's smoothing. A plain label k is {k, k, 1}. */
typedef struct rn_train_label {
    int32_t first, second; /* 0 .. classes - 1 */
    float share;
} rn_train_label;

/* Sums over the images of a step, so that those of several ranks, or of an epoch, add up. */
typedef struct rn_train_result {
    int64_t images;
    int64_t wrong, wrong5; /* images whose `first` class is not the likeliest, not among the likeliest five */
    double loss;           /* the sum of the images' losses; loss / images is the mean */
} rn_train_result;

/* ---- the train section of the source, checked and complete ---- */
typedef enum rn_train_filling { RN_TRAIN_HE, RN_TRAIN_XAVIER } rn_train_filling;
typedef enum rn_train_subtract {
    RN_TRAIN_SUBTRACT_NOTHING, /* the images are made as the network's preprocessing says */
    RN_TRAIN_SUBTRACT_PIXEL_MEAN,
    RN_TRAIN_SUBTRACT_CHANNEL_MEAN
} rn_train_subtract;

typedef struct rn_train_recipe {
    /* loss crossentropy: the target is (1 - smooth) * label + smooth / classes */
    double smooth;
    int batch; /* images of a step, of all ranks together */

    /* sgd, as torch.optim.SGD has it without dampening: g += decay * w; b = momentum * b + g;
     * w -= lr * b, or with nesterov w -= lr * (g + momentum * b) */
    double lr, momentum, decay;
    int nesterov;
    int decay_all; /* 1: decay is of all trained parameters; 0: of weights of convolutions and fc alone */

    /* How lr goes on. At most one of: division, cosine */
    double divide_by;         /* 0: no division */
    const int64_t *divide_at; /* lr is divided at these steps, rising; NULL where there are none */
    int divide_count;
    int divide_at_plateau; /* 1: instead of at steps, where the test error stops falling */
    int cosine;            /* 1: from lr to cosine_to along half a cosine, from the end of the warm-up to `stop` */
    double cosine_to;

    /* Warm-up: lr is warmup_lr at first. */
    int warmup;
    double warmup_lr;
    double warmup_error;  /* until the training error is below this fraction; 0: by steps */
    int64_t warmup_steps; /* for so many steps; 0: by error */
    int warmup_rise;      /* 1: over these steps it rises in a straight line to lr */

    int64_t stop; /* steps; 0: not said */

    rn_train_filling init;
    int zero_last; /* 1: weights of parameters that are `last` begin as 0 */

    int pad;                    /* zeros at each side before the crop */
    int crop_h, crop_w;         /* a random crop; 0: none */
    int resize_min, resize_max; /* the shorter side is drawn from these; 0: none */
    double area_min,
        area_max; /* a crop of a share of the area drawn from these, of a side ratio from 3/4 to 4/3; 0: none */
    int mirror, colour;
    double mixup; /* alpha of the Beta distribution; 0: none */
    rn_train_subtract subtract;

    int64_t test_every, save_every; /* steps; 0: not said */
} rn_train_recipe;

/* ---- parameters ---- */
typedef enum rn_train_kind {
    RN_TRAIN_WEIGHT, /* of a convolution or of fc */
    RN_TRAIN_BIAS,
    RN_TRAIN_NORM_WEIGHT, /* of batch norm and other norms, of scale */
    RN_TRAIN_NORM_BIAS,
    RN_TRAIN_SLOPE, /* of prelu */
    RN_TRAIN_RUNNING_MEAN,
    RN_TRAIN_RUNNING_VAR,
    RN_TRAIN_CONSTANT /* no parameter of training: a tensor of the weights file that stays as it was loaded, such as
                         input.mean */
} rn_train_kind;

#define RN_TRAIN_MEAN "input.mean" /* the constant that is subtracted from pictures, where the recipe has one */

typedef struct rn_train_parameter {
    const char *name; /* in the weights file: "layer1.0.conv1.weight" */
    rn_train_kind kind;
    int trained; /* 1: it has a gradient; 0: frozen, a running statistic, a constant */
    int last;    /* 1: the weight of the last batch norm of a residual block's body, which `zero last` begins with 0 */
    int ndim;
    int32_t dim[4];          /* as in the weights file; 1 beyond ndim */
    int64_t fan_in, fan_out; /* of a weight: inputs of an output, outputs of an input; 0 of others */
    double momentum;         /* of a running statistic: r += momentum * (the batch's - r); 0 of others */
    int64_t offset;          /* in the flat buffers, floats; a multiple of 16 */
} rn_train_parameter;

static inline int64_t rn_train_count(const rn_train_parameter *p) { /* its floats */
    int64_t count = 1;
    for (int i = 0; i < p->ndim; i++) count *= p->dim[i];
    return count;
}

/* ---- a compiled trainer, described; constant ---- */
/* Three flat buffers of floats, each tensor in the order of the weights file, padded with zeros to a multiple of 16:
 *
 *     parameters  | trained | running statistics | frozen, constants |     `floats`
 *     gradients   | trained | of the batch       |                         `gradient_floats`
 *     momentum    | trained |                                              `trained_floats`
 *
 * The trained parameters lie in the order in which the backward pass completes them: the last layer's first. With
 * ranks, the first `summed_floats` are those of which each rank has a part until they are summed, then come all others;
 * both in that order. */
typedef struct rn_train_model {
    int abi;                 /* RN_TRAIN_ABI */
    const char *name;        /* the network's */
    const rn_model *network; /* the inference code, which evaluates: the same source */
    const rn_train_recipe *recipe;
    const rn_train_parameter *parameters; /* in the order of the source */
    int parameter_count;
    int64_t floats, gradient_floats, trained_floats;
    const char *source_hash; /* of the network and its train section: another one is another experiment */
    const char *plan_hash;   /* of what decides the bits: emitted code, target, kernels, recipe */
    int batch;               /* the largest of a step */
    int classes;
    int64_t macs;            /* multiply-adds of one image, forward and backward */
    int64_t multiplications; /* those that the code does */

    /* Bytes of the arena for steps of up to `batch` images (at most the program's) on so many threads; exact. */
    size_t (*size)(int batch, int threads);
    /* NAME_train_create, see rn_train_create. */
    rn_status (*create)(void **trainer, void *arena, size_t size, const rn_train_options *options);
    /* Forward and backward of n images (1 .. options.batch), planar n x C x H x W, normalised: the gradient of the mean
     * loss into the flat buffer, and the batch's means and unbiased variances beside it. Labels are in range. Adds to
     * nothing: *result is of this call. Reads parameters, does not change them. Checked arguments. */
    rn_status (*gradients)(void *trainer, int n, const float *images, const rn_train_label *labels,
                           rn_train_result *result);
    /* The first in the order of the forward pass, of gradients' images and labels, that has a NaN or an infinity: a
     * layer by its value, or one of the parameters; both are NULL where none has. The gradients are computed again. May
     * be NULL: the parameters and the inference code are asked. */
    void (*not_finite)(void *trainer, int n, const float *images, const rn_train_label *labels, const char **layer,
                       const char **parameter);
    /* Of --mpi=R; else 0. */
    int ranks;        /* R: so many ranks have the bits of one, and 1, 2, 4 .. R */
    int group_images; /* the most images of a batch's R-th part */
    int64_t summed_floats;
} rn_train_model;

/* ---- the functions of a trainer; `trainer` is what the model's create made ---- */

/* An initialised trainer needs rn_train_init or a file next: all parameters are 0 before. arena: 64-byte aligned, of at
 * least model->size(batch, threads) bytes; NULL: allocated. On an error *trainer is NULL, the text is in
 * options->error. */
rn_status rn_train_create(const rn_train_model *model, void **trainer, void *arena, size_t size,
                          const rn_train_options *options);
void rn_train_destroy(void *trainer);              /* NULL is allowed */
const char *rn_train_message(const void *trainer); /* the text of the last error */

/* Every parameter as at the start of training, the step 0, the momentum 0: weights by He et al. (2015, section 2.2:
 * normal, variance 2 / fan_in) or Glorot and Bengio (2010: uniform, variance 2 / (fan_in + fan_out)); norms 1 and 0,
 * biases 0, slopes 0.25, running mean 0 and variance 1. Draws are counter-based: they depend on the seed and on the
 * parameter's place in the table. Constants stay. */
rn_status rn_train_init(void *trainer, uint64_t seed);

/* All of a step: gradients, then apply with the schedule's lr for this step. images: n x C x H x W floats, normalised
 * as for the network's run; labels: n classes. A loss that is not finite is RN_ERROR_FORMAT, its message has the first
 * such layer, and no parameter has changed. result may be NULL. */
rn_status rn_train_step(void *trainer, int n, const float *images, const int32_t *labels, rn_train_result *result);
/* The same for targets of two classes. */
rn_status rn_train_step_mixed(void *trainer, int n, const float *images, const rn_train_label *labels,
                              rn_train_result *result);

/* The parts of a step, for a loop of the caller's, such as one that sums gradients over machines. */
rn_status rn_train_gradients(void *trainer, int n, const float *images, const int32_t *labels, rn_train_result *result);
rn_status rn_train_gradients_mixed(void *trainer, int n, const float *images, const rn_train_label *labels,
                                   rn_train_result *result);
/* The update of the recipe's SGD by the gradient buffer, and of the running statistics; counts a step. */
rn_status rn_train_apply(void *trainer, double lr);
/* What the schedule learns from a step (the warm-up's error) and from a test (the plateau); step() does the first by
 * itself. A test's error is a fraction. */
void rn_train_tell_step(void *trainer, const rn_train_result *result);
void rn_train_tell_test(void *trainer, double error);
double rn_train_lr(const void *trainer);     /* the schedule's, for the next step */
int64_t rn_train_steps(const void *trainer); /* done since the start of training */

/* The flat buffers, live; *floats (may be NULL) gets their length. What the caller writes to the parameters after a
 * call counts in the next step. */
float *rn_train_parameters(void *trainer, size_t *floats);
float *rn_train_gradient_buffer(void *trainer, size_t *floats);
float *rn_train_momentum(void *trainer, size_t *floats);
const rn_train_parameter *rn_train_parameter_named(const void *trainer, const char *name); /* NULL: none is */

/* The network as it would ship: n images through the inference code with the live parameters and running statistics.
 * output: n x network->output_size floats, as run gives them. Packs the weights at each call, and allocates: give it
 * many images. An image runs on one thread, so that the result does not depend on their number. */
rn_status rn_train_evaluate(void *trainer, int n, const float *images, float *output);
/* The same for labelled images; the loss is without smoothing. */
rn_status rn_train_test(void *trainer, int n, const float *images, const int32_t *labels, rn_train_result *result);

/* ---- files ---- */
/* A checkpoint: everything needed to go on, as one safetensors file, which is also a weights file of the network.
 * Written to a temporary file, synchronised and renamed: after a crash the old file or the new one is there. */
rn_status rn_train_save(void *trainer, const char *path);
/* Goes on from a checkpoint: of this source, plan and recipe's batch, or it is refused with both values. On an error
 * the trainer is as it was. */
rn_status rn_train_load(void *trainer, const char *path);
/* Parameters alone, of a weights file (safetensors) of this network or of a checkpoint; step and momentum 0.
 * except: a glob of names that keep their values ("fc.*"), such as a layer of another number of classes; NULL: none.
 * Every other tensor must be there. On an error the trainer is as it was. */
rn_status rn_train_load_weights(void *trainer, const char *path, const char *except);
/* The parameters under their names (torchvision's where the source has its), as safetensors. */
rn_status rn_train_export(void *trainer, const char *path);

/* ---- the commands of a training program: train, eval, export, curves, info, bench (see NAME --help). Prints. Returns
 * the exit status: 0, 1 (the input is wrong), 2 (the command line is wrong), 130 or 143 after SIGINT or SIGTERM.
 * Linked only where it is called ---- */
int rn_train_main(const rn_train_model *model, int argc, char **argv);
/* The same on each rank of a team. train and bench are of all ranks, other commands rank 0's; rank 0 speaks for all.
 * *alone becomes 1 where this rank has failed while others go on, which the caller has to end. */
int rn_train_main_of(const rn_train_model *model, const rn_train_team *team, int argc, char **argv, int *alone);

#ifdef __cplusplus
}
#endif
#ifndef RN_STANDALONE
#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#endif
#endif
