/* The files that a run writes, and the check that none of them would replace another one or what the run reads. */
#ifndef RNC_FILES_H
#define RNC_FILES_H

#include "compilation.h"

enum { MAX_OUTPUTS = 3 };

/* What -o writes: FOLDER/STEM with each of the endings. */
typedef struct OutputFiles {
    const char *folder, *stem;
    const char *endings[MAX_OUTPUTS];
    int count;
} OutputFiles;

OutputFiles files_of_output(Arena *arena, const Options *options); /* the file that -o names comes last */
/* Whether the run has weights: loaded, in the model that is read, drawn, or made up because it runs the network. */
bool files_have_weights(const Options *options);
/* Before anything is written, and after the source was parsed. False after a diagnostic. */
bool files_check(Compilation *c);

#endif
