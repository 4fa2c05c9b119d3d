/* The form of torch.save before PyTorch 1.6: pickles of a magic number, of 1001, of a dict about the machine, of what
 * was saved, and of the list of storage keys; then of each storage, in the order of that list, its count and its
 * elements.
 */
#include "torch_file.h"

#include <string.h>

enum { COUNT_SIZE = 8 };

/* One pickle after another; *at moves on. */
static bool next_pickle(TorchFile *file, Pickle *pickle, size_t *at) {
    if (!torch_pickle(file, pickle, file->bytes + *at, file->size - *at, " of the older form", *at)) return false;
    *at += pickle->used;
    return true;
}

static TorchStorage *find_storage(TorchFile *file, const Map *by_key, const PickleValue *key) {
    TorchStorage *storage = key->kind == PICKLE_STRING ? map_get(by_key, key->v.text) : NULL;
    if (!storage) torch_fail(file, "a storage that no tensor is a view of, so that its size is not known");
    return storage;
}

static bool place_storage(TorchFile *file, TorchStorage *storage, size_t *at) {
    uint64_t count = 0;
    if (storage->bytes) return torch_fail(file, "storage %s is there twice", storage->key);
    if (file->size - *at < COUNT_SIZE) return torch_fail(file, "truncated: storage %s is missing", storage->key);
    for (int i = 0; i < COUNT_SIZE; i++)
        count |= (uint64_t)file->bytes[*at + (size_t)(file->big_endian ? COUNT_SIZE - 1 - i : i)] << 8 * i;
    *at += COUNT_SIZE;
    if (count != (uint64_t)storage->count)
        return torch_fail(file, "storage %s has %llu elements, its tensors are views of %lld", storage->key,
                          (unsigned long long)count, (long long)storage->count);
    if (storage->size > file->size - *at)
        return torch_fail(file, "truncated: storage %s has %zu of its %zu bytes", storage->key, file->size - *at,
                          storage->size);
    storage->bytes = file->bytes + *at;
    *at += storage->size;
    return true;
}

bool torch_legacy_open(TorchFile *file, Pickle *pickle) {
    Pickle magic, version, machine, keys;
    size_t at = 0;
    if (!next_pickle(file, &magic, &at) || !next_pickle(file, &version, &at)) return false;
    if (version.value->kind != PICKLE_INT || version.value->u.integer != 1001)
        return torch_fail(file, "its form has another version than 1001, the only one there is");
    if (!next_pickle(file, &machine, &at)) return false;
    const PickleValue *little = pickle_get(machine.value, "little_endian");
    file->big_endian = little && little->kind == PICKLE_BOOL && !little->u.integer;
    if (!next_pickle(file, pickle, &at) || !torch_storages(file, pickle) || !next_pickle(file, &keys, &at))
        return false;
    if (keys.value->kind != PICKLE_LIST) return torch_fail(file, "its list of storages is no list");
    Map by_key = {0};
    for (int i = 0; i < file->storage_count; i++)
        map_put(&by_key, &file->arena, file->storages[i].key, &file->storages[i]);
    for (int i = 0; i < keys.value->count; i++) {
        TorchStorage *storage = find_storage(file, &by_key, keys.value->v.items[i]);
        if (!storage || !place_storage(file, storage, &at)) return false;
    }
    for (int i = 0; i < file->storage_count; i++)
        if (!file->storages[i].bytes) return torch_fail(file, "storage %s is missing", file->storages[i].key);
    return at == file->size || torch_fail(file, "%zu bytes at its end belong to no storage", file->size - at);
}
