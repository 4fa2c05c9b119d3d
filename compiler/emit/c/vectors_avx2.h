/* One vector of AVX2 with FMA: see vectors_avx512.h. */
#include <immintrin.h>
#include <stdint.h>

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
HELPER V div_(V a, V b) { return _mm256_div_ps(a, b); }
HELPER V fma_(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
HELPER V sqrt_(V a) { return _mm256_sqrt_ps(a); }
HELPER V max_(V a, V b) { return _mm256_max_ps(a, b); } /* b where either is NaN */
HELPER V min_(V a, V b) { return _mm256_min_ps(a, b); } /* b where either is NaN */
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
/* x = m * 2^e, m in [sqrt(1/2), sqrt(2)), whose lower end has the bits 0x3f3504f3 */
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
/* bf16 numbers are the upper halves of floats. */
HELPER V load_bf16(const uint16_t *p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
/* Each lane has the k-th of its group of `group` lanes: 2 or 4. */
HELPER V of_groups(V v, int group, int k) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_permutevar_ps(
        v, _mm256_add_epi32(_mm256_and_si256(lane, _mm256_set1_epi32(-group)), _mm256_set1_epi32(k)));
}
/* Half a vector from each in turn: a[0], b[0], a[1], b[1] ... */
HELPER V weave(const float *a, const float *b) {
    const __m128 x = _mm_loadu_ps(a), y = _mm_loadu_ps(b);
    return _mm256_set_m128(_mm_unpackhi_ps(x, y), _mm_unpacklo_ps(x, y));
}
/* After the last kernel: what it leaves in the upper halves of vector registers makes SSE code slow. */
HELPER void zeroupper(void) { _mm256_zeroupper(); }
/* The cache line of p, and those of n floats, on to L2. */
HELPER void fetch_line(const float *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }
HELPER void fetch(const float *p, int n) {
    for (int i = 0; i < n; i += 64 / (int)sizeof *p) fetch_line(p + i);
}
