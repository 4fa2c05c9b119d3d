/* From a picture of a set to a network's input: what is drawn for it, and how it is done. */
#ifndef RN_AUGMENT_H
#define RN_AUGMENT_H

#include "rn_train.h"
#include "train/data.h"

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

/* How pictures become a network's input: x = (v * range - subtracted - mean[c]) / std[c], v in 0..1 */
typedef struct rn_picture_recipe {
    rn_shape input;           /* c is 1 or 3, or the set's own */
    rn_preprocess preprocess; /* as the network is deployed */
    rn_augment augment;       /* of training pictures */
    rn_train_subtract subtract;
    const float *subtracted; /* NULL, a number for each channel of the input, or C x H x W of them: of rn_data_mean */
    int skip_broken; /* 1: a picture that does not decode is left out; in training the split's next that does stands in
                        for it. 0: it is an error */
} rn_picture_recipe;

/* The training pictures' mean as recipe->subtract asks for it, over values 0..range, in the input's channel order: C
 * floats, or C x H x W of the pictures as they are tested (nothing is drawn): the network's input.mean. `mean` has room
 * for them. The result does not depend on `threads`. */
rn_status rn_data_mean(const rn_data *data, const rn_picture_recipe *recipe, int threads, float *mean, char *error,
                       size_t error_size);

#endif
