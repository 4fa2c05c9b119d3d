/* Candidates for a convolution, and what is predicted of each. */
#ifndef RNC_PLAN_CHOOSE_H
#define RNC_PLAN_CHOOSE_H

#include "cost.h"

enum { CHOOSE_MAX_TILE = 7 }; /* rows, columns of an output tile: a larger one would break every error budget */

/* The ways to compute a convolution, the fastest (by the model) first; returns how many, at least one. */
int choose_candidates(const Plan *plan, const Node *node, Candidate list[CHOOSE_MAX_CANDIDATES]);
/* The same, the first chosen; found once for all nodes of a shape (and of one size of groups). */
const Decision *choose_decision(Plan *plan, const Node *node);
/* Whether the tolerance allows a layer to be computed so, if no other had an error; at least what errs no more than the
 * direct sum. */
bool choose_fits(const Plan *plan, const Node *node, const Candidate *candidate);
/* What the output gets of a layer's error, root mean square, with the model's margin. */
double choose_error(const Plan *plan, const Node *node, const Candidate *candidate);
/* Whether the V of all tiles may be at hand at once: one block. */
bool choose_may_share(const WinogradPlan *w);
/* What the candidates and their times depend on, as text; lives in `arena`. */
const char *choose_shape(const Plan *plan, const Node *node, Arena *arena);
/* Whether there is anything but the direct sum. */
bool choose_has_ways(const Plan *plan, const Node *node);
bool choose_may_be_winograd(const Node *node);
/* Whether an image of this shape, with its halo, is addressed in an int. */
bool choose_fits_int(Shape shape);

#endif
