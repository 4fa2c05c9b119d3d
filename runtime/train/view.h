/* One network's input of one picture: which part of it is seen, and how; between augment.c, mean.c and loader.c. */
#ifndef RN_VIEW_H
#define RN_VIEW_H

#include "train/augment.h"

typedef struct rn_view {
    int top, left, height, width; /* of the picture: what is resized */
    int resized_h, resized_w;
    int y, x;       /* where the input begins in the resized part; negative: before it */
    int mirror;     /* the input is seen from behind */
    int black;      /* 1: what lies beside the picture is black, as for a deployed network; 0: it is 0 in the input */
    float noise[3]; /* added to R, G, B, of 0..1 */
} rn_view;

/* What is drawn for a picture in an epoch of training. */
void rn_view_draw(rn_view *view, const rn_picture_recipe *recipe, rn_shape picture, uint64_t seed, uint32_t epoch,
                  uint32_t index);
/* Without drawing; scale: the shorter side, 0: as the preprocessing says. crop 0 is the middle; of ten, 1..4 are the
 * corners, 5..9 the same as 0..4, mirrored. */
void rn_view_test(rn_view *view, const rn_picture_recipe *recipe, rn_shape picture, int crop, int scale);

/* How many times smaller the picture may be decoded, so that its part is still no smaller than what it is resized to:
 * 1, 2, 4 or 8; and the view of the picture that came of that. */
int rn_view_reduction(const rn_view *view);
void rn_view_reduce(rn_view *view, int times, rn_shape picture);

/* Floats of one thread, which grow as they must; all zero to begin with. */
typedef struct rn_scratch {
    float *floats[3];
    size_t count[3];
} rn_scratch;
float *rn_scratch_floats(rn_scratch *scratch, int which, size_t count); /* NULL: no memory */
void rn_scratch_free(rn_scratch *scratch);

/* The picture as `view` has it: C x H x W floats of the recipe's input. RN_ERROR_MEMORY or RN_OK. */
rn_status rn_view_apply(const rn_view *view, const rn_picture_recipe *recipe, const rn_picture *picture,
                        rn_scratch *scratch, float *input);

/* Rows y .. y+h-1 and columns x .. x+w-1 of the view's part resized, c planes of h x w: bytes as 0..255, floats as they
 * are. The filter is rn_preprocess's. RN_ERROR_MEMORY or RN_OK. */
rn_status rn_view_resample(const rn_view *view, const rn_picture *picture, int y, int x, int h, int w,
                           rn_scratch *scratch, float *planes);

/* Whether a set's pictures can become the recipe's input. */
rn_status rn_picture_recipe_check(const rn_picture_recipe *recipe, const rn_data *data, char *error, size_t error_size);

/* Whether a picture with this error is one that skip_broken leaves out. */
static inline int rn_picture_is_broken(rn_status status) {
    return status == RN_ERROR_FORMAT || status == RN_ERROR_FILE;
}

/* The share of the first of a pair: Beta(alpha, alpha), not below a half (a pair's two mixtures are the same two with
 * share s and with 1 - s). */
float rn_mixup_share(double alpha, uint64_t seed, uint64_t step, uint32_t pair);

#endif
