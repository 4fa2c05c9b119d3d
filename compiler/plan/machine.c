#include "machine.h"

#include <limits.h>

#include "rn.h"

/* What libxsmm's kernels hold in registers at their full speed. A wider panel would be several sweeps over its columns,
 * each with a part of every row of weights: on AVX2 64 channels take a tenth longer than two panels of 32, whose
 * weights lie in one piece. */
enum { PANEL_VECTORS = 4 };

static const Machine avx2 = {.flops = 101,
                             .lanes = 8,
                             .l2 = 60,
                             .l3 = 60,
                             .dram = 15.5,
                             .l2_size = L2_BYTES * 7 / 16,
                             .l3_size = 12 << 20,
                             .vector_op = 0.12,
                             .call = 10,
                             .results = 1.2,
                             .exposed = 0.35,
                             .waiting = 1,
                             .panel = PANEL_VECTORS * 8};

static const Machine avx512 = {.flops = 116,
                               .lanes = 16,
                               .l2 = 90,
                               .l3 = 60,
                               .dram = 26,
                               .l2_size = L2_BYTES * 3 / 4,
                               .l3_size = 12 << 20,
                               .vector_op = 0.12,
                               .call = 10,
                               .results = 6,
                               .exposed = 0.03,
                               .waiting = 0.03,
                               .panel = PANEL_VECTORS * 16};

/* Code for any CPU: ratios as with AVX2, panels as wide as the widest vectors make them. */
static const Machine generic = {.flops = 101,
                                .lanes = 8,
                                .l2 = 60,
                                .l3 = 60,
                                .dram = 15.5,
                                .l2_size = L2_BYTES * 7 / 16,
                                .l3_size = 12 << 20,
                                .vector_op = 0.12,
                                .call = 10,
                                .results = 1.2,
                                .exposed = 0.35,
                                .waiting = 1,
                                .panel = PANEL_VECTORS * 16};

const Machine *machine_of(rn_isa isa) {
    return isa >= RN_ISA_X86_64_V4 ? &avx512 : isa >= RN_ISA_X86_64_V3 ? &avx2 : &generic;
}

bool machine_fits_int(Shape shape) {
    enum { GAP = VECTOR, HALO = 32 }; /* between pixels; rows and columns around the image */
    return shape_size((Shape){shape.c + GAP, shape.h + HALO, shape.w + HALO}) < INT_MAX / 2;
}
