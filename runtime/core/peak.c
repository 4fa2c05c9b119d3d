/* What the machine can do, measured in the same run as what the network does, so that the fractions are honest: clocks
 * and neighbours change from minute to minute.
 *
 * FMA peak: 12 independent chains, more than latency x ports of any x86 so far, of ordinary numbers (zeros would draw
 * less power and clock higher). In assembly, so that it measures the CPU at any optimisation level of this file.
 * libxsmm's peak is in gemm.c.
 *
 * Memory: a load of each cache line, fetched ahead, in four streams a thread, a piece of the memory after another. A
 * piece takes less than a scheduler's time slice, so that on a busy machine the median is of undisturbed ones.
 */
#include "peak.h"
#include "rn_emitted.h"
#include "cpu.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double peak_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare_rates(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double rn_peak_of(void (*work)(const void *), const void *operands, double amount, double seconds) {
    enum { BURSTS = 101 };
    double rates[BURSTS];
    const double start = peak_now();
    double t = start;
    int count = 0;
    do {
        const double begun = t;
        int calls = 0;
        do {
            work(operands);
            calls++;
            t = peak_now();
        } while (t - begun < seconds / BURSTS);
        rates[count++] = amount * calls / (t - begun) * 1e-9;
    } while (t - start < seconds && count < BURSTS);
    qsort(rates, (size_t)count, sizeof *rates, compare_rates);
    return (rates[(count - 1) / 2] + rates[count / 2]) / 2;
}

#ifdef __x86_64__
enum { CHAINS = 12, ROUNDS = 20000 };

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

static const float factor = 0.75f, term = 0.3f; /* converges to 1.2: neither denormal nor infinite */

static void peak_ymm(const void *unused) {
    (void)unused;
    long rounds = ROUNDS;
    CHAINS_OF("ymm");
}

static void peak_zmm(const void *unused) {
    (void)unused;
    long rounds = ROUNDS;
    CHAINS_OF("zmm");
}

double rn_peak_gflops(rn_isa isa, double seconds) {
    if (isa < RN_ISA_X86_64_V3) isa = RN_ISA_X86_64_V3; /* what generic code may be compiled for */
    if (rn_cpu_missing(isa)) return 0;
    const bool wide = isa >= RN_ISA_X86_64_V4;
    return rn_peak_of(wide ? peak_zmm : peak_ymm, NULL, 2.0 * CHAINS * ROUNDS * (wide ? 16 : 8), seconds);
}
#else

double rn_peak_gflops(rn_isa isa, double seconds) {
    (void)isa, (void)seconds;
    return 0;
}
#endif

enum { LINE = 64, AHEAD = RN_PEAK_AHEAD / LINE, STREAMS = 4, PIECE = (4 << 20) / LINE /* of a thread */ };

typedef struct Line {
    uint64_t words[LINE / 8];
} Line;

typedef struct Reading {
    const Line *lines; /* [count + AHEAD] */
    size_t count;      /* of a piece */
    size_t *piece, pieces;
    rn_context *context;
    uint64_t *sum; /* what is read must be used */
} Reading;

/* The checks of a sanitized build would be what is measured. */
__attribute__((no_sanitize("address"), no_sanitize("undefined"))) static void read_part(void *arg, int part,
                                                                                        int parts) {
    const Reading *r = arg;
    const size_t from = r->count * (size_t)part / (size_t)parts;
    const size_t each = (r->count * (size_t)(part + 1) / (size_t)parts - from) / STREAMS;
    uint64_t sum = 0;
    for (size_t i = from; i < from + each; i++)
        for (size_t k = i; k < i + STREAMS * each; k += each) {
            __builtin_prefetch(&r->lines[k + AHEAD]);
            sum += r->lines[k].words[0];
        }
    __atomic_fetch_add(r->sum, sum, __ATOMIC_RELAXED);
}

static void read_piece(const void *operands) {
    Reading r = *(const Reading *)operands;
    r.lines += *r.piece * r.count;
    rn_parallel(r.context, read_part, &r);
    *r.piece = (*r.piece + 1) % r.pieces;
}

double rn_peak_reading(const void *memory, size_t size, int threads, double seconds) {
    uint64_t sum = 0;
    size_t piece = 0;
    rn_context context = {.threads = threads};
    const size_t most = (size_t)PIECE * (size_t)(threads > 1 ? threads : 1), pieces = (size / LINE + most - 1) / most;
    const Reading reading = {memory, size / LINE / pieces, &piece, pieces, &context, &sum};
    return rn_peak_of(read_piece, &reading, (double)(reading.count * LINE), seconds);
}

double rn_peak_memory(int threads, double seconds) {
    const size_t size = 256 << 20;
    void *memory = aligned_alloc(LINE, size + RN_PEAK_AHEAD);
    if (!memory) return 0;
    memset(memory, 1, size + RN_PEAK_AHEAD); /* pages of its own, not the one of zeros */
    const double rate = rn_peak_reading(memory, size, threads, seconds);
    free(memory);
    return rate;
}
