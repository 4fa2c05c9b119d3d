/* The recipe's hash, by which packed weights belong to it. */
#include "recipe.h"

#include <string.h>
#include <xxhash.h>

/* Chained, each step hashed with the hash so far as seed, over little-endian bytes of its fields: the same on every
 * compiler, whatever the struct's padding. */
uint64_t rn_recipe_hash(const rn_recipe_step *steps, int count) {
    uint64_t hash = (uint64_t)count;
    for (int i = 0; i < count; i++) {
        const rn_recipe_step *step = &steps[i];
        uint64_t real, fields[15];
        memcpy(&real, &step->real, sizeof real);
        int n = 0;
        fields[n++] = step->op;
        fields[n++] = step->ndim;
        for (int a = 0; a < 3; a++) fields[n++] = (uint64_t)(int64_t)step->arg[a];
        for (int d = 0; d < 4; d++) fields[n++] = d < step->ndim ? (uint64_t)(int64_t)step->dim[d] : 0;
        for (int k = 0; k < 4; k++) fields[n++] = (uint64_t)(int64_t)step->integer[k];
        fields[n++] = real;
        fields[n++] = rn_recipe_is_packing(step) ? step->offset : 0;
        uint8_t bytes[sizeof fields];
        for (int f = 0; f < n; f++)
            for (int b = 0; b < 8; b++) bytes[8 * f + b] = (uint8_t)(fields[f] >> 8 * b);
        hash = XXH3_64bits_withSeed(bytes, sizeof bytes, hash);
        if (step->op == RN_PARAM && step->name) hash = XXH3_64bits_withSeed(step->name, strlen(step->name), hash);
    }
    return hash;
}
