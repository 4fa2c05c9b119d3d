/* A row of RN_DTYPES needs the two functions to_NAME and from_NAME here, and nothing else. */
#include "dtype.h"

#include <math.h>
#include <string.h>

static float to_F32(float x) {
    return x;
}

static float from_F32(float x) {
    return x;
}

uint16_t rn_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (isnan(x)) return (uint16_t)(bits >> 16 | 0x40); /* quiet, since its payload may lie in the lower bits */
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static uint16_t to_BF16(float x) {
    return rn_bf16(x);
}

static float float_from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

float rn_float_from_half(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3ff;
    if (exponent == 31) return float_from_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent > 0) return float_from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
    const float x = (float)fraction * 0x1p-24f; /* zero or subnormal: exact */
    return sign ? -x : x;
}

float rn_float_from_bfloat(uint16_t bits) {
    return float_from_bits((uint32_t)bits << 16);
}

static float from_BF16(uint16_t bits) {
    return rn_float_from_bfloat(bits);
}

#define RN_DTYPE(name, word, bytes, number)                                                                            \
    _Static_assert(sizeof(number) == bytes, "bytes of " #word);                                                        \
    static float round_##name(float x) {                                                                               \
        return from_##name(to_##name(x));                                                                              \
    }                                                                                                                  \
    static void store_##name(const float *from, size_t count, void *to) {                                              \
        number *out = to;                                                                                              \
        for (size_t i = 0; i < count; i++) out[i] = to_##name(from[i]);                                                \
    }
RN_DTYPES(RN_DTYPE)
#undef RN_DTYPE

static const struct {
    const char *name;
    float (*round)(float x);
    void (*store)(const float *from, size_t count, void *to);
} types[] = {
#define RN_DTYPE(name, word, ...) {#word, round_##name, store_##name},
    RN_DTYPES(RN_DTYPE)
#undef RN_DTYPE
};

const char *rn_dtype_name(rn_dtype type) {
    return types[type].name;
}

float rn_dtype_round(rn_dtype type, float x) {
    return types[type].round(x);
}

void rn_dtype_store(rn_dtype type, const float *from, size_t count, void *to) {
    types[type].store(from, count, to);
}
