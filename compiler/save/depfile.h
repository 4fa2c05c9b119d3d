/* -MD: the rule that tells make and ninja what -o's file was made from, so that they make it again where that changes.
 */
#ifndef RNC_DEPFILE_H
#define RNC_DEPFILE_H

#include "compilation.h"

/* A file's name as make reads it in a rule: spaces, '#', ':' and '$' escaped. */
const char *depfile_quote(Arena *arena, const char *name);
/* Where the depfile goes, or NULL where there is none or standard output has it. */
const char *depfile_path(Compilation *c);
/* Writes the file, where the command line asks for one. False after a diagnostic. */
bool depfile_write(Compilation *c);

#endif
