/* Where the user's caches of measurements are, and how they are written. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cache.h"

const char *cache_path(Arena *arena, const char *name) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache) return arena_printf(arena, "%s/rnc/%s", cache, name);
    return home && *home ? arena_printf(arena, "%s/.cache/rnc/%s", home, name) : NULL;
}

bool cache_write(Arena *arena, const char *path, const Text *text) {
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/'))
        mkdir(arena_strndup(arena, path, (size_t)(slash - path)), 0777); /* what fails shows in the write */
    return file_write(path, text->s ? text->s : "", text->size);
}
