/* Files of what was measured. */
#ifndef RNC_CACHE_H
#define RNC_CACHE_H

#include "base/base.h"

/* $XDG_CACHE_HOME/rnc/NAME or ~/.cache/rnc/NAME, in the arena; NULL where there is neither. A folder that is no whole
 * path counts as none (XDG Base Directory Specification). */
const char *cache_path(Arena *arena, const char *name);
/* The file's text, the caller's to free; NULL where there is none: a pipe or a device is not waited for. *trouble: 0,
 * or the errno of a file that is there and cannot be read: what it holds must not be written over. */
char *cache_read(const char *path, size_t *size, int *trouble);
/* Writes the file as a whole, and the folders that it needs; all of it or nothing. False with errno. */
bool cache_write(Arena *arena, const char *path, const Text *text);

#endif
