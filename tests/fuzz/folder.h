/* A private folder of a target's files, in memory where there is /dev/shm; emptied after each input. */
#ifndef RN_FUZZ_FOLDER_H
#define RN_FUZZ_FOLDER_H

#include "fuzz.h"

#include <ctype.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_PATH = 128, FOLDER_FILES = 40 };

static char folder[64];

static int folder_remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind;
    return walk->level > 0 ? remove(path) : 0;
}

static inline void folder_empty(void) {
    nftw(folder, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void folder_remove(void) {
    rmdir(folder);
}

static inline void folder_make(void) {
    if (*folder) return;
    const int memory = access("/dev/shm", W_OK) == 0;
    snprintf(folder, sizeof folder, "%s/rn-fuzz-XXXXXX", memory ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(folder));
    atexit(folder_remove);
}

/* A line of the input, its end made a 0; 0: no more. */
static inline int folder_take_line(const uint8_t **at, const uint8_t *end, char line[FOLDER_PATH]) {
    const uint8_t *stop = memchr(*at, '\n', (size_t)(end - *at));
    if (!stop || stop - *at >= FOLDER_PATH) return 0;
    memcpy(line, *at, (size_t)(stop - *at));
    line[stop - *at] = 0;
    *at = stop + 1;
    return 1;
}

/* No "..", and each part begins with a letter or digit. */
static inline int folder_is_path(const char *path) {
    if (strstr(path, "..")) return 0;
    for (const char *c = path; *c; c++)
        if ((c == path || c[-1] == '/') ? !isalnum((unsigned char)*c) : !isprint((unsigned char)*c)) return 0;
    return *path && path[strlen(path) - 1] != '/';
}

/* Where a file of the folder is to be, the folders that it is in made. */
static inline void folder_place(const char *name, char path[sizeof folder + FOLDER_PATH]) {
    snprintf(path, sizeof folder + FOLDER_PATH, "%s/%s", folder, name);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
}

static inline void folder_write(const char *name, const uint8_t *bytes, size_t size) {
    char path[sizeof folder + FOLDER_PATH];
    folder_place(name, path);
    FILE *file = fopen(path, "wb");
    if (!file) return; /* a file is where a folder should be */
    fwrite(bytes, 1, size, file);
    fclose(file);
}

/* What the size in two bytes, little-endian, and the bytes after it are; NULL: no more. */
static inline const uint8_t *folder_take_content(const uint8_t **at, const uint8_t *end, size_t *count) {
    if (end - *at < 2) return NULL;
    const uint8_t *bytes = *at + 2;
    *count = (size_t)(*at)[0] | (size_t)(*at)[1] << 8;
    if (*count > (size_t)(end - bytes)) *count = (size_t)(end - bytes);
    *at = bytes + *count;
    return bytes;
}

#endif
