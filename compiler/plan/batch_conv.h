/* Convolutions in training (batch_conv.c): forward, the gradient of the input, the gradient of the weights. */
#ifndef RNC_PLAN_BATCH_CONV_H
#define RNC_PLAN_BATCH_CONV_H

#include "reader.h"
#include "runtime/core/winograd.h"

/* Along one dimension: which positions of the source the results of a phase read. Result i * out_step + phase is the
 * sum over taps t < count of weight tap[t] times source i * in_step + at[t]. Forward there is one phase; in the
 * gradient of a strided convolution's input there are `stride` of them. */
typedef struct PhaseLine {
    int phase, results; /* how many */
    int phases; /* that are alike, from this one on: the next one's taps are the next ones, from the same places */
    int count;
    int *tap, *at; /* at may be negative: before the source */
} PhaseLine;

/* How results follow from a source image, in either direction. */
typedef struct Sliding {
    Shape source, result;
    int in_step_h, in_step_w, out_step_h, out_step_w;
    PhaseLine *rows, *columns;    /* of phases that have taps, alike ones together */
    int row_lines, column_lines;  /* how many */
    bool gaps;                    /* there are results that no window reaches */
    int top, left, bottom, right; /* zeros around the source that the results read */
} Sliding;

/* Panels of a strip: pixels of so many floats; floats from an image to the next, and from a panel to the next. */
typedef struct PanelStrip {
    int pixel;
    int64_t image, panel;
} PanelStrip;

enum { BATCH_PANEL = 64 }; /* channels */

typedef struct BatchConv {
    enum { CONV_RESULT, CONV_DATA, CONV_WEIGHTS } kind;
    Window window; /* of the convolution */
    int groups, taps;
    bool merged; /* few channels: a row of a window is one tap, whose channels are those of its pixels; the strip has it
                    for each result, side by side */
    bool is_fc;  /* images are its columns */
    bool depthwise;  /* a kernel for each channel, in vectors: as of one group of one input channel, in any direction */
    int joined;      /* groups of few channels that are computed as one, with zeros between them; 1: as they are */
    Shape x, y;      /* what the convolution reads and makes, whichever way this goes */
    Sliding sliding; /* not of CONV_WEIGHTS by Winograd's method, where it is the forward one */
    int in_channels, out_channels; /* of a group, in this direction; of the weights': x's and y's */
    Reader *source, *gradient;     /* what it reads: of the weights' gradient x and dy, else one */
    bool strip;                    /* the source is copied with zeros around it, or since it is computed */
    int strip_h, strip_w;          /* pixels, */
    int strip_pixel;               /* each of so many floats */
    int strip_rows;                /* rows of results that a strip serves */
    /* The weights' gradient as direct sums, of one group: the channels of both sides are copied by panels, so that
     * pixels, however many channels they have, fall to different sets of the caches; of the side with more channels one
     * panel is in scratch at a time. `images` of them lie side by side. */
    bool panels;
    PanelStrip x_panel, y_panel;
    /* Winograd's method: tiles of `images` images, or of `tile_rows` rows of tiles of one image, at a time */
    bool winograd;
    rn_winograd f;
    int rows, columns; /* tiles of an image */
    int images, tile_rows, tiles;
    int v_product, m_product;     /* floats from one product to the next */
    int64_t gradient_at;          /* CONV_WEIGHTS, direct: where scratch has dy, if it is computed */
    int64_t v_at, m_at, strip_at; /* of the scratch, floats */
    int slabs;                    /* CONV_WEIGHTS */
    /* Weights of many channels outweigh a block's tiles: steps of their own transform the whole batch before; then a
     * unit is a panel of channels and so many tiles, or, of the weights' gradient, of one product */
    bool shared;
    int64_t all_tiles; /* of the program's batch, whole chunks */
    int group_images;  /* with ranks: images from one group's tiles to the next one's, whole chunks */
    int chunk;         /* images of a batch-reduce element of the weights' gradient */
    int64_t matrix;    /* floats from one tap's or product's weights to the next's */
    int64_t slab;      /* floats of a slab */
} BatchConv;

/* A step that transforms: V of what is convolved, or Z of the gradient. */
typedef struct BatchTransform {
    const BatchConv *conv;
    const Reader *reader;
    bool gradient;
} BatchTransform;

/* Pairs of lines that the gradient of the convolution's input has, or a transposed convolution: code for each. */
enum { BATCH_CONV_PARTS = 256 };
int64_t batch_conv_parts(const Node *node);

static inline const BatchConv *batch_conv(const Step *step) {
    return step->detail;
}

/* Floats of a row of packed weights: whole vectors. */
static inline int batch_lda(int channels) {
    return round_up(channels, VECTOR);
}

#endif
