/* Code of network woven, made by rnc 0.1.0 for x86-64-v4. Do not edit: compile the source again.
 *     rnc -O2 -fno-winograd -fno-strassen --target=x86-64-v4 -mtune=emeraldrapids -o woven.c woven.rn
 * source hash 6b8e1037b81ac4ae; on any machine the same with --target x86-64-v4 -mtune=emeraldrapids
 *
 * A batch of at most 1; one arena of 1983424 bytes of activations, reused by lifetime. */
#include "woven.h"
#include "rn_emitted.h"
#include "rn_recipe.h"

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct woven {
    rn_context rn;
    rn_kernel k[3];
};

/* at the end of the file */
static const rn_model model;
static const rn_layer layers[5];
static const struct result { size_t offset, pixel, row; } results[5];
static const rn_kernel_spec kernels[3];
static void input_256x28x28(void *arg, int part, int parts);
static void conv1x1_256to320_28x28_relu(void *arg, int part, int parts);
static void conv3x3_stride2_320to128_14x14_relu_mean(void *arg, int part, int parts);
static void fc_10x1x1(void *arg, int part, int parts);
static void output_10x1x1(void *arg, int part, int parts);

/* A task's arguments: inputs, weights of each term, bias or shift, slopes, addend, result. */
struct args {
    const rn_kernel *k;
    const float *x, *w, *bias;
    float *y, *scratch;
};

/* ---- calls.h ---- */
/* Whether a run may begin. */
static rn_status check(rn_context *rn, int batch, const void *in, const void *out) {
    if (!rn) return RN_ERROR_ARGUMENT;
    const rn_model *model = rn->model;
    if (!in || !out) return rn_context_fail(rn, RN_ERROR_ARGUMENT, "%s: no %s", model->name, in ? "output" : "image");
    if (batch < 1 || batch > model->batch)
        return rn_context_fail(rn, RN_ERROR_ARGUMENT, "%s: batch %d is not in 1..%d", model->name, batch, model->batch);
    return RN_OK;
}

/* A layer's result to the layer hook: `images` of them from `base` on, image_bytes apart. */
static void show(const rn_context *rn, int layer, const void *base, int images, size_t image_bytes) {
    if (!rn->layer) return;
    if (!*layers[layer].value) { /* nothing is complete yet */
        rn->layer(rn->layer_user, layer, NULL);
        return;
    }
    const rn_tensor out = {.data = (const char *)base + results[layer].offset,
                           .type = RN_F32,
                           .shape = layers[layer].out,
                           .pixel = results[layer].pixel,
                           .row = results[layer].row,
                           .image = image_bytes,
                           .images = images};
    rn->layer(rn->layer_user, layer, &out);
}

/* Runs a task over the instance's threads, then shows its result. */
static void step(rn_context *rn, int layer, rn_task task, void *args) {
    rn_parallel(rn, task, args);
    show(rn, layer, rn->arena, 1, 0);
}

/* One image through the network. A: activations, W: packed weights, S: scratch; offsets in floats. */
static void forward(woven *net, const float *image, float *outputs_at) {
    rn_context *const rn = &net->rn;
    const rn_kernel *k = net->k;
    const float *const W = (const float *)(const void *)rn->weights;
    float *const A = rn->arena;
    float *const S = A + 495856;
    if (rn->layer) rn->layer(rn->layer_user, -1, NULL);
    /* input: input to channels-last; 256x28x28 -> 256x28x28, input */
    step(rn, 0, input_256x28x28, &(struct args){.k = k, .x = image, .y = A + 282592});
    /* conv1: conv 1x1 + relu (woven.rn:5:3); 256x28x28 -> 320x28x28, 64.2 M multiply-adds, pointwise */
    step(rn, 1, conv1x1_256to320_28x28_relu, &(struct args){.k = k, .x = A + 282592, .w = W, .y = A + 10080});
    /* conv2: conv 3x3 /2 + relu + avgpool global (woven.rn:7:3); 320x28x28 -> 128x1x1, 72.3 M multiply-adds, direct */
    step(rn, 2, conv3x3_stride2_320to128_14x14_relu_mean,
         &(struct args){.k = k, .x = A + 10080, .w = W + 81920, .y = A + 282592, .scratch = S});
    /* fc: fc (woven.rn:10:3); 128x1x1 -> 10x1x1, 0.0 M multiply-adds, fc */
    step(rn, 3, fc_10x1x1, &(struct args){.k = k, .x = A + 282592, .w = W + 450576, .bias = W + 450560, .y = A});
    /* fc: output to planar; 10x1x1 -> 10x1x1, output */
    step(rn, 4, output_10x1x1, &(struct args){.k = k, .x = A, .y = outputs_at});
}

size_t woven_arena_size(int batch, int threads) {
    if (batch < 1 || batch > WOVEN_BATCH || threads < 1) return 0;
    /* instance, activations, scratch of each thread, a picture made ready */
    return (sizeof(struct woven) + 63) / 64 * 64 + sizeof(float) * ((size_t)threads * 12544 + 696560);
}

rn_status woven_create(woven **net, void *arena, size_t size, const rn_weights *weights, const rn_options *options) {
    void *made = NULL;
    const size_t need = woven_arena_size(WOVEN_BATCH, rn_options_threads(options));
    const rn_status status = rn_context_create_jit(&made, sizeof(struct woven), need, offsetof(struct woven, k),
                                                   kernels, 3,
                                                   &model, arena, size, weights, options);
    *net = made;
    return status;
}

rn_status woven_run(woven *net, int batch, const float *image, float *output) {
    const rn_status status = check(net ? &net->rn : NULL, batch, image, output);
    if (status) return status;
    for (int n = 0; n < batch; n++) forward(net, image + (size_t)n * 200704, output + (size_t)n * 10);
    return RN_OK;
}

rn_status woven_run_rgb(woven *net, int batch, const uint8_t *const *rgb, const int *height, const int *width,
                        float *output) {
    rn_status status = check(net ? &net->rn : NULL, batch, rgb && height && width ? rgb : NULL, output);
    if (status) return status;
    float *ready = net->rn.arena + ((size_t)net->rn.threads * 12544 + 495856);
    for (int n = 0; n < batch; n++) {
        status = rn_preprocess_rgb(&model, rgb[n], height[n], width[n], ready);
        if (status) return rn_context_fail(&net->rn, status, "woven: image %d cannot be made an input", n);
        forward(net, ready, output + (size_t)n * 10);
    }
    return RN_OK;
}

const char *woven_message(const woven *net) { return net ? net->rn.message : ""; }

void woven_destroy(woven *net) {
    if (net) rn_context_destroy(&net->rn);
}

/* ==== the layers' tasks ==== */

/* ---- vectors_avx512.h ---- */
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
#define HELPER static inline TARGET __attribute__((always_inline, unused))

enum { LANES = 16 };
typedef __m512 V; /* 16 floats */

HELPER V load(const float *p) { return _mm512_loadu_ps(p); }
HELPER void store(float *p, V v) { _mm512_storeu_ps(p, v); }
HELPER __mmask16 first_(int n) { return (__mmask16)((1u << n) - 1); }
HELPER V load_n(const float *p, int n) { return _mm512_maskz_loadu_ps(first_(n), p); }
HELPER void store_n(float *p, V v, int n) { _mm512_mask_storeu_ps(p, first_(n), v); }
HELPER V set1(float x) { return _mm512_set1_ps(x); }
HELPER V zero(void) { return _mm512_setzero_ps(); }
HELPER V add(V a, V b) { return _mm512_add_ps(a, b); }
HELPER V mul(V a, V b) { return _mm512_mul_ps(a, b); }
HELPER V fma_(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
HELPER V max_(V a, V b) { return _mm512_max_ps(a, b); } /* b where either is NaN */
HELPER float sum(V v) { return _mm512_reduce_add_ps(v); }
/* After the last kernel: what it leaves in the upper halves of vector registers makes SSE code slow. */
HELPER void zeroupper(void) { _mm256_zeroupper(); }
/* The cache line of p, and those of n floats, on to L2. */
HELPER void fetch_line(const float *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }

/* ---- vector_functions.h ---- */
HELPER V relu(V v) { return max_(zero(), v); }

/* ---- images.h ---- */
/* Zeros around an h x w image of c channels: `top` rows above, `left` pixels before ... */
static TARGET void halo(float *p, int c, int h, int w, int row, int pixel, int top, int left, int bottom, int right) {
    for (int y = -top; y < h + bottom; y++)
        for (int x = -left; x < w + right; x++) {
            if (y >= 0 && y < h && x == 0 && w > 0) x = w; /* over the image's row */
            if (x >= w + right) break;
            int i = 0;
            for (; i + LANES <= c; i += LANES) store(p + (y * row + x * pixel + i), zero());
            if (i < c) store_n(p + (y * row + x * pixel + i), zero(), c - i);
        }
}

/* ---- woven.h ---- */
#define WOVEN_PARAMETERS                                                                                               \
    const float *w, const float *x, float *y, const int *x_of, const int *y_of, int k, int taps,                       \
        const unsigned long long *x_at, int accumulate, int channels, const float *next, int apart
#define WOVEN_ARGUMENTS w, x, y, x_of, y_of, k, taps, x_at, accumulate, channels, next, apart

enum { WOVEN_STEPS = 8, WOVEN_LINE = 16 /* floats */ };

/* Of the lines of 8 steps, those that stand before the part-th of `parts` vectors of a step. */
HELPER void woven_fetch(const float *next, int apart, int lines, int streams, int step, int part, int parts) {
    const int at = step * parts + part;
    for (int i = at * lines / (WOVEN_STEPS * parts); i < (at + 1) * lines / (WOVEN_STEPS * parts); i++)
        fetch_line(next + (i / streams * WOVEN_LINE + i % streams * apart));
}
/* The last vector of a panel has `channels` of its own. */
HELPER V woven_load(const float *p, int channels) { return channels == LANES ? load(p) : load_n(p, channels); }
HELPER void woven_store(float *p, V v, int channels) {
    if (channels == LANES)
        store(p, v);
    else
        store_n(p, v, channels);
}

#define WOVEN_COLUMNS_1(DO) DO(0)
#define WOVEN_COLUMNS_2(DO) WOVEN_COLUMNS_1(DO) DO(1)
#define WOVEN_COLUMNS_3(DO) WOVEN_COLUMNS_2(DO) DO(2)
#define WOVEN_COLUMNS_4(DO) WOVEN_COLUMNS_3(DO) DO(3)
#define WOVEN_COLUMNS_5(DO) WOVEN_COLUMNS_4(DO) DO(4)
#define WOVEN_COLUMNS_6(DO) WOVEN_COLUMNS_5(DO) DO(5)

/* The sums are named one by one, s01 for column 0 and vector 1, since gcc -O2 keeps no array in registers over a loop.
 * `n` channels are in the last vector. */
#define WOVEN_ZERO(j, i) V s##j##i = zero();
#define WOVEN_LOAD(j, i, n) s##j##i = woven_load(y + (y_of[j] + i * LANES), n);
#define WOVEN_STORE(j, i, n) woven_store(y + (y_of[j] + i * LANES), s##j##i, n);
#define WOVEN_ZERO_2(j) WOVEN_ZERO(j, 0) WOVEN_ZERO(j, 1)
#define WOVEN_ZERO_3(j) WOVEN_ZERO_2(j) WOVEN_ZERO(j, 2)
#define WOVEN_ZERO_4(j) WOVEN_ZERO_3(j) WOVEN_ZERO(j, 3)
#define WOVEN_LOAD_4(j)                                                                                                \
    WOVEN_LOAD(j, 0, LANES) WOVEN_LOAD(j, 1, LANES) WOVEN_LOAD(j, 2, LANES) WOVEN_LOAD(j, 3, channels)
#define WOVEN_STORE_4(j)                                                                                               \
    WOVEN_STORE(j, 0, LANES) WOVEN_STORE(j, 1, LANES) WOVEN_STORE(j, 2, LANES) WOVEN_STORE(j, 3, channels)

/* One step of k: an element of each column, then vector after vector of weights. */
#define WOVEN_X(j) const V b##j = set1(x##j[step]);
#define WOVEN_ADD_0(j) s##j##0 = fma_(a, b##j, s##j##0);
#define WOVEN_ADD_1(j) s##j##1 = fma_(a, b##j, s##j##1);
#define WOVEN_ADD_2(j) s##j##2 = fma_(a, b##j, s##j##2);
#define WOVEN_ADD_3(j) s##j##3 = fma_(a, b##j, s##j##3);
#define WOVEN_VECTOR(i, parts, ADD, COLUMNS)                                                                           \
    {                                                                                                                  \
        woven_fetch(next, apart, lines, streams, step, i, parts);                                                      \
        const V a = load(w + (step * width + i * LANES));                                                              \
        COLUMNS(ADD)                                                                                                   \
    }
#define WOVEN_STEP_4(COLUMNS)                                                                                          \
    WOVEN_VECTOR(0, 4, WOVEN_ADD_0, COLUMNS)                                                                           \
    WOVEN_VECTOR(1, 4, WOVEN_ADD_1, COLUMNS)                                                                           \
    WOVEN_VECTOR(2, 4, WOVEN_ADD_2, COLUMNS)                                                                           \
    WOVEN_VECTOR(3, 4, WOVEN_ADD_3, COLUMNS)
#define WOVEN_AT(n, STEP, COLUMNS)                                                                                     \
    {                                                                                                                  \
        enum { step = n };                                                                                             \
        __asm__ volatile(""); /* or the C compiler would gather the prefetches */                                      \
        COLUMNS(WOVEN_X) STEP(COLUMNS)                                                                                 \
    }

#define WOVEN_FROM(j) const float *x##j = at + x_of[j];
#define WOVEN_NEXT(j) x##j += WOVEN_STEPS;
#define WOVEN_NEXT_1(j) x##j++;
#define WOVEN(ZERO, LOAD, STORE, STEP, COLUMNS)                                                                        \
    COLUMNS(ZERO)                                                                                                      \
    if (accumulate) {                                                                                                  \
        COLUMNS(LOAD)                                                                                                  \
    }                                                                                                                  \
    for (int tap = 0; tap < taps; tap++) {                                                                             \
        const float *at = x + x_at[tap] / sizeof *x;                                                                   \
        COLUMNS(WOVEN_FROM)                                                                                            \
        int c = 0;                                                                                                     \
        for (; c + WOVEN_STEPS <= k; c += WOVEN_STEPS, w += WOVEN_STEPS * width) {                                     \
            WOVEN_AT(0, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(1, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(2, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(3, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(4, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(5, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(6, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(7, STEP, COLUMNS)                                                                                 \
            next += lines / streams * WOVEN_LINE;                                                                      \
            COLUMNS(WOVEN_NEXT)                                                                                        \
        }                                                                                                              \
        for (; c < k; c++, w += width) {                                                                               \
            const int lines = 0; /* the rest fetches nothing */                                                        \
            WOVEN_AT(0, STEP, COLUMNS)                                                                                 \
            COLUMNS(WOVEN_NEXT_1)                                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    COLUMNS(STORE)
#define WOVEN_4(COLUMNS) WOVEN(WOVEN_ZERO_4, WOVEN_LOAD_4, WOVEN_STORE_4, WOVEN_STEP_4, COLUMNS)
HELPER void woven_4x5(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_4(WOVEN_COLUMNS_5) }
HELPER void woven_4x6(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_4(WOVEN_COLUMNS_6) }

/* libxsmm kernels, dispatched once by create; what is not said is 0: f32, no prefetch, ... */
static const rn_kernel_spec kernels[] = {
    /* 0 */ {.m = 64, .n = 28, .k = 256, .lda = 64, .ldb = 272, .ldc = 336},
    /* 1 */ {.m = 10, .n = 1, .k = 128, .lda = 16, .ldb = 128, .ldc = 16},
    /* 2 */ {.m = 10, .n = 1, .k = 128, .lda = 16, .ldb = 128, .ldc = 16, .accumulate = 1},
};

/* x: 256 planes of 28x28 floats; y: 28x28 pixels of 256 floats, 272 apart, rows 7616 apart */
static TARGET void input_256x28x28(void *arg, int part, int parts) {
    const struct args *a = arg;
    for (int y = part * 28 / parts; y < (part + 1) * 28 / parts; y++) {
        for (int c = 0; c < 256; c += 4) {
            const float *in = a->x + y * 28 + c * 784;
            float *out = a->y + y * 7616 + c;
            for (int x = 0; x < 28; x += 4) {
                __m128 v0 = _mm_loadu_ps(in + x);
                __m128 v1 = _mm_loadu_ps(in + x + 784);
                __m128 v2 = _mm_loadu_ps(in + x + 1568);
                __m128 v3 = _mm_loadu_ps(in + x + 2352);
                _MM_TRANSPOSE4_PS(v0, v1, v2, v3);
                _mm_storeu_ps(out + x * 272, v0);
                _mm_storeu_ps(out + x * 272 + 272, v1);
                _mm_storeu_ps(out + x * 272 + 544, v2);
                _mm_storeu_ps(out + x * 272 + 816, v3);
            }
        }
    }
}

/* 6 columns; 8 steps fetch 1 line */
static TARGET void sweep64x6_fetch1(WOVEN_PARAMETERS) {
    woven_4x6(WOVEN_ARGUMENTS, 64, 1, 1);
}

/* 5 columns; 8 steps fetch 1 line */
static TARGET void sweep64x5_fetch1(WOVEN_PARAMETERS) {
    woven_4x5(WOVEN_ARGUMENTS, 64, 1, 1);
}

/* Fetches the next weights, or a share of them, to L2 */
static TARGET void woven64x28x256(const float *w, const float *x, float *y, const float *next) {
    static const int x_of[] = {0, 272, 544, 816, 1088, 1360, 1632, 1904, 2176, 2448, 2720, 2992, 3264, 3536, 3808, 4080,
                               4352, 4624, 4896, 5168, 5440, 5712, 5984, 6256, 6528, 6800, 7072, 7344};
    static const int y_of[] = {0, 336, 672, 1008, 1344, 1680, 2016, 2352, 2688, 3024, 3360, 3696, 4032, 4368, 4704,
                               5040, 5376, 5712, 6048, 6384, 6720, 7056, 7392, 7728, 8064, 8400, 8736, 9072};
    static const unsigned long long x_at[] = {0};
    for (int i = 0; i < 3; i++)
        sweep64x6_fetch1(w, x, y, x_of + (i * 6), y_of + (i * 6), 256, 1, x_at, 0, 16, next + i * 512, 16384);
    for (int i = 3; i < 5; i++)
        sweep64x5_fetch1(w, x, y, x_of + (i * 5 + 3), y_of + (i * 5 + 3), 256, 1, x_at, 0, 16, next + i * 512, 16384);
}

static TARGET inline void finish64_relu(float *y, int pixel, int n) {
    for (int j = 0; j < n; j++, y += pixel) {
        store(y, relu(load(y)));
        store(y + 16, relu(load(y + 16)));
        store(y + 32, relu(load(y + 32)));
        store(y + 48, relu(load(y + 48)));
    }
}

/* Rows [y0, y1) of 64 output channels, 28 pixels a call */
static TARGET void conv1x1_256to320_28x28_relu_panel(const struct args *a, int panel, int y0, int y1) {
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 16384;
    const float *x;
    float *y;
    for (int r = y0; r < y1; r++) {
        y = a->y + (r * 9744 + panel * 64);
        x = a->x + (r * 7616);
        if (r - y0 < 7)
            woven64x28x256(w, x, y, w + 16384 + (r - y0) * 2560);
        else
            k[0 /* 64x28x256 */].gemm(w, x, y, w, x, y);
        finish64_relu(y, 336, 28);
    }
    zeroupper();
}

/* x: 28x28 pixels of 256 floats, 272 apart, rows 7616 apart; y: 28x28 pixels of 320 floats, 336 apart, rows 9744
 * apart */
static TARGET void conv1x1_256to320_28x28_relu(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == 0) halo(a->y, 320, 28, 28, 9744, 336, 1, 1, 0, 0);
    for (int u = part * 10 / parts; u < (part + 1) * 10 / parts; u++) {
        const int panel = u % 5, y0 = u / 5 * 14;
        const int y1 = y0 + 14;
        conv1x1_256to320_28x28_relu_panel(a, panel, y0, y1);
    }
}

static TARGET void sweep64x5_fetch0(WOVEN_PARAMETERS) {
    woven_4x5(WOVEN_ARGUMENTS, 64, 0, 1);
}

/* Fetches the next weights, or a share of them, to L2 */
static TARGET void woven64x196x64_taps9_add(const float *w, const float *x, float *y, const float *next,
                                            const unsigned long long *x_at) {
    static const int x_of[] = {0, 672, 1344, 2016, 2688, 3360, 4032, 4704, 5376, 6048, 6720, 7392, 8064, 8736, 19488,
                               20160, 20832, 21504, 22176, 22848, 23520, 24192, 24864, 25536, 26208, 26880, 27552,
                               28224, 38976, 39648, 40320, 40992, 41664, 42336, 43008, 43680, 44352, 45024, 45696,
                               46368, 47040, 47712, 58464, 59136, 59808, 60480, 61152, 61824, 62496, 63168, 63840,
                               64512, 65184, 65856, 66528, 67200, 77952, 78624, 79296, 79968, 80640, 81312, 81984,
                               82656, 83328, 84000, 84672, 85344, 86016, 86688, 97440, 98112, 98784, 99456, 100128,
                               100800, 101472, 102144, 102816, 103488, 104160, 104832, 105504, 106176, 116928, 117600,
                               118272, 118944, 119616, 120288, 120960, 121632, 122304, 122976, 123648, 124320, 124992,
                               125664, 136416, 137088, 137760, 138432, 139104, 139776, 140448, 141120, 141792, 142464,
                               143136, 143808, 144480, 145152, 155904, 156576, 157248, 157920, 158592, 159264, 159936,
                               160608, 161280, 161952, 162624, 163296, 163968, 164640, 175392, 176064, 176736, 177408,
                               178080, 178752, 179424, 180096, 180768, 181440, 182112, 182784, 183456, 184128, 194880,
                               195552, 196224, 196896, 197568, 198240, 198912, 199584, 200256, 200928, 201600, 202272,
                               202944, 203616, 214368, 215040, 215712, 216384, 217056, 217728, 218400, 219072, 219744,
                               220416, 221088, 221760, 222432, 223104, 233856, 234528, 235200, 235872, 236544, 237216,
                               237888, 238560, 239232, 239904, 240576, 241248, 241920, 242592, 253344, 254016, 254688,
                               255360, 256032, 256704, 257376, 258048, 258720, 259392, 260064, 260736, 261408, 262080};
    static const int y_of[] = {0, 64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960, 1024, 1088,
                               1152, 1216, 1280, 1344, 1408, 1472, 1536, 1600, 1664, 1728, 1792, 1856, 1920, 1984, 2048,
                               2112, 2176, 2240, 2304, 2368, 2432, 2496, 2560, 2624, 2688, 2752, 2816, 2880, 2944, 3008,
                               3072, 3136, 3200, 3264, 3328, 3392, 3456, 3520, 3584, 3648, 3712, 3776, 3840, 3904, 3968,
                               4032, 4096, 4160, 4224, 4288, 4352, 4416, 4480, 4544, 4608, 4672, 4736, 4800, 4864, 4928,
                               4992, 5056, 5120, 5184, 5248, 5312, 5376, 5440, 5504, 5568, 5632, 5696, 5760, 5824, 5888,
                               5952, 6016, 6080, 6144, 6208, 6272, 6336, 6400, 6464, 6528, 6592, 6656, 6720, 6784, 6848,
                               6912, 6976, 7040, 7104, 7168, 7232, 7296, 7360, 7424, 7488, 7552, 7616, 7680, 7744, 7808,
                               7872, 7936, 8000, 8064, 8128, 8192, 8256, 8320, 8384, 8448, 8512, 8576, 8640, 8704, 8768,
                               8832, 8896, 8960, 9024, 9088, 9152, 9216, 9280, 9344, 9408, 9472, 9536, 9600, 9664, 9728,
                               9792, 9856, 9920, 9984, 10048, 10112, 10176, 10240, 10304, 10368, 10432, 10496, 10560,
                               10624, 10688, 10752, 10816, 10880, 10944, 11008, 11072, 11136, 11200, 11264, 11328,
                               11392, 11456, 11520, 11584, 11648, 11712, 11776, 11840, 11904, 11968, 12032, 12096,
                               12160, 12224, 12288, 12352, 12416, 12480};
    for (int i = 0; i < 31; i++)
        sweep64x6_fetch1(w, x, y, x_of + (i * 6), y_of + (i * 6), 64, 9, x_at, 1, 16, next + i * 1152, 36864);
    sweep64x5_fetch1(w, x, y, x_of + 186, y_of + 186, 64, 9, x_at, 1, 16, next + 35712, 36864);
    sweep64x5_fetch0(w, x, y, x_of + 191, y_of + 191, 64, 9, x_at, 1, 16, next, 36864);
}

/* Fetches the next weights, or a share of them, to L2 */
static TARGET void woven64x196x64_taps9(const float *w, const float *x, float *y, const float *next,
                                        const unsigned long long *x_at) {
    static const int x_of[] = {0, 672, 1344, 2016, 2688, 3360, 4032, 4704, 5376, 6048, 6720, 7392, 8064, 8736, 19488,
                               20160, 20832, 21504, 22176, 22848, 23520, 24192, 24864, 25536, 26208, 26880, 27552,
                               28224, 38976, 39648, 40320, 40992, 41664, 42336, 43008, 43680, 44352, 45024, 45696,
                               46368, 47040, 47712, 58464, 59136, 59808, 60480, 61152, 61824, 62496, 63168, 63840,
                               64512, 65184, 65856, 66528, 67200, 77952, 78624, 79296, 79968, 80640, 81312, 81984,
                               82656, 83328, 84000, 84672, 85344, 86016, 86688, 97440, 98112, 98784, 99456, 100128,
                               100800, 101472, 102144, 102816, 103488, 104160, 104832, 105504, 106176, 116928, 117600,
                               118272, 118944, 119616, 120288, 120960, 121632, 122304, 122976, 123648, 124320, 124992,
                               125664, 136416, 137088, 137760, 138432, 139104, 139776, 140448, 141120, 141792, 142464,
                               143136, 143808, 144480, 145152, 155904, 156576, 157248, 157920, 158592, 159264, 159936,
                               160608, 161280, 161952, 162624, 163296, 163968, 164640, 175392, 176064, 176736, 177408,
                               178080, 178752, 179424, 180096, 180768, 181440, 182112, 182784, 183456, 184128, 194880,
                               195552, 196224, 196896, 197568, 198240, 198912, 199584, 200256, 200928, 201600, 202272,
                               202944, 203616, 214368, 215040, 215712, 216384, 217056, 217728, 218400, 219072, 219744,
                               220416, 221088, 221760, 222432, 223104, 233856, 234528, 235200, 235872, 236544, 237216,
                               237888, 238560, 239232, 239904, 240576, 241248, 241920, 242592, 253344, 254016, 254688,
                               255360, 256032, 256704, 257376, 258048, 258720, 259392, 260064, 260736, 261408, 262080};
    static const int y_of[] = {0, 64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960, 1024, 1088,
                               1152, 1216, 1280, 1344, 1408, 1472, 1536, 1600, 1664, 1728, 1792, 1856, 1920, 1984, 2048,
                               2112, 2176, 2240, 2304, 2368, 2432, 2496, 2560, 2624, 2688, 2752, 2816, 2880, 2944, 3008,
                               3072, 3136, 3200, 3264, 3328, 3392, 3456, 3520, 3584, 3648, 3712, 3776, 3840, 3904, 3968,
                               4032, 4096, 4160, 4224, 4288, 4352, 4416, 4480, 4544, 4608, 4672, 4736, 4800, 4864, 4928,
                               4992, 5056, 5120, 5184, 5248, 5312, 5376, 5440, 5504, 5568, 5632, 5696, 5760, 5824, 5888,
                               5952, 6016, 6080, 6144, 6208, 6272, 6336, 6400, 6464, 6528, 6592, 6656, 6720, 6784, 6848,
                               6912, 6976, 7040, 7104, 7168, 7232, 7296, 7360, 7424, 7488, 7552, 7616, 7680, 7744, 7808,
                               7872, 7936, 8000, 8064, 8128, 8192, 8256, 8320, 8384, 8448, 8512, 8576, 8640, 8704, 8768,
                               8832, 8896, 8960, 9024, 9088, 9152, 9216, 9280, 9344, 9408, 9472, 9536, 9600, 9664, 9728,
                               9792, 9856, 9920, 9984, 10048, 10112, 10176, 10240, 10304, 10368, 10432, 10496, 10560,
                               10624, 10688, 10752, 10816, 10880, 10944, 11008, 11072, 11136, 11200, 11264, 11328,
                               11392, 11456, 11520, 11584, 11648, 11712, 11776, 11840, 11904, 11968, 12032, 12096,
                               12160, 12224, 12288, 12352, 12416, 12480};
    for (int i = 0; i < 31; i++)
        sweep64x6_fetch1(w, x, y, x_of + (i * 6), y_of + (i * 6), 64, 9, x_at, 0, 16, next + i * 1152, 36864);
    sweep64x5_fetch1(w, x, y, x_of + 186, y_of + 186, 64, 9, x_at, 0, 16, next + 35712, 36864);
    sweep64x5_fetch0(w, x, y, x_of + 191, y_of + 191, 64, 9, x_at, 0, 16, next, 36864);
}

static TARGET inline void finish64_relu_sum(const float *y, int pixel, float *sum, int n) {
    V m0 = load(sum);
    V m1 = load(sum + 16);
    V m2 = load(sum + 32);
    V m3 = load(sum + 48);
    for (int j = 0; j < n; j++, y += pixel) {
        m0 = add(m0, relu(load(y)));
        m1 = add(m1, relu(load(y + 16)));
        m2 = add(m2, relu(load(y + 32)));
        m3 = add(m3, relu(load(y + 48)));
    }
    store(sum, m0);
    store(sum + 16, m1);
    store(sum + 32, m2);
    store(sum + 48, m3);
}

/* The mean of 64 output channels, 14 pixels a call */
static TARGET void conv3x3_stride2_320to128_14x14_relu_mean_panel(const struct args *a, int panel, float *image) {
    static const unsigned long long x_at0[] = {0, 1344, 2688, 38976, 40320, 41664, 77952, 79296, 80640};
    const float *w = a->w + (size_t)panel * 184320;
    const float *x;
    float *y;
    float sum[64] = {0};
    const int y0 = 0, y1 = 14;
    int r = y0;
    y = image + (r * 896);
    x = a->x + (r * 19488 - 10080);
    for (int pass = 0; pass < 5; pass++)
        (pass ? woven64x196x64_taps9_add : woven64x196x64_taps9)(w + pass * 36864, x + pass * 64, y,
            w + (pass + 1) * 36864, x_at0);
    for (; r < y1; r++) {
        y = image + (r * 896);
        finish64_relu_sum(y, 64, sum, 14);
    }
    store(a->y + panel * 64, mul(load(sum), set1(0.00510204082f)));
    store(a->y + panel * 64 + 16, mul(load(sum + 16), set1(0.00510204082f)));
    store(a->y + panel * 64 + 32, mul(load(sum + 32), set1(0.00510204082f)));
    store(a->y + panel * 64 + 48, mul(load(sum + 48), set1(0.00510204082f)));
    zeroupper();
}

/* x: 28x28 pixels of 320 floats, 336 apart, rows 9744 apart; y: 128 floats */
static TARGET void conv3x3_stride2_320to128_14x14_relu_mean(void *arg, int part, int parts) {
    const struct args *a = arg;
    float *image = a->scratch + (size_t)part * 12544;
    for (int panel = part * 2 / parts; panel < (part + 1) * 2 / parts; panel++) {
        conv3x3_stride2_320to128_14x14_relu_mean_panel(a, panel, image);
    }
}

/* x: 128 floats; y: 10 floats */
static TARGET void fc_10x1x1(void *arg, int part, int parts) {
    const struct args *a = arg;
    const rn_kernel *k = a->k;
    for (int panel = part * 1 / parts; panel < (part + 1) * 1 / parts; panel++) {
        const float *w = a->w + (size_t)panel * 2048;
        float *out = a->y + panel * 16, y[16];
        const float *x = a->x, *v = w;
        k[1 /* 10x1x128 */].gemm(v, x, y, v, x, y);
        store_n(out, add(load(y), load_n(a->bias + panel * 16, 10)), 10);
    }
    zeroupper();
}

/* x: 10 floats; y: 10 planes of 1x1 floats */
static TARGET void output_10x1x1(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == parts - 1) {
        store_n(a->y, load_n(a->x, 10), 10);
    }
}

/* ==== tables ==== */

/* How packed weights are made from a weights file (rn_recipe.h); what is not said is 0 */
static const rn_recipe_step recipe_steps[] = {
    /* 0 */ {.op = RN_PARAM, .ndim = 4, .dim = {320, 256, 1, 1}, .name = "conv1.weight"},
    /* 1 */ {.op = RN_PACK_PANELS, .ndim = 4, .arg = {0}, .dim = {320, 256, 1, 1}, .integer = {64, 256, 1}},
    /* 2 */ {.op = RN_PARAM, .ndim = 4, .dim = {128, 320, 3, 3}, .name = "conv2.weight"},
    /* 3 */ {.op = RN_PACK_PANELS, .ndim = 4, .arg = {2}, .dim = {128, 320, 3, 3}, .integer = {64, 64, 1},
             .offset = 327680},
    /* 4 */ {.op = RN_PARAM, .ndim = 1, .dim = {10}, .name = "fc.bias"},
    /* 5 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {4}, .dim = {10, 1, 1, 1}, .offset = 1802240},
    /* 6 */ {.op = RN_PARAM, .ndim = 2, .dim = {10, 128}, .name = "fc.weight"},
    /* 7 */ {.op = RN_PACK_PANELS, .ndim = 4, .arg = {6}, .dim = {10, 128, 1, 1}, .integer = {16, 128, 1},
             .offset = 1802304},
};
static const rn_recipe recipe = {.steps = recipe_steps, .count = 8, .packed_size = 1810496,
                                 .hash = 0x8e696e9d4aab6df9u};

/* {name, what, algorithm, place in the source, value, shape, multiply-adds, multiplications, bytes moved, bytes of
 * weights} */
static const rn_layer layers[] = {
    {"input", "input to channels-last", "input", "", "input", {256, 28, 28}, 0, 0, 1605632, 0},
    {"conv1", "conv 1x1 + relu", "pointwise", "woven.rn:5:3", "relu", {320, 28, 28}, 64225280, 64225280, 2134016,
     327680},
    {"conv2", "conv 3x3 /2 + relu + avgpool global", "direct", "woven.rn:7:3", "avgpool", {128, 1, 1}, 72253440,
     72253440, 2478592, 1474560},
    {"fc", "fc", "fc", "woven.rn:10:3", "fc", {10, 1, 1}, 1280, 1280, 8808, 8256},
    {"fc", "output to planar", "output", "", "fc", {10, 1, 1}, 0, 0, 80, 0},
};

/* where each layer's result is, for the layer hook: {offset, from a pixel and a row to the next}, in bytes */
static const struct result results[] = {
    {1130368, 1088, 30464},
    {40320, 1344, 38976},
    {1130368, 576, 576},
    {0, 48, 48},
    {0, 48, 48},
};

static const rn_output outputs[] = {
    {"fc", {10, 1, 1}, RN_NCHW},
};

static size_t model_arena_size(int batch, int threads) { return woven_arena_size(batch, threads); }
static rn_status model_create(void **net, void *arena, size_t size, const rn_weights *weights,
                              const rn_options *options) {
    struct woven *made = NULL;
    const rn_status status = woven_create(&made, arena, size, weights, options);
    *net = made;
    return status;
}
static rn_status model_run(void *net, int batch, const float *image, float *output) {
    return woven_run(net, batch, image, output);
}
static rn_status model_run_rgb(void *net, int batch, const uint8_t *const *rgb, const int *height, const int *width,
                               float *output) {
    return woven_run_rgb(net, batch, rgb, height, width, output);
}
static const char *model_message(const void *net) { return woven_message(net); }
static void model_destroy(void *net) { woven_destroy(net); }

static const rn_model model = {
    .abi = 11,
    .name = "woven",
    .rnc_version = "0.1.0",
    .command = "rnc -O2 -fno-winograd -fno-strassen --target=x86-64-v4 -mtune=emeraldrapids -o woven.c woven.rn",
    .source_hash = "6b8e1037b81ac4ae",
    .isa = RN_ISA_X86_64_V4,
    .best_isa = RN_ISA_X86_64_V4,
    .batch = 1,
    .input = {256, 28, 28},
    .outputs = outputs,
    .output_count = 1,
    .output_size = 10,
    .probabilities = 0,
    .preprocess = {.order = RN_ORDER_RGB, .range = 1.0f, .mean = {0.0f, 0.0f, 0.0f, 0.0f},
                   .std = {1.0f, 1.0f, 1.0f, 1.0f}, .resize = 0},
    .layers = layers,
    .layer_count = 5,
    .macs = 136480000,
    .multiplications = 136480000,
    .parameters = 451850,
    .recipe = &recipe,
    .weights_file = NULL,
    .arena_size = model_arena_size,
    .create = model_create,
    .run = model_run,
    .run_rgb = model_run_rgb,
    .message = model_message,
    .destroy = model_destroy,
    .weights_open = rn_weights_open,
    .weights_memory = rn_weights_memory,
};

const rn_model *woven_model(void) { return &model; }
