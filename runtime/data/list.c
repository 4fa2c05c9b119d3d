/* List files, as Caffe's and many data sets' val.txt are: a line "PATH LABEL" a picture. The label is what stands
 * behind the last tab, or where the line has none, the last space; paths are from the list's folder on, or whole. Where
 * all labels are whole numbers they are the classes' numbers; else names, of which a class's number is its place when
 * they are sorted by bytes. Empty lines are passed over. */
#include "set.h"
#include "core/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_LIST = 1 << 30 };

typedef struct Line {
    char *path;
    const char *label;
    int number;
} Line;

typedef struct List {
    char *text; /* the file; lines' parts end in 0 */
    Line *lines;
    size_t count, capacity;
} List;

static rn_status add_line(rn_data *data, List *list, char *path, const char *label, int number) {
    if (list->count == list->capacity) {
        const size_t larger = list->capacity ? 2 * list->capacity : 256;
        Line *moved = realloc(list->lines, larger * sizeof *moved);
        if (!moved) return rn_data_no_memory(data);
        list->lines = moved;
        list->capacity = larger;
    }
    list->lines[list->count++] = (Line){path, label, number};
    return RN_OK;
}

/* Cuts `line` in two. NULL: it has no label. */
static char *cut_label(char *line) {
    char *space = strrchr(line, '\t');
    if (!space) space = strrchr(line, ' ');
    if (!space || space == line) return NULL;
    char *label = space + 1;
    while (space > line && (space[-1] == ' ' || space[-1] == '\t')) space--;
    *space = 0;
    return space > line ? label : NULL;
}

static size_t text_worth(const uint8_t *beginning, size_t count) {
    return memchr(beginning, 0, count) ? count : SIZE_MAX;
}

static rn_status read_lines(rn_data *data, List *list) {
    uint8_t *bytes;
    size_t size;
    rn_status status =
        rn_file_read_worth(&bytes, &size, data->folder, MAX_LIST, text_worth, data->error, data->error_size);
    if (status) return status;
    list->text = realloc(bytes, size + 1);
    if (!list->text) {
        free(bytes);
        return rn_data_no_memory(data);
    }
    list->text[size] = 0;
    if (strlen(list->text) != size)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: byte %zu: a zero in a file of text", data->folder,
                            strlen(list->text));
    const int mark = !strncmp(list->text, "\xef\xbb\xbf", 3); /* a byte order mark is no part of the first path */
    int number = 0;
    for (char *at = list->text + (mark ? 3 : 0), *line; !status && (line = rn_data_next_line(&at));) {
        number++;
        if (!*line) continue;
        const char *label = cut_label(line);
        if (!label)
            return rn_data_fail(data, RN_ERROR_FORMAT, "%s: line %d: '%.80s' is no path and its label, PATH LABEL",
                                data->folder, number, line);
        status = add_line(data, list, line, label, number);
    }
    if (!status && !list->count)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: no picture in it; a line is PATH LABEL", data->folder);
    return status;
}

/* ---- labels ---- */

static int is_number(const char *label) {
    return *label && !label[strspn(label, "0123456789")];
}

static int by_label(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static rn_status take_numbers(rn_data *data, const List *list, int *labels) {
    for (size_t i = 0; i < list->count; i++) {
        const unsigned long n = strtoul(list->lines[i].label, NULL, 10);
        if (n >= RN_DATA_MAX_CLASSES)
            return rn_data_fail(data, RN_ERROR_FORMAT, "%s: line %d: label %.20s; they are 0 to %d", data->folder,
                                list->lines[i].number, list->lines[i].label, RN_DATA_MAX_CLASSES - 1);
        labels[i] = (int)n;
        if ((int)n >= data->info.classes) data->info.classes = (int)n + 1;
    }
    return RN_OK;
}

/* class_names owns the names: they lie behind its pointers. */
static rn_status take_names(rn_data *data, const List *list, int *labels) {
    const char **sorted = malloc(list->count * sizeof *sorted);
    size_t classes = 0, size = 0;
    if (!sorted) return rn_data_no_memory(data);
    for (size_t i = 0; i < list->count; i++) sorted[i] = list->lines[i].label;
    qsort(sorted, list->count, sizeof *sorted, by_label);
    for (size_t i = 0; i < list->count; i++)
        if (!i || strcmp(sorted[i], sorted[classes - 1])) {
            sorted[classes++] = sorted[i];
            size += strlen(sorted[i]) + 1 + sizeof *sorted;
        }
    rn_status status = RN_OK;
    if (classes > RN_DATA_MAX_CLASSES)
        status = rn_data_fail(data, RN_ERROR_FORMAT, "%s: %zu classes; at most %d are read", data->folder, classes,
                              RN_DATA_MAX_CLASSES);
    if (!status && !(data->class_names = malloc(size))) status = rn_data_no_memory(data);
    char *at = (char *)(data->class_names + classes);
    for (size_t k = 0; k < classes && !status; k++) {
        const size_t length = strlen(sorted[k]) + 1;
        data->class_names[k] = memcpy(at, sorted[k], length);
        at += length;
    }
    for (size_t i = 0; i < list->count && !status; i++) {
        const char **place = bsearch(&list->lines[i].label, sorted, classes, sizeof *sorted, by_label);
        labels[i] = (int)(place - sorted);
    }
    data->info.classes = (int)classes;
    data->info.sorted = 1;
    free(sorted);
    return status;
}

static rn_status take_labels(rn_data *data, const List *list, int *labels) {
    size_t numbers = 0;
    for (size_t i = 0; i < list->count; i++) numbers += is_number(list->lines[i].label);
    return numbers == list->count ? take_numbers(data, list, labels) : take_names(data, list, labels);
}

/* ---- pictures ---- */

static rn_status add_picture(rn_data *data, rn_data_names *names, const Line *line, int label) {
    char path[RN_DATA_PATH];
    struct stat info;
    const char *slash = strrchr(data->folder, '/');
    const int folder = *line->path == '/' || !slash ? 0 : (int)(slash + 1 - data->folder);
    const int length = snprintf(path, sizeof path, "%.*s%s", folder, data->folder, line->path);
    if (length < 0 || length >= RN_DATA_PATH)
        return rn_data_fail(data, RN_ERROR_FILE, "%s: line %d: a path longer than %d bytes", data->folder, line->number,
                            RN_DATA_PATH - 1);
    if (stat(path, &info))
        return rn_data_fail(data, RN_ERROR_FILE, "%s: line %d: %s: cannot be opened: %s", data->folder, line->number,
                            path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: line %d: %s: is no regular file", data->folder, line->number,
                            path);
    return rn_data_names_add(data, names, path, label);
}

rn_status rn_data_open_list(rn_data *data) {
    List list = {0};
    rn_data_names names = {.part = &data->part[RN_TEST]};
    data->info.picture.c = 3;
    rn_status status = read_lines(data, &list);
    int *labels = status ? NULL : malloc(list.count * sizeof *labels);
    if (!status) status = labels ? take_labels(data, &list, labels) : rn_data_no_memory(data);
    for (size_t i = 0; i < list.count && !status; i++) status = add_picture(data, &names, &list.lines[i], labels[i]);
    free(labels);
    free(list.lines);
    free(list.text);
    return status;
}
