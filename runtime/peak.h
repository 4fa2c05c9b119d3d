/* Rates, measured: the best repetition counts. */
#ifndef RN_PEAK_H
#define RN_PEAK_H

#include "rn.h"

/* GFLOP/s of `work`, which does `flops` operations a call, in about `seconds` of calls. */
double rn_peak_of(void (*work)(const void *), const void *operands, double flops, double seconds);

#endif
