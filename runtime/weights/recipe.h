/* What the files of the recipe share: expressions, packing, the runner, the hash (rn_recipe.h).
 *
 * Every step computes each element of its result from a fixed order of double operations and rounds it to float once. A
 * step is divided among threads by units: rows (the first dimension) of an expression; panels, merged groups or taps of
 * a packing. That changes no order, so bytes do not depend on the number of threads.
 */
#ifndef RN_WEIGHTS_RECIPE_H
#define RN_WEIGHTS_RECIPE_H

#include "rn_recipe.h"

enum { RN_LANES = 16 }; /* floats of a vector register and of a cache line: what packed rows are rounded up to */

static inline int64_t rn_round_to_lanes(int64_t n) {
    return (n + RN_LANES - 1) / RN_LANES * RN_LANES;
}

/* A dimension that a step does not have may be written as 0: it counts as 1. */
static inline int64_t rn_recipe_extent(const int32_t *dim, int i) {
    return dim[i] > 0 ? dim[i] : 1;
}

static inline int64_t rn_recipe_row_size(const int32_t *dim) {
    return rn_recipe_extent(dim, 1) * rn_recipe_extent(dim, 2) * rn_recipe_extent(dim, 3);
}

static inline int64_t rn_recipe_element_count(const int32_t *dim) {
    return rn_recipe_extent(dim, 0) * rn_recipe_row_size(dim);
}

/* ---- recipe_expressions.c ---- */
int rn_recipe_arity(const rn_recipe_step *step); /* how many tensors it reads */
/* Rows [k0, k1) of the step's result, as rn_recipe_evaluate. */
void rn_recipe_evaluate_rows(const rn_recipe_step *step, const float *const args[3], const int32_t *const arg_dims[3],
                             float *out, int64_t k0, int64_t k1);

/* ---- recipe_pack.c ---- */
int rn_recipe_is_packing(const rn_recipe_step *step);
int rn_recipe_pack_is_sound(const rn_recipe_step *step); /* do its dims and integers make sense? */
int64_t rn_recipe_pack_units(const rn_recipe_step *step);
/* Units [u0, u1) of the step's area, as rn_recipe_pack. */
void rn_recipe_pack_part(const rn_recipe_step *step, const float *arg, uint8_t *payload, int64_t u0, int64_t u1);

/* ---- recipe_hash.c ---- */
uint32_t rn_recipe_types(const rn_recipe *recipe); /* of the payload's numbers: bits 1 << rn_dtype */

#endif
