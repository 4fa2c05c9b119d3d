/* AVX-512 for CPUs that have none, so that the text emitted for it is tested everywhere: SIMDe's portable definitions, and
 * those that its version in Debian 12 lacks. Stands in for <immintrin.h> in tests; never in what users get.
 */
#ifndef TEST_AVX512_IN_SOFTWARE_H
#define TEST_AVX512_IN_SOFTWARE_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>
#include <string.h>

#define IN_SOFTWARE static inline __attribute__((unused))

IN_SOFTWARE __m512 masked_load(__m512 rest, unsigned mask, const float *p) {
    float lane[16];
    memcpy(lane, &rest, sizeof lane);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) lane[i] = p[i];
    memcpy(&rest, lane, sizeof lane);
    return rest;
}

IN_SOFTWARE void masked_store(float *p, unsigned mask, __m512 v) {
    float lane[16];
    memcpy(lane, &v, sizeof lane);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) p[i] = lane[i];
}

IN_SOFTWARE float sum_lanes(__m512 v) {
    float lane[16], sum = 0;
    memcpy(lane, &v, sizeof lane);
    for (int i = 0; i < 16; i++) sum += lane[i];
    return sum;
}

IN_SOFTWARE float largest_lane(__m512 v) {
    float lane[16];
    memcpy(lane, &v, sizeof lane);
    for (int i = 1; i < 16; i++) lane[0] = lane[i] > lane[0] ? lane[i] : lane[0];
    return lane[0];
}

IN_SOFTWARE __m512 floats_of(__m512i v) {
    int32_t lane[16];
    float x[16];
    __m512 r;
    memcpy(lane, &v, sizeof lane);
    for (int i = 0; i < 16; i++) x[i] = (float)lane[i];
    memcpy(&r, x, sizeof x);
    return r;
}

IN_SOFTWARE __m512i shift_right(__m512i v, int n) {
    int32_t lane[16];
    memcpy(lane, &v, sizeof lane);
    for (int i = 0; i < 16; i++) lane[i] >>= n;
    memcpy(&v, lane, sizeof lane);
    return v;
}

IN_SOFTWARE __m512i widened(__m256i v) { /* 16 bits without a sign to 32 */
    uint16_t half[16];
    uint32_t lane[16];
    __m512i r;
    memcpy(half, &v, sizeof half);
    for (int i = 0; i < 16; i++) lane[i] = half[i];
    memcpy(&r, lane, sizeof r);
    return r;
}

#define _mm512_mask_loadu_ps masked_load
#define _mm512_maskz_loadu_ps(mask, p) masked_load(_mm512_setzero_ps(), mask, p)
#define _mm512_mask_storeu_ps masked_store
#define _mm512_reduce_add_ps sum_lanes
#define _mm512_reduce_max_ps largest_lane
#define _mm512_cvtepi32_ps floats_of
#define _mm512_srai_epi32 shift_right
#undef _mm512_cvtepu16_epi32
#define _mm512_cvtepu16_epi32 widened

#endif
