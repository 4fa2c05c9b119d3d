/* A packed weights file: recognized and checked, or refused with a text. */
#include "fuzz.h"

#include "runtime/weights/packed.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char error[RN_ERROR_SIZE] = "";
    uint8_t *copy = aligned_alloc(64, (size + 64) / 64 * 64);
    memcpy(copy, bytes, size);
    if (rn_packed_recognize(copy, size)) {
        rn_status status =
            rn_packed_check(copy, size, "tiny", 0x1234, size > 4096 ? size - 4096 : 0, 1, "fuzz", error, sizeof error);
        CHECK(!status || *error);
    }
    free(copy);
    return 0;
}
