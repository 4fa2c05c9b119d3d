/* The weight recipe: how packed weights are made from a weights file. One description, run in two places.
 *
 * The compiler folds batch norms and shortcuts symbolically: each fold is an expression over tensors, each expression a
 * step. The steps that the emitted code needs are written into net.c as a table. rnc --weights runs them at compile
 * time, rn_weights_open runs them at start-up on a safetensors file: the same code (recipe.c), hence the same bytes.
 *
 * Arithmetic is double per element, results are rounded to float once a step. Tensors are row-major floats.
 */
#ifndef RN_RECIPE_H
#define RN_RECIPE_H

#include <stddef.h>
#include <stdint.h>

typedef enum rn_recipe_op {
    RN_PARAM,           /* the tensor `name` of the weights file, of exactly these dims                             */
    RN_FILL,            /* every element is `real`                                                                  */
    RN_IDENTITY_KERNEL, /* K x C/groups x R x S: 1 where k is channel c (of its group) at the kernel's centre, else 0;
                           integer[0] = groups                                                                      */
    RN_BN_SCALE,        /* [K] args: weight, var; real = eps:  weight / sqrt(var + eps)                             */
    RN_BN_SHIFT,        /* [K] args: bias, mean, scale:        bias - mean * scale                                  */
    RN_MUL_ADD,         /* [K] args: a, b, c:                  a * b + c                                            */
    RN_SCALE_OUT,       /* args: w (K x ...), s [K]:           w[k,...] * s[k]                                      */
    RN_SCALE_IN,        /* args: w (K x C/groups x R x S or K x C*hw), s [C]: w[k,c,...] * s[c]; integer[0] = groups,
                           integer[1] = hw, pixels per channel of an fc's input (1 for conv)                        */
    RN_SHIFT_IN,        /* [K] args: w, t [C]: sum over c, r, s of w[k,c,r,s] * t[c]; integers as RN_SCALE_IN       */
    RN_ADD,             /* args: a, b of equal dims: a + b                                                          */
    RN_EMBED,           /* K x C x R x S from args[0] K x C x r x s, zero around; integer = offset row, column      */
    RN_RESHAPE,         /* args[0] with other dims, same elements                                                   */
    /* packing: writes to the packed file at `offset` instead of making a tensor */
    RN_PACK_VECTOR,    /* args[0] [K]: floats, padded with zeros to a multiple of 16                               */
    RN_PACK_PANELS,    /* args[0] K x C/groups x R x S: see rn_pack_panels_size                                    */
    RN_PACK_DEPTHWISE, /* args[0] C x 1 x R x S: [R][S][C rounded up to 16]                                        */
    RN_PACK_WINOGRAD,  /* args[0] K x C x R x S: see rn_pack_winograd_size                                         */
    RN_PACK_STRASSEN,  /* args[0] K x C x 1 x 1, halves of both: for each panel of K/2: A11, A12, S2, S3, S1, S4,
                          -A22 of Strassen's method, each [C/2][panel]; S1 = A21 + A22, S2 = S1 - A11,
                          S3 = A11 - A21, S4 = A12 - S2; integer = panel width, which divides K/2                   */
    /* later ones, behind, so that older recipes keep their numbers and hashes */
    RN_PACK_PANELS_BF16, /* RN_PACK_PANELS of one group, each number rounded to bf16 and two bytes long            */
    RN_ROUND_BF16,       /* an expression: args[0] with each element rounded to bf16                                */
    RN_SPACE_TO_DEPTH, /* an expression: K x C x R x S -> K x side*side*pixel x R/side x S/side, rounded up: tap (r, s)
                          of channel c becomes tap (r / side, s / side) of channel (r % side * side + s % side) *
                          pixel + c; zero elsewhere; integer = side, pixel                                        */
    RN_RECIPE_OP_COUNT
} rn_recipe_op;

typedef struct rn_recipe_step {
    uint8_t op; /* rn_recipe_op */
    uint8_t ndim;
    int32_t arg[3]; /* indices of earlier steps; -1: none */
    int32_t dim[4]; /* of the result; packing: of the argument, as K, C/groups, R, S */
    double real;
    int32_t integer[4]; /* RN_PACK_PANELS: panel width (multiple of 16), channel block, groups (_BF16: 1);
                           RN_PACK_WINOGRAD: panel width, rows and columns of an output tile, stride */
    uint64_t offset;    /* packing: byte offset in the packed payload, a multiple of 64 */
    const char *name;   /* RN_PARAM */
} rn_recipe_step;

typedef struct rn_recipe {
    const rn_recipe_step *steps; /* in order: arguments come first */
    int count;
    uint64_t packed_size; /* bytes of the payload */
    uint64_t hash;        /* of the steps: packed weights belong to the recipe that made them */
} rn_recipe;

/* RN_PACK_PANELS, groups == 1: for each panel of `panel` output channels, for each block of `block` input channels:
 *     [R][S][block][width]      width = min(panel, K - k0 rounded up to 16); missing output channels are zero,
 * the last input block has C % block channels where that is not 0. With block == C a panel is [R][S][C][width]: a plain
 * GEMM's A matrix for 1x1 (lda = width), a packed stem's (K index s*C + c), an fc's in its input's h, w, c order.
 * groups > 1: K/groups x C/groups kernels become block-diagonal panels. `block` = input channels of a merged group (a
 * multiple of C/groups), `panel` = its output channels (block / (C/groups) * (K/groups)) rounded up to 16:
 *     for each merged group: [R][S][block][panel], zero off the diagonal. The last merged group may be smaller; it is
 *     stored at full size, the rest zero.
 * `channels` is C of one group. Bytes, a multiple of 64. */
size_t rn_pack_panels_size(int features, int channels, int r, int s, int panel, int block, int groups);

/* RN_PACK_PANELS_BF16: the same order of half as many bytes; not rounded up to a multiple of 64. */
size_t rn_pack_panels_bf16_size(int features, int channels, int r, int s);

/* To the nearest bf16, the even one of two: the upper 16 bits of the result. Beyond the largest infinite; NaN stays. */
uint16_t rn_bf16(float x);

/* RN_PACK_WINOGRAD: each kernel transformed for output tiles of m_h x m_w at a stride (winograd.h): for each panel of
 * `panel` output channels, for each product of rows x columns:
 *     [C][width]                width as RN_PACK_PANELS has it
 * a plain GEMM's A matrix a product. Bytes, a multiple of 64; 0 where there is no such transform. */
size_t rn_pack_winograd_size(int features, int channels, int r, int s, int m_h, int m_w, int stride);

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
