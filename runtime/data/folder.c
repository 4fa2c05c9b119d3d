/* Folders of picture files, as ImageNet's are kept: DIR/train/CLASS/FILE and DIR/test/CLASS/FILE (or DIR/val). Classes
 * are the folders of DIR/train, their number is their place when sorted by bytes; so are files within a class. To test
 * with alone, DIR/train may be missing, and DIR itself may be what holds the classes' folders. Files are listed when
 * the set is opened, and read when their picture is wanted. */
#include "set.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* The size is for the set's hash. */
static rn_status add_file(rn_data *data, rn_data_names *names, const char *name, off_t size, int label) {
    char text[32];
    size_t at;
    snprintf(text, sizeof text, "%jd", (intmax_t)size);
    rn_status status = rn_data_names_add(data, names, name, label);
    return status ? status : rn_data_text_add(data, text, &at);
}

static rn_status add_class(rn_data *data, rn_data_names *names, const char *path, int label) {
    List list;
    char file[RN_DATA_PATH];
    struct stat info;
    rn_status status = list_folder(data, &list, path);
    for (int i = 0; i < list.count && !status; i++) {
        const char *name = list.entries[i]->d_name;
        status = look_at(data, file, &info, path, name);
        if (!status && S_ISDIR(info.st_mode))
            status = rn_data_fail(data, RN_ERROR_FORMAT, "%s: a folder within a class; pictures lie right in it", file);
        if (!status && rn_data_is_picture(name)) {
            if (S_ISREG(info.st_mode))
                status = add_file(data, names, name, info.st_size, label);
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

static rn_status add_split_class(rn_data *data, rn_data_names *names, const char *split_path, const char *name) {
    char path[RN_DATA_PATH];
    struct stat info;
    rn_status status = look_at(data, path, &info, split_path, name);
    if (status) return status;
    if (!S_ISDIR(info.st_mode)) {
        if (!rn_data_is_picture(name)) return RN_OK;
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

static rn_status add_split(rn_data *data, rn_data_part *part, const char *path, const List *list) {
    rn_data_names names = {.part = part};
    rn_status status = RN_OK;
    part->folder = strdup(path);
    if (!part->folder) return rn_data_no_memory(data);
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
    const int least = data->tests ? 1 : 2;
    if (!data->info.classes)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: no folders, which are the classes", path);
    if (data->info.classes < least || data->info.classes > RN_DATA_MAX_CLASSES)
        return rn_data_fail(data, RN_ERROR_FORMAT, "%s: %d folders of classes; there are %d to %d", path,
                            data->info.classes, least, RN_DATA_MAX_CLASSES);
    size_t first;
    for (int i = 0; i < data->info.classes; i++) { /* for the set's hash */
        rn_status status = rn_data_text_add(data, data->class_names[i], &first);
        if (status) return status;
    }
    return RN_OK;
}

/* The folders of FOLDER/name; of FOLDER itself where name is "". */
static rn_status open_list(rn_data *data, char path[RN_DATA_PATH], List *list, const char *name) {
    rn_status status = rn_data_path(data, path, name);
    if (!*name) path[strlen(data->folder)] = 0;
    return status ? status : list_folder(data, list, path);
}

/* The classes are the folders of FOLDER/`classes`; this split's pictures lie in those of FOLDER/`folder`. */
static rn_status open_split(rn_data *data, rn_data_part *part, const char *folder, const char *classes) {
    char path[RN_DATA_PATH];
    List list;
    rn_status status = RN_OK;
    if (!data->class_names) {
        status = open_list(data, path, &list, classes);
        if (status) return status;
        status = take_classes(data, path, &list);
        list_free(&list);
    }
    if (!status) status = open_list(data, path, &list, folder);
    if (status) return status;
    status = add_split(data, part, path, &list);
    list_free(&list);
    return status;
}

static int is_there(rn_data *data, const char *name) {
    char path[RN_DATA_PATH];
    struct stat info;
    return !rn_data_path(data, path, name) && !stat(path, &info) && S_ISDIR(info.st_mode);
}

rn_status rn_data_open_folder(rn_data *data) {
    data->info.picture.c = 3;
    data->info.sorted = 1;
    rn_status status = data->tests ? RN_OK : open_split(data, &data->part[RN_TRAIN], "train", "train");
    if (status) return status;
    const char *test = is_there(data, "test") ? "test" : is_there(data, "val") ? "val" : "";
    if (!*test && !data->tests)
        return rn_data_fail(data, RN_ERROR_FILE, "%s: has neither a folder test nor val", data->folder);
    return open_split(data, &data->part[RN_TEST], test, *test && is_there(data, "train") ? "train" : test);
}
