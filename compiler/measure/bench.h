/* rnc bench: the network with each pass on and off, timed. */
#ifndef RNC_BENCH_H
#define RNC_BENCH_H

#include "compilation.h"

bool bench_run(Compilation *c); /* false after a diagnostic */

#endif
