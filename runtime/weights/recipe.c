/* Runs the weight recipe (rn_recipe.h): a list of steps over tensors becomes the packed bytes that kernels read.
 *
 * The same functions serve the compiler (constant folding in tests and the interpreter, rnc --weights) and librn (a
 * safetensors file at start-up), so that both make equal bytes. Every step computes each result element from a fixed
 * order of double operations and rounds it to float once; steps are split over threads by rows (the first dimension) or
 * by panels, which changes no order. Hence the bytes do not depend on the number of threads.
 */
#include "rn_recipe.h"
#include "rn.h"
#include "core/winograd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { LANES = 16 };                      /* floats of a vector register and of a cache line */
enum { PARALLEL_MIN_ELEMENTS = 1 << 16 }; /* smaller steps cost less than waking threads */

static int64_t round_to_lanes(int64_t n) {
    return (n + LANES - 1) / LANES * LANES;
}

/* A dimension that a step does not have may be written as 0: it counts as 1. */
static int64_t extent(const int32_t *dim, int i) {
    return dim[i] > 0 ? dim[i] : 1;
}

static int64_t row_size(const int32_t *dim) {
    return extent(dim, 1) * extent(dim, 2) * extent(dim, 3);
}

static int64_t element_count(const int32_t *dim) {
    return extent(dim, 0) * row_size(dim);
}

/* ---- expressions: rows [k0, k1) of the result ---- */

static void evaluate_identity_kernel(const rn_recipe_step *step, float *out, int64_t k0, int64_t k1) {
    const int64_t features = extent(step->dim, 0), channels = extent(step->dim, 1); /* channels of one group */
    const int64_t r = extent(step->dim, 2), s = extent(step->dim, 3);
    const int64_t groups = step->integer[0] > 0 ? step->integer[0] : 1;
    const int64_t centre = (r - 1) / 2 * s + (s - 1) / 2;
    memset(out + k0 * channels * r * s, 0, (size_t)((k1 - k0) * channels * r * s) * sizeof *out);
    for (int64_t k = k0; k < k1; k++) {
        int64_t group = k / (features / groups), c = k - group * channels; /* its number in its group */
        if (c >= 0 && c < channels) out[(k * channels + c) * r * s + centre] = 1.0f;
    }
}

/* How a weight's row is laid out: [channels of the group][pixels], and which channels a row's group starts at. */
typedef struct InputLayout {
    int64_t channels, pixels, rows_per_group;
} InputLayout;

static InputLayout input_layout(const rn_recipe_step *step, const int32_t *dim) {
    const int64_t groups = step->integer[0] > 0 ? step->integer[0] : 1;
    const int64_t hw = step->integer[1] > 0 ? step->integer[1] : 1;
    return (InputLayout){extent(dim, 1) / hw, hw * extent(dim, 2) * extent(dim, 3), extent(dim, 0) / groups};
}

static void evaluate_scale_in(InputLayout in, const float *w, const float *scale, float *out, int64_t k0, int64_t k1) {
    for (int64_t k = k0; k < k1; k++) {
        const float *s = scale + k / in.rows_per_group * in.channels;
        for (int64_t c = 0; c < in.channels; c++)
            for (int64_t p = 0; p < in.pixels; p++) {
                int64_t i = (k * in.channels + c) * in.pixels + p;
                out[i] = (float)((double)w[i] * s[c]);
            }
    }
}

static void evaluate_shift_in(InputLayout in, const float *w, const float *shift, float *out, int64_t k0, int64_t k1) {
    for (int64_t k = k0; k < k1; k++) {
        const float *t = shift + k / in.rows_per_group * in.channels;
        double sum = 0;
        for (int64_t c = 0; c < in.channels; c++)
            for (int64_t p = 0; p < in.pixels; p++) sum += (double)w[(k * in.channels + c) * in.pixels + p] * t[c];
        out[k] = (float)sum;
    }
}

static void evaluate_embed(const rn_recipe_step *step, const float *a, const int32_t *a_dim, float *out, int64_t k0,
                           int64_t k1) {
    const int64_t channels = extent(step->dim, 1), R = extent(step->dim, 2), S = extent(step->dim, 3);
    const int64_t r = extent(a_dim, 2), s = extent(a_dim, 3);
    memset(out + k0 * channels * R * S, 0, (size_t)((k1 - k0) * channels * R * S) * sizeof *out);
    for (int64_t kc = k0 * channels; kc < k1 * channels; kc++)
        for (int64_t y = 0; y < r; y++)
            memcpy(out + (kc * R + y + step->integer[0]) * S + step->integer[1], a + (kc * r + y) * s,
                   (size_t)s * sizeof *out);
}

uint16_t rn_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (isnan(x)) return (uint16_t)(bits >> 16 | 0x40); /* quiet, since its payload may lie in the lower bits */
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float round_bf16(float x) {
    const uint32_t bits = (uint32_t)rn_bf16(x) << 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void evaluate_space_to_depth(const rn_recipe_step *step, const float *a, const int32_t *a_dim, float *out,
                                    int64_t k0, int64_t k1) {
    const int64_t R = extent(step->dim, 2), S = extent(step->dim, 3), row = row_size(step->dim);
    const int64_t channels = extent(a_dim, 1), r = extent(a_dim, 2), s = extent(a_dim, 3);
    const int64_t side = step->integer[0], pixel = step->integer[1];
    memset(out + k0 * row, 0, (size_t)((k1 - k0) * row) * sizeof *out);
    for (int64_t k = k0; k < k1; k++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t y = 0; y < r; y++)
                for (int64_t x = 0; x < s; x++) {
                    const int64_t deep = (y % side * side + x % side) * pixel + c;
                    out[k * row + (deep * R + y / side) * S + x / side] = a[((k * channels + c) * r + y) * s + x];
                }
}

static void evaluate_rows(const rn_recipe_step *step, const float *const args[3], const int32_t *const arg_dims[3],
                          float *out, int64_t k0, int64_t k1) {
    const int64_t row = row_size(step->dim), begin = k0 * row, end = k1 * row;
    const float *a = args[0], *b = args[1], *c = args[2];
    switch ((rn_recipe_op)step->op) {
    case RN_FILL:
        for (int64_t i = begin; i < end; i++) out[i] = (float)step->real;
        break;
    case RN_IDENTITY_KERNEL:
        evaluate_identity_kernel(step, out, k0, k1);
        break;
    case RN_BN_SCALE:
        for (int64_t i = begin; i < end; i++) out[i] = (float)((double)a[i] / sqrt((double)b[i] + step->real));
        break;
    case RN_BN_SHIFT:
        for (int64_t i = begin; i < end; i++) out[i] = (float)((double)a[i] - (double)b[i] * c[i]);
        break;
    case RN_MUL_ADD:
        for (int64_t i = begin; i < end; i++) out[i] = (float)((double)a[i] * b[i] + c[i]);
        break;
    case RN_SCALE_OUT:
        for (int64_t k = k0; k < k1; k++)
            for (int64_t i = k * row; i < (k + 1) * row; i++) out[i] = (float)((double)a[i] * b[k]);
        break;
    case RN_SCALE_IN:
        evaluate_scale_in(input_layout(step, step->dim), a, b, out, k0, k1);
        break;
    case RN_SHIFT_IN:
        evaluate_shift_in(input_layout(step, arg_dims[0]), a, b, out, k0, k1);
        break;
    case RN_ADD:
        for (int64_t i = begin; i < end; i++) out[i] = (float)((double)a[i] + b[i]);
        break;
    case RN_EMBED:
        evaluate_embed(step, a, arg_dims[0], out, k0, k1);
        break;
    case RN_RESHAPE:
        memcpy(out + begin, a + begin, (size_t)(end - begin) * sizeof *out);
        break;
    case RN_ROUND_BF16:
        for (int64_t i = begin; i < end; i++) out[i] = round_bf16(a[i]);
        break;
    case RN_SPACE_TO_DEPTH:
        evaluate_space_to_depth(step, a, arg_dims[0], out, k0, k1);
        break;
    case RN_PARAM:
    case RN_PACK_VECTOR:
    case RN_PACK_PANELS:
    case RN_PACK_DEPTHWISE:
    case RN_PACK_WINOGRAD:
    case RN_PACK_STRASSEN:
    case RN_PACK_PANELS_BF16:
    case RN_RECIPE_OP_COUNT:
        break; /* no expressions; recipe_is_sound and callers keep them out */
    }
}

void rn_recipe_evaluate(const rn_recipe_step *step, const float *const args[3], const int32_t *const arg_dims[3],
                        float *out) {
    evaluate_rows(step, args, arg_dims, out, 0, extent(step->dim, 0));
}

/* ---- packing: units [u0, u1) of the step's area, a unit being a panel, a merged group or a kernel tap ---- */

/* RN_PACK_PANELS of an ungrouped kernel, and RN_PACK_PANELS_BF16; the unit is a panel of output channels. */
static void pack_panels(const rn_recipe_step *step, const float *w, void *out, int64_t u0, int64_t u1) {
    const int64_t K = extent(step->dim, 0), C = extent(step->dim, 1);
    const int64_t taps = extent(step->dim, 2) * extent(step->dim, 3);
    const int64_t panel = step->integer[0], block = step->integer[1];
    for (int64_t k0 = u0 * panel; k0 < u1 * panel; k0 += panel) {
        const int64_t width = K - k0 >= panel ? panel : round_to_lanes(K - k0), used = K - k0 < width ? K - k0 : width;
        for (int64_t c0 = 0; c0 < C; c0 += block) {
            const int64_t depth = C - c0 < block ? C - c0 : block;
            /* 16 output channels at a time, so that their rows are read from start to end while the written lines,
             * one cache line for each c and tap, fill completely */
            const int64_t to = k0 * C * taps + c0 * taps * width;
            for (int64_t k = 0; k < width; k += LANES) {
                const int64_t lanes = used - k < LANES ? used - k : LANES;
                for (int64_t c = 0; c < depth; c++)
                    for (int64_t t = 0; t < taps; t++) {
                        float line[LANES] = {0};
                        const float *from = w + ((k0 + k) * C + c0 + c) * taps + t;
                        for (int64_t i = 0; i < lanes; i++) line[i] = from[i * C * taps];
                        const int64_t at = to + (t * depth + c) * width + k;
                        if (step->op == RN_PACK_PANELS)
                            memcpy((float *)out + at, line, sizeof line);
                        else
                            for (int i = 0; i < LANES; i++) ((uint16_t *)out)[at + i] = rn_bf16(line[i]);
                    }
            }
        }
    }
}

/* RN_PACK_PANELS of a grouped kernel; the unit is a merged group, a block-diagonal [R][S][block][panel]. */
static void pack_groups(const rn_recipe_step *step, const float *w, float *out, int64_t u0, int64_t u1) {
    const int64_t K = extent(step->dim, 0), C = extent(step->dim, 1); /* C of one group */
    const int64_t taps = extent(step->dim, 2) * extent(step->dim, 3);
    const int64_t panel = step->integer[0], block = step->integer[1], groups = step->integer[2];
    const int64_t merged = block / C, rows = K / groups; /* groups merged into one, output channels of a group */
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

/* RN_PACK_DEPTHWISE; the unit is one tap (r, s). */
static void pack_depthwise(const rn_recipe_step *step, const float *w, float *out, int64_t u0, int64_t u1) {
    const int64_t C = extent(step->dim, 0), padded = round_to_lanes(C);
    const int64_t taps = extent(step->dim, 2) * extent(step->dim, 3);
    for (int64_t t = u0; t < u1; t++) {
        for (int64_t c = 0; c < C; c++) out[t * padded + c] = w[c * taps + t];
        for (int64_t c = C; c < padded; c++) out[t * padded + c] = 0.0f;
    }
}

typedef struct Winograd2 {
    rn_winograd h, w;
} Winograd2;

static int winograd_of(const rn_recipe_step *step, Winograd2 *t) {
    return rn_winograd_make(&t->h, step->integer[1], (int)extent(step->dim, 2), step->integer[3]) ||
           rn_winograd_make(&t->w, step->integer[2], (int)extent(step->dim, 3), step->integer[3]);
}

/* kernel_h g kernel_w^T of 16 kernels side by side, g[tap][lane]; product i's to out + i * step. */
static void transform_kernels(const Winograd2 *t, const double *g, float *out, int64_t step) {
    double rows[RN_WINOGRAD_MAX][LANES];
    for (int x = 0; x < t->h.n; x++) {
        memset(rows, 0, (size_t)t->w.r * sizeof *rows);
        for (int i = 0; i < t->h.r; i++)
            for (int j = 0; j < t->w.r; j++)
                for (int k = 0; k < LANES; k++) rows[j][k] += t->h.kernel[x][i] * g[(i * t->w.r + j) * LANES + k];
        for (int y = 0; y < t->w.n; y++, out += step) {
            double sum[LANES] = {0};
            for (int j = 0; j < t->w.r; j++)
                for (int k = 0; k < LANES; k++) sum[k] += t->w.kernel[y][j] * rows[j][k];
            for (int k = 0; k < LANES; k++) out[k] = (float)sum[k];
        }
    }
}

/* RN_PACK_WINOGRAD; the unit is a panel. */
static void pack_winograd(const rn_recipe_step *step, const float *w, float *out, int64_t u0, int64_t u1) {
    const int64_t K = extent(step->dim, 0), C = extent(step->dim, 1), panel = step->integer[0];
    Winograd2 t;
    if (winograd_of(step, &t)) return; /* recipe_is_sound keeps it out */
    const int64_t products = t.h.n * t.w.n, taps = t.h.r * t.w.r;
    double g[RN_WINOGRAD_MAX * RN_WINOGRAD_MAX * LANES];
    for (int64_t k0 = u0 * panel; k0 < u1 * panel && k0 < K; k0 += panel) {
        const int64_t width = K - k0 >= panel ? panel : round_to_lanes(K - k0);
        for (int64_t c = 0; c < C; c++)
            for (int64_t k = 0; k < width; k += LANES) { /* 16 output channels at a time fill a cache line */
                for (int64_t i = 0; i < LANES; i++) {
                    const float *from = w + ((k0 + k + i) * C + c) * taps;
                    for (int64_t tap = 0; tap < taps; tap++)
                        g[tap * LANES + i] = k0 + k + i < K ? (double)from[tap] : 0;
                }
                transform_kernels(&t, g, out + k0 * C * products + c * width + k, C * width);
            }
    }
}

enum { STRASSEN_PRODUCTS = 7 };

/* RN_PACK_STRASSEN; the unit is a panel of both halves. */
static void pack_strassen(const rn_recipe_step *step, const float *w, float *out, int64_t u0, int64_t u1) {
    const int64_t C = extent(step->dim, 1), half_k = extent(step->dim, 0) / 2, half_c = C / 2;
    const int64_t panel = step->integer[0], size = half_c * panel; /* floats of a product's weights */
    for (int64_t u = u0; u < u1; u++)
        for (int64_t c = 0; c < half_c; c++)
            for (int64_t k = 0; k < panel; k++) {
                const float *upper = w + (u * panel + k) * C + c, *lower = upper + half_k * C;
                const double a11 = upper[0], a12 = upper[half_c], a21 = lower[0], a22 = lower[half_c];
                const double s1 = a21 + a22, s2 = s1 - a11;
                const double sums[STRASSEN_PRODUCTS] = {a11, a12, s2, a11 - a21, s1, a12 - s2, -a22};
                float *to = out + u * STRASSEN_PRODUCTS * size + c * panel + k;
                for (int p = 0; p < STRASSEN_PRODUCTS; p++) to[p * size] = (float)sums[p];
            }
}

static int64_t pack_units(const rn_recipe_step *step) {
    if (step->op == RN_PACK_STRASSEN) return extent(step->dim, 0) / 2 / step->integer[0];
    if (step->op == RN_PACK_WINOGRAD) return (extent(step->dim, 0) + step->integer[0] - 1) / step->integer[0];
    if (step->op == RN_PACK_DEPTHWISE) return extent(step->dim, 2) * extent(step->dim, 3);
    if (step->op != RN_PACK_PANELS && step->op != RN_PACK_PANELS_BF16) return 1;
    if (step->integer[2] > 1) {
        int64_t merged = step->integer[1] / extent(step->dim, 1);
        return (step->integer[2] + merged - 1) / merged;
    }
    return (extent(step->dim, 0) + step->integer[0] - 1) / step->integer[0];
}

static size_t pack_size(const rn_recipe_step *step) {
    const int32_t *dim = step->dim;
    switch (step->op) {
    case RN_PACK_VECTOR:
        return (size_t)round_to_lanes(element_count(dim)) * sizeof(float);
    case RN_PACK_DEPTHWISE:
        return (size_t)(extent(dim, 2) * extent(dim, 3) * round_to_lanes(extent(dim, 0))) * sizeof(float);
    case RN_PACK_STRASSEN:
        return (size_t)STRASSEN_PRODUCTS * (size_t)(extent(dim, 0) / 2) * (size_t)(extent(dim, 1) / 2) * sizeof(float);
    case RN_PACK_WINOGRAD:
        return rn_pack_winograd_size((int)extent(dim, 0), (int)extent(dim, 1), (int)extent(dim, 2), (int)extent(dim, 3),
                                     step->integer[1], step->integer[2], step->integer[3]);
    case RN_PACK_PANELS_BF16:
        return rn_pack_panels_bf16_size((int)extent(dim, 0), (int)extent(dim, 1), (int)extent(dim, 2),
                                        (int)extent(dim, 3));
    default:
        return rn_pack_panels_size((int)extent(dim, 0), (int)extent(dim, 1), (int)extent(dim, 2), (int)extent(dim, 3),
                                   step->integer[0], step->integer[1], step->integer[2]);
    }
}

static void pack_part(const rn_recipe_step *step, const float *arg, uint8_t *payload, int64_t u0, int64_t u1) {
    float *out = (float *)(void *)(payload + step->offset);
    if (step->op == RN_PACK_VECTOR) {
        memset(out, 0, pack_size(step));
        memcpy(out, arg, (size_t)element_count(step->dim) * sizeof *out);
    } else if (step->op == RN_PACK_DEPTHWISE) {
        pack_depthwise(step, arg, out, u0, u1);
    } else if (step->op == RN_PACK_WINOGRAD) {
        pack_winograd(step, arg, out, u0, u1);
    } else if (step->op == RN_PACK_STRASSEN) {
        pack_strassen(step, arg, out, u0, u1);
    } else if (step->integer[2] > 1) {
        pack_groups(step, arg, out, u0, u1);
    } else {
        pack_panels(step, arg, out, u0, u1);
    }
}

size_t rn_pack_panels_size(int features, int channels, int r, int s, int panel, int block, int groups) {
    const size_t taps = (size_t)r * (size_t)s;
    if (groups > 1) {
        const int merged = block / channels;
        return (size_t)((groups + merged - 1) / merged) * taps * (size_t)block * (size_t)panel * sizeof(float);
    }
    return taps * (size_t)channels * (size_t)round_to_lanes(features) * sizeof(float);
}

size_t rn_pack_panels_bf16_size(int features, int channels, int r, int s) {
    return rn_pack_panels_size(features, channels, r, s, LANES, 1, 1) / sizeof(float) * sizeof(uint16_t);
}

size_t rn_pack_winograd_size(int features, int channels, int r, int s, int m_h, int m_w, int stride) {
    rn_winograd h, w;
    if (rn_winograd_make(&h, m_h, r, stride) || rn_winograd_make(&w, m_w, s, stride)) return 0;
    return (size_t)(h.n * w.n) * (size_t)channels * (size_t)round_to_lanes(features) * sizeof(float);
}

void rn_recipe_pack(const rn_recipe_step *step, const float *arg, uint8_t *payload) {
    pack_part(step, arg, payload, 0, pack_units(step));
}

/* ---- the whole recipe ---- */

static int is_packing(const rn_recipe_step *step) {
    return step->op >= RN_PACK_VECTOR && step->op != RN_ROUND_BF16 && step->op != RN_SPACE_TO_DEPTH;
}

/* Guards the table itself: arguments come first and packed areas lie inside the payload, on cache lines. */
static int recipe_is_sound(const rn_recipe *recipe) {
    for (int i = 0; i < recipe->count; i++) {
        const rn_recipe_step *step = &recipe->steps[i];
        if (step->op >= RN_RECIPE_OP_COUNT || (step->op == RN_PARAM && !step->name)) return 0;
        for (int a = 0; a < 3; a++)
            if (step->arg[a] >= i || (step->arg[a] >= 0 && is_packing(&recipe->steps[step->arg[a]]))) return 0;
        if (!is_packing(step)) continue;
        if (step->arg[0] < 0 || step->offset % 64) return 0;
        if (element_count(step->dim) != element_count(recipe->steps[step->arg[0]].dim)) return 0;
        if (step->op == RN_PACK_PANELS || step->op == RN_PACK_PANELS_BF16 || step->op == RN_PACK_WINOGRAD)
            if (step->integer[0] < LANES || step->integer[0] % LANES || step->integer[1] < 1) return 0;
        if (step->op == RN_PACK_WINOGRAD && !pack_size(step)) return 0;
        if (step->op == RN_PACK_PANELS_BF16 && step->integer[2] > 1) return 0;
        if (step->op == RN_PACK_STRASSEN &&
            (step->integer[0] < LANES || step->integer[0] % LANES ||
             extent(step->dim, 0) % (2 * (int64_t)step->integer[0]) || extent(step->dim, 1) % 2 ||
             extent(step->dim, 2) * extent(step->dim, 3) != 1))
            return 0;
        if (step->op == RN_PACK_PANELS) {
            if (step->integer[2] > 1 &&
                (step->integer[1] % extent(step->dim, 1) || step->dim[0] % step->integer[2] ||
                 step->integer[1] / extent(step->dim, 1) * (step->dim[0] / step->integer[2]) > step->integer[0]))
                return 0;
        }
        if (step->offset > recipe->packed_size || pack_size(step) > recipe->packed_size - step->offset) return 0;
    }
    return 1;
}

typedef struct Area {
    uint64_t begin, end;
} Area;

static int area_compare(const void *a, const void *b) {
    const Area *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Zeroes what no step writes (a checksum covers the whole payload). Returns -1 where areas overlap or no memory. */
static int clear_gaps(const rn_recipe *recipe, uint8_t *payload) {
    Area *areas = malloc(((size_t)recipe->count + 1) * sizeof *areas);
    if (!areas) return -1;
    int n = 0, result = 0;
    for (int i = 0; i < recipe->count; i++)
        if (is_packing(&recipe->steps[i]))
            areas[n++] = (Area){recipe->steps[i].offset, recipe->steps[i].offset + pack_size(&recipe->steps[i])};
    areas[n] = (Area){recipe->packed_size, recipe->packed_size};
    qsort(areas, (size_t)n, sizeof *areas, area_compare);
    uint64_t at = 0;
    for (int i = 0; i <= n && result == 0; i++) {
        if (areas[i].begin < at)
            result = -1;
        else
            memset(payload + at, 0, areas[i].begin - at);
        at = areas[i].end;
    }
    free(areas);
    return result;
}

typedef struct StepJob { /* one step, divided among threads, each of which takes the next of the parts */
    const rn_recipe_step *step;
    const float *args[3];
    const int32_t *arg_dims[3];
    float *out;
    uint8_t *payload;
    int64_t units, parts, next;
} StepJob;

static void run_parts(void *arg, int thread, int threads) {
    StepJob *job = arg;
    (void)thread, (void)threads;
    for (int64_t part; (part = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED)) < job->parts;) {
        const int64_t begin = job->units * part / job->parts, end = job->units * (part + 1) / job->parts;
        if (is_packing(job->step))
            pack_part(job->step, job->args[0], job->payload, begin, end);
        else
            evaluate_rows(job->step, job->args, job->arg_dims, job->out, begin, end);
    }
}

static void run_step(const rn_recipe *recipe, const rn_recipe_step *step, float *const *tensors, float *out,
                     uint8_t *payload, int threads) {
    StepJob job = {.step = step, .out = out, .payload = payload};
    for (int a = 0; a < 3; a++)
        if (step->arg[a] >= 0) {
            job.args[a] = tensors[step->arg[a]];
            job.arg_dims[a] = recipe->steps[step->arg[a]].dim;
        }
    job.units = is_packing(step) ? pack_units(step) : extent(step->dim, 0);
    const int64_t work = job.args[0] ? element_count(job.arg_dims[0]) : element_count(step->dim);
    if (work < PARALLEL_MIN_ELEMENTS) threads = 1;
    job.parts = threads < 2 ? 1 : job.units < 4 * threads ? job.units : 4 * threads;
    rn_context context = {.threads = threads};
    rn_parallel(&context, run_parts, &job);
}

int rn_recipe_run(const rn_recipe *recipe, rn_param_source source, void *user, uint8_t *payload, int threads) {
    if (!recipe_is_sound(recipe) || clear_gaps(recipe, payload)) return -1;
    const size_t count = (size_t)recipe->count;
    float **tensors = calloc(count + 1, sizeof *tensors);
    int *last_use = malloc((count + 1) * sizeof *last_use);
    int result = tensors && last_use ? 0 : -1;
    for (int i = 0; result == 0 && i < recipe->count; i++) {
        last_use[i] = i; /* a result that nothing reads goes at once */
        for (int a = 0; a < 3; a++)
            if (recipe->steps[i].arg[a] >= 0) last_use[recipe->steps[i].arg[a]] = i;
    }
    for (int i = 0; result == 0 && i < recipe->count; i++) {
        const rn_recipe_step *step = &recipe->steps[i];
        if (step->op == RN_PARAM) {
            tensors[i] = source(user, step->name, step->ndim, step->dim);
        } else if (!is_packing(step)) {
            tensors[i] = malloc((size_t)element_count(step->dim) * sizeof(float));
        }
        if (!is_packing(step) && !tensors[i]) {
            result = -1;
            break;
        }
        if (step->op != RN_PARAM) run_step(recipe, step, tensors, tensors[i], payload, threads);
        for (int a = -1; a < 3; a++) {
            int used = a < 0 ? i : step->arg[a];
            if (used >= 0 && last_use[used] == i) {
                free(tensors[used]);
                tensors[used] = NULL;
            }
        }
    }
    for (size_t i = 0; tensors && i < count; i++) free(tensors[i]);
    free(tensors);
    free(last_use);
    return result;
}

/* Chained, each step hashed with the hash so far as seed, over little-endian bytes of its fields: the same on every
 * compiler, whatever the struct's padding. */
uint64_t rn_recipe_hash(const rn_recipe_step *steps, int count) {
    uint64_t hash = (uint64_t)count;
    for (int i = 0; i < count; i++) {
        const rn_recipe_step *step = &steps[i];
        uint64_t real, fields[15];
        memcpy(&real, &step->real, sizeof real);
        int n = 0;
        fields[n++] = step->op;
        fields[n++] = step->ndim;
        for (int a = 0; a < 3; a++) fields[n++] = (uint64_t)(int64_t)step->arg[a];
        for (int d = 0; d < 4; d++) fields[n++] = d < step->ndim ? (uint64_t)(int64_t)step->dim[d] : 0;
        for (int k = 0; k < 4; k++) fields[n++] = (uint64_t)(int64_t)step->integer[k];
        fields[n++] = real;
        fields[n++] = is_packing(step) ? step->offset : 0;
        uint8_t bytes[sizeof fields];
        for (int f = 0; f < n; f++)
            for (int b = 0; b < 8; b++) bytes[8 * f + b] = (uint8_t)(fields[f] >> 8 * b);
        hash = XXH3_64bits_withSeed(bytes, sizeof bytes, hash);
        if (step->op == RN_PARAM && step->name) hash = XXH3_64bits_withSeed(step->name, strlen(step->name), hash);
    }
    return hash;
}
