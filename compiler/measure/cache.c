/* Where the user's caches of measurements are, and how they are written. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cache.h"

enum { MOST = 256 << 20 }; /* bytes that are read */

const char *cache_path(Arena *arena, const char *name) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/') return arena_printf(arena, "%s/rnc/%s", cache, name);
    return home && *home ? arena_printf(arena, "%s/.cache/rnc/%s", home, name) : NULL;
}

char *cache_read(const char *path, size_t *size, int *trouble) {
    struct stat info;
    *trouble = 0;
    if (stat(path, &info) || !S_ISREG(info.st_mode)) return NULL;
    char *text = file_read(path, MOST, size);
    if (text && *size <= MOST) return text;
    *trouble = text ? EFBIG : errno;
    free(text);
    return NULL;
}

bool cache_write(Arena *arena, const char *path, const Text *text) {
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/'))
        mkdir(arena_strndup(arena, path, (size_t)(slash - path)), 0777); /* what fails shows in the write */
    struct stat info;
    if (stat(path, &info) == 0 && S_ISFIFO(info.st_mode)) { /* nobody may ever read it */
        errno = ESPIPE;
        return false;
    }
    return file_write(path, text->s ? text->s : "", text->size);
}
