/* The table of options, for those who read the command line by it. */
#ifndef RNC_OPTIONS_TABLE_H
#define RNC_OPTIONS_TABLE_H

#include "options.h"

typedef enum Takes {
    TAKES_NOTHING,
    TAKES_VALUE,   /* --batch N, --batch=N, -o FILE, -oFILE */
    TAKES_JOINED,  /* -O2, -fno-cse */
    TAKES_OPTIONAL /* --random-weights, --random-weights=SEED */
} Takes;

/* UNRECORDED: changes nothing in the output, so the recorded command does without it. SHARED: in rnc compare, of the
 * whole run wherever it stands; others are of a network. */
enum {
    FOR_COMPILE = 1,
    FOR_BENCH = 2,
    FOR_COMPARE = 4,
    FOR_ALL = FOR_COMPILE | FOR_BENCH | FOR_COMPARE,
    HIDDEN = 8,
    UNRECORDED = 16,
    SHARED = 32
};

typedef bool (*OptionSet)(Options *options, const char *value, size_t member, Diag *diag);

typedef struct OptionRow {
    const char *name;  /* NULL: `text` is a heading of --help */
    const char *value; /* for --help */
    Takes takes;
    int scope;
    bool path; /* the value is a file */
    OptionSet set;
    size_t member; /* of Options, for the general setters */
    const char *text;
} OptionRow;

extern const OptionRow option_rows[];
extern const int option_row_count;

/* A mistake in the command line. */
void usage_error(Diag *diag, const char *format, ...) PRINTF_LIKE(2, 3);
/* "; did you mean 'X'?" or "" */
const char *option_suggestion(Options *options, const char *word, const char *const *candidates, int count);
/* The processor that rnc runs on. False after an error where the emitted code does not run on it. */
bool options_native_isa(rn_isa *isa, Diag *diag);

#endif
