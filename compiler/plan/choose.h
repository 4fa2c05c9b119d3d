/* Candidates for a convolution, and what is predicted of each. */
#ifndef RNC_PLAN_CHOOSE_H
#define RNC_PLAN_CHOOSE_H

#include "cost.h"

enum { CHOOSE_MAX_TILE = 7 }; /* rows, columns of an output tile: a larger one would break every error budget */

/* The ways to compute a convolution for so many images at once, the fastest (by the model) first; returns how many, at
 * least one. */
int choose_candidates(const Plan *plan, const Node *node, int images, Candidate list[CHOOSE_MAX_CANDIDATES]);
/* The same, the first chosen; found once for all nodes of a shape (and of one size of groups). */
const Decision *choose_decision(Plan *plan, const Node *node, int images);
/* Whether the tolerance allows a layer to be computed so, if no other had an error; at least what errs no more than the
 * direct sum. */
bool choose_fits(const Plan *plan, const Node *node, const Candidate *candidate);
/* What the output gets of a layer's error, root mean square, with the model's margin. */
double choose_error(const Plan *plan, const Node *node, const Candidate *candidate);
/* Whether all tiles may be one block: their V stays in L3 until the products have read it. */
bool choose_may_share(const Plan *plan, const WinogradPlan *w);
/* What the candidates and their times depend on, as text; lives in `arena`. */
const char *choose_shape(const Plan *plan, const Node *node, int images, Arena *arena);
/* Whether there is anything but the direct sum. */
bool choose_has_ways(const Plan *plan, const Node *node);

/* ---- what others ask of a choice ---- */
/* The pixels that a convolution's first term reads: its result and window, which tiles make larger. */
void choice_reach(const Choice *choice, Shape *out, Window *window);
bool choice_is_direct(const Choice *choice); /* a direct sum: always there, and its error is that of rounding alone */
bool choice_has_tiles(const Choice *choice);
const char *choice_key(Arena *arena, const Choice *choice);  /* "F(4x4) 49": all of it, in the tuning cache */
const char *choice_name(Arena *arena, const Choice *choice); /* "F(4x4)", for people */
/* ", 49 tiles at once" */
const char *choice_blocks(Arena *arena, const Plan *plan, const Node *node, const Choice *choice, int images);
enum { CHOOSE_BLOCKS = 3 };
/* The same tiles in blocks of other sizes: all, and parts around a GEMM's width; none of a candidate without tiles. */
int choose_blocks(const Plan *plan, const Node *node, int images, Candidate candidate, Candidate list[CHOOSE_BLOCKS]);

void plan_choices(Plan *plan); /* of all nodes */

#endif
