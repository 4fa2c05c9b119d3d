/* A weights file's index, and every tensor that it says is readable. */
#include "fuzz.h"

#include "runtime/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rn_safetensors file;
    char error[RN_ERROR_SIZE] = "";
    uint8_t *copy = malloc(size ? size : 1); /* of exact size, so that a read beyond it is seen */
    memcpy(copy, bytes, size);
    rn_safetensors_recognize(copy, size);
    if (!rn_safetensors_parse(&file, copy, size, "fuzz", error, sizeof error)) {
        for (int i = 0; i < file.count; i++) {
            const rn_safetensor *t = &file.tensors[i];
            CHECK(rn_safetensors_find(&file, t->name) && t->size <= size);
            if (!rn_safetensor_readable(t) || t->count > 1 << 20) continue;
            float *values = malloc((size_t)t->count * sizeof *values + 1);
            rn_safetensor_read(t, values);
            free(values);
        }
        rn_safetensors_free(&file);
    } else {
        CHECK(*error);
    }
    free(copy);
    return 0;
}
