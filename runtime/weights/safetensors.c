/* safetensors from memory, see safetensors.h. Nothing of the file is trusted: every number of the header is checked
 * against the file's size before it is used, so the worst that a file can cause is an error.
 */
#include "safetensors.h"
#include "core/dtype.h"
#include "core/status.h"
#include "core/threads.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_SIZE = 8 };
static const uint64_t longest_header = 100000000; /* the reference implementation's limit */

typedef struct Reader {
    const char *source;
    const uint8_t *data; /* after the header */
    uint64_t data_size;
    char *error;
    size_t error_size;
} Reader;

#define FAIL(reader, ...) rn_status_fail((reader)->error, (reader)->error_size, RN_ERROR_FORMAT, __VA_ARGS__)

/* ---- element types ---- */

/* Bits of an element; 0: not a type of the format that we know. */
static int dtype_bits(const char *dtype) {
    static const struct {
        const char *name;
        int bits;
    } types[] = {{"F32", 32}, {"F16", 16},    {"BF16", 16},   {"F64", 64}, {"I64", 64}, {"I32", 32},
                 {"I16", 16}, {"I8", 8},      {"U64", 64},    {"U32", 32}, {"U16", 16}, {"U8", 8},
                 {"BOOL", 8}, {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"C64", 64}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(dtype, types[i].name) == 0) return types[i].bits;
    return 0;
}

int rn_safetensor_bytes(const rn_safetensor *tensor) {
    return dtype_bits(tensor->dtype) / 8;
}

static float float_from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double double_from_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint16_t load_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t load_u32(const uint8_t *p) {
    return load_u16(p) | (uint32_t)load_u16(p + 2) << 16;
}

static double read_f32(const uint8_t *p) {
    return float_from_bits(load_u32(p));
}

static double read_f16(const uint8_t *p) {
    return rn_float_from_half(load_u16(p));
}

static double read_bf16(const uint8_t *p) {
    return rn_float_from_bfloat(load_u16(p));
}

static double read_f64(const uint8_t *p) {
    return double_from_bits(load_u32(p) | (uint64_t)load_u32(p + 4) << 32);
}

static const struct {
    const char *dtype;
    double (*read)(const uint8_t *);
} readable[] = {{"F32", read_f32}, {"F16", read_f16}, {"BF16", read_bf16}, {"F64", read_f64}};

/* The index in `readable`, -1 where it is none. */
static int readable_type(const rn_safetensor *tensor) {
    int i = (int)(sizeof readable / sizeof *readable) - 1;
    while (i >= 0 && strcmp(tensor->dtype, readable[i].dtype)) i--;
    return i;
}

int rn_safetensor_readable(const rn_safetensor *tensor) {
    return readable_type(tensor) >= 0;
}

double rn_safetensor_element(const rn_safetensor *tensor, int64_t i) {
    return readable[readable_type(tensor)].read(tensor->data + i * rn_safetensor_bytes(tensor));
}

static float narrowed(double x) {
    /* C leaves a conversion beyond the range of floats undefined; half an ulp above FLT_MAX still rounds to it */
    return x < 0x1.ffffffp127 && x > -0x1.ffffffp127 ? (float)x : x > 0 ? INFINITY : x < 0 ? -INFINITY : NAN;
}

void rn_safetensor_read(const rn_safetensor *tensor, float *out) {
    const int type = readable_type(tensor), bytes = rn_safetensor_bytes(tensor);
    const uint8_t *p = tensor->data;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (type == 0) {
        if (tensor->size) memcpy(out, p, tensor->size);
        return;
    }
#endif
    for (int64_t i = 0; i < tensor->count; i++, p += bytes) out[i] = narrowed(readable[type].read(p));
}

/* ---- header ---- */

/* A JSON number that is a count: whole, not negative, exact in a double. */
static int whole_number(const cJSON *item, uint64_t *value) {
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= 9007199254740992.0)) return 0;
    *value = (uint64_t)item->valuedouble;
    return (double)*value == item->valuedouble;
}

static rn_status read_shape(Reader *reader, const cJSON *shape, const char *name, rn_safetensor *tensor) {
    if (!cJSON_IsArray(shape)) return FAIL(reader, "%s: tensor %.100s: has no shape", reader->source, name);
    tensor->count = 1;
    const cJSON *item;
    cJSON_ArrayForEach(item, shape) {
        uint64_t dim;
        if (tensor->ndim == RN_SAFETENSOR_MAX_DIMS)
            return FAIL(reader, "%s: tensor %.100s: more than %d dimensions", reader->source, name,
                        RN_SAFETENSOR_MAX_DIMS);
        if (!whole_number(item, &dim))
            return FAIL(reader, "%s: tensor %.100s: a dimension is not a whole number", reader->source, name);
        tensor->dim[tensor->ndim++] = (int64_t)dim;
        if (__builtin_mul_overflow(tensor->count, (int64_t)dim, &tensor->count))
            return FAIL(reader, "%s: tensor %.100s: its size overflows", reader->source, name);
    }
    return RN_OK;
}

static rn_status read_offsets(Reader *reader, const cJSON *offsets, const char *name, rn_safetensor *tensor) {
    uint64_t begin, end;
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !whole_number(cJSON_GetArrayItem(offsets, 0), &begin) || !whole_number(cJSON_GetArrayItem(offsets, 1), &end))
        return FAIL(reader, "%s: tensor %.100s: data_offsets are not two whole numbers", reader->source, name);
    if (begin > end) return FAIL(reader, "%s: tensor %.100s: data_offsets end before they begin", reader->source, name);
    if (end > reader->data_size)
        return FAIL(reader,
                    "%s: tensor %.100s: its bytes %" PRIu64 " to %" PRIu64 " lie beyond the file's %" PRIu64
                    " bytes of data (truncated?)",
                    reader->source, name, begin, end, reader->data_size);
    tensor->data = reader->data + begin;
    tensor->size = (size_t)(end - begin);
    return RN_OK;
}

static rn_status read_tensor(Reader *reader, const cJSON *entry, rn_safetensor *tensor) {
    const char *name = entry->string;
    const cJSON *parts[3] = {NULL, NULL, NULL};
    static const char *const keys[3] = {"dtype", "shape", "data_offsets"};
    if (!cJSON_IsObject(entry)) return FAIL(reader, "%s: tensor %.100s: not an object", reader->source, name);
    const cJSON *item;
    cJSON_ArrayForEach(item, entry) {
        int k = 0;
        while (k < 3 && strcmp(item->string, keys[k])) k++;
        if (k == 3) return FAIL(reader, "%s: tensor %.100s: unknown key %.100s", reader->source, name, item->string);
        if (parts[k]) return FAIL(reader, "%s: tensor %.100s: two %s", reader->source, name, keys[k]);
        parts[k] = item;
    }
    if (!cJSON_IsString(parts[0])) return FAIL(reader, "%s: tensor %.100s: has no dtype", reader->source, name);
    const char *dtype = parts[0]->valuestring;
    if (strlen(dtype) >= RN_SAFETENSOR_DTYPE_SIZE)
        return FAIL(reader, "%s: tensor %.100s: unknown dtype %.100s", reader->source, name, dtype);
    memset(tensor, 0, sizeof *tensor);
    tensor->name = entry->string;
    strcpy(tensor->dtype, dtype);
    rn_status status = read_shape(reader, parts[1], name, tensor);
    if (!status) status = read_offsets(reader, parts[2], name, tensor);
    if (status) return status;
    const uint64_t bytes = (uint64_t)dtype_bits(dtype) / 8;
    uint64_t size;
    if (bytes && (__builtin_mul_overflow((uint64_t)tensor->count, bytes, &size) || size != tensor->size))
        return FAIL(reader, "%s: tensor %.100s: %zu bytes of data do not fit %" PRId64 " elements of %s",
                    reader->source, name, tensor->size, tensor->count, tensor->dtype);
    return RN_OK;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const rn_safetensor *)a)->name, ((const rn_safetensor *)b)->name);
}

static int compare_places(const void *a, const void *b) {
    const rn_safetensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return x->size < y->size ? -1 : x->size > y->size; /* an empty one before what follows it */
}

/* Tensors fill the data exactly, and no two have one name. Leaves them sorted by name. */
static rn_status check_tensors(Reader *reader, rn_safetensors *file) {
    qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, compare_places);
    const uint8_t *at = reader->data;
    for (int i = 0; i < file->count; i++) {
        const rn_safetensor *tensor = &file->tensors[i];
        if (tensor->data < at)
            return FAIL(reader, "%s: tensors %.100s and %.100s overlap", reader->source, file->tensors[i - 1].name,
                        tensor->name);
        if (tensor->data > at)
            return FAIL(reader, "%s: %zu bytes before tensor %.100s belong to no tensor", reader->source,
                        (size_t)(tensor->data - at), tensor->name);
        at = tensor->data + tensor->size;
    }
    const size_t rest = (size_t)(reader->data + reader->data_size - at);
    if (rest) return FAIL(reader, "%s: %zu bytes at its end belong to no tensor", reader->source, rest);
    qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, compare_names);
    for (int i = 1; i < file->count; i++)
        if (strcmp(file->tensors[i].name, file->tensors[i - 1].name) == 0)
            return FAIL(reader, "%s: two tensors are named %.100s", reader->source, file->tensors[i].name);
    return RN_OK;
}

static rn_status read_header(Reader *reader, const cJSON *header, rn_safetensors *file) {
    if (!cJSON_IsObject(header)) return FAIL(reader, "%s: its header is not a JSON object", reader->source);
    int count = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, header) count++;
    file->tensors = malloc(((size_t)count + 1) * sizeof *file->tensors);
    if (!file->tensors)
        return rn_status_fail(reader->error, reader->error_size, RN_ERROR_MEMORY, "%s: out of memory", reader->source);
    cJSON_ArrayForEach(entry, header) {
        if (strcmp(entry->string, "__metadata__") == 0) {
            if (!cJSON_IsObject(entry)) return FAIL(reader, "%s: __metadata__ is not an object", reader->source);
            continue;
        }
        rn_status status = read_tensor(reader, entry, &file->tensors[file->count]);
        if (status) return status;
        file->count++;
    }
    return check_tensors(reader, file);
}

/* A name with an escaped NUL would be cut short by C strings, and could pass for another. */
static int has_escaped_nul(const char *s, size_t size) {
    for (size_t i = 0; i + 1 < size; i++) {
        if (s[i] != '\\') continue;
        if (i + 6 <= size && memcmp(s + i, "\\u0000", 6) == 0) return 1;
        i++; /* the escaped character, which may be a backslash */
    }
    return 0;
}

/* cJSON notes the place of its last error in a variable of its own; the lock keeps threads from racing for it. */
static cJSON *parse_json(const char *text, size_t size, const char **end) {
    rn_json_lock();
    cJSON *json = cJSON_ParseWithLengthOpts(text, size, end, 0);
    rn_json_unlock();
    return json;
}

rn_status rn_safetensors_parse(rn_safetensors *file, const void *bytes, size_t size, const char *source, char *error,
                               size_t error_size) {
    memset(file, 0, sizeof *file);
    Reader reader = {.source = source, .error = error, .error_size = error_size};
    if (size < LENGTH_SIZE) return FAIL(&reader, "%s: not a safetensors file: %zu bytes are too few", source, size);
    uint64_t length = 0;
    for (int i = 0; i < LENGTH_SIZE; i++) length |= (uint64_t)((const uint8_t *)bytes)[i] << 8 * i;
    if (length > longest_header)
        return FAIL(&reader, "%s: not a safetensors file: its header would be %" PRIu64 " bytes long", source, length);
    if (length > size - LENGTH_SIZE)
        return FAIL(&reader, "%s: truncated: its header of %" PRIu64 " bytes ends beyond the file's %zu", source,
                    length, size);
    const char *text = (const char *)bytes + LENGTH_SIZE, *end = NULL;
    if (length == 0 || text[0] != '{')
        return FAIL(&reader, "%s: not a safetensors file: its header does not begin with {", source);
    if (has_escaped_nul(text, length)) return FAIL(&reader, "%s: its header has a NUL in a string", source);
    errno = 0;
    cJSON *header = parse_json(text, length, &end);
    if (!header) {
        if (errno == ENOMEM) return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", source);
        return FAIL(&reader, "%s: its header is not JSON (byte %td)", source,
                    end && end >= text ? end - text + LENGTH_SIZE : (ptrdiff_t)LENGTH_SIZE);
    }
    while (end < text + length && (*end == ' ' || *end == '\n' || *end == '\r' || *end == '\t')) end++;
    reader.data = (const uint8_t *)text + length;
    reader.data_size = size - LENGTH_SIZE - length;
    rn_status status = end < text + length ? FAIL(&reader, "%s: its header goes on after the JSON object", source)
                                           : read_header(&reader, header, file);
    file->header = header;
    if (status) rn_safetensors_free(file);
    return status;
}

void rn_safetensors_free(rn_safetensors *file) {
    free(file->tensors);
    cJSON_Delete(file->header);
    memset(file, 0, sizeof *file);
}

const rn_safetensor *rn_safetensors_find(const rn_safetensors *file, const char *name) {
    if (!file->count) return NULL;
    const rn_safetensor key = {.name = name};
    return bsearch(&key, file->tensors, (size_t)file->count, sizeof key, compare_names);
}
