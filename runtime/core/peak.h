/* Rates, measured: what is sustained, the median of many bursts. */
#ifndef RN_PEAK_H
#define RN_PEAK_H

#include "rn_tools.h"

/* G (10^9) a second of `work`, which does `amount` (operations, bytes) a call, in about `seconds` of calls. */
double rn_peak_of(void (*work)(const void *), const void *operands, double amount, double seconds);

enum { RN_PEAK_AHEAD = 1024 }; /* bytes */
/* GB/s at which so many threads read `size` bytes again and again, fetched ahead in four streams a thread; memory begins
 * on a cache line and has RN_PEAK_AHEAD bytes more. */
double rn_peak_reading(const void *memory, size_t size, int threads, double seconds);

#endif
