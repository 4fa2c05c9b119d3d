/* A packed weights file: recognized and checked, or refused with a text; as it is, and as one whose checksums are right
 * and whose network and recipe are those expected, so that what lies behind those is reached. */
#include "fuzz.h"

#include <xxhash.h>

#include "runtime/weights/packed.h"

/* Where packed.h says that fields are. */
enum { HASH_AT = 24, SIZE_AT = 32, SUM_AT = 40, NAME_AT = 48, HEADER_SUM_AT = 4088, CHUNK = 1 << 20 };

static rn_status check(const uint8_t *bytes, size_t size, const char *network, uint64_t hash, uint64_t payload) {
    char error[RN_ERROR_SIZE] = "";
    const rn_status status = rn_packed_check(bytes, size, network, hash, payload, 1, "fuzz", error, sizeof error);
    CHECK(!status || *error);
    CHECK(status || size == RN_PACKED_HEADER_SIZE + payload);
    return status;
}

static void put(uint8_t *at, uint64_t value) {
    memcpy(at, &value, sizeof value);
}

static void check_expected(uint8_t *bytes, size_t size) {
    char network[RN_PACKED_NAME_SIZE + 1] = "";
    uint64_t hash, payload;
    memcpy(network, bytes + NAME_AT, RN_PACKED_NAME_SIZE);
    memcpy(&hash, bytes + HASH_AT, sizeof hash);
    memcpy(&payload, bytes + SIZE_AT, sizeof payload);
    put(bytes + HEADER_SUM_AT, XXH3_64bits(bytes, HEADER_SUM_AT));
    check(bytes, size, network, hash, payload);
    check(bytes, size, "tiny", hash + 1, payload);
    if (size > RN_PACKED_HEADER_SIZE + CHUNK) return;
    payload = size - RN_PACKED_HEADER_SIZE;
    const uint64_t digest = XXH3_64bits(bytes + RN_PACKED_HEADER_SIZE, payload);
    put(bytes + SIZE_AT, payload);
    put(bytes + SUM_AT, XXH3_64bits(&digest, payload ? sizeof digest : 0));
    put(bytes + HEADER_SUM_AT, XXH3_64bits(bytes, HEADER_SUM_AT));
    const rn_status status = check(bytes, size, network, hash, payload);
    CHECK(!status || status == RN_ERROR_FORMAT || status == RN_ERROR_VERSION);
    bytes[size - 1] ^= 1; /* any altered bit is seen */
    CHECK(check(bytes, size, network, hash, payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    uint8_t *copy = aligned_alloc(64, (size + 64) / 64 * 64);
    memcpy(copy, bytes, size);
    if (rn_packed_recognize(copy, size)) {
        check(copy, size, "tiny", 0x1234, size > RN_PACKED_HEADER_SIZE ? size - RN_PACKED_HEADER_SIZE : 0);
        if (size >= RN_PACKED_HEADER_SIZE) check_expected(copy, size);
    }
    free(copy);
    return 0;
}
