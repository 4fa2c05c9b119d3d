/* A PyTorch checkpoint of either form: its state dict's tensors, and every element that they say they have. */
#include "fuzz.h"

#include "load/torch.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char error[TORCH_ERROR_SIZE] = "";
    const char *prefix = size % 2 ? NULL : "model.x";
    uint8_t *copy = malloc(size ? size : 1); /* of exact size, so that a read beyond it is seen */
    memcpy(copy, bytes, size);
    TorchFile *file = torch_recognize(copy, size) ? torch_open(copy, size, &prefix, error) : NULL;
    CHECK(file || *error || !torch_recognize(copy, size));
    CHECK(!file || !torch_note(file) || *torch_note(file));
    for (int i = 0; file && i < torch_tensors(file)->count; i++) {
        const rn_safetensor *t = &torch_tensors(file)->tensors[i];
        CHECK(rn_safetensors_find(torch_tensors(file), t->name) == t);
        if (t->count > 1 << 16) continue; /* an expanded tensor may be larger than its file */
        const uint8_t *elements = torch_elements(file, t, error);
        uint8_t sum = 0;
        for (int64_t j = 0; elements && j < t->count * rn_safetensor_bytes(t); j++) sum ^= elements[j];
        CHECK(elements ? sum == sum : *error);
    }
    torch_close(file);
    free(copy);
    return 0;
}
