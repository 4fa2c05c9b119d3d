/* How a convolution is computed, drawn from a seed: any tiles and blocks that there are, so that all are tried and not
 * only the fast ones. For PlanOptions.candidates.
 */
#ifndef RNC_TEST_RANDOM_CHOICE_H
#define RNC_TEST_RANDOM_CHOICE_H

#include <limits.h>

#include "graph/ops.h"
#include "plan/choose.h"
#include "plan/strassen.h"
#include "plan/winograd.h"

static inline uint64_t random_choice_bits(uint64_t *state) { /* splitmix64 (Steele, Lea, Flood, 2014) */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* By Winograd's or Strassen's method where the layer can be, after at most `tries` draws of tiles. Returns 1, or 0
 * where none fits. */
static inline int random_choice(uint64_t state, int tries, const Plan *plan, const Node *node, Candidate *list) {
    Choice *choice = &list->choice;
    list->cost = (Cost){0}; /* of no account: there is nothing else to choose */
    if (strassen_may_be(node)) {
        const int pixels = node->out->shape.h * node->out->shape.w, most = pixels / 2 < 56 ? pixels / 2 : 56;
        *choice = (Choice){.algorithm = ALG_STRASSEN, .block = 1 + (int)(random_choice_bits(&state) % (uint64_t)most)};
        return 1;
    }
    if (!winograd_may_be(node)) return 0;
    for (int try = 0; try < tries; try++) {
        WinogradPlan w = {0};
        *choice = (Choice){ALG_WINOGRAD, 1 + (int)(random_choice_bits(&state) % CHOOSE_MAX_TILE),
                           1 + (int)(random_choice_bits(&state) % CHOOSE_MAX_TILE), INT_MAX,
                           try % 2 ? 1 : winograd_side(plan, node)};
        if (!winograd_tiles(&w, plan, node, choice, plan_images(plan, node))) continue;
        const int tiles = winograd_tile_count(&w), limit = tiles < WINOGRAD_CALL ? tiles : WINOGRAD_CALL;
        const bool whole = pool_is_global(&node->epilogue), fits = limit == tiles || choose_may_share(plan, &w);
        if (whole && !fits) continue;
        const bool all = fits && (whole || random_choice_bits(&state) % 2);
        choice->block = all ? tiles : 1 + (int)(random_choice_bits(&state) % (uint64_t)limit);
        if (!winograd_tiles(&w, plan, node, choice, w.images))
            continue; /* windows that only an image of all tiles holds */
        return 1;
    }
    return 0;
}

#endif
