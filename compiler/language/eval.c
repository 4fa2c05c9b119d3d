/* Evaluates expressions: 64-bit integers, reals and truth values, each operation checked.
 *
 * Integers stay integers: a division that leaves a remainder, an overflow, a real where an integer belongs are errors
 * at their place, never a rounded channel count. A real operand makes an operation real; floor, ceil and round lead
 * back.
 */
#include "eval.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Number failed = {.kind = NUMBER_ERROR};

struct Unknown {
    Arena *arena;
    Map names;
};

struct Unknown *unknown_new(Arena *arena) {
    struct Unknown *unknown = arena_alloc(arena, sizeof *unknown);
    unknown->arena = arena;
    return unknown;
}

void env_put(Env *env, Arena *arena, const char *name, Number value) {
    Number *kept = arena_alloc(arena, sizeof *kept);
    *kept = value;
    map_put(&env->names, arena, name, kept);
}

const Number *env_find(const Env *env, const char *name) {
    const Number *value = NULL;
    for (; env && !value; env = env->outer) value = map_get(&env->names, name);
    return value;
}

static const char *kind_text(NumberKind kind) {
    return kind == NUMBER_INT ? "an integer" : kind == NUMBER_REAL ? "a real number" : "a truth value";
}

double number_as_real(Number number) {
    return number.kind == NUMBER_REAL ? number.real : (double)number.integer;
}

static Number number_real(double value, const Expr *expr, Diag *diag) {
    if (isfinite(value)) return (Number){.kind = NUMBER_REAL, .real = value};
    diag_error(diag, expr->place, "this number is out of range");
    return failed;
}

/* ---- names ---- */
enum { MOST_NAMES = 64 };

static const char *const shape_names[] = {"channels", "height", "width"};

/* Of the value at hand, where no parameter has that name. */
static Number eval_shape(const Expr *expr, int which, Value *const *now, Diag *diag) {
    if (!now) {
        diag_error(diag, expr->place, "'%s' is that of the value at hand, and there is none here", expr->name);
        return failed;
    }
    if (!*now) return failed; /* an error has left none */
    Shape shape = (*now)->shape;
    return number_int(which == 0 ? shape.c : which == 1 ? shape.h : shape.w);
}

static Number eval_name(const Expr *expr, const Env *env, Diag *diag) {
    const char *names[MOST_NAMES];
    Value *const *now = NULL;
    struct Unknown *unknown = NULL;
    int count = 0;
    for (; env; env = env->outer) {
        now = env->now;
        unknown = env->unknown;
        const Number *value = map_get(&env->names, expr->name);
        if (value) return *value;
        for (int i = 0; i < env->names.count && count < MOST_NAMES; i++) names[count++] = env->names.entries[i].key;
    }
    for (int i = 0; i < 3; i++)
        if (strcmp(expr->name, shape_names[i]) == 0) return eval_shape(expr, i, now, diag);
    for (int i = 0; now && i < 3 && count < MOST_NAMES; i++) names[count++] = shape_names[i];
    if (map_get(&unknown->names, expr->name)) return failed;
    map_put(&unknown->names, unknown->arena, expr->name, unknown);
    const char *near = diag_suggest(expr->name, names, count);
    if (near)
        diag_error(diag, expr->place, "nothing is called '%s' here; did you mean '%s'?", expr->name, near);
    else if (!strcmp(expr->name, "stride") || !strcmp(expr->name, "index") || !strcmp(expr->name, "first"))
        diag_error(diag, expr->place, "'%s' is known only inside a block%s", expr->name,
                   strcmp(expr->name, "stride") ? " or a repeat" : "");
    else
        diag_error(diag, expr->place, "nothing is called '%s' here", expr->name);
    return failed;
}

/* ---- operators ---- */
static Number eval_integers(const Expr *expr, int64_t a, int64_t b, Diag *diag) {
    int64_t result = 0;
    bool overflow = false;
    if ((expr->op == EXPR_DIV || expr->op == EXPR_MOD) && b == 0) {
        diag_error(diag, expr->place, "division by zero");
        return failed;
    }
    switch (expr->op) {
    case EXPR_ADD:
        overflow = __builtin_add_overflow(a, b, &result);
        break;
    case EXPR_SUB:
        overflow = __builtin_sub_overflow(a, b, &result);
        break;
    case EXPR_MUL:
        overflow = __builtin_mul_overflow(a, b, &result);
        break;
    case EXPR_MOD:
        result = b == -1 ? 0 : a % b;
        break;
    default:
        if (b == -1) {
            overflow = __builtin_sub_overflow(0, a, &result);
        } else if (a % b) {
            diag_error(diag, expr->place,
                       "%" PRId64 " / %" PRId64 " leaves a remainder (floor(%" PRId64 ".0 / %" PRId64 ") rounds down)",
                       a, b, a, b);
            return failed;
        } else {
            result = a / b;
        }
    }
    if (!overflow) return number_int(result);
    diag_error(diag, expr->place, "the result of '%s' is too large", expr_op_text(expr->op));
    return failed;
}

static Number eval_reals(const Expr *expr, double a, double b, Diag *diag) {
    switch (expr->op) {
    case EXPR_ADD:
        return number_real(a + b, expr, diag);
    case EXPR_SUB:
        return number_real(a - b, expr, diag);
    case EXPR_MUL:
        return number_real(a * b, expr, diag);
    case EXPR_MOD:
        return number_real(b == 0 ? NAN : fmod(a, b), expr, diag);
    default:
        return number_real(a / b, expr, diag);
    }
}

static Number eval_comparison(const Expr *expr, Number left, Number right, Diag *diag) {
    bool both_int = left.kind != NUMBER_REAL && right.kind != NUMBER_REAL;
    if ((left.kind == NUMBER_BOOL) != (right.kind == NUMBER_BOOL)) {
        diag_error(diag, expr->place, "cannot compare %s with %s", kind_text(left.kind), kind_text(right.kind));
        return failed;
    }
    double a = number_as_real(left), b = number_as_real(right);
    int order = both_int ? (left.integer > right.integer) - (left.integer < right.integer) : (a > b) - (a < b);
    switch (expr->op) {
    case EXPR_EQ:
        return number_bool(order == 0);
    case EXPR_NE:
        return number_bool(order != 0);
    case EXPR_LT:
        return number_bool(order < 0);
    case EXPR_LE:
        return number_bool(order <= 0);
    case EXPR_GT:
        return number_bool(order > 0);
    default:
        return number_bool(order >= 0);
    }
}

static Number need_number(const Expr *expr, Number number, Diag *diag) {
    if (number.kind != NUMBER_BOOL) return number;
    diag_error(diag, expr->place, "a number is needed here, not a truth value");
    return failed;
}

static Number need_bool(const Expr *expr, Number number, Diag *diag) {
    if (number.kind == NUMBER_BOOL || number.kind == NUMBER_ERROR) return number;
    diag_error(diag, expr->place, "a truth value is needed here, not %s", kind_text(number.kind));
    return failed;
}

static Number eval_unary(const Expr *expr, const Env *env, Diag *diag) {
    Number value = eval_expr(expr->left, env, diag);
    if (expr->op == EXPR_NOT) {
        value = need_bool(expr->left, value, diag);
        return value.kind == NUMBER_ERROR ? failed : number_bool(!value.integer);
    }
    value = need_number(expr->left, value, diag);
    if (value.kind == NUMBER_REAL) return number_real(-value.real, expr, diag);
    if (value.kind == NUMBER_ERROR) return failed;
    return number_int(value.integer == INT64_MIN ? INT64_MAX : -value.integer);
}

static Number eval_binary(const Expr *expr, const Env *env, Diag *diag) {
    Number left = eval_expr(expr->left, env, diag);
    if (expr->op == EXPR_AND || expr->op == EXPR_OR) { /* the right side only where it decides */
        left = need_bool(expr->left, left, diag);
        if (left.kind == NUMBER_ERROR || left.integer == (expr->op == EXPR_OR)) return left;
        return need_bool(expr->right, eval_expr(expr->right, env, diag), diag);
    }
    Number right = eval_expr(expr->right, env, diag);
    if (left.kind == NUMBER_ERROR || right.kind == NUMBER_ERROR) return failed;
    if (expr->op >= EXPR_EQ) return eval_comparison(expr, left, right, diag);
    left = need_number(expr->left, left, diag);
    right = need_number(expr->right, right, diag);
    if (left.kind == NUMBER_ERROR || right.kind == NUMBER_ERROR) return failed;
    if (left.kind == NUMBER_INT && right.kind == NUMBER_INT)
        return eval_integers(expr, left.integer, right.integer, diag);
    return eval_reals(expr, number_as_real(left), number_as_real(right), diag);
}

/* ---- functions ---- */
static const char *const function_names[] = {"min", "max", "floor", "ceil", "round"};
enum { FUNCTIONS = sizeof function_names / sizeof *function_names };

bool eval_is_function(const char *name) {
    for (int i = 0; i < FUNCTIONS; i++)
        if (strcmp(name, function_names[i]) == 0) return true;
    return false;
}

static Number eval_rounding(const Expr *expr, Number value, Diag *diag) {
    if (value.kind == NUMBER_INT) return value;
    double x = expr->name[0] == 'f' ? floor(value.real) : expr->name[0] == 'c' ? ceil(value.real) : round(value.real);
    if (fabs(x) < 9e15) return number_int((int64_t)x);
    diag_error(diag, expr->place, "%g is too large for an integer", x);
    return failed;
}

static Number eval_call(const Expr *expr, const Env *env, Diag *diag) {
    int count = 0;
    const bool extreme = !strcmp(expr->name, "min") || !strcmp(expr->name, "max");
    if (!eval_is_function(expr->name)) {
        const char *near = diag_suggest(expr->name, function_names, FUNCTIONS);
        diag_error(diag, expr->place,
                   near ? "no function is called '%s'; did you mean '%s'?" : "no function is called '%s'", expr->name,
                   near);
        return failed;
    }
    Number result = failed;
    for (const Expr *arg = expr->args; arg; arg = arg->next, count++) {
        Number value = need_number(arg, eval_expr(arg, env, diag), diag);
        if (value.kind == NUMBER_ERROR) return failed;
        if (count == 0)
            result = value;
        else if ((number_as_real(value) > number_as_real(result)) == (expr->name[1] == 'a'))
            result = value;
    }
    if (extreme && count > 1) return result;
    if (!extreme && count == 1) return eval_rounding(expr, result, diag);
    diag_error(diag, expr->place, "%s takes %s", expr->name, extreme ? "two numbers or more" : "one number");
    return failed;
}

/* condition ? yes : no; only the one chosen is evaluated */
static Number eval_choice(const Expr *expr, const Env *env, Diag *diag) {
    const Expr *condition = expr->args, *yes = condition->next;
    Number value = need_bool(condition, eval_expr(condition, env, diag), diag);
    return value.kind == NUMBER_ERROR ? failed : eval_expr(value.integer ? yes : yes->next, env, diag);
}

Number eval_expr(const Expr *expr, const Env *env, Diag *diag) {
    switch (expr->kind) {
    case EXPR_INT:
        return number_int(expr->integer);
    case EXPR_BOOL:
        return number_bool(expr->integer);
    case EXPR_REAL:
        return number_real(expr->real, expr, diag);
    case EXPR_NAME:
        return eval_name(expr, env, diag);
    case EXPR_UNARY:
        return eval_unary(expr, env, diag);
    case EXPR_BINARY:
        return eval_binary(expr, env, diag);
    case EXPR_CALL:
        return eval_call(expr, env, diag);
    case EXPR_CHOICE:
        return eval_choice(expr, env, diag);
    }
    bug("expression of kind %d", (int)expr->kind);
}

/* ---- what statements ask for ---- */
bool eval_int(const Expr *expr, const Env *env, const char *what, int64_t low, int64_t high, int64_t *value,
              Diag *diag) {
    Number number = eval_expr(expr, env, diag);
    if (number.kind == NUMBER_ERROR) return false;
    if (number.kind == NUMBER_REAL)
        diag_error(diag, expr->place, "%s must be an integer, not %g (round, floor and ceil make one)", what,
                   number.real);
    else if (number.kind == NUMBER_BOOL)
        diag_error(diag, expr->place, "%s must be an integer, not a truth value", what);
    else if (number.integer < low || number.integer > high)
        diag_error(diag, expr->place, "%s must be from %" PRId64 " to %" PRId64 ", not %" PRId64, what, low, high,
                   number.integer);
    else
        return *value = number.integer, true;
    return false;
}

bool eval_real(const Expr *expr, const Env *env, const char *what, double *value, Diag *diag) {
    Number number = eval_expr(expr, env, diag);
    if (number.kind == NUMBER_BOOL) diag_error(diag, expr->place, "%s must be a number, not a truth value", what);
    *value = number_as_real(number);
    if (number.kind != NUMBER_INT && number.kind != NUMBER_REAL) return false;
    if (*value == 0 || (fabs(*value) >= FLT_MIN && fabs(*value) <= FLT_MAX)) return true;
    diag_error(diag, expr->place, "%s of %g is beyond what a float holds (%.3g to %.3g)", what, *value, FLT_MIN,
               FLT_MAX);
    return false;
}

bool eval_bool(const Expr *expr, const Env *env, const char *what, bool *value, Diag *diag) {
    Number number = eval_expr(expr, env, diag);
    *value = number.integer != 0;
    if (number.kind == NUMBER_INT || number.kind == NUMBER_REAL)
        diag_error(diag, expr->place, "%s must be true or false, not a number", what);
    return number.kind == NUMBER_BOOL;
}

Number number_parse(const char *text) {
    if (!strcmp(text, "true") || !strcmp(text, "false")) return number_bool(text[0] == 't');
    if (!strchr("-0123456789", text[0]) || !text[0] || strpbrk(text, "xXpPnNiI")) return failed;
    char *end;
    errno = 0;
    long long integer = strtoll(text, &end, 10);
    if (*end == '\0') return errno ? failed : number_int(integer);
    errno = 0;
    double real = strtod(text, &end);
    if (*end || (errno && fabs(real) > 1)) return failed;
    return (Number){.kind = NUMBER_REAL, .real = real};
}
