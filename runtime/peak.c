/* What the machine can do, measured in the same run as what the network does, so that the fractions are honest: clocks
 * and neighbours change from minute to minute.
 *
 * FMA peak: 12 independent chains, more than latency x ports of any x86 so far, of ordinary numbers (zeros would draw
 * less power and clock higher). In assembly, so that it measures the CPU at any optimisation level of this file. GEMM
 * peak: the kernel shape that libxsmm does best, on operands that stay in L1 and L2.
 */
#include "cpu.h"
#include "gemm.h"

#include <stdlib.h>
#include <time.h>

enum { CHAINS = 12, ROUNDS = 20000 };

static double peak_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define START(r, n) "vbroadcastss %2, %%" r #n "\n\t"
#define CHAIN(r, n) "vfmadd213ps %%" r "13, %%" r "12, %%" r #n "\n\t" /* chain = chain * factor + term */
#define ALL(f, r) f(r, 0) f(r, 1) f(r, 2) f(r, 3) f(r, 4) f(r, 5) f(r, 6) f(r, 7) f(r, 8) f(r, 9) f(r, 10) f(r, 11)
#define CHAINS_OF(r)                                                                                                   \
    __asm__ volatile("vbroadcastss %1, %%" r "12\n\t"                                                                  \
                     "vbroadcastss %2, %%" r "13\n\t" ALL(START, r) "1:\n\t" ALL(CHAIN, r) "dec %0\n\t"                \
                                                                                           "jnz 1b\n\t"                \
                                                                                           "vzeroupper"                \
                     : "+r"(rounds)                                                                                    \
                     : "m"(factor), "m"(term)                                                                          \
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",  \
                       "xmm11", "xmm12", "xmm13")

static void peak_chains(rn_isa isa) {
    const float factor = 0.75f, term = 0.3f; /* converges to 1.2: neither denormal nor infinite */
    long rounds = ROUNDS;
    if (isa >= RN_ISA_X86_64_V4)
        CHAINS_OF("zmm");
    else
        CHAINS_OF("ymm");
}

double rn_peak_gflops(rn_isa isa, double seconds) {
    if (isa < RN_ISA_X86_64_V3) isa = RN_ISA_X86_64_V3; /* what generic code may be compiled for */
    if (rn_cpu_missing(isa)) return 0;
    const double flops = 2.0 * CHAINS * ROUNDS * (isa >= RN_ISA_X86_64_V4 ? 16 : 8);
    double best = 0, start = peak_now(), t = start;
    do {
        peak_chains(isa);
        double end = peak_now(), rate = flops / (end - t) * 1e-9;
        if (end > t && rate > best) best = rate;
        t = end;
    } while (t - start < seconds);
    return best;
}

double rn_gemm_peak_gflops(double seconds) {
    enum { M = 64, N = 28, K = 64, TERMS = 4, CALLS = 50 };
    const rn_kernel_spec spec = {M, N, K, M, K, M, 0, 1, 0};
    rn_kernel kernel;
    if (rn_cpu_missing(RN_ISA_X86_64_V3) || rn_gemm_dispatch(&kernel, &spec, NULL, 0)) return 0;
    const size_t floats = TERMS * K * (M + N) + M * N;
    float *a = aligned_alloc(4096, (floats * sizeof *a + 4095) / 4096 * 4096);
    if (!a) return 0;
    float *b = a + TERMS * K * M, *c = b + TERMS * K * N;
    for (size_t i = 0; i < floats; i++) a[i] = (float)(i % 17) / 16 - 0.5f;

    unsigned long long offsets_a[TERMS], offsets_b[TERMS], count = TERMS;
    for (int i = 0; i < TERMS; i++) {
        offsets_a[i] = sizeof *a * (unsigned long long)(i * K * M);
        offsets_b[i] = sizeof *a * (unsigned long long)(i * K * N);
    }
    const double flops = 2.0 * M * N * K * TERMS * CALLS;
    double best = 0, start = peak_now(), t = start;
    do {
        for (int i = 0; i < CALLS; i++) kernel.offs(a, b, c, &count, offsets_a, offsets_b);
        double end = peak_now(), rate = flops / (end - t) * 1e-9;
        if (end > t && rate > best) best = rate;
        t = end;
    } while (t - start < seconds);
    __asm__ volatile("vzeroupper"); /* or SSE code that comes after is four times slower */
    free(a);
    return best;
}
