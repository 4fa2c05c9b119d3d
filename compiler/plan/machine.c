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

/* AMD EPYC of Zen 3, measured. */
#define ZEN3                                                                                                           \
    .flops = 101, .l2 = 60, .l3 = 60, .dram = 15.5, .burst = 15, .l2_size = 448 * KB, .l3_size = 12 * MB,              \
    .cores = 1.8, .vector_op = 0.12, .call = 10, .results = 1.2, .exposed = 0.35, .waiting = 1, .streams = 1
/* AMD EPYC of Zen 4, measured. */
#define ZEN4                                                                                                           \
    .flops = 116, .l2 = 90, .l3 = 60, .dram = 26, .burst = 15, .l2_size = 768 * KB, .l3_size = 12 * MB, .cores = 1.45, \
    .vector_op = 0.12, .call = 10, .results = 6, .exposed = 0.05, .waiting = 0.05, .streams = 1
/* Its AVX2 code: of the kernels and transforms, fitted to the times of 51 shapes' layers. */
#define ZEN4_AVX2                                                                                                      \
    .flops = 116, .l2 = 90, .l3 = 60, .dram = 26, .burst = 15, .l2_size = 768 * KB, .l3_size = 12 * MB, .cores = 1.45, \
    .vector_op = 0.12, .call = 10, .results = 2, .exposed = 0.2, .waiting = 0.3, .streams = 4
/* Intel Xeon of Emerald Rapids, measured. Sapphire Rapids, derived: the same core and L2, with a third of the L3. */
#define GOLDEN_COVE(l3_share)                                                                                          \
    .flops = 178, .l2 = 120, .l3 = 30, .dram = 16.5, .burst = 25, .l2_size = 1536 * KB, .l3_size = (l3_share),         \
    .cores = 2, .vector_op = 0.25, .call = 10, .results = 6, .exposed = 0.25, .waiting = 0.25, .streams = 4
/* Their AVX2 code, derived: half as much in an instruction; of the kernels, what Zen 4's are. */
#define GOLDEN_COVE_AVX2(l3_share)                                                                                     \
    .flops = 92, .l2 = 90, .l3 = 30, .dram = 16.5, .burst = 25, .l2_size = 1536 * KB, .l3_size = (l3_share),           \
    .cores = 2, .vector_op = 0.13, .call = 10, .results = 1.2, .exposed = 0.15, .waiting = 0.15, .streams = 4

static const Machine rows[] = {
    {.name = "generic", AVX512, ZEN4, .fetching = FETCH_IN_KERNEL},
    {.name = "generic", AVX2, ZEN3, .fetching = FETCH_IN_PIECES},
    {.name = "generic", ANY, ZEN3, .fetching = FETCH_IN_KERNEL},
    {.name = "znver3", AVX2, ZEN3, .fetching = FETCH_IN_PIECES},
    {.name = "znver3", ANY, ZEN3, .fetching = FETCH_IN_KERNEL},
    {.name = "znver4", AVX512, ZEN4, .fetching = FETCH_IN_KERNEL},
    {.name = "znver4", AVX2, ZEN4_AVX2, .fetching = FETCH_WOVEN},
    {.name = "znver4", ANY, ZEN4_AVX2, .fetching = FETCH_IN_KERNEL},
    {.name = "sapphirerapids", AVX512, GOLDEN_COVE(16 * MB), .fetching = FETCH_WOVEN},
    {.name = "sapphirerapids", AVX2, GOLDEN_COVE_AVX2(16 * MB), .fetching = FETCH_WOVEN},
    {.name = "sapphirerapids", ANY, GOLDEN_COVE_AVX2(16 * MB), .fetching = FETCH_WOVEN},
    {.name = "emeraldrapids", AVX512, GOLDEN_COVE(50 * MB), .fetching = FETCH_WOVEN},
    {.name = "emeraldrapids", AVX2, GOLDEN_COVE_AVX2(50 * MB), .fetching = FETCH_WOVEN},
    {.name = "emeraldrapids", ANY, GOLDEN_COVE_AVX2(50 * MB), .fetching = FETCH_WOVEN},
};

const Machine *machine_named(const char *name, rn_isa isa) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].isa == isa && !strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}

/* In the arena, with commas between. */
const char *machine_names(Arena *arena, rn_isa isa) {
    const char *names = "";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].isa == isa) names = arena_printf(arena, "%s%s%s", names, *names ? ", " : "", rows[i].name);
    return names;
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
