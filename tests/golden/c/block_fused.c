/* Code of network block_fused, made by rnc 0.1.0 for x86-64-v4. Do not edit: compile the source again.
 *     rnc --target x86-64-v4 -o block_fused.c block_fused.rn
 * source hash f7f4d12f34f7aeb3; on any machine the same with --target x86-64-v4 -mtune=generic
 *
 * A batch of at most 1; one arena of 17664 bytes of activations, reused by lifetime. */
#include "block_fused.h"
#include "rn_emitted.h"
#include "rn_recipe.h"

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct block_fused {
    rn_context rn;
    rn_kernel k[5];
};

/* at the end of the file */
static const rn_model model;
static const rn_layer layers[7];
static const struct result { size_t offset, pixel, row; } results[7];
static const rn_kernel_spec kernels[5];
static void input_3x16x16(void *arg, int part, int parts);
static void conv3x3_3to16_16x16_relu_maxpool(void *arg, int part, int parts);
static void conv3x3_stride2_16to24_4x4_relu(void *arg, int part, int parts);
static void conv3x3_24to24_4x4_shortcut_relu_mean(void *arg, int part, int parts);
static void fc_10x1x1(void *arg, int part, int parts);
static void softmax_10x1x1(void *arg, int part, int parts);
static void output_10x1x1(void *arg, int part, int parts);

/* A task's arguments: inputs, weights of each term, bias or shift, slopes, addend, result. */
struct args {
    const rn_kernel *k;
    const float *x, *x1, *w, *w1, *bias;
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
static void forward(block_fused *net, const float *image, float *outputs_at) {
    rn_context *const rn = &net->rn;
    const rn_kernel *k = net->k;
    const float *const W = (const float *)(const void *)rn->weights;
    float *const A = rn->arena;
    float *const S = A + 4416;
    if (rn->layer) rn->layer(rn->layer_user, -1, NULL);
    /* input: input to channels-last; 3x16x16 -> 3x16x16, input */
    step(rn, 0, input_3x16x16, &(struct args){.k = k, .x = image, .y = A + 2688});
    /* conv1: conv 3x3 + relu + maxpool 3x3 /2 (block_fused.rn:13:5); 3x16x16 -> 16x8x8, 0.1 M multiply-adds, direct */
    step(rn, 1, conv3x3_3to16_16x16_relu_maxpool,
         &(struct args){.k = k, .x = A + 2688, .w = W + 16, .bias = W, .y = A + 320, .scratch = S});
    /* layer1.0.conv1: conv 3x3 /2 + relu (block_fused.rn:5:9); 16x8x8 -> 24x4x4, 0.1 M multiply-adds, direct */
    step(rn, 2, conv3x3_stride2_16to24_4x4_relu,
         &(struct args){.k = k, .x = A + 320, .w = W + 480, .bias = W + 448, .y = A + 2944});
    /* layer1.0.conv2: conv 3x3 + shortcut conv 1x1 /2 + relu + avgpool global (block_fused.rn:6:9); 24x4x4 -> 24x1x1,
     * 0.1 M multiply-adds, direct */
    step(rn, 3, conv3x3_24to24_4x4_shortcut_relu_mean, &(struct args){.k = k, .x = A + 2944, .x1 = A + 320,
        .w = W + 5120, .w1 = W + 12032, .bias = W + 5088, .y = A + 4352, .scratch = S});
    /* fc: fc (block_fused.rn:17:5); 24x1x1 -> 10x1x1, 0.0 M multiply-adds, fc */
    step(rn, 4, fc_10x1x1, &(struct args){.k = k, .x = A + 4352, .w = W + 12560, .bias = W + 12544, .y = A});
    /* softmax: softmax (block_fused.rn:18:5); 10x1x1 -> 10x1x1, softmax */
    step(rn, 5, softmax_10x1x1, &(struct args){.k = k, .x = A, .y = A + 32});
    /* softmax: output to planar; 10x1x1 -> 10x1x1, output */
    step(rn, 6, output_10x1x1, &(struct args){.k = k, .x = A + 32, .y = outputs_at});
}

size_t block_fused_arena_size(int batch, int threads) {
    if (batch < 1 || batch > BLOCK_FUSED_BATCH || threads < 1) return 0;
    /* instance, activations, scratch of each thread, a picture made ready */
    return (sizeof(struct block_fused) + 63) / 64 * 64 + sizeof(float) * ((size_t)threads * 768 + 5184);
}

rn_status block_fused_create(block_fused **net, void *arena, size_t size, const rn_weights *weights,
                             const rn_options *options) {
    void *made = NULL;
    const size_t need = block_fused_arena_size(BLOCK_FUSED_BATCH, rn_options_threads(options));
    const rn_status status = rn_context_create_jit(&made, sizeof(struct block_fused), need,
                                                   offsetof(struct block_fused, k), kernels, 5,
                                                   &model, arena, size, weights, options);
    *net = made;
    return status;
}

rn_status block_fused_run(block_fused *net, int batch, const float *image, float *output) {
    const rn_status status = check(net ? &net->rn : NULL, batch, image, output);
    if (status) return status;
    for (int n = 0; n < batch; n++) forward(net, image + (size_t)n * 768, output + (size_t)n * 10);
    return RN_OK;
}

rn_status block_fused_run_rgb(block_fused *net, int batch, const uint8_t *const *rgb, const int *height,
                              const int *width, float *output) {
    rn_status status = check(net ? &net->rn : NULL, batch, rgb && height && width ? rgb : NULL, output);
    if (status) return status;
    float *ready = net->rn.arena + ((size_t)net->rn.threads * 768 + 4416);
    for (int n = 0; n < batch; n++) {
        status = rn_preprocess_rgb(&model, rgb[n], height[n], width[n], ready);
        if (status) return rn_context_fail(&net->rn, status, "block_fused: image %d cannot be made an input", n);
        forward(net, ready, output + (size_t)n * 10);
    }
    return RN_OK;
}

const char *block_fused_message(const block_fused *net) { return net ? net->rn.message : ""; }

void block_fused_destroy(block_fused *net) {
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
HELPER V load_or(const float *p, int n, V rest) { return _mm512_mask_loadu_ps(rest, first_(n), p); }
HELPER void store_n(float *p, V v, int n) { _mm512_mask_storeu_ps(p, first_(n), v); }
HELPER V set1(float x) { return _mm512_set1_ps(x); }
HELPER V zero(void) { return _mm512_setzero_ps(); }
HELPER V add(V a, V b) { return _mm512_add_ps(a, b); }
HELPER V sub(V a, V b) { return _mm512_sub_ps(a, b); }
HELPER V mul(V a, V b) { return _mm512_mul_ps(a, b); }
HELPER V fma_(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
HELPER V max_(V a, V b) { return _mm512_max_ps(a, b); } /* b where either is NaN */
HELPER V min_(V a, V b) { return _mm512_min_ps(a, b); } /* b where either is NaN */
/* The larger, where a NaN in either stays. */
HELPER V max_nan(V a, V b) { return _mm512_mask_max_ps(a, _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a, b); }
HELPER V round_(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
HELPER V scale2(V a, V n) { return _mm512_scalef_ps(a, n); } /* a * 2^n, n whole */
HELPER float sum(V v) { return _mm512_reduce_add_ps(v); }
HELPER float largest(V v) { return _mm512_reduce_max_ps(v); }
/* After the last kernel: what it leaves in the upper halves of vector registers makes SSE code slow. */
HELPER void zeroupper(void) { _mm256_zeroupper(); }

/* ---- vector_functions.h ---- */
HELPER V exp_parts(V x, V *n) { /* e^x = 2^n * e^r: returns e^r - 1 */
    x = max_(set1(-104.0f), min_(set1(89.0f), x));
    *n = round_(mul(x, set1(1.44269504f)));
    const V r = fma_(*n, set1(2.12194440e-4f), fma_(*n, set1(-0.693359375f), x));
    V p = fma_(set1(1.9875691500e-4f), r, set1(1.3981999507e-3f));
    p = fma_(p, r, set1(8.3334519073e-3f));
    p = fma_(p, r, set1(4.1665795894e-2f));
    p = fma_(p, r, set1(1.6666665459e-1f));
    p = fma_(p, r, set1(5.0000001201e-1f));
    return fma_(p, mul(r, r), r);
}
HELPER V exp_(V x) { /* inf above 88.8, 0 below -104 */
    V n;
    const V part = exp_parts(x, &n);
    return scale2(add(part, set1(1.0f)), n);
}
HELPER V relu(V v) { return max_(zero(), v); }

/* ---- images.h ---- */
/* i, or the nearest of 0 ... last: where a window is cut off, a row or column of it stands in for those outside. */
HELPER int clamp(int i, int last) { return i < 0 ? 0 : i > last ? last : i; }

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

/* libxsmm kernels, dispatched once by create; what is not said is 0: f32, no prefetch, ... */
static const rn_kernel_spec kernels[] = {
    /* 0 */ {.m = 24, .n = 4, .k = 16, .lda = 32, .ldb = 64, .ldc = 48, .reduce = 1},
    /* 1 */ {.m = 24, .n = 4, .k = 24, .lda = 32, .ldb = 48, .ldc = 32, .reduce = 1},
    /* 2 */ {.m = 24, .n = 4, .k = 16, .lda = 32, .ldb = 64, .ldc = 32, .accumulate = 1},
    /* 3 */ {.m = 10, .n = 1, .k = 24, .lda = 16, .ldb = 24, .ldc = 16},
    /* 4 */ {.m = 10, .n = 1, .k = 24, .lda = 16, .ldb = 24, .ldc = 16, .accumulate = 1},
};

/* x: 3 planes of 16x16 floats; y: 16x16 pixels of 3 floats, 4 apart, rows 72 apart */
static TARGET void input_3x16x16(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == 0) halo(a->y, 4, 16, 16, 72, 4, 1, 1, 1, 1);
    for (int y = part * 16 / parts; y < (part + 1) * 16 / parts; y++) {
        const float *in = a->x + y * 16;
        float *out = a->y + y * 72;
        for (int x = 0; x < 16; x += 4) {
            __m128 v0 = _mm_loadu_ps(in + x);
            __m128 v1 = _mm_loadu_ps(in + x + 256);
            __m128 v2 = _mm_loadu_ps(in + x + 512);
            __m128 v3 = _mm_setzero_ps();
            _MM_TRANSPOSE4_PS(v0, v1, v2, v3);
            _mm_storeu_ps(out + x * 4, v0);
            _mm_storeu_ps(out + x * 4 + 4, v1);
            _mm_storeu_ps(out + x * 4 + 8, v2);
            _mm_storeu_ps(out + x * 4 + 12, v3);
        }
    }
}

/* 16 pixels of 16 channels, in sweeps of 16 pixels */
static TARGET void short_sums16(const float *w, const float *x, float *y) {
    const float *weights = w;
    V u, v0 = zero(), v1 = zero(), v2 = zero(), v3 = zero(), v4 = zero(), v5 = zero(), v6 = zero(), v7 = zero(),
        v8 = zero(), v9 = zero(), v10 = zero(), v11 = zero(), v12 = zero(), v13 = zero(), v14 = zero(), v15 = zero();
    for (int tap = 0; tap < 9; tap++) {
        const float *in = x + tap / 3 * 72 + tap % 3 * 4;
        for (int k = 0; k < 3; k++, weights += 16) {
            const V w0 = load(weights);
            u = set1(in[k]), v0 = fma_(w0, u, v0);
            u = set1(in[k + 4]), v1 = fma_(w0, u, v1);
            u = set1(in[k + 8]), v2 = fma_(w0, u, v2);
            u = set1(in[k + 12]), v3 = fma_(w0, u, v3);
            u = set1(in[k + 16]), v4 = fma_(w0, u, v4);
            u = set1(in[k + 20]), v5 = fma_(w0, u, v5);
            u = set1(in[k + 24]), v6 = fma_(w0, u, v6);
            u = set1(in[k + 28]), v7 = fma_(w0, u, v7);
            u = set1(in[k + 32]), v8 = fma_(w0, u, v8);
            u = set1(in[k + 36]), v9 = fma_(w0, u, v9);
            u = set1(in[k + 40]), v10 = fma_(w0, u, v10);
            u = set1(in[k + 44]), v11 = fma_(w0, u, v11);
            u = set1(in[k + 48]), v12 = fma_(w0, u, v12);
            u = set1(in[k + 52]), v13 = fma_(w0, u, v13);
            u = set1(in[k + 56]), v14 = fma_(w0, u, v14);
            u = set1(in[k + 60]), v15 = fma_(w0, u, v15);
        }
    }
    store(y, v0);
    store(y + 16, v1);
    store(y + 32, v2);
    store(y + 48, v3);
    store(y + 64, v4);
    store(y + 80, v5);
    store(y + 96, v6);
    store(y + 112, v7);
    store(y + 128, v8);
    store(y + 144, v9);
    store(y + 160, v10);
    store(y + 176, v11);
    store(y + 192, v12);
    store(y + 208, v13);
    store(y + 224, v14);
    store(y + 240, v15);
}

/* Row r of 16 output channels, 16 pixels a call */
static TARGET void conv3x3_3to16_16x16_relu_maxpool_panel(const struct args *a, int panel, int r, float *row) {
    const float *w = a->w + (size_t)panel * 432;
    float *y;
    y = row + panel * 16;
    short_sums16(w, a->x + (r * 72 - 76), y);
    zeroupper();
}

/* x: 16x16 pixels of 3 floats, 4 apart, rows 72 apart; y: 8x8 pixels of 16 floats, 32 apart, rows 288 apart */
static TARGET void conv3x3_3to16_16x16_relu_maxpool(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == 0) halo(a->y, 16, 8, 8, 288, 32, 1, 1, 0, 0);
    float *ring = a->scratch + (size_t)part * 768; /* the last 3 rows of the convolution */
    int next = 0;
    for (int p = part * 8 / parts; p < (part + 1) * 8 / parts; p++) {
        const int top = p * 2 - 1, last = clamp(top + 2, 15);
        for (next = next > top ? next : top; next <= last; next++)
            conv3x3_3to16_16x16_relu_maxpool_panel(a, 0, next, ring + next % 3 * 256);
        const float *r0 = ring + clamp(top, 15) % 3 * 256;
        const float *r1 = ring + clamp(top + 1, 15) % 3 * 256;
        const float *r2 = ring + clamp(top + 2, 15) % 3 * 256;
        float *y = a->y + p * 288;
        for (int q = 0; q < 8; q++, y += 32) {
            const int left = q * 2 - 1;
            const int q0 = clamp(left, 15) * 16;
            const int q1 = clamp(left + 1, 15) * 16;
            const int q2 = clamp(left + 2, 15) * 16;
            {
                V v = load(r0 + q0);
                v = max_nan(v, load(r0 + q1));
                v = max_nan(v, load(r0 + q2));
                v = max_nan(v, load(r1 + q0));
                v = max_nan(v, load(r1 + q1));
                v = max_nan(v, load(r1 + q2));
                v = max_nan(v, load(r2 + q0));
                v = max_nan(v, load(r2 + q1));
                v = max_nan(v, load(r2 + q2));
                store(y, relu(add(v, load(a->bias))));
            }
        }
    }
}

static TARGET inline void finish24_bias_relu(float *y, int pixel, const float *bias, int n) {
    const V b0 = load(bias);
    const V b1 = load_n(bias + 16, 8);
    for (int j = 0; j < n; j++, y += pixel) {
        store(y, relu(add(load(y), b0)));
        store_n(y + 16, relu(add(load_n(y + 16, 8), b1)), 8);
    }
}

/* Rows [y0, y1) of 24 output channels, 4 pixels a call */
static TARGET void conv3x3_stride2_16to24_4x4_relu_panel24(const struct args *a, int panel, int y0, int y1) {
    static const unsigned long long count0 = 9;
    static const unsigned long long w_at0[] = {0, 2048, 4096, 6144, 8192, 10240, 12288, 14336, 16384};
    static const unsigned long long x_at0[] = {0, 128, 256, 1152, 1280, 1408, 2304, 2432, 2560};
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 4608;
    const float *x;
    float *y;
    for (int r = y0; r < y1; r++) {
        y = a->y + (r * 288 + panel * 32);
        x = a->x + (r * 576 - 320);
        k[0 /* 24x4x16 */].offs(w, x, y, &count0, w_at0, x_at0);
        finish24_bias_relu(y, 48, a->bias + panel * 32, 4);
    }
    zeroupper();
}

/* x: 8x8 pixels of 16 floats, 32 apart, rows 288 apart; y: 4x4 pixels of 24 floats, 48 apart, rows 288 apart */
static TARGET void conv3x3_stride2_16to24_4x4_relu(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == 0) halo(a->y, 24, 4, 4, 288, 48, 1, 1, 1, 1);
    for (int u = part * 1 / parts; u < (part + 1) * 1 / parts; u++) {
        const int panel = 0, y0 = u * 4;
        const int y1 = y0 + 4;
        conv3x3_stride2_16to24_4x4_relu_panel24(a, panel, y0, y1);
    }
}

static TARGET inline void finish24_bias_relu_sum(const float *y, int pixel, const float *bias, float *sum, int n) {
    const V b0 = load(bias);
    V m0 = load(sum);
    const V b1 = load_n(bias + 16, 8);
    V m1 = load_n(sum + 16, 8);
    for (int j = 0; j < n; j++, y += pixel) {
        m0 = add(m0, relu(add(load(y), b0)));
        m1 = add(m1, relu(add(load_n(y + 16, 8), b1)));
    }
    store(sum, m0);
    store_n(sum + 16, m1, 8);
}

/* The mean of 24 output channels, 4 pixels a call */
static TARGET void conv3x3_24to24_4x4_shortcut_relu_mean_panel24(const struct args *a, int panel, float *image) {
    static const unsigned long long count0 = 9;
    static const unsigned long long w_at0[] = {0, 3072, 6144, 9216, 12288, 15360, 18432, 21504, 24576};
    static const unsigned long long x_at0[] = {0, 192, 384, 1152, 1344, 1536, 2304, 2496, 2688};
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 6912;
    const float *w1 = a->w1 + (size_t)panel * 512;
    const float *x;
    float *y;
    float sum[32] = {0};
    const int y0 = 0, y1 = 4;
    for (int r = y0; r < y1; r++) {
        y = image + (r * 128);
        x = a->x + (r * 288 - 336);
        k[1 /* 24x4x24 */].offs(w, x, y, &count0, w_at0, x_at0);
        x = a->x1 + (r * 576);
        k[2 /* 24x4x16 */].gemm(w1, x, y, w1, x, y);
        finish24_bias_relu_sum(y, 32, a->bias + panel * 32, sum, 4);
    }
    store(a->y + panel * 32, mul(load(sum), set1(0.0625f)));
    store_n(a->y + panel * 32 + 16, mul(load(sum + 16), set1(0.0625f)), 8);
    zeroupper();
}

/* x: 4x4 pixels of 24 floats, 48 apart, rows 288 apart; x1: 8x8 pixels of 16 floats, 32 apart, rows 288 apart; y: 24
 * floats */
static TARGET void conv3x3_24to24_4x4_shortcut_relu_mean(void *arg, int part, int parts) {
    const struct args *a = arg;
    float *image = a->scratch + (size_t)part * 768;
    for (int panel = part * 1 / parts; panel < (part + 1) * 1 / parts; panel++) {
        conv3x3_24to24_4x4_shortcut_relu_mean_panel24(a, panel, image);
    }
}

/* x: 24 floats; y: 10 floats */
static TARGET void fc_10x1x1(void *arg, int part, int parts) {
    const struct args *a = arg;
    const rn_kernel *k = a->k;
    for (int panel = part * 1 / parts; panel < (part + 1) * 1 / parts; panel++) {
        const float *w = a->w + (size_t)panel * 384;
        float *out = a->y + panel * 16, y[16];
        const float *x = a->x, *v = w;
        k[3 /* 10x1x24 */].gemm(v, x, y, v, x, y);
        store_n(out, add(load(y), load_n(a->bias + panel * 16, 10)), 10);
    }
    zeroupper();
}

/* x: 10 floats; y: 10 floats */
static TARGET void softmax_10x1x1(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == parts - 1) {
        const float *in = a->x;
        float *out = a->y;
        V m = set1(-INFINITY);
        m = max_(m, load_or(in, 10, m));
        m = set1(largest(m));
        V s = zero();
        s = add(s, exp_(sub(load_or(in, 10, set1(-INFINITY)), m)));
        const V scale = set1(1.0f / sum(s));
        store_n(out, mul(exp_(sub(load_n(in, 10), m)), scale), 10);
    }
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
    /* 0 */ {.op = RN_PARAM, .ndim = 1, .dim = {16}, .name = "bn1.bias"},
    /* 1 */ {.op = RN_PARAM, .ndim = 1, .dim = {16}, .name = "bn1.running_mean"},
    /* 2 */ {.op = RN_PARAM, .ndim = 1, .dim = {16}, .name = "bn1.weight"},
    /* 3 */ {.op = RN_PARAM, .ndim = 1, .dim = {16}, .name = "bn1.running_var"},
    /* 4 */ {.op = RN_BN_SCALE, .ndim = 1, .arg = {2, 3}, .dim = {16}, .real = 1e-05},
    /* 5 */ {.op = RN_BN_SHIFT, .ndim = 1, .arg = {0, 1, 4}, .dim = {16}},
    /* 6 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {5}, .dim = {16, 1, 1, 1}},
    /* 7 */ {.op = RN_PARAM, .ndim = 4, .dim = {16, 3, 3, 3}, .name = "conv1.weight"},
    /* 8 */ {.op = RN_SCALE_OUT, .ndim = 4, .arg = {7, 4}, .dim = {16, 3, 3, 3}},
    /* 9 */ {.op = RN_PACK_PANELS, .ndim = 4, .arg = {8}, .dim = {16, 3, 3, 3}, .integer = {16, 3, 1}, .offset = 64},
    /* 10 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn1.bias"},
    /* 11 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn1.running_mean"},
    /* 12 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn1.weight"},
    /* 13 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn1.running_var"},
    /* 14 */ {.op = RN_BN_SCALE, .ndim = 1, .arg = {12, 13}, .dim = {24}, .real = 1e-05},
    /* 15 */ {.op = RN_BN_SHIFT, .ndim = 1, .arg = {10, 11, 14}, .dim = {24}},
    /* 16 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {15}, .dim = {24, 1, 1, 1}, .offset = 1792},
    /* 17 */ {.op = RN_PARAM, .ndim = 4, .dim = {24, 16, 3, 3}, .name = "layer1.0.conv1.weight"},
    /* 18 */ {.op = RN_SCALE_OUT, .ndim = 4, .arg = {17, 14}, .dim = {24, 16, 3, 3}},
    /* 19 */ {.op = RN_PACK_PANELS, .ndim = 4, .arg = {18}, .dim = {24, 16, 3, 3}, .integer = {32, 16, 1},
              .offset = 1920},
    /* 20 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn2.bias"},
    /* 21 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn2.running_mean"},
    /* 22 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn2.weight"},
    /* 23 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn2.running_var"},
    /* 24 */ {.op = RN_BN_SCALE, .ndim = 1, .arg = {22, 23}, .dim = {24}, .real = 1e-05},
    /* 25 */ {.op = RN_BN_SHIFT, .ndim = 1, .arg = {20, 21, 24}, .dim = {24}},
    /* 26 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.downsample.1.bias"},
    /* 27 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.downsample.1.running_mean"},
    /* 28 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.downsample.1.weight"},
    /* 29 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.downsample.1.running_var"},
    /* 30 */ {.op = RN_BN_SCALE, .ndim = 1, .arg = {28, 29}, .dim = {24}, .real = 1e-05},
    /* 31 */ {.op = RN_BN_SHIFT, .ndim = 1, .arg = {26, 27, 30}, .dim = {24}},
    /* 32 */ {.op = RN_ADD, .ndim = 1, .arg = {25, 31}, .dim = {24}},
    /* 33 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {32}, .dim = {24, 1, 1, 1}, .offset = 20352},
    /* 34 */ {.op = RN_PARAM, .ndim = 4, .dim = {24, 24, 3, 3}, .name = "layer1.0.conv2.weight"},
    /* 35 */ {.op = RN_SCALE_OUT, .ndim = 4, .arg = {34, 24}, .dim = {24, 24, 3, 3}},
    /* 36 */ {.op = RN_PACK_PANELS, .ndim = 4, .arg = {35}, .dim = {24, 24, 3, 3}, .integer = {32, 24, 1},
              .offset = 20480},
    /* 37 */ {.op = RN_PARAM, .ndim = 4, .dim = {24, 16, 1, 1}, .name = "layer1.0.downsample.0.weight"},
    /* 38 */ {.op = RN_SCALE_OUT, .ndim = 4, .arg = {37, 30}, .dim = {24, 16, 1, 1}},
    /* 39 */ {.op = RN_PACK_PANELS, .ndim = 4, .arg = {38}, .dim = {24, 16, 1, 1}, .integer = {32, 16, 1},
              .offset = 48128},
    /* 40 */ {.op = RN_PARAM, .ndim = 1, .dim = {10}, .name = "fc.bias"},
    /* 41 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {40}, .dim = {10, 1, 1, 1}, .offset = 50176},
    /* 42 */ {.op = RN_PARAM, .ndim = 2, .dim = {10, 24}, .name = "fc.weight"},
    /* 43 */ {.op = RN_PACK_PANELS, .ndim = 4, .arg = {42}, .dim = {10, 24, 1, 1}, .integer = {16, 24, 1},
              .offset = 50240},
};
static const rn_recipe recipe = {.steps = recipe_steps, .count = 44, .packed_size = 51776, .hash = 0xfe02818ab71de282u};

/* {name, what, algorithm, place in the source, value, shape, multiply-adds, multiplications, bytes moved, bytes of
 * weights} */
static const rn_layer layers[] = {
    {"input", "input to channels-last", "input", "", "input", {3, 16, 16}, 0, 0, 6144, 0},
    {"conv1", "conv 3x3 + relu + maxpool 3x3 /2", "direct", "block_fused.rn:13:5", "maxpool", {16, 8, 8}, 110592,
     110592, 8960, 1792},
    {"layer1.0.conv1", "conv 3x3 /2 + relu", "direct", "block_fused.rn:5:9", "layer1.0.relu", {24, 4, 4}, 55296, 55296,
     24192, 18560},
    {"layer1.0.conv2", "conv 3x3 + shortcut conv 1x1 /2 + relu + avgpool global", "direct", "block_fused.rn:6:9",
     "avgpool", {24, 1, 1}, 89088, 89088, 35552, 29824},
    {"fc", "fc", "fc", "block_fused.rn:17:5", "fc", {10, 1, 1}, 240, 240, 1736, 1600},
    {"softmax", "softmax", "softmax", "block_fused.rn:18:5", "softmax", {10, 1, 1}, 0, 0, 80, 0},
    {"softmax", "output to planar", "output", "", "softmax", {10, 1, 1}, 0, 0, 80, 0},
};

/* where each layer's result is, for the layer hook: {offset, from a pixel and a row to the next}, in bytes */
static const struct result results[] = {
    {10752, 16, 288},
    {1280, 128, 1152},
    {11776, 192, 1152},
    {17408, 192, 192},
    {0, 48, 48},
    {128, 48, 48},
    {128, 48, 48},
};

static const rn_output outputs[] = {
    {"softmax", {10, 1, 1}, RN_NCHW},
};

static size_t model_arena_size(int batch, int threads) { return block_fused_arena_size(batch, threads); }
static rn_status model_create(void **net, void *arena, size_t size, const rn_weights *weights,
                              const rn_options *options) {
    struct block_fused *made = NULL;
    const rn_status status = block_fused_create(&made, arena, size, weights, options);
    *net = made;
    return status;
}
static rn_status model_run(void *net, int batch, const float *image, float *output) {
    return block_fused_run(net, batch, image, output);
}
static rn_status model_run_rgb(void *net, int batch, const uint8_t *const *rgb, const int *height, const int *width,
                               float *output) {
    return block_fused_run_rgb(net, batch, rgb, height, width, output);
}
static const char *model_message(const void *net) { return block_fused_message(net); }
static void model_destroy(void *net) { block_fused_destroy(net); }

static const rn_model model = {
    .abi = 11,
    .name = "block_fused",
    .rnc_version = "0.1.0",
    .command = "rnc --target x86-64-v4 -o block_fused.c block_fused.rn",
    .source_hash = "f7f4d12f34f7aeb3",
    .isa = RN_ISA_X86_64_V4,
    .best_isa = RN_ISA_X86_64_V4,
    .batch = 1,
    .input = {3, 16, 16},
    .outputs = outputs,
    .output_count = 1,
    .output_size = 10,
    .probabilities = 1,
    .preprocess = {.order = RN_ORDER_RGB, .range = 1.0f, .mean = {0.0f, 0.0f, 0.0f, 0.0f},
                   .std = {1.0f, 1.0f, 1.0f, 1.0f}, .resize = 0},
    .layers = layers,
    .layer_count = 7,
    .macs = 255216,
    .multiplications = 255216,
    .parameters = 9882,
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

const rn_model *block_fused_model(void) { return &model; }
