/* rn_tools: what a program around a network does that no application needs: its commands, and what this machine can do.
 *
 *     #include "resnet152.h"
 *     #include "rn_tools.h"
 *     int main(int argc, char **argv) { return rn_main(resnet152_model(), argc, argv); }
 */
#ifndef RN_TOOLS_H
#define RN_TOOLS_H

#include "rn.h"

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---- the commands of an emitted program: run, classify, eval, info, bench, profile (see NAME --help). Prints. Returns
 * the exit status: 0, 1 (the input is wrong), 2 (the command line is wrong). Linked only where it is called: needs
 * libpng and libjpeg ---- */
int rn_main(const rn_model *model, int argc, char **argv);

/* ---- what this machine can do, for honest fractions: GFLOP/s (2 per multiply-add) that one thread sustains, the median
 * of the bursts in about `seconds` of measuring; 0 where the CPU lacks the instructions ---- */
/* Independent FMAs in registers: the limit of the hardware. */
double rn_peak_gflops(rn_isa isa, double seconds);
/* libxsmm's 64x28x64 with 4 terms, in L1 and L2: the limit of its kernels. Links libxsmm. */
double rn_gemm_peak_gflops(double seconds);
/* GB/s at which so many threads together (of OpenMP) read 256 MB, which their caches together should not hold; 0 where
 * they cannot be allocated */
double rn_peak_memory(int threads, double seconds);

#ifdef __cplusplus
}
#endif
#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#endif
