/* Results of rnc bench: what bench.c measures and view/bench_html.c draws. */
#ifndef RNC_BENCH_H
#define RNC_BENCH_H

#include "base.h"

typedef struct BenchVariant {
    const char *name;   /* "-O0", "-fuse-act", "-O2" */
    const char *text;   /* what it does */
    bool same_as_first; /* changes nothing, alone or among the others: not timed */
    double min_ms, median_ms;
    long long traffic; /* bytes of activations and weights that the layers touch in one run */
    size_t arena;      /* bytes */
    int runs;
    double speedup;    /* median of -O0 / median */
    double difference; /* largest, relative to -O0's largest output */
} BenchVariant;

typedef struct Bench {
    const char *network, *command, *target;
    int batch, threads;
    const char *weights;    /* "random weights", or the file's bare name */
    BenchVariant *variants; /* the first is -O0, the last -O2 */
    int count;
} Bench;

void bench_html(const Bench *bench, Text *out);

#endif
