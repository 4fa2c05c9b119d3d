/* CIFAR-10 and CIFAR-100, the binary version (Krizhevsky 2009; its page describes the files): records of a label's
 * byte, or of a coarse and a fine label's, and 3 x 32 x 32 bytes, planar RGB. */
#include "set.h"

#include <string.h>

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE };

typedef struct Cifar {   /* a version */
    int classes, coarse; /* coarse: classes of the byte before the label's; 0: there is no such byte */
    const char *train[RN_DATA_BLOCKS], *test, *names;
} Cifar;

static const Cifar cifar10 = {
    10,
    0,
    {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
    "test_batch.bin",
    "batches.meta.txt"};
static const Cifar cifar100 = {100, 20, {"train.bin"}, "test.bin", "fine_label_names.txt"};

static rn_status add_file(rn_data *data, rn_data_part *part, const Cifar *cifar, const char *name) {
    const size_t labels = cifar->coarse ? 2 : 1, record = labels + PIXELS;
    const rn_data_file *file;
    rn_status status = rn_data_file_map(data, &file, name);
    if (status) return status;
    const size_t count = file->size / record;
    if (!count || file->size % record)
        return rn_data_fail(data, RN_ERROR_FORMAT,
                            "%s: byte %zu: the file ends within picture %zu; a picture has %zu bytes", file->path,
                            file->size, count, record);
    if (part->block_count && count != part->blocks[0].count)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: the file ends after %zu pictures; %s has %u",
                            file->path, file->size, count, part->blocks[0].file->path, (unsigned)part->blocks[0].count);
    if (count > INT32_MAX / RN_DATA_BLOCKS)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: %zu pictures are too many", file->path, count);
    part->blocks[part->block_count++] = (rn_data_block){
        .bytes = file->bytes + labels, .stride = record, .first = part->count, .count = (uint32_t)count, .file = file};
    part->count += (uint32_t)count;
    return RN_OK;
}

static rn_status check_byte(rn_data *data, const rn_data_block *block, size_t at, int limit, const char *what) {
    const int value = block->file->bytes[at];
    if (value < limit) return RN_OK;
    return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: %s %d; they are 0 to %d", block->file->path, at, what,
                        value, limit - 1);
}

static rn_status read_labels(rn_data *data, rn_data_part *part, const Cifar *cifar) {
    rn_status status = rn_data_allocate_labels(data, part);
    for (int b = 0; b < part->block_count && !status; b++) {
        const rn_data_block *block = &part->blocks[b];
        for (uint32_t i = 0; i < block->count && !status; i++) {
            const size_t record = i * block->stride, label = record + (cifar->coarse ? 1 : 0);
            if (cifar->coarse) status = check_byte(data, block, record, cifar->coarse, "coarse label");
            if (!status) status = check_byte(data, block, label, cifar->classes, "label");
            part->labels[block->first + i] = block->file->bytes[label];
        }
    }
    return status;
}

static rn_status cifar_open(rn_data *data, const Cifar *cifar) {
    rn_data_part *train = &data->part[RN_TRAIN], *test = &data->part[RN_TEST];
    data->info.classes = cifar->classes;
    data->info.picture = (rn_shape){3, SIDE, SIDE};
    rn_status status = RN_OK;
    for (int i = 0; i < RN_DATA_BLOCKS && cifar->train[i] && !data->tests && !status; i++)
        status = add_file(data, train, cifar, cifar->train[i]);
    if (!status) status = add_file(data, test, cifar, cifar->test);
    if (!status && !data->tests) status = read_labels(data, train, cifar);
    if (!status) status = read_labels(data, test, cifar);
    return status ? status : rn_data_read_class_names(data, cifar->names);
}

rn_status rn_data_open_cifar10(rn_data *data) {
    return cifar_open(data, &cifar10);
}

rn_status rn_data_open_cifar100(rn_data *data) {
    return cifar_open(data, &cifar100);
}
