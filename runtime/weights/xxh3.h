/* XXH3-64 without a seed: the checksum of packed weights, for a standalone network, which has no libxxhash. */
#ifndef RN_XXH3_H
#define RN_XXH3_H

#include <stddef.h>
#include <stdint.h>

uint64_t rn_xxh3(const void *bytes, size_t size);

#endif
