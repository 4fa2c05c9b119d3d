/* MNIST's files, and those of the sets that have its format (LeCun, Cortes, Burges: the MNIST database): big-endian
 * words, 0x803, pictures, rows, columns, then the pixels; 0x801, labels, then a byte each. */
#include "set.h"

enum { IDX_PICTURES = 0x803, IDX_LABELS = 0x801, PICTURES_HEADER = 16, LABELS_HEADER = 8 };

static uint32_t word_at(const rn_data_file *file, size_t at) {
    const uint8_t *b = file->bytes + at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Opens a file whose header is whole and of the right kind. Offsets in a compressed file are of what it decompresses
 * to. */
static rn_status open_kind(rn_data *data, const rn_data_file **file, const char *name, uint32_t magic, size_t header) {
    rn_status status = rn_data_file_inflate(data, file, name);
    if (status) return status;
    if ((*file)->size >= 4 && word_at(*file, 0) != magic)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte 0: magic number 0x%08x where IDX's %s have 0x%08x",
                            (*file)->path, (unsigned)word_at(*file, 0), magic == IDX_PICTURES ? "pictures" : "labels",
                            (unsigned)magic);
    if ((*file)->size < header)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: the file ends within its header of %zu bytes",
                            (*file)->path, (*file)->size, header);
    return RN_OK;
}

static rn_status check_size(rn_data *data, const rn_data_file *file, size_t header, size_t count, size_t each,
                            const char *what) {
    const size_t need = header + count * each;
    if (file->size < need)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: the file ends within %s %zu of %zu", file->path,
                            file->size, what, (file->size - header) / each, count);
    if (file->size > need)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: %zu bytes too many after the last %s", file->path,
                            need, file->size - need, what);
    return RN_OK;
}

static rn_status open_pictures(rn_data *data, rn_data_part *part, const char *name) {
    const rn_data_file *file;
    rn_status status = open_kind(data, &file, name, IDX_PICTURES, PICTURES_HEADER);
    if (status) return status;
    const size_t count = word_at(file, 4), h = word_at(file, 8), w = word_at(file, 12);
    if (count < 1 || count > INT32_MAX)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte 4: %zu pictures", file->path, count);
    status = rn_data_check_shape(data, file->path, 8, 1, h, w);
    if (!status) status = check_size(data, file, PICTURES_HEADER, count, h * w, "picture");
    if (status) return status;
    part->count = (uint32_t)count;
    part->blocks[0] = (rn_data_block){
        .bytes = file->bytes + PICTURES_HEADER, .stride = h * w, .count = (uint32_t)count, .file = file};
    part->block_count = 1;
    return RN_OK;
}

static rn_status open_labels(rn_data *data, rn_data_part *part, const char *name, const rn_data_file **file) {
    rn_status status = open_kind(data, file, name, IDX_LABELS, LABELS_HEADER);
    if (status) return status;
    const size_t count = word_at(*file, 4);
    if (count != part->count)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte 4: %zu labels; %s has %u pictures", (*file)->path, count,
                            part->blocks[0].file->path, (unsigned)part->count);
    status = check_size(data, *file, LABELS_HEADER, count, 1, "label");
    if (!status) status = rn_data_allocate_labels(data, part);
    for (size_t i = 0; i < count && !status; i++) part->labels[i] = (*file)->bytes[LABELS_HEADER + i];
    return status;
}

rn_status rn_data_open_idx(rn_data *data) {
    rn_data_part *train = &data->part[RN_TRAIN], *test = &data->part[RN_TEST];
    rn_data_labels labels[RN_SPLITS] = {{NULL, LABELS_HEADER, 1}, {NULL, LABELS_HEADER, 1}};
    rn_status status = data->tests ? RN_OK : open_pictures(data, train, "train-images-idx3-ubyte");
    if (!status && !data->tests) status = open_labels(data, train, "train-labels-idx1-ubyte", &labels[RN_TRAIN].file);
    if (!status) status = open_pictures(data, test, "t10k-images-idx3-ubyte");
    if (!status) status = open_labels(data, test, "t10k-labels-idx1-ubyte", &labels[RN_TEST].file);
    if (!status) status = rn_data_count_classes(data, labels);
    return status ? status : rn_data_read_class_names(data, "classes.txt");
}
