/* Picture files: which decoder, and how large a picture may be. */
#include "image.h"
#include "core/file.h"
#include "core/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 1 << 30 };

rn_status rn_image_damaged(const char *name, const char *kind, const char *text, char *error, size_t error_size) {
    if (errno == ENOMEM) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", name);
    return rn_status_fail(error, error_size, RN_ERROR_FORMAT, "%s: damaged %s: %s", name, kind, text);
}

rn_status rn_image_allocate(rn_image *image, unsigned long width, unsigned long height, const char *name, char *error,
                            size_t error_size) {
    if (width < 1 || height < 1 || width > RN_MAX_IMAGE_SIDE || height > RN_MAX_IMAGE_SIDE ||
        width * height > RN_IMAGE_PIXELS)
        return rn_status_fail(error, error_size, RN_ERROR_FORMAT,
                              "%s: %lu x %lu pixels; at most %d a side and %d in all are decoded", name, width, height,
                              RN_MAX_IMAGE_SIDE, RN_IMAGE_PIXELS);
    image->rgb = malloc(3 * width * height);
    if (!image->rgb)
        return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: no memory for %lu x %lu pixels", name, width,
                              height);
    image->width = (int)width;
    image->height = (int)height;
    return RN_OK;
}

static int is_png(const uint8_t *bytes, size_t size) {
    return size >= 8 && !memcmp(bytes, "\x89PNG\r\n\x1a\n", 8);
}

static int is_jpeg(const uint8_t *bytes, size_t size) {
    return size >= 3 && !memcmp(bytes, "\xff\xd8\xff", 3);
}

size_t rn_image_worth(const uint8_t *beginning, size_t count) {
    return is_png(beginning, count) || is_jpeg(beginning, count) ? SIZE_MAX : count;
}

rn_status rn_image_parse(rn_image *image, const uint8_t *bytes, size_t size, const char *name, char *error,
                         size_t error_size) {
    memset(image, 0, sizeof *image);
    rn_status status;
    if (is_png(bytes, size))
        status = rn_image_png(image, bytes, size, name, error, error_size);
    else if (is_jpeg(bytes, size))
        status = rn_image_jpeg(image, bytes, size, name, error, error_size);
    else
        status = rn_status_fail(error, error_size, RN_ERROR_FORMAT, "%s: neither a PNG nor a JPEG picture", name);
    if (status) rn_image_free(image);
    return status;
}

rn_status rn_image_read(rn_image *image, const char *path, char *error, size_t error_size) {
    uint8_t *bytes;
    size_t size;
    memset(image, 0, sizeof *image);
    rn_status status = rn_file_read_worth(&bytes, &size, path, MAX_FILE, rn_image_worth, error, error_size);
    if (status) return status;
    status = rn_image_parse(image, bytes, size, path, error, error_size);
    free(bytes);
    return status;
}

void rn_image_free(rn_image *image) {
    free(image->rgb);
    memset(image, 0, sizeof *image);
}
