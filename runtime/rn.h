/* rn: the runtime that networks compiled by rnc link to.
 *
 * An application includes the header that rnc wrote for its network (resnet152.h), which includes this one. Everything
 * here is C99 and C++. No function prints or exits; errors are values, their text goes to a buffer. An instance is used
 * by one thread at a time; different instances run at once, weights are shared freely (see docs/runtime.md).
 *
 *     char error[RN_ERROR_SIZE];
 *     rn_weights *weights;
 *     resnet152 *net;
 *     rn_options options = {.threads = 2, .error = error, .error_size = sizeof error};
 *     if (rn_weights_open(&weights, resnet152_model(), "resnet152.rnw", error, sizeof error)) ...
 *     if (resnet152_create(&net, NULL, 0, weights, &options)) ...
 *     if (resnet152_run(net, 1, image, output)) puts(resnet152_message(net));
 *     resnet152_destroy(net);
 *     rn_weights_close(weights);
 */
#ifndef RN_H
#define RN_H

#include <stddef.h>
#include <stdint.h>

#ifndef RN_STANDALONE
#ifdef __GNUC__
#pragma GCC visibility push(default) /* librn's own objects are compiled with -fvisibility=hidden */
#endif
#endif
#ifdef __cplusplus
extern "C" {
#endif

#define RN_VERSION "0.1.0"
#define RN_ABI 11 /* emitted code and librn must agree; create checks */
#define RN_ERROR_SIZE 512
#define RN_MAX_THREADS 1024
#define RN_MAX_IMAGE_SIDE 65535 /* pixels, of pictures given to run_rgb */

/* ---- status ---- */
typedef enum rn_status {
    RN_OK = 0,
    RN_ERROR_ARGUMENT, /* a batch out of range, an arena too small, a null pointer */
    RN_ERROR_MEMORY,
    RN_ERROR_FILE,   /* cannot be opened or read */
    RN_ERROR_FORMAT, /* not what it should be: truncated, altered, of another network */
    RN_ERROR_CPU,    /* this CPU lacks instructions that the code was made for */
    RN_ERROR_KERNEL, /* libxsmm made no kernel (JIT denied, unknown CPU) */
    RN_ERROR_VERSION /* emitted code and librn differ in ABI */
} rn_status;
const char *rn_status_text(rn_status status); /* "out of memory"; static storage; any thread, any value */

/* ---- types of numbers: a row each, name, word, bytes, C type that holds one ---- */
#define RN_DTYPES(ROW)                                                                                                 \
    ROW(F32, f32, 4, float)                                                                                            \
    ROW(BF16, bf16, 2, uint16_t) /* the upper half of a float, rounded to the nearest, the even one of two */

#define RN_DTYPE(name, ...) RN_##name,
typedef enum rn_dtype { RN_DTYPES(RN_DTYPE) RN_DTYPE_COUNT } rn_dtype; /* RN_F32, RN_BF16, ... */
#undef RN_DTYPE

/* Bytes of a number. */
static inline size_t rn_dtype_size(rn_dtype type) {
#define RN_DTYPE(name, word, bytes, ...) bytes,
    static const uint8_t sizes[] = {RN_DTYPES(RN_DTYPE)};
#undef RN_DTYPE
    return sizes[type];
}

/* ---- a compiled network, described ---- */
typedef struct rn_shape {
    int c, h, w;
} rn_shape;

typedef struct rn_layer {  /* one row per call in the emitted run */
    const char *name;      /* "layer1.0.conv1"; the names of fused layers joined by " + " in `what` */
    const char *what;      /* "conv 3x3 + relu" */
    const char *algorithm; /* "direct", "winograd", "pool", ... */
    const char *place;     /* "resnet152.rn:7:9" */
    const char *value;     /* the name of the value it computes (for --verify) */
    rn_shape out;
    int64_t macs;            /* multiply-adds of one image */
    int64_t multiplications; /* of one image: those that this code does (Winograd's and Strassen's methods do fewer) */
    int64_t bytes;           /* activations read and written and weights read, of one image */
    int64_t weights;         /* bytes of packed weights: each run reads them at least once */
} rn_layer;

/* The order in which the application has an image's numbers; strides are those of arrays without gaps. */
typedef enum rn_layout {
    RN_NCHW, /* C x H x W, planar */
    RN_NHWC  /* H x W x C: the channels of a pixel side by side */
} rn_layout;

typedef struct rn_output {
    const char *name;
    rn_shape shape;
    rn_layout layout;
} rn_output;

typedef enum rn_isa {
    RN_ISA_GENERIC = 0,   /* any CPU */
    RN_ISA_X86_64_V3 = 3, /* AVX2, FMA */
    RN_ISA_X86_64_V4 = 4  /* AVX-512 F, BW, DQ, VL */
} rn_isa;

typedef enum rn_order {
    RN_ORDER_RGB,
    RN_ORDER_BGR,
    RN_ORDER_GRAY /* 0.299 R + 0.587 G + 0.114 B, as ITU-R BT.601 has it, in each channel */
} rn_order;

/* How run_rgb makes the input: channel c = (pixel / 255 * range - mean[c]) / std[c] */
typedef struct rn_preprocess {
    rn_order order;
    float range, mean[4], std[4]; /* one per channel of the input, in its order; std is not 0 */
    int resize; /* shorter side before the centre crop; 0: straight to the input's size, whatever the proportions */
} rn_preprocess;

typedef struct rn_image { /* a decoded picture file */
    int width, height;
    uint8_t *rgb; /* [height][width][3] */
} rn_image;

struct rn_recipe;
struct rn_weights;
struct rn_options;
typedef struct rn_weights rn_weights;
typedef struct rn_options rn_options;

typedef struct rn_model { /* constant; what tools need to drive any network */
    int abi;
    const char *name, *rnc_version, *command, *source_hash;
    rn_isa isa;      /* the least that a machine must have; create checks */
    rn_isa best_isa; /* the best that the code uses where it is there; equal to isa, or above */
    int batch;       /* the largest */
    rn_shape input;
    rn_layout input_layout;   /* of the images that run takes */
    const rn_output *outputs; /* in the order of the source; the last is the network's result */
    int output_count;
    size_t output_size; /* floats of all outputs, one image: image n's start at output + n * output_size, one output
                           after another in order, each in its layout */
    int probabilities;  /* 1: the last output ends in softmax */
    rn_preprocess preprocess;
    const rn_layer *layers;
    int layer_count;
    int64_t macs; /* multiply-adds of one image: those that the source says */
    int64_t parameters;
    const struct rn_recipe *recipe;
    const void *embedded; /* packed weights file in the object (--embed), or NULL */
    size_t embedded_size;
    const char *weights_file; /* the packed file that rnc wrote beside the source, or NULL; a bare file name */
    /* NAME_arena_size and so on, by pointer; see the header that rnc wrote */
    size_t (*arena_size)(int batch, int threads); /* bytes */
    rn_status (*create)(void **net, void *arena, size_t size, const rn_weights *weights, const rn_options *options);
    rn_status (*run)(void *net, int batch, const float *image, float *output);
    rn_status (*run_rgb)(void *net, int batch, const uint8_t *const *rgb, const int *height, const int *width,
                         float *output);
    const char *(*message)(const void *net);
    void (*destroy)(void *net);
    int64_t multiplications; /* of one image: those that this code does; fewer than macs by Winograd's method */
    /* rn_weights_open and rn_weights_memory of the runtime that the network runs on: librn's, or its own */
    rn_status (*weights_open)(rn_weights **weights, const struct rn_model *model, const char *path, char *error,
                              size_t error_size);
    rn_status (*weights_memory)(rn_weights **weights, const struct rn_model *model, const void *bytes, size_t size,
                                char *error, size_t error_size);
} rn_model;

/* ---- weights: constant, shared by any number of instances and threads ---- */
struct rn_weights { /* for the functions below, which read it in any runtime of this RN_ABI */
    void (*close)(rn_weights *weights);
    const void *payload;
    size_t size;
    uint64_t recipe_hash;
};
/* These functions may be called from any thread. The weights belong to the caller until rn_weights_close.
 * Opens packed weights (mapped, checksum verified) or a safetensors file (folded and packed into memory by the model's
 * recipe; a prefix that all its names have is left out; not for a standalone network). On an error *weights is NULL,
 * and `error` (may be NULL) has the text: every missing, surplus or mis-shaped tensor. */
rn_status rn_weights_open(rn_weights **weights, const rn_model *model, const char *path, char *error,
                          size_t error_size);
/* The same from memory; packed bytes must be 64-byte aligned and outlive the weights. */
rn_status rn_weights_memory(rn_weights **weights, const rn_model *model, const void *bytes, size_t size, char *error,
                            size_t error_size);
void rn_weights_close(rn_weights *weights); /* NULL is allowed; after the instances that use them */
const void *rn_weights_payload(const rn_weights *weights, size_t *size); /* the packed bytes that kernels read */
uint64_t rn_weights_recipe(const rn_weights *weights); /* hash of the recipe they were opened for; create checks it */

/* ---- an instance's options; all zero is the default ---- */
/* A layer's result, as the hook sees it. The channels of a pixel lie side by side. */
typedef struct rn_tensor {
    const void *data;
    rn_dtype type; /* of its numbers */
    rn_shape shape;
    size_t pixel, row, image; /* bytes from one to the next; image: of the batch, where several are there */
    int images;               /* how many images `data` holds now: 1 where layers run image by image */
} rn_tensor;

/* Where element (c, y, x) of image n lies: a float, where the type is RN_F32. */
static inline const void *rn_tensor_at(const rn_tensor *t, int n, int c, int y, int x) {
    const size_t at = (size_t)n * t->image + (size_t)y * t->row + (size_t)x * t->pixel;
    return (const char *)t->data + at + (size_t)c * rn_dtype_size(t->type);
}

typedef void (*rn_task)(void *arg, int part, int parts);

struct rn_options {
    /* 0: 1; at most RN_MAX_THREADS. Above 1 the built-in pool (OpenMP) or `parallel` runs each layer in that many
     * parts. The result depends on this number (never on how many threads there really are). */
    int threads;
    /* The application's own pool: call fn(arg, i, n) for i in 0..n-1, in any order, on any threads, and return when all
     * are done. NULL: OpenMP. */
    void (*parallel)(void *user, int n, rn_task fn, void *arg);
    void *parallel_user;
    /* Called by run, on run's thread, after each layer of each image (layer: index in the model's table; -1, with out
     * NULL, before the first). `out` and its data are valid during the call; it is NULL after a step that completes no
     * value (its layer's `value` is ""). NULL: not called. */
    void (*layer)(void *user, int layer, const rn_tensor *out);
    void *layer_user;
    char *error; /* the text of create's error, "" after success; may be NULL */
    size_t error_size;
};

#ifdef RN_STANDALONE
/* ---- the functions above, in the header of a standalone network: each asks the runtime that made its argument ---- */
static inline rn_status rn_weights_open(rn_weights **weights, const rn_model *model, const char *path, char *error,
                                        size_t error_size) {
    if (model) return model->weights_open(weights, model, path, error, error_size);
    if (weights) *weights = NULL;
    return RN_ERROR_ARGUMENT;
}

static inline rn_status rn_weights_memory(rn_weights **weights, const rn_model *model, const void *bytes, size_t size,
                                          char *error, size_t error_size) {
    if (model) return model->weights_memory(weights, model, bytes, size, error, error_size);
    if (weights) *weights = NULL;
    return RN_ERROR_ARGUMENT;
}

static inline void rn_weights_close(rn_weights *weights) {
    if (weights) weights->close(weights);
}

static inline const void *rn_weights_payload(const rn_weights *weights, size_t *size) {
    if (size) *size = weights->size;
    return weights->payload;
}

static inline uint64_t rn_weights_recipe(const rn_weights *weights) {
    return weights->recipe_hash;
}

#endif
#ifdef __cplusplus
}
#endif
#ifndef RN_STANDALONE
#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#endif
#endif

/* ---- what librn alone has: the header of a standalone network (rnc --standalone), which is all of the above, may come
 * before this one, so that this part has a guard of its own ---- */
#ifndef RN_STANDALONE
#ifndef RN_LIBRN_H
#define RN_LIBRN_H

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---- picture files: PNG or JPEG -> 8-bit RGB, as run_rgb takes it ----
 * The kind is told by content, not by name. Palettes, gray, 16 bits and CMYK are converted; alpha, gamma, colour
 * profiles and EXIF orientation are ignored, as PIL's convert("RGB") does. Damaged and truncated files are refused, as
 * are pictures of more than 2^27 pixels. On an error rgb is NULL and `error` (may be NULL) has the text. The caller
 * frees the picture. Any thread. Linked only where it is called: needs libpng and libjpeg. */
rn_status rn_image_read(rn_image *image, const char *path, char *error, size_t error_size);
void rn_image_free(rn_image *image); /* a zeroed or freed one is allowed */

/* Whether the CPU and the operating system run code for it: 1 or 0. Any thread. */
int rn_cpu_runs(rn_isa isa);

#ifdef __cplusplus
}
#endif
#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#endif
#endif
