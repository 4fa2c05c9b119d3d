/* What a packed file's header says of its recipe: the hash, by which it belongs to it, and the types in it. */
#include "recipe.h"

#include <string.h>
#include <xxhash.h>

/* Chained, each step hashed with the hash so far as seed, over little-endian bytes of its fields: the same on every
 * compiler, whatever the struct's padding. */
uint64_t rn_recipe_hash(const rn_recipe_step *steps, int count) {
    uint64_t hash = (uint64_t)count;
    for (int i = 0; i < count; i++) {
        const rn_recipe_step *step = &steps[i];
        uint64_t real, fields[16];
        memcpy(&real, &step->real, sizeof real);
        int n = 0;
        fields[n++] = step->op;
        fields[n++] = step->type;
        fields[n++] = step->ndim;
        for (int a = 0; a < 3; a++) fields[n++] = a < rn_recipe_arity(step) ? (uint64_t)(int64_t)step->arg[a] : 0;
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

uint32_t rn_recipe_types(const rn_recipe *recipe) {
    uint32_t types = 0;
    for (int i = 0; i < recipe->count; i++)
        if (rn_recipe_is_packing(&recipe->steps[i])) types |= 1u << recipe->steps[i].type;
    return types;
}
