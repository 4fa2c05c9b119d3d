/* Convolutions as direct sums: plain GEMMs (1x1), or batch-reduce GEMMs over kernel taps and blocks of channels. */
#ifndef RNC_PLAN_CONV_H
#define RNC_PLAN_CONV_H

#include "panels.h"

/* How one term is walked. */
typedef struct TermPlan {
    int advance;        /* input channels from one panel to the next: those of its groups; 0: a panel reads all */
    int block;          /* input channels of one reduce element */
    int blocks;         /* full blocks of the channels that a panel reads */
    int rest;           /* channels left over; a second kernel with beta = 1 adds them */
    int pass_blocks;    /* blocks of a pass over the tiles (splits K so that the weights of a pass stay in cache) */
    int64_t panel_size; /* weights from one full panel to the next */
} TermPlan;

/* Where tiles are computed. */
typedef enum Destination {
    TO_OUTPUT, /* in their place */
    TO_SUM,    /* in scratch, to be summed: a pool of the whole image */
    TO_ROWS,   /* in scratch, in rows of whole windows: max-pool whose windows lie side by side */
    TO_RING    /* in scratch, in the last rows, each pooled as soon as a window is complete: any other max-pool */
} Destination;

typedef struct ConvPlan {
    Panels panels;
    int rows;  /* rows walked: P, or virtual rows where a flat walk joins several */
    int width; /* pixels of such a row: Q, or joined */
    bool flat; /* rows are joined: row strides are width * pixel */
    int tile;  /* pixels a call; a row is `tiles` calls, the last of `last` pixels */
    int tiles, last;
    int chunk_rows; /* rows that one panel of weights serves before the next panel */
    Destination to;
    int pixel, row;      /* strides of the destination, in floats */
    bool fetch_next;     /* while a panel's last tile is computed, the next weights come to L2 (gemm.h) ... */
    bool woven;          /* ... or during the last tile of each row, of all terms, by woven kernels */
    bool short_sums;     /* rnc's own loops make the few products of a sum, and finish it in registers */
    bool image;          /* these go over all rows in one call */
    bool finish_in_tile; /* bias, addend and activation are applied to the tile; else after the maximum */
    TermPlan term[NODE_MAX_TERMS];
} ConvPlan;

/* Of a step whose algorithm is pointwise or direct. */
const ConvPlan *conv_plan(const Step *step);

/* Whether a panel goes over the whole image, so that parts divide the channels. */
static inline bool conv_divides_channels(const ConvPlan *c) {
    return c->to == TO_OUTPUT && c->chunk_rows >= c->rows && c->panels.count > 1;
}

/* Whether bias, activation and so on may be applied after a maximum instead of before it. */
bool epilogue_commutes_with_max(const Epilogue *epilogue);

/* What a sum costs beside its products is as much as a few of them: where it has few, by direct sums, rnc's own loops
 * make it and finish it in registers. */
bool conv_has_short_sums(const Plan *plan, const Node *node);

/* ---- for algorithms.def ---- */
bool pointwise_can(const Plan *plan, const Node *node);
bool direct_can(const Plan *plan, const Node *node);
void conv_steps(Plan *plan, const Node *node);
void conv_pack(Plan *plan, Step *step);
void conv_describe(const Step *step, Text *text);

/* A step that makes the sum of the node's terms from `first` on, without its epilogue, into the node's result. */
void conv_step_of_terms(Plan *plan, const Node *node, int first);

/* Channels of a GEMM: all where few, else the largest divisor near `most`, else `most` and a rest. */
int conv_block(int channels, int most);

#endif
