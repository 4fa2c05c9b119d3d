/* Expressions of a .rn file and their values; the names they may use. */
#ifndef RNC_EVAL_H
#define RNC_EVAL_H

#include "ast.h"

typedef enum NumberKind { NUMBER_ERROR, NUMBER_INT, NUMBER_REAL, NUMBER_BOOL } NumberKind;

typedef struct Number {
    NumberKind kind; /* NUMBER_ERROR: already reported */
    int64_t integer; /* INT, BOOL */
    double real;     /* REAL */
} Number;

/* The names of one block's use or of one repeat's turn; `outer` is what lies around a repeat, never around a block. */
typedef struct Env {
    const struct Env *outer;
    Map names;         /* -> Number */
    Value *const *now; /* whose shape `channels`, `height` and `width` are; of the outermost. NULL: they are not known;
                        *now NULL: an error, reported, has left no value */
    struct Unknown *unknown; /* of the outermost: names that nothing has, each reported once */
} Env;

struct Unknown *unknown_new(Arena *arena);
const Number *env_find(const Env *env, const char *name); /* NULL where nothing has the name */
void env_put(Env *env, Arena *arena, const char *name, Number value);
static inline Number number_int(int64_t value) {
    return (Number){.kind = NUMBER_INT, .integer = value};
}
static inline Number number_bool(bool value) {
    return (Number){.kind = NUMBER_BOOL, .integer = value};
}

bool eval_is_function(const char *name); /* min, max ... */
/* Every error is reported at its place; kind NUMBER_ERROR then. */
Number eval_expr(const Expr *expr, const Env *env, Diag *diag);
/* An integer in [low, high]; `what` names it in errors ("the number of channels"). False after an error. */
bool eval_int(const Expr *expr, const Env *env, const char *what, int64_t low, int64_t high, int64_t *value,
              Diag *diag);
/* A number that a float can hold. */
bool eval_real(const Expr *expr, const Env *env, const char *what, double *value, Diag *diag);
bool eval_bool(const Expr *expr, const Env *env, const char *what, bool *value, Diag *diag);
/* The number that -D gives as text; NUMBER_ERROR where it is none. */
Number number_parse(const char *text);
double number_as_real(Number number);

#endif
