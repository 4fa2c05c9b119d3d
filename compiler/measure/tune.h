/* -O3: the times of each convolution's candidates, measured. */
#ifndef RNC_TUNE_H
#define RNC_TUNE_H

#include "compilation.h"

typedef struct Tuning Tuning;

/* Measures what the cache does not know of c->graph's convolutions, for the target, batch and --threads (1 where not
 * given). NULL after a diagnostic. Lives in c's arena. */
const Tuning *tune_run(Compilation *c);
/* PlanOptions.candidates: what was measured of the node, the fastest first. tuning: a Tuning. */
int tune_candidates(const void *tuning, const Plan *plan, const Node *node, Candidate *list);

/* tune_error.c: measures the error of c->plan's outputs, made with `options`, and plans again with smaller errors while
 * it passes the tolerance and something can be done. False after a diagnostic. */
bool tune_error(Compilation *c, const PlanOptions *options);

/* ---- tune_cache.c: measured times in a text file, a line each ---- */
typedef struct TuneCache {
    Arena *arena;
    const char *path;    /* NULL: nowhere to keep it */
    const char *machine; /* CPU, target, batch, threads: the start of each key */
    Map us;              /* "machine|shape|choice" -> double * */
    bool required;       /* asked for: an error where it cannot be written */
    int unread;          /* errno of a file that is there and cannot be read; 0: none. It stays as it is */
    int added;
} TuneCache;

/* Reads --tune-cache's file or the user's ($XDG_CACHE_HOME/rnc/tune, ~/.cache/rnc/tune). A line that is not understood
 * is left out: it costs a measurement. False after a diagnostic, before anything is measured: the file is something
 * else, not ours to write over, or was asked for and cannot be read. */
bool tune_cache_open(TuneCache *cache, Compilation *c);
double tune_cache_get(const TuneCache *cache, const char *shape, const char *choice); /* microseconds; 0: not known */
/* Returns the time as it is kept, to a nanosecond: the same from a measurement and from the file. */
double tune_cache_put(TuneCache *cache, const char *shape, const char *choice, double us);
/* Writes it where something was added. False after a diagnostic. */
bool tune_cache_save(TuneCache *cache, Diag *diag);

#endif
