/* Code of network tiny, made by rnc 0.1.0 for x86-64-v3. Do not edit: compile the source again.
 *     rnc --target x86-64-v3 tiny.rn -o tiny.c
 * source hash d6f24eed9bd419e3
 *
 * 1 images at most; one arena of 26816 bytes of activations, reused by lifetime. */
#include "tiny.h"
#include "recipe.h"

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- one vector ---- */
#define TARGET __attribute__((target("avx2,fma")))
#define HELPER static inline TARGET __attribute__((always_inline, unused))

typedef __m256 V; /* 8 floats */

/* 8 words from first_lanes + 8 - n: a mask of the first n lanes */
static const int32_t first_lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

HELPER V load(const float *p) { return _mm256_loadu_ps(p); }
HELPER void store(float *p, V v) { _mm256_storeu_ps(p, v); }
HELPER __m256i first_(int n) { return _mm256_loadu_si256((const __m256i *)(first_lanes + 8 - n)); }
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
HELPER V div_(V a, V b) { return _mm256_div_ps(a, b); }
HELPER V fma_(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
HELPER V sqrt_(V a) { return _mm256_sqrt_ps(a); }
HELPER V max_(V a, V b) { return _mm256_max_ps(a, b); } /* b where either is NaN */
HELPER V min_(V a, V b) { return _mm256_min_ps(a, b); }
/* The larger, where a NaN in either stays. */
HELPER V max_nan(V a, V b) { return _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q)); }
HELPER V abs_(V a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
HELPER V copysign_(V a, V sign) {
    return _mm256_or_ps(_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a), _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
/* a < b ? x : y; y where a or b is NaN */
HELPER V where_less(V a, V b, V x, V y) { return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
HELPER V round_(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/* a * 2^n, n whole, in two steps since 2^n alone may overflow */
HELPER V scale2(V a, V n) {
    const __m256i i = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(i, 1), bias = _mm256_set1_epi32(127);
    const __m256i rest = _mm256_sub_epi32(i, half);
    a = _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23)));
    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23)));
}
/* x = m * 2^e, m in [sqrt(1/2), sqrt(2)) */
HELPER V split2(V x, V *e) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i n = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f3504f3)), 23);
    *e = _mm256_cvtepi32_ps(n);
    return _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(n, 23)));
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
HELPER V exp_(V x) { /* e^x = 2^n * e^r; inf above 88.8, 0 below -104 */
    x = max_(set1(-104.0f), min_(set1(89.0f), x));
    const V n = round_(mul(x, set1(1.44269504f)));
    const V r = fma_(n, set1(2.12194440e-4f), fma_(n, set1(-0.693359375f), x));
    V p = fma_(set1(1.9875691500e-4f), r, set1(1.3981999507e-3f));
    p = fma_(p, r, set1(8.3334519073e-3f));
    p = fma_(p, r, set1(4.1665795894e-2f));
    p = fma_(p, r, set1(1.6666665459e-1f));
    p = fma_(p, r, set1(5.0000001201e-1f));
    return scale2(add(fma_(p, mul(r, r), r), set1(1.0f)), n);
}
HELPER V log_(V x) { /* x normal and positive; NaN where x is negative, infinite or NaN */
    V e;
    const V m = sub(split2(x, &e), set1(1.0f)), square = mul(m, m);
    V p = fma_(set1(7.0376836292e-2f), m, set1(-1.1514610310e-1f));
    p = fma_(p, m, set1(1.1676998740e-1f));
    p = fma_(p, m, set1(-1.2420140846e-1f));
    p = fma_(p, m, set1(1.4249322787e-1f));
    p = fma_(p, m, set1(-1.6668057665e-1f));
    p = fma_(p, m, set1(2.0000714765e-1f));
    p = fma_(p, m, set1(-2.4999993993e-1f));
    p = fma_(p, m, set1(3.3333331174e-1f));
    p = fma_(e, set1(-2.12194440e-4f), mul(mul(p, m), square));
    p = fma_(e, set1(0.693359375f), add(m, fma_(square, set1(-0.5f), p)));
    const V root = sqrt_(x);
    return add(p, sub(root, root));
}
HELPER V relu(V v) { return max_(zero(), v); }
HELPER V relu6(V v) { return min_(set1(6.0f), max_(zero(), v)); }
HELPER V prelu(V v, V slope) { return where_less(v, zero(), mul(v, slope), v); }
HELPER V leakyrelu(V v, V slope) { return where_less(v, zero(), mul(v, slope), v); }
HELPER V sigmoid(V v) { return div_(set1(1.0f), add(set1(1.0f), exp_(sub(zero(), v)))); }
HELPER V swish(V v) { return div_(v, add(set1(1.0f), exp_(sub(zero(), v)))); }
HELPER V tanh_(V v) { /* a polynomial near 0, where 1 - 2 / (e^2|v| + 1) cancels */
    const V size = abs_(v), square = mul(v, v);
    V p = fma_(set1(-5.70498872745e-3f), square, set1(2.06390887954e-2f));
    p = fma_(p, square, set1(-5.37397155531e-2f));
    p = fma_(p, square, set1(1.33314422036e-1f));
    p = fma_(p, square, set1(-3.33332819422e-1f));
    const V small = fma_(mul(p, square), v, v);
    const V large = sub(set1(1.0f), div_(set1(2.0f), add(set1(1.0f), exp_(add(size, size)))));
    return where_less(size, set1(0.625f), small, copysign_(large, v));
}

/* After the last kernel: what it leaves in the upper halves of vector registers makes SSE code slow. */
HELPER void zeroupper(void) { _mm256_zeroupper(); }

/* Asks for n floats that are read soon; past the end of a mapping it does nothing. */
HELPER void fetch(const float *p, int n) {
    for (int i = 0; i < n; i += 16) _mm_prefetch((const char *)(p + i), _MM_HINT_T1);
}

struct tiny {
    rn_context rn;
    rn_kernel k[11];
};

/* A task's arguments: inputs, weights of each term, bias or shift, slopes, addend, result. */
struct args {
    const rn_kernel *k;
    const float *x, *x1, *x2, *x3, *w, *w1, *w2, *w3, *bias, *slope, *add;
    float *y, *scratch;
};

/* libxsmm kernels, dispatched once by create: {m, n, k, lda, ldb, ldc, accumulate, batch-reduce, prefetch} */
static const rn_kernel_spec kernels[] = {
    {16, 16, 3, 16, 4, 16, 0, 1, 0}, /* 0 */
    {16, 8, 16, 16, 32, 32, 0, 1, 0}, /* 1 */
    {16, 8, 16, 16, 32, 32, 1, 1, 0}, /* 2 */
    {24, 4, 16, 32, 64, 48, 0, 1, 0}, /* 3 */
    {24, 4, 24, 32, 48, 48, 0, 1, 0}, /* 4 */
    {24, 4, 16, 32, 64, 48, 1, 0, 0}, /* 5 */
    {8, 4, 24, 16, 48, 48, 1, 0, 0}, /* 6 */
    {8, 4, 24, 16, 48, 48, 0, 0, 0}, /* 7 */
    {10, 4, 24, 16, 48, 48, 0, 1, 0}, /* 8 */
    {10, 1, 18, 16, 18, 16, 0, 0, 0}, /* 9 */
    {10, 1, 18, 16, 18, 16, 1, 0, 0}, /* 10 */
};

/* How packed weights are made from a weights file: {operation, dimensions, {arguments}, {sizes}, number,
 * {integers}, packed offset, name} (rn's recipe.h) */
static const rn_recipe_step recipe_steps[] = {
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "bn1.bias"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "bn1.running_mean"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "bn1.weight"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "bn1.running_var"},
    {3, 1, {2, 3, -1}, {16, 1, 1, 1}, 1.0000000000000001e-05, {0, 0, 0}, 0, NULL},
    {4, 1, {0, 1, 4}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, NULL},
    {12, 4, {5, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, NULL},
    {0, 4, {-1, -1, -1}, {16, 3, 3, 3}, 0, {0, 0, 0}, 0, "conv1.weight"},
    {6, 4, {7, 4, -1}, {16, 3, 3, 3}, 0, {0, 0, 0}, 0, NULL},
    {13, 4, {8, -1, -1}, {16, 3, 3, 3}, 0, {16, 3, 1}, 64, NULL},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.0.bn1.bias"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.0.bn1.running_mean"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.0.bn1.weight"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.0.bn1.running_var"},
    {3, 1, {12, 13, -1}, {16, 1, 1, 1}, 1.0000000000000001e-05, {0, 0, 0}, 0, NULL},
    {4, 1, {10, 11, 14}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, NULL},
    {12, 4, {15, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 1792, NULL},
    {0, 4, {-1, -1, -1}, {16, 16, 3, 3}, 0, {0, 0, 0}, 0, "layer1.0.conv1.weight"},
    {6, 4, {17, 14, -1}, {16, 16, 3, 3}, 0, {0, 0, 0}, 0, NULL},
    {13, 4, {18, -1, -1}, {16, 16, 3, 3}, 0, {16, 16, 1}, 1856, NULL},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.0.bn2.bias"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.0.bn2.running_mean"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.0.bn2.weight"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.0.bn2.running_var"},
    {3, 1, {22, 23, -1}, {16, 1, 1, 1}, 1.0000000000000001e-05, {0, 0, 0}, 0, NULL},
    {4, 1, {20, 21, 24}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, NULL},
    {12, 4, {25, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 11072, NULL},
    {0, 4, {-1, -1, -1}, {16, 16, 3, 3}, 0, {0, 0, 0}, 0, "layer1.0.conv2.weight"},
    {6, 4, {27, 24, -1}, {16, 16, 3, 3}, 0, {0, 0, 0}, 0, NULL},
    {13, 4, {28, -1, -1}, {16, 16, 3, 3}, 0, {16, 16, 1}, 11136, NULL},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.1.bn1.bias"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.1.bn1.running_mean"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.1.bn1.weight"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.1.bn1.running_var"},
    {3, 1, {32, 33, -1}, {16, 1, 1, 1}, 1.0000000000000001e-05, {0, 0, 0}, 0, NULL},
    {4, 1, {30, 31, 34}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, NULL},
    {12, 4, {35, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 20352, NULL},
    {0, 4, {-1, -1, -1}, {16, 16, 3, 3}, 0, {0, 0, 0}, 0, "layer1.1.conv1.weight"},
    {6, 4, {37, 34, -1}, {16, 16, 3, 3}, 0, {0, 0, 0}, 0, NULL},
    {13, 4, {38, -1, -1}, {16, 16, 3, 3}, 0, {16, 16, 1}, 20416, NULL},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.1.bn2.bias"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.1.bn2.running_mean"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.1.bn2.weight"},
    {0, 1, {-1, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer1.1.bn2.running_var"},
    {3, 1, {42, 43, -1}, {16, 1, 1, 1}, 1.0000000000000001e-05, {0, 0, 0}, 0, NULL},
    {4, 1, {40, 41, 44}, {16, 1, 1, 1}, 0, {0, 0, 0}, 0, NULL},
    {12, 4, {45, -1, -1}, {16, 1, 1, 1}, 0, {0, 0, 0}, 29632, NULL},
    {0, 4, {-1, -1, -1}, {16, 16, 3, 3}, 0, {0, 0, 0}, 0, "layer1.1.conv2.weight"},
    {6, 4, {47, 44, -1}, {16, 16, 3, 3}, 0, {0, 0, 0}, 0, NULL},
    {13, 4, {48, -1, -1}, {16, 16, 3, 3}, 0, {16, 16, 1}, 29696, NULL},
    {0, 1, {-1, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.bn1.bias"},
    {0, 1, {-1, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.bn1.running_mean"},
    {0, 1, {-1, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.bn1.weight"},
    {0, 1, {-1, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.bn1.running_var"},
    {3, 1, {52, 53, -1}, {24, 1, 1, 1}, 1.0000000000000001e-05, {0, 0, 0}, 0, NULL},
    {4, 1, {50, 51, 54}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, NULL},
    {12, 4, {55, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 38912, NULL},
    {0, 4, {-1, -1, -1}, {24, 16, 3, 3}, 0, {0, 0, 0}, 0, "layer2.0.conv1.weight"},
    {6, 4, {57, 54, -1}, {24, 16, 3, 3}, 0, {0, 0, 0}, 0, NULL},
    {13, 4, {58, -1, -1}, {24, 16, 3, 3}, 0, {32, 16, 1}, 39040, NULL},
    {0, 1, {-1, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.bn2.bias"},
    {0, 1, {-1, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.bn2.running_mean"},
    {0, 1, {-1, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.bn2.weight"},
    {0, 1, {-1, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.bn2.running_var"},
    {3, 1, {62, 63, -1}, {24, 1, 1, 1}, 1.0000000000000001e-05, {0, 0, 0}, 0, NULL},
    {4, 1, {60, 61, 64}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, NULL},
    {0, 1, {-1, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.downsample.1.bias"},
    {0, 1, {-1, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.downsample.1.running_mean"},
    {0, 1, {-1, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.downsample.1.weight"},
    {0, 1, {-1, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.downsample.1.running_var"},
    {3, 1, {68, 69, -1}, {24, 1, 1, 1}, 1.0000000000000001e-05, {0, 0, 0}, 0, NULL},
    {4, 1, {66, 67, 70}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, NULL},
    {9, 1, {65, 71, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 0, NULL},
    {12, 4, {72, -1, -1}, {24, 1, 1, 1}, 0, {0, 0, 0}, 57472, NULL},
    {0, 4, {-1, -1, -1}, {24, 24, 3, 3}, 0, {0, 0, 0}, 0, "layer2.0.conv2.weight"},
    {6, 4, {74, 64, -1}, {24, 24, 3, 3}, 0, {0, 0, 0}, 0, NULL},
    {13, 4, {75, -1, -1}, {24, 24, 3, 3}, 0, {32, 24, 1}, 57600, NULL},
    {0, 4, {-1, -1, -1}, {24, 16, 1, 1}, 0, {0, 0, 0}, 0, "layer2.0.downsample.0.weight"},
    {6, 4, {77, 70, -1}, {24, 16, 1, 1}, 0, {0, 0, 0}, 0, NULL},
    {13, 4, {78, -1, -1}, {24, 16, 1, 1}, 0, {32, 16, 1}, 85248, NULL},
    {0, 1, {-1, -1, -1}, {8, 1, 1, 1}, 0, {0, 0, 0}, 0, "conv2.bias"},
    {12, 4, {80, -1, -1}, {8, 1, 1, 1}, 0, {0, 0, 0}, 87296, NULL},
    {0, 4, {-1, -1, -1}, {8, 24, 1, 1}, 0, {0, 0, 0}, 0, "conv2.weight"},
    {13, 4, {82, -1, -1}, {8, 24, 1, 1}, 0, {16, 24, 1}, 87360, NULL},
    {0, 1, {-1, -1, -1}, {10, 1, 1, 1}, 0, {0, 0, 0}, 0, "conv3.bias"},
    {12, 4, {84, -1, -1}, {10, 1, 1, 1}, 0, {0, 0, 0}, 88896, NULL},
    {0, 4, {-1, -1, -1}, {10, 24, 3, 3}, 0, {0, 0, 0}, 0, "conv3.weight"},
    {13, 4, {86, -1, -1}, {10, 24, 3, 3}, 0, {16, 24, 1}, 88960, NULL},
    {0, 1, {-1, -1, -1}, {10, 1, 1, 1}, 0, {0, 0, 0}, 0, "fc.bias"},
    {12, 4, {88, -1, -1}, {10, 1, 1, 1}, 0, {0, 0, 0}, 102784, NULL},
    {0, 2, {-1, -1, -1}, {10, 18, 1, 1}, 0, {0, 0, 0}, 0, "fc.weight"},
    {13, 4, {90, -1, -1}, {10, 18, 1, 1}, 0, {16, 18, 1}, 102848, NULL},
};
static const rn_recipe recipe = {recipe_steps, 92, 104000, 0x651788b465cc14a2u};

/* {name, what, algorithm, place in the source, value, shape, multiply-adds, bytes moved} */
static const rn_layer layers[] = {
    {"input", "input to channels-last", "input", "", "input", {3, 16, 16}, 0, 6144},
    {"conv1", "conv 3x3 + relu + maxpool 2x2 /2", "direct", "tiny.rn:13:5", "maxpool", {16, 8, 8}, 110592, 8896},
    {"layer1.0.conv1", "conv 3x3 + relu", "direct", "tiny.rn:5:9", "layer1.0.relu", {16, 8, 8}, 147456, 17408},
    {"layer1.0.conv2", "conv 3x3 + add in place + relu", "direct", "tiny.rn:6:9", "layer1.0.relu2", {16, 8, 8}, 147456, 21504},
    {"layer1.1.conv1", "conv 3x3 + relu", "direct", "tiny.rn:5:9", "layer1.1.relu", {16, 8, 8}, 147456, 17408},
    {"layer1.1.conv2", "conv 3x3 + add in place + relu", "direct", "tiny.rn:6:9", "layer1.1.relu2", {16, 8, 8}, 147456, 21504},
    {"layer2.0.conv1", "conv 3x3 /2 + relu", "direct", "tiny.rn:5:9", "layer2.0.relu", {24, 4, 4}, 55296, 19456},
    {"layer2.0.conv2", "conv 3x3 + shortcut conv 1x1 /2 + relu", "direct", "tiny.rn:6:9", "layer2.0.relu2", {24, 4, 4}, 89088, 29440},
    {"conv2", "conv 1x1 + relu", "pointwise", "tiny.rn:18:11", "relu2", {8, 4, 4}, 3072, 2816},
    {"conv3", "conv 3x3 + relu6", "direct", "tiny.rn:19:11", "relu6", {10, 4, 4}, 34560, 10816},
    {"avgpool", "avgpool global", "pool", "tiny.rn:21:5", "avgpool", {18, 1, 1}, 0, 1224},
    {"fc", "fc", "fc", "tiny.rn:22:5", "fc", {10, 1, 1}, 180, 832},
    {"softmax", "softmax", "softmax", "tiny.rn:23:5", "softmax", {10, 1, 1}, 0, 80},
    {"softmax", "output to planar", "output", "", "softmax", {10, 1, 1}, 0, 80},
};

/* where each layer's result is, for the layer hook: {float offset, pixel and row strides} */
static const struct { size_t offset, pixel, row; } results[] = {
    {3296, 4, 72},
    {352, 32, 320},
    {3568, 32, 320},
    {352, 32, 320},
    {3568, 32, 320},
    {352, 32, 320},
    {3552, 48, 288},
    {5296, 48, 288},
    {0, 48, 192},
    {8, 48, 192},
    {784, 48, 48},
    {0, 12, 12},
    {32, 12, 12},
    {32, 12, 12},
};

static const rn_output outputs[] = {
    {"softmax", {10, 1, 1}},
};

/* Zeros around an h x w image of c channels: `top` rows above, `left` pixels before ... */
static TARGET void halo_2(float *p, int c, int h, int w, int row, int pixel, int top, int left, int bottom, int right) {
    for (int y = -top; y < h + bottom; y++)
        for (int x = -left; x < w + right; x++) {
            if (y >= 0 && y < h && x == 0 && w > 0) x = w; /* over the image's row */
            if (x >= w + right) break;
            int i = 0;
            for (; i + 8 <= c; i += 8) store(p + (y * row + x * pixel + i), zero());
            if (i < c) store_n(p + (y * row + x * pixel + i), zero(), c - i);
        }
}

static TARGET void input_3x16x16(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == 0) halo_2(a->y, 3, 16, 16, 72, 4, 1, 1, 1, 1);
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

/* Row r of 16 output channels, 16 pixels a call */
static TARGET void conv3x3_3to16_16x16_panel(const struct args *a, int panel, int r, float *row) {
    static const unsigned long long count0 = 9;
    static const unsigned long long w_at0[] = {0, 192, 384, 576, 768, 960, 1152, 1344, 1536};
    static const unsigned long long x_at0[] = {0, 16, 32, 288, 304, 320, 576, 592, 608};
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 432;
    const float *x;
    float *y;
    y = row + panel * 16;
    x = a->x + (r * 72 - 76);
    k[0].offs(w, x, y, &count0, w_at0, x_at0);
    zeroupper();
}

static TARGET void conv3x3_3to16_16x16(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == 0) halo_2(a->y, 16, 8, 8, 320, 32, 1, 1, 1, 1);
    float *ring = a->scratch + (size_t)part * 512; /* the last 2 rows of the convolution */
    int next = 0;
    for (int p = part * 8 / parts; p < (part + 1) * 8 / parts; p++) {
        const int top = p * 2 - 0, last = top + 1 < 15 ? top + 1 : 15;
        for (next = next > top ? next : top; next <= last; next++)
            conv3x3_3to16_16x16_panel(a, 0, next, ring + next % 2 * 256);
        const float *r0 = ring + (top + 0 < 0 ? 0 : top + 0 > 15 ? 15 : top + 0) % 2 * 256;
        const float *r1 = ring + (top + 1 < 0 ? 0 : top + 1 > 15 ? 15 : top + 1) % 2 * 256;
        float *y = a->y + p * 320;
        for (int q = 0; q < 8; q++, y += 32) {
            const int left = q * 2 - 0;
            const int q0 = (left + 0 < 0 ? 0 : left + 0 > 15 ? 15 : left + 0) * 16;
            const int q1 = (left + 1 < 0 ? 0 : left + 1 > 15 ? 15 : left + 1) * 16;
            store(y + 0, relu(add(max_nan(max_nan(max_nan(load(r0 + q0),
                load(r0 + q1)),
                load(r1 + q0)),
                load(r1 + q1)), load(a->bias + 0))));
            store(y + 8, relu(add(max_nan(max_nan(max_nan(load(r0 + q0 + 8),
                load(r0 + q1 + 8)),
                load(r1 + q0 + 8)),
                load(r1 + q1 + 8)), load(a->bias + 8))));
        }
    }
}

static TARGET inline void finish_bias_relu(float *y, const float *bias, int n) {
    const V b0 = load(bias + 0);
    const V b1 = load(bias + 8);
    for (int j = 0; j < n; j++, y += 32) {
        store(y, relu(add(load(y), b0)));
        store(y + 8, relu(add(load(y + 8), b1)));
    }
}

/* Rows [y0, y1) of 16 output channels, 8 pixels a call */
static TARGET void conv3x3_16to16_8x8_panel(const struct args *a, int panel, int y0, int y1) {
    static const unsigned long long count0 = 9;
    static const unsigned long long w_at0[] = {0, 1024, 2048, 3072, 4096, 5120, 6144, 7168, 8192};
    static const unsigned long long x_at0[] = {0, 128, 256, 1280, 1408, 1536, 2560, 2688, 2816};
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 2304;
    const float *x;
    float *y;
    for (int r = y0; r < y1; r++) {
        y = a->y + (r * 320 + panel * 16);
        x = a->x + (r * 320 - 352);
        k[1].offs(w, x, y, &count0, w_at0, x_at0);
        finish_bias_relu(y, a->bias + panel * 16, 8);
    }
    zeroupper();
}

static TARGET void conv3x3_16to16_8x8(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == 0) halo_2(a->y, 16, 8, 8, 320, 32, 1, 1, 1, 1);
    for (int u = part * 1 / parts; u < (part + 1) * 1 / parts; u++) {
        const int panel = 0, y0 = u * 8;
        const int y1 = y0 + 8;
        conv3x3_16to16_8x8_panel(a, panel, y0, y1);
    }
}

/* Rows [y0, y1) of 16 output channels, 8 pixels a call */
static TARGET void conv3x3_16to16_8x8_panel_2(const struct args *a, int panel, int y0, int y1) {
    static const unsigned long long count0 = 9;
    static const unsigned long long w_at0[] = {0, 1024, 2048, 3072, 4096, 5120, 6144, 7168, 8192};
    static const unsigned long long x_at0[] = {0, 128, 256, 1280, 1408, 1536, 2560, 2688, 2816};
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 2304;
    const float *x;
    float *y;
    for (int r = y0; r < y1; r++) {
        y = a->y + (r * 320 + panel * 16);
        x = a->x + (r * 320 - 352);
        k[2].offs(w, x, y, &count0, w_at0, x_at0);
        finish_bias_relu(y, a->bias + panel * 16, 8);
    }
    zeroupper();
}

static TARGET void conv3x3_16to16_8x8_2(void *arg, int part, int parts) {
    const struct args *a = arg;
    for (int u = part * 1 / parts; u < (part + 1) * 1 / parts; u++) {
        const int panel = 0, y0 = u * 8;
        const int y1 = y0 + 8;
        conv3x3_16to16_8x8_panel_2(a, panel, y0, y1);
    }
}

static TARGET inline void finish_bias_relu_2(float *y, const float *bias, int n) {
    const V b0 = load(bias + 0);
    const V b1 = load(bias + 8);
    const V b2 = load(bias + 16);
    for (int j = 0; j < n; j++, y += 48) {
        store(y, relu(add(load(y), b0)));
        store(y + 8, relu(add(load(y + 8), b1)));
        store(y + 16, relu(add(load(y + 16), b2)));
    }
}

/* Rows [y0, y1) of 24 output channels, 4 pixels a call */
static TARGET void conv3x3_16to24_4x4_panel(const struct args *a, int panel, int y0, int y1) {
    static const unsigned long long count0 = 9;
    static const unsigned long long w_at0[] = {0, 2048, 4096, 6144, 8192, 10240, 12288, 14336, 16384};
    static const unsigned long long x_at0[] = {0, 128, 256, 1280, 1408, 1536, 2560, 2688, 2816};
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 4608;
    const float *x;
    float *y;
    for (int r = y0; r < y1; r++) {
        y = a->y + (r * 288 + panel * 32);
        x = a->x + (r * 640 - 352);
        k[3].offs(w, x, y, &count0, w_at0, x_at0);
        finish_bias_relu_2(y, a->bias + panel * 32, 4);
    }
    zeroupper();
}

static TARGET void conv3x3_16to24_4x4(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == 0) halo_2(a->y, 24, 4, 4, 288, 48, 1, 1, 1, 1);
    for (int u = part * 1 / parts; u < (part + 1) * 1 / parts; u++) {
        const int panel = 0, y0 = u * 4;
        const int y1 = y0 + 4;
        conv3x3_16to24_4x4_panel(a, panel, y0, y1);
    }
}

/* Rows [y0, y1) of 24 output channels, 4 pixels a call */
static TARGET void conv3x3_24to24_4x4_panel(const struct args *a, int panel, int y0, int y1) {
    static const unsigned long long count0 = 9;
    static const unsigned long long w_at0[] = {0, 3072, 6144, 9216, 12288, 15360, 18432, 21504, 24576};
    static const unsigned long long x_at0[] = {0, 192, 384, 1152, 1344, 1536, 2304, 2496, 2688};
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 6912;
    const float *w1 = a->w1 + (size_t)panel * 512;
    const float *x;
    float *y;
    for (int r = y0; r < y1; r++) {
        y = a->y + (r * 288 + panel * 32);
        x = a->x + (r * 288 - 336);
        k[4].offs(w, x, y, &count0, w_at0, x_at0);
        x = a->x1 + (r * 640);
        k[5].gemm(w1, x, y, w1, x, y);
        finish_bias_relu_2(y, a->bias + panel * 32, 4);
    }
    zeroupper();
}

static TARGET void conv3x3_24to24_4x4(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == 0) halo_2(a->y, 24, 4, 4, 288, 48, 1, 1, 1, 1);
    for (int u = part * 1 / parts; u < (part + 1) * 1 / parts; u++) {
        const int panel = 0, y0 = u * 4;
        const int y1 = y0 + 4;
        conv3x3_24to24_4x4_panel(a, panel, y0, y1);
    }
}

static TARGET inline void finish_bias_relu_3(float *y, const float *bias, int n) {
    const V b0 = load(bias + 0);
    for (int j = 0; j < n; j++, y += 48) {
        store(y, relu(add(load(y), b0)));
    }
}

/* Rows [y0, y1) of 8 output channels, 4 pixels a call */
static TARGET void conv1x1_24to8_4x4_panel(const struct args *a, int panel, int y0, int y1) {
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 384;
    const float *x;
    float *y;
    for (int r = y0; r < y1; r++) {
        y = a->y + (r * 192 + panel * 16);
        x = a->x + (r * 288);
        k[7].gemm(w, x, y, w, x, y);
        finish_bias_relu_3(y, a->bias + panel * 16, 4);
    }
    zeroupper();
}

static TARGET void conv1x1_24to8_4x4(void *arg, int part, int parts) {
    const struct args *a = arg;
    for (int u = part * 1 / parts; u < (part + 1) * 1 / parts; u++) {
        const int panel = 0, y0 = u * 4;
        const int y1 = y0 + 4;
        conv1x1_24to8_4x4_panel(a, panel, y0, y1);
    }
}

static TARGET inline void finish_bias_relu6(float *y, const float *bias, int n) {
    const V b0 = load(bias + 0);
    const V b1 = load_n(bias + 8, 2);
    for (int j = 0; j < n; j++, y += 48) {
        store(y, relu6(add(load(y), b0)));
        store_n(y + 8, relu6(add(load_n(y + 8, 2), b1)), 2);
    }
}

/* Rows [y0, y1) of 10 output channels, 4 pixels a call */
static TARGET void conv3x3_24to10_4x4_panel(const struct args *a, int panel, int y0, int y1) {
    static const unsigned long long count0 = 9;
    static const unsigned long long w_at0[] = {0, 1536, 3072, 4608, 6144, 7680, 9216, 10752, 12288};
    static const unsigned long long x_at0[] = {0, 192, 384, 1152, 1344, 1536, 2304, 2496, 2688};
    const rn_kernel *k = a->k;
    const float *w = a->w + (size_t)panel * 3456;
    const float *x;
    float *y;
    for (int r = y0; r < y1; r++) {
        y = a->y + (r * 192 + panel * 16);
        x = a->x + (r * 288 - 336);
        k[8].offs(w, x, y, &count0, w_at0, x_at0);
        finish_bias_relu6(y, a->bias + panel * 16, 4);
    }
    zeroupper();
}

static TARGET void conv3x3_24to10_4x4(void *arg, int part, int parts) {
    const struct args *a = arg;
    for (int u = part * 1 / parts; u < (part + 1) * 1 / parts; u++) {
        const int panel = 0, y0 = u * 4;
        const int y1 = y0 + 4;
        conv3x3_24to10_4x4_panel(a, panel, y0, y1);
    }
}

static TARGET void avgpool_18x1x1(void *arg, int part, int parts) {
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
                r2 = add(r2, load_n(in + 16, 2));
            }
            s0 = add(s0, r0);
            s1 = add(s1, r1);
            s2 = add(s2, r2);
        }
        store(out, mul(s0, set1(0.0625f)));
        store(out + 8, mul(s1, set1(0.0625f)));
        store_n(out + 16, mul(s2, set1(0.0625f)), 2);
    }
}

static TARGET void fc_10x1x1(void *arg, int part, int parts) {
    const struct args *a = arg;
    const rn_kernel *k = a->k;
    for (int panel = part * 1 / parts; panel < (part + 1) * 1 / parts; panel++) {
        const float *w = a->w + (size_t)panel * 288;
        float *out = a->y + panel * 16, y[16];
        const float *x = a->x, *v = w;
        k[9].gemm(v, x, y, v, x, y);
        store(out + 0, add(load(y + 0), load(a->bias + (panel * 16 + 0))));
        store_n(out + 8, add(load(y + 8), load_n(a->bias + (panel * 16 + 8), 2)), 2);
    }
    zeroupper();
}

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

static TARGET void output_10x1x1(void *arg, int part, int parts) {
    const struct args *a = arg;
    if (part == parts - 1) {
        for (int c = 0; c < 8; c += 8) store(a->y + c, load(a->x + c));
        store_n(a->y + 8, load_n(a->x + 8, 2), 2);
    }
}

/* Runs a task over the instance's threads, then shows its result to the layer hook. */
static void step(tiny *net, int layer, rn_task task, struct args *args) {
    rn_parallel(&net->rn, task, args);
    if (!net->rn.layer) return;
    const rn_tensor out = {net->rn.arena + results[layer].offset, layers[layer].out, results[layer].pixel,
                           results[layer].row, 0, 1};
    net->rn.layer(net->rn.layer_user, layer, &out);
}

/* One image through the network. A: activations, W: packed weights, S: scratch; offsets in floats. */
static void forward(tiny *net, const float *image, float *outputs_at) {
    const rn_kernel *k = net->k;
    float *const A = net->rn.arena;
    const float *const W = (const float *)(const void *)net->rn.weights;
    float *const S = A + 6704;
    float *output;
    if (net->rn.layer) net->rn.layer(net->rn.layer_user, -1, NULL);
    /* input: input to channels-last; 3x16x16 -> 3x16x16, input */
    step(net, 0, input_3x16x16, &(struct args){.k = k, .x = image, .y = A + 3296});
    /* conv1: conv 3x3 + relu + maxpool 2x2 /2 (tiny.rn:13:5); 3x16x16 -> 16x8x8, 0.1 M multiply-adds, direct */
    step(net, 1, conv3x3_3to16_16x16, &(struct args){.k = k, .x = A + 3296, .w = W + 16, .bias = W, .y = A + 352, .scratch = S});
    /* layer1.0.conv1: conv 3x3 + relu (tiny.rn:5:9); 16x8x8 -> 16x8x8, 0.1 M multiply-adds, direct */
    step(net, 2, conv3x3_16to16_8x8, &(struct args){.k = k, .x = A + 352, .w = W + 464, .bias = W + 448, .y = A + 3568});
    /* layer1.0.conv2: conv 3x3 + add in place + relu (tiny.rn:6:9); 16x8x8 -> 16x8x8, 0.1 M multiply-adds, direct */
    step(net, 3, conv3x3_16to16_8x8_2, &(struct args){.k = k, .x = A + 3568, .w = W + 2784, .bias = W + 2768, .y = A + 352});
    /* layer1.1.conv1: conv 3x3 + relu (tiny.rn:5:9); 16x8x8 -> 16x8x8, 0.1 M multiply-adds, direct */
    step(net, 4, conv3x3_16to16_8x8, &(struct args){.k = k, .x = A + 352, .w = W + 5104, .bias = W + 5088, .y = A + 3568});
    /* layer1.1.conv2: conv 3x3 + add in place + relu (tiny.rn:6:9); 16x8x8 -> 16x8x8, 0.1 M multiply-adds, direct */
    step(net, 5, conv3x3_16to16_8x8_2, &(struct args){.k = k, .x = A + 3568, .w = W + 7424, .bias = W + 7408, .y = A + 352});
    /* layer2.0.conv1: conv 3x3 /2 + relu (tiny.rn:5:9); 16x8x8 -> 24x4x4, 0.1 M multiply-adds, direct */
    step(net, 6, conv3x3_16to24_4x4, &(struct args){.k = k, .x = A + 352, .w = W + 9760, .bias = W + 9728, .y = A + 3552});
    /* layer2.0.conv2: conv 3x3 + shortcut conv 1x1 /2 + relu (tiny.rn:6:9); 24x4x4 -> 24x4x4, 0.1 M multiply-adds, direct */
    step(net, 7, conv3x3_24to24_4x4, &(struct args){.k = k, .x = A + 3552, .x1 = A + 352, .w = W + 14400, .w1 = W + 21312, .bias = W + 14368, .y = A + 5296});
    /* conv2: conv 1x1 + relu (tiny.rn:18:11); 24x4x4 -> 8x4x4, 0.0 M multiply-adds, pointwise */
    step(net, 8, conv1x1_24to8_4x4, &(struct args){.k = k, .x = A + 5296, .w = W + 21840, .bias = W + 21824, .y = A});
    /* conv3: conv 3x3 + relu6 (tiny.rn:19:11); 24x4x4 -> 10x4x4, 0.0 M multiply-adds, direct */
    step(net, 9, conv3x3_24to10_4x4, &(struct args){.k = k, .x = A + 5296, .w = W + 22240, .bias = W + 22224, .y = A + 8});
    /* avgpool: avgpool global (tiny.rn:21:5); 18x4x4 -> 18x1x1, pool */
    step(net, 10, avgpool_18x1x1, &(struct args){.k = k, .x = A, .y = A + 784});
    /* fc: fc (tiny.rn:22:5); 18x1x1 -> 10x1x1, 0.0 M multiply-adds, fc */
    step(net, 11, fc_10x1x1, &(struct args){.k = k, .x = A + 784, .w = W + 25712, .bias = W + 25696, .y = A});
    /* softmax: softmax (tiny.rn:23:5); 10x1x1 -> 10x1x1, softmax */
    step(net, 12, softmax_10x1x1, &(struct args){.k = k, .x = A, .y = A + 32});
    /* softmax: output to planar; 10x1x1 -> 10x1x1, output */
    output = outputs_at + 0;
    step(net, 13, output_10x1x1, &(struct args){.k = k, .x = A + 32, .y = output});
}

static size_t model_arena_size(int batch, int threads) { return tiny_arena_size(batch, threads); }
static rn_status model_create(void **net, void *arena, size_t size, const rn_weights *weights, const rn_options *options) {
    struct tiny *made = NULL;
    const rn_status status = tiny_create(&made, arena, size, weights, options);
    *net = made;
    return status;
}
static rn_status model_run(void *net, int batch, const float *image, float *output) {
    return tiny_run(net, batch, image, output);
}
static rn_status model_run_rgb(void *net, int batch, const uint8_t *const *rgb, const int *height, const int *width, float *output) {
    return tiny_run_rgb(net, batch, rgb, height, width, output);
}
static const char *model_message(const void *net) { return tiny_message(net); }
static void model_destroy(void *net) { tiny_destroy(net); }

static const rn_model model = {
    .abi = 1,
    .name = "tiny",
    .rnc_version = "0.1.0",
    .command = "rnc --target x86-64-v3 tiny.rn -o tiny.c",
    .source_hash = "d6f24eed9bd419e3",
    .isa = RN_ISA_X86_64_V3,
    .batch = 1,
    .input = {3, 16, 16},
    .outputs = outputs,
    .output_count = 1,
    .output_size = 10,
    .probabilities = 1,
    .preprocess = {0, 1.0f, {0.5f, 0.5f, 0.5f, 0.0f}, {0.25f, 0.25f, 0.25f, 1.0f}, 0},
    .layers = layers,
    .layer_count = 14,
    .macs = 882612,
    .parameters = 21536,
    .recipe = &recipe,
    .weights_file = NULL,
    .arena_size = model_arena_size,
    .create = model_create,
    .run = model_run,
    .run_rgb = model_run_rgb,
    .message = model_message,
    .destroy = model_destroy,
};

const rn_model *tiny_model(void) { return &model; }

size_t tiny_arena_size(int batch, int threads) {
    if (batch < 1 || batch > TINY_BATCH || threads < 1) return 0;
    /* instance, activations, scratch of each thread, a picture made ready */
    return (sizeof(struct tiny) + 63) / 64 * 64 + 4 * (6704 + (size_t)threads * 512 + 768);
}

rn_status tiny_create(tiny **net, void *arena, size_t size, const rn_weights *weights, const rn_options *options) {
    void *made = NULL;
    const size_t need = tiny_arena_size(TINY_BATCH, rn_options_threads(options));
    const rn_status status = rn_context_create(&made, sizeof(struct tiny), need, offsetof(struct tiny, k), kernels, 11, &model, arena,
                                               size, weights, options);
    *net = made;
    return status;
}

static rn_status check(tiny *net, int batch, const void *in, const void *out) {
    if (!net) return RN_ERROR_ARGUMENT;
    if (!in || !out) return rn_context_fail(&net->rn, RN_ERROR_ARGUMENT, "tiny: no %s", in ? "output" : "image");
    if (batch < 1 || batch > TINY_BATCH)
        return rn_context_fail(&net->rn, RN_ERROR_ARGUMENT, "tiny: batch %d is not in 1..%d", batch, TINY_BATCH);
    return RN_OK;
}

rn_status tiny_run(tiny *net, int batch, const float *image, float *output) {
    const rn_status status = check(net, batch, image, output);
    if (status) return status;
    for (int n = 0; n < batch; n++) forward(net, image + (size_t)n * 768, output + (size_t)n * 10);
    return RN_OK;
}

rn_status tiny_run_rgb(tiny *net, int batch, const uint8_t *const *rgb, const int *height, const int *width, float *output) {
    rn_status status = check(net, batch, rgb && height && width ? rgb : NULL, output);
    if (status) return status;
    float *ready = net->rn.arena + (6704 + (size_t)net->rn.threads * 512);
    for (int n = 0; n < batch; n++) {
        status = rn_preprocess_rgb(&model, rgb[n], height[n], width[n], ready);
        if (status) return rn_context_fail(&net->rn, status, "tiny: image %d cannot be made an input", n);
        forward(net, ready, output + (size_t)n * 10);
    }
    return RN_OK;
}

const char *tiny_message(const tiny *net) { return net ? net->rn.message : ""; }

void tiny_destroy(tiny *net) {
    if (net) rn_context_destroy(&net->rn);
}
