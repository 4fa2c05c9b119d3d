/* Any bytes as a .npy file: refused with a text, or an array as large as it says. */
#include <stdlib.h>
#include <string.h>

#include "runtime/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rn_npy array;
    char error[RN_ERROR_SIZE] = "";
    const rn_status status = rn_npy_parse(&array, bytes, size, "fuzz", error, sizeof error);
    if (status ? array.data || !*error : !array.data) abort();
    volatile float sum = 0;
    for (size_t i = 0; i < array.count; i++) sum += array.data[i];
    rn_npy_free(&array);
    return 0;
}
