/* Packing: what kernels read, from a tensor. A unit is a panel of output channels, a merged group or a kernel's tap.
 * 16 output channels at a time, where there are panels, so that their rows are read from start to end while the written
 * lines, one cache line for each input channel and tap, fill completely.
 */
#include "recipe.h"
#include "core/dtype.h"
#include "core/winograd.h"

#include <string.h>

/* A packing operation; the object is called by its row's word in rn_recipe.def. */
typedef struct Packing {
    int (*is_sound)(const rn_recipe_step *step); /* do its dims and integers make sense? NULL: they do */
    int64_t (*units)(const rn_recipe_step *step);
    int64_t (*numbers)(const rn_recipe_step *step); /* that it writes; 0: unsound */
    void (*write)(const rn_recipe_step *step, const float *from, void *out, int64_t u0, int64_t u1);
    int any_type; /* 0: writes floats alone */
} Packing;

static int64_t extent(const rn_recipe_step *step, int i) {
    return rn_recipe_extent(step->dim, i);
}

static int64_t taps_of(const rn_recipe_step *step) {
    return extent(step, 2) * extent(step, 3);
}

/* ---- panels ---- */
/* What a step's integers say, by their places. */
enum { PANEL = 0, BLOCK = 1, GROUPS = 2 };
enum { TILE_H = 1, TILE_W = 2, STRIDE = 3 }; /* Winograd; its panel is where that of PANELS is */

static int64_t panel_count(const rn_recipe_step *step) {
    return (extent(step, 0) + step->integer[PANEL] - 1) / step->integer[PANEL];
}

static int has_panels(const rn_recipe_step *step) {
    return step->integer[PANEL] >= RN_LANES && step->integer[PANEL] % RN_LANES == 0;
}

static int is_grouped(const rn_recipe_step *step) {
    return step->integer[GROUPS] > 1;
}

static int64_t merged_groups(const rn_recipe_step *step) { /* into one */
    return step->integer[BLOCK] / extent(step, 1);
}

static int panels_are_sound(const rn_recipe_step *step) {
    if (!has_panels(step) || step->integer[BLOCK] < 1) return 0;
    if (!is_grouped(step)) return 1;
    return step->type == RN_F32 && step->integer[BLOCK] % extent(step, 1) == 0 &&
           extent(step, 0) % step->integer[GROUPS] == 0 &&
           merged_groups(step) * (extent(step, 0) / step->integer[GROUPS]) <= step->integer[PANEL];
}

static int64_t panels_units(const rn_recipe_step *step) {
    if (!is_grouped(step)) return panel_count(step);
    return (step->integer[GROUPS] + merged_groups(step) - 1) / merged_groups(step);
}

static int64_t panels_numbers(const rn_recipe_step *step) {
    if (is_grouped(step)) return panels_units(step) * taps_of(step) * step->integer[BLOCK] * step->integer[PANEL];
    return taps_of(step) * extent(step, 1) * rn_round_to_lanes(extent(step, 0));
}

/* The unit is a merged group, a block-diagonal [R][S][block][panel]. */
static void pack_groups(const rn_recipe_step *step, const float *w, float *out, int64_t u0, int64_t u1) {
    const int64_t C = extent(step, 1), taps = taps_of(step); /* C of one group */
    const int64_t panel = step->integer[PANEL], block = step->integer[BLOCK], groups = step->integer[GROUPS];
    const int64_t merged = merged_groups(step), rows = extent(step, 0) / groups; /* output channels of a group */
    for (int64_t u = u0; u < u1; u++) {
        float *to = out + u * taps * block * panel;
        memset(to, 0, (size_t)(taps * block * panel) * sizeof *to);
        for (int64_t g = 0; g < merged && u * merged + g < groups; g++)
            for (int64_t k = 0; k < rows; k++)
                for (int64_t c = 0; c < C; c++)
                    for (int64_t t = 0; t < taps; t++)
                        to[(t * block + g * C + c) * panel + g * rows + k] =
                            w[(((u * merged + g) * rows + k) * C + c) * taps + t];
    }
}

static void panels_write(const rn_recipe_step *step, const float *w, void *out, int64_t u0, int64_t u1) {
    const int64_t K = extent(step, 0), C = extent(step, 1), taps = taps_of(step);
    const int64_t panel = step->integer[PANEL], block = step->integer[BLOCK];
    const rn_dtype type = (rn_dtype)step->type;
    const int64_t size = (int64_t)rn_dtype_size(type);
    if (is_grouped(step)) {
        pack_groups(step, w, out, u0, u1);
        return;
    }
    for (int64_t k0 = u0 * panel; k0 < u1 * panel; k0 += panel) {
        const int64_t width = K - k0 >= panel ? panel : rn_round_to_lanes(K - k0);
        const int64_t used = K - k0 < width ? K - k0 : width;
        for (int64_t c0 = 0; c0 < C; c0 += block) {
            const int64_t depth = C - c0 < block ? C - c0 : block;
            const int64_t to = k0 * C * taps + c0 * taps * width;
            for (int64_t k = 0; k < width; k += RN_LANES) {
                const int64_t lanes = used - k < RN_LANES ? used - k : RN_LANES;
                for (int64_t c = 0; c < depth; c++)
                    for (int64_t t = 0; t < taps; t++) {
                        float line[RN_LANES] = {0};
                        const float *from = w + ((k0 + k) * C + c0 + c) * taps + t;
                        for (int64_t i = 0; i < lanes; i++) line[i] = from[i * C * taps];
                        uint8_t *const at = (uint8_t *)out + (to + (t * depth + c) * width + k) * size;
                        rn_dtype_store(type, line, RN_LANES, at);
                    }
            }
        }
    }
}

static const Packing pack_panels = {.is_sound = panels_are_sound,
                                    .units = panels_units,
                                    .numbers = panels_numbers,
                                    .write = panels_write,
                                    .any_type = 1};

/* ---- vectors: one unit ---- */
static int64_t vector_units(const rn_recipe_step *step) {
    (void)step;
    return 1;
}

static int64_t vector_numbers(const rn_recipe_step *step) {
    return rn_round_to_lanes(rn_recipe_element_count(step->dim));
}

static void vector_write(const rn_recipe_step *step, const float *from, void *out, int64_t u0, int64_t u1) {
    (void)u0, (void)u1;
    const size_t count = (size_t)rn_recipe_element_count(step->dim);
    memset(out, 0, (size_t)vector_numbers(step) * sizeof *from);
    memcpy(out, from, count * sizeof *from);
}

static const Packing pack_vector = {.units = vector_units, .numbers = vector_numbers, .write = vector_write};

/* ---- kernels of small groups: the unit is a vector of channels ---- */
static int64_t grouped_units(const rn_recipe_step *step) {
    return rn_round_to_lanes(extent(step, 0)) / RN_LANES;
}

static int64_t grouped_numbers(const rn_recipe_step *step) {
    return taps_of(step) * extent(step, 1) * rn_round_to_lanes(extent(step, 0));
}

static void grouped_write(const rn_recipe_step *step, const float *w, void *out, int64_t u0, int64_t u1) {
    const int64_t C = extent(step, 0), G = extent(step, 1), R = extent(step, 2), S = extent(step, 3);
    float *to = (float *)out + u0 * RN_LANES * G * R * S;
    for (int64_t u = u0; u < u1; u++)
        for (int64_t r = 0; r < R; r++)
            for (int64_t g = 0; g < G; g++)
                for (int64_t s = 0; s < S; s++)
                    for (int64_t c = u * RN_LANES; c < (u + 1) * RN_LANES; c++)
                        *to++ = c < C ? w[((c * G + g) * R + r) * S + s] : 0.0f;
}

static const Packing pack_grouped = {.units = grouped_units, .numbers = grouped_numbers, .write = grouped_write};

/* ---- Winograd's method: the unit is a panel ---- */
typedef struct Winograd2 {
    rn_winograd h, w;
} Winograd2;

static int winograd_of(const rn_recipe_step *step, Winograd2 *t) {
    const int *integer = step->integer;
    return rn_winograd_make(&t->h, integer[TILE_H], (int)extent(step, 2), integer[STRIDE]) ||
           rn_winograd_make(&t->w, integer[TILE_W], (int)extent(step, 3), integer[STRIDE]);
}

static int winograd_is_sound(const rn_recipe_step *step) {
    Winograd2 t;
    return has_panels(step) && step->integer[TILE_H] >= 1 && !winograd_of(step, &t);
}

static int64_t winograd_numbers(const rn_recipe_step *step) {
    Winograd2 t;
    if (winograd_of(step, &t)) return 0;
    return (int64_t)t.h.n * t.w.n * extent(step, 1) * rn_round_to_lanes(extent(step, 0));
}

/* kernel_h g kernel_w^T of 16 kernels side by side, g[tap][lane]; product i's to out + i * step. */
static void transform_kernels(const Winograd2 *t, const double *g, float *out, int64_t step) {
    double rows[RN_WINOGRAD_MAX][RN_LANES];
    for (int x = 0; x < t->h.n; x++) {
        memset(rows, 0, (size_t)t->w.r * sizeof *rows);
        for (int i = 0; i < t->h.r; i++)
            for (int j = 0; j < t->w.r; j++)
                for (int k = 0; k < RN_LANES; k++) rows[j][k] += t->h.kernel[x][i] * g[(i * t->w.r + j) * RN_LANES + k];
        for (int y = 0; y < t->w.n; y++, out += step) {
            double sum[RN_LANES] = {0};
            for (int j = 0; j < t->w.r; j++)
                for (int k = 0; k < RN_LANES; k++) sum[k] += t->w.kernel[y][j] * rows[j][k];
            for (int k = 0; k < RN_LANES; k++) out[k] = (float)sum[k];
        }
    }
}

static void winograd_write(const rn_recipe_step *step, const float *w, void *out, int64_t u0, int64_t u1) {
    const int64_t K = extent(step, 0), C = extent(step, 1), panel = step->integer[PANEL];
    Winograd2 t;
    if (winograd_of(step, &t)) return; /* is_sound keeps it out */
    const int64_t products = t.h.n * t.w.n, taps = t.h.r * t.w.r;
    double g[RN_WINOGRAD_MAX * RN_WINOGRAD_MAX * RN_LANES];
    for (int64_t k0 = u0 * panel; k0 < u1 * panel && k0 < K; k0 += panel) {
        const int64_t width = K - k0 >= panel ? panel : rn_round_to_lanes(K - k0);
        for (int64_t c = 0; c < C; c++)
            for (int64_t k = 0; k < width; k += RN_LANES) {
                for (int64_t i = 0; i < RN_LANES; i++) {
                    const float *from = w + ((k0 + k + i) * C + c) * taps;
                    for (int64_t tap = 0; tap < taps; tap++)
                        g[tap * RN_LANES + i] = k0 + k + i < K ? (double)from[tap] : 0;
                }
                transform_kernels(&t, g, (float *)out + k0 * C * products + c * width + k, C * width);
            }
    }
}

static const Packing pack_winograd = {
    .is_sound = winograd_is_sound, .units = panel_count, .numbers = winograd_numbers, .write = winograd_write};

/* ---- Strassen's method: the unit is a panel of both halves ---- */
enum { STRASSEN_PRODUCTS = 7 };

static int strassen_is_sound(const rn_recipe_step *step) {
    return has_panels(step) && extent(step, 0) % (2 * (int64_t)step->integer[PANEL]) == 0 && extent(step, 1) % 2 == 0 &&
           taps_of(step) == 1;
}

static int64_t strassen_units(const rn_recipe_step *step) {
    return extent(step, 0) / 2 / step->integer[PANEL];
}

static int64_t strassen_numbers(const rn_recipe_step *step) {
    return STRASSEN_PRODUCTS * (extent(step, 0) / 2) * (extent(step, 1) / 2);
}

static void strassen_write(const rn_recipe_step *step, const float *w, void *out, int64_t u0, int64_t u1) {
    const int64_t C = extent(step, 1), half_k = extent(step, 0) / 2, half_c = C / 2;
    const int64_t panel = step->integer[PANEL], size = half_c * panel; /* floats of a product's weights */
    for (int64_t u = u0; u < u1; u++)
        for (int64_t c = 0; c < half_c; c++)
            for (int64_t k = 0; k < panel; k++) {
                const float *upper = w + (u * panel + k) * C + c, *lower = upper + half_k * C;
                const double a11 = upper[0], a12 = upper[half_c], a21 = lower[0], a22 = lower[half_c];
                const double s1 = a21 + a22, s2 = s1 - a11;
                const double sums[STRASSEN_PRODUCTS] = {a11, a12, s2, a11 - a21, s1, a12 - s2, -a22};
                float *to = (float *)out + u * STRASSEN_PRODUCTS * size + c * panel + k;
                for (int p = 0; p < STRASSEN_PRODUCTS; p++) to[p * size] = (float)sums[p];
            }
}

static const Packing pack_strassen = {
    .is_sound = strassen_is_sound, .units = strassen_units, .numbers = strassen_numbers, .write = strassen_write};

/* ---- any of them ---- */
static const Packing *const packings[RN_RECIPE_OP_COUNT] = {
#define RN_PACKING(name, word, ...) [RN_##name] = &word,
#include "rn_recipe.def"
};

int rn_recipe_is_packing(const rn_recipe_step *step) {
    return packings[step->op] != NULL;
}

int rn_recipe_pack_is_sound(const rn_recipe_step *step) {
    const Packing *packing = packings[step->op];
    return (step->type == RN_F32 || packing->any_type) && (!packing->is_sound || packing->is_sound(step));
}

int64_t rn_recipe_pack_units(const rn_recipe_step *step) {
    return packings[step->op]->units(step);
}

size_t rn_recipe_pack_size(const rn_recipe_step *step) {
    return (size_t)packings[step->op]->numbers(step) * rn_dtype_size((rn_dtype)step->type);
}

void rn_recipe_pack_part(const rn_recipe_step *step, const float *arg, uint8_t *payload, int64_t u0, int64_t u1) {
    packings[step->op]->write(step, arg, payload + step->offset, u0, u1);
}

void rn_recipe_pack(const rn_recipe_step *step, const float *arg, uint8_t *payload) {
    rn_recipe_pack_part(step, arg, payload, 0, rn_recipe_pack_units(step));
}
