/* The folder of a run: step-N.safetensors, best.safetensors, log.csv. One process at a time trains in it. */
#ifndef RN_TRAIN_FOLDER_H
#define RN_TRAIN_FOLDER_H

#include "train/checkpoint.h"

#define RN_RUN_BEST "best.safetensors"
#define RN_RUN_LOG "log.csv"

typedef struct rn_run_folder {
    char *path;
    int lock; /* the folder, open and locked; -1: it is not */
} rn_run_folder;

/* Makes the folder where there is none (not those above it), locks it, and removes what a killed process left half
 * written. On an error nothing is left to close. */
rn_status rn_run_folder_open(rn_run_folder *folder, const char *path, char *error, size_t error_size);
void rn_run_folder_close(rn_run_folder *folder);

/* path/name, and path/step-N.safetensors; malloc'd. NULL: no memory. */
char *rn_run_folder_file(const char *path, const char *name);
char *rn_run_folder_step(const char *path, int64_t step);
int rn_run_folder_has(const rn_run_folder *folder, const char *name);

/* The steps of its checkpoints by their names, the newest first; malloc'd, NULL where there are none. */
rn_status rn_run_folder_steps(const char *path, int64_t **steps, int *count, char *error, size_t error_size);
/* Removes all checkpoints but step-N.safetensors and the one before it. */
rn_status rn_run_folder_prune(const rn_run_folder *folder, int64_t step, char *error, size_t error_size);

/* Opens the newest checkpoint that holds; *name (malloc'd) is its path. Those passed over, each with what is wrong with
 * it, are told to `passed`. RN_OK with *name NULL: the folder has none. RN_ERROR_FORMAT: none holds. */
rn_status rn_run_folder_newest(const char *path, rn_checkpoint *checkpoint, char **name,
                               void (*passed)(void *user, const char *text), void *user, char *error,
                               size_t error_size);

#endif
