/* The form of torch.save since PyTorch 1.6: a zip archive of one folder, stored without compression, with data.pkl, a
 * data/KEY for each storage, and (since 2.0) the byteorder of both.
 */
#include "torch_file.h"

#include "runtime/weights/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

static const char pickle_name[] = "data.pkl", byteorder_name[] = "byteorder";

static bool ends_in(const char *name, const char *end) {
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

/* libzip's reason, which is none of the archive's where it is that there was no memory: that it does not always say,
 * but errno does, which was 0 before. */
static const char *reason_of(zip_error_t *error) {
    if (zip_error_code_zip(error) == ZIP_ER_MEMORY || errno == ENOMEM) out_of_memory();
    return zip_error_strerror(error);
}

/* What a zip archive is that is no checkpoint. */
static bool refuse_other(TorchFile *file) {
    const zip_int64_t count = zip_get_num_entries(file->zip, 0);
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(file->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        if (!name) continue;
        if (ends_in(name, ".npy")) return torch_fail(file, "%s", RN_ADVICE_NPZ);
        if (ends_in(name, ".weights.h5"))
            return torch_fail(file,
                              "a Keras model, not a PyTorch checkpoint; save its arrays under the network's names, "
                              "kernels transposed to output, input, height, width, as safetensors");
    }
    return torch_fail(file, "a zip archive without data.pkl, so nothing that torch.save wrote");
}

/* The one data.pkl, and that no name is there twice. */
static bool find_pickle(TorchFile *file, zip_uint64_t *entry) {
    const zip_int64_t count = zip_get_num_entries(file->zip, 0);
    bool script = false;
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(file->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        if (!name) return torch_fail(file, "damaged: entry %lld of the archive has no name", (long long)i);
        if (zip_name_locate(file->zip, name, ZIP_FL_ENC_RAW) != i)
            return torch_fail(file, "the archive has two entries called %.100s", name);
        script |= ends_in(name, "/constants.pkl");
        if (!ends_in(name, pickle_name)) continue;
        const size_t before = strlen(name) - strlen(pickle_name);
        if (before && name[before - 1] != '/') continue;
        if (file->folder)
            return torch_fail(file, "the archive has two data.pkl: in %.100s and %.100s", file->folder, name);
        file->folder = arena_strndup(&file->arena, name, before);
        *entry = (zip_uint64_t)i;
    }
    if (script && file->folder)
        return torch_fail(file, "a TorchScript program (torch.jit.save), not a checkpoint; "
                                "torch.save(model.state_dict(), FILE) writes one");
    return file->folder || refuse_other(file);
}

/* An entry's bytes, malloc'd, and one NUL after them. Compressed entries, which torch.save never writes, are refused:
 * so no entry can be larger than the file. */
static uint8_t *read_entry(TorchFile *file, zip_uint64_t entry, const char *name, size_t *size) {
    zip_stat_t info;
    errno = 0;
    if (zip_stat_index(file->zip, entry, 0, &info) || !(info.valid & ZIP_STAT_SIZE)) {
        torch_fail(file, "damaged: %s cannot be found", name);
        return NULL;
    }
    if (info.comp_method != ZIP_CM_STORE || info.encryption_method != ZIP_EM_NONE) {
        torch_fail(
            file,
            "%s is compressed or encrypted, which torch.save never does: unpack the archive and store it (zip -0)",
            name);
        return NULL;
    }
    if (info.size > file->size) {
        torch_fail(file, "damaged: %s would be larger than the file", name);
        return NULL;
    }
    zip_file_t *in = zip_fopen_index(file->zip, entry, 0);
    uint8_t *bytes = malloc(info.size + 1);
    if (!bytes) out_of_memory();
    *size = info.size;
    bytes[info.size] = 0;
    bool good = in && zip_fread(in, bytes, info.size) == (zip_int64_t)info.size;
    if (good) {
        /* The read at the end compares the checksum. torch.serialization.set_crc32_options(False) leaves it 0. */
        uint8_t rest;
        good = zip_fread(in, &rest, 1) == 0 || (zip_error_code_zip(zip_file_get_error(in)) == ZIP_ER_CRC && !info.crc);
    }
    if (!good) {
        torch_fail(file, "damaged: %s: %s", name, reason_of(in ? zip_file_get_error(in) : zip_get_error(file->zip)));
        free(bytes);
        bytes = NULL;
    }
    if (in) zip_fclose(in);
    return bytes;
}

static bool read_byteorder(TorchFile *file) {
    const char *name = arena_printf(&file->arena, "%s%s", file->folder, byteorder_name);
    const zip_int64_t entry = zip_name_locate(file->zip, name, ZIP_FL_ENC_RAW);
    size_t size;
    if (entry < 0) return true; /* as before PyTorch 2.0 */
    uint8_t *text = read_entry(file, (zip_uint64_t)entry, byteorder_name, &size);
    if (!text) return false;
    const bool little = size == 6 && !memcmp(text, "little", 6), big = size == 3 && !memcmp(text, "big", 3);
    free(text);
    file->big_endian = big;
    return little || big || torch_fail(file, "its byteorder is neither little nor big");
}

/* Stored entries lie beside each other, so that together they cannot be larger than the file. */
static bool place_storages(TorchFile *file) {
    size_t total = 0;
    for (int i = 0; i < file->storage_count; i++) {
        TorchStorage *storage = &file->storages[i];
        const char *name = arena_printf(&file->arena, "%sdata/%s", file->folder, storage->key);
        const zip_int64_t entry = zip_name_locate(file->zip, name, ZIP_FL_ENC_RAW);
        zip_stat_t info;
        if (entry < 0) return torch_fail(file, "storage data/%.100s is missing in the archive", storage->key);
        storage->entry = (uint64_t)entry;
        if (zip_stat_index(file->zip, storage->entry, 0, &info))
            return torch_fail(file, "damaged: data/%.100s cannot be found", storage->key);
        if (info.size != storage->size)
            return torch_fail(file, "data/%.100s has %llu bytes, its tensors are views of %zu", storage->key,
                              (unsigned long long)info.size, storage->size);
        if (__builtin_add_overflow(total, storage->size, &total) || total > file->size)
            return torch_fail(file, "damaged: its storages would together be larger than the file");
    }
    return true;
}

bool torch_zip_open(TorchFile *file, Pickle *pickle) {
    zip_error_t reason;
    zip_uint64_t entry = 0;
    size_t size;
    errno = 0;
    zip_error_init(&reason);
    zip_source_t *source = zip_source_buffer_create(file->bytes, file->size, 0, &reason);
    if (source) file->zip = zip_open_from_source(source, ZIP_RDONLY, &reason);
    if (!file->zip) {
        torch_fail(file, "the archive is damaged or truncated: %s", reason_of(&reason));
        zip_source_free(source);
        zip_error_fini(&reason);
        return false;
    }
    if (!find_pickle(file, &entry) || !read_byteorder(file)) return false;
    uint8_t *bytes = read_entry(file, entry, pickle_name, &size);
    const bool good = bytes && torch_pickle(file, pickle, bytes, size, ": data.pkl", 0) && torch_storages(file, pickle);
    free(bytes);
    return good && place_storages(file);
}

bool torch_zip_load(TorchFile *file, TorchStorage *storage) {
    size_t size;
    storage->bytes = read_entry(file, storage->entry, arena_printf(&file->arena, "data/%.100s", storage->key), &size);
    return storage->bytes;
}

void torch_zip_close(TorchFile *file) {
    if (!file->zip) return;
    for (int i = 0; i < file->storage_count; i++) free((void *)(uintptr_t)file->storages[i].bytes);
    zip_discard(file->zip);
}
