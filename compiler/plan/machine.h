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
    const char *name;
    rn_isa isa; /* of the code: one CPU has a row for each that it is used with */
    /* of the instruction set */
    int lanes; /* floats of a vector */
    int panel; /* output channels of a full panel of weights */
    /* of the CPU */
    double flops;            /* per nanosecond: 2 a multiply-add */
    double l2, l3, dram;     /* bytes per nanosecond that kernels see */
    double l2_size, l3_size; /* bytes that a layer may count on */
    double cores;            /* how many times the bandwidth of memory that one core sees several have */
    double vector_op;        /* nanoseconds of a load, store or operation of a transform */
    double call;             /* nanoseconds of a kernel call */
    double results;          /* channels that take as long as a kernel's loading and storing of results */
    double exposed, waiting; /* part of the shorter of multiplying and fetching that shows: of plain kernels, most of
                                which fetch the next weights, and of batch-reduce kernels */
    Fetching fetching;
} Machine;

/* The row of this name for code of this instruction set; NULL where there is none. "generic" has one for each. */
const Machine *machine_named(const char *name, rn_isa isa);
/* The same CPU's row for code of another instruction set, or the generic one. */
const Machine *machine_with(const Machine *machine, rn_isa isa);

/* Whether an image of this shape, with its halo, is addressed in an int. */
bool machine_fits_int(Shape shape);

static inline int64_t round_up_bytes(int64_t bytes) {
    return (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

#endif
