/* Thumbnails through libjpeg-turbo. */
#include "thumbnail.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

enum { QUALITY = 92 };

typedef struct Encoder {
    struct jpeg_error_mgr errors; /* first: libjpeg hands back a pointer to it */
    jmp_buf back;
} Encoder;

static void stop(j_common_ptr info) {
    longjmp(((Encoder *)info->err)->back, 1);
}

static void be_silent(j_common_ptr info) {
    (void)info;
}

static rn_status encode(rn_thumbnail *t, uint8_t *pixels, int channels) {
    Encoder encoder;
    struct jpeg_compress_struct info;
    memset(&info, 0, sizeof info);
    info.err = jpeg_std_error(&encoder.errors);
    encoder.errors.error_exit = stop;
    encoder.errors.output_message = be_silent;
    if (setjmp(encoder.back)) {
        jpeg_destroy_compress(&info);
        free(t->jpeg);
        t->jpeg = NULL;
        return RN_ERROR_MEMORY;
    }
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &t->jpeg, &t->size);
    info.image_width = (JDIMENSION)t->width;
    info.image_height = (JDIMENSION)t->height;
    info.input_components = channels;
    info.in_color_space = channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, QUALITY, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
        JSAMPROW row = pixels + (size_t)info.next_scanline * (size_t)t->width * (size_t)channels;
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    return RN_OK;
}

rn_status rn_thumbnail_make(rn_thumbnail *t, const rn_picture *picture, int side) {
    rn_picture p = *picture;
    const int longer = p.shape.h > p.shape.w ? p.shape.h : p.shape.w, most = longer > side ? side : longer;
    if (p.shape.c != 3) p.shape.c = 1;
    *t = (rn_thumbnail){.width = (int)((int64_t)p.shape.w * most / longer),
                        .height = (int)((int64_t)p.shape.h * most / longer)};
    if (t->width < 1) t->width = 1;
    if (t->height < 1) t->height = 1;
    const rn_view view = {.height = p.shape.h,
                          .width = p.shape.w,
                          .resized_h = t->height,
                          .resized_w = t->width,
                          .filter = RN_FILTER_BILINEAR};
    const size_t plane = (size_t)t->width * (size_t)t->height, channels = (size_t)p.shape.c;
    float *planes = malloc(channels * plane * sizeof *planes);
    uint8_t *pixels = malloc(channels * plane);
    rn_scratch scratch = {0};
    rn_status status =
        planes && pixels ? rn_view_resample(&view, &p, 0, 0, t->height, t->width, &scratch, planes) : RN_ERROR_MEMORY;
    for (size_t i = 0; i < channels * plane && !status; i++) {
        const float v = planes[i % channels * plane + i / channels] * (p.floats ? 255 : 1);
        pixels[i] = (uint8_t)(fminf(fmaxf(v, 0), 255) + 0.5f);
    }
    rn_scratch_free(&scratch);
    free(planes);
    if (!status) status = encode(t, pixels, p.shape.c);
    free(pixels);
    return status;
}
