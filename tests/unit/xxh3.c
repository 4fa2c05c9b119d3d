/* The runtime's own XXH3-64, of standalone networks, against libxxhash's. */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <xxhash.h>

#include "runtime/weights/xxh3.h"

void suite_xxh3(void);

enum { SIZE = (1 << 20) + 64 };

/* Every length up to a few blocks, so that each of the formula's ranges and its ends are met; unaligned too. */
static void test_against_libxxhash(void) {
    uint8_t *bytes = malloc(SIZE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    uint32_t state = 1;
    for (size_t i = 0; i < SIZE; i++) bytes[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    int wrong = 0;
    for (size_t n = 0; n <= 4200; n++) wrong += rn_xxh3(bytes + n % 9, n) != XXH3_64bits(bytes + n % 9, n);
    for (size_t n = SIZE - 70; n <= SIZE; n++) wrong += rn_xxh3(bytes, n) != XXH3_64bits(bytes, n);
    CU_ASSERT_EQUAL(wrong, 0);
    free(bytes);
}

/* Numbers whose products carry as far as they can. */
static void test_extremes(void) {
    uint8_t bytes[2100];
    for (int value = 0; value < 256; value += 255) {
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)value;
        for (size_t n = 0; n <= sizeof bytes; n++) CU_ASSERT(rn_xxh3(bytes, n) == XXH3_64bits(bytes, n));
    }
}

void suite_xxh3(void) {
    CU_pSuite suite = CU_add_suite("xxh3", NULL, NULL);
    CU_add_test(suite, "libxxhash gives the same", test_against_libxxhash);
    CU_add_test(suite, "all bits clear, all set", test_extremes);
}
