/* The folder of a run, see folder.h. */
#include "train/folder.h"
#include "core/status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static rn_status fail(char *error, size_t error_size, const char *path, const char *doing) {
    return rn_status_fail(error, error_size, RN_ERROR_FILE, "%s: cannot %s: %s", path, doing, strerror(errno));
}

static rn_status no_memory(char *error, size_t error_size, const char *path) {
    return rn_status_fail(error, error_size, RN_ERROR_MEMORY, "%s: out of memory", path);
}

/* ---- names ---- */

char *rn_run_folder_file(const char *path, const char *name) {
    const size_t length = strlen(path), size = length + strlen(name) + 2;
    char *file = malloc(size);
    if (file) snprintf(file, size, "%s%s%s", path, length && path[length - 1] == '/' ? "" : "/", name);
    return file;
}

char *rn_run_folder_step(const char *path, int64_t step) {
    char name[64];
    snprintf(name, sizeof name, "step-%" PRId64 ".safetensors", step);
    return rn_run_folder_file(path, name);
}

/* The step of "step-N.safetensors" as it would be written; -1: it is another file's name. */
static int64_t step_of_name(const char *name) {
    char again[64];
    if (strncmp(name, "step-", 5) != 0) return -1;
    const int64_t step = strtoll(name + 5, NULL, 10);
    snprintf(again, sizeof again, "step-%" PRId64 ".safetensors", step);
    return strcmp(name, again) != 0 ? -1 : step;
}

/* Of durable.c, for a checkpoint: NAME.safetensors.XXXXXX */
static int is_temporary(const char *name) {
    static const char middle[] = ".safetensors.";
    const char *at = strstr(name, middle);
    if (!at || strlen(at) != sizeof middle - 1 + 6) return 0;
    return !strncmp(name, "step-", 5) || !strncmp(name, "best.", 5);
}

/* ---- the folder ---- */

static void remove_temporaries(const char *path) {
    DIR *list = opendir(path);
    if (!list) return;
    for (const struct dirent *entry; (entry = readdir(list));)
        if (is_temporary(entry->d_name)) unlinkat(dirfd(list), entry->d_name, 0);
    closedir(list);
}

rn_status rn_run_folder_open(rn_run_folder *folder, const char *path, char *error, size_t error_size) {
    *folder = (rn_run_folder){.lock = -1};
    if (mkdir(path, 0777) && errno != EEXIST) return fail(error, error_size, path, "create");
    folder->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->lock < 0) return fail(error, error_size, path, "open");
    rn_status status = RN_OK;
    if (flock(folder->lock, LOCK_EX | LOCK_NB))
        status = errno == EWOULDBLOCK ? rn_status_fail(error, error_size, RN_ERROR_FILE,
                                                       "%s: another process is training in this folder", path)
                                      : fail(error, error_size, path, "lock");
    if (!status && !(folder->path = strdup(path))) status = no_memory(error, error_size, path);
    if (status)
        rn_run_folder_close(folder);
    else
        remove_temporaries(path);
    return status;
}

void rn_run_folder_close(rn_run_folder *folder) {
    if (folder->lock >= 0) close(folder->lock);
    free(folder->path);
    *folder = (rn_run_folder){.lock = -1};
}

int rn_run_folder_has(const rn_run_folder *folder, const char *name) {
    return faccessat(folder->lock, name, F_OK, 0) == 0;
}

/* ---- checkpoints ---- */

static int newer_first(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

rn_status rn_run_folder_steps(const char *path, int64_t **steps, int *count, char *error, size_t error_size) {
    *steps = NULL;
    *count = 0;
    DIR *list = opendir(path);
    if (!list) return fail(error, error_size, path, "open");
    rn_status status = RN_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(list);
        if (!entry && errno) status = fail(error, error_size, path, "read");
        if (!entry || status) break;
        const int64_t step = step_of_name(entry->d_name);
        if (step < 0) continue;
        int64_t *more = realloc(*steps, sizeof **steps * (size_t)(*count + 1));
        if (more)
            (*steps = more)[(*count)++] = step;
        else
            status = no_memory(error, error_size, path);
    }
    closedir(list);
    if (status) {
        free(*steps);
        *steps = NULL;
        *count = 0;
    }
    if (*count) qsort(*steps, (size_t)*count, sizeof **steps, newer_first);
    return status;
}

rn_status rn_run_folder_prune(const rn_run_folder *folder, int64_t step, char *error, size_t error_size) {
    int64_t *steps;
    int count, kept = 0;
    rn_status status = rn_run_folder_steps(folder->path, &steps, &count, error, error_size);
    for (int i = 0; i < count && !status; i++) {
        if (steps[i] == step || (steps[i] < step && kept++ == 0)) continue;
        char *name = rn_run_folder_step(folder->path, steps[i]);
        if (!name)
            status = no_memory(error, error_size, folder->path);
        else if (unlink(name) && errno != ENOENT)
            status = fail(error, error_size, name, "remove");
        free(name);
    }
    free(steps);
    return status;
}

/* ---- the newest ---- */

typedef struct Search {
    const char *folder;
    rn_checkpoint *checkpoint;
    char **name;
    void (*passed)(void *user, const char *text);
    void *user;
    char *error;
    size_t error_size;
    int failed; /* so many did not hold; the first one's text is in error */
} Search;

/* Takes the file where it holds. `name` is malloc'd and the search's from now on. */
static rn_status try_file(Search *search, char *name) {
    char text[RN_ERROR_SIZE];
    if (!name) return no_memory(search->error, search->error_size, search->folder);
    rn_status status = rn_checkpoint_open(search->checkpoint, name, text, sizeof text);
    if (!status) {
        *search->name = name;
        return RN_OK;
    }
    free(name);
    if (status == RN_ERROR_MEMORY) return rn_status_fail(search->error, search->error_size, status, "%s", text);
    search->passed(search->user, text);
    if (!search->failed++) rn_status_fail(search->error, search->error_size, status, "%s", text);
    return RN_OK;
}

/* The step of the best one, where it is there and holds; -1. It is a candidate like the others. */
static rn_status step_of_best(const Search *search, int64_t *step) {
    char text[RN_ERROR_SIZE];
    rn_checkpoint best;
    char *name = rn_run_folder_file(search->folder, RN_RUN_BEST);
    *step = -1;
    rn_status status = name ? rn_checkpoint_open(&best, name, text, sizeof text) : RN_ERROR_MEMORY;
    free(name);
    if (status == RN_ERROR_MEMORY) return no_memory(search->error, search->error_size, search->folder);
    if (status) return RN_OK;
    *step = best.state.step;
    rn_checkpoint_close(&best);
    return RN_OK;
}

rn_status rn_run_folder_newest(const char *path, rn_checkpoint *checkpoint, char **name,
                               void (*passed)(void *user, const char *text), void *user, char *error,
                               size_t error_size) {
    Search search = {path, checkpoint, name, passed, user, error, error_size, 0};
    int64_t *steps;
    int count;
    *name = NULL;
    rn_status status = rn_run_folder_steps(path, &steps, &count, error, error_size);
    int64_t best = -1;
    if (!status) status = step_of_best(&search, &best);
    for (int i = 0; i < count && !status && !*name; i++) {
        if (best > steps[i]) {
            best = -1;
            status = try_file(&search, rn_run_folder_file(path, RN_RUN_BEST));
        }
        if (!status && !*name) status = try_file(&search, rn_run_folder_step(path, steps[i]));
    }
    if (!status && !*name && best >= 0) status = try_file(&search, rn_run_folder_file(path, RN_RUN_BEST));
    free(steps);
    if (status || *name || !search.failed) return status;
    return RN_ERROR_FORMAT;
}
