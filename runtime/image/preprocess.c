/* Pictures as networks want them: 8-bit RGB of any size -> resized, cropped, normalised planes of floats.
 *
 * The resampling is PIL's and torchvision's: a triangle filter of radius 1 in the coarser of the two grids, so that a
 * shrunken picture averages all of its pixels (antialiasing) and a grown one is plain bilinear; weights are normalised
 * where the window meets the border. Unlike PIL, which rounds to 8 bits between the two passes, all is float.
 *
 * Nothing is allocated, whatever the picture's size: only the cropped outputs are computed, row by row. For a row, the
 * source rows of its window are summed into a strip of STRIP columns on the stack, and the strip into the outputs whose
 * windows meet it. So each source pixel is read about twice.
 */
#include "rn_emitted.h"

#include <math.h>
#include <string.h>

enum { STRIP = 512 };

/* One direction of the resampling: `source` pixels become `resized`, of which the input's are those from `start` on */
typedef struct Axis {
    int source, resized, start;
    double scale, radius; /* source pixels per resized one; of the filter */
} Axis;

typedef struct Window { /* source pixels first .. last-1 of one resized pixel */
    double centre, radius;
    int first, last;
} Window;

static Axis axis_make(int source, int resized, int crop) {
    const double scale = (double)source / resized;
    const int surplus = resized - crop;
    return (Axis){.source = source,
                  .resized = resized,
                  .start = surplus >= 0 ? (int)rint(surplus / 2.0) : -(-surplus / 2), /* torchvision's rounding */
                  .scale = scale,
                  .radius = scale > 1 ? scale : 1};
}

static Window axis_window(const Axis *a, int resized) {
    Window w = {.centre = (resized + 0.5) * a->scale, .radius = a->radius};
    double first = floor(w.centre - w.radius + 0.5), last = floor(w.centre + w.radius + 0.5);
    w.first = first > 0 ? (int)first : 0;
    w.last = last < a->source ? (int)last : a->source;
    return w;
}

static float window_weight(const Window *w, int source) {
    double distance = fabs(source + 0.5 - w->centre) / w->radius;
    return distance < 1 ? (float)(1 - distance) : 0;
}

static float window_total(const Window *w) {
    float total = 0;
    for (int i = w->first; i < w->last; i++) total += window_weight(w, i);
    return total;
}

/* strip[x - from] = the weighted mean of the window's rows, for columns from .. to-1, interleaved RGB */
static void strip_fill(float *strip, const uint8_t *rgb, int width, const Window *rows, int from, int to) {
    const size_t n = 3 * (size_t)(to - from);
    const float total = window_total(rows);
    memset(strip, 0, n * sizeof *strip);
    for (int y = rows->first; y < rows->last; y++) {
        const uint8_t *source = rgb + 3 * ((size_t)y * (size_t)width + (size_t)from);
        const float weight = window_weight(rows, y) / total;
        for (size_t i = 0; i < n; i++) strip[i] += weight * source[i];
    }
}

/* Adds the strip's part of one output pixel */
static void strip_sum(const float *strip, const Window *columns, int from, int to, float sum[3]) {
    const int first = columns->first > from ? columns->first : from, last = columns->last < to ? columns->last : to;
    for (int x = first; x < last; x++) {
        const float weight = window_weight(columns, x), *pixel = strip + 3 * (x - from);
        for (int c = 0; c < 3; c++) sum[c] += weight * pixel[c];
    }
}

/* Numbers from one to the next in the input's layout. */
typedef struct Strides {
    size_t channel, pixel;
} Strides;

static Strides strides_of(const rn_model *model) {
    const rn_shape in = model->input;
    return model->input_layout == RN_NHWC ? (Strides){1, (size_t)in.c} : (Strides){(size_t)in.h * (size_t)in.w, 1};
}

/* Adds a share of a pixel (0..255, R G B) to the channels, in their order */
static void pixel_add(const rn_model *model, const float sum[3], float *out, size_t channel) {
    const int channels = model->input.c;
    const float gray = 0.299f * sum[0] + 0.587f * sum[1] + 0.114f * sum[2];
    for (int c = 0; c < channels; c++) {
        const rn_order order = model->preprocess.order;
        out[(size_t)c * channel] += order == RN_ORDER_GRAY ? gray : sum[order == RN_ORDER_BGR ? 2 - c : c];
    }
}

static void preprocess_row(const rn_model *model, const uint8_t *rgb, const Axis *down, const Axis *across, int y,
                           float *row, Strides by) {
    float strip[3 * STRIP];
    const int width = model->input.w, resized_y = y + down->start;
    if (resized_y < 0 || resized_y >= down->resized) return; /* black */
    int first = across->start < 0 ? -across->start : 0;      /* outputs first .. last-1 show the picture */
    int last = across->resized - across->start < width ? across->resized - across->start : width;
    if (first >= last) return;

    const Window rows = axis_window(down, resized_y);
    const int end = axis_window(across, last - 1 + across->start).last;
    for (int from = axis_window(across, first + across->start).first; from < end; from += STRIP) {
        const int to = from + STRIP < end ? from + STRIP : end;
        strip_fill(strip, rgb, across->source, &rows, from, to);
        for (int x = first; x < last; x++) {
            const Window columns = axis_window(across, x + across->start);
            if (columns.first >= to) break;
            if (columns.last <= from) {
                first = x + 1; /* done: no later strip meets it */
                continue;
            }
            float sum[3] = {0};
            const float total = window_total(&columns);
            strip_sum(strip, &columns, from, to, sum);
            for (int c = 0; c < 3; c++) sum[c] /= total;
            pixel_add(model, sum, row + (size_t)x * by.pixel, by.channel);
        }
    }
}

rn_status rn_preprocess_rgb(const rn_model *model, const uint8_t *rgb, int height, int width, float *image) {
    if (!model || !rgb || !image || height < 1 || width < 1 || height > RN_MAX_IMAGE_SIDE || width > RN_MAX_IMAGE_SIDE)
        return RN_ERROR_ARGUMENT;
    const rn_preprocess *p = &model->preprocess;
    const rn_shape in = model->input;
    if ((in.c != 1 && in.c != 3) || (in.c == 1 && p->order != RN_ORDER_GRAY)) return RN_ERROR_ARGUMENT;

    int resized_height = in.h, resized_width = in.w;
    if (p->resize > 0) {
        const int shorter = height < width ? height : width;
        const int64_t h = (int64_t)p->resize * height / shorter, w = (int64_t)p->resize * width / shorter;
        if (h > INT32_MAX / 2 || w > INT32_MAX / 2) return RN_ERROR_ARGUMENT;
        resized_height = (int)h;
        resized_width = (int)w;
    }
    const Axis down = axis_make(height, resized_height, in.h), across = axis_make(width, resized_width, in.w);
    const size_t pixels = (size_t)in.h * (size_t)in.w;
    const Strides by = strides_of(model);
    memset(image, 0, (size_t)in.c * pixels * sizeof *image);
    for (int y = 0; y < in.h; y++)
        preprocess_row(model, rgb, &down, &across, y, image + (size_t)y * (size_t)in.w * by.pixel, by);

    for (int c = 0; c < in.c; c++)
        for (size_t i = 0; i < pixels; i++) {
            float *v = image + (size_t)c * by.channel + i * by.pixel;
            *v = (*v * p->range / 255 - p->mean[c]) / p->std[c];
        }
    return RN_OK;
}

rn_status rn_preprocess_rgb_less(const rn_model *model, const float *mean, int pixels, const uint8_t *rgb, int height,
                                 int width, float *image) {
    const rn_status status = mean ? rn_preprocess_rgb(model, rgb, height, width, image) : RN_ERROR_ARGUMENT;
    if (status) return status;
    const size_t plane = (size_t)model->input.h * (size_t)model->input.w;
    const Strides by = strides_of(model);
    for (int c = 0; c < model->input.c; c++, image += by.channel, mean += pixels)
        for (size_t i = 0; i < plane; i++) image[i * by.pixel] -= mean[pixels == 1 ? 0 : i] / model->preprocess.std[c];
    return RN_OK;
}
