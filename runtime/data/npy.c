/* Pictures and labels as NumPy saves them: train_x.npy, train_y.npy, test_x.npy, test_y.npy. Pictures are N x H x W or
 * N x C x H x W, of bytes or of floats; labels are N whole numbers of any type. */
#include "set.h"
#include "image/npy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static rn_status read_layout(rn_data *data, const rn_data_file **file, rn_npy_layout *layout, const char *name,
                             unsigned types, const char *what) {
    rn_status status = rn_data_file_map(data, file, name);
    if (status) return status;
    return rn_npy_layout_parse(layout, (*file)->bytes, (*file)->size, types, what, (*file)->path, data->error,
                               data->error_size);
}

/* ---- pictures ---- */

static float float_at(const uint8_t *bytes, const rn_npy_layout *layout, size_t i) {
    float value;
    double wide;
    if (layout->type == RN_NPY_F4) {
        memcpy(&value, bytes + 4 * i, sizeof value);
        return value;
    }
    memcpy(&wide, bytes + 8 * i, sizeof wide);
    return (float)wide;
}

/* Floats where they lie, or a copy where they are doubles or not aligned; each is a number. */
static rn_status take_floats(rn_data *data, rn_data_block *block, const rn_npy_layout *layout) {
    rn_data_file *file = &data->files[data->file_count - 1]; /* the one that was opened last */
    const uint8_t *bytes = file->bytes + layout->data;
    const int copied = layout->type != RN_NPY_F4 || (uintptr_t)bytes % sizeof(float);
    float *floats = copied ? malloc(layout->count * sizeof *floats) : NULL;
    if (copied && !floats) return rn_data_no_memory(data);
    file->inflated = (uint8_t *)floats;
    for (size_t i = 0; i < layout->count; i++) {
        const float value = float_at(bytes, layout, i);
        if (!isfinite(value))
            return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: a number of picture %zu is not finite",
                                file->path, layout->data + i * layout->item, i / (block->stride / sizeof(float)));
        if (copied) floats[i] = value;
    }
    block->bytes = copied ? (const uint8_t *)floats : bytes;
    if (copied) rn_pages_free(&file->pages);
    return RN_OK;
}

static rn_status open_pictures(rn_data *data, rn_data_part *part, const char *name) {
    const rn_data_file *file;
    rn_npy_layout l;
    rn_status status = read_layout(data, &file, &l, name, 1 << RN_NPY_U1 | 1 << RN_NPY_F4 | 1 << RN_NPY_F8,
                                   "uint8, float32 or float64 (little-endian) as pictures");
    if (status) return status;
    if (l.ndim != 3 && l.ndim != 4)
        return rn_data_fail(data, RN_ERROR_FORMAT,
                            "%s: an array of %d dimensions; pictures are N x H x W or N x C x H x W", file->path,
                            l.ndim);
    if (l.dim[0] < 1 || l.dim[0] > INT32_MAX)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: %zu pictures", file->path, l.dim[0]);
    const size_t c = l.ndim == 4 ? l.dim[1] : 1;
    const int floats = l.type != RN_NPY_U1;
    status = rn_data_check_shape(data, file->path, 0, c, l.dim[l.ndim - 2], l.dim[l.ndim - 1]);
    if (status) return status;
    if (part != &data->part[RN_TRAIN] && !data->tests && floats != data->floats)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: %s, those for training are %s", file->path,
                            floats ? "floats" : "bytes", data->floats ? "floats" : "bytes");
    data->floats = floats;
    rn_data_block *block = &part->blocks[0];
    *block = (rn_data_block){.bytes = file->bytes + l.data,
                             .stride = l.count / l.dim[0] * (floats ? sizeof(float) : 1),
                             .count = (uint32_t)l.dim[0],
                             .file = file};
    part->block_count = 1;
    part->count = block->count;
    return floats ? take_floats(data, block, &l) : RN_OK;
}

/* ---- labels ---- */

/* The element as a class; -1 where it is none */
static int32_t class_at(const uint8_t *at, const rn_npy_layout *layout) {
    const int is_signed = layout->type >= RN_NPY_I1;
    uint64_t value = 0;
    memcpy(&value, at, layout->item);
    const int negative = is_signed && value >> (8 * layout->item - 1);
    return negative || value >= RN_DATA_MAX_CLASSES ? -1 : (int32_t)value;
}

static rn_status open_labels(rn_data *data, rn_data_part *part, const char *name, rn_data_labels *where) {
    enum {
        WHOLE = 1 << RN_NPY_U1 | 1 << RN_NPY_U2 | 1 << RN_NPY_U4 | 1 << RN_NPY_U8 | 1 << RN_NPY_I1 | 1 << RN_NPY_I2 |
                1 << RN_NPY_I4 | 1 << RN_NPY_I8
    };
    rn_npy_layout l;
    rn_status status = read_layout(data, &where->file, &l, name, WHOLE, "whole numbers (little-endian) as labels");
    if (status) return status;
    const char *path = where->file->path;
    where->at = l.data;
    where->each = l.item;
    if (l.ndim != 1)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: an array of %d dimensions; labels have one", path, l.ndim);
    if (l.count != part->count)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: %zu labels; %s has %u pictures", path, l.count,
                            part->blocks[0].file->path, (unsigned)part->count);
    status = rn_data_allocate_labels(data, part);
    for (size_t i = 0; i < l.count && !status; i++) {
        part->labels[i] = class_at(where->file->bytes + l.data + i * l.item, &l);
        if (part->labels[i] < 0)
            status = rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: label %zu is not a class: 0 to %d", path,
                                  l.data + i * l.item, i, RN_DATA_MAX_CLASSES - 1);
    }
    return status;
}

rn_status rn_data_open_npy(rn_data *data) {
    rn_data_part *train = &data->part[RN_TRAIN], *test = &data->part[RN_TEST];
    rn_data_labels labels[RN_SPLITS];
    rn_status status = data->tests ? RN_OK : open_pictures(data, train, "train_x.npy");
    if (!status && !data->tests) status = open_labels(data, train, "train_y.npy", &labels[RN_TRAIN]);
    if (!status) status = open_pictures(data, test, "test_x.npy");
    if (!status) status = open_labels(data, test, "test_y.npy", &labels[RN_TEST]);
    if (!status) status = rn_data_count_classes(data, labels);
    return status ? status : rn_data_read_class_names(data, "classes.txt");
}
