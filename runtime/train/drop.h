/* What dropout draws in training, the same in the compiler's interpreter and in emitted code.
 *
 * Element i of an image's value, in C, H, W order, stays where word i % 4 of rn_drop_words' block i / 4 is at least
 * rn_drop_limit(rate), and is then multiplied by 1 / (1 - rate), which emitted code rounds to float; else it is 0. The
 * comparison is of integers: no rounding decides.
 */
#ifndef RN_DROP_H
#define RN_DROP_H

#include "philox.h"

/* So many of the 2^32 words drop an element: the whole part of rate * 2^32; rate from 0 to below 1. */
static inline uint32_t rn_drop_limit(double rate) {
    return (uint32_t)(rate * 0x1p32);
}

/* Four elements' words. `drawn`: the number drawn for the image and step, below 2^24; `number`: the layer's among the
 * network's dropouts. */
static inline void rn_drop_words(uint32_t word[4], uint32_t drawn, uint32_t number, uint32_t block) {
    const uint32_t counter[4] = {block, number, 0, RN_DRAW_DROPOUT};
    rn_philox(word, counter, drawn);
}

#endif
