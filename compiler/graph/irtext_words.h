/* What the lines of the graph's text are made of (irtext_parse.c): each function reads what comes next, after spaces,
 * and returns false after an error was said.
 */
#ifndef RNC_IRTEXT_WORDS_H
#define RNC_IRTEXT_WORDS_H

#include "ir.h"

typedef struct IrHome { /* `in %20[64]`, resolved at the end */
    Value *value;
    int number;
    Place place;
} IrHome;

typedef struct IrParser {
    Arena *arena;
    const Source *source;
    Diag *diag;
    Graph *graph;
    const char *at, *end, *line_start;
    int line;
    const char *token; /* the start of what is being read, for places */
    Value **values;    /* by number in the text */
    int value_capacity;
    Tensor **tensors;
    int tensor_capacity;
    IrHome *homes;
    int home_count, home_capacity;
} IrParser;

Place irtext_here(const IrParser *parser); /* of what is being read */
PRINTF_LIKE(2, 3) bool irtext_fail(IrParser *parser, const char *format, ...);

/* ---- words of a line ---- */
void irtext_skip_spaces(IrParser *parser); /* and a comment */
bool irtext_at_line_end(IrParser *parser);
/* Reads `text` if it comes next, which is no error; a word only where it ends there. */
bool irtext_accept(IrParser *parser, const char *text);
bool irtext_expect(IrParser *parser, const char *text);
bool irtext_read_word(IrParser *parser, const char **word);
bool irtext_read_name(IrParser *parser, const char **name); /* bare or in quotes */
bool irtext_read_integer(IrParser *parser, int low, int *number);
bool irtext_read_real(IrParser *parser, double *number);
bool irtext_read_reals(IrParser *parser, double *items, int count); /* between commas */
/* AxB... : `least` to `most` numbers from 1 joined by x */
bool irtext_read_dims(IrParser *parser, int least, int most, int *dims, int *count);
bool irtext_dims_go_on(const IrParser *parser); /* with an x and a number */
/* 3 or 3x2: for both directions, or for rows and columns */
bool irtext_read_pair(IrParser *parser, int *a, int *b);
/* What stands right behind dims where they are not of f32: x and the type, "xbf16". Without one `type` stays. */
void irtext_read_type(IrParser *parser, rn_dtype *type);

/* ---- references ---- */
bool irtext_read_number(IrParser *parser, const char *sigil, int *number); /* %9, @9 */
bool irtext_read_value(IrParser *parser, Value **value);
bool irtext_read_tensor(IrParser *parser, Tensor **tensor);
/* A table of pointers that has a slot of this number: `table`, or a larger copy. */
void *irtext_grown(IrParser *parser, void *table, int *capacity, int number);
bool irtext_define_value(IrParser *parser, int number, Value *value);

#endif
