/* IDX files. The first byte says which are compressed: bit i, file i is called NAME.gz. Then come their contents, each
 * with its size in two bytes before it, little-endian, as far as the input goes.
 */
#include "data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const names[] = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "train-images-idx3-ubyte",
                                        "train-labels-idx1-ubyte", "classes.txt"};
    const uint8_t *at = bytes + 1, *end = bytes + size, *content;
    size_t count;
    folder_make();
    if (!size) return 0;
    for (int i = 0; i < 5 && (content = folder_take_content(&at, end, &count)) != NULL; i++) {
        char name[FOLDER_PATH];
        snprintf(name, sizeof name, "%s%s", names[i], i < 4 && *bytes >> i & 1 ? ".gz" : "");
        folder_write(name, content, count);
    }
    data_check("idx", "");
    return 0;
}
