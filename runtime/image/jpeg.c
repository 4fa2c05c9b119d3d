/* JPEG through libjpeg-turbo -> 8-bit RGB.
 *
 * libjpeg reports errors by a callback that must not return: it jumps back here. It calls broken data a warning and
 * fills with gray; a network's answer to gray is no answer, so data that is missing or does not decode is an error
 * (bytes to spare between segments are not). A progressive file may hold any number of scans over the whole picture:
 * their number is limited, or a small file could keep a machine busy for hours.
 *
 * data/jpeg_reduced.c is this file with RN_JPEG_REDUCED defined.
 */
#include "image.h"
#include "core/status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

enum { JPEG_MAX_SCANS = 200 };

typedef struct Jpeg {
    struct jpeg_error_mgr errors; /* first: libjpeg hands back a pointer to it */
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct info;
    jmp_buf back;
#ifdef RN_JPEG_REDUCED
    rn_jpeg_reduction *reduction;
#endif
    char text[JMSG_LENGTH_MAX];
} Jpeg;

static void jpeg_stop(j_common_ptr info) {
    Jpeg *j = (Jpeg *)info->err;
    info->err->format_message(info, j->text);
    longjmp(j->back, 1);
}

static void jpeg_message(j_common_ptr info, int level) {
    if (level >= 0 || info->err->msg_code == JWRN_EXTRANEOUS_DATA || info->err->msg_code == JWRN_ADOBE_XFORM) return;
    jpeg_stop(info);
}

static void jpeg_progress(j_common_ptr info) {
    Jpeg *j = (Jpeg *)info->err;
    if (j->info.input_scan_number <= JPEG_MAX_SCANS) return;
    snprintf(j->text, sizeof j->text, "more than %d scans", JPEG_MAX_SCANS);
    longjmp(j->back, 1);
}

/* One row C M Y K -> R G B in place; files by Adobe's programs store the inks inverted, and nearly all are by those */
static void cmyk_to_rgb(uint8_t *rgb, const uint8_t *cmyk, int width, int inverted) {
    for (int x = 0; x < width; x++) {
        const int k = inverted ? cmyk[4 * x + 3] : 255 - cmyk[4 * x + 3];
        for (int c = 0; c < 3; c++) {
            const int ink = inverted ? cmyk[4 * x + c] : 255 - cmyk[4 * x + c];
            rgb[3 * x + c] = (uint8_t)((ink * k + 127) / 255);
        }
    }
}

static rn_status jpeg_decode(Jpeg *j, rn_image *image, const uint8_t *bytes, size_t size, const char *name, char *error,
                             size_t error_size) {
    struct jpeg_decompress_struct *info = &j->info;
    if (setjmp(j->back)) return rn_image_damaged(name, "JPEG", j->text, error, error_size);
    jpeg_create_decompress(info);
    info->progress = &j->progress;
    jpeg_mem_src(info, bytes, size);
    jpeg_read_header(info, TRUE);
    const int four = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    info->out_color_space = four ? JCS_CMYK : JCS_RGB;

    JDIMENSION width = info->image_width, height = info->image_height;
#ifdef RN_JPEG_REDUCED
    if ((size_t)width * height <= RN_IMAGE_PIXELS) { /* a larger one is refused whole */
        j->reduction->times = j->reduction->choose(j->reduction->user, (int)height, (int)width);
        info->scale_num = 1;
        info->scale_denom = (unsigned)j->reduction->times;
        jpeg_calc_output_dimensions(info);
        width = info->output_width;
        height = info->output_height;
    }
#endif
    rn_status status = rn_image_allocate(image, width, height, name, error, error_size);
    if (status) return status;
    jpeg_start_decompress(info);
    const size_t row_size = 3 * (size_t)image->width;
    JSAMPARRAY inks = NULL; /* libjpeg's own memory, freed with it */
    if (four) inks = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, info->output_width * 4, 1);
    while (info->output_scanline < info->output_height) {
        JSAMPROW row = image->rgb + row_size * info->output_scanline;
        jpeg_read_scanlines(info, four ? inks : &row, 1);
        if (four) cmyk_to_rgb(row, inks[0], image->width, info->saw_Adobe_marker);
    }
    jpeg_finish_decompress(info);
    return RN_OK;
}

#ifdef RN_JPEG_REDUCED
rn_status rn_jpeg_reduced(rn_image *image, const uint8_t *bytes, size_t size, const char *name,
                          rn_jpeg_reduction *reduction, char *error, size_t error_size) {
#else
rn_status rn_image_jpeg(rn_image *image, const uint8_t *bytes, size_t size, const char *name, char *error,
                        size_t error_size) {
#endif
    Jpeg j;
    memset(&j, 0, sizeof j);
#ifdef RN_JPEG_REDUCED
    j.reduction = reduction;
    reduction->times = 1;
#endif
    j.info.err = jpeg_std_error(&j.errors);
    j.errors.error_exit = jpeg_stop;
    j.errors.emit_message = jpeg_message;
    j.progress.progress_monitor = jpeg_progress;
    errno = 0;
    rn_status status = jpeg_decode(&j, image, bytes, size, name, error, error_size);
    jpeg_destroy_decompress(&j.info); /* a zeroed one, where creating it failed, is allowed */
    return status;
}
