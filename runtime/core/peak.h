/* Rates, measured: what is sustained, the median of many bursts. */
#ifndef RN_PEAK_H
#define RN_PEAK_H

#include "rn_tools.h"

/* G (10^9) a second of `work`, which does `amount` (operations, bytes) a call, in about `seconds` of calls. */
double rn_peak_of(void (*work)(const void *), const void *operands, double amount, double seconds);

#endif
