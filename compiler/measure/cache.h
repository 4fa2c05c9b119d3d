/* Files of what was measured. */
#ifndef RNC_CACHE_H
#define RNC_CACHE_H

#include "base/base.h"

/* $XDG_CACHE_HOME/rnc/NAME or ~/.cache/rnc/NAME, in the arena; NULL where there is neither. */
const char *cache_path(Arena *arena, const char *name);
/* Writes the file as a whole, and the folders that it needs; all of it or nothing. False with errno. */
bool cache_write(Arena *arena, const char *path, const Text *text);

#endif
