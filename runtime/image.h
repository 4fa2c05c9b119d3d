/* Picture files: PNG or JPEG -> 8-bit RGB. */
#ifndef RN_IMAGE_H
#define RN_IMAGE_H

#include "rn.h"

enum { RN_IMAGE_PIXELS = 1 << 27 }; /* the largest picture that is decoded; a side is at most RN_MAX_IMAGE_SIDE */

typedef struct rn_image {
    int width, height;
    uint8_t *rgb; /* [height][width][3] */
} rn_image;

/* The kind is told by content, not by name. Palettes, gray, 16 bits and CMYK are converted; alpha, gamma, colour
 * profiles and EXIF orientation are ignored, as PIL's convert("RGB") does. Damaged and truncated files are refused. On
 * an error image->rgb is NULL, `error` (may be NULL) has the text. The caller frees with rn_image_free. Any thread. */
rn_status rn_image_read(rn_image *image, const char *path, char *error, size_t error_size);
/* The same from memory; `name` stands for the path in messages. */
rn_status rn_image_parse(rn_image *image, const uint8_t *bytes, size_t size, const char *name, char *error,
                         size_t error_size);
void rn_image_free(rn_image *image); /* a zeroed or freed image is allowed */

/* The decoders, given their file's first bytes */
rn_status rn_image_png(rn_image *image, const uint8_t *bytes, size_t size, const char *name, char *error,
                       size_t error_size);
rn_status rn_image_jpeg(rn_image *image, const uint8_t *bytes, size_t size, const char *name, char *error,
                        size_t error_size);
/* Checks the size and allocates rgb; for the decoders. */
rn_status rn_image_allocate(rn_image *image, unsigned long width, unsigned long height, const char *name, char *error,
                            size_t error_size);

#endif
