#include "machine.h"

#include <limits.h>
#include <string.h>

#include "rn.h"

/* What libxsmm's kernels hold in registers at their full speed. A wider panel would be several sweeps over its columns,
 * each with a part of every row of weights: on AVX2 64 channels take a tenth longer than two panels of 32, whose
 * weights lie in one piece. */
enum { PANEL_VECTORS = 4, KB = 1 << 10, MB = 1 << 20 };

#define AVX2 .isa = RN_ISA_X86_64_V3, .lanes = 8, .panel = PANEL_VECTORS * 8
#define AVX512 .isa = RN_ISA_X86_64_V4, .lanes = 16, .panel = PANEL_VECTORS * 16
/* Code for any CPU: panels as wide as the widest vectors make them. */
#define ANY .isa = RN_ISA_GENERIC, .lanes = 8, .panel = PANEL_VECTORS * 16

#define ZEN3                                                                                                           \
    .flops = 101, .l2 = 60, .l3 = 60, .dram = 15.5, .l2_size = 448 * KB, .l3_size = 12 * MB, .cores = 1.8,             \
    .vector_op = 0.12, .call = 10, .results = 1.2, .exposed = 0.35, .waiting = 1
#define ZEN4                                                                                                           \
    .flops = 116, .l2 = 90, .l3 = 60, .dram = 26, .l2_size = 768 * KB, .l3_size = 12 * MB, .cores = 1.8,               \
    .vector_op = 0.12, .call = 10, .results = 6, .exposed = 0.03, .waiting = 0.03

static const Machine rows[] = {
    {.name = "generic", ANY, ZEN3, .fetching = FETCH_IN_KERNEL},
    {.name = "generic", AVX2, ZEN3, .fetching = FETCH_IN_PIECES},
    {.name = "generic", AVX512, ZEN4, .fetching = FETCH_IN_KERNEL},
    {.name = "znver3", AVX2, ZEN3, .fetching = FETCH_IN_PIECES},
    {.name = "znver4", AVX512, ZEN4, .fetching = FETCH_IN_KERNEL},
};

const Machine *machine_named(const char *name, rn_isa isa) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].isa == isa && !strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}

const Machine *machine_with(const Machine *machine, rn_isa isa) {
    if (machine->isa == isa) return machine;
    const Machine *row = machine_named(machine->name, isa);
    return row ? row : machine_named("generic", isa);
}

bool machine_fits_int(Shape shape) {
    enum { GAP = VECTOR, HALO = 32 }; /* between pixels; rows and columns around the image */
    return shape_size((Shape){shape.c + GAP, shape.h + HALO, shape.w + HALO}) < INT_MAX / 2;
}
