/* Diagnostics about the user's input: file:line:column, the source line, a caret, notes, a suggestion; many in a run.
 *
 *     resnet.rn:7:22: error: conv: kernel 7x7 does not fit a 3x3 input with pad 0
 *         7 |     conv 64, 7x7 pad 0
 *           |              ^~~
 *     resnet.rn:20:5: note: in this stage
 *
 * Errors of a file that has no lines (weights, images) use a Place with line 0 and print `file: error: ...`.
 */
#ifndef RNC_DIAG_H
#define RNC_DIAG_H

#include <stdio.h>
#include "base.h"

typedef struct Source { /* one source file, kept for as long as places point into it */
    const char *path;
    const char *text;
    size_t size;
} Source;

typedef struct Place {
    const Source *source; /* NULL: no place (a command-line argument, a generated node) */
    int line, column;     /* from 1; line 0: the file as a whole */
    int length;           /* of the range to underline, on that line; 0 or 1: a caret alone */
} Place;

typedef struct Diag {
    FILE *out;     /* where to print; NULL: stderr */
    Text *capture; /* print here instead (tests) */
    int errors, warnings;
    uint64_t last_error; /* hash of its text: the same again is not printed */
    int limit;           /* stop printing errors after so many; 0: 20 */
} Diag;

void diag_error(Diag *diag, Place place, const char *format, ...) PRINTF_LIKE(3, 4);
void diag_warning(Diag *diag, Place place, const char *format, ...) PRINTF_LIKE(3, 4);
void diag_note(Diag *diag, Place place, const char *format, ...) PRINTF_LIKE(3, 4); /* belongs to the error before it */
/* The candidate nearest to `name` (Damerau-Levenshtein distance, at most a third of its length), or NULL. */
const char *diag_suggest(const char *name, const char *const *candidates, int count);

#endif
