/* Part of a picture, resized: a triangle filter of radius 1 in the coarser of the two grids, as rn_preprocess has it
 * (and PIL and torchvision), columns first, then rows; only what is asked for is computed. */
#include "view.h"

#include <math.h>
#include <string.h>

typedef struct Taps { /* the source pixels of one resized one */
    int first, count;
    const float *weights; /* their sum is 1 */
} Taps;

typedef struct Axis {
    int source, resized;
    double scale, radius; /* source pixels of a resized one; of the filter */
} Axis;

static Axis axis_make(int source, int resized) {
    const double scale = (double)source / resized;
    return (Axis){source, resized, scale, scale > 1 ? scale : 1};
}

static int axis_most_taps(const Axis *a) {
    const double most = 2 * a->radius + 2;
    return most < a->source ? (int)most : a->source;
}

static Taps axis_taps(const Axis *a, int resized, float *weights) {
    const double centre = (resized + 0.5) * a->scale;
    const double low = floor(centre - a->radius + 0.5), high = floor(centre + a->radius + 0.5);
    Taps t = {.first = low > 0 ? (int)low : 0, .weights = weights};
    const int last = high < a->source ? (int)high : a->source;
    double total = 0;
    for (int i = t.first; i < last; i++) {
        const double weight = 1 - fabs(i + 0.5 - centre) / a->radius;
        weights[t.count++] = weight > 0 ? (float)weight : 0;
        total += weights[t.count - 1];
    }
    for (int i = 0; i < t.count; i++) weights[i] = (float)(weights[i] / total);
    return t;
}

/* One source row's columns x .. x+w-1 resized; taps are `most` apart. */
static void resample_row(const rn_picture *p, size_t at, const int *first, const int *count, const float *weights,
                         int most, int w, float *out) {
    for (int x = 0; x < w; x++, weights += most) {
        const size_t from = at + (size_t)first[x] * p->pixel;
        float sum = 0;
        if (p->floats)
            for (int i = 0; i < count[x]; i++) sum += weights[i] * p->floats[from + (size_t)i * p->pixel];
        else
            for (int i = 0; i < count[x]; i++) sum += weights[i] * p->bytes[from + (size_t)i * p->pixel];
        out[x] = sum;
    }
}

rn_status rn_view_resample(const rn_view *v, const rn_picture *p, int y, int x, int h, int w, rn_scratch *scratch,
                           float *planes) {
    const Axis down = axis_make(v->height, v->resized_h), across = axis_make(v->width, v->resized_w);
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
            resample_row(p, start + r * p->row, first, count, weights, most, w, strip + r * width);
        for (int i = 0; i < h; i++, planes += width) {
            const Taps t = axis_taps(&down, y + i, row_weights);
            memset(planes, 0, width * sizeof *planes);
            for (int k = 0; k < t.count; k++) {
                const float *row = strip + (size_t)(t.first + k - top) * width, weight = t.weights[k];
                for (size_t j = 0; j < width; j++) planes[j] += weight * row[j];
            }
        }
    }
    return RN_OK;
}
