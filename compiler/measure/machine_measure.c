/* The numbers of this machine, measured in about 0.6 seconds: in rounds, each a little of everything, since clocks and
 * neighbours change, and each number of a round a median of bursts (runtime/core/peak.h). Of the rounds the median
 * counts for multiply-adds, since clocks go up and down, and the best for all else, since neighbours only take away.
 *
 *     flops       independent multiply-adds in registers
 *     l2, l3      half of L2, and eight times L2, read in four streams that are fetched ahead
 *     dram        four times L3, at most 256 MB, the same
 *     vector_op   transforms of 8 x 8 tiles of an image in L2, as Winograd's method does them
 *     call        libxsmm's 64 x 6 x 4, less its multiplications
 */
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "runtime/core/cpu.h"
#include "runtime/core/gemm.h"
#include "runtime/core/pages.h"
#include "runtime/core/peak.h"

enum { ROUNDS = 5, LEAST_MEMORY = 64 << 20, MOST_MEMORY = 256 << 20, USUAL_L2 = 1 << 20, L3_TIMES = 8 };

/* ---- transforms ---- */
enum {
    SIDE = 32, /* of the image */
    CHANNELS = 64,
    PIXEL = CHANNELS + VECTOR, /* floats from one to the next, in the image and in V */
    SPAN = 8,
    STEP = 6,
    BLOCK = 16,                       /* tiles of V */
    PRODUCT = BLOCK * PIXEL + VECTOR, /* floats from one product to the next in V */
    LINE_OPERATIONS = 2 * SPAN + 25,
    ALONG = (SIDE - SPAN) / STEP + 1
};

typedef struct Transforms {
    const float *image; /* SIDE x SIDE pixels */
    float *v;           /* SPAN x SPAN x BLOCK pixels */
} Transforms;

/* The part of a transform's operation that shows in a network, where much of it hides behind loads: this loop takes
 * 0.24 nanoseconds an operation on 16 floats, and 0.12 on 8, on the Zen 4 whose networks are fitted by 0.12 of either.
 */
static const double SHOWN_OF_16 = 0.5, SHOWN_OF_8 = 1;

#ifdef __x86_64__
#define UNCHECKED __attribute__((no_sanitize("address"), no_sanitize("undefined")))

/* NAME: the transforms by vectors of so many floats. A line is 8 loads, 8 stores and 25 operations, of the kind that
 * F(6 x 6, 3 x 3) has. */
#define TRANSFORM(NAME, LANES, TARGET)                                                                                 \
    typedef float NAME##_vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));                        \
    __attribute__((target(TARGET)))                                                                                    \
    UNCHECKED static inline void NAME##_line(const float *x, size_t from, float *y, size_t to) {                       \
        typedef NAME##_vector V;                                                                                       \
        const V zero = {0}, q = zero + 0.25f, r = zero + 1.5f;                                                         \
        const V a = *(const V *)x, b = *(const V *)(x + from), c = *(const V *)(x + 2 * from);                         \
        const V d = *(const V *)(x + 3 * from), e = *(const V *)(x + 4 * from), f = *(const V *)(x + 5 * from);        \
        const V g = *(const V *)(x + 6 * from), h = *(const V *)(x + 7 * from);                                        \
        const V s = c + g - q * e, t = b + f - q * d, u = q * c + g - r * e, v = q * b + f - r * d;                    \
        const V m = r * c + g + q * e, n = q * b - r * d + f;                                                          \
        *(V *)y = a - g + r * (e - c);                                                                                 \
        *(V *)(y + to) = s + t, *(V *)(y + 2 * to) = s - t;                                                            \
        *(V *)(y + 3 * to) = u + v, *(V *)(y + 4 * to) = u - v;                                                        \
        *(V *)(y + 5 * to) = m + n, *(V *)(y + 6 * to) = m - n;                                                        \
        *(V *)(y + 7 * to) = h - b + r * (d - f);                                                                      \
    }                                                                                                                  \
    __attribute__((target(TARGET))) UNCHECKED static void NAME(const void *operands) {                                 \
        const Transforms *o = operands;                                                                                \
        float lines[SPAN * SPAN * LANES];                                                                              \
        int tile = 0;                                                                                                  \
        for (int row = 0; row < ALONG; row++)                                                                          \
            for (int column = 0; column < ALONG; column++, tile = (tile + 1) % BLOCK)                                  \
                for (int i = 0; i < CHANNELS; i += LANES) {                                                            \
                    const float *x = o->image + (row * SIDE + column) * STEP * PIXEL + i;                              \
                    float *y = o->v + tile * PIXEL + i;                                                                \
                    for (int k = 0; k < SPAN; k++)                                                                     \
                        NAME##_line(x + k * PIXEL, SIDE * PIXEL, lines + k * LANES, SPAN * LANES);                     \
                    for (int k = 0; k < SPAN; k++)                                                                     \
                        NAME##_line(lines + k * SPAN * LANES, LANES, y + k * SPAN * PRODUCT, PRODUCT);                 \
                }                                                                                                      \
    }

TRANSFORM(transform_ymm, 8, "avx2,fma")
TRANSFORM(transform_zmm, 16, "avx512f,fma")

/* Nanoseconds of an operation, in a network. */
static double measure_vector_op(rn_isa isa, const Transforms *o, double seconds) {
    const bool wide = isa >= RN_ISA_X86_64_V4;
    const int lanes = wide ? 16 : 8;
    const double operations = 2.0 * ALONG * ALONG * SPAN * LINE_OPERATIONS * CHANNELS / lanes;
    if (rn_cpu_missing(wide ? RN_ISA_X86_64_V4 : RN_ISA_X86_64_V3)) return 0;
    return (wide ? SHOWN_OF_16 : SHOWN_OF_8) / rn_peak_of(wide ? transform_zmm : transform_ymm, o, operations, seconds);
}
#else
static double measure_vector_op(rn_isa isa, const Transforms *o, double seconds) {
    (void)isa, (void)o, (void)seconds;
    return 0;
}
#endif

/* ---- calls ---- */
enum { CALL_M = 64, CALL_N = 6, CALL_K = 4, CALLS = 1000 };

typedef struct Calls {
    rn_kernel kernel;
    const float *a, *b;
    float *c;
} Calls;

static void call_kernels(const void *operands) {
    const Calls *o = operands;
    for (int i = 0; i < CALLS; i++) o->kernel.gemm(o->a, o->b, o->c, o->a, o->b, o->c);
#ifdef __x86_64__
    __asm__ volatile("vzeroupper"); /* libxsmm's kernels leave the upper halves in use */
#endif
}

/* With its multiplications. */
static double measure_call(const Calls *o, double seconds) {
    return o->kernel.any ? 1 / rn_peak_of(call_kernels, o, CALLS, seconds) : 0;
}

/* Of the best of either: a round that was disturbed would take too much away. */
static double without_multiplications(double call, double flops) {
    if (!(call > 0) || !(flops > 0)) return 0;
    const double rest = call - 2 * CALL_M * CALL_N * CALL_K / flops;
    return rest > 1 ? rest : 1; /* the difference of two measurements */
}

/* ---- rounds ---- */
static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Bytes that L3 does not hold. */
static size_t memory_size(const Cpu *cpu) {
    const double size = cpu->l3 > 0 ? 4 * cpu->l3 : MOST_MEMORY;
    return size < LEAST_MEMORY ? LEAST_MEMORY : size < MOST_MEMORY ? (size_t)size : MOST_MEMORY;
}

typedef enum Counts { LOWEST = 0, MEDIAN = ROUNDS / 2, HIGHEST = ROUNDS - 1 } Counts;

static double of_rounds(const double numbers[ROUNDS], Counts which) {
    double sorted[ROUNDS];
    memcpy(sorted, numbers, sizeof sorted);
    qsort(sorted, ROUNDS, sizeof *sorted, compare);
    return sorted[which];
}

Measured machine_measure(const Cpu *cpu, rn_isa isa) {
    enum { V_FLOATS = SPAN * SPAN * PRODUCT };
    const rn_kernel_spec spec = {.m = CALL_M, .n = CALL_N, .k = CALL_K, .lda = CALL_M, .ldb = CALL_K, .ldc = CALL_M};
    const size_t size = memory_size(cpu);
    const size_t l2 = cpu->l2 > 0 && cpu->l2 <= LEAST_MEMORY / L3_TIMES ? (size_t)cpu->l2 : USUAL_L2;
    rn_pages pages;
    if (!rn_pages_allocate(&pages, size + RN_PEAK_AHEAD)) return (Measured){0};
    memset(pages.base, 0x3f, size + RN_PEAK_AHEAD); /* pages of its own, not that of zeros; as floats 0.75 */
    float *floats = pages.base;
    const Transforms transforms = {floats + V_FLOATS, floats};
    Calls calls = {.a = floats, .b = floats + CALL_M * CALL_K, .c = floats + 2 * CALL_M * CALL_K};
    if (rn_gemm_dispatch(&calls.kernel, &spec, NULL, 0)) calls.kernel.any = NULL;

    double flops[ROUNDS], near[ROUNDS], far[ROUNDS], dram[ROUNDS], vector_op[ROUNDS], call[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        flops[i] = rn_peak_gflops(isa, 0.02);
        near[i] = rn_peak_reading(pages.base, l2 / 2, 1, 0.01);
        far[i] = rn_peak_reading(pages.base, L3_TIMES * l2, 1, 0.015);
        dram[i] = rn_peak_reading(pages.base, size, 1, 0.03);
        vector_op[i] = measure_vector_op(isa, &transforms, 0.01);
        call[i] = measure_call(&calls, 0.005);
    }
    rn_pages_free(&pages);
    return (Measured){.flops = of_rounds(flops, MEDIAN),
                      .l2 = of_rounds(near, HIGHEST),
                      .l3 = of_rounds(far, HIGHEST),
                      .dram = of_rounds(dram, HIGHEST),
                      .vector_op = of_rounds(vector_op, LOWEST),
                      .call = without_multiplications(of_rounds(call, LOWEST), of_rounds(flops, HIGHEST))};
}
