/* What the readers of data sets share: files in memory, names, labels, errors. */
#include "set.h"
#include "core/file.h"
#include "core/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <zlib.h>

enum { FAULT_CHUNK = 1 << 24, FIRST_INFLATED = 1 << 16, MAX_NAMES_FILE = 1 << 24 };
static const size_t max_inflated = (size_t)1 << 36;

rn_status rn_data_fail(rn_data *data, rn_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    rn_status_vfail(data->error, data->error_size, status, format, arguments);
    va_end(arguments);
    return status;
}

rn_status rn_data_no_memory(rn_data *data) {
    return rn_data_fail(data, RN_ERROR_MEMORY, "%s: no memory for the data set", data->spec);
}

rn_status rn_data_path(rn_data *data, char path[RN_DATA_PATH], const char *name) {
    const int length = snprintf(path, RN_DATA_PATH, "%s/%s", data->folder, name);
    if (length < 0 || length >= RN_DATA_PATH)
        return rn_data_fail(data, RN_ERROR_FILE, "%s: a path in it is longer than %d bytes", data->folder,
                            RN_DATA_PATH - 1);
    return RN_OK;
}

/* ---- files ---- */

static rn_status file_add(rn_data *data, rn_data_file **file, const char *path) {
    if (data->file_count == RN_DATA_FILES) return rn_data_fail(data, RN_ERROR_ARGUMENT, "%s: too many files", path);
    rn_data_file *f = &data->files[data->file_count];
    f->path = strdup(path);
    if (!f->path) return rn_data_no_memory(data);
    data->file_count++;
    *file = f;
    return RN_OK;
}

static rn_status file_map(rn_data *data, rn_data_file *f) {
    rn_status status = rn_pages_map(&f->pages, f->path, data->error, data->error_size);
    if (status) return status;
    f->bytes = f->pages.bytes;
    f->size = f->pages.count;
    for (size_t at = 0; at < f->size; at += FAULT_CHUNK)
        if (rn_pages_fault(f->bytes + at, f->size - at < FAULT_CHUNK ? f->size - at : FAULT_CHUNK))
            return rn_data_fail(data, RN_ERROR_FILE, "%s: cannot be read from byte %zu on", f->path, at);
    return RN_OK;
}

rn_status rn_data_file_map(rn_data *data, const rn_data_file **file, const char *name) {
    char path[RN_DATA_PATH];
    rn_data_file *f;
    rn_status status = rn_data_path(data, path, name);
    if (!status) status = file_add(data, &f, path);
    if (!status) status = file_map(data, f);
    if (!status) *file = f;
    return status;
}

/* How much an IDX file has by its header: its magic number's last byte is how many sizes follow. 0 where that is not
 * yet to be said, or it is no IDX file of bytes, which who opens it says. */
static size_t idx_size(const uint8_t *bytes, size_t used) {
    enum { MAGIC = 4, BYTES_TYPE = 8, MOST_SIZES = 3 };
    if (used < MAGIC) return 0;
    const size_t sizes = bytes[3], header = MAGIC * (1 + sizes);
    if (bytes[0] || bytes[1] || bytes[2] != BYTES_TYPE || sizes > MOST_SIZES || used < header) return 0;
    size_t count = 1;
    for (size_t i = 1; i <= sizes; i++) {
        const uint8_t *b = bytes + MAGIC * i;
        const size_t size = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
        if (__builtin_mul_overflow(count, size, &count) || count > max_inflated) return max_inflated;
    }
    return header + count;
}

/* Room for more behind the `used` bytes of f->inflated. */
static rn_status inflated_grow(rn_data *data, rn_data_file *f, size_t *capacity) {
    const size_t larger = *capacity ? 2 * *capacity : FIRST_INFLATED;
    if (larger > max_inflated)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: more than %zu bytes decompressed", f->path, max_inflated);
    uint8_t *moved = realloc(f->inflated, larger);
    if (!moved) return rn_data_no_memory(data);
    f->inflated = moved;
    *capacity = larger;
    return RN_OK;
}

/* Decompresses a file of one or more gzip members. z has been initialised. */
static rn_status inflate_members(rn_data *data, rn_data_file *f, z_stream *z) {
    static const size_t most = 1 << 30; /* zlib counts in 32 bits */
    size_t at = 0, used = 0, capacity = 0;
    for (;;) {
        if (used == capacity) { /* a small file may hold terabytes of zeros */
            const size_t whole = idx_size(f->inflated, used);
            if (used && !whole) break;
            if (used > whole)
                return rn_data_fail(data, RN_ERROR_FORMAT, "%s: more than the %zu bytes that its header counts",
                                    f->path, whole);
            rn_status status = inflated_grow(data, f, &capacity);
            if (status) return status;
        }
        const size_t in = f->size - at < most ? f->size - at : most;
        const size_t out = capacity - used < most ? capacity - used : most;
        z->next_in = (Bytef *)(uintptr_t)(f->bytes + at);
        z->avail_in = (uInt)in;
        z->next_out = f->inflated + used;
        z->avail_out = (uInt)out;
        const int code = inflate(z, Z_NO_FLUSH);
        at += in - z->avail_in;
        used += out - z->avail_out;
        if (code == Z_MEM_ERROR) return rn_data_no_memory(data);
        if (code == Z_STREAM_END) {
            if (at == f->size) break;
            if (inflateReset(z) != Z_OK) return rn_data_no_memory(data);
        } else if (code == Z_BUF_ERROR || (code == Z_OK && at == f->size && z->avail_out)) {
            return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: the file ends within its gzip data", f->path, at);
        } else if (code != Z_OK) {
            return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: damaged gzip data: %s", f->path, at,
                                z->msg ? z->msg : "it needs a dictionary");
        }
    }
    f->size = used;
    return RN_OK;
}

static rn_status file_inflate(rn_data *data, rn_data_file *f) {
    z_stream z = {0};
    if (f->size == 0) return rn_data_fail(data, RN_ERROR_FORMAT, "%s: empty", f->path);
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) return rn_data_no_memory(data);
    rn_status status = inflate_members(data, f, &z);
    inflateEnd(&z);
    if (status) return status;
    rn_pages_free(&f->pages);
    f->bytes = f->inflated;
    return RN_OK;
}

rn_status rn_data_file_inflate(rn_data *data, const rn_data_file **file, const char *name) {
    char path[RN_DATA_PATH], zipped[RN_DATA_PATH];
    struct stat info;
    rn_status status = rn_data_path(data, path, name);
    if (status) return status;
    const int length = snprintf(zipped, sizeof zipped, "%s.gz", path);
    if (!stat(path, &info) || length < 0 || (size_t)length >= sizeof zipped) return rn_data_file_map(data, file, name);
    if (stat(zipped, &info))
        return rn_data_fail(data, RN_ERROR_FILE, "%s: cannot be opened, nor with .gz: %s", path, strerror(errno));
    rn_data_file *f;
    status = file_add(data, &f, zipped);
    if (!status) status = file_map(data, f);
    if (!status) status = file_inflate(data, f);
    if (!status) *file = f;
    return status;
}

/* ---- names ---- */

rn_status rn_data_text_add(rn_data *data, const char *string, size_t *at) {
    const size_t size = strlen(string) + 1;
    if (data->text_capacity - data->text_size < size) {
        const size_t larger = 2 * (data->text_capacity + size);
        char *moved = realloc(data->text, larger);
        if (!moved) return rn_data_no_memory(data);
        data->text = moved;
        data->text_capacity = larger;
    }
    *at = data->text_size;
    memcpy(data->text + *at, string, size);
    data->text_size += size;
    return RN_OK;
}

rn_status rn_data_names_add(rn_data *data, rn_data_names *names, const char *name, int label) {
    rn_data_part *part = names->part;
    if (part->count == names->capacity) {
        const size_t larger = names->capacity ? 2 * names->capacity : 256;
        size_t *moved = realloc(part->names, larger * sizeof *moved);
        if (moved) part->names = moved;
        int32_t *labels = moved ? realloc(part->labels, larger * sizeof *labels) : NULL;
        if (labels) part->labels = labels;
        if (!labels) return rn_data_no_memory(data);
        names->capacity = larger;
    }
    if (part->count == INT32_MAX) return rn_data_fail(data, RN_ERROR_FORMAT, "%s: too many pictures", data->folder);
    rn_status status = rn_data_text_add(data, name, &part->names[part->count]);
    part->labels[part->count] = label;
    if (!status) part->count++;
    return status;
}

int rn_data_is_picture(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && (!strcasecmp(dot, ".png") || !strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg"));
}

/* The next line of text, its end made a 0; NULL at the end. */
char *rn_data_next_line(char **at) {
    char *line = *at;
    if (!*line) return NULL;
    char *end = line + strcspn(line, "\n");
    *at = *end ? end + 1 : end;
    while (end > line && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t')) end--;
    *end = 0;
    return line;
}

static rn_status take_class_names(rn_data *data, const char *path, size_t size) {
    if (strlen(data->text) != size)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: a zero in a file of text", path, strlen(data->text));
    data->class_names = calloc((size_t)data->info.classes, sizeof *data->class_names);
    if (!data->class_names) return rn_data_no_memory(data);
    int count = 0;
    for (char *at = data->text, *line; (line = rn_data_next_line(&at));) {
        if (!*line) continue;
        if (count < data->info.classes) data->class_names[count] = line;
        count++;
    }
    if (count != data->info.classes)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: %d names for %d classes", path, count, data->info.classes);
    return RN_OK;
}

rn_status rn_data_read_class_names(rn_data *data, const char *name) {
    char path[RN_DATA_PATH];
    struct stat info;
    uint8_t *bytes;
    size_t size;
    rn_status status = rn_data_path(data, path, name);
    if (status || stat(path, &info)) return status;
    status = rn_file_read(&bytes, &size, path, MAX_NAMES_FILE, data->error, data->error_size);
    if (status) return status;
    data->text = malloc(size + 1);
    if (data->text) {
        memcpy(data->text, bytes, size);
        data->text[size] = 0;
        data->text_size = size;
    }
    free(bytes);
    return data->text ? take_class_names(data, path, size) : rn_data_no_memory(data);
}

/* ---- what every set must have ---- */

rn_status rn_data_check_shape(rn_data *data, const char *path, size_t offset, size_t c, size_t h, size_t w) {
    enum { MAX_CHANNELS = 1 << 20 };
    static const size_t max_floats = (size_t)1 << 27;
    if (c < 1 || h < 1 || w < 1 || c > MAX_CHANNELS || h > RN_MAX_IMAGE_SIDE || w > RN_MAX_IMAGE_SIDE ||
        h * w > max_floats / c)
        return rn_data_fail(data, RN_ERROR_FORMAT,
                            "%s: byte %zu: pictures of %zu x %zu x %zu; at most %d a side and %zu numbers are read",
                            path, offset, c, h, w, RN_MAX_IMAGE_SIDE, max_floats);
    const rn_shape shape = {(int)c, (int)h, (int)w}, *first = &data->info.picture;
    if (!first->c) data->info.picture = shape;
    if (first->c != shape.c || first->h != shape.h || first->w != shape.w)
        return rn_data_fail(data, RN_ERROR_FORMAT,
                            "%s: byte %zu: pictures of %zu x %zu x %zu; those for training have %d x %d x %d", path,
                            offset, c, h, w, first->c, first->h, first->w);
    return RN_OK;
}

rn_status rn_data_allocate_labels(rn_data *data, rn_data_part *part) {
    part->labels = malloc(part->count * sizeof *part->labels);
    return part->labels ? RN_OK : rn_data_no_memory(data);
}

rn_status rn_data_count_classes(rn_data *data, const rn_data_labels where[RN_SPLITS]) {
    const rn_split told = data->tests ? RN_TEST : RN_TRAIN;
    const rn_data_part *by = &data->part[told], *test = &data->part[RN_TEST];
    int32_t largest = 0;
    for (uint32_t i = 0; i < by->count; i++) largest = by->labels[i] > largest ? by->labels[i] : largest;
    if (largest < 1)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: every label is 0; there are two classes at least",
                            where[told].file->path, where[told].at);
    for (uint32_t i = 0; i < test->count; i++)
        if (test->labels[i] > largest)
            return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: label %d; those for training are 0 to %d",
                                where[RN_TEST].file->path, where[RN_TEST].at + i * where[RN_TEST].each,
                                (int)test->labels[i], (int)largest);
    data->info.classes = largest + 1;
    return RN_OK;
}
