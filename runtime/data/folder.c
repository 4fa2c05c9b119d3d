/* Folders of picture files, as ImageNet's are kept: DIR/train/CLASS/FILE and DIR/test/CLASS/FILE (or DIR/val). Classes
 * are the folders of DIR/train, their number is their place when sorted by bytes; so are files within a class. Files
 * are listed when the set is opened, and read when their picture is wanted. */
#include "set.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

typedef struct List { /* of a folder, without hidden ones, sorted by bytes */
    struct dirent **entries;
    int count;
} List;

static int is_shown(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_picture(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && (!strcasecmp(dot, ".png") || !strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg"));
}

static rn_status list_folder(rn_data *data, List *list, const char *path) {
    list->count = scandir(path, &list->entries, is_shown, by_bytes);
    if (list->count >= 0) return RN_OK;
    *list = (List){NULL, 0};
    return rn_data_fail(data, errno == ENOMEM ? RN_ERROR_MEMORY : RN_ERROR_FILE, "%s: cannot be opened: %s", path,
                        strerror(errno));
}

static void list_free(List *list) {
    for (int i = 0; i < list->count; i++) free(list->entries[i]);
    free(list->entries);
    *list = (List){NULL, 0};
}

/* path = folder/name; *info says what it is. */
static rn_status look_at(rn_data *data, char path[RN_DATA_PATH], struct stat *info, const char *folder,
                         const char *name) {
    const int length = snprintf(path, RN_DATA_PATH, "%s/%s", folder, name);
    if (length < 0 || length >= RN_DATA_PATH)
        return rn_data_fail(data, RN_ERROR_FILE, "%s: a path in it is longer than %d bytes", folder, RN_DATA_PATH - 1);
    if (stat(path, info)) return rn_data_fail(data, RN_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    return RN_OK;
}

/* ---- the pictures of a class ---- */

typedef struct Names { /* grows to a part's names and labels */
    rn_data_part *part;
    size_t capacity;
} Names;

static rn_status names_add(rn_data *data, Names *names, const char *name, off_t size, int label) {
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
    char text[32]; /* the size is for the set's hash */
    size_t at;
    snprintf(text, sizeof text, "%jd", (intmax_t)size);
    rn_status status = rn_data_text_add(data, name, &part->names[part->count]);
    if (!status) status = rn_data_text_add(data, text, &at);
    part->labels[part->count] = label;
    if (!status) part->count++;
    return status;
}

static rn_status add_class(rn_data *data, Names *names, const char *path, int label) {
    List list;
    char file[RN_DATA_PATH];
    struct stat info;
    rn_status status = list_folder(data, &list, path);
    for (int i = 0; i < list.count && !status; i++) {
        const char *name = list.entries[i]->d_name;
        status = look_at(data, file, &info, path, name);
        if (!status && S_ISDIR(info.st_mode))
            status = rn_data_fail(data, RN_ERROR_FORMAT, "%s: a folder within a class; pictures lie right in it", file);
        if (!status && is_picture(name)) {
            if (S_ISREG(info.st_mode))
                status = names_add(data, names, name, info.st_size, label);
            else
                status = rn_data_fail(data, RN_ERROR_FORMAT, "%s: is no regular file", file);
        }
    }
    list_free(&list);
    return status;
}

/* ---- the classes of a split ---- */

/* The number of a class; -1: there is none of this name. The names are sorted. */
static int class_named(const rn_data *data, const char *name) {
    int low = 0, high = data->info.classes;
    while (low < high) {
        const int middle = low + (high - low) / 2, order = strcmp(name, data->class_names[middle]);
        if (order == 0) return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static rn_status add_split_class(rn_data *data, Names *names, const char *split_path, const char *name) {
    char path[RN_DATA_PATH];
    struct stat info;
    rn_status status = look_at(data, path, &info, split_path, name);
    if (status) return status;
    if (!S_ISDIR(info.st_mode)) {
        if (!is_picture(name)) return RN_OK;
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: a picture outside of a class's folder", path);
    }
    const int label = class_named(data, name);
    if (label < 0)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: %s/train has no class of this name", path, data->folder);
    const uint32_t before = names->part->count;
    status = add_class(data, names, path, label);
    if (!status && names->part == &data->part[RN_TRAIN] && names->part->count == before)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: no picture (.png, .jpg, .jpeg) in it", path);
    return status;
}

static rn_status add_split(rn_data *data, rn_data_part *part, const char *folder, const List *list) {
    char path[RN_DATA_PATH];
    Names names = {.part = part};
    part->folder = folder;
    rn_status status = rn_data_path(data, path, folder);
    for (int i = 0; i < list->count && !status; i++)
        status = add_split_class(data, &names, path, list->entries[i]->d_name);
    if (!status && !part->count)
        status = rn_data_fail(data, RN_ERROR_FORMAT, "%s: no picture (.png, .jpg, .jpeg) in its folders", path);
    return status;
}

/* The folders in `list` are the classes. Their names are a copy of their own: the text moves while it grows. */
static rn_status take_classes(rn_data *data, const char *path, const List *list) {
    char file[RN_DATA_PATH];
    struct stat info;
    size_t size = 0;
    for (int i = 0; i < list->count; i++) size += strlen(list->entries[i]->d_name) + 1 + sizeof *data->class_names;
    data->class_names = malloc(size ? size : 1);
    if (!data->class_names) return rn_data_no_memory(data);
    char *at = (char *)(data->class_names + list->count);
    for (int i = 0; i < list->count; i++) {
        const char *name = list->entries[i]->d_name;
        rn_status status = look_at(data, file, &info, path, name);
        if (status) return status;
        if (!S_ISDIR(info.st_mode)) continue;
        const size_t length = strlen(name) + 1;
        memcpy(at, name, length);
        data->class_names[data->info.classes++] = at;
        at += length;
    }
    if (data->info.classes < 2 || data->info.classes > RN_DATA_MAX_CLASSES)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: %d folders of classes; there are 2 to %d", path,
                            data->info.classes, RN_DATA_MAX_CLASSES);
    size_t first;
    for (int i = 0; i < data->info.classes; i++) { /* for the set's hash */
        rn_status status = rn_data_text_add(data, data->class_names[i], &first);
        if (status) return status;
    }
    return RN_OK;
}

static rn_status open_split(rn_data *data, rn_data_part *part, const char *folder) {
    char path[RN_DATA_PATH];
    List list;
    rn_status status = rn_data_path(data, path, folder);
    if (!status) status = list_folder(data, &list, path);
    if (status) return status;
    if (part == &data->part[RN_TRAIN]) status = take_classes(data, path, &list);
    if (!status) status = add_split(data, part, folder, &list);
    list_free(&list);
    return status;
}

rn_status rn_data_open_folder(rn_data *data) {
    char path[RN_DATA_PATH];
    struct stat info;
    data->info.picture.c = 3;
    rn_status status = open_split(data, &data->part[RN_TRAIN], "train");
    if (!status) status = rn_data_path(data, path, "test");
    if (status) return status;
    const char *test = !stat(path, &info) ? "test" : "val";
    if (rn_data_path(data, path, test)) return RN_ERROR_FILE;
    if (stat(path, &info))
        return rn_data_fail(data, RN_ERROR_FILE, "%s: has neither a folder test nor val", data->folder);
    return open_split(data, &data->part[RN_TEST], test);
}
