/* XXH3-64 by its specification (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md), seed 0 and its default
 * secret. Up to 240 bytes are mixed directly; longer ones go, 64 at a time, into eight sums that are scrambled after
 * each 1024.
 */
#include "xxh3.h"

#include <string.h>

enum { STRIPE = 64, BLOCK = 1024, SECRET = 192, SUMS = 8 };

static const uint64_t prime32[] = {0x9E3779B1u, 0x85EBCA77u, 0xC2B2AE3Du};
static const uint64_t prime64[] = {0x9E3779B185EBCA87u, 0xC2B2AE3D27D4EB4Fu, 0x165667B19E3779F9u, 0x85EBCA77C2B2AE63u,
                                   0x27D4EB2F165667C5u};

static const uint8_t secret[SECRET] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4,
    0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e,
    0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43,
    0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb,
    0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19,
    0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8, 0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7,
    0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78,
    0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16,
    0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f,
    0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e};

static uint64_t byte_swap(uint64_t x) {
    x = (x & 0x00ff00ff00ff00ffu) << 8 | (x >> 8 & 0x00ff00ff00ff00ffu);
    x = (x & 0x0000ffff0000ffffu) << 16 | (x >> 16 & 0x0000ffff0000ffffu);
    return x << 32 | x >> 32;
}

static uint64_t read_64(const uint8_t *p) {
    uint64_t x;
    memcpy(&x, p, sizeof x);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = byte_swap(x);
#endif
    return x;
}

static uint64_t read_32(const uint8_t *p) {
    return p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

static uint64_t rotate_left(uint64_t x, int n) {
    return x << n | x >> (64 - n);
}

/* The halves of the 128-bit product, combined. */
static uint64_t fold_product(uint64_t a, uint64_t b) {
    const uint64_t low = 0xffffffffu, a0 = a & low, a1 = a >> 32, b0 = b & low, b1 = b >> 32;
    const uint64_t cross = a0 * b1, middle = a1 * b0 + (a0 * b0 >> 32) + (cross & low);
    return a * b ^ (a1 * b1 + (middle >> 32) + (cross >> 32));
}

static uint64_t avalanche(uint64_t h) {
    h = (h ^ h >> 37) * 0x165667919E3779F9u;
    return h ^ h >> 32;
}

static uint64_t avalanche_short(uint64_t h) { /* of XXH64 */
    h = (h ^ h >> 33) * prime64[1];
    h = (h ^ h >> 29) * prime64[2];
    return h ^ h >> 32;
}

static uint64_t mix_16(const uint8_t *in, const uint8_t *key) {
    return fold_product(read_64(in) ^ read_64(key), read_64(in + 8) ^ read_64(key + 8));
}

static uint64_t hash_to_16(const uint8_t *in, size_t size) {
    if (size == 0) return avalanche_short(read_64(secret + 56) ^ read_64(secret + 64));
    if (size < 4) {
        const uint64_t all = (uint64_t)in[0] << 16 | (uint64_t)in[size / 2] << 24 | in[size - 1] | size << 8;
        return avalanche_short(all ^ read_32(secret) ^ read_32(secret + 4));
    }
    if (size <= 8) {
        uint64_t h = read_32(in + size - 4) + (read_32(in) << 32);
        h ^= read_64(secret + 8) ^ read_64(secret + 16);
        h = (h ^ rotate_left(h, 49) ^ rotate_left(h, 24)) * 0x9FB21C651E98DF25u;
        h = (h ^ ((h >> 35) + size)) * 0x9FB21C651E98DF25u;
        return h ^ h >> 28;
    }
    const uint64_t a = read_64(in) ^ read_64(secret + 24) ^ read_64(secret + 32);
    const uint64_t b = read_64(in + size - 8) ^ read_64(secret + 40) ^ read_64(secret + 48);
    return avalanche(size + byte_swap(a) + b + fold_product(a, b));
}

static uint64_t hash_to_128(const uint8_t *in, size_t size) { /* 16 bytes from either end, towards the middle */
    uint64_t h = size * prime64[0];
    for (size_t i = 0; i <= (size - 1) / 32; i++)
        h += mix_16(in + 16 * i, secret + 32 * i) + mix_16(in + size - 16 * (i + 1), secret + 32 * i + 16);
    return avalanche(h);
}

static uint64_t hash_to_240(const uint8_t *in, size_t size) {
    uint64_t h = size * prime64[0];
    for (size_t i = 0; i < 8; i++) h += mix_16(in + 16 * i, secret + 16 * i);
    h = avalanche(h);
    for (size_t i = 8; i < size / 16; i++) h += mix_16(in + 16 * i, secret + 16 * (i - 8) + 3);
    return avalanche(h + mix_16(in + size - 16, secret + 119));
}

static void accumulate(uint64_t sum[SUMS], const uint8_t *in, const uint8_t *key) {
    for (int i = 0; i < SUMS; i++) {
        const uint64_t x = read_64(in + 8 * i), mixed = x ^ read_64(key + 8 * i);
        sum[i ^ 1] += x;
        sum[i] += (mixed & 0xffffffffu) * (mixed >> 32);
    }
}

static uint64_t hash_long(const uint8_t *in, size_t size) {
    uint64_t sum[SUMS] = {prime32[2], prime64[0], prime64[1], prime64[2],
                          prime64[3], prime32[1], prime64[4], prime32[0]};
    const uint8_t *const end = in + size;
    for (; (size_t)(end - in) > BLOCK; in += BLOCK) {
        for (int i = 0; i < BLOCK / STRIPE; i++) accumulate(sum, in + i * STRIPE, secret + 8 * i);
        for (int i = 0; i < SUMS; i++)
            sum[i] = (sum[i] ^ sum[i] >> 47 ^ read_64(secret + SECRET - STRIPE + 8 * i)) * prime32[0];
    }
    for (int i = 0; end - in > STRIPE; in += STRIPE, i++) accumulate(sum, in, secret + 8 * i);
    accumulate(sum, end - STRIPE, secret + SECRET - STRIPE - 7);
    uint64_t h = size * prime64[0];
    for (int i = 0; i < SUMS; i += 2)
        h += fold_product(sum[i] ^ read_64(secret + 11 + 8 * i), sum[i + 1] ^ read_64(secret + 19 + 8 * i));
    return avalanche(h);
}

uint64_t rn_xxh3(const void *bytes, size_t size) {
    if (size <= 16) return hash_to_16(bytes, size);
    if (size <= 128) return hash_to_128(bytes, size);
    if (size <= 240) return hash_to_240(bytes, size);
    return hash_long(bytes, size);
}
