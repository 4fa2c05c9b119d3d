/* NumPy's .npy: a magic string, a version, the length of a header, the header (a Python dict literal, as
 * {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 224, 224), }), then the elements.
 *
 * The header comes from a file that may be anything: the parser reads exactly this grammar, three known keys each once,
 * in any order, and refuses the rest in words.
 */
#include "npy.h"
#include "core/file.h"
#include "core/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t max_file = (size_t)1 << 36; /* more than any batch of images */
static const char magic[6] = {(char)0x93, 'N', 'U', 'M', 'P', 'Y'};

typedef struct Header { /* the dict, read from `at` to `end` */
    const char *at, *end;
    char descr[16];
    int fortran; /* -1: not seen */
    int ndim;    /* -1: not seen */
    size_t dim[RN_NPY_DIMS];
} Header;

static void header_space(Header *h) {
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\t' || *h->at == '\n')) h->at++;
}

static int header_take(Header *h, const char *word) {
    header_space(h);
    size_t n = strlen(word);
    if ((size_t)(h->end - h->at) < n || memcmp(h->at, word, n)) return 0;
    h->at += n;
    return 1;
}

/* 'text' or "text" */
static int header_string(Header *h, char *text, size_t size) {
    header_space(h);
    if (h->at == h->end || (*h->at != '\'' && *h->at != '"')) return 0;
    const char quote = *h->at++;
    size_t n = 0;
    while (h->at < h->end && *h->at != quote) {
        if (n + 1 >= size) return 0;
        text[n++] = *h->at++;
    }
    text[n] = 0;
    return h->at++ < h->end;
}

static int header_number(Header *h, size_t *number) {
    header_space(h);
    const char *start = h->at;
    size_t n = 0;
    while (h->at < h->end && *h->at >= '0' && *h->at <= '9') {
        size_t digit = (size_t)(*h->at++ - '0');
        if (n > (SIZE_MAX / 16 - digit) / 10) return 0;
        n = 10 * n + digit;
    }
    *number = n;
    return h->at > start;
}

static const char *header_shape(Header *h) {
    if (!header_take(h, "(")) return "its shape is not a tuple";
    h->ndim = 0;
    while (!header_take(h, ")")) {
        if (h->ndim == RN_NPY_DIMS) return "it has more than 8 dimensions";
        if (!header_number(h, &h->dim[h->ndim])) return "its shape is not made of numbers";
        h->ndim++;
        if (!header_take(h, ",")) {
            if (h->ndim > 1 && header_take(h, ")")) break;
            return "its shape is not a tuple"; /* (3) is a number in Python */
        }
    }
    return NULL;
}

static const char *header_item(Header *h) {
    char key[16];
    if (!header_string(h, key, sizeof key) || !header_take(h, ":")) return "its header is malformed";
    if (!strcmp(key, "descr") && !h->descr[0]) {
        header_space(h);
        if (h->at < h->end && *h->at == '[') return "it holds records, not numbers";
        return header_string(h, h->descr, sizeof h->descr) ? NULL : "its element type is malformed";
    }
    if (!strcmp(key, "fortran_order") && h->fortran < 0) {
        if (header_take(h, "True"))
            h->fortran = 1;
        else if (header_take(h, "False"))
            h->fortran = 0;
        else
            return "its fortran_order is neither True nor False";
        return NULL;
    }
    if (!strcmp(key, "shape") && h->ndim < 0) return header_shape(h);
    return "its header has an unknown or repeated key";
}

static const char *header_parse(Header *h) {
    h->descr[0] = 0;
    h->fortran = h->ndim = -1;
    if (!header_take(h, "{")) return "its header is not a dictionary";
    while (!header_take(h, "}")) {
        const char *fault = header_item(h);
        if (fault) return fault;
        if (!header_take(h, ",")) {
            if (header_take(h, "}")) break;
            return "its header is malformed";
        }
    }
    header_space(h);
    if (h->at != h->end) return "its header is followed by other text";
    if (!h->descr[0] || h->fortran < 0 || h->ndim < 0) return "its header lacks descr, fortran_order or shape";
    if (h->fortran) return "it is in Fortran order; save numpy.ascontiguousarray(x)";
    return NULL;
}

static const struct {
    char descr[4];
    uint8_t item;
} npy_types[RN_NPY_TYPES] = {
    [RN_NPY_F4] = {"<f4", 4}, [RN_NPY_F8] = {"<f8", 8}, [RN_NPY_U1] = {"|u1", 1}, [RN_NPY_U2] = {"<u2", 2},
    [RN_NPY_U4] = {"<u4", 4}, [RN_NPY_U8] = {"<u8", 8}, [RN_NPY_I1] = {"|i1", 1}, [RN_NPY_I2] = {"<i2", 2},
    [RN_NPY_I4] = {"<i4", 4}, [RN_NPY_I8] = {"<i8", 8},
};

static void npy_convert(float *out, const uint8_t *in, size_t count, size_t item) {
    if (item == 4) {
        if (count) memcpy(out, in, 4 * count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        double value = in[item == 1 ? i : 0];
        if (item == 8) memcpy(&value, in + 8 * i, 8);
        out[i] = (float)value;
    }
}

/* Where the dict begins, and how long it is; 0 where there is none. */
static size_t header_place(const uint8_t *bytes, size_t size, size_t *length) {
    if (size < 10 || memcmp(bytes, magic, sizeof magic) || bytes[6] < 1 || bytes[6] > 3 || bytes[7]) return 0;
    const size_t prefix = bytes[6] == 1 ? 10 : 12;
    if (size < prefix) return 0;
    *length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] > 1) *length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    return prefix;
}

size_t rn_npy_worth(const uint8_t *beginning, size_t count) {
    size_t length;
    const size_t prefix = header_place(beginning, count, &length);
    if (!prefix) return count;
    if (length > count - prefix) return SIZE_MAX;
    Header h = {.at = (const char *)beginning + prefix, .end = (const char *)beginning + prefix + length};
    if (header_parse(&h)) return count;
    size_t size = 8; /* the largest element's */
    for (int i = 0; i < h.ndim; i++)
        if (__builtin_mul_overflow(size, h.dim[i], &size)) return SIZE_MAX;
    return size < SIZE_MAX - prefix - length ? prefix + length + size + 1 : SIZE_MAX;
}

rn_status rn_npy_layout_parse(rn_npy_layout *layout, const uint8_t *bytes, size_t size, unsigned types,
                              const char *what, const char *name, char *error, size_t error_size) {
    memset(layout, 0, sizeof *layout);
#define REFUSE(...) return rn_status_fail(error, error_size, RN_ERROR_FORMAT, __VA_ARGS__)
    if (size < 10 || memcmp(bytes, magic, sizeof magic)) REFUSE("%s: not a .npy file", name);
    const int version = bytes[6];
    if (version < 1 || version > 3 || bytes[7]) REFUSE("%s: .npy version %d.%d is not known", name, version, bytes[7]);
    size_t length = 0;
    const size_t prefix = header_place(bytes, size, &length);
    if (!prefix || length > size - prefix) REFUSE("%s: truncated in its header", name);

    Header h = {.at = (const char *)bytes + prefix, .end = (const char *)bytes + prefix + length};
    const char *fault = header_parse(&h);
    if (fault) REFUSE("%s: %s", name, fault);
    rn_npy_type type = 0;
    while (type < RN_NPY_TYPES && (!(types >> type & 1) || strcmp(h.descr, npy_types[type].descr))) type++;
    if (type == RN_NPY_TYPES) {
        for (char *c = h.descr; *c; c++)
            if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') *c = '?';
        REFUSE("%s: elements of type '%s'; %s are read", name, h.descr, what);
    }
    const size_t item = npy_types[type].item, have = size - prefix - length;
    size_t count = 1;
    for (int i = 0; i < h.ndim; i++) {
        if (h.dim[i] && count > SIZE_MAX / 16 / h.dim[i]) REFUSE("%s: its shape is too large", name);
        count *= h.dim[i];
    }
    if (count * item > have)
        REFUSE("%s: truncated: %zu bytes of data where its shape needs %zu", name, have, count * item);
    if (count * item < have) REFUSE("%s: more than the %zu bytes of data that its shape needs", name, count * item);
#undef REFUSE
    *layout = (rn_npy_layout){.type = type, .item = item, .ndim = h.ndim, .count = count, .data = prefix + length};
    memcpy(layout->dim, h.dim, sizeof *h.dim * (size_t)h.ndim);
    return RN_OK;
}

rn_status rn_npy_parse(rn_npy *array, const uint8_t *bytes, size_t size, const char *name, char *error,
                       size_t error_size) {
    memset(array, 0, sizeof *array);
    rn_npy_layout layout;
    rn_status status = rn_npy_layout_parse(&layout, bytes, size, 1 << RN_NPY_F4 | 1 << RN_NPY_F8 | 1 << RN_NPY_U1,
                                           "float32, float64 or uint8 (little-endian)", name, error, error_size);
    if (status) return status;
    array->data = malloc(layout.count ? layout.count * sizeof *array->data : 1);
    if (!array->data)
        return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: no memory for %zu floats", name, layout.count);
    array->ndim = layout.ndim;
    memcpy(array->dim, layout.dim, sizeof layout.dim);
    array->count = layout.count;
    npy_convert(array->data, bytes + layout.data, layout.count, layout.item);
    return RN_OK;
}

rn_status rn_npy_read(rn_npy *array, const char *path, char *error, size_t error_size) {
    uint8_t *bytes;
    size_t size;
    memset(array, 0, sizeof *array);
    rn_status status = rn_file_read_worth(&bytes, &size, path, max_file, rn_npy_worth, error, error_size);
    if (status) return status;
    status = rn_npy_parse(array, bytes, size, path, error, error_size);
    free(bytes);
    return status;
}

void rn_npy_free(rn_npy *array) {
    free(array->data);
    memset(array, 0, sizeof *array);
}

rn_status rn_npy_write(const char *path, const float *data, int ndim, const size_t *dim, char *error,
                       size_t error_size) {
    enum { ALIGN = 64, HEADER = 384 }; /* NumPy aligns the data to 64 bytes; 8 dimensions fit */
    char header[HEADER];
    if (ndim < 0 || ndim > RN_NPY_DIMS)
        return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, "%s: %d dimensions", path, ndim);
    size_t count = 1, prefix = 10;
    int n = snprintf(header + prefix, HEADER - prefix, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < ndim; i++) {
        const char *comma = ndim == 1 ? "," : i + 1 < ndim ? ", " : "";
        n += snprintf(header + prefix + n, HEADER - prefix - (size_t)n, "%zu%s", dim[i], comma);
        count *= dim[i];
    }
    n += snprintf(header + prefix + n, HEADER - prefix - (size_t)n, "), }");
    const size_t total = (prefix + (size_t)n + 1 + ALIGN - 1) / ALIGN * ALIGN;
    memset(header + prefix + n, ' ', total - prefix - (size_t)n);
    header[total - 1] = '\n';
    memcpy(header, magic, sizeof magic);
    header[6] = 1;
    header[7] = 0;
    header[8] = (char)((total - prefix) & 0xff);
    header[9] = (char)((total - prefix) >> 8);
    return rn_file_write(path, header, total, data, count * sizeof *data, error, error_size);
}
