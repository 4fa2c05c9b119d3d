/* Rows of numbers as -mtune has them: a name, and what differs from the table's row of that name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "machine.h"
#include "runtime/core/cpu.h"

enum { KB = 1 << 10, MB = 1 << 20, GB = 1 << 30 };

typedef enum NumberKind { RATE, BYTES, SHARE, COUNT } NumberKind;

typedef struct Number {
    const char *name;
    NumberKind kind;
    size_t member; /* of Machine */
    const char *text;
} Number;

static const Number numbers[] = {
#define NUMBER(name, kind, text) {#name, kind, offsetof(Machine, name), text},
#include "machine.def"
#undef NUMBER
};
enum { MOST_COUNT = 16, NUMBER_COUNT = sizeof numbers / sizeof *numbers };

const char *const fetching_names[] = {
    [FETCH_IN_KERNEL] = "kernel", [FETCH_IN_PIECES] = "pieces", [FETCH_WOVEN] = "woven"};
enum { FETCHING_COUNT = sizeof fetching_names / sizeof *fetching_names };

static double *number_of(Machine *machine, const Number *number) {
    return (double *)(void *)((char *)machine + number->member);
}

/* ---- reading ---- */
static bool read_number(const Number *number, const char *value, double *x) {
    char *end;
    *x = strtod(value, &end);
    if (end == value) return false;
    if (number->kind == BYTES && *end) {
        const char unit = *end++;
        *x *= unit == 'K' ? KB : unit == 'M' ? MB : unit == 'G' ? GB : NAN;
    }
    if (*end || !isfinite(*x)) return false;
    if (number->kind == SHARE) return *x >= 0 && *x <= 1;
    if (number->kind != RATE && *x != floor(*x)) return false;
    if (number->kind == COUNT && *x > MOST_COUNT) return false;
    return *x > 0 && *x < 1e15;
}

static const char *wanted(NumberKind kind) {
    return kind == SHARE   ? "a number from 0 to 1"
           : kind == BYTES ? "a number of bytes (768K, 12M)"
           : kind == COUNT ? "a whole number from 1 to 16"
                           : "a positive number";
}

static bool change_fetching(Machine *machine, const char *value, Arena *arena, const char **trouble) {
    for (int i = 0; i < FETCHING_COUNT; i++)
        if (!strcmp(fetching_names[i], value)) {
            machine->fetching = (Fetching)i;
            return true;
        }
    *trouble = arena_printf(arena, "fetching is kernel, pieces or woven, not '%s'", value);
    return false;
}

/* "l3=30" */
static bool change_one(Machine *machine, char *word, Arena *arena, const char **trouble) {
    const char *names[NUMBER_COUNT + 1];
    char *equals = strchr(word, '=');
    if (!equals) {
        *trouble = arena_printf(arena, "'%s' is not NUMBER=VALUE", word);
        return false;
    }
    *equals = '\0';
    if (!strcmp(word, "fetching")) return change_fetching(machine, equals + 1, arena, trouble);
    for (int i = 0; i < NUMBER_COUNT; i++) {
        names[i] = numbers[i].name;
        if (strcmp(numbers[i].name, word)) continue;
        double x;
        if (read_number(&numbers[i], equals + 1, &x)) {
            *number_of(machine, &numbers[i]) = x;
            return true;
        }
        *trouble = arena_printf(arena, "%s is %s, not '%s'", word, wanted(numbers[i].kind), equals + 1);
        return false;
    }
    names[NUMBER_COUNT] = "fetching";
    const char *nearest = diag_suggest(word, names, NUMBER_COUNT + 1);
    *trouble = nearest ? arena_printf(arena, "a machine has no number '%s'; did you mean '%s'?", word, nearest)
                       : arena_printf(arena, "a machine has no number '%s'; --print-machine lists them", word);
    return false;
}

static bool change(Machine *machine, const char *changes, Arena *arena, const char **trouble) {
    for (const char *at = changes, *end; at; at = *end ? end + 1 : NULL) {
        end = at + strcspn(at, ",");
        if (!change_one(machine, arena_strndup(arena, at, (size_t)(end - at)), arena, trouble)) return false;
    }
    return true;
}

/* Of a name that no row has. */
static const char *unknown_name(const char *name, rn_isa isa, Arena *arena) {
    const char *all = arena_printf(arena, "native, %s", machine_names(arena, isa)), *names[32];
    int count = 0;
    char *rest = arena_strdup(arena, all);
    for (char *word; count < 32 && (word = strtok_r(rest, ", ", &rest));) names[count++] = word;
    const char *nearest = diag_suggest(name, names, count);
    return arena_printf(arena, "no machine with code for %s is called '%s', but %s%s", rn_isa_name(isa), name, all,
                        nearest ? arena_printf(arena, "; did you mean '%s'?", nearest) : "");
}

const Machine *machine_parse(const char *spelling, rn_isa isa, Arena *arena, const char **trouble) {
    const size_t length = strcspn(spelling, ",");
    const char *name = arena_strndup(arena, spelling, length);
    const Machine *row = machine_named(name, isa);
    if (!row) *trouble = unknown_name(name, isa, arena);
    if (!row || !spelling[length]) return row;
    Machine *machine = arena_alloc(arena, sizeof *machine);
    *machine = *row;
    return change(machine, spelling + length + 1, arena, trouble) ? machine : NULL;
}

/* ---- writing ---- */
/* The shortest decimal that reads back as the same number, without an exponent where it can be. */
static void write_real(Text *text, double x) {
    char decimal[32];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(decimal, sizeof decimal, "%.*g", digits, x);
        if (strtod(decimal, NULL) == x) break;
    }
    text_puts(text, decimal);
}

static void write_number(Text *text, NumberKind kind, double x, const char *times) {
    static const struct {
        double bytes;
        char unit;
    } units[] = {{MB, 'M'}, {KB, 'K'}};
    for (int i = 0; i < 2 && kind == BYTES; i++) {
        const double count = x / units[i].bytes;
        if (count != floor(count)) continue;
        text_printf(text, "%.0f%s%c%s", count, times, units[i].unit, *times ? "B" : "");
        return;
    }
    write_real(text, x);
}

const char *machine_spelling(Arena *arena, const Machine *machine) {
    Machine has = *machine, row = *machine_named(machine->name, machine->isa);
    Text text = {0};
    text_puts(&text, machine->name);
    for (int i = 0; i < NUMBER_COUNT; i++) {
        const double x = *number_of(&has, &numbers[i]);
        if (x == *number_of(&row, &numbers[i])) continue;
        text_printf(&text, ",%s=", numbers[i].name);
        write_number(&text, numbers[i].kind, x, "");
    }
    if (has.fetching != row.fetching) text_printf(&text, ",fetching=%s", fetching_names[has.fetching]);
    const char *spelling = arena_strndup(arena, text.s, text.size);
    text_free(&text);
    return spelling;
}

void machine_print(const Machine *machine, Text *text) {
    static const char *const names[] = {"FETCH_IN_KERNEL", "FETCH_IN_PIECES", "FETCH_WOVEN"};
    static const char *const what[] = {"by libxsmm's kernels", "before each piece of a GEMM", "by woven kernels"};
    Machine has = *machine;
    for (int i = 0; i < NUMBER_COUNT; i++) {
        Text line = {0};
        text_printf(&line, ".%s = ", numbers[i].name);
        write_number(&line, numbers[i].kind, *number_of(&has, &numbers[i]), " * ");
        text_printf(text, "    %s,%*s /* %s */\n", line.s, (int)(line.size < 22 ? 22 - line.size : 0), "",
                    numbers[i].text);
        text_free(&line);
    }
    text_printf(text, "    .fetching = %s, /* the next weights: %s */\n", names[has.fetching], what[has.fetching]);
}
