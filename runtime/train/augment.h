/* What is drawn for the pictures of training: their order, the part that is seen, colours, mixtures. */
#ifndef RN_AUGMENT_H
#define RN_AUGMENT_H

#include "data/loader.h"

/* What a train section says of its pictures; all zero: nothing is drawn. */
typedef struct rn_augment {
    int pad;                   /* zeros at each side, after the mean's subtraction */
    int crop;                  /* 1: the input's size is cut out at a drawn place; 0: in the middle */
    int scale_min, scale_max;  /* the shorter side is drawn from min..max; 0: as the preprocessing says */
    double area_min, area_max; /* the share of the picture's area that is cut out and resized to the input's size, its
                                  aspect drawn from 3/4..4/3 (Szegedy et al. 2015, section 6); 0: not so */
    int mirror;                /* 1: one in two is mirrored */
    int colour;                /* 1: noise along the principal components of colour (Krizhevsky et al. 2012, 4.1) */
    double mixup;              /* alpha of the beta distribution (Zhang et al. 2018); 0: none */
} rn_augment;

/* What is drawn for a picture in an epoch of training. */
void rn_view_draw(rn_view *view, const rn_picture_recipe *recipe, const rn_augment *augment, rn_shape picture,
                  uint64_t seed, uint32_t epoch, uint32_t index);
/* The share of the first of a pair: Beta(alpha, alpha), not below a half (a pair's two mixtures are the same two with
 * share s and with 1 - s). */
float rn_mixup_share(double alpha, uint64_t seed, uint64_t step, uint32_t pair);
/* Whether it can be done to a set's pictures. */
rn_status rn_augment_check(const rn_augment *augment, const rn_picture_recipe *recipe, const rn_data *data, char *error,
                           size_t error_size);

/* A loader's drawing: all of what a training run draws of its pictures. */
typedef struct rn_augmentation {
    rn_drawing drawing; /* first */
    rn_augment augment;
    uint64_t seed;
} rn_augmentation;
rn_augmentation rn_augmentation_of(const rn_augment *augment, uint64_t seed);

/* The training pictures' mean as recipe->subtract asks for it, over values 0..range, in the input's channel order: C
 * floats, or C x H x W of the pictures as they are tested (nothing is drawn): the network's input.mean. `mean` has room
 * for them. The result does not depend on `threads`. */
rn_status rn_data_mean(const rn_data *data, const rn_picture_recipe *recipe, int threads, float *mean, char *error,
                       size_t error_size);

#endif
