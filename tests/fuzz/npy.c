/* NumPy arrays. */
#include "fuzz.h"

#include "runtime/image/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rn_npy array = {0};
    char error[RN_ERROR_SIZE] = "";
    rn_status status = rn_npy_parse(&array, bytes, size, "fuzz", error, sizeof error);
    CHECK(status || rn_npy_worth(bytes, size) >= size);
    CHECK(status ? *error && !array.data : array.ndim >= 0 && array.ndim <= RN_NPY_DIMS);
    rn_npy_free(&array);
    return 0;
}
