/* What the compiler loads besides its source: a network's weights, from a file or made up, and images to run it on. */
#ifndef RNC_LOAD_H
#define RNC_LOAD_H

#include "graph/tensor.h"
#include "graph/ir.h"

typedef struct WeightsOptions {
    const char *path;
    const char *prefix;  /* --weights-prefix, "" for none, or NULL: found out */
    const char **ignore; /* --ignore: globs of tensors that the network does not want */
    int ignore_count;
} WeightsOptions;

/* Reads every parameter of the graph from a safetensors file or PyTorch checkpoint, by name and dims (docs/weights.md).
 * All missing, surplus, mis-shaped and unreadable tensors become errors of `diag`; returns false after one, and `out`
 * is empty then. */
bool weights_load(const Graph *graph, const WeightsOptions *options, TensorData *out, Diag *diag);

/* Whether the parameters that a model brought are such as trained networks have; false after an error for each that is
 * not, at `place`. */
bool weights_check(const Graph *graph, const TensorData *data, Place place, Diag *diag);

/* Makes up every parameter: random, the same for a seed on every machine, and calibrated so that every layer's result
 * has about unit variance, however deep the network is. */
void weights_random(const Graph *graph, uint64_t seed, TensorData *out, int threads);

/* Inputs as the network takes them, C x H x W floats in its layout, one after another. */
typedef struct Images {
    float *data; /* malloc'd */
    int count;
} Images;

/* From a .npy array, N x C x H x W or C x H x W, of numbers as they are; or from a PNG or JPEG picture, which the
 * source's input statement says how to make ready (weights: for its mean image). The kind is told by content. False
 * after an error. */
bool images_load(const Graph *graph, const TensorData *weights, const char *path, Images *images, Diag *diag);
void images_free(Images *images);
/* Image `index` of noise: uniform, mean 0, variance 1, the same everywhere. */
void images_noise(uint64_t seed, int index, float *image, size_t size);
/* How a deployed network makes pictures ready. */
rn_preprocess preprocess_of(const Preprocess *preprocess);

#endif
