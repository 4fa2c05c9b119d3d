/* Which values of two networks are each other's counterparts: match.c says how they are found. */
#ifndef RNC_MATCH_H
#define RNC_MATCH_H

#include "ir.h"

/* By id of a's values: that of b with the same shape, whose numbers should be the same if the networks compute the
 * same; NULL where none is known to be. No value of b is there twice. `folded`: both after passes that keep their
 * values' names. Lives in `arena`. */
Value **graph_match(const Graph *a, const Graph *b, const Graph *const folded[2], Arena *arena);

#endif
