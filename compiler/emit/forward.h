/* The line of calls (forward.c): what the frame needs of it. */
#ifndef RNC_EMIT_FORWARD_H
#define RNC_EMIT_FORWARD_H

#include "emit.h"

/* forward takes several images at once. */
bool emit_is_grouped(const Emit *e);
/* Once in the file: struct args, and what runs a step. */
void emit_forward_frame(Emit *e, Text *text);
/* forward and what it calls, for one instruction set; their tasks go to e->functions. */
void emit_forward(Emit *e, Text *text);
const char *emit_forward_parameters(const Emit *e);

/* Parts of the arena as expressions of `net`, after the first: activations; and its floats for each thread and for all.
 */
typedef struct ArenaPlaces {
    const char *kept, *scratch, *ready;
    long long each, all;
} ArenaPlaces;
ArenaPlaces emit_arena_places(const Emit *e);

#endif
