/* Denormal numbers as zeros (FTZ and DAZ, where the CPU has them) on the thread that calls. */
#ifndef RN_TRAIN_FLUSH_H
#define RN_TRAIN_FLUSH_H

#if defined(__SSE2__)
#include <immintrin.h>
#endif

enum { RN_FLUSH_TO_ZERO = 0x8000, RN_DENORMALS_ARE_ZERO = 0x40 };

static inline unsigned int rn_flush_begin(void) { /* returns what end restores */
#if defined(__SSE2__)
    const unsigned int mode = _mm_getcsr();
    _mm_setcsr(mode | RN_FLUSH_TO_ZERO | RN_DENORMALS_ARE_ZERO);
    return mode;
#else
    return 0;
#endif
}

static inline void rn_flush_end(unsigned int mode) {
#if defined(__SSE2__)
    const unsigned int bits = RN_FLUSH_TO_ZERO | RN_DENORMALS_ARE_ZERO;
    _mm_setcsr((_mm_getcsr() & ~bits) | (mode & bits));
#else
    (void)mode;
#endif
}

#endif
