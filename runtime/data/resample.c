/* Part of a picture, resized: columns first, then rows; only what is asked for is computed.
 *
 * Antialiased, the filters are those of PIL (libImaging/Resample.c) and torchvision: a triangle of radius 1 or the
 * cubic of a = -1/2 of radius 2 (Keys 1981, Cubic convolution interpolation for digital image processing) in the
 * coarser of the two grids, weights normalised where the window meets the border. The first is rn_preprocess's. Without
 * antialiasing they are OpenCV's and PyTorch's interpolate: radius 1 or 2 in the source's grid, a = -3/4, and the
 * border's pixel stands for those beyond. What bytes give stays in 0..255, after each of the two directions, as in PIL;
 * but nothing is rounded. */
#include "view.h"

#include <math.h>
#include <string.h>

typedef struct Taps { /* the source pixels of one resized one */
    int first, count;
    const float *weights; /* their sum is 1 */
} Taps;

typedef struct Axis {
    int source, resized;
    double scale, unit, radius; /* source pixels of a resized one; of the filter's grid; of the filter */
    rn_filter filter;
} Axis;

static int is_cubic(rn_filter filter) {
    return filter == RN_FILTER_BICUBIC || filter == RN_FILTER_BICUBIC_PLAIN;
}

static int is_plain(rn_filter filter) {
    return filter == RN_FILTER_BILINEAR_PLAIN || filter == RN_FILTER_BICUBIC_PLAIN;
}

static Axis axis_make(int source, int resized, rn_filter filter) {
    const double scale = (double)source / resized, unit = scale > 1 && !is_plain(filter) ? scale : 1;
    return (Axis){source, resized, scale, unit, is_cubic(filter) ? 2 * unit : unit, filter};
}

static int axis_most_taps(const Axis *a) {
    const double most = 2 * a->radius + 2;
    return most < a->source ? (int)most : a->source;
}

static double weight_at(const Axis *a, double distance) {
    const double x = fabs(distance) / a->unit, c = is_plain(a->filter) ? -0.75 : -0.5;
    if (!is_cubic(a->filter)) return x < 1 ? 1 - x : 0;
    if (x < 1) return ((c + 2) * x - (c + 3)) * x * x + 1;
    return x < 2 ? ((c * x - 5 * c) * x + 8 * c) * x - 4 * c : 0;
}

static Taps axis_taps(const Axis *a, int resized, float *weights) {
    const double centre = (resized + 0.5) * a->scale;
    const int low = (int)floor(centre - a->radius + 0.5), high = (int)floor(centre + a->radius + 0.5);
    const int from = low > 0 ? (low < a->source ? low : a->source - 1) : 0, to = high < a->source ? high : a->source;
    Taps t = {.first = from, .count = to > from ? to - from : 1, .weights = weights};
    double total = 0;
    for (int i = 0; i < t.count; i++) weights[i] = 0;
    for (int i = is_plain(a->filter) ? low : from; i < (is_plain(a->filter) ? high : to); i++) {
        const int at = i < from ? from : i >= a->source ? a->source - 1 : i;
        const float weight = (float)weight_at(a, i + 0.5 - centre);
        weights[at - from] += weight;
        total += weight;
    }
    for (int i = 0; i < t.count; i++) weights[i] = (float)(weights[i] / total);
    return t;
}

/* One source row's columns x .. x+w-1 resized; taps are `most` apart. */
static void resample_row(const rn_picture *p, size_t at, const int *first, const int *count, const float *weights,
                         int most, int w, int clips, float *out) {
    for (int x = 0; x < w; x++, weights += most) {
        const size_t from = at + (size_t)first[x] * p->pixel;
        float sum = 0;
        if (p->floats)
            for (int i = 0; i < count[x]; i++) sum += weights[i] * p->floats[from + (size_t)i * p->pixel];
        else
            for (int i = 0; i < count[x]; i++) sum += weights[i] * p->bytes[from + (size_t)i * p->pixel];
        out[x] = clips ? fminf(fmaxf(sum, 0), 255) : sum;
    }
}

rn_status rn_view_resample(const rn_view *v, const rn_picture *p, int y, int x, int h, int w, rn_scratch *scratch,
                           float *planes) {
    const Axis down = axis_make(v->height, v->resized_h, v->filter),
               across = axis_make(v->width, v->resized_w, v->filter);
    const int clips = is_cubic(v->filter) && !p->floats;
    const int most = axis_most_taps(&across), most_down = axis_most_taps(&down);
    const size_t width = (size_t)w;
    float *weights = rn_scratch_floats(scratch, 1, width * (size_t)most + 2 * width + (size_t)most_down);
    if (!weights) return RN_ERROR_MEMORY;
    float *row_weights = weights + width * (size_t)most;
    int *first = (int *)(void *)(row_weights + most_down), *count = first + w;
    for (int i = 0; i < w; i++) {
        const Taps t = axis_taps(&across, x + i, weights + (size_t)i * (size_t)most);
        first[i] = t.first;
        count[i] = t.count;
    }
    const int top = axis_taps(&down, y, row_weights).first;
    const Taps end = axis_taps(&down, y + h - 1, row_weights);
    const size_t rows = (size_t)(end.first + end.count - top);
    float *strip = rn_scratch_floats(scratch, 2, rows * width); /* of one channel */
    if (!strip) return RN_ERROR_MEMORY;

    for (int c = 0; c < p->shape.c; c++) {
        const size_t start = (size_t)c * p->channel + (size_t)(v->top + top) * p->row + (size_t)v->left * p->pixel;
        for (size_t r = 0; r < rows; r++)
            resample_row(p, start + r * p->row, first, count, weights, most, w, clips, strip + r * width);
        for (int i = 0; i < h; i++, planes += width) {
            const Taps t = axis_taps(&down, y + i, row_weights);
            memset(planes, 0, width * sizeof *planes);
            for (int k = 0; k < t.count; k++) {
                const float *row = strip + (size_t)(t.first + k - top) * width, weight = t.weights[k];
                for (size_t j = 0; j < width; j++) planes[j] += weight * row[j];
            }
            for (size_t j = 0; j < width && clips; j++) planes[j] = fminf(fmaxf(planes[j], 0), 255);
        }
    }
    return RN_OK;
}
