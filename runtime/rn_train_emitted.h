/* rn_train_emitted: what an emitted trainer takes from the runtime beside rn_emitted.h. Not for applications. C alone.
 *
 * An emitted trainer is a struct whose first member is an rn_train_context. Emitted code has:
 *
 *     size        round64(sizeof(NAME_trainer)) + rn_train_buffers_size(&model, batch) + its scratch, in that order:
 *                 | instance | to 64 bytes | parameters | gradients | momentum | labels | scratch, activations ... |
 *     create      one call of rn_train_context_create or _create_jit
 *     gradients   forward and backward of a batch; its tasks run by rn_train_parallel. Where context->changed is set,
 *                 it first packs the weights that its kernels read anew, and clears it
 *     not_finite  the same line of calls with a watch; may be left out
 *
 * It reads context->parameters and writes every float of context->gradients that a tensor has, running statistics' (the
 * batch's mean and unbiased variance) included; padding stays 0. All else (init, SGD, schedule, files, evaluation) is
 * in the library and needs the table alone.
 */
#ifndef RN_TRAIN_EMITTED_H
#define RN_TRAIN_EMITTED_H

#include "rn_emitted.h"
#include "rn_train.h"

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

enum { RN_TRAIN_WINDOW = 100, RN_TRAIN_PATIENCE = 5, RN_TRAIN_PLATEAUS = 3 };

/* What the schedule has learnt so far: all of it that is no function of the step. A checkpoint has it. */
typedef struct rn_train_schedule {
    double lr;         /* at the start: the recipe's, or the one that the command line has */
    int64_t warm;      /* the step at which the warm-up by error ended; -1: it has not */
    int64_t told;      /* steps told to the window */
    int64_t divisions; /* at plateaus so far */
    int64_t waited;    /* tests since the best one, or since the last division */
    double best;       /* smallest test error so far; infinite before the first test */
    int64_t wrong[RN_TRAIN_WINDOW], images[RN_TRAIN_WINDOW]; /* of the last steps, in a ring */
} rn_train_schedule;

struct rn_train_context;

/* A value of the forward pass. */
typedef struct rn_train_value {
    int call;          /* which of the calls of rn_train_parallel makes it, or the last of what it is computed from */
    int parameters;    /* so many of the table's belong to its layer and those before */
    const char *layer; /* its name */
    int64_t at, apart; /* floats: from the arena's beginning; from one image to the next */
    int channels, pixel, pixels; /* a pixel is `pixel` floats, of which `channels` count */
    void (*compute)(struct rn_train_context *context, const rn_kernel *kernels, int n,
                    float *y); /* of a value that is not stored; NULL: it is */
} rn_train_value;

/* Looks at each value as soon as it is there. */
typedef struct rn_train_watch {
    const rn_train_value *values; /* by call */
    int count, images;
    const rn_kernel *kernels;
    int next, call;                /* the value that comes next; calls made */
    const char *layer, *parameter; /* the first that is not finite: after it no call does anything */
} rn_train_watch;

typedef struct rn_train_context { /* the first member of every trainer */
    rn_context base;              /* threads, message; its arena is where the scratch begins */
    const rn_train_model *model;
    int batch;                                /* the largest of a step */
    int changed;                              /* the parameters are not those that were packed last */
    float *parameters, *gradients, *momentum; /* flat, see rn_train_model; 64-byte aligned */
    rn_train_label *labels;                   /* of `batch` images */
    int64_t step;                             /* steps done */
    rn_train_watch *watch;                    /* NULL but for a while */
    uint64_t seed;                            /* of rn_train_init */
    rn_train_schedule schedule;
    /* of several ranks; alone 1 rank */
    const rn_train_team *team;
    int groups;       /* parts of a batch that this rank has, of the model's `ranks`; without those 1 */
    int images;       /* of all ranks, in the step that is made */
    int first;        /* of these, this rank's first one */
    int tells, heard; /* bits: what this rank says with its step's sums; what any rank has said */
    rn_status failed; /* of the team, in the step that is made */
} rn_train_context;

/* Bytes: parameters, gradients, momentum, then `batch` labels, these rounded up to 64:
 * 4 * (floats + gradient_floats + trained_floats) + round64(12 * batch). */
size_t rn_train_buffers_size(const rn_train_model *model, int batch);

/* NAME_train_create. `need` is model->size(rn_train_options_batch(model, options), threads), whose first parts are as
 * above. Checks ABI, options, CPU, arena; zeroes `need` bytes; sets all members of the context. On an error *trainer is
 * NULL, everything is freed, the text is in options->error. */
rn_status rn_train_context_create(void **trainer, size_t instance_size, size_t need, const rn_train_model *model,
                                  void *arena, size_t size, const rn_train_options *options);
/* The same with kernels from libxsmm: dispatches `count` of them into the instance's table at kernels_offset. Linked
 * only where it is called. */
rn_status rn_train_context_create_jit(void **trainer, size_t instance_size, size_t need, size_t kernels_offset,
                                      const rn_kernel_spec *specs, int count, const rn_train_model *model, void *arena,
                                      size_t size, const rn_train_options *options);
int rn_train_options_batch(const rn_train_model *model, const rn_train_options *options);
int rn_train_options_threads(const rn_train_options *options); /* at least 1; NULL is allowed */

/* The number below 2^24 that is drawn for image n of this rank's in this step: of the trainer's seed, the step and the
 * image's place among those of all ranks. */
uint32_t rn_train_drawn(const rn_train_context *context, int n);
/* Dropout number `number` of the network, or its gradient: elements of an image, channels x pixels, the pixels `pixel`
 * floats apart, are dropped, or multiplied by 1 / (1 - rate), by that number (train/drop.h). */
void rn_train_drop(const rn_train_context *context, int n, int number, double rate, int channels, int pixels, int pixel,
                   const float *x, float *y);

/* ---- of --mpi ---- */
enum { RN_TRAIN_SUMS = 3 /* of a group of images: loss, wrong, wrong5 */ };

/* `slabs` sums of `count` doubles for each group, one after another: the first becomes the sum of all, of all ranks. */
void rn_train_sum(rn_train_context *context, double *slabs, int count, int slabs_of_group, const char *what);
/* This part of the gradient buffer is complete: the sum over the ranks may begin. */
void rn_train_start(rn_train_context *context, int64_t offset, int64_t count, const char *what);
/* The end of a step's gradients: waits for them, and adds up the images' results. */
rn_status rn_train_end(rn_train_context *context, double sums[][RN_TRAIN_SUMS], rn_train_result *result);

/* rn_parallel with denormal numbers as zeros (FTZ and DAZ, where the CPU has them) in every part; each thread's mode is
 * restored after its part. */
void rn_train_parallel(rn_train_context *context, rn_task fn, void *arg);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#endif
