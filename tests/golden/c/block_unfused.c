/* Code of network block_unfused, made by rnc 0.1.0 for x86-64-v3. Do not edit: compile the source again.
 *     rnc --target x86-64-v3 -O0 --batch 2 -o block_unfused.c block_unfused.rn
 * source hash f097aa6244b0e70d; on any machine the same with --target x86-64-v3 -mtune=generic
 *
 * A batch of at most 2; one arena of 65664 bytes of activations a thread and 20544 for each of 2 images, reused by
 * lifetime. */
#include "block_unfused.h"
#include "rn_emitted.h"
#include "rn_recipe.h"

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct block_unfused {
    rn_context rn;
    rn_kernel k[8];
};

/* at the end of the file */
static const rn_model model;
static const rn_layer layers[18];
static const struct result { size_t offset, pixel, row; } results[18];
static const rn_kernel_spec kernels[8];
static void input_3x16x16(void *arg, int part, int parts);
static void conv3x3_3to16_16x16(void *arg, int part, int parts);
static void affine_16x16x16(void *arg, int part, int parts);
static void relu_16x16x16(void *arg, int part, int parts);
static void maxpool3x3_stride2_16x8x8(void *arg, int part, int parts);
static void conv3x3_stride2_16to24_4x4_f2x2_2_images(void *arg, int part, int parts);
static void conv3x3_stride2_16to24_4x4_f2x2(void *arg, int part, int parts);
static void affine_24x4x4(void *arg, int part, int parts);
static void relu_24x4x4(void *arg, int part, int parts);
static void conv3x3_24to24_4x4_f2x4_2_images(void *arg, int part, int parts);
static void conv3x3_24to24_4x4_f2x4(void *arg, int part, int parts);
static void conv1x1_stride2_16to24_4x4(void *arg, int part, int parts);
static void add_24x4x4(void *arg, int part, int parts);
static void relu_24x4x4_x192_y192(void *arg, int part, int parts);
static void avgpool_24x1x1(void *arg, int part, int parts);
static void fc_10x1x1_2_images(void *arg, int part, int parts);
static void fc_10x1x1(void *arg, int part, int parts);
static void softmax_10x1x1(void *arg, int part, int parts);
static void output_10x1x1(void *arg, int part, int parts);

/* A task's arguments: inputs, weights of each term, bias or shift, slopes, addend, result. */
struct args {
    const rn_kernel *k;
    const float *x, *x1, *w, *bias;
    float *y, *scratch;
};

static const size_t kept_bytes = 20544; /* of an image, for the last layers */

/* The arguments for image n in this part, given those for the first; y_image: floats from one result to the next */
static struct args image_args(const struct args *first, int n, int part, size_t y_image) {
    struct args a = *first;
    if (a.x) a.x += (size_t)n * 5136;
    if (a.x1) a.x1 += (size_t)n * 5136;
    a.y += (size_t)n * y_image;
    if (a.scratch) a.scratch += (size_t)part * 10400;
    return a;
}

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

/* The same of `images` images that are kept from `base` on; or, alone, on this thread, since images run at once. */
static void step_of(rn_context *rn, int alone, int layer, const void *base, int images, rn_task task, void *args) {
    if (alone) {
        task(args, 0, 1);
        return;
    }
    rn_parallel(rn, task, args);
    show(rn, layer, base, images, kept_bytes);
}

struct each {
    rn_task task;
    const struct args *first;
    int images;
    size_t y_image;
};

static void each_part(void *arg, int part, int parts) {
    const struct each *e = arg;
    for (int n = part; n < e->images; n += parts) {
        struct args a = image_args(e->first, n, part, e->y_image);
        e->task(&a, 0, 1);
    }
}

/* One layer of each image, given the arguments for the first; y_image: floats from one result to the next. The images
 * are divided among the threads, or each image's work where they are too few. */
static void each(rn_context *rn, int layer, const void *base, int images, size_t y_image, rn_task task,
                 const struct args *first) {
    if (images >= rn->threads && !rn->layer) {
        rn_parallel(rn, each_part, &(struct each){task, first, images, y_image});
        return;
    }
    for (int n = 0; n < images; n++) {
        struct args a = image_args(first, n, 0, y_image);
        step_of(rn, 0, layer, (const char *)base + (size_t)n * kept_bytes, 1, task, &a);
    }
}

/* One image through the first layers. A: activations, S: scratch, B: what the last layers read; W: packed
 * weights; offsets in floats. alone: other images run beside it, each on one thread. */
static void first_layers(block_unfused *net, int alone, float *A, float *B, float *S, const float *image,
                         float *outputs_at) {
    rn_context *const rn = &net->rn;
    const rn_kernel *k = net->k;
    const float *const W = (const float *)(const void *)rn->weights;
    (void)S, (void)outputs_at;
    if (rn->layer) rn->layer(rn->layer_user, -1, NULL);
    /* input: input to channels-last; 3x16x16 -> 3x16x16, input */
    step_of(rn, alone, 0, A, 1, input_3x16x16, &(struct args){.k = k, .x = image, .y = A + 8288});
    /* conv1: conv 3x3 (block_unfused.rn:13:5); 3x16x16 -> 16x16x16, 0.1 M multiply-adds, direct */
    step_of(rn, alone, 1, A, 1, conv3x3_3to16_16x16, &(struct args){.k = k, .x = A + 8288, .w = W, .y = A});
    /* bn1: affine (block_unfused.rn:13:19); 16x16x16 -> 16x16x16, map */
    step_of(rn, alone, 2, A, 1, affine_16x16x16,
            &(struct args){.k = k, .x = A, .w = W + 432, .bias = W + 448, .y = A + 8208});
    /* relu: relu (block_unfused.rn:13:23); 16x16x16 -> 16x16x16, map */
    step_of(rn, alone, 3, A, 1, relu_16x16x16, &(struct args){.k = k, .x = A + 8208, .y = A});
    /* maxpool: maxpool 3x3 /2 (block_unfused.rn:14:5); 16x16x16 -> 16x8x8, pool */
    step_of(rn, alone, 4, B, 1, maxpool3x3_stride2_16x8x8, &(struct args){.k = k, .x = A, .y = B + 320});
}

/* The last layers, whose weights outweigh their images: of 2 images, or of one. B: what is kept of each, A: free
 * for what passes between two steps. */
static void last_layers(block_unfused *net, int images, float *B, float *outputs_at) {
    rn_context *const rn = &net->rn;
    const rn_kernel *k = net->k;
    const float *const W = (const float *)(const void *)rn->weights;
    float *const S = net->rn.arena + ((size_t)net->rn.threads * 16416 + 10272);
    /* layer1.0.conv1: conv 3x3 /2 (block_unfused.rn:5:9); 16x8x8 -> 24x4x4, 0.1 M multiply-adds, winograd, 2 images at
     * once */
    step_of(rn, 0, 5, B, images, images == 2 ? conv3x3_stride2_16to24_4x4_f2x2_2_images
            : conv3x3_stride2_16to24_4x4_f2x2,
            &(struct args){.k = k, .x = B + 320, .w = W + 464, .y = B + 2608, .scratch = S});
    /* layer1.0.bn1: affine (block_unfused.rn:5:34); 24x4x4 -> 24x4x4, map */
    each(rn, 6, B, images, 5136, affine_24x4x4,
         &(struct args){.k = k, .x = B + 2608, .w = W + 13264, .bias = W + 13296, .y = B + 4352});
    /* layer1.0.relu: relu (block_unfused.rn:5:38); 24x4x4 -> 24x4x4, map */
    each(rn, 7, B, images, 5136, relu_24x4x4, &(struct args){.k = k, .x = B + 4352, .y = B + 2944});
    /* layer1.0.conv2: conv 3x3 (block_unfused.rn:6:9); 24x4x4 -> 24x4x4, 0.1 M multiply-adds, winograd, 2 images at
     * once */
    step_of(rn, 0, 8, B, images, images == 2 ? conv3x3_24to24_4x4_f2x4_2_images : conv3x3_24to24_4x4_f2x4,
            &(struct args){.k = k, .x = B + 2944, .w = W + 13328, .y = B + 4352, .scratch = S});
    /* layer1.0.bn2: affine (block_unfused.rn:6:26); 24x4x4 -> 24x4x4, map */
    each(rn, 9, B, images, 5136, affine_24x4x4,
         &(struct args){.k = k, .x = B + 4352, .w = W + 31760, .bias = W + 31792, .y = B + 2608});
    /* layer1.0.downsample.0: conv 1x1 /2 (block_unfused.rn:7:7); 16x8x8 -> 24x4x4, 0.0 M multiply-adds, pointwise */
    each(rn, 10, B, images, 5136, conv1x1_stride2_16to24_4x4,
         &(struct args){.k = k, .x = B + 320, .w = W + 31824, .y = B + 3392});
    /* layer1.0.downsample.1: affine (block_unfused.rn:7:7); 24x4x4 -> 24x4x4, map */
    each(rn, 11, B, images, 5136, affine_24x4x4,
         &(struct args){.k = k, .x = B + 3392, .w = W + 32336, .bias = W + 32368, .y = B});
    /* layer1.0.add: add (block_unfused.rn:4:5); 24x4x4 -> 24x4x4, map */
    each(rn, 12, B, images, 5136, add_24x4x4, &(struct args){.k = k, .x = B + 2608, .x1 = B, .y = B + 784});
    /* layer1.0.relu2: relu (block_unfused.rn:8:5); 24x4x4 -> 24x4x4, map */
    each(rn, 13, B, images, 5136, relu_24x4x4_x192_y192, &(struct args){.k = k, .x = B + 784, .y = B});
    /* avgpool: avgpool global (block_unfused.rn:16:5); 24x4x4 -> 24x1x1, pool */
    each(rn, 14, B, images, 5136, avgpool_24x1x1, &(struct args){.k = k, .x = B, .y = B + 784});
    /* fc: fc (block_unfused.rn:17:5); 24x1x1 -> 10x1x1, 0.0 M multiply-adds, fc, 2 images at once */
    step_of(rn, 0, 15, B, images, images == 2 ? fc_10x1x1_2_images : fc_10x1x1,
            &(struct args){.k = k, .x = B + 784, .w = W + 32416, .bias = W + 32400, .y = B});
    /* softmax: softmax (block_unfused.rn:18:5); 10x1x1 -> 10x1x1, softmax */
    each(rn, 16, B, images, 5136, softmax_10x1x1, &(struct args){.k = k, .x = B, .y = B + 32});
    /* softmax: output to planar; 10x1x1 -> 10x1x1, output */
    each(rn, 17, B, images, 10, output_10x1x1, &(struct args){.k = k, .x = B + 32, .y = outputs_at});
}

struct group {
    struct block_unfused *net;
    int images;
    const float *image;
    float *outputs;
};

/* A thread's images of a group through the first layers. */
static void first_part(void *arg, int part, int parts) {
    const struct group *g = arg;
    struct block_unfused *net = g->net;
    float *A = net->rn.arena + (size_t)part * 16416, *B = net->rn.arena + (size_t)net->rn.threads * 16416;
    float *S = net->rn.arena + ((size_t)net->rn.threads * 16416 + 10272) + (size_t)part * 10400;
    for (int n = part; n < g->images; n += parts)
        first_layers(net, 1, A, B + (size_t)n * 5136, S, g->image + (size_t)n * 768,
                     g->outputs + (size_t)n * 10);
}

/* At most 2 images: as many at once as there are threads, those left over each on all threads. */
static void forward(block_unfused *net, int images, const float *image, float *outputs_at) {
    float *A = net->rn.arena, *B = net->rn.arena + (size_t)net->rn.threads * 16416,
        *S = net->rn.arena + ((size_t)net->rn.threads * 16416 + 10272);
    int n = 0;
    if (net->rn.threads > 1 && images >= net->rn.threads && !net->rn.layer) {
        n = images / net->rn.threads * net->rn.threads;
        rn_parallel(&net->rn, first_part, &(struct group){net, n, image, outputs_at});
    }
    for (; n < images; n++)
        first_layers(net, 0, A, B + (size_t)n * 5136, S, image + (size_t)n * 768,
                     outputs_at + (size_t)n * 10);
    if (images == 2) {
        last_layers(net, images, B, outputs_at);
        return;
    }
    for (n = 0; n < images; n++)
        last_layers(net, 1, B + (size_t)n * 5136, outputs_at + (size_t)n * 10);
}

size_t block_unfused_arena_size(int batch, int threads) {
    if (batch < 1 || batch > BLOCK_UNFUSED_BATCH || threads < 1) return 0;
    /* instance, activations, scratch of each thread, pictures made ready */
    return (sizeof(struct block_unfused) + 63) / 64 * 64 + sizeof(float) * ((size_t)threads * 26816 + 11808);
}

rn_status block_unfused_create(block_unfused **net, void *arena, size_t size, const rn_weights *weights,
                               const rn_options *options) {
    void *made = NULL;
    const size_t need = block_unfused_arena_size(BLOCK_UNFUSED_BATCH, rn_options_threads(options));
    const rn_status status = rn_context_create_jit(&made, sizeof(struct block_unfused), need,
                                                   offsetof(struct block_unfused, k), kernels, 8,
                                                   &model, arena, size, weights, options);
    *net = made;
    return status;
}

rn_status block_unfused_run(block_unfused *net, int batch, const float *image, float *output) {
    const rn_status status = check(net ? &net->rn : NULL, batch, image, output);
    if (status) return status;
    for (int n = 0; n < batch; n += 2)
        forward(net, batch - n < 2 ? batch - n : 2, image + (size_t)n * 768, output + (size_t)n * 10);
    return RN_OK;
}

rn_status block_unfused_run_rgb(block_unfused *net, int batch, const uint8_t *const *rgb, const int *height,
                                const int *width, float *output) {
    rn_status status = check(net ? &net->rn : NULL, batch, rgb && height && width ? rgb : NULL, output);
    if (status) return status;
    float *ready = net->rn.arena + ((size_t)net->rn.threads * 26816 + 10272);
    for (int n = 0; n < batch; n++) {
        status = rn_preprocess_rgb(&model, rgb[n], height[n], width[n], ready + (size_t)(n % 2) * 768);
        if (status) return rn_context_fail(&net->rn, status, "block_unfused: image %d cannot be made an input", n);
        const int images = n % 2 + 1; /* ready, of this group */
        if (images == 2 || n + 1 == batch)
            forward(net, images, ready, output + (size_t)(n + 1 - images) * 10);
    }
    return RN_OK;
}

const char *block_unfused_message(const block_unfused *net) { return net ? net->rn.message : ""; }

void block_unfused_destroy(block_unfused *net) {
    if (net) rn_context_destroy(&net->rn);
}

/* ==== the layers' tasks ==== */

/* ---- vectors_avx2.h ---- */
#define TARGET __attribute__((target("avx2,fma")))
#define HELPER static inline TARGET __attribute__((always_inline, unused))

enum { LANES = 8 };
typedef __m256 V; /* 8 floats */

/* LANES words from first_lanes + LANES - n: a mask of the first n lanes */
static const int32_t first_lanes[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

HELPER V load(const float *p) { return _mm256_loadu_ps(p); }
HELPER void store(float *p, V v) { _mm256_storeu_ps(p, v); }
HELPER __m256i first_(int n) { return _mm256_loadu_si256((const __m256i *)(first_lanes + LANES - n)); }
HELPER V load_n(const float *p, int n) { return _mm256_maskload_ps(p, first_(n)); }
HELPER V load_or(const float *p, int n, V rest) {
    return _mm256_blendv_ps(rest, _mm256_maskload_ps(p, first_(n)), _mm256_castsi256_ps(first_(n)));
}
HELPER void store_n(float *p, V v, int n) { _mm256_maskstore_ps(p, first_(n), v); }
HELPER V set1(float x) { return _mm256_set1_ps(x); }
HELPER V zero(void) { return _mm256_setzero_ps(); }
HELPER V add(V a, V b) { return _mm256_add_ps(a, b); }
HELPER V sub(V a, V b) { return _mm256_sub_ps(a, b); }
HELPER V mul(V a, V b) { return _mm256_mul_ps(a, b); }
HELPER V fma_(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
HELPER V max_(V a, V b) { return _mm256_max_ps(a, b); } /* b where either is NaN */
HELPER V min_(V a, V b) { return _mm256_min_ps(a, b); } /* b where either is NaN */
/* The larger, where a NaN in either stays. */
HELPER V max_nan(V a, V b) { return _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q)); }
HELPER V round_(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/* a * 2^n, n whole, in two steps since 2^n alone may overflow */
HELPER V scale2(V a, V n) {
    const __m256i i = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(i, 1), bias = _mm256_set1_epi32(127);
    const __m256i rest = _mm256_sub_epi32(i, half);
    a = _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23)));
    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23)));
}
HELPER float sum(V v) {
    __m128 a = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
HELPER float largest(V v) {
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}
/* After the last kernel: what it leaves in the upper halves of vector registers makes SSE code slow. */
HELPER void zeroupper(void) { _mm256_zeroupper(); }
/* The cache line of p, and those of n floats, on to L2. */
HELPER void fetch_line(const float *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }
HELPER void fetch(const float *p, int n) {
    for (int i = 0; i < n; i += 64 / (int)sizeof *p) fetch_line(p + i);
}

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
    /* 0 */ {.m = 24, .n = 3, .k = 16, .lda = 32, .ldb = 16, .ldc = 32},
    /* 1 */ {.m = 24, .n = 2, .k = 16, .lda = 32, .ldb = 16, .ldc = 32},
    /* 2 */ {.m = 24, .n = 2, .k = 24, .lda = 32, .ldb = 48, .ldc = 32},
    /* 3 */ {.m = 24, .n = 2, .k = 24, .lda = 32, .ldb = 48, .ldc = 32, .prefetch = 1},
    /* 4 */ {.m = 10, .n = 2, .k = 24, .lda = 16, .ldb = 5136, .ldc = 16},
    /* 5 */ {.m = 10, .n = 2, .k = 24, .lda = 16, .ldb = 5136, .ldc = 16, .accumulate = 1},
    /* 6 */ {.m = 10, .n = 1, .k = 24, .lda = 16, .ldb = 24, .ldc = 16},
    /* 7 */ {.m = 10, .n = 1, .k = 24, .lda = 16, .ldb = 24, .ldc = 16, .accumulate = 1},
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

/* 16 pixels of 16 channels, in sweeps of 6 pixels */
static TARGET void short_sums16(const float *w, const float *x, float *y) {
    for (int i = 0; i < 2; i++, x += 24, y += 192) {
        const float *weights = w;
        V u, v0 = zero(), v1 = zero(), v2 = zero(), v3 = zero(), v4 = zero(), v5 = zero(), v6 = zero(), v7 = zero(),
            v8 = zero(), v9 = zero(), v10 = zero(), v11 = zero();
        for (int tap = 0; tap < 9; tap++) {
            const float *in = x + tap / 3 * 72 + tap % 3 * 4;
            for (int k = 0; k < 3; k++, weights += 16) {
                const V w0 = load(weights);
                const V w1 = load(weights + 8);
                u = set1(in[k]), v0 = fma_(w0, u, v0), v1 = fma_(w1, u, v1);
                u = set1(in[k + 4]), v2 = fma_(w0, u, v2), v3 = fma_(w1, u, v3);
                u = set1(in[k + 8]), v4 = fma_(w0, u, v4), v5 = fma_(w1, u, v5);
                u = set1(in[k + 12]), v6 = fma_(w0, u, v6), v7 = fma_(w1, u, v7);
                u = set1(in[k + 16]), v8 = fma_(w0, u, v8), v9 = fma_(w1, u, v9);
                u = set1(in[k + 20]), v10 = fma_(w0, u, v10), v11 = fma_(w1, u, v11);
            }
        }
        store(y, v0);
        store(y + 8, v1);
        store(y + 32, v2);
        store(y + 40, v3);
        store(y + 64, v4);
        store(y + 72, v5);
        store(y + 96, v6);
        store(y + 104, v7);
        store(y + 128, v8);
        store(y + 136, v9);
        store(y + 160, v10);
        store(y + 168, v11);
    }
    const float *weights = w;
    V u, v0 = zero(), v1 = zero(), v2 = zero(), v3 = zero(), v4 = zero(), v5 = zero(), v6 = zero(), v7 = zero();
    for (int tap = 0; tap < 9; tap++) {
        const float *in = x + tap / 3 * 72 + tap % 3 * 4;
        for (int k = 0; k < 3; k++, weights += 16) {
            const V w0 = load(weights);
            const V w1 = load(weights + 8);
            u = set1(in[k]), v0 = fma_(w0, u, v0), v1 = fma_(w1, u, v1);
            u = set1(in[k + 4]), v2 = fma_(w0, u, v2), v3 = fma_(w1, u, v3);
            u = set1(in[k + 8]), v4 = fma_(w0, u, v4), v5 = fma_(w1, u, v5);
            u = set1(in[k + 12]), v6 = fma_(w0, u, v6), v7 = fma_(w1, u, v7);
        }
    }
    store(y, v0);
    store(y + 8, v1);
    store(y + 32, v2);
    store(y + 40, v3);
    store(y + 64, v4);
    store(y + 72, v5);
    store(y + 96, v6);
    store(y + 104, v7);
}

/* Rows [y0, y1) of 16 output channels, 16 pixels a call */
static TARGET void conv3x3_3to16_16x16_panel(const struct args *a, int panel, int y0, int y1) {
    const float *w = a->w + (size_t)panel * 432;
    float *y;
    for (int r = y0; r < y1; r++) {
        y = a->y + (r * 512 + panel * 16);
        short_sums16(w, a->x + (r * 72 - 76), y);
    }
    zeroupper();
}

/* x: 16x16 pixels of 3 floats, 4 apart, rows 72 apart; y: 16x16 pixels of 16 floats, 32 apart, rows 512 apart */
static TARGET void conv3x3_3to16_16x16(void *arg, int part, int parts) {
    const struct args *a = arg;
    for (int u = part * 2 / parts; u < (part + 1) * 2 / parts; u++) {
        const int panel = 0, y0 = u * 8;
        const int y1 = y0 + 8;
        conv3x3_3to16_16x16_panel(a, panel, y0, y1);
    }
}

/* x: 16x16 pixels of 16 floats, 32 apart, rows 512 apart; y: 16x16 pixels of 16 floats, 32 apart, rows 512 apart */
static TARGET void affine_16x16x16(void *arg, int part, int parts) {
    const struct args *a = arg;
    const V scale0 = load(a->w);
    const V scale8 = load(a->w + 8);
    const V shift0 = load(a->bias);
    const V shift8 = load(a->bias + 8);
    for (int y = part * 16 / parts; y < (part + 1) * 16 / parts; y++) {
        for (int x = 0; x < 16; x++) {
            const float *in = a->x + y * 512 + x * 32;
            float *out = a->y + y * 512 + x * 32;
            store(out, fma_(load(in), scale0, shift0));
            store(out + 8, fma_(load(in + 8), scale8, shift8));
        }
    }
}

/* x: 16x16 pixels of 16 floats, 32 apart, rows 512 apart; y: 16x16 pixels of 16 floats, 32 apart, rows 512 apart */
static TARGET void relu_16x16x16(void *arg, int part, int parts) {
    const struct args *a = arg;
    for (int y = part * 16 / parts; y < (part + 1) * 16 / parts; y++) {
        for (int x = 0; x < 16; x++) {
            const float *in = a->x + y * 512 + x * 32;
            float *out = a->y + y * 512 + x * 32;
            for (int c = 0; c < 16; c += 8) store(out + c, relu(load(in + c)));
        }
    }
}

/* x: 16x16 pixels of 16 floats, 32 apart, rows 512 apart; y: 8x8 pixels of 16 floats, 32 apart, rows 288 apart */
static TARGET void maxpool3x3_stride2_16x8x8(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == 0) halo(a->y, 16, 8, 8, 288, 32, 1, 1, 0, 0);
    for (int y = part * 8 / parts; y < (part + 1) * 8 / parts; y++) {
        const int top = y * 2 - 1 < 0 ? 0 : y * 2 - 1;
        const int bottom = y * 2 + 2;
        {
            float *out = a->y + y * 288;
            const float *in = a->x + top * 512;
            for (int c = 0; c < 16; c += 8) {
                V v = set1(-INFINITY);
                for (int i = 0; i < (bottom - top); i++) {
                    v = max_nan(v, load(in + i * 512 + c));
                    v = max_nan(v, load(in + i * 512 + c + 32));
                }
                store(out + c, v);
            }
        }
        for (int x = 1; x < 8; x++) {
            float *out = a->y + y * 288 + x * 32;
            const float *in = a->x + top * 512 + (x * 2 - 1) * 32;
            for (int c = 0; c < 16; c += 8) {
                V v = set1(-INFINITY);
                for (int i = 0; i < (bottom - top); i++) {
                    v = max_nan(v, load(in + i * 512 + c));
                    v = max_nan(v, load(in + i * 512 + c + 32));
                    v = max_nan(v, load(in + i * 512 + c + 64));
                }
                store(out + c, v);
            }
        }
    }
}

/* F(2, 3) in one dimension: 5 pixels to 5 products */
HELPER void f2_r3_stride2_input(const V *d, V *to, int step) {
    const V d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4];
    const V r0 = sub(d2, d0);
    const V r1 = d2;
    const V r2 = sub(d4, d2);
    const V r3 = d1;
    const V r4 = d3;
    to[0] = r0;
    to[step] = r1;
    to[2 * step] = r2;
    to[3 * step] = r3;
    to[4 * step] = r4;
}

/* One tile's input transform: 5 x 5 pixels from x to 5 x 5 products */
static TARGET void conv3x3_stride2_16to24_4x4_f2x2_input(const float *x, float *v) {
    for (int c = 0; c < 16; c += 8) {
        V t[5][5];
        for (int j = 0; j < 5; j++) {
            const float *p = x + (j * 32 + c);
            const V d[5] = {load(p), load(p + 288), load(p + 576), load(p + 864), load(p + 1152)};
            f2_r3_stride2_input(d, &t[0][j], 5);
        }
        float *to = v + c;
        for (int i = 0; i < 5; i++, to += 720) {
            V r[5];
            f2_r3_stride2_input(t[i], r, 1);
            store(to, r[0]);
            store(to + 144, r[1]);
            store(to + 288, r[2]);
            store(to + 432, r[3]);
            store(to + 576, r[4]);
        }
    }
}

/* In pieces of at most 3 columns and 16 channels; each fetches a share of the next weights to L2 */
static TARGET void gemm24x8x16_x16_y32(const rn_kernel *k, const float *w, const float *x, float *y,
                                       const float *next) {
    for (int j = 0; j < 8; j += j < 6 ? 3 : 2, next += 176) {
        fetch(next, 176);
        k[j < 6 ? 0 /* 24x3x16 */ : 1 /* 24x2x16 */].gemm(w, x + j * 16, y + j * 32, w, x, y);
    }
}

/* F(2, 3) in one dimension: 5 products to 2 pixels */
HELPER void f2_r3_stride2_output(const V *d, V *to, int step) {
    const V d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4];
    const V r0 = add(add(d0, d1), d3);
    const V r1 = add(add(d1, d2), d4);
    to[0] = r0;
    to[step] = r1;
}

/* One tile's output transform: 5 x 5 products to 2 x 2 pixels, 24 channels */
static TARGET void conv3x3_stride2_16to24_4x4_f2x2_output(const float *m, float *y) {
    for (int c = 0; c < 24; c += 8) {
        V t[2][5];
        for (int j = 0; j < 5; j++) {
            const float *p = m + (j * 272 + c);
            const V d[5] = {load(p), load(p + 1360), load(p + 2720), load(p + 4080), load(p + 5440)};
            f2_r3_stride2_output(d, &t[0][j], 5);
        }
        for (int i = 0; i < 2; i++) {
            float *to = y + (i * 192 + c);
            V r[2];
            f2_r3_stride2_output(t[i], r, 1);
            store(to, r[0]);
            store(to + 48, r[1]);
        }
    }
}

/* 24 output channels of 8 tiles */
static TARGET void conv3x3_stride2_16to24_4x4_f2x2_panel(const struct args *a, int panel, const float *v, float *m) {
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 12800;
    for (int i = 0; i < 25; i++, w += 512) {
        const float *from = v + i * 144;
        float *to = m + i * 272;
        gemm24x8x16_x16_y32(k, w, from, to, w + 512);
    }
    for (int i = 0; i < 8; i++) {
        const int image = i / 4, row = i % 4 / 2, column = i % 2;
        conv3x3_stride2_16to24_4x4_f2x2_output(m + i * 32, a->y + (size_t)image * 5136 + (row * 384 + column * 96));
    }
}

/* x: 8x8 pixels of 16 floats, 32 apart, rows 288 apart; y: 4x4 pixels of 24 floats, 48 apart, rows 192 apart */
static TARGET void conv3x3_stride2_16to24_4x4_f2x2_2_images(void *arg, int part, int parts) {
    const struct args *a = arg;
    float *v = a->scratch + (size_t)part * 10400, *m = v + 3600;
    if (part) return;
    (void)parts;
    for (int i = 0; i < 8; i++) {
        const int image = i / 4, row = i % 4 / 2, column = i % 2;
        conv3x3_stride2_16to24_4x4_f2x2_input(a->x + (size_t)image * 5136 + (row * 1152 + column * 128 - 320),
                                              v + i * 16);
    }
    const int panel = 0;
    conv3x3_stride2_16to24_4x4_f2x2_panel(a, panel, v, m);
    zeroupper();
}

/* One tile's input transform: 5 x 5 pixels from x to 5 x 5 products */
static TARGET void conv3x3_stride2_16to24_4x4_f2x2_input_x288_y192(const float *x, float *v) {
    for (int c = 0; c < 16; c += 8) {
        V t[5][5];
        for (int j = 0; j < 5; j++) {
            const float *p = x + (j * 32 + c);
            const V d[5] = {load(p), load(p + 288), load(p + 576), load(p + 864), load(p + 1152)};
            f2_r3_stride2_input(d, &t[0][j], 5);
        }
        float *to = v + c;
        for (int i = 0; i < 5; i++, to += 400) {
            V r[5];
            f2_r3_stride2_input(t[i], r, 1);
            store(to, r[0]);
            store(to + 80, r[1]);
            store(to + 160, r[2]);
            store(to + 240, r[3]);
            store(to + 320, r[4]);
        }
    }
}

/* In pieces of at most 2 columns and 16 channels; each fetches a share of the next weights to L2 */
static TARGET void gemm24x4x16_x16_y32(const rn_kernel *k, const float *w, const float *x, float *y,
                                       const float *next) {
    for (int j = 0; j < 4; j += 2, next += 256) {
        fetch(next, 256);
        k[1 /* 24x2x16 */].gemm(w, x + j * 16, y + j * 32, w, x, y);
    }
}

/* One tile's output transform: 5 x 5 products to 2 x 2 pixels, 24 channels */
static TARGET void conv3x3_stride2_16to24_4x4_f2x2_output_x288_y192(const float *m, float *y) {
    for (int c = 0; c < 24; c += 8) {
        V t[2][5];
        for (int j = 0; j < 5; j++) {
            const float *p = m + (j * 144 + c);
            const V d[5] = {load(p), load(p + 720), load(p + 1440), load(p + 2160), load(p + 2880)};
            f2_r3_stride2_output(d, &t[0][j], 5);
        }
        for (int i = 0; i < 2; i++) {
            float *to = y + (i * 192 + c);
            V r[2];
            f2_r3_stride2_output(t[i], r, 1);
            store(to, r[0]);
            store(to + 48, r[1]);
        }
    }
}

/* 24 output channels of 4 tiles */
static TARGET void conv3x3_stride2_16to24_4x4_f2x2_panel_x288_y192(const struct args *a, int panel, const float *v,
    float *m) {
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 12800;
    for (int i = 0; i < 25; i++, w += 512) {
        const float *from = v + i * 80;
        float *to = m + i * 144;
        gemm24x4x16_x16_y32(k, w, from, to, w + 512);
    }
    for (int i = 0; i < 4; i++) {
        const int row = i / 2, column = i % 2;
        conv3x3_stride2_16to24_4x4_f2x2_output_x288_y192(m + i * 32, a->y + (row * 384 + column * 96));
    }
}

/* x: 8x8 pixels of 16 floats, 32 apart, rows 288 apart; y: 4x4 pixels of 24 floats, 48 apart, rows 192 apart */
static TARGET void conv3x3_stride2_16to24_4x4_f2x2(void *arg, int part, int parts) {
    const struct args *a = arg;
    float *v = a->scratch + (size_t)part * 10400, *m = v + 2000;
    if (part) return;
    (void)parts;
    for (int i = 0; i < 4; i++) {
        const int row = i / 2, column = i % 2;
        conv3x3_stride2_16to24_4x4_f2x2_input_x288_y192(a->x + (row * 1152 + column * 128 - 320), v + i * 16);
    }
    const int panel = 0;
    conv3x3_stride2_16to24_4x4_f2x2_panel_x288_y192(a, panel, v, m);
    zeroupper();
}

/* x: 4x4 pixels of 24 floats, 48 apart, rows 192 apart; y: 4x4 pixels of 24 floats, 48 apart, rows 192 apart */
static TARGET void affine_24x4x4(void *arg, int part, int parts) {
    const struct args *a = arg;
    const V scale0 = load(a->w);
    const V scale8 = load(a->w + 8);
    const V scale16 = load(a->w + 16);
    const V shift0 = load(a->bias);
    const V shift8 = load(a->bias + 8);
    const V shift16 = load(a->bias + 16);
    for (int y = part * 4 / parts; y < (part + 1) * 4 / parts; y++) {
        for (int x = 0; x < 4; x++) {
            const float *in = a->x + y * 192 + x * 48;
            float *out = a->y + y * 192 + x * 48;
            store(out, fma_(load(in), scale0, shift0));
            store(out + 8, fma_(load(in + 8), scale8, shift8));
            store(out + 16, fma_(load(in + 16), scale16, shift16));
        }
    }
}

/* x: 4x4 pixels of 24 floats, 48 apart, rows 192 apart; y: 4x4 pixels of 24 floats, 48 apart, rows 288 apart */
static TARGET void relu_24x4x4(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == 0) halo(a->y, 24, 4, 4, 288, 48, 1, 1, 1, 1);
    for (int y = part * 4 / parts; y < (part + 1) * 4 / parts; y++) {
        for (int x = 0; x < 4; x++) {
            const float *in = a->x + y * 192 + x * 48;
            float *out = a->y + y * 288 + x * 48;
            for (int c = 0; c < 24; c += 8) store(out + c, relu(load(in + c)));
        }
    }
}

/* F(2, 3) in one dimension: 4 pixels to 4 products */
HELPER void f2_r3_input(const V *d, V *to, int step) {
    const V d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
    const V r0 = sub(d2, d0);
    const V r1 = add(d1, d2);
    const V r2 = sub(d2, d1);
    const V r3 = sub(d3, d1);
    to[0] = r0;
    to[step] = r1;
    to[2 * step] = r2;
    to[3 * step] = r3;
}

/* F(4, 3) in one dimension: 6 pixels to 6 products */
HELPER void f4_r3_input(const V *d, V *to, int step) {
    const V d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
    const V r0 = fma_(set1(-2.8125f), d2, fma_(set1(1.265625f), d0, d4));
    const V q1 = fma_(set1(-2.25f), d2, d4);
    const V q2 = fma_(set1(0.75f), d3, mul(set1(-1.6875f), d1));
    const V q3 = fma_(set1(-0.5625f), d2, d4);
    const V q4 = fma_(set1(1.5f), d3, mul(set1(-0.84375f), d1));
    const V r5 = fma_(set1(-2.8125f), d3, fma_(set1(1.265625f), d1, d5));
    const V r1 = add(q1, q2), r2 = sub(q1, q2);
    const V r3 = add(q3, q4), r4 = sub(q3, q4);
    to[0] = r0;
    to[step] = r1;
    to[2 * step] = r2;
    to[3 * step] = r3;
    to[4 * step] = r4;
    to[5 * step] = r5;
}

/* One tile's input transform: 4 x 6 pixels from x to 4 x 6 products */
static TARGET void conv3x3_24to24_4x4_f2x4_input(const float *x, float *v) {
    for (int c = 0; c < 24; c += 8) {
        V t[4][6];
        for (int j = 0; j < 6; j++) {
            const float *p = x + (j * 48 + c);
            const V d[4] = {load(p), load(p + 288), load(p + 576), load(p + 864)};
            f2_r3_input(d, &t[0][j], 6);
        }
        float *to = v + c;
        for (int i = 0; i < 4; i++, to += 1248) {
            V r[6];
            f4_r3_input(t[i], r, 1);
            store(to, r[0]);
            store(to + 208, r[1]);
            store(to + 416, r[2]);
            store(to + 624, r[3]);
            store(to + 832, r[4]);
            store(to + 1040, r[5]);
        }
    }
}

/* In pieces of at most 2 columns and 24 channels; each fetches a share of the next weights to L2 */
static TARGET void gemm24x4x24_x48_y32(const rn_kernel *k, const float *w, const float *x, float *y,
                                       const float *next) {
    for (int j = 0; j < 4; j += 2, next += 384) {
        fetch(next, 384);
        k[2 /* 24x2x24 */].gemm(w, x + j * 48, y + j * 32, w, x, y);
    }
}

/* F(2, 3) in one dimension: 4 products to 2 pixels */
HELPER void f2_r3_output(const V *d, V *to, int step) {
    const V d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
    const V r0 = add(add(d0, d1), d2);
    const V r1 = sub(add(d1, d3), d2);
    to[0] = r0;
    to[step] = r1;
}

/* F(4, 3) in one dimension: 6 products to 4 pixels */
HELPER void f4_r3_output(const V *d, V *to, int step) {
    const V d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
    const V p1 = add(d1, d2), p2 = sub(d1, d2);
    const V p3 = add(d3, d4), p4 = sub(d3, d4);
    const V r0 = add(add(d0, p1), p3);
    const V r1 = fma_(set1(1.5f), p4, mul(set1(0.75f), p2));
    const V r2 = fma_(set1(2.25f), p3, mul(set1(0.5625f), p1));
    const V r3 = fma_(set1(3.375f), p4, fma_(set1(0.421875f), p2, d5));
    to[0] = r0;
    to[step] = r1;
    to[2 * step] = r2;
    to[3 * step] = r3;
}

/* One tile's output transform: 4 x 6 products to 2 x 4 pixels, 24 channels */
static TARGET void conv3x3_24to24_4x4_f2x4_output(const float *m, float *y) {
    for (int c = 0; c < 24; c += 8) {
        V t[2][6];
        for (int j = 0; j < 6; j++) {
            const float *p = m + (j * 144 + c);
            const V d[4] = {load(p), load(p + 864), load(p + 1728), load(p + 2592)};
            f2_r3_output(d, &t[0][j], 6);
        }
        for (int i = 0; i < 2; i++) {
            float *to = y + (i * 192 + c);
            V r[4];
            f4_r3_output(t[i], r, 1);
            store(to, r[0]);
            store(to + 48, r[1]);
            store(to + 96, r[2]);
            store(to + 144, r[3]);
        }
    }
}

/* 24 output channels of 4 tiles */
static TARGET void conv3x3_24to24_4x4_f2x4_panel(const struct args *a, int panel, const float *v, float *m) {
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 18432;
    for (int i = 0; i < 24; i++, w += 768) {
        const float *from = v + i * 208;
        float *to = m + i * 144;
        gemm24x4x24_x48_y32(k, w, from, to, w + 768);
    }
    for (int i = 0; i < 4; i++) {
        const int image = i / 2, row = i % 2;
        conv3x3_24to24_4x4_f2x4_output(m + i * 32, a->y + (size_t)image * 5136 + (row * 384));
    }
}

/* x: 4x4 pixels of 24 floats, 48 apart, rows 288 apart; y: 4x4 pixels of 24 floats, 48 apart, rows 192 apart */
static TARGET void conv3x3_24to24_4x4_f2x4_2_images(void *arg, int part, int parts) {
    const struct args *a = arg;
    float *v = a->scratch + (size_t)part * 10400, *m = v + 4992;
    if (part) return;
    (void)parts;
    for (int i = 0; i < 4; i++) {
        const int image = i / 2, row = i % 2;
        conv3x3_24to24_4x4_f2x4_input(a->x + (size_t)image * 5136 + (row * 576 - 336), v + i * 48);
    }
    const int panel = 0;
    conv3x3_24to24_4x4_f2x4_panel(a, panel, v, m);
    zeroupper();
}

/* One tile's input transform: 4 x 6 pixels from x to 4 x 6 products */
static TARGET void conv3x3_24to24_4x4_f2x4_input_x288_y192(const float *x, float *v) {
    for (int c = 0; c < 24; c += 8) {
        V t[4][6];
        for (int j = 0; j < 6; j++) {
            const float *p = x + (j * 48 + c);
            const V d[4] = {load(p), load(p + 288), load(p + 576), load(p + 864)};
            f2_r3_input(d, &t[0][j], 6);
        }
        float *to = v + c;
        for (int i = 0; i < 4; i++, to += 672) {
            V r[6];
            f4_r3_input(t[i], r, 1);
            store(to, r[0]);
            store(to + 112, r[1]);
            store(to + 224, r[2]);
            store(to + 336, r[3]);
            store(to + 448, r[4]);
            store(to + 560, r[5]);
        }
    }
}

/* One tile's output transform: 4 x 6 products to 2 x 4 pixels, 24 channels */
static TARGET void conv3x3_24to24_4x4_f2x4_output_x288_y192(const float *m, float *y) {
    for (int c = 0; c < 24; c += 8) {
        V t[2][6];
        for (int j = 0; j < 6; j++) {
            const float *p = m + (j * 80 + c);
            const V d[4] = {load(p), load(p + 480), load(p + 960), load(p + 1440)};
            f2_r3_output(d, &t[0][j], 6);
        }
        for (int i = 0; i < 2; i++) {
            float *to = y + (i * 192 + c);
            V r[4];
            f4_r3_output(t[i], r, 1);
            store(to, r[0]);
            store(to + 48, r[1]);
            store(to + 96, r[2]);
            store(to + 144, r[3]);
        }
    }
}

/* 24 output channels of 2 tiles */
static TARGET void conv3x3_24to24_4x4_f2x4_panel_x288_y192(const struct args *a, int panel, const float *v, float *m) {
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 18432;
    for (int i = 0; i < 24; i++, w += 768) {
        const float *from = v + i * 112;
        float *to = m + i * 80;
        k[3 /* 24x2x24 */].gemm(w, from, to, w + 768, from, to);
    }
    for (int i = 0; i < 2; i++) {
        const int row = i;
        conv3x3_24to24_4x4_f2x4_output_x288_y192(m + i * 32, a->y + (row * 384));
    }
}

/* x: 4x4 pixels of 24 floats, 48 apart, rows 288 apart; y: 4x4 pixels of 24 floats, 48 apart, rows 192 apart */
static TARGET void conv3x3_24to24_4x4_f2x4(void *arg, int part, int parts) {
    const struct args *a = arg;
    float *v = a->scratch + (size_t)part * 10400, *m = v + 2688;
    if (part) return;
    (void)parts;
    for (int i = 0; i < 2; i++) {
        const int row = i;
        conv3x3_24to24_4x4_f2x4_input_x288_y192(a->x + (row * 576 - 336), v + i * 48);
    }
    const int panel = 0;
    conv3x3_24to24_4x4_f2x4_panel_x288_y192(a, panel, v, m);
    zeroupper();
}

/* 4 pixels of 24 channels, in sweeps of 4 pixels */
static TARGET void short_sums24(const float *w, const float *x, float *y) {
    const float *weights = w;
    V u, v0 = zero(), v1 = zero(), v2 = zero(), v3 = zero(), v4 = zero(), v5 = zero(), v6 = zero(), v7 = zero(),
        v8 = zero(), v9 = zero(), v10 = zero(), v11 = zero();
    for (int k = 0; k < 16; k++, weights += 32) {
        const V w0 = load(weights);
        const V w1 = load(weights + 8);
        const V w2 = load(weights + 16);
        u = set1(x[k]), v0 = fma_(w0, u, v0), v1 = fma_(w1, u, v1), v2 = fma_(w2, u, v2);
        u = set1(x[k + 64]), v3 = fma_(w0, u, v3), v4 = fma_(w1, u, v4), v5 = fma_(w2, u, v5);
        u = set1(x[k + 128]), v6 = fma_(w0, u, v6), v7 = fma_(w1, u, v7), v8 = fma_(w2, u, v8);
        u = set1(x[k + 192]), v9 = fma_(w0, u, v9), v10 = fma_(w1, u, v10), v11 = fma_(w2, u, v11);
    }
    store(y, v0);
    store(y + 8, v1);
    store(y + 16, v2);
    store(y + 48, v3);
    store(y + 56, v4);
    store(y + 64, v5);
    store(y + 96, v6);
    store(y + 104, v7);
    store(y + 112, v8);
    store(y + 144, v9);
    store(y + 152, v10);
    store(y + 160, v11);
}

/* Rows [y0, y1) of 24 output channels, 4 pixels a call */
static TARGET void conv1x1_stride2_16to24_4x4_panel24(const struct args *a, int panel, int y0, int y1) {
    const float *w = a->w + (size_t)panel * 512;
    float *y;
    for (int r = y0; r < y1; r++) {
        y = a->y + (r * 192 + panel * 32);
        short_sums24(w, a->x + (r * 576), y);
    }
    zeroupper();
}

/* x: 8x8 pixels of 16 floats, 32 apart, rows 288 apart; y: 4x4 pixels of 24 floats, 48 apart, rows 192 apart */
static TARGET void conv1x1_stride2_16to24_4x4(void *arg, int part, int parts) {
    const struct args *a = arg;
    for (int u = part * 1 / parts; u < (part + 1) * 1 / parts; u++) {
        const int panel = 0, y0 = u * 4;
        const int y1 = y0 + 4;
        conv1x1_stride2_16to24_4x4_panel24(a, panel, y0, y1);
    }
}

/* x: 4x4 pixels of 24 floats, 48 apart, rows 192 apart; x1: 4x4 pixels of 24 floats, 48 apart, rows 192 apart; y: 4x4
 * pixels of 24 floats, 48 apart, rows 192 apart */
static TARGET void add_24x4x4(void *arg, int part, int parts) {
    const struct args *a = arg;
    for (int y = part * 4 / parts; y < (part + 1) * 4 / parts; y++) {
        for (int x = 0; x < 4; x++) {
            const float *in = a->x + y * 192 + x * 48;
            const float *other = a->x1 + y * 192 + x * 48;
            float *out = a->y + y * 192 + x * 48;
            for (int c = 0; c < 24; c += 8) store(out + c, add(load(in + c), load(other + c)));
        }
    }
}

/* x: 4x4 pixels of 24 floats, 48 apart, rows 192 apart; y: 4x4 pixels of 24 floats, 48 apart, rows 192 apart */
static TARGET void relu_24x4x4_x192_y192(void *arg, int part, int parts) {
    const struct args *a = arg;
    for (int y = part * 4 / parts; y < (part + 1) * 4 / parts; y++) {
        for (int x = 0; x < 4; x++) {
            const float *in = a->x + y * 192 + x * 48;
            float *out = a->y + y * 192 + x * 48;
            for (int c = 0; c < 24; c += 8) store(out + c, relu(load(in + c)));
        }
    }
}

/* x: 4x4 pixels of 24 floats, 48 apart, rows 192 apart; y: 24 floats */
static TARGET void avgpool_24x1x1(void *arg, int part, int parts) {
    const struct args *a = arg;
    float *out = a->y;
    if (part == parts - 1) {
        V s0 = zero(), s1 = zero(), s2 = zero();
        for (int y = 0; y < 4; y++) {
            const float *in = a->x + y * 192;
            V r0 = zero(), r1 = zero(), r2 = zero();
            for (int x = 0; x < 4; x++, in += 48) {
                r0 = add(r0, load(in));
                r1 = add(r1, load(in + 8));
                r2 = add(r2, load(in + 16));
            }
            s0 = add(s0, r0);
            s1 = add(s1, r1);
            s2 = add(s2, r2);
        }
        store(out, mul(s0, set1(0.0625f)));
        store(out + 8, mul(s1, set1(0.0625f)));
        store(out + 16, mul(s2, set1(0.0625f)));
    }
}

/* x: 24 floats; y: 10 floats */
static TARGET void fc_10x1x1_2_images(void *arg, int part, int parts) {
    const struct args *a = arg;
    const rn_kernel *k = a->k;
    for (int panel = part * 1 / parts; panel < (part + 1) * 1 / parts; panel++) {
        const float *w = a->w + (size_t)panel * 384;
        float *out = a->y + panel * 16, y[32];
        const float *x = a->x, *v = w;
        k[4 /* 10x2x24 */].gemm(v, x, y, v, x, y);
        for (int n = 0; n < 2; n++) {
            store(out + (size_t)n * 5136, add(load(y + n * 16), load(a->bias + panel * 16)));
            store_n(out + (size_t)n * 5136 + 8, add(load(y + n * 16 + 8), load_n(a->bias + panel * 16 + 8, 2)), 2);
        }
    }
    zeroupper();
}

/* x: 24 floats; y: 10 floats */
static TARGET void fc_10x1x1(void *arg, int part, int parts) {
    const struct args *a = arg;
    const rn_kernel *k = a->k;
    for (int panel = part * 1 / parts; panel < (part + 1) * 1 / parts; panel++) {
        const float *w = a->w + (size_t)panel * 384;
        float *out = a->y + panel * 16, y[16];
        const float *x = a->x, *v = w;
        k[6 /* 10x1x24 */].gemm(v, x, y, v, x, y);
        store(out, add(load(y), load(a->bias + panel * 16)));
        store_n(out + 8, add(load(y + 8), load_n(a->bias + panel * 16 + 8, 2)), 2);
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
        for (int c = 0; c < 8; c += 8) m = max_(m, load(in + c));
        m = max_(m, load_or(in + 8, 2, m));
        m = set1(largest(m));
        V s = zero();
        for (int c = 0; c < 8; c += 8) s = add(s, exp_(sub(load(in + c), m)));
        s = add(s, exp_(sub(load_or(in + 8, 2, set1(-INFINITY)), m)));
        const V scale = set1(1.0f / sum(s));
        store(out, mul(exp_(sub(load(in), m)), scale));
        store_n(out + 8, mul(exp_(sub(load_n(in + 8, 2), m)), scale), 2);
    }
}

/* x: 10 floats; y: 10 planes of 1x1 floats */
static TARGET void output_10x1x1(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == parts - 1) {
        for (int c = 0; c < 8; c += 8) store(a->y + c, load(a->x + c));
        store_n(a->y + 8, load_n(a->x + 8, 2), 2);
    }
}

/* ==== tables ==== */

/* How packed weights are made from a weights file (rn_recipe.h); what is not said is 0 */
static const rn_recipe_step recipe_steps[] = {
    /* 0 */ {.op = RN_PARAM, .ndim = 4, .dim = {16, 3, 3, 3}, .name = "conv1.weight"},
    /* 1 */ {.op = RN_PACK_PANELS, .ndim = 4, .arg = {0}, .dim = {16, 3, 3, 3}, .integer = {16, 3, 1}},
    /* 2 */ {.op = RN_PARAM, .ndim = 1, .dim = {16}, .name = "bn1.weight"},
    /* 3 */ {.op = RN_PARAM, .ndim = 1, .dim = {16}, .name = "bn1.running_var"},
    /* 4 */ {.op = RN_BN_SCALE, .ndim = 1, .arg = {2, 3}, .dim = {16}, .real = 1e-05},
    /* 5 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {4}, .dim = {16, 1, 1, 1}, .offset = 1728},
    /* 6 */ {.op = RN_PARAM, .ndim = 1, .dim = {16}, .name = "bn1.bias"},
    /* 7 */ {.op = RN_PARAM, .ndim = 1, .dim = {16}, .name = "bn1.running_mean"},
    /* 8 */ {.op = RN_BN_SHIFT, .ndim = 1, .arg = {6, 7, 4}, .dim = {16}},
    /* 9 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {8}, .dim = {16, 1, 1, 1}, .offset = 1792},
    /* 10 */ {.op = RN_PARAM, .ndim = 4, .dim = {24, 16, 3, 3}, .name = "layer1.0.conv1.weight"},
    /* 11 */ {.op = RN_PACK_WINOGRAD, .ndim = 4, .arg = {10}, .dim = {24, 16, 3, 3}, .integer = {32, 2, 2, 2},
              .offset = 1856},
    /* 12 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn1.weight"},
    /* 13 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn1.running_var"},
    /* 14 */ {.op = RN_BN_SCALE, .ndim = 1, .arg = {12, 13}, .dim = {24}, .real = 1e-05},
    /* 15 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {14}, .dim = {24, 1, 1, 1}, .offset = 53056},
    /* 16 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn1.bias"},
    /* 17 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn1.running_mean"},
    /* 18 */ {.op = RN_BN_SHIFT, .ndim = 1, .arg = {16, 17, 14}, .dim = {24}},
    /* 19 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {18}, .dim = {24, 1, 1, 1}, .offset = 53184},
    /* 20 */ {.op = RN_PARAM, .ndim = 4, .dim = {24, 24, 3, 3}, .name = "layer1.0.conv2.weight"},
    /* 21 */ {.op = RN_PACK_WINOGRAD, .ndim = 4, .arg = {20}, .dim = {24, 24, 3, 3}, .integer = {32, 2, 4, 1},
              .offset = 53312},
    /* 22 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn2.weight"},
    /* 23 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn2.running_var"},
    /* 24 */ {.op = RN_BN_SCALE, .ndim = 1, .arg = {22, 23}, .dim = {24}, .real = 1e-05},
    /* 25 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {24}, .dim = {24, 1, 1, 1}, .offset = 127040},
    /* 26 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn2.bias"},
    /* 27 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.bn2.running_mean"},
    /* 28 */ {.op = RN_BN_SHIFT, .ndim = 1, .arg = {26, 27, 24}, .dim = {24}},
    /* 29 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {28}, .dim = {24, 1, 1, 1}, .offset = 127168},
    /* 30 */ {.op = RN_PARAM, .ndim = 4, .dim = {24, 16, 1, 1}, .name = "layer1.0.downsample.0.weight"},
    /* 31 */ {.op = RN_PACK_PANELS, .ndim = 4, .arg = {30}, .dim = {24, 16, 1, 1}, .integer = {32, 16, 1},
              .offset = 127296},
    /* 32 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.downsample.1.weight"},
    /* 33 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.downsample.1.running_var"},
    /* 34 */ {.op = RN_BN_SCALE, .ndim = 1, .arg = {32, 33}, .dim = {24}, .real = 1e-05},
    /* 35 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {34}, .dim = {24, 1, 1, 1}, .offset = 129344},
    /* 36 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.downsample.1.bias"},
    /* 37 */ {.op = RN_PARAM, .ndim = 1, .dim = {24}, .name = "layer1.0.downsample.1.running_mean"},
    /* 38 */ {.op = RN_BN_SHIFT, .ndim = 1, .arg = {36, 37, 34}, .dim = {24}},
    /* 39 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {38}, .dim = {24, 1, 1, 1}, .offset = 129472},
    /* 40 */ {.op = RN_PARAM, .ndim = 1, .dim = {10}, .name = "fc.bias"},
    /* 41 */ {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {40}, .dim = {10, 1, 1, 1}, .offset = 129600},
    /* 42 */ {.op = RN_PARAM, .ndim = 2, .dim = {10, 24}, .name = "fc.weight"},
    /* 43 */ {.op = RN_PACK_PANELS, .ndim = 4, .arg = {42}, .dim = {10, 24, 1, 1}, .integer = {16, 24, 1},
              .offset = 129664},
};
static const rn_recipe recipe = {.steps = recipe_steps, .count = 44, .packed_size = 131200,
                                 .hash = 0x479cb27a8aa4035bu};

/* {name, what, algorithm, place in the source, value, shape, multiply-adds, multiplications, bytes moved, bytes of
 * weights} */
static const rn_layer layers[] = {
    {"input", "input to channels-last", "input", "", "input", {3, 16, 16}, 0, 0, 6144, 0},
    {"conv1", "conv 3x3", "direct", "block_unfused.rn:13:5", "conv1", {16, 16, 16}, 110592, 110592, 21184, 1728},
    {"bn1", "affine", "map", "block_unfused.rn:13:19", "bn1", {16, 16, 16}, 0, 0, 32896, 128},
    {"relu", "relu", "map", "block_unfused.rn:13:23", "relu", {16, 16, 16}, 0, 0, 32768, 0},
    {"maxpool", "maxpool 3x3 /2", "pool", "block_unfused.rn:14:5", "maxpool", {16, 8, 8}, 0, 0, 20480, 0},
    {"layer1.0.conv1", "conv 3x3 /2", "winograd", "block_unfused.rn:5:9", "layer1.0.conv1", {24, 4, 4}, 55296, 38400,
     31232, 51200},
    {"layer1.0.bn1", "affine", "map", "block_unfused.rn:5:34", "layer1.0.bn1", {24, 4, 4}, 0, 0, 3328, 256},
    {"layer1.0.relu", "relu", "map", "block_unfused.rn:5:38", "layer1.0.relu", {24, 4, 4}, 0, 0, 3072, 0},
    {"layer1.0.conv2", "conv 3x3", "winograd", "block_unfused.rn:6:9", "layer1.0.conv2", {24, 4, 4}, 82944, 27648,
     39936, 73728},
    {"layer1.0.bn2", "affine", "map", "block_unfused.rn:6:26", "layer1.0.bn2", {24, 4, 4}, 0, 0, 3328, 256},
    {"layer1.0.downsample.0", "conv 1x1 /2", "pointwise", "block_unfused.rn:7:7", "layer1.0.downsample.0", {24, 4, 4},
     6144, 6144, 7680, 2048},
    {"layer1.0.downsample.1", "affine", "map", "block_unfused.rn:7:7", "layer1.0.downsample.1", {24, 4, 4}, 0, 0, 3328,
     256},
    {"layer1.0.add", "add", "map", "block_unfused.rn:4:5", "layer1.0.add", {24, 4, 4}, 0, 0, 4608, 0},
    {"layer1.0.relu2", "relu", "map", "block_unfused.rn:8:5", "layer1.0.relu2", {24, 4, 4}, 0, 0, 3072, 0},
    {"avgpool", "avgpool global", "pool", "block_unfused.rn:16:5", "avgpool", {24, 1, 1}, 0, 0, 1632, 0},
    {"fc", "fc", "fc", "block_unfused.rn:17:5", "fc", {10, 1, 1}, 240, 240, 936, 1600},
    {"softmax", "softmax", "softmax", "block_unfused.rn:18:5", "softmax", {10, 1, 1}, 0, 0, 80, 0},
    {"softmax", "output to planar", "output", "", "softmax", {10, 1, 1}, 0, 0, 80, 0},
};

/* where each layer's result is, for the layer hook: {offset, from a pixel and a row to the next}, in bytes */
static const struct result results[] = {
    {33152, 16, 288},
    {0, 128, 2048},
    {32832, 128, 2048},
    {0, 128, 2048},
    {1280, 128, 1152},
    {10432, 192, 768},
    {17408, 192, 768},
    {11776, 192, 1152},
    {17408, 192, 768},
    {10432, 192, 768},
    {13568, 192, 768},
    {0, 192, 768},
    {3136, 192, 768},
    {0, 192, 768},
    {3136, 192, 192},
    {0, 48, 48},
    {128, 48, 48},
    {128, 48, 48},
};

static const rn_output outputs[] = {
    {"softmax", {10, 1, 1}, RN_NCHW},
};

static size_t model_arena_size(int batch, int threads) { return block_unfused_arena_size(batch, threads); }
static rn_status model_create(void **net, void *arena, size_t size, const rn_weights *weights,
                              const rn_options *options) {
    struct block_unfused *made = NULL;
    const rn_status status = block_unfused_create(&made, arena, size, weights, options);
    *net = made;
    return status;
}
static rn_status model_run(void *net, int batch, const float *image, float *output) {
    return block_unfused_run(net, batch, image, output);
}
static rn_status model_run_rgb(void *net, int batch, const uint8_t *const *rgb, const int *height, const int *width,
                               float *output) {
    return block_unfused_run_rgb(net, batch, rgb, height, width, output);
}
static const char *model_message(const void *net) { return block_unfused_message(net); }
static void model_destroy(void *net) { block_unfused_destroy(net); }

static const rn_model model = {
    .abi = 11,
    .name = "block_unfused",
    .rnc_version = "0.1.0",
    .command = "rnc --target x86-64-v3 -O0 --batch 2 -o block_unfused.c block_unfused.rn",
    .source_hash = "f097aa6244b0e70d",
    .isa = RN_ISA_X86_64_V3,
    .best_isa = RN_ISA_X86_64_V3,
    .batch = 2,
    .input = {3, 16, 16},
    .outputs = outputs,
    .output_count = 1,
    .output_size = 10,
    .probabilities = 1,
    .preprocess = {.order = RN_ORDER_RGB, .range = 1.0f, .mean = {0.0f, 0.0f, 0.0f, 0.0f},
                   .std = {1.0f, 1.0f, 1.0f, 1.0f}, .resize = 0},
    .layers = layers,
    .layer_count = 18,
    .macs = 255216,
    .multiplications = 183024,
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

const rn_model *block_unfused_model(void) { return &model; }
