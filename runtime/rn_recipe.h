/* The weight recipe: how packed weights are made from a weights file. One description, run in two places.
 *
 * The compiler folds batch norms and shortcuts symbolically: each fold is an expression over tensors, each expression a
 * step. The steps that the emitted code needs are written into net.c as a table. rnc --weights runs them at compile
 * time, rn_weights_open runs them at start-up on a safetensors file: the same code (weights/recipe_*.c), hence the same
 * bytes.
 *
 * Arithmetic is double per element, results are rounded to float once a step. Tensors are row-major floats, also where
 * their numbers are rounded to another type; packing stores them in their type.
 */
#ifndef RN_RECIPE_H
#define RN_RECIPE_H

#include <stddef.h>
#include <stdint.h>

/* A row of rn_recipe.def each: RN_PARAM, RN_BN_SCALE, RN_PACK_VECTOR, ... */
typedef enum rn_recipe_op {
#define RN_PARAMETER(name, ...) RN_##name,
#define RN_EXPRESSION(name, ...) RN_##name,
#define RN_PACKING(name, ...) RN_##name,
#include "rn_recipe.def"
    RN_RECIPE_OP_COUNT
} rn_recipe_op;

typedef struct rn_recipe_step {
    uint8_t op;   /* rn_recipe_op */
    uint8_t type; /* rn_dtype: of what packing writes; what RN_CAST rounds to; of other expressions RN_F32 */
    uint8_t ndim;
    int32_t arg[3]; /* indices of earlier steps, as many as the operation has arguments */
    int32_t dim[4]; /* of the result; packing: of the argument, as K, C/groups, R, S */
    double real;
    int32_t
        integer[4];   /* as the operation's row says; RN_PARAM: 1 first where the tensor may be missing: it is 0 then */
    uint64_t offset;  /* packing: byte offset in the packed payload, a multiple of 64 */
    const char *name; /* RN_PARAM */
} rn_recipe_step;

typedef struct rn_recipe {
    const rn_recipe_step *steps; /* in order: arguments come first */
    int count;
    uint64_t packed_size; /* bytes of the payload */
    uint64_t hash;        /* of the steps: packed weights belong to the recipe that made them */
} rn_recipe;

/* Layouts of packed kernels.
 *
 * RN_PACK_PANELS, groups == 1: for each panel of `panel` output channels, for each block of `block` input channels:
 *     [R][S][block][width]      width = min(panel, K - k0 rounded up to 16); missing output channels are zero,
 * the last input block has C % block channels where that is not 0. With block == C a panel is [R][S][C][width]: of a
 * 1x1 kernel a plain GEMM's A matrix (lda = width); of a fully connected layer, whose weights are seen as K x C x H x
 * W, one whose rows are in the order of its input's storage (h, w, c).
 *
 * groups > 1: K/groups x C/groups kernels become block-diagonal panels. `block` = input channels of a merged group (a
 * multiple of C/groups), `panel` = its output channels (block / (C/groups) * (K/groups)) rounded up to 16:
 *     for each merged group: [R][S][block][panel], zero off the diagonal. The last merged group may be smaller; it is
 *     stored at full size, the rest zero.
 *
 * RN_PACK_WINOGRAD: each kernel transformed for output tiles of m_h x m_w at a stride (winograd.h): for each panel of
 * `panel` output channels, for each product of rows x columns:
 *     [C][width]                width as RN_PACK_PANELS has it
 * a plain GEMM's A matrix a product.
 *
 * Bytes that a packing step writes, from its op, dim and integer; 0 where it asks for what there is not (a transform,
 * say). */
size_t rn_recipe_pack_size(const rn_recipe_step *step);

/* Evaluates one non-packing, non-parameter step: out has the step's dims; args are its arguments' elements and dims. */
void rn_recipe_evaluate(const rn_recipe_step *step, const float *const args[3], const int32_t *const arg_dims[3],
                        float *out);
/* Runs one packing step into payload + offset. */
void rn_recipe_pack(const rn_recipe_step *step, const float *arg, uint8_t *payload);

/* Where parameters come from: returns `count` floats of the named tensor with these dims, malloc'd; NULL where it
 * cannot (the callee keeps the reason). */
typedef float *(*rn_param_source)(void *user, const char *name, int ndim, const int32_t *dim);

/* Runs all steps into `payload` (packed_size bytes, 64-byte aligned); frees each tensor after its last use; large
 * layers are spread over `threads`. Returns 0, or -1 where a parameter or memory could not be had. */
int rn_recipe_run(const rn_recipe *recipe, rn_param_source source, void *user, uint8_t *payload, int threads);

/* XXH3-64 over the steps' meaning (names, ops, dims, arguments, offsets), not over their memory. */
uint64_t rn_recipe_hash(const rn_recipe_step *steps, int count);

#endif
