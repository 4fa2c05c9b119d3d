/* Picture files: the decoders behind rn_image_read (rn.h). */
#ifndef RN_IMAGE_H
#define RN_IMAGE_H

#include "rn.h"

enum { RN_IMAGE_PIXELS = 1 << 27 }; /* the largest picture that is decoded; a side is at most RN_MAX_IMAGE_SIDE */

/* rn_image_read from memory; `name` stands for the path in messages. */
rn_status rn_image_parse(rn_image *image, const uint8_t *bytes, size_t size, const char *name, char *error,
                         size_t error_size);

/* How much of a file that begins so is worth reading (core/file.h): all of a picture. */
size_t rn_image_worth(const uint8_t *beginning, size_t count);

/* The decoders, given their file's first bytes */
rn_status rn_image_png(rn_image *image, const uint8_t *bytes, size_t size, const char *name, char *error,
                       size_t error_size);
rn_status rn_image_jpeg(rn_image *image, const uint8_t *bytes, size_t size, const char *name, char *error,
                        size_t error_size);
/* The decoders' error: a library's text about a picture of this kind, unless errno, which was 0 before, has ENOMEM. */
rn_status rn_image_damaged(const char *name, const char *kind, const char *text, char *error, size_t error_size);
/* Checks the size and allocates rgb; for the decoders. */
rn_status rn_image_allocate(rn_image *image, unsigned long width, unsigned long height, const char *name, char *error,
                            size_t error_size);

#endif
