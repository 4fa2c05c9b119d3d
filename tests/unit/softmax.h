/* A trainer by hand, in the form that rnc emits: softmax regression of 2 x 3 x 3 images to 6 classes, with a bias, and
 * a running mean and variance of each channel of the input that nothing reads. And made-up images that it learns. */
#ifndef RN_TESTS_SOFTMAX_H
#define RN_TESTS_SOFTMAX_H

#include "rn_train_emitted.h"
#include "runtime/train/loop.h"

enum {
    SOFTMAX_CLASSES = 6,
    SOFTMAX_INPUTS = 18,
    SOFTMAX_PIXELS = 9,
    SOFTMAX_BATCH = 20,
    SOFTMAX_IMAGES = 300, /* of training; 15 steps an epoch */
    SOFTMAX_TESTS = 60,
    SOFTMAX_WEIGHT = 0, /* their places in the table */
    SOFTMAX_BIAS,
    SOFTMAX_MEAN,
    SOFTMAX_VAR
};

/* What tests may change before they create; softmax_reset makes it as it was. */
extern rn_train_model softmax;
extern rn_train_recipe softmax_recipe;
extern rn_train_parameter softmax_parameters[4];
extern int64_t softmax_breaks_at; /* the gradients after so many steps have a NaN; -1: never */
void softmax_reset(void);

/* One with so many threads, initialised by `seed`. */
void *softmax_trainer(int threads, uint64_t seed);

/* The made-up images as a source; `place` is its state. */
typedef struct SoftmaxData {
    uint64_t seed, step, test; /* test: the batch that is next */
    float images[SOFTMAX_BATCH * SOFTMAX_INPUTS];
    rn_train_label labels[SOFTMAX_BATCH];
    uint32_t pictures[SOFTMAX_BATCH];
} SoftmaxData;
rn_train_source softmax_source(SoftmaxData *place);

/* Image and label number `index`, of training or (from SOFTMAX_IMAGES on) of the test. */
int32_t softmax_image(uint32_t index, float *image);
/* The first of a batch's images and labels, without a source. */
void softmax_batch(float images[SOFTMAX_BATCH * SOFTMAX_INPUTS], int32_t labels[SOFTMAX_BATCH], uint32_t first);

#endif
