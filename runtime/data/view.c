/* From a picture of a set to a network's input: which part is seen, and the picture as it is then seen. */
#include "view.h"
#include "core/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RESIZED = 1 << 29 };

/* ---- which part is seen ---- */

int rn_view_centre(int size, int window) { /* torchvision's rounding, and rn_preprocess's */
    const int surplus = size - window;
    return surplus >= 0 ? (int)rint(surplus / 2.0) : -(-surplus / 2);
}

void rn_view_whole(rn_view *v, const rn_picture_recipe *r, rn_shape picture, int shorter_side) {
    *v = (rn_view){.height = picture.h, .width = picture.w, .resized_h = r->input.h, .resized_w = r->input.w};
    if (shorter_side < 1) shorter_side = r->preprocess.resize;
    if (shorter_side < 1) return;
    const int shorter = picture.h < picture.w ? picture.h : picture.w;
    const int64_t h = (int64_t)shorter_side * picture.h / shorter, w = (int64_t)shorter_side * picture.w / shorter;
    v->resized_h = h < MAX_RESIZED ? (int)h : MAX_RESIZED; /* no picture that is one is so narrow */
    v->resized_w = w < MAX_RESIZED ? (int)w : MAX_RESIZED;
}

int rn_view_reduction(const rn_view *v) {
    int times = 8;
    while (times > 1 && (v->height / times < v->resized_h || v->width / times < v->resized_w)) times /= 2;
    return times;
}

void rn_view_reduce(rn_view *v, int times, rn_shape picture) {
    const int bottom = (v->top + v->height + times - 1) / times, right = (v->left + v->width + times - 1) / times;
    v->top /= times;
    v->left /= times;
    v->height = (bottom < picture.h ? bottom : picture.h) - v->top;
    v->width = (right < picture.w ? right : picture.w) - v->left;
}

void rn_view_test(rn_view *v, const rn_picture_recipe *r, rn_shape picture, int crop, int scale) {
    rn_view_whole(v, r, picture, scale);
    if (scale < 1 && r->resized_h > 0) {
        v->resized_h = r->resized_h;
        v->resized_w = r->resized_w;
    }
    v->filter = r->filter;
    v->rounded = r->rounded;
    v->black = 1;
    v->mirror = crop >= 5;
    const int place = crop % 5, below = v->resized_h - r->input.h, right = v->resized_w - r->input.w;
    v->y = place == 0 || below < 0 ? rn_view_centre(v->resized_h, r->input.h) : place > 2 ? below : 0;
    v->x = place == 0 || right < 0 ? rn_view_centre(v->resized_w, r->input.w) : place % 2 ? 0 : right;
}

/* ---- what is seen ---- */

float *rn_scratch_floats(rn_scratch *s, int which, size_t count) {
    if (s->count[which] < count) {
        free(s->floats[which]);
        s->floats[which] = malloc(count * sizeof **s->floats);
        s->count[which] = s->floats[which] ? count : 0;
    }
    return s->floats[which];
}

void rn_scratch_free(rn_scratch *s) {
    for (size_t i = 0; i < sizeof s->floats / sizeof *s->floats; i++) free(s->floats[i]);
    memset(s, 0, sizeof *s);
}

typedef struct Seen { /* the part of the input that shows the picture: rows top..bottom-1, columns left..right-1 */
    int top, bottom, left, right;
} Seen;

static void copy_planes(const rn_view *v, const rn_picture *p, const Seen *s, float *out) {
    const int w = s->right - s->left;
    for (int c = 0; c < p->shape.c; c++)
        for (int y = s->top; y < s->bottom; y++, out += w) {
            size_t at = (size_t)c * p->channel + (size_t)(v->top + v->y + y) * p->row;
            at += (size_t)(v->left + v->x + s->left) * p->pixel;
            if (p->floats)
                for (int x = 0; x < w; x++) out[x] = p->floats[at + (size_t)x * p->pixel];
            else
                for (int x = 0; x < w; x++) out[x] = p->bytes[at + (size_t)x * p->pixel];
        }
}

/* The first of three planes becomes the gray of all. */
static void mix_gray(float *planes, size_t plane) {
    const float *red = planes, *green = planes + plane, *blue = green + plane;
    for (size_t i = 0; i < plane; i++) planes[i] = 0.299f * red[i] + 0.587f * green[i] + 0.114f * blue[i];
}

typedef struct Channel { /* how a channel's numbers are made ready; rounded as rn_preprocess_rgb_less rounds */
    float range, noise, mean, std;
} Channel;

static void ready_bytes(const Channel *k, const float *pixels, float *out, int n) {
#pragma omp simd
    for (int i = 0; i < n; i++) out[i] = (pixels[i] * k->range / 255 + k->noise - k->mean) / k->std;
}

static void ready_floats(const Channel *k, const float *pixels, float *out, int n) {
#pragma omp simd
    for (int i = 0; i < n; i++) out[i] = (pixels[i] * k->range + k->noise - k->mean) / k->std;
}

static void subtract_row(float *out, const float *subtracted, float std, int n) {
#pragma omp simd
    for (int i = 0; i < n; i++) out[i] -= subtracted[i] / std;
}

static void mirror_row(float *row, int w) {
    for (int x = 0; x < w / 2; x++) {
        const float other = row[w - 1 - x];
        row[w - 1 - x] = row[x];
        row[x] = other;
    }
}

/* Channel c of the input: (v * range - mean) / std - subtracted / std where the picture is, and beside it what black
 * would be, or 0. `pixels` is the plane that it is made of. */
static void fill_channel(const rn_view *v, const rn_picture_recipe *r, const rn_picture *p, const Seen *s, int c,
                         const float *pixels, float *out) {
    const rn_preprocess *pre = &r->preprocess;
    const int h = r->input.h, w = r->input.w;
    /* pictures of the input's size take the mean with them when they are cropped */
    const int moves = v->resized_h == h && v->resized_w == w;
    const int per_pixel = r->subtract == RN_TRAIN_SUBTRACT_PIXEL_MEAN;
    const float *subtracted = r->subtract == RN_TRAIN_SUBTRACT_NOTHING ? NULL : r->subtracted;
    if (subtracted) subtracted += per_pixel ? (size_t)c * (size_t)h * (size_t)w : (size_t)c;
    const int colour = pre->order == RN_ORDER_BGR ? 2 - c : c;
    const Channel k = {.range = pre->range,
                       .noise = c < 3 ? pre->range * v->noise[colour] : 0,
                       .mean = c < 4 ? pre->mean[c] : 0,
                       .std = c < 4 ? pre->std[c] : 1};
    for (int y = 0; y < h; y++, out += w) {
        const int inside = y >= s->top && y < s->bottom, left = inside ? s->left : 0, right = inside ? s->right : 0;
        const float beside = v->black ? (k.noise - k.mean) / k.std : 0;
        for (int x = 0; x < left; x++) out[x] = beside;
        for (int x = right; x < w; x++) out[x] = beside;
        if (p->floats)
            ready_floats(&k, pixels, out + left, right - left);
        else
            ready_bytes(&k, pixels, out + left, right - left);
        pixels += right - left;

        const int from = v->black ? 0 : left, to = v->black ? w : right;
        if (subtracted && per_pixel && to > from) {
            const int row = moves ? y + v->y : y, column = moves ? from + v->x : from;
            subtract_row(out + from, subtracted + (size_t)row * (size_t)w + (size_t)column, k.std, to - from);
        } else if (subtracted) {
            for (int x = from; x < to; x++) out[x] -= *subtracted / k.std;
        }
        if (v->mirror) mirror_row(out, w);
    }
}

rn_status rn_view_apply(const rn_view *v, const rn_picture_recipe *r, const rn_picture *p, rn_scratch *scratch,
                        float *input) {
    const int h = r->input.h, w = r->input.w;
    Seen s = {.top = v->y < 0 ? -v->y : 0, .left = v->x < 0 ? -v->x : 0};
    s.bottom = v->resized_h - v->y < h ? v->resized_h - v->y : h;
    s.right = v->resized_w - v->x < w ? v->resized_w - v->x : w;
    const int any = s.bottom > s.top && s.right > s.left; /* else nothing but padding is seen */
    if (!any) s = (Seen){0};
    const size_t part = (size_t)(s.bottom - s.top) * (size_t)(s.right - s.left);
    float *planes = rn_scratch_floats(scratch, 0, (size_t)p->shape.c * part + 1);
    if (!planes) return RN_ERROR_MEMORY;
    if (any && v->resized_h == v->height && v->resized_w == v->width)
        copy_planes(v, p, &s, planes);
    else if (any &&
             rn_view_resample(v, p, v->y + s.top, v->x + s.left, s.bottom - s.top, s.right - s.left, scratch, planes))
        return RN_ERROR_MEMORY;

    int channels = p->shape.c;
    if (channels == 3 && (r->input.c == 1 || r->preprocess.order == RN_ORDER_GRAY)) {
        mix_gray(planes, part);
        channels = 1;
    }
    const int reversed = channels == 3 && r->preprocess.order == RN_ORDER_BGR;
    const size_t plane = (size_t)h * (size_t)w, all = (size_t)r->input.c;
    float *planar = r->layout == RN_NHWC ? rn_scratch_floats(scratch, 3, all * plane) : input;
    if (!planar) return RN_ERROR_MEMORY;
    for (int c = 0; c < r->input.c; c++) {
        const size_t from = channels == 1 ? 0 : (size_t)(reversed ? 2 - c : c);
        fill_channel(v, r, p, &s, c, planes + from * part, planar + (size_t)c * plane);
    }
    for (size_t i = 0; planar != input && i < plane; i++)
        for (size_t c = 0; c < all; c++) input[i * all + c] = planar[c * plane + i];
    return RN_OK;
}

/* ---- whether it can be done ---- */

rn_status rn_picture_recipe_check(const rn_picture_recipe *r, const rn_data *data, char *error, size_t error_size) {
    const rn_data_info *info = rn_data_about(data);
    const int have = info->picture.c, want = r->input.c;
#define REFUSE(...) return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, __VA_ARGS__)
    if (want < 1 || r->input.h < 1 || r->input.w < 1) REFUSE("an input of %d x %d x %d", want, r->input.h, r->input.w);
    if (have != want && (have != 1 || want != 3) && (have != 3 || want != 1))
        REFUSE("%s: pictures of %d channels; the network's input has %d", info->spec, have, want);
    for (int c = 0; c < want && c < 4; c++)
        if (!(r->preprocess.std[c] != 0)) REFUSE("channel %d: a std of 0", c);
#undef REFUSE
    return RN_OK;
}
