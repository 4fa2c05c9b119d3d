/* A file that is there whole or not at all, whatever happens meanwhile: written to a temporary beside it, synchronised,
 * renamed, and the folder synchronised. */
#ifndef RN_TRAIN_DURABLE_H
#define RN_TRAIN_DURABLE_H

#include "rn.h"

typedef struct rn_durable {
    const char *path;
    char *temporary; /* path.XXXXXX */
    int descriptor;
    char *error; /* where errors are worded; may be NULL */
    size_t error_size;
} rn_durable;

/* `path` and `error` outlive the writing. On an error nothing is left to do. */
rn_status rn_durable_begin(rn_durable *file, const char *path, char *error, size_t error_size);
/* On an error the file is abandoned: nothing is left to do. */
rn_status rn_durable_write(rn_durable *file, const void *bytes, size_t size);
/* On an error the file that was there before is there still, unless the folder alone could not be synchronised: then it
 * is the new one, which a power failure may undo. */
rn_status rn_durable_commit(rn_durable *file);
void rn_durable_abandon(rn_durable *file);

/* Makes renames and removals in the folder of `path` last. */
rn_status rn_durable_sync_folder(const char *path, char *error, size_t error_size);

#endif
