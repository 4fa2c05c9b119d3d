/* A small copy of a set's picture, for a page. */
#ifndef RN_THUMBNAIL_H
#define RN_THUMBNAIL_H

#include "data/view.h"

typedef struct rn_thumbnail {
    uint8_t *jpeg; /* malloc'd by libjpeg; the caller frees */
    unsigned long size;
    int width, height;
} rn_thumbnail;

/* A JPEG whose longer side is at most `side`; smaller pictures keep their size. Numbers beyond a byte's are clipped; of
 * pictures of neither 1 nor 3 channels the first is shown. On an error jpeg is NULL: RN_ERROR_MEMORY. */
rn_status rn_thumbnail_make(rn_thumbnail *thumbnail, const rn_picture *picture, int side);

#endif
