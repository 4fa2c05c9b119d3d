/* AVX-512 for CPUs that have none, so that the text emitted for it is tested everywhere: what compiler/emit/c/
 * uses of it, as pairs of AVX2's vectors. Stands in for <immintrin.h> in tests; never in what users get.
 */
#ifndef TEST_AVX512_IN_SOFTWARE_H
#define TEST_AVX512_IN_SOFTWARE_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct Floats {
    __m256 lo, hi;
} Floats;

typedef struct Words {
    __m256i lo, hi;
} Words;

#define IN_SOFTWARE static inline __attribute__((unused, always_inline, target("avx2,fma")))
#define UNARY(name, type, half)                                                                                        \
    IN_SOFTWARE type name(type a) {                                                                                    \
        return (type){half(a.lo), half(a.hi)};                                                                         \
    }
#define BINARY(name, type, half)                                                                                       \
    IN_SOFTWARE type name(type a, type b) {                                                                            \
        return (type){half(a.lo, b.lo), half(a.hi, b.hi)};                                                             \
    }

UNARY(soft_square_roots, Floats, _mm256_sqrt_ps)
BINARY(soft_sums, Floats, _mm256_add_ps)
BINARY(soft_differences, Floats, _mm256_sub_ps)
BINARY(soft_products, Floats, _mm256_mul_ps)
BINARY(soft_quotients, Floats, _mm256_div_ps)
BINARY(soft_larger, Floats, _mm256_max_ps)
BINARY(soft_smaller, Floats, _mm256_min_ps)
BINARY(soft_both, Floats, _mm256_and_ps)
BINARY(soft_not_first, Floats, _mm256_andnot_ps)
BINARY(soft_either, Floats, _mm256_or_ps)
BINARY(soft_word_differences, Words, _mm256_sub_epi32)
BINARY(soft_word_sums, Words, _mm256_add_epi32)
BINARY(soft_word_both, Words, _mm256_and_si256)

IN_SOFTWARE Floats soft_fused(Floats a, Floats b, Floats c) {
    return (Floats){_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}

IN_SOFTWARE Floats soft_floats(float x) {
    return (Floats){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

IN_SOFTWARE Words soft_words(int x) {
    return (Words){_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}

IN_SOFTWARE Floats soft_load_floats(const float *p) {
    return (Floats){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

IN_SOFTWARE void soft_store_floats(float *p, Floats v) {
    _mm256_storeu_ps(p, v.lo);
    _mm256_storeu_ps(p + 8, v.hi);
}

IN_SOFTWARE __m256i soft_lanes(unsigned mask) { /* a bit each, all ones where it is set */
    const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)mask), bits), bits);
}

IN_SOFTWARE Floats soft_chosen(Floats rest, unsigned mask, Floats v) {
    return (Floats){_mm256_blendv_ps(rest.lo, v.lo, _mm256_castsi256_ps(soft_lanes(mask))),
                    _mm256_blendv_ps(rest.hi, v.hi, _mm256_castsi256_ps(soft_lanes(mask >> 8)))};
}

/* Lane by lane, so that AddressSanitizer sees each: it takes no notice of AVX2's masked loads and stores. */
IN_SOFTWARE Floats soft_load_some(Floats rest, unsigned mask, const float *p) {
    float lane[16];
    soft_store_floats(lane, rest);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) lane[i] = p[i];
    return soft_load_floats(lane);
}

IN_SOFTWARE void soft_store_some(float *p, unsigned mask, Floats v) {
    float lane[16];
    soft_store_floats(lane, v);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) p[i] = lane[i];
}

IN_SOFTWARE float soft_sum_of_lanes(Floats v) {
    float lane[16], sum = 0;
    soft_store_floats(lane, v);
    for (int i = 0; i < 16; i++) sum += lane[i];
    return sum;
}

IN_SOFTWARE float soft_largest_lane(Floats v) {
    float lane[16];
    soft_store_floats(lane, v);
    for (int i = 1; i < 16; i++) lane[0] = lane[i] > lane[0] ? lane[i] : lane[0];
    return lane[0];
}

IN_SOFTWARE Floats soft_scaled(Floats v, Floats power) {
    float lane[16], n[16];
    soft_store_floats(lane, v);
    soft_store_floats(n, power);
    for (int i = 0; i < 16; i++) lane[i] = ldexpf(lane[i], (int)n[i]);
    return soft_load_floats(lane);
}

IN_SOFTWARE Floats soft_permuted(Words at, Floats v) {
    float lane[16], from[16];
    int32_t index[16];
    soft_store_floats(from, v);
    memcpy(index, &at, sizeof index);
    for (int i = 0; i < 16; i++) lane[i] = from[index[i] & 15];
    return soft_load_floats(lane);
}

IN_SOFTWARE Words soft_widened(__m256i v) { /* 16 bits without a sign to 32 */
    return (Words){_mm256_cvtepu16_epi32(_mm256_castsi256_si128(v)),
                   _mm256_cvtepu16_epi32(_mm256_extracti128_si256(v, 1))};
}

#define __m512 Floats
#define __m512i Words
#define _mm512_add_ps soft_sums
#define _mm512_sub_ps soft_differences
#define _mm512_mul_ps soft_products
#define _mm512_div_ps soft_quotients
#define _mm512_fmadd_ps soft_fused
#define _mm512_sqrt_ps soft_square_roots
#define _mm512_max_ps soft_larger
#define _mm512_min_ps soft_smaller
#define _mm512_and_ps soft_both
#define _mm512_andnot_ps soft_not_first
#define _mm512_or_ps soft_either
#define _mm512_set1_ps soft_floats
#define _mm512_setzero_ps() soft_floats(0)
#define _mm512_loadu_ps soft_load_floats
#define _mm512_storeu_ps soft_store_floats
#define _mm512_mask_loadu_ps soft_load_some
#define _mm512_maskz_loadu_ps(mask, p) soft_load_some(soft_floats(0), mask, p)
#define _mm512_mask_storeu_ps soft_store_some
#define _mm512_mask_mov_ps soft_chosen
#define _mm512_mask_max_ps(rest, mask, a, b) soft_chosen(rest, mask, soft_larger(a, b))
#undef _mm512_cmp_ps_mask /* macros of some compilers */
#undef _mm512_roundscale_ps
#define _mm512_cmp_ps_mask(a, b, how)                                                                                  \
    (unsigned)(_mm256_movemask_ps(_mm256_cmp_ps((a).lo, (b).lo, how)) |                                                \
               _mm256_movemask_ps(_mm256_cmp_ps((a).hi, (b).hi, how)) << 8)
#define _mm512_roundscale_ps(v, how) ((Floats){_mm256_round_ps((v).lo, how), _mm256_round_ps((v).hi, how)})
#define _mm512_scalef_ps soft_scaled
#define _mm512_reduce_add_ps soft_sum_of_lanes
#define _mm512_reduce_max_ps soft_largest_lane
#define _mm512_castps_si512(v) ((Words){_mm256_castps_si256((v).lo), _mm256_castps_si256((v).hi)})
#define _mm512_castsi512_ps(v) ((Floats){_mm256_castsi256_ps((v).lo), _mm256_castsi256_ps((v).hi)})
#define _mm512_cvtepi32_ps(v) ((Floats){_mm256_cvtepi32_ps((v).lo), _mm256_cvtepi32_ps((v).hi)})
#define _mm512_set1_epi32 soft_words
#undef _mm512_setr_epi32 /* a macro of some compilers */
#define _mm512_setr_epi32(a, b, c, d, e, f, g, h, ...)                                                                 \
    ((Words){_mm256_setr_epi32(a, b, c, d, e, f, g, h), _mm256_setr_epi32(__VA_ARGS__)})
#define _mm512_sub_epi32 soft_word_differences
#define _mm512_add_epi32 soft_word_sums
#define _mm512_and_epi32 soft_word_both
#define _mm512_permutexvar_ps soft_permuted
#define _mm512_castps256_ps512(v) ((Floats){v, v})
#undef _mm512_insertf32x8                                        /* a macro where nothing is optimised */
#define _mm512_insertf32x8(v, half, at) ((Floats){(v).lo, half}) /* at: 1 */
#define _mm512_slli_epi32(v, n) ((Words){_mm256_slli_epi32((v).lo, n), _mm256_slli_epi32((v).hi, n)})
#define _mm512_srai_epi32(v, n) ((Words){_mm256_srai_epi32((v).lo, n), _mm256_srai_epi32((v).hi, n)})
#define _mm512_cvtepu16_epi32 soft_widened

#endif
