/* Random layers: a network of one layer or a few, of any operation with any attributes, and how to compile it.
 *
 * A case is made from a list of choices. They are drawn from a seed, recorded, and may be given back changed: smaller
 * choices make a smaller case, so that a failing one can be reduced without knowing what it is.
 */
#ifndef TEST_RANDOM_LAYER_H
#define TEST_RANDOM_LAYER_H

#include "emitted.h"

enum { CHOICES_MOST = 1000 };
#define LARGE_LAYERS                                                                                                   \
    ((uint64_t)1 << 50) /* seeds from here on make layers of real networks' sizes: to emit, not to run */

typedef struct Choices {
    uint64_t state;          /* at first the seed */
    int value[CHOICES_MOST]; /* from 0, the simplest */
    int count;               /* that the case was made from */
    int given;               /* the first of them are taken from value; -1: all are drawn, else those beyond are 0 */
} Choices;

/* isa: of the emitted code, or -1: any. The variant's texts live in the arena. */
Graph *random_layer(Arena *arena, Choices *choices, int isa, Variant *variant);
bool random_layer_is_large(uint64_t seed);
/* rnc's options for the variant, as far as there are such. */
const char *random_layer_options(Arena *arena, const Variant *variant);

#endif
