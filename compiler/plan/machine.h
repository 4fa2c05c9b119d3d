/* The machine that a plan is made for, in numbers. Only ratios matter for a choice, so it is a generic one: a core with
 * its FMA peak, caches and bandwidths as such cores have them. The numbers were fitted to layers of ResNet, VGG and
 * Inception on one machine with AVX-512 and one without (docs/kernels.md); -O3 measures instead.
 */
#ifndef RNC_PLAN_MACHINE_H
#define RNC_PLAN_MACHINE_H

#include "graph/ir.h"
#include "rn.h"

enum {
    VECTOR = 16, /* floats of the widest vector: what panels of packed weights and arena places are multiples of */
    L2_BYTES = 1 << 20, /* of the core that is planned for; one with AVX2 alone has half of it */
    CACHE_LINE = 64     /* bytes; buffers in the arena begin on one */
};

typedef struct Machine {
    double flops;            /* per nanosecond: 2 a multiply-add */
    int lanes;               /* floats of a vector */
    double l2, l3, dram;     /* bytes per nanosecond that kernels see */
    double l2_size, l3_size; /* bytes that a layer may count on */
    double vector_op;        /* nanoseconds of a load, store or operation of a transform */
    double call;             /* nanoseconds of a kernel call */
    double results;          /* channels that take as long as a kernel's loading and storing of results */
    double exposed, waiting; /* part of the shorter of multiplying and fetching that shows: of plain kernels, most of
                                which fetch the next weights, and of batch-reduce kernels, which do not */
    int panel;               /* output channels of a full panel of weights */
} Machine;

const Machine *machine_of(rn_isa isa);

/* Whether an image of this shape, with its halo, is addressed in an int. */
bool machine_fits_int(Shape shape);

static inline int64_t round_up_bytes(int64_t bytes) {
    return (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

#endif
