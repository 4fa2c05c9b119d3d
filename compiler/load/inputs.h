/* What networks are run on, image after image: noise, an array, a picture, or the test pictures of a data set. */
#ifndef RNC_INPUTS_H
#define RNC_INPUTS_H

#include "load.h"
#include "runtime/data/loader.h"

typedef struct InputsOptions {
    const char *spec; /* a .npy array or a picture (images_load), or KIND:FOLDER (runtime/data/data.h); NULL: noise */
    uint64_t seed;    /* of noise */
    int limit;        /* the first images alone; 0: all, of noise NOISE_IMAGES */
    int threads;      /* that read pictures */
} InputsOptions;

enum { NOISE_IMAGES = 2 };

typedef struct Inputs {
    int count;     /* images in all */
    int classes;   /* of a data set, whose pictures have labels; 0: they have none */
    bool by_names; /* its classes are numbered by the order of their names alone */
    /* the rest is inputs.c's */
    InputsOptions options;
    size_t size; /* floats of an image */
    int next;
    Images images; /* of a file; room for noise */
    rn_data *data;
    rn_loader *loader;
} Inputs;

typedef struct InputBatch {
    int first, count;             /* numbers of the images, from 0; count 0: there are no more */
    const float *images;          /* planar C x H x W, whatever the network's layout is */
    const rn_train_label *labels; /* their classes are `first`; NULL: they have none */
} InputBatch;

/* Pictures are made ready as the graph's input statement says (weights: for its mean image). False after a diagnostic;
 * the caller closes in either case. */
bool inputs_open(Inputs *inputs, const InputsOptions *options, const Graph *graph, const TensorData *weights,
                 Diag *diag);
/* The next images, valid until the next call. False after a diagnostic, which names a broken file. */
bool inputs_next(Inputs *inputs, InputBatch *batch, Diag *diag);
/* What an image is called: "7 of x.npy", its file. */
const char *inputs_name(const Inputs *inputs, int index, Arena *arena);
void inputs_close(Inputs *inputs);

#endif
