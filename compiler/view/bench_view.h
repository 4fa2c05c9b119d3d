/* Results of rnc bench: what measure/bench.c measures and bench_html.c draws. */
#ifndef RNC_BENCH_VIEW_H
#define RNC_BENCH_VIEW_H

#include "base/base.h"

typedef enum BenchKind { BENCH_UNFUSED, BENCH_ALONE, BENCH_WITHOUT, BENCH_ALL } BenchKind;

typedef struct BenchVariant {
    const char *name;   /* "-O0", "-ffuse-act", "-O2 -fno-in-place", "-O2" */
    BenchKind kind;     /* of passes: none, this one alone, all but this one, all */
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

const char *bench_kind_text(BenchKind kind); /* "this alone" */
void bench_html(const Bench *bench, Text *out);

#endif
