/* What the readers of the two forms of PyTorch checkpoints share: torch.c, torch_zip.c, torch_legacy.c. */
#ifndef RNC_TORCH_FILE_H
#define RNC_TORCH_FILE_H

#include "pickle.h"
#include "torch.h"

typedef struct TorchType {
    const char *dtype; /* as safetensors call it */
    int bytes;         /* of an element */
} TorchType;

/* Numbers that tensors are views of. */
typedef struct TorchStorage {
    const char *key;
    const TorchType *type;
    int64_t count;        /* elements */
    size_t size;          /* bytes */
    const uint8_t *bytes; /* NULL: not loaded */
    uint64_t entry;       /* zip: index in the archive */
    int users;            /* tensors of the state dict that are views of it */
} TorchStorage;

typedef struct TorchTensor {
    int storage;
    int64_t offset, stride[RN_SAFETENSOR_MAX_DIMS]; /* elements */
} TorchTensor;

struct TorchFile {
    Arena arena;
    const uint8_t *bytes;
    size_t size;
    bool big_endian;
    struct zip *zip;    /* NULL: the older form */
    const char *folder; /* zip: what comes before "data.pkl" */
    TorchStorage *storages;
    int storage_count;
    rn_safetensors index;
    TorchTensor *tensors; /* parallel to the index */
    uint8_t *elements;    /* what torch_elements gave last, where it is not a storage's own bytes */
    const char *note;
    char *error;
};

/* Writes the text, with control characters replaced, and returns false. */
bool torch_fail(TorchFile *file, const char *format, ...) PRINTF_LIKE(2, 3);
/* Reads a pickle at `bytes`; messages say "PyTorch checkpoint", `where`, and the byte from `offset` on. */
bool torch_pickle(TorchFile *file, Pickle *pickle, const uint8_t *bytes, size_t size, const char *where, size_t offset);
/* Makes the list of storages from a pickle's persistent ids, and puts each one's index into the id's u.integer. */
bool torch_storages(TorchFile *file, const Pickle *pickle);

/* Each reads the pickle of the checkpoint, calls torch_storages, and finds where the storages lie. */
bool torch_zip_open(TorchFile *file, Pickle *pickle);
bool torch_legacy_open(TorchFile *file, Pickle *pickle);
/* Makes storage->bytes; malloc'd, of a zip archive. */
bool torch_zip_load(TorchFile *file, TorchStorage *storage);
void torch_zip_close(TorchFile *file);

#endif
