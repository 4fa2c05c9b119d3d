/* The numbers of constants: from the bytes of the file, of a file beside it, or from the message's typed fields. */
#include "model.h"

#include "core/dtype.h"
#include "core/pages.h"
#include "rn.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TYPES = 24 };

static const struct TypeInfo {
    const char *name;
    int bytes; /* of an element of raw data; 0: not read */
    bool real;
} types[TYPES] = {
    [ONNX__TENSOR_PROTO__DATA_TYPE__NONE] = {"no type", 0, false},
    [ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT] = {"float", 4, true},
    [ONNX__TENSOR_PROTO__DATA_TYPE__UINT8] = {"uint8", 1, false},
    [ONNX__TENSOR_PROTO__DATA_TYPE__INT8] = {"int8", 1, false},
    [ONNX__TENSOR_PROTO__DATA_TYPE__UINT16] = {"uint16", 2, false},
    [ONNX__TENSOR_PROTO__DATA_TYPE__INT16] = {"int16", 2, false},
    [ONNX__TENSOR_PROTO__DATA_TYPE__INT32] = {"int32", 4, false},
    [ONNX__TENSOR_PROTO__DATA_TYPE__INT64] = {"int64", 8, false},
    [ONNX__TENSOR_PROTO__DATA_TYPE__STRING] = {"string", 0, false},
    [ONNX__TENSOR_PROTO__DATA_TYPE__BOOL] = {"bool", 1, false},
    [ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16] = {"float16", 2, true},
    [ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE] = {"double", 8, true},
    [ONNX__TENSOR_PROTO__DATA_TYPE__UINT32] = {"uint32", 4, false},
    [ONNX__TENSOR_PROTO__DATA_TYPE__UINT64] = {"uint64", 8, false},
    [14] = {"complex64", 0, false},
    [15] = {"complex128", 0, false},
    [ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16] = {"bfloat16", 2, true},
    [17] = {"float8e4m3fn", 0, false},
    [18] = {"float8e4m3fnuz", 0, false},
    [19] = {"float8e5m2", 0, false},
    [20] = {"float8e5m2fnuz", 0, false},
    [21] = {"uint4", 0, false},
    [22] = {"int4", 0, false},
    [23] = {"float4e2m1", 0, false},
};

static const struct TypeInfo *type_info(int type) {
    return &types[type >= 0 && type < TYPES && types[type].name ? type : 0];
}

const char *onnx_type_name(int type) {
    return type_info(type)->name;
}

bool onnx_type_is_real(OnnxType type) {
    return type_info(type)->real;
}

bool onnx_type_is_integer(OnnxType type) {
    return type_info(type)->bytes && !type_info(type)->real && type != ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
}

double onnx_element(const OnnxTensor *tensor, int64_t i) {
    return tensor->reals ? (double)tensor->reals[i] : (double)tensor->integers[i];
}

void constant_allocate(OnnxModel *model, OnnxTensor *tensor, float **reals, int64_t **integers) {
    const size_t count = (size_t)onnx_elements(&tensor->shape) + 1; /* also of none */
    *reals = NULL, *integers = NULL;
    if (onnx_type_is_real(tensor->type))
        tensor->reals = *reals = arena_alloc(model->arena, count * sizeof **reals);
    else
        tensor->integers = *integers = arena_alloc(model->arena, count * sizeof **integers);
}

void constant_set(float *reals, int64_t *integers, int64_t i, double value) {
    if (reals)
        reals[i] = (float)value;
    else
        integers[i] = isnan(value) ? 0 : value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : (int64_t)value;
}

int64_t constant_wrapped(OnnxType type, int64_t value) {
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
        return (uint8_t)value;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
        return (uint16_t)value;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
        return (uint32_t)value;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
        return (int8_t)value;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
        return (int16_t)value;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        return (int32_t)value;
    default:
        return value;
    }
}

/* ---- raw bytes ---- */
static uint64_t bits_at(const uint8_t *bytes, int size) {
    uint64_t bits = 0;
    memcpy(&bits, bytes, (size_t)size);
    return bits;
}

static float real_of_bits(OnnxType type, uint64_t bits) {
    const uint32_t word = (uint32_t)bits;
    float single;
    double value;
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
        return rn_float_from_half((uint16_t)bits);
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
        return rn_float_from_bfloat((uint16_t)bits);
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        memcpy(&value, &bits, sizeof value);
        return (float)value;
    default:
        memcpy(&single, &word, sizeof single);
        return single;
    }
}

static int64_t integer_of_bits(OnnxType type, uint64_t bits) {
    return type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL ? bits != 0 : constant_wrapped(type, (int64_t)bits);
}

static void read_raw(OnnxModel *model, OnnxTensor *tensor, const uint8_t *bytes) {
    const int64_t count = onnx_elements(&tensor->shape);
    const int size = type_info(tensor->type)->bytes;
    if (count && tensor->type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT && (uintptr_t)bytes % _Alignof(float) == 0) {
        tensor->reals = (const float *)(const void *)bytes; /* where it lies */
        return;
    }
    float *reals;
    int64_t *integers;
    constant_allocate(model, tensor, &reals, &integers);
    for (int64_t i = 0; i < count; i++, bytes += size)
        if (reals)
            reals[i] = real_of_bits(tensor->type, bits_at(bytes, size));
        else
            integers[i] = integer_of_bits(tensor->type, bits_at(bytes, size));
}

/* ---- typed fields ---- */
static size_t typed_count(const Onnx__TensorProto *proto, OnnxType type) {
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        return proto->n_float_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        return proto->n_double_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return proto->n_int64_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
        return proto->n_uint64_data;
    default:
        return proto->n_int32_data;
    }
}

static void read_typed(OnnxModel *model, OnnxTensor *tensor, const Onnx__TensorProto *proto) {
    const int64_t count = onnx_elements(&tensor->shape);
    float *reals;
    int64_t *integers;
    if (tensor->type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT && count) {
        tensor->reals = proto->float_data;
        return;
    }
    constant_allocate(model, tensor, &reals, &integers);
    for (int64_t i = 0; i < count; i++) switch (tensor->type) {
        case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
            reals[i] = (float)proto->double_data[i];
            break;
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
            integers[i] = proto->int64_data[i];
            break;
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
            integers[i] = (int64_t)proto->uint64_data[i];
            break;
        case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
        case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
            reals[i] = real_of_bits(tensor->type, (uint64_t)proto->int32_data[i]);
            break;
        default:
            integers[i] = integer_of_bits(tensor->type, (uint64_t)proto->int32_data[i]);
        }
}

/* ---- external data ---- */
static const char *external_entry(const Onnx__TensorProto *proto, const char *key) {
    for (size_t i = 0; i < proto->n_external_data; i++) {
        const Onnx__StringStringEntryProto *entry = proto->external_data[i];
        if (entry->key && entry->value && !strcmp(entry->key, key)) return entry->value;
    }
    return NULL;
}

/* A file's place must be below the model's folder: a model is no way to read other files. */
static bool location_is_below(const char *location) {
    if (!*location || *location == '/') return false;
    for (const char *part = location; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (!strncmp(part, "..", 2) && (part[2] == '/' || !part[2])) return false;
    }
    return true;
}

/* Whether a file is in the folder that another is in, or below it; both by their real paths. */
static bool is_beside(const char *path, const char *other) {
    const size_t folder = (size_t)(path_base(other) - other);
    return !strncmp(path, other, folder);
}

/* Where a file is, symbolic links followed; NULL where it cannot be had, as errno says. */
static const char *real_path(Arena *arena, const char *path) {
    char *real = realpath(path, NULL);
    if (!real && errno == ENOMEM) out_of_memory();
    const char *copy = real ? arena_strdup(arena, real) : NULL;
    free(real);
    return copy;
}

/* Symbolic links may lead out of the model's folder no more than ".." may, unless the model itself is one and they lead
 * to where it does, as in caches of what was downloaded. False after an error. */
static bool leads_below(OnnxModel *model, const OnnxFile *file, const char *what) {
    const Place place = {.source = model->source};
    const int folder = (int)(path_base(model->source->path) - model->source->path);
    const char *real = real_path(model->arena, file->path);
    if (!real) {
        diag_error(model->diag, place, "%s: its data: %s: cannot be opened: %s", what, file->path, strerror(errno));
        return false;
    }
    const char *home = real_path(model->arena, arena_printf(model->arena, "%.*s.", folder, model->source->path));
    const char *model_real = real_path(model->arena, model->source->path);
    if (home && is_beside(real, arena_printf(model->arena, "%s/", strcmp(home, "/") ? home : ""))) return true;
    if (model_real && is_beside(real, model_real)) return true;
    diag_error(model->diag, place, "%s: its data are in '%s', a link to '%s', which is not below the model's folder",
               what, file->location, real);
    return false;
}

static const rn_pages *external_file(OnnxModel *model, const char *location, const char *what) {
    for (OnnxFile *file = model->files; file; file = file->next)
        if (!strcmp(file->location, location)) return file->pages;
    const Place place = {.source = model->source};
    if (!location_is_below(location)) {
        diag_error(model->diag, place, "%s: its data are in '%s', which is not below the model's folder", what,
                   location);
        return NULL;
    }
    const int folder = (int)(path_base(model->source->path) - model->source->path);
    char error[RN_ERROR_SIZE];
    OnnxFile *file = arena_alloc(model->arena, sizeof *file);
    file->location = location;
    file->pages = arena_alloc(model->arena, sizeof *file->pages);
    file->path = arena_printf(model->arena, "%.*s%s", folder, model->source->path, location);
    if (!leads_below(model, file, what)) return NULL;
    if (rn_pages_map(file->pages, file->path, error, sizeof error)) {
        diag_error(model->diag, place, "%s: its data: %s", what, error);
        return NULL;
    }
    file->next = model->files;
    return (model->files = file)->pages;
}

/* A number of an entry, `otherwise` where there is none; UINT64_MAX where it is no number. */
static uint64_t external_number(const Onnx__TensorProto *proto, const char *key, uint64_t otherwise) {
    const char *text = external_entry(proto, key);
    if (!text) return otherwise;
    char *end;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    return *text < '0' || *text > '9' || *end || errno ? UINT64_MAX : value;
}

static bool read_external(OnnxModel *model, OnnxTensor *tensor, const Onnx__TensorProto *proto, uint64_t size,
                          const char *what) {
    const Place place = {.source = model->source};
    const char *location = external_entry(proto, "location");
    if (!location) {
        diag_error(model->diag, place, "%s: its data are in another file, but it does not say which", what);
        return false;
    }
    const rn_pages *file = external_file(model, location, what);
    if (!file) return false;
    const uint64_t offset = external_number(proto, "offset", 0), length = external_number(proto, "length", size);
    if (length != size || offset > file->count || size > file->count - offset) {
        diag_error(model->diag, place,
                   "%s: it is of %llu bytes; its data are to be %llu bytes of '%s', from byte %llu on, which has %zu",
                   what, (unsigned long long)size, (unsigned long long)length, location, (unsigned long long)offset,
                   file->count);
        return false;
    }
    if (size && rn_pages_fault(file->bytes + offset, (size_t)size)) {
        diag_error(model->diag, place, "%s: '%s' cannot be read", what, location);
        return false;
    }
    read_raw(model, tensor, file->bytes + offset);
    return true;
}

/* ---- a tensor ---- */
static bool read_shape(OnnxModel *model, OnnxTensor *tensor, const Onnx__TensorProto *proto, const char *what) {
    const Place place = {.source = model->source};
    int64_t count = 1;
    if (proto->n_dims > ONNX_MOST_RANK) {
        diag_error(model->diag, place, "%s: it has %zu dimensions; at most %d are read", what, proto->n_dims,
                   ONNX_MOST_RANK);
        return false;
    }
    tensor->shape = (OnnxShape){.rank = (int)proto->n_dims};
    for (int i = 0; i < tensor->shape.rank; i++) {
        const int64_t dim = tensor->shape.dim[i] = proto->dims[i];
        if (dim < 0 || dim > onnx_most_elements || (dim && count > onnx_most_elements / dim)) {
            diag_error(model->diag, place, "%s: dimension %d of it is %lld: it must have less than 2^31 numbers", what,
                       i, (long long)dim);
            return false;
        }
        count *= dim;
    }
    return true;
}

bool constant_read(OnnxModel *model, OnnxTensor *tensor, const Onnx__TensorProto *proto, const char *what) {
    const Place place = {.source = model->source};
    const int type = proto->data_type;
    const struct TypeInfo *info = type_info(type);
    if (!info->bytes) {
        diag_error(model->diag, place, "%s: its numbers are of a type that is not read: %s", what,
                   type < 0 || type >= TYPES || !types[type].name ? arena_printf(model->arena, "%d", type)
                                                                  : info->name);
        return false;
    }
    tensor->type = (OnnxType)type;
    if (!read_shape(model, tensor, proto, what)) return false;
    const uint64_t count = (uint64_t)onnx_elements(&tensor->shape), size = count * (uint64_t)info->bytes;
    if (proto->has_data_location && proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return read_external(model, tensor, proto, size, what);
    if (proto->has_raw_data && (proto->raw_data.len || !typed_count(proto, tensor->type))) {
        if (proto->raw_data.len != size) {
            diag_error(model->diag, place, "%s: %zu bytes of data, but %s of %s are %llu", what, proto->raw_data.len,
                       onnx_shape_text(model->arena, &tensor->shape), info->name, (unsigned long long)size);
            return false;
        }
        read_raw(model, tensor, proto->raw_data.data);
        return true;
    }
    if (typed_count(proto, tensor->type) != count) {
        diag_error(model->diag, place, "%s: %zu numbers, but %s are %llu", what, typed_count(proto, tensor->type),
                   onnx_shape_text(model->arena, &tensor->shape), (unsigned long long)count);
        return false;
    }
    read_typed(model, tensor, proto);
    return true;
}
