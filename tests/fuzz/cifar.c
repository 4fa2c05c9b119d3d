/* CIFAR's binary files. The first byte says of which of the two sets. Then come, for each file, a byte of how many
 * records it has, one of how many bytes more (or, from 128 on, fewer) than these, and the records' labels; pixels are
 * counted up. The rest names the classes.
 */
#include "data.h"

enum { PIXELS = 3 * 32 * 32, MOST_RECORDS = 8 };

static void write_records(const char *name, int labels, const uint8_t **at, const uint8_t *end) {
    static uint8_t bytes[MOST_RECORDS * (2 + PIXELS) + 128];
    const size_t record = (size_t)labels + PIXELS;
    const int count = (*at)[0] % MOST_RECORDS, more = (int8_t)(*at)[1];
    const long size = (long)record * count + more;
    *at += 2;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)i;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < labels; k++) bytes[record * (size_t)i + (size_t)k] = *at < end ? *(*at)++ : 0;
    folder_write(name, bytes, size < 0 ? 0 : (size_t)size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const ten[] = {"test_batch.bin",   "data_batch_1.bin", "data_batch_2.bin",
                                      "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"};
    static const char *const hundred[] = {"test.bin", "train.bin"};
    const uint8_t *at = bytes + 1, *end = bytes + size;
    folder_make();
    if (!size) return 0;
    const int fine = *bytes & 1, files = fine ? 2 : 6;
    for (int i = 0; i < files && end - at >= 2; i++) write_records((fine ? hundred : ten)[i], 1 + fine, &at, end);
    if (at < end) folder_write(fine ? "fine_label_names.txt" : "batches.meta.txt", at, (size_t)(end - at));
    data_check(fine ? "cifar100" : "cifar10", "");
    return 0;
}
