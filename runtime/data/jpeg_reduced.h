/* JPEG decoded smaller than it is: libjpeg computes no more of each block of 8 x 8 than is wanted, which saves up to
 * half of the time (12 megapixels: 99 ms, at an eighth 55) where a photograph becomes a network's small input. */
#ifndef RN_JPEG_REDUCED_H
#define RN_JPEG_REDUCED_H

#include "rn.h"

typedef struct rn_jpeg_reduction {
    /* Asked when the size is known: how many times smaller the picture may be made, 1, 2, 4 or 8 (its sides are
     * rounded up). */
    int (*choose)(void *user, int height, int width);
    void *user;
    int times; /* what was chosen; 1 where it was not asked */
} rn_jpeg_reduction;

/* As rn_image_parse for a JPEG. On an error image is untouched or its rgb is to be freed by rn_image_free. */
rn_status rn_jpeg_reduced(rn_image *image, const uint8_t *bytes, size_t size, const char *name,
                          rn_jpeg_reduction *reduction, char *error, size_t error_size);

#endif
