/* Convolutions by Winograd's method (runtime/core/winograd.h): transforms around a plain GEMM a product. */
#ifndef RNC_PLAN_WINOGRAD_H
#define RNC_PLAN_WINOGRAD_H

#include "panels.h"
#include "filtering.h"

enum { WINOGRAD_CALL = 32 /* most tiles of a GEMM: more columns gain nothing, and their results stay in L1 */ };

enum { WINOGRAD_DEEP_PIXEL = 4 /* floats of a pixel of at most so many channels, see layout.c */ };

/* Tile by tile: V = input transform [product][tile][C], M = U V [product][tile][panel] a panel at a time, output
 * transform of M. V and M of one block of tiles are at hand at once. */
typedef struct WinogradPlan {
    rn_winograd h, w;       /* rows and columns */
    int side, channels;     /* what it transforms: side x side pixels as one, whose channels are the GEMMs' K */
    int images;             /* whose tiles are taken together */
    int rows, columns;      /* tiles of an image */
    Panels panels;          /* of output channels */
    int block, blocks;      /* tiles of a block; blocks are divided among the parts */
    int tail;               /* tiles of the last block, or of the last in a row */
    bool shared;            /* one block: a step of its own fills V before; panels are divided among the parts */
    bool pool_image;        /* max-pool: tiles cut its windows; a panel's image is stored, then pooled */
    bool pool_rows;         /* overlapping max-pool: a row of tiles is stored, pooled as far as windows are complete */
    bool pool_late;         /* max-pool: bias and activation come after the maximum */
    int row_blocks;         /* pool_rows: blocks of a row of tiles */
    int carried;            /* pool_rows: rows of pixels of the tiles above that windows reach back to */
    int uses;               /* columns that a weight is multiplied with once it is there (Gemm.columns) */
    bool fetch;             /* during a block's GEMMs the next block's pixels are fetched: L2 does not hold the image */
    int call, calls;        /* tiles of a GEMM; GEMMs of a block, the last may be narrower */
    int v_tile, m_tile;     /* floats from one tile to the next */
    int v_matrix, m_matrix; /* floats from one product to the next */
    int64_t panel_size;     /* floats from one panel of transformed weights to the next */
    int pixel, row;         /* floats: strides of the image that the output transform writes */
} WinogradPlan;

static inline int winograd_tile_count(const WinogradPlan *w) {
    return w->images * w->rows * w->columns;
}

/* The largest that a block may be: all tiles, or a row's where rows of tiles are pooled. */
static inline int winograd_largest_block(const WinogradPlan *w) {
    return w->pool_rows ? w->columns : winograd_tile_count(w);
}

static inline int winograd_products(const WinogradPlan *w) {
    return w->h.n * w->w.n;
}

/* ---- geometry, for the choice ---- */
bool winograd_may_be(const Node *node);
/* How many pixels a side may be taken as one, with the channels of all: the stride, where few channels of the network's
 * input are read at stride 2 or 4; else 1. */
int winograd_side(const Plan *plan, const Node *node);
/* The transform along one dimension, 0: rows, 1: columns; NULL where there is none. */
const Filtering *winograd_filtering(const Plan *plan, const Node *node, const Choice *choice, int dimension);
/* Transforms and number of tiles; false where there is no such transform, or where blocks or several images would cut a
 * pool's windows. */
bool winograd_tiles(WinogradPlan *w, const Plan *plan, const Node *node, const Choice *choice, int images);
/* The pixels that the first term reads, since tiles may reach over the image: its result, and its window. */
void winograd_reach(const Choice *choice, Shape *out, Window *window);

/* ---- steps ---- */
/* Of a step whose algorithm is winograd or transform. */
const WinogradPlan *winograd_plan(const Step *step);

/* ---- for algorithms.def ---- */
void winograd_steps(Plan *plan, const Node *node);
void winograd_pack(Plan *plan, Step *step);
void winograd_describe(const Step *step, Text *text);

#endif
