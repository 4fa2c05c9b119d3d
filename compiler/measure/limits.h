/* What a compiled network's results may be off by, relative to their largest numbers. */
#ifndef RNC_LIMITS_H
#define RNC_LIMITS_H

#include "compilation.h"

/* Its outputs: --tolerance, or what was predicted where no way to compute them keeps that. */
double limit_of_outputs(const Compilation *c, const Plan *plan);
/* A layer before them: what brings an output there, at least as much. `limits`: double, by the planned values' names;
 * those that no output needs have none. Lives in `arena`. */
void limits_of_layers(const Plan *plan, double of_outputs, Arena *arena, Map *limits);

#endif
