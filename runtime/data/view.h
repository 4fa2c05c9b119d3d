/* One network's input of one picture of a set: which part of it is seen, and how. */
#ifndef RN_VIEW_H
#define RN_VIEW_H

#include "rn_train.h"
#include "data/data.h"

/* How a picture is resized; resample.c says what each is. */
typedef enum rn_filter {
    RN_FILTER_BILINEAR, /* antialiased, as in rn_preprocess */
    RN_FILTER_BICUBIC,
    RN_FILTER_BILINEAR_PLAIN, /* not antialiased */
    RN_FILTER_BICUBIC_PLAIN
} rn_filter;

/* How pictures become a network's input: x = (v * range - subtracted - mean[c]) / std[c], v in 0..1 */
typedef struct rn_picture_recipe {
    rn_shape input;           /* c is 1 or 3, or the set's own */
    rn_layout layout;         /* of the input */
    rn_preprocess preprocess; /* as the network is deployed */
    rn_filter filter;         /* of pictures that are tested */
    int rounded;              /* 1: what bytes are resized to is rounded to bytes, behind each direction where it is
                                 antialiased (as Pillow), else once; 0: it is not, as in rn_preprocess */
    int resized_h, resized_w; /* their size before the crop, whatever the proportions; 0: as the preprocessing says */
    rn_train_subtract subtract;
    const float *subtracted; /* NULL, a number for each channel of the input, or C x H x W of them */
    int skip_broken; /* 1: a picture that does not decode is left out; in training the split's next that does stands in
                        for it. 0: it is an error */
} rn_picture_recipe;

typedef struct rn_view {
    int top, left, height, width; /* of the picture: what is resized */
    int resized_h, resized_w;
    int y, x;       /* where the input begins in the resized part; negative: before it */
    int mirror;     /* the input is seen from behind */
    int black;      /* 1: what lies beside the picture is black, as for a deployed network; 0: it is 0 in the input */
    float noise[3]; /* added to R, G, B, of 0..1 */
    rn_filter filter;
    int rounded;
} rn_view;

/* The whole picture, resized: the shorter side to `shorter_side`; 0: as the preprocessing says. */
void rn_view_whole(rn_view *view, const rn_picture_recipe *recipe, rn_shape picture, int shorter_side);
/* Where a window in the middle of `size` pixels begins; negative where it is larger. */
int rn_view_centre(int size, int window);
/* As pictures are tested; scale: the shorter side, 0: as the preprocessing says. crop 0 is the middle; of ten, 1..4 are
 * the corners, 5..9 the same as 0..4, mirrored. */
void rn_view_test(rn_view *view, const rn_picture_recipe *recipe, rn_shape picture, int crop, int scale);

/* How many times smaller the picture may be decoded, so that its part is still no smaller than what it is resized to:
 * 1, 2, 4 or 8; and the view of the picture that came of that. */
int rn_view_reduction(const rn_view *view);
void rn_view_reduce(rn_view *view, int times, rn_shape picture);

/* Floats of one thread, which grow as they must; all zero to begin with. */
typedef struct rn_scratch {
    float *floats[4];
    size_t count[4];
} rn_scratch;
float *rn_scratch_floats(rn_scratch *scratch, int which, size_t count); /* NULL: no memory */
void rn_scratch_free(rn_scratch *scratch);

/* The picture as `view` has it: the floats of the recipe's input, in its layout. RN_ERROR_MEMORY or RN_OK. */
rn_status rn_view_apply(const rn_view *view, const rn_picture_recipe *recipe, const rn_picture *picture,
                        rn_scratch *scratch, float *input);

/* Rows y .. y+h-1 and columns x .. x+w-1 of the view's part resized, c planes of h x w: bytes as 0..255, floats as they
 * are. RN_ERROR_MEMORY or RN_OK. */
rn_status rn_view_resample(const rn_view *view, const rn_picture *picture, int y, int x, int h, int w,
                           rn_scratch *scratch, float *planes);

/* Whether a set's pictures can become the recipe's input. */
rn_status rn_picture_recipe_check(const rn_picture_recipe *recipe, const rn_data *data, char *error, size_t error_size);

/* Whether a picture with this error is one that skip_broken leaves out. */
static inline int rn_picture_is_broken(rn_status status) {
    return status == RN_ERROR_FORMAT || status == RN_ERROR_FILE;
}

#endif
