/* The machine that a plan is made for: a row of numbers, and nothing else of the machine decides anything. Only ratios
 * matter for a choice. machine.c has the rows, measured once on each kind of CPU and named as gcc's -mtune names them.
 */
#ifndef RNC_PLAN_MACHINE_H
#define RNC_PLAN_MACHINE_H

#include "graph/ir.h"
#include "rn.h"

enum {
    VECTOR = 16,    /* floats of the widest vector: what panels of packed weights and arena places are multiples of */
    CACHE_LINE = 64 /* bytes; buffers in the arena begin on one */
};

/* How a GEMM whose weights come from L3 or memory has the next ones fetched while it multiplies (gemm.h). */
typedef enum Fetching {
    FETCH_IN_KERNEL, /* by libxsmm's kernels, a burst at each k */
    FETCH_IN_PIECES, /* before each piece of the GEMM */
    FETCH_WOVEN      /* by kernels of rnc's own, evenly between the multiplications */
} Fetching;

typedef struct Machine {
    const char *name; /* the row's, or that of the row from which this one was made (machine_parse) */
    rn_isa isa;       /* of the code: one CPU has a row for each that it is used with */
    /* of the instruction set */
    int lanes; /* floats of a vector */
    int panel; /* output channels of a full panel of weights */
    /* of the CPU: machine.def says what each is */
#define NUMBER(member, kind, text) double member;
#include "machine.def"
#undef NUMBER
    Fetching fetching;
} Machine;

/* The row of this name for code of this instruction set; NULL where there is none. "generic" has one for each. */
const Machine *machine_named(const char *name, rn_isa isa);
/* The same CPU's row for code of another instruction set, or the generic one. */
const Machine *machine_with(const Machine *machine, rn_isa isa);

/* ---- machine_text.c: rows as -mtune has them ---- */
/* "znver4", or with numbers that differ from the row's, "znver4,l3=30,l2_size=1536K,fetching=woven": the table's row,
 * or one in the arena. NULL where that is wrong: *trouble, in the arena, says why, for a person. */
const Machine *machine_parse(const char *spelling, rn_isa isa, Arena *arena, const char **trouble);
/* What machine_parse makes this row of, in the arena. */
const char *machine_spelling(Arena *arena, const Machine *machine);
/* "generic, znver3": the names of the rows for an instruction set. */
const char *machine_names(Arena *arena, rn_isa isa);
/* The row as the table has it, a number a line with what it is. */
void machine_print(const Machine *machine, Text *text);
extern const char *const fetching_names[]; /* by Fetching: "kernel" */

/* Whether an image of this shape, with its halo, is addressed in an int. */
bool machine_fits_int(Shape shape);

static inline int64_t round_up_bytes(int64_t bytes) {
    return (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

#endif
