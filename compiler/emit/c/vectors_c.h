/* One vector of four floats for any CPU: as GNU C's vector type, or, without it or with RN_NO_VECTORS, as a struct and
 * loops. See vectors_avx512.h.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define TARGET
#if defined(__GNUC__)
#define HELPER static inline __attribute__((always_inline, unused))
#else
#define HELPER static inline
#endif
#if defined(__GNUC__) && !defined(RN_NO_VECTORS)
#define VECTORS
#endif

enum { LANES = 4 };

#ifdef VECTORS
typedef float V __attribute__((vector_size(4 * LANES)));
typedef int32_t bits_ __attribute__((vector_size(4 * LANES)));
#define LANE(v, i) (v)[i]
HELPER V add(V a, V b) { return a + b; }
HELPER V sub(V a, V b) { return a - b; }
HELPER V mul(V a, V b) { return a * b; }
HELPER V div_(V a, V b) { return a / b; }
/* a < b ? x : y; y where a or b is NaN */
HELPER V where_less(V a, V b, V x, V y) {
    const bits_ less = a < b;
    return (V)(((bits_)x & less) | ((bits_)y & ~less));
}
#else
typedef struct V {
    float lane[LANES];
} V;
#define LANE(v, i) (v).lane[i]
HELPER V add(V a, V b) {
    for (int i = 0; i < LANES; i++) LANE(a, i) += LANE(b, i);
    return a;
}
HELPER V sub(V a, V b) {
    for (int i = 0; i < LANES; i++) LANE(a, i) -= LANE(b, i);
    return a;
}
HELPER V mul(V a, V b) {
    for (int i = 0; i < LANES; i++) LANE(a, i) *= LANE(b, i);
    return a;
}
HELPER V div_(V a, V b) {
    for (int i = 0; i < LANES; i++) LANE(a, i) /= LANE(b, i);
    return a;
}
HELPER V where_less(V a, V b, V x, V y) {
    for (int i = 0; i < LANES; i++) LANE(y, i) = LANE(a, i) < LANE(b, i) ? LANE(x, i) : LANE(y, i);
    return y;
}
#endif

HELPER V load(const float *p) {
    V v;
    memcpy(&v, p, sizeof v);
    return v;
}
HELPER void store(float *p, V v) { memcpy(p, &v, sizeof v); }
HELPER V set1(float x) {
    const float lane[LANES] = {x, x, x, x};
    return load(lane);
}
HELPER V zero(void) { return set1(0.0f); }
HELPER V load_or(const float *p, int n, V rest) {
    memcpy(&rest, p, 4 * (size_t)n);
    return rest;
}
HELPER V load_n(const float *p, int n) { return load_or(p, n, zero()); }
HELPER void store_n(float *p, V v, int n) { memcpy(p, &v, 4 * (size_t)n); }
HELPER V fma_(V a, V b, V c) { return add(mul(a, b), c); }
HELPER V max_(V a, V b) { return where_less(b, a, a, b); } /* b where either is NaN */
HELPER V min_(V a, V b) { return where_less(a, b, a, b); } /* b where either is NaN */
HELPER V sqrt_(V a) {
    for (int i = 0; i < LANES; i++) LANE(a, i) = sqrtf(LANE(a, i));
    return a;
}
/* The larger, where a NaN in either stays. */
HELPER V max_nan(V a, V b) {
    for (int i = 0; i < LANES; i++)
        LANE(b, i) = LANE(a, i) > LANE(b, i) || LANE(a, i) != LANE(a, i) ? LANE(a, i) : LANE(b, i);
    return b;
}
HELPER V abs_(V a) {
    for (int i = 0; i < LANES; i++) LANE(a, i) = fabsf(LANE(a, i));
    return a;
}
HELPER V copysign_(V a, V sign) {
    for (int i = 0; i < LANES; i++) LANE(a, i) = copysignf(LANE(a, i), LANE(sign, i));
    return a;
}
HELPER V round_(V a) {
    for (int i = 0; i < LANES; i++) LANE(a, i) = rintf(LANE(a, i));
    return a;
}
HELPER float power2(int n) { /* 2^n, -126 <= n <= 127 */
    const int32_t bits = (n + 127) * (1 << 23);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
/* a * 2^n, n whole, in two steps since 2^n alone may overflow */
HELPER V scale2(V a, V n) {
    for (int i = 0; i < LANES; i++) {
        const int whole = LANE(n, i) == LANE(n, i) ? (int)LANE(n, i) : 0, half = whole / 2;
        LANE(a, i) = LANE(a, i) * power2(half) * power2(whole - half);
    }
    return a;
}
/* x = m * 2^e, m in [sqrt(1/2), sqrt(2)), whose lower end has the bits 0x3f3504f3 */
HELPER V split2(V x, V *e) {
    V m, exponent;
    for (int i = 0; i < LANES; i++) {
        const float lane = LANE(x, i);
        uint32_t bits;
        memcpy(&bits, &lane, sizeof bits);
        const uint32_t above = bits - 0x3f3504f3u;
        const int n = (int)(above >> 23) - (above >> 31 ? 512 : 0);
        float mantissa;
        bits -= (uint32_t)n << 23;
        memcpy(&mantissa, &bits, sizeof mantissa);
        LANE(m, i) = mantissa;
        LANE(exponent, i) = (float)n;
    }
    *e = exponent;
    return m;
}
HELPER float sum(V v) { return (LANE(v, 0) + LANE(v, 1)) + (LANE(v, 2) + LANE(v, 3)); }
HELPER float largest(V v) {
    const float a = LANE(v, 0) > LANE(v, 1) ? LANE(v, 0) : LANE(v, 1);
    const float b = LANE(v, 2) > LANE(v, 3) ? LANE(v, 2) : LANE(v, 3);
    return a > b ? a : b;
}
/* Of four vectors, channels against pixels. */
HELPER void transpose(V *a, V *b, V *c, V *d) {
    const V v[LANES] = {*a, *b, *c, *d};
    for (int i = 0; i < LANES; i++) {
        LANE(*a, i) = LANE(v[i], 0);
        LANE(*b, i) = LANE(v[i], 1);
        LANE(*c, i) = LANE(v[i], 2);
        LANE(*d, i) = LANE(v[i], 3);
    }
}
/* Each lane has the k-th of its group of `group` lanes: 2. */
HELPER V of_groups(V v, int group, int k) {
    V all = v;
    for (int i = 0; i < LANES; i++) LANE(all, i) = LANE(v, i / group * group + k);
    return all;
}
/* Half a vector from each in turn: a[0], b[0], a[1], b[1] ... */
HELPER V weave(const float *a, const float *b) {
    V v;
    for (int i = 0; i < LANES; i++) LANE(v, i) = (i % 2 ? b : a)[i / 2];
    return v;
}
HELPER void zeroupper(void) {} /* nothing to end */
/* bf16 numbers are the upper halves of floats. */
#ifdef VECTORS
typedef uint16_t halves_ __attribute__((vector_size(2 * LANES)));
typedef uint32_t words_ __attribute__((vector_size(4 * LANES)));
HELPER V load_bf16(const uint16_t *p) {
    halves_ v;
    memcpy(&v, p, sizeof v);
    return (V)(__builtin_convertvector(v, words_) << 16);
}
#else
HELPER V load_bf16(const uint16_t *p) {
    uint32_t wide[LANES];
    for (int i = 0; i < LANES; i++) wide[i] = (uint32_t)p[i] << 16;
    V v;
    memcpy(&v, wide, sizeof v);
    return v;
}
#endif
/* The cache line of p, on to L2. */
#ifdef __GNUC__
HELPER void fetch_line(const float *p) { __builtin_prefetch(p, 0, 2); }
#else
HELPER void fetch_line(const float *p) { (void)p; }
#endif
