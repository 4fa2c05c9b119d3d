/* PNG through libpng: any colour type and depth -> 8-bit RGB.
 *
 * libpng reports errors by longjmp. What must survive one lives in a struct behind a pointer, never in registers, and
 * everything is freed in one place after it.
 */
#include "image.h"
#include "core/status.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Png {
    png_structp png;
    png_infop info;
    png_bytep *rows;
    const uint8_t *bytes;
    size_t size, at;
    png_uint_32 height;
    size_t surplus; /* bytes read for rows after the last one */
    int in_rows;
    char text[128];
} Png;

static void png_error_text(png_structp png, png_const_charp text) {
    Png *p = png_get_error_ptr(png);
    snprintf(p->text, sizeof p->text, "%s", text);
    png_longjmp(png, 1);
}

static void png_warning_ignore(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

/* Whether libpng has all rows: what it still reads of the image data it would inflate without end, and drop. */
static int has_all_rows(const Png *p) {
    return png_get_interlace_type(p->png, p->info) == PNG_INTERLACE_NONE
               ? png_get_current_row_number(p->png) >= p->height
               : png_get_current_pass_number(p->png) >= PNG_INTERLACE_ADAM7_PASSES;
}

static void png_bytes(png_structp png, png_bytep out, size_t count) {
    Png *p = png_get_io_ptr(png);
    enum { MOST_SURPLUS = 1 << 16 };
    if (count > p->size - p->at) png_error(png, "truncated");
    if (p->in_rows && has_all_rows(p) && (p->surplus += count) > MOST_SURPLUS)
        png_error(png, "image data of more than its rows");
    memcpy(out, p->bytes + p->at, count);
    p->at += count;
}

static rn_status png_decode(Png *p, rn_image *image, const char *name, char *error, size_t error_size) {
    if (setjmp(png_jmpbuf(p->png))) return rn_image_damaged(name, "PNG", p->text, error, error_size);
    png_set_read_fn(p->png, p, png_bytes);
    png_set_user_limits(p->png, RN_MAX_IMAGE_SIDE, RN_MAX_IMAGE_SIDE);
    png_read_info(p->png, p->info);
    png_set_expand(p->png);
    png_set_strip_16(p->png);
    png_set_strip_alpha(p->png);
    png_set_gray_to_rgb(p->png);
    png_set_interlace_handling(p->png);
    png_read_update_info(p->png, p->info);

    const png_uint_32 width = png_get_image_width(p->png, p->info), height = png_get_image_height(p->png, p->info);
    if (png_get_rowbytes(p->png, p->info) != 3 * (size_t)width) png_error(p->png, "unexpected pixel format");
    rn_status status = rn_image_allocate(image, width, height, name, error, error_size);
    if (status) return status;
    p->rows = malloc(height * sizeof *p->rows);
    if (!p->rows) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", name);
    for (png_uint_32 y = 0; y < height; y++) p->rows[y] = image->rgb + 3 * (size_t)width * y;
    p->height = height;
    p->in_rows = 1;
    png_read_image(p->png, p->rows);
    p->in_rows = 0;
    png_read_end(p->png, NULL);
    return RN_OK;
}

rn_status rn_image_png(rn_image *image, const uint8_t *bytes, size_t size, const char *name, char *error,
                       size_t error_size) {
    Png p = {.bytes = bytes, .size = size};
    errno = 0;
    p.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &p, png_error_text, png_warning_ignore);
    if (p.png) p.info = png_create_info_struct(p.png);
    rn_status status;
    if (p.info)
        status = png_decode(&p, image, name, error, error_size);
    else
        status = rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", name);
    png_destroy_read_struct(&p.png, &p.info, NULL);
    free(p.rows);
    return status;
}
