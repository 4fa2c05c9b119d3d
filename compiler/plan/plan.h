/* The plan: what is emitted, decided. For every value its layout and place in the arena, for every node one step with
 * its algorithm, blocking and weight offsets, and the recipe that packs the weights. Emission only writes it down.
 *
 * Layout (kernels.md): channels last, one pixel every `pixel` floats (C + 16 for C >= 16, which breaks cache aliasing),
 * and a physical halo of zeros around values that a padded convolution reads. A value placed in a concatenation has its
 * root's layout and starts `channel` floats into each pixel.
 */
#ifndef RNC_PLAN_H
#define RNC_PLAN_H

#include "../ir.h"

typedef struct PlanOptions {
    int isa;           /* 3: AVX2 + FMA, 4: AVX-512 (x86-64-v3, -v4) */
    int batch;         /* the largest that run accepts */
    bool reuse_memory; /* buffers share the arena by lifetime; off: each value has its own */
} PlanOptions;

typedef enum Algorithm {
    ALG_ALIAS,     /* no code: the value is its input's buffer (copies), or its inputs wrote it (concat) */
    ALG_INPUT,     /* caller's C x H x W -> layout */
    ALG_OUTPUT,    /* layout -> caller's C x H x W */
    ALG_POINTWISE, /* 1x1 convolution: plain GEMMs */
    ALG_DIRECT, /* convolution: batch-reduce GEMMs over kernel taps and channel blocks; groups as block-diagonal panels
                 */
    ALG_DEPTHWISE, /* vector loops */
    ALG_FC,        /* GEMMs with one column, panels streamed from memory */
    ALG_MAP,       /* elementwise: affine, activations, add, mul */
    ALG_POOL,      /* maxpool, avgpool, windowed or global */
    ALG_LRN,
    ALG_SPP,
    ALG_PAD,
    ALG_SOFTMAX,
    ALG_UPSAMPLE,
    ALG_COPY, /* one value to another layout: flatten of an image, concat's unplaced inputs */
    ALG_COUNT
} Algorithm;

typedef struct Layout {
    int pixel;                    /* floats from one pixel to the next */
    int row;                      /* floats from one row to the next */
    int top, left, bottom, right; /* halo in pixels; zero when read */
} Layout;

typedef struct ValuePlan {
    const Value
        *root;   /* whose buffer it lives in: itself, its concat root, its alias source, or what it accumulates into */
    int channel; /* first channel within root */
    Layout layout;
    int buffer;     /* index in Plan.buffers; -1: not stored (dead, or pooled away) */
    int64_t offset; /* float offset in the arena of element (0, 0, 0) */
} ValuePlan;

typedef struct Buffer {
    int64_t size;    /* floats, a multiple of 16 */
    int first, last; /* steps that touch it */
    int64_t offset;  /* floats */
} Buffer;

/* How one term of a convolution is walked. */
typedef struct TermPlan {
    int block;          /* input channels of one reduce element */
    int blocks;         /* full blocks: C / block (of a merged group) */
    int rest;           /* channels left over; a second kernel with beta = 1 adds them */
    int chunk;          /* blocks per pass over the tiles (splits K so that a panel chunk stays in cache) */
    int64_t weight;     /* float offset in the packed weights */
    int64_t panel_size; /* floats from one full panel to the next */
} TermPlan;

typedef struct ConvPlan {
    int panel; /* output channels of a panel, at most 64; the last may be narrower */
    int panels;
    int groups;              /* 1, or merged groups: a panel each, input channels advance too */
    int group_in, group_out; /* channels of a merged group */
    int rows;                /* rows walked: P, or virtual rows where a flat walk joins several */
    int width;               /* pixels of such a row: Q, or joined */
    bool flat;               /* rows are joined: row strides are width * pixel */
    int tile;                /* pixels a call; a row is `tiles` calls, the last of `last` pixels */
    int tiles, last;
    int chunk_rows; /* rows that one panel of weights serves before the next panel */
    TermPlan term[NODE_MAX_TERMS];
} ConvPlan;

typedef struct Step {
    Algorithm algorithm;
    const Node *node;      /* NULL: input and output steps */
    const Value *in, *out; /* in: the first input; ALG_OUTPUT: out NULL */
    int output;            /* ALG_OUTPUT: which */
    int concat_input;      /* ALG_COPY of a concat: which input, and the channel where it goes */
    int channel;
    ConvPlan conv;
    int64_t weight, bias,
        slope;       /* float offsets in the packed weights; -1: none. ALG_MAP affine: weight = scale, bias = shift */
    int64_t scratch; /* floats of scratch that each part needs */
    int64_t macs, bytes; /* of one image */
} Step;

typedef struct Plan {
    const Graph *graph;
    PlanOptions options;
    Arena *arena;
    ValuePlan *values; /* by value id */
    Step *steps;
    int step_count, step_capacity;
    Buffer *buffers;
    int buffer_count, buffer_capacity;
    int64_t arena_floats;   /* activations */
    int64_t live_floats;    /* the largest live set: no plan can be smaller */
    int64_t scratch_floats; /* per part: the largest of the steps */
    rn_recipe_step *recipe_steps;
    int recipe_capacity;
    rn_recipe recipe;
    int *tensor_step; /* by tensor id: its recipe step, -1 */
} Plan;

Plan *plan_make(Arena *arena, const Graph *graph, const PlanOptions *options);
void plan_print(const Plan *plan, Text *text);
const char *algorithm_name(Algorithm algorithm);

static inline const ValuePlan *plan_value(const Plan *plan, const Value *v) {
    return &plan->values[v->id];
}

/* ---- parts of plan_make, in order; each in its file ---- */
void plan_layouts(Plan *plan);          /* layout.c: roots, halos, strides */
void plan_steps(Plan *plan);            /* steps.c: algorithm per node */
void plan_conv(Plan *plan, Step *step); /* conv.c: blocking of one convolution or fc */
void plan_weights(Plan *plan);          /* weights.c: the recipe, and weight offsets in the steps */
void plan_memory(Plan *plan);           /* memory.c: lifetimes, offsets */

#endif
