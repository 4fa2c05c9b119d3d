/* A loader makes batches of a set's pictures, in order, ahead of time: its threads decode, resize and normalise them
 * into a ring of batches. What it makes depends on the set, the recipe, the drawing, the step and the batch's size
 * alone: not on threads, on the ring's depth, nor on how many ranks share the batches.
 *
 *     rn_loader *loader;
 *     if (rn_loader_create(&loader, &options, error, sizeof error)) ...
 *     while (!(status = rn_loader_next(loader, &batch, error, sizeof error)) && batch.count) ...
 *     rn_loader_destroy(loader);
 */
#ifndef RN_LOADER_H
#define RN_LOADER_H

#include "data/view.h"

enum { RN_LOADER_DEPTH = 4 /* batches in the ring, where no other number is asked for */, RN_LOADER_SCALES = 32 };

typedef struct rn_loader rn_loader;

typedef struct rn_batch {
    uint64_t step, epoch;         /* from 0; step: of training, or the batch's number of the test set */
    int count;                    /* pictures: this rank's share; 0 after its last one of the test set */
    int views;                    /* images of each picture: 1, or the crops of each scale */
    const float *images;          /* count x views x C x H x W, 64-byte aligned */
    const rn_train_label *labels; /* count; `first` is -1 where a picture of the test set is broken and left out */
    const uint32_t *pictures;     /* count: their index in the split */
} rn_batch;

/* What training draws of its pictures: a function of what it is asked for alone; any thread asks. */
typedef struct rn_drawing rn_drawing;
struct rn_drawing {
    /* The order of the split's `count` pictures in an epoch. */
    void (*order)(const rn_drawing *drawing, uint64_t epoch, uint32_t count, uint32_t *order);
    void (*view)(const rn_drawing *drawing, rn_view *view, const rn_picture_recipe *recipe, rn_shape picture,
                 uint64_t epoch, uint32_t index);
    /* How much of the first of a pair is in its mixture, 1 less of the second; NULL: pictures are not mixed. */
    float (*share)(const rn_drawing *drawing, uint64_t step, uint32_t pair);
};

typedef struct rn_loader_options {
    const rn_data *data; /* outlives the loader */
    rn_split split;      /* RN_TRAIN: as they are drawn, without end; RN_TEST: in order, once, the last batch smaller */
    rn_picture_recipe recipe;  /* copied; what it points to outlives the loader */
    const rn_drawing *drawing; /* of RN_TRAIN; outlives the loader */
    uint64_t first_step;       /* of RN_TRAIN: where training goes on */
    int batch;                 /* pictures of all ranks; an epoch drops its last partial batch */
    int rank, ranks; /* rank r has pictures batch * r / ranks to batch * (r + 1) / ranks of each; 0 ranks: 1 */
    int threads;     /* that make batches; 0: 1 */
    int depth;       /* batches in the ring; 0: RN_LOADER_DEPTH */
    int crops;       /* of RN_TEST: 10: the corners, the middle, and these mirrored (Krizhevsky et al. 2012); 0: 1 */
    int scales[RN_LOADER_SCALES], scale_count; /* of RN_TEST: shorter sides instead of the preprocessing's, all crops of
                                                  each; no scale: that */
    void (*log)(void *user, const char *text); /* pictures left out, once each; called by rn_loader_next; may be NULL */
    void *log_user;
} rn_loader_options;

/* On an error *loader is NULL and `error` (may be NULL) has the text. */
rn_status rn_loader_create(rn_loader **loader, const rn_loader_options *options, char *error, size_t error_size);
void rn_loader_destroy(rn_loader *loader); /* at any time; NULL is allowed */

/* The next step's batch, waited for where it is not ready; valid until the next call. One thread at a time calls.
 * After an error (a broken picture, named) every call gives it again. */
rn_status rn_loader_next(rn_loader *loader, rn_batch *batch, char *error, size_t error_size);

/* Whole batches in an epoch of training: count / batch. */
static inline uint64_t rn_loader_epoch_steps(const rn_data *data, int batch) {
    return rn_data_about(data)->count[RN_TRAIN] / (uint32_t)batch;
}

#endif
