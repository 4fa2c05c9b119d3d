/* IDX files: the first byte says which are compressed, then come the files (data.h). */
#include "data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const names[] = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "train-images-idx3-ubyte",
                                        "train-labels-idx1-ubyte", "classes.txt"};
    folder_make();
    if (!size) return 0;
    data_write_files(bytes + 1, bytes + size, names, 5, *bytes & 15u);
    data_check("idx", "");
    return 0;
}
