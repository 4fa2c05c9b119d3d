/* What is drawn for a picture. */
#include "augment.h"
#include "core/status.h"
#include "philox.h"

#include <math.h>

enum { MAX_PAD = 4096, AREA_ATTEMPTS = 10 };

/* ---- which part is seen ---- */

/* Inception's crop, by torchvision's procedure: after ten attempts that do not fit, the middle. */
static void draw_area(rn_view *v, const rn_augment *a, rn_draws *draws) {
    static const double ratio = 4.0 / 3;
    const double height = v->height, width = v->width;
    for (int attempt = 0; attempt < AREA_ATTEMPTS; attempt++) {
        const double area = height * width * (a->area_min + (a->area_max - a->area_min) * rn_draw_uniform(draws));
        const double aspect = exp(log(ratio) * (2 * rn_draw_uniform(draws) - 1));
        const double w = rint(sqrt(area * aspect)), h = rint(sqrt(area / aspect));
        if (w < 1 || h < 1 || w > width || h > height) continue;
        v->top = (int)rn_draw_below(draws, (uint32_t)(height - h) + 1);
        v->left = (int)rn_draw_below(draws, (uint32_t)(width - w) + 1);
        v->height = (int)h;
        v->width = (int)w;
        return;
    }
    const int tallest = (int)rint(width * ratio), widest = (int)rint(height * ratio);
    const int h = v->height < tallest ? v->height : tallest, w = v->width < widest ? v->width : widest;
    v->top = (v->height - h) / 2;
    v->left = (v->width - w) / 2;
    v->height = h;
    v->width = w;
}

/* Where a window begins in `size` pixels with `pad` zeros at either side */
static int draw_place(int size, int pad, int window, rn_draws *draws) {
    const int places = size + 2 * pad - window + 1;
    return places > 0 ? (int)rn_draw_below(draws, (uint32_t)places) - pad : rn_view_centre(size, window);
}

/* AlexNet's noise: the eigenvectors of ImageNet's colours, each by its eigenvalue and by a normal number of deviation
 * 0.1. The values, of colours 0..1, are those that are in general use; the paper prints none. */
static void draw_colour(float noise[3], rn_draws *draws) {
    static const double value[3] = {0.2175, 0.0188, 0.0045};
    static const double vector[3][3] = {/* a row each of R, G, B */
                                        {-0.5675, 0.7192, 0.4009},
                                        {-0.5808, -0.0045, -0.8140},
                                        {-0.5836, -0.6948, 0.4203}};
    double sum[3] = {0};
    for (int i = 0; i < 3; i++) {
        const double alpha = 0.1 * rn_draw_normal(draws);
        for (int c = 0; c < 3; c++) sum[c] += vector[c][i] * alpha * value[i];
    }
    for (int c = 0; c < 3; c++) noise[c] = (float)sum[c];
}

void rn_view_draw(rn_view *v, const rn_picture_recipe *r, const rn_augment *a, rn_shape picture, uint64_t seed,
                  uint32_t epoch, uint32_t index) {
    rn_draws draws = rn_draws_for(seed, RN_DRAW_AUGMENT, epoch, index);
    int side = 0;
    if (a->scale_max > 0) side = a->scale_min + (int)rn_draw_below(&draws, (uint32_t)(a->scale_max - a->scale_min) + 1);
    rn_view_whole(v, r, picture, side);
    if (a->area_max > 0) {
        draw_area(v, a, &draws);
        v->resized_h = r->input.h;
        v->resized_w = r->input.w;
    }
    if (a->crop) {
        v->y = draw_place(v->resized_h, a->pad, r->input.h, &draws);
        v->x = draw_place(v->resized_w, a->pad, r->input.w, &draws);
    } else {
        v->y = rn_view_centre(v->resized_h, r->input.h);
        v->x = rn_view_centre(v->resized_w, r->input.w);
    }
    if (a->mirror) v->mirror = (int)rn_draw_below(&draws, 2);
    if (a->colour) draw_colour(v->noise, &draws);
}

/* ---- mixup ---- */

/* The logarithm of a number of Gamma(shape, 1) (Marsaglia and Tsang 2000; for a shape below 1 their section 6) */
static double draw_log_gamma(double shape, rn_draws *draws) {
    const double raised = shape < 1 ? shape + 1 : shape, d = raised - 1.0 / 3, c = 1 / sqrt(9 * d);
    const double boost = shape < 1 ? log(1 - rn_draw_uniform(draws)) / shape : 0;
    for (;;) {
        const double x = rn_draw_normal(draws), root = 1 + c * x, v = root * root * root;
        if (root <= 0) continue;
        const double u = 1 - rn_draw_uniform(draws);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v)) return log(d * v) + boost;
    }
}

float rn_mixup_share(double alpha, uint64_t seed, uint64_t step, uint32_t pair) {
    rn_draws draws = rn_draws_for(seed, RN_DRAW_MIXUP, (uint32_t)step, pair);
    const double a = draw_log_gamma(alpha, &draws), b = draw_log_gamma(alpha, &draws);
    return (float)(1 / (1 + exp(-fabs(a - b))));
}

/* ---- a loader's drawing ---- */

/* The order of an epoch: Fisher and Yates's shuffle (Knuth, volume 2, 3.4.2, algorithm P). */
static void draw_order(const rn_drawing *drawing, uint64_t epoch, uint32_t count, uint32_t *order) {
    const rn_augmentation *a = (const rn_augmentation *)drawing;
    rn_draws draws = rn_draws_for(a->seed, RN_DRAW_ORDER, (uint32_t)epoch, 0);
    for (uint32_t i = 0; i < count; i++) order[i] = i;
    for (uint32_t i = count - 1; i > 0; i--) {
        const uint32_t j = rn_draw_below(&draws, i + 1), other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
}

static void draw_view(const rn_drawing *drawing, rn_view *view, const rn_picture_recipe *recipe, rn_shape picture,
                      uint64_t epoch, uint32_t index) {
    const rn_augmentation *a = (const rn_augmentation *)drawing;
    rn_view_draw(view, recipe, &a->augment, picture, a->seed, (uint32_t)epoch, index);
}

static float draw_share(const rn_drawing *drawing, uint64_t step, uint32_t pair) {
    const rn_augmentation *a = (const rn_augmentation *)drawing;
    return rn_mixup_share(a->augment.mixup, a->seed, step, pair);
}

rn_augmentation rn_augmentation_of(const rn_augment *augment, uint64_t seed) {
    return (rn_augmentation){
        .drawing = {draw_order, draw_view, augment->mixup > 0 ? draw_share : NULL}, .augment = *augment, .seed = seed};
}

/* ---- whether it can be done ---- */

rn_status rn_augment_check(const rn_augment *a, const rn_picture_recipe *r, const rn_data *data, char *error,
                           size_t error_size) {
    const rn_data_info *info = rn_data_about(data);
    const int have = info->picture.c, want = r->input.c;
#define REFUSE(...) return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, __VA_ARGS__)
    if (a->pad < 0 || a->pad > MAX_PAD) REFUSE("pad %d; it is 0 to %d", a->pad, MAX_PAD);
    if (a->scale_max && (a->scale_min < 1 || a->scale_max < a->scale_min || a->scale_max > RN_MAX_IMAGE_SIDE))
        REFUSE("a shorter side of %d to %d", a->scale_min, a->scale_max);
    if (a->area_max != 0 && !(a->area_min > 0 && a->area_max >= a->area_min && a->area_max <= 1))
        REFUSE("a share of the area of %g to %g", a->area_min, a->area_max);
    if (a->colour && (have != 3 || want != 3))
        REFUSE("%s: colour is of pictures and inputs of three channels; they have %d and %d", info->spec, have, want);
    if (!(a->mixup >= 0 && isfinite(a->mixup))) REFUSE("mixup %g", a->mixup);
#undef REFUSE
    return RN_OK;
}
