/* $CC, librn and temporary folders. */
#ifndef RNC_TOOLCHAIN_H
#define RNC_TOOLCHAIN_H

#include "diag.h"

typedef enum Build { BUILD_OBJECT, BUILD_SHARED, BUILD_PROGRAM } Build;
enum LibrnFile { LIBRN_HEADER, LIBRN_ARCHIVE, LIBRN_MPI };
/* rn.h, librn.a or librn_mpi.a that belongs to this rnc, or NULL. */
const char *toolchain_librn(Arena *arena, enum LibrnFile file);
const char *toolchain_cc(void); /* $CC, or cc where it names none */
/* Compiles (and links) one C file with $CC; `folder` is on the include path. */
typedef enum Links { LINKS_NOTHING, LINKS_LIBRN, LINKS_LIBRN_AND_MPI } Links;
bool toolchain_build(Build build, Links links, const char *c_file, const char *folder, const char *out, bool verbose,
                     Diag *diag);
/* Runs a command and waits: its exit status, or 128 + the signal that ended it. argv ends with NULL. */
int toolchain_run(char *const *argv, bool verbose);
/* A new folder in `parent` (NULL: $TMPDIR or /tmp), or NULL after a diagnostic. */
char *temp_folder_make(Arena *arena, const char *parent, Diag *diag);
void temp_folder_remove(const char *folder); /* with the files in it */

#endif
