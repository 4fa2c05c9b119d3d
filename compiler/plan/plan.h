/* The plan: what is emitted, decided. For every value its layout and place in the arena, for every node one step with
 * its algorithm, blocking and weight offsets, and the recipe that packs the weights. Emission only writes it down.
 *
 * Layout (kernels.md): channels last, one pixel every `pixel` floats (C + 16 for C >= 16, which breaks cache aliasing),
 * and a physical halo of zeros around values that a padded convolution reads. A value placed in a concatenation has its
 * root's layout and starts `channel` floats into each pixel.
 */
#ifndef RNC_PLAN_H
#define RNC_PLAN_H

#include "graph/ir.h"
#include "linear.h"

typedef enum Algorithm {
    ALG_ALIAS,     /* no code: the value is its input's buffer (copies), or its inputs wrote it (concat) */
    ALG_INPUT,     /* caller's C x H x W -> layout */
    ALG_OUTPUT,    /* layout -> caller's C x H x W */
    ALG_POINTWISE, /* 1x1 convolution: plain GEMMs */
    ALG_DIRECT, /* convolution: batch-reduce GEMMs over kernel taps and channel blocks; groups as block-diagonal panels
                 */
    ALG_WINOGRAD_INPUT, /* the input transform of all tiles, where it is a step of its own */
    ALG_WINOGRAD,       /* minimal filtering (runtime/core/winograd.h): transforms around a plain GEMM a product */
    ALG_STRASSEN,       /* 1x1 convolution: 7 products of halves for 8 (strassen.c) */
    ALG_DEPTHWISE,      /* vector loops */
    ALG_FC,             /* GEMMs with one column, panels streamed from memory */
    ALG_MAP,            /* elementwise: affine, activations, add, mul */
    ALG_POOL,           /* maxpool, avgpool, windowed or global */
    ALG_LRN,
    ALG_SPP,
    ALG_PAD,
    ALG_SOFTMAX,
    ALG_UPSAMPLE,
    ALG_COPY, /* one value to another layout: flatten of an image, concat's unplaced inputs */
    ALG_COUNT
} Algorithm;

/* How a convolution is computed; the details follow from it. */
typedef struct Choice {
    Algorithm algorithm; /* of the first term; ALG_WINOGRAD or what step_algorithm says */
    int m_h, m_w;        /* ALG_WINOGRAD: rows and columns of an output tile */
    int block; /* ALG_STRASSEN: pixels of a tile. ALG_WINOGRAD: tiles of a block, of a whole group's where the layer
                  runs for one; all of them: the input transform is a step of its own */
    int side; /* ALG_WINOGRAD: side x side pixels are taken as one with the channels of all (space to depth); 1: none */
} Choice;

typedef struct Cost {
    double us;                          /* microseconds */
    double compute, transforms, memory; /* by the model, of one thread: multiplications, transforms, fetching weights */
    int64_t bytes;                      /* of packed weights; 0 where there is no other way */
    bool measured;                      /* us is */
} Cost;

typedef struct Candidate {
    Choice choice;
    Cost cost;
} Candidate;

/* How a node is computed, and what else was considered. */
typedef struct Decision {
    const Candidate *list; /* the fastest first; NULL where there was nothing to choose */
    const double
        *added; /* to the square of the output's error, by each; where there was nothing to choose, by the node */
    int count, chosen; /* chosen > 0: a smaller error was needed */
} Decision;

enum { CHOOSE_MAX_CANDIDATES = 96 };

/* How far an error spreads: a relative error's mean square times this is the square of the largest relative error that
 * an output gets of it. Of a sum's first term, and of the others together. */
typedef struct Gain {
    double first, others;
    double window_h, window_w; /* variance of the window through which an output's element sees it, in pixels */
} Gain;

/* What packed weights take of layers that have several ways. */
typedef struct SizeBudget {
    int64_t bytes, fastest_bytes; /* as chosen; as the least time has it */
    double time;                  /* the share that the network takes longer than that, by the cost model */
} SizeBudget;

typedef struct Plan Plan;

typedef struct PlanOptions {
    int isa;           /* rn_isa, of several the strongest: 3: AVX2 + FMA, 4: AVX-512, 0: any CPU */
    int batch;         /* the largest that run accepts */
    int threads;       /* that choices are made for; 0: 1. The code runs with any number */
    bool reuse_memory; /* buffers share the arena by lifetime; off: each value has its own */
    bool whole_batch;  /* the last layers may run for several images at once (group.c) */
    int last_layers;   /* 0: by the cost model; n: node n - 1 and those after it run for the whole batch */
    bool strassen;     /* 1x1 convolutions may be computed by Strassen's method */
    bool winograd;     /* convolutions by Winograd's method where that is faster */
    double tolerance;  /* the output's largest relative error, by the error model; 0: any */
    double time_share; /* -Os: the smallest weights that take at most this share of time more; 0: the least time */
    int64_t
        weights_limit;   /* bytes of packed weights; 0: any. plan_make's result may have more where nothing keeps it */
    bool other_known;    /* plan_make's own: a plan without the limit has shown ... */
    int64_t other_bytes; /* ... what of those other layers take, which nothing changes */
    double error_scale;  /* what the model's prediction is multiplied by, where a measurement showed it low; 0: 1 */
    /* Candidates to choose from instead of those of the cost model, the fastest first; returns how many, 0 leaves the
     * node to the model. NULL: none. */
    int (*candidates)(const void *user, const Plan *plan, const Node *node, Candidate *list);
    const void *candidates_user;
} PlanOptions;

typedef struct Layout {
    int pixel;                    /* floats from one pixel to the next */
    int row;                      /* floats from one row to the next */
    int top, left, bottom, right; /* halo in pixels; zero when read */
} Layout;

typedef struct ValuePlan {
    const Value
        *root;   /* whose buffer it lives in: itself, its concat root, its alias source, or what it accumulates into */
    int channel; /* first channel within root */
    bool windowed; /* of a root: a window larger than a pixel reads it, so that it may have a halo */
    Layout layout;
    int buffer;     /* index in Plan.buffers; -1: not stored (dead, or pooled away) */
    int64_t offset; /* float offset of element (0, 0, 0) in the arena, or in the image's kept floats */
    bool kept;      /* lives in the latter: last layers touch it */
} ValuePlan;

typedef struct Buffer {
    int64_t size;    /* floats, a multiple of 16 */
    int first, last; /* steps that touch it */
    bool kept;       /* last layers do: there is one for each image of a group */
    int64_t offset;  /* floats */
} Buffer;

/* How one term of a convolution is walked. */
typedef struct TermPlan {
    int advance;        /* input channels from one panel to the next: those of its groups; 0: a panel reads all */
    int block;          /* input channels of one reduce element */
    int blocks;         /* full blocks of the channels that a panel reads */
    int rest;           /* channels left over; a second kernel with beta = 1 adds them */
    int chunk;          /* blocks per pass over the tiles (splits K so that a panel chunk stays in cache) */
    int64_t weight;     /* float offset in the packed weights */
    int64_t panel_size; /* numbers from one full panel to the next */
    bool bf16;          /* they are bf16; else floats */
} TermPlan;

typedef struct ConvPlan {
    int panel;   /* floats that a panel's result takes of a pixel, a multiple of 16; the last may be narrower */
    int panels;  /* of a grouped convolution: one for each merged group */
    int advance; /* output channels from one panel to the next: panel, or those of a merged group */
    int rows;    /* rows walked: P, or virtual rows where a flat walk joins several */
    int width;   /* pixels of such a row: Q, or joined */
    bool flat;   /* rows are joined: row strides are width * pixel */
    int tile;    /* pixels a call; a row is `tiles` calls, the last of `last` pixels */
    int tiles, last;
    int chunk_rows; /* rows that one panel of weights serves before the next panel */
    TermPlan term[NODE_MAX_TERMS];
} ConvPlan;

/* Winograd's method, tile by tile: V = input transform [product][tile][C], M = U V [product][tile][panel] a panel at a
 * time, output transform of M. V and M of one block of tiles are at hand at once. */
typedef struct WinogradPlan {
    rn_winograd h, w;       /* rows and columns */
    int side, channels;     /* what it transforms: side x side pixels as one, whose channels are the GEMMs' K */
    int images;             /* whose tiles are taken together */
    int rows, columns;      /* tiles of an image */
    int block, blocks;      /* tiles of a block; blocks are divided among the parts */
    int tail;               /* tiles of the last block, or of the last in a row */
    bool shared;            /* one block: ALG_WINOGRAD_INPUT fills V before; panels are divided among the parts */
    bool pool_apart;        /* max-pool: tiles cut its windows; a panel's image is kept, then pooled */
    bool pool_rows;         /* overlapping max-pool: a row of tiles is kept, pooled as far as windows are complete */
    int row_blocks;         /* pool_rows: blocks of a row of tiles */
    int carried;            /* pool_rows: rows of pixels of the tiles above that windows reach back to */
    bool fetch;             /* during a block's GEMMs the next block's pixels are fetched: L2 does not hold the image */
    int call, calls;        /* tiles of a GEMM; GEMMs of a block, the last may be narrower */
    int v_tile, m_tile;     /* floats from one tile to the next */
    int v_matrix, m_matrix; /* floats from one product to the next */
    int64_t panel_size;     /* floats from one panel of transformed weights to the next */
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

typedef struct StrassenTerm {
    int depth; /* half of its channels */
    bool flat; /* its pixels lie side by side: kernels read them there; others are copied beside the sums */
    int sums;  /* float offset of its sums in the scratch */
    int sum_pixel, sum_size; /* floats of a pixel, of a tile of one of them */
    int64_t weight;          /* float offset in the packed weights */
} StrassenTerm;

typedef struct StrassenPlan {
    int pixels, tile, pairs; /* of the result's image; of a tile; pairs of tiles */
    int panel, panels;       /* of half of the output channels */
    int product_size;        /* floats of a tile of a panel's product */
    int products;            /* float offset of the products in the scratch, behind the sums of all terms */
    StrassenTerm term[NODE_MAX_TERMS];
} StrassenPlan;

typedef struct Step {
    Algorithm algorithm;
    const Node *node;      /* NULL: input and output steps; may be a part of the graph's node (steps.c) */
    const Value *in, *out; /* in: the first input; ALG_OUTPUT: out NULL */
    int output;            /* ALG_OUTPUT: which */
    int concat_input;      /* ALG_COPY of a concat: which input, and the channel where it goes */
    int channel;
    bool whole;    /* `out` is complete after it */
    int images;    /* that a call computes: 1, or a group's */
    ConvPlan conv; /* ALG_WINOGRAD: the panels only */
    const WinogradPlan *winograd;
    const WinogradPlan *winograd_one; /* the same for one image, where the step is for a group: a run may have fewer */
    StrassenPlan *strassen;
    int64_t temporary;        /* floats that this step and the next share, beside values; 0: none */
    int64_t temporary_offset; /* float offset in the arena */
    int64_t weight, bias,
        slope;       /* float offsets in the packed weights; -1: none. ALG_MAP affine: weight = scale, bias = shift */
    int64_t scratch; /* floats of scratch that each part needs */
    int64_t macs, bytes;     /* of one image */
    int64_t weight_bytes;    /* packed; read once for the images of the step */
    int64_t multiplications; /* that the algorithm does; macs are those of the source */
} Step;

struct Plan {
    const Graph *graph;
    PlanOptions options;
    Arena *arena;
    int group;           /* images that a call of forward takes, and the last layers at once; 1: one by one */
    int last_node;       /* id of the first node of the last layers */
    int last_step;       /* the first step of the last layers; step_count where there are none */
    Choice *choices;     /* by node id */
    Decision *decisions; /* by node id */
    Map shapes;          /* choose_shape's text -> Decision *: those of one shape share their candidates */
    Gain *gains;         /* by node id: of its sum */
    double *value_gains; /* by value id: of its own relative error */
    double *rough;       /* by value id: of its mean square, what varies within a channel */
    SizeBudget size;
    double predicted_error; /* of the output, relative, by the error model */
    double measured_error;  /* the same, where -O3 measured it; 0: not */
    ValuePlan *values;      /* by value id */
    Step *steps;
    int step_count, step_capacity;
    Buffer *buffers; /* the values', then the steps' temporaries in order */
    int value_buffers;
    int buffer_count, buffer_capacity;
    int64_t arena_floats;   /* activations, of an image's first layers; the last layers' temporaries */
    int64_t kept_floats;    /* of an image: what the last layers touch */
    int64_t live_floats;    /* the largest live set of these: no plan can be smaller */
    int64_t scratch_floats; /* per part: the largest of the steps */
    rn_recipe_step *recipe_steps;
    int recipe_capacity;
    rn_recipe recipe;
    int *tensor_step; /* by tensor id: its recipe step, -1 */
};

/* Whether emitted code can address every value and the weights; false after a diagnostic, unless diag is NULL
 * (limits.c). Passes make none larger and merge no groups, so the graph of the source speaks for what comes of it. */
bool plan_fits(const Graph *graph, Diag *diag);
/* The plan of a graph that fits. */
Plan *plan_make(Arena *arena, const Graph *graph, const PlanOptions *options);
void plan_print(const Plan *plan, Text *text);
const char *algorithm_name(Algorithm algorithm);

/* Images that a call of the node computes. */
static inline int plan_images(const Plan *plan, const Node *node) {
    return node->id >= plan->last_node ? plan->group : 1;
}

/* Floats from one pixel to the next of a value that has its own storage. */
static inline int plan_pixel(int channels) {
    return channels < 16 ? round_up(channels, 4) : round_up(channels, 16) + 16;
}

static inline const ValuePlan *plan_value(const Plan *plan, const Value *v) {
    return &plan->values[v->id];
}

/* ---- parts of plan_make, in order; each in its file ---- */
void plan_roots(Plan *plan);            /* layout.c: which buffer each value lives in */
void plan_group(Plan *plan);            /* group.c: which layers run for several images at once */
void plan_gains(Plan *plan);            /* spread.c: how far a rounding error spreads */
void plan_choices(Plan *plan);          /* choose.c: how each convolution is computed */
void plan_budget(Plan *plan);           /* budget.c: of what is possible, what is chosen */
void plan_layouts(Plan *plan);          /* layout.c: roots, halos, strides */
void plan_steps(Plan *plan);            /* steps.c: algorithm per node */
void plan_conv(Plan *plan, Step *step); /* conv.c: blocking of one convolution or fc */
int plan_panel(const Plan *plan);       /* conv.c: output channels of a full panel */
void plan_panels(const Plan *plan, ConvPlan *conv, int features); /* conv.c: panels of output channels */
int plan_merged_groups(const Node *conv); /* conv.c: panels of a grouped convolution, 0 where no term has groups */
/* winograd.c: tiles and blocks */
WinogradPlan *plan_winograd(Plan *plan, const Node *node, const Choice *choice, int images);
StrassenPlan *plan_strassen(Plan *plan, const Node *node, int tile); /* strassen.c */
void plan_weights(Plan *plan); /* weights.c: the recipe, and weight offsets in the steps */
void plan_memory(Plan *plan);  /* memory.c: lifetimes, offsets */

#endif
