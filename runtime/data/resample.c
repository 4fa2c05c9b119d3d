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
    int fixed; /* weights are multiples of 2^-22, as Pillow's for bytes, so that sums of bytes are exact */
} Axis;

static int is_cubic(rn_filter filter) {
    return filter == RN_FILTER_BICUBIC || filter == RN_FILTER_BICUBIC_PLAIN;
}

static int is_plain(rn_filter filter) {
    return filter == RN_FILTER_BILINEAR_PLAIN || filter == RN_FILTER_BICUBIC_PLAIN;
}

static Axis axis_make(int source, int resized, rn_filter filter, int fixed) {
    const double scale = (double)source / resized, unit = scale > 1 && !is_plain(filter) ? scale : 1;
    return (Axis){source, resized, scale, unit, is_cubic(filter) ? 2 * unit : unit, filter, fixed};
}

static int axis_most_taps(const Axis *a) {
    const double most = 2 * a->radius + 2;
    return most < a->source ? (int)most : a->source;
}

/* The filter at x of its own grid. */
static double filter_at(rn_filter filter, double x) {
    const double c = is_plain(filter) ? -0.75 : -0.5;
    x = fabs(x);
    if (!is_cubic(filter)) return x < 1 ? 1 - x : 0;
    if (x < 1) return ((c + 2) * x - (c + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * c : 0;
}

/* In the order of Pillow's arithmetic: what is nearly half a byte must become the same byte. */
static void fix_weights(const Axis *a, double centre, const Taps *t, float *weights) {
    const double inverse = 1 / a->unit;
    double total = 0;
    for (int i = 0; i < t->count; i++) total += filter_at(a->filter, (t->first + i - centre + 0.5) * inverse);
    for (int i = 0; i < t->count; i++) {
        const double weight = filter_at(a->filter, (t->first + i - centre + 0.5) * inverse) / total;
        weights[i] = (float)(round(weight * 0x1p22) * 0x1p-22);
    }
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
        const float weight = (float)filter_at(a->filter, (i + 0.5 - centre) / a->unit);
        weights[at - from] += weight;
        total += weight;
    }
    for (int i = 0; i < t.count; i++) weights[i] = (float)(weights[i] / total);
    if (a->fixed) fix_weights(a, centre, &t, weights);
    return t;
}

/* What becomes of the sums of one direction; in 0..255 or anything. */
typedef struct Ends {
    int clips, rounds;
} Ends;

static float ended(Ends ends, double sum) {
    if (ends.clips) sum = fmin(fmax(sum, 0), 255);
    return (float)(ends.rounds ? floor(sum + 0.5) : sum);
}

static float sum_floats(const float *from, size_t pixel, const float *weights, int count) {
    float sum = 0;
    for (int i = 0; i < count; i++) sum += weights[i] * from[(size_t)i * pixel];
    return sum;
}

static float sum_bytes(const uint8_t *from, size_t pixel, const float *weights, int count) {
    float sum = 0;
    for (int i = 0; i < count; i++) sum += weights[i] * from[(size_t)i * pixel];
    return sum;
}

static double sum_exactly(const uint8_t *from, size_t pixel, const float *weights, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += (double)weights[i] * from[(size_t)i * pixel];
    return sum;
}

/* One source row's columns x .. x+w-1 resized; taps are `most` apart. */
static void resample_row(const rn_picture *p, size_t at, const int *first, const int *count, const float *weights,
                         int most, int w, Ends ends, float *out) {
    for (int x = 0; x < w; x++, weights += most) {
        const size_t from = at + (size_t)first[x] * p->pixel;
        if (p->floats)
            out[x] = ended(ends, sum_floats(p->floats + from, p->pixel, weights, count[x]));
        else if (ends.rounds)
            out[x] = ended(ends, sum_exactly(p->bytes + from, p->pixel, weights, count[x]));
        else
            out[x] = ended(ends, sum_bytes(p->bytes + from, p->pixel, weights, count[x]));
    }
}

/* A resized row from those of the strip. */
static void resample_column(const Taps *t, const float *strip, size_t width, Ends ends, float *out) {
    for (size_t j = 0; j < width && ends.rounds; j++) {
        double sum = 0;
        for (int k = 0; k < t->count; k++) sum += (double)t->weights[k] * strip[(size_t)k * width + j];
        out[j] = ended(ends, sum);
    }
    if (ends.rounds) return;
    memset(out, 0, width * sizeof *out);
    for (int k = 0; k < t->count; k++, strip += width)
        for (size_t j = 0; j < width; j++) out[j] += t->weights[k] * strip[j];
    for (size_t j = 0; j < width && ends.clips; j++) out[j] = ended(ends, out[j]);
}

rn_status rn_view_resample(const rn_view *v, const rn_picture *p, int y, int x, int h, int w, rn_scratch *scratch,
                           float *planes) {
    const Ends last = {is_cubic(v->filter) && !p->floats, v->rounded && !p->floats};
    const Ends between = {last.clips, last.rounds && !is_plain(v->filter)};
    const Axis down = axis_make(v->height, v->resized_h, v->filter, between.rounds);
    const Axis across = axis_make(v->width, v->resized_w, v->filter, between.rounds);
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
            resample_row(p, start + r * p->row, first, count, weights, most, w, between, strip + r * width);
        for (int i = 0; i < h; i++, planes += width) {
            const Taps t = axis_taps(&down, y + i, row_weights);
            resample_column(&t, strip + (size_t)(t.first - top) * width, width, last, planes);
        }
    }
    return RN_OK;
}
