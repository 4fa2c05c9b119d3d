/* Data sets: by their SPEC's first word to a reader, and from an open set to its pictures. */
#include "data.h"
#include "set.h"
#include "core/file.h"
#include "core/status.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const rn_data_kind kinds[] = {
    {"cifar10", "DIR", 0, rn_data_open_cifar10}, {"cifar100", "DIR", 0, rn_data_open_cifar100},
    {"idx", "DIR", 0, rn_data_open_idx},         {"folder", "DIR", 0, rn_data_open_folder},
    {"npy", "DIR", 0, rn_data_open_npy},         {"list", "FILE", 1, rn_data_open_list},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static void list_kinds(char *text, size_t size, int tests) {
    int count = 0, put = 0;
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < KINDS; i++) count += tests || !kinds[i].only_tests;
    for (int i = 0; i < KINDS && used < size; i++) {
        if (kinds[i].only_tests && !tests) continue;
        const char *before = put == 0 ? "" : put + 1 == count ? " or " : ", ";
        used += (size_t)snprintf(text + used, size - used, "%s%s:%s", before, kinds[i].word, kinds[i].what);
        put++;
    }
}

/* ---- hash ---- */

static int hash_part(XXH3_state_t *state, const rn_data *data, const rn_data_part *part) {
    const rn_shape s = data->info.picture;
    const size_t picture = (size_t)s.c * (size_t)s.h * (size_t)s.w * (data->floats ? sizeof(float) : 1);
    int failed = XXH3_64bits_update(state, &part->count, sizeof part->count) == XXH_ERROR;
    failed |= XXH3_64bits_update(state, part->labels, part->count * sizeof *part->labels) == XXH_ERROR;
    for (int b = 0; b < part->block_count; b++)
        for (uint32_t i = 0; i < part->blocks[b].count; i++) {
            const uint8_t *at = part->blocks[b].bytes + i * part->blocks[b].stride;
            failed |= XXH3_64bits_update(state, at, picture) == XXH_ERROR;
        }
    return !failed;
}

/* Of the content, so that a set has the same hash whatever file format or compression it comes in. */
static rn_status hash_set(rn_data *data) {
    XXH3_state_t *state = XXH3_createState();
    if (!state) return rn_data_no_memory(data);
    const int32_t head[] = {data->info.classes, data->info.picture.c, data->info.picture.h, data->info.picture.w,
                            data->floats};
    int good = XXH3_64bits_reset(state) == XXH_OK && XXH3_64bits_update(state, head, sizeof head) == XXH_OK;
    for (int s = 0; s < RN_SPLITS; s++) good = good && hash_part(state, data, &data->part[s]);
    /* a folder's names and sizes; of the others the names of classes, which are no part of the data */
    if (data->part[RN_TEST].names) good = good && XXH3_64bits_update(state, data->text, data->text_size) == XXH_OK;
    data->info.hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return good ? RN_OK : rn_data_no_memory(data);
}

/* ---- open and close ---- */

static rn_status open_set(rn_data **result, const char *spec, int tests, char *error, size_t error_size) {
    *result = NULL;
    char text[128];
    list_kinds(text, sizeof text, tests);
    const char *colon = strchr(spec, ':');
    const rn_data_kind *kind = NULL;
    for (int i = 0; colon && i < KINDS; i++)
        if (strlen(kinds[i].word) == (size_t)(colon - spec) && !memcmp(kinds[i].word, spec, (size_t)(colon - spec)))
            kind = &kinds[i];
    if (!kind) return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, "%s: a data set is %s", spec, text);
    if (!colon[1])
        return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, "%s: its %s is missing", spec,
                              strcmp(kind->what, "DIR") ? "file" : "folder");
    if (kind->only_tests && !tests)
        return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT,
                              "%s: has pictures to test with alone; to train with a data set is %s", spec, text);

    rn_data *data = calloc(1, sizeof *data);
    if (data) data->spec = strdup(spec);
    if (!data || !data->spec) {
        free(data);
        return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: no memory", spec);
    }
    data->kind = kind;
    data->tests = tests;
    data->folder = data->spec + (colon + 1 - spec);
    data->error = error;
    data->error_size = error_size;
    data->info.spec = data->spec;
    rn_status status = kind->open(data);
    for (int s = 0; s < RN_SPLITS; s++) data->info.count[s] = data->part[s].count;
    if (!status) status = hash_set(data);
    if (status) {
        rn_data_close(data);
        return status;
    }
    data->info.class_names = data->class_names;
    data->error = NULL;
    data->error_size = 0;
    *result = data;
    return RN_OK;
}

rn_status rn_data_open(rn_data **result, const char *spec, char *error, size_t error_size) {
    return open_set(result, spec, 0, error, error_size);
}

rn_status rn_data_open_test(rn_data **result, const char *spec, char *error, size_t error_size) {
    return open_set(result, spec, 1, error, error_size);
}

void rn_data_close(rn_data *data) {
    if (!data) return;
    for (int i = 0; i < data->file_count; i++) {
        free(data->files[i].path);
        free(data->files[i].inflated);
        rn_pages_free(&data->files[i].pages);
    }
    for (int s = 0; s < RN_SPLITS; s++) {
        free(data->part[s].labels);
        free(data->part[s].names);
        free(data->part[s].folder);
    }
    free(data->class_names);
    free(data->text);
    free(data->spec);
    free(data);
}

/* ---- what is in it ---- */

const rn_data_info *rn_data_about(const rn_data *data) {
    return &data->info;
}

int rn_data_label(const rn_data *data, rn_split split, uint32_t index) {
    return data->part[split].labels[index];
}

static const rn_data_block *find_block(const rn_data_part *part, uint32_t index) {
    const rn_data_block *block = part->blocks;
    while (index - block->first >= block->count) block++;
    return block;
}

void rn_data_name(const rn_data *data, rn_split split, uint32_t index, char *name, size_t size) {
    const rn_data_part *part = &data->part[split];
    if (part->names) {
        const char *text = data->text + part->names[index];
        if (part->folder)
            snprintf(name, size, "%s/%s/%s", part->folder, data->class_names[part->labels[index]], text);
        else
            snprintf(name, size, "%s", text);
        return;
    }
    const rn_data_block *block = find_block(part, index);
    snprintf(name, size, "%s: picture %u", block->file->path, (unsigned)(index - block->first));
}

static rn_status read_file(rn_image *image, const char *path, rn_jpeg_reduction *reduction, char *error,
                           size_t error_size) {
    static const size_t max_file = 1 << 30; /* as rn_image_read has it */
    uint8_t *bytes;
    size_t size;
    *image = (rn_image){0};
    rn_status status = rn_file_read_worth(&bytes, &size, path, max_file, rn_image_worth, error, error_size);
    if (status) return status;
    if (reduction && size >= 3 && !memcmp(bytes, "\xff\xd8\xff", 3))
        status = rn_jpeg_reduced(image, bytes, size, path, reduction, error, error_size);
    else
        status = rn_image_parse(image, bytes, size, path, error, error_size);
    free(bytes);
    if (status) rn_image_free(image);
    return status;
}

rn_status rn_data_picture_reduced(const rn_data *data, rn_split split, uint32_t index, rn_jpeg_reduction *reduction,
                                  rn_picture *picture, char *error, size_t error_size) {
    memset(picture, 0, sizeof *picture);
    if (reduction) reduction->times = 1;
    const rn_data_part *part = &data->part[split];
    if (part->names) {
        char path[RN_DATA_PATH];
        rn_image image;
        rn_data_name(data, split, index, path, sizeof path);
        rn_status status = read_file(&image, path, reduction, error, error_size);
        if (status) return status;
        *picture = (rn_picture){.shape = {3, image.height, image.width},
                                .bytes = image.rgb,
                                .channel = 1,
                                .row = 3 * (size_t)image.width,
                                .pixel = 3,
                                .owned = image.rgb};
        return RN_OK;
    }
    const rn_data_block *block = find_block(part, index);
    const uint8_t *at = block->bytes + (index - block->first) * block->stride;
    picture->shape = data->info.picture;
    picture->row = (size_t)picture->shape.w;
    picture->channel = picture->row * (size_t)picture->shape.h;
    picture->pixel = 1;
    if (data->floats)
        picture->floats = (const float *)(const void *)at;
    else
        picture->bytes = at;
    return RN_OK;
}

rn_status rn_data_picture(const rn_data *data, rn_split split, uint32_t index, rn_picture *picture, char *error,
                          size_t error_size) {
    return rn_data_picture_reduced(data, split, index, NULL, picture, error, error_size);
}

void rn_picture_free(rn_picture *picture) {
    free(picture->owned);
    memset(picture, 0, sizeof *picture);
}
