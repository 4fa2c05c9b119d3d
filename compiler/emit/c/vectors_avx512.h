/* One vector of AVX-512: what the loops of an emitted network are written in. TARGET, the instruction set as a function
 * attribute, saves the user's compiler its -march. vectors_avx2.h and vectors_c.h define the same names, so that the
 * text of a layer is the same for all. Of each file a net.c has what it uses (emit/prelude.c).
 *
 * All comparisons are arranged so that a NaN goes through: max_(a, b) and min_(a, b) return b where either is NaN.
 */
#include <immintrin.h>
#include <stdint.h>

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
HELPER V div_(V a, V b) { return _mm512_div_ps(a, b); }
HELPER V fma_(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
HELPER V sqrt_(V a) { return _mm512_sqrt_ps(a); }
HELPER V max_(V a, V b) { return _mm512_max_ps(a, b); } /* b where either is NaN */
HELPER V min_(V a, V b) { return _mm512_min_ps(a, b); } /* b where either is NaN */
/* The larger, where a NaN in either stays. */
HELPER V max_nan(V a, V b) { return _mm512_mask_max_ps(a, _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a, b); }
HELPER V abs_(V a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
HELPER V copysign_(V a, V sign) {
    return _mm512_or_ps(_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a), _mm512_and_ps(_mm512_set1_ps(-0.0f), sign));
}
/* a < b ? x : y; y where a or b is NaN */
HELPER V where_less(V a, V b, V x, V y) { return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), x); }
HELPER V round_(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
HELPER V scale2(V a, V n) { return _mm512_scalef_ps(a, n); } /* a * 2^n, n whole */
/* x = m * 2^e, m in [sqrt(1/2), sqrt(2)), whose lower end has the bits 0x3f3504f3 */
HELPER V split2(V x, V *e) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i n = _mm512_srai_epi32(_mm512_sub_epi32(bits, _mm512_set1_epi32(0x3f3504f3)), 23);
    *e = _mm512_cvtepi32_ps(n);
    return _mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(n, 23)));
}
HELPER float sum(V v) { return _mm512_reduce_add_ps(v); }
HELPER float largest(V v) { return _mm512_reduce_max_ps(v); }
/* bf16 numbers are the upper halves of floats. */
HELPER V load_bf16(const uint16_t *p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
/* Each lane has the k-th of its group of `group` lanes: 2, 4 or 8. */
HELPER V of_groups(V v, int group, int k) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_permutexvar_ps(
        _mm512_add_epi32(_mm512_and_epi32(lane, _mm512_set1_epi32(-group)), _mm512_set1_epi32(k)), v);
}
/* Half a vector from each in turn: a[0], b[0], a[1], b[1] ... */
HELPER V weave(const float *a, const float *b) {
    const V both = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(a)), _mm256_loadu_ps(b), 1);
    return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15), both);
}
/* After the last kernel: what it leaves in the upper halves of vector registers makes SSE code slow. */
HELPER void zeroupper(void) { _mm256_zeroupper(); }
/* The cache line of p, and those of n floats, on to L2. */
HELPER void fetch_line(const float *p) { _mm_prefetch((const char *)p, _MM_HINT_T1); }
HELPER void fetch(const float *p, int n) {
    for (int i = 0; i < n; i += 64 / (int)sizeof *p) fetch_line(p + i);
}
