/* rn_emitted: what emitted code (net.c) takes from the runtime: kernels, an instance's context, threads, preprocessing.
 * Not for applications, and bound to RN_ABI. C alone.
 */
#ifndef RN_EMITTED_H
#define RN_EMITTED_H

#include "rn.h"

#ifndef RN_STANDALONE
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif
#endif

/* ---- matrix kernels ---- */
typedef void rn_gemm(const float *a, const float *b, float *c, const float *next_a, const float *next_b,
                     const float *next_c);
typedef void rn_brgemm(const float *a, const float *b, float *c, const unsigned long long *count,
                       const unsigned long long *offsets_a, const unsigned long long *offsets_b);
typedef rn_gemm *rn_gemm_fn;
typedef rn_brgemm *rn_brgemm_fn;
typedef union rn_kernel {
    rn_gemm_fn gemm;   /* plain */
    rn_brgemm_fn offs; /* batch-reduce, byte offsets */
    void (*any)(void);
} rn_kernel;

/* C[n][m] (+)= sum A[k][m] * B[n][k], column-major for libxsmm; lda, ldb, ldc in numbers */
typedef struct rn_kernel_spec {
    int m, n, k, lda, ldb, ldc;
    rn_dtype a, b, c;         /* types; libxsmm makes kernels of RN_F32 alone */
    unsigned char accumulate; /* beta = 1 */
    unsigned char reduce;     /* 0: plain; 1: batch-reduce by byte offsets */
    unsigned char prefetch;   /* plain only: next_a is prefetched (AL2) */
    unsigned char transposed; /* B is stored as B[k][n], ldb from one k to the next */
} rn_kernel_spec;

/* ---- an instance ---- */
typedef struct rn_context { /* the first member of every instance */
    const rn_model *model;
    const uint8_t *weights; /* packed payload */
    float *arena;           /* activations, 64-byte aligned */
    int threads;
    void (*parallel)(void *user, int n, rn_task fn, void *arg);
    void *parallel_user;
    void (*layer)(void *user, int layer, const rn_tensor *out);
    void *layer_user;
    void *owned; /* memory to free in destroy: the arena is in it where create allocated it */
    size_t owned_size;
    rn_weights *owned_weights; /* opened by create from the embedded bytes */
    char message[RN_ERROR_SIZE];
} rn_context;

/* NAME_create. The instance is a struct of instance_size bytes whose first member is an rn_context. `need` is
 * NAME_arena_size(largest batch, rn_options_threads(options)): instance_size rounded up to 64, and the scratch and
 * activations that follow it (context->arena).
 * Checks ABI, threads, CPU, weights (opens embedded ones where `weights` is NULL; NULL is right where the recipe packs
 * nothing), arena (size; 64-byte aligned; NULL: allocated, in huge pages where there are any). Zeroes the `need` bytes.
 * On an error *net is NULL, everything is freed, the text is in options->error. */
rn_status rn_context_create(void **net, size_t instance_size, size_t need, const rn_model *model, void *arena,
                            size_t size, const rn_weights *weights, const rn_options *options);
/* The same with kernels from libxsmm: dispatches `count` of them into the instance's table at kernels_offset. Linked
 * only where it is called: needs libxsmm. */
rn_status rn_context_create_jit(void **net, size_t instance_size, size_t need, size_t kernels_offset,
                                const rn_kernel_spec *specs, int count, const rn_model *model, void *arena, size_t size,
                                const rn_weights *weights, const rn_options *options);

int rn_options_threads(const rn_options *options); /* at least 1; NULL is allowed */
/* Gives back what create took; the arena where create allocated it. NULL is allowed. */
void rn_context_destroy(rn_context *context);
/* Writes the text that NAME_message returns, and returns `status`. */
rn_status rn_context_fail(rn_context *context, rn_status status, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* Calls fn(arg, part, parts) for each part of parts = context->threads and returns when all are done: directly where
 * there is one thread, else on the options' pool, else on OpenMP's. */
void rn_parallel(rn_context *context, rn_task fn, void *arg);

/* run_rgb's first half, one image: 8-bit RGB [height][width][3] -> normalised input.c x input.h x input.w floats in the
 * model's input_layout, as its preprocess says: the shorter side to `resize` (bilinear, antialiased when shrinking, as
 * PIL and torchvision do), then the centre crop; black where the resized image is smaller than the crop. Allocates
 * nothing; any thread. RN_ERROR_ARGUMENT: a null pointer, a side outside 1..RN_MAX_IMAGE_SIDE, or an input of no 1 or 3
 * channels. */
rn_status rn_preprocess_rgb(const rn_model *model, const uint8_t *rgb, int height, int width, float *image);
/* The same less a mean image beside the model's mean: channel c is (pixel / 255 * range - model's mean[c] - mean[c]) /
 * std[c]. mean: of each channel of the input `pixels` numbers, input.h x input.w or 1, planar in any layout. */
rn_status rn_preprocess_rgb_less(const rn_model *model, const float *mean, int pixels, const uint8_t *rgb, int height,
                                 int width, float *image);

#ifndef RN_STANDALONE
#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#endif
#endif
