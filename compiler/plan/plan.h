/* The plan: what is emitted, decided. For every value its layout and place in the arena; for every node one step or
 * several, each with its algorithm, what it touches (operands) and the algorithm's own plan; and the recipe that packs
 * the weights. Emission only writes it down.
 *
 * Layout (kernels.md): channels last, one pixel every `pixel` elements (C + 16 for C >= 16, which breaks cache
 * aliasing), and a physical halo of zeros around values that a padded convolution reads. A value placed in a
 * concatenation has its root's layout and starts `channel` elements into each pixel.
 *
 * Files, each of which includes only those before it: machine, panels | winograd, strassen, conv: the geometry of one
 * way to compute a convolution | cost, error: what a way costs | choose, budget, group: the choice | algorithms.def:
 * the ways as rows | steps, weights, memory: the choice carried out | plan.c: all of it, in order.
 */
#ifndef RNC_PLAN_H
#define RNC_PLAN_H

#include "machine.h"

/* How a step is computed: a row of algorithms.def. */
typedef enum Algorithm {
#define ALGORITHM(id, ...) ALG_##id,
#include "algorithms.def"
#undef ALGORITHM
    ALG_COUNT
} Algorithm;

/* How a node is computed; the details follow from it. */
typedef struct Choice {
    Algorithm algorithm; /* of a convolution's first term */
    int m_h, m_w;        /* winograd: rows and columns of an output tile */
    int block; /* strassen: pixels of a tile. winograd: tiles of a block, of a whole group's where the layer runs for
                  one; all of them: the input transform is a step of its own */
    int side;  /* winograd: side x side pixels are taken as one with the channels of all (space to depth); 1: none */
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

enum { CHOOSE_MAX_CANDIDATES = 112 }; /* all: tiles of up to 7 x 7 twice, a few of Strassen's, the direct sum */

/* How far an error spreads: a relative error's mean square times this is the square of the largest relative error that
 * an output gets of it. Of a sum's first term, and of the others together. */
typedef struct Gain {
    double first, others;
    double window_h, window_w; /* variance of the window through which an output's element sees it, in pixels */
} Gain;

/* What packed weights take of layers that have several ways. */
typedef struct SizeBudget {
    int64_t bytes, fastest_bytes; /* as chosen; as the least time has it */
    double us;                    /* of an image, by the cost model */
    double time;                  /* the share that it takes longer than the least time */
} SizeBudget;

typedef struct Plan Plan;

typedef struct PlanOptions {
    rn_isa isa;             /* of several the strongest */
    const Machine *machine; /* a row of `isa`; NULL: the generic one */
    int batch;              /* the largest that run accepts */
    int threads;            /* that choices are made for; 0: 1. The code runs with any number */
    bool reuse_memory;      /* buffers share the arena by lifetime; off: each value has its own */
    bool whole_batch;       /* the last layers may run for several images at once (group.c) */
    int last_layers;        /* 0: by the cost model; n: node n - 1 and those after it run for the whole batch */
    bool strassen;          /* 1x1 convolutions may be computed by Strassen's method */
    bool fuse;              /* training: values of elements alone may be computed where they are read */
    bool winograd;          /* convolutions by Winograd's method where that is faster */
    int ranks;              /* training: processes that may share a batch, with the bits of one; 0: one process */
    int rank_images;        /* training: images of each, of the recipe's batch */
    double tolerance;       /* the output's largest relative error, by the error model; 0: any */
    double time_share;      /* -Os: the smallest weights that take at most this share of time more; 0: the least time */
    int64_t
        weights_limit;   /* bytes of packed weights; 0: any. plan_make's result may have more where nothing keeps it */
    bool weights_stay;   /* plan_make's own: L3 keeps the packed weights from run to run */
    bool other_known;    /* plan_make's own: a plan without the limit has shown ... */
    int64_t other_bytes; /* ... what of those other layers take, which nothing changes */
    double error_scale;  /* what the model's prediction is multiplied by, where a measurement showed it low; 0: 1 */
    /* Candidates to choose from instead of those of the cost model, the fastest first; returns how many, 0 leaves the
     * node to the model. NULL: none. */
    int (*candidates)(const void *user, const Plan *plan, const Node *node, Candidate *list);
    const void *candidates_user;
} PlanOptions;

typedef struct Layout {
    int pixel;                    /* elements from one pixel to the next */
    int row;                      /* elements from one row to the next */
    int top, left, bottom, right; /* halo in pixels; zero when read */
} Layout;

typedef struct ValuePlan {
    const Value
        *root;   /* whose buffer it lives in: itself, its concat root, its alias source, or what it accumulates into */
    int channel; /* first channel within root */
    bool windowed; /* of a root: a window larger than a pixel reads it, so that it may have a halo */
    Layout layout;
    int buffer;     /* index in Plan.buffers; -1: not stored (dead, or pooled away) */
    int64_t offset; /* bytes to element (0, 0, 0) in the arena, or in what is kept of the image */
    bool kept;      /* lives in the latter: last layers touch it */
    bool computed;  /* training: not stored, but computed where it is read (reader.h) */
    int64_t apart;  /* training: floats from one image to the next; 0: there is one for the batch. Else 0 */
} ValuePlan;

typedef struct Buffer {
    int64_t bytes;   /* a multiple of 64 */
    int first, last; /* steps that touch it */
    bool kept;       /* last layers do: there is one for each image of a group */
    int64_t offset;  /* bytes */
} Buffer;

/* ---- steps ---- */
/* What an operand is to its step: the member of the emitted `struct args` that points at it. */
typedef enum Role {
#define OPERAND(id, ...) OPERAND_##id,
#include "operands.def"
#undef OPERAND
    OPERAND_COUNT
} Role;

typedef enum Room {
    ROOM_VALUE,      /* an activation, in the arena */
    ROOM_TEMPORARY,  /* what a step leaves to a later one, in the arena beside the values */
    ROOM_WEIGHTS,    /* packed weights */
    ROOM_IMAGE,      /* the caller's input */
    ROOM_RESULT,     /* the caller's outputs, one after another */
    ROOM_PARAMETERS, /* training: the flat buffers of parameters, */
    ROOM_GRADIENTS,  /* and of their gradients; */
    ROOM_LABELS      /* the batch's labels */
} Room;

typedef struct Operand {
    Role role;
    Room room;
    const Value *value; /* ROOM_VALUE */
    int temporary;      /* ROOM_TEMPORARY: index in Plan.temporaries */
    rn_dtype type;      /* of its numbers */
    int64_t offset;     /* bytes: from the value's element (0, 0, 0), or from where the room begins */
    int64_t bytes;      /* moved, of one image; weights: of all images of the step, since they are read once */
    bool written;       /* else read */
} Operand;

typedef struct Step {
    Algorithm algorithm;
    const Node *node;  /* that it computes, or computes a part of; NULL: input and output steps */
    const char *name;  /* the node's; of a part of it with what part: "conv1 shortcut" */
    const char *words; /* what it does, where the operation and its epilogue do not say it; or NULL */
    Value *const *in;  /* images read, but for the epilogue's */
    int nin;
    const Term *term;  /* conv, fc: of in[i] */
    Epilogue epilogue; /* none where another step of the node has it */
    const Value *out;  /* whose elements it writes; an output step's: those that it copies out */
    bool complete;     /* `out` is, after it */
    bool woven;        /* woven kernels fetch its weights, which come from afar (gemm.h) */
    int images;        /* that a call computes: 1, or a group's */
    Operand *operands;
    int operand_count, operand_capacity;
    const void *detail;     /* the algorithm's own plan, for its own files: conv_plan(step), winograd_plan(step), ... */
    const struct Step *one; /* the same for one image, where `images` are several: a run may have fewer */
    int64_t scratch;        /* bytes that each part needs for itself */
    int64_t macs;           /* multiply-adds of the source, of one image */
    int64_t multiplications; /* that the algorithm does for them */
} Step;

struct Plan {
    const Graph *graph;
    PlanOptions options;
    Arena *arena;
    int group;                     /* images that a call of forward takes, and the last layers at once; 1: one by one */
    int last_node;                 /* id of the first node of the last layers */
    int last_step;                 /* the first step of the last layers; step_count where there are none */
    Choice *choices;               /* by node id */
    Decision *decisions;           /* by node id */
    struct Filterings *filterings; /* derived so far (filtering.h) */
    Map shapes;                    /* choose_shape's text -> Decision *: those of one shape share their candidates */
    Gain *gains;                   /* by node id: of its sum */
    double *value_gains;           /* by value id: of its own relative error */
    double *rough;                 /* by value id: of its mean square, what varies within a channel */
    SizeBudget size;
    double predicted_error; /* of the output, relative, by the error model */
    double measured_error;  /* the same, where -O3 measured it; 0: not */
    ValuePlan *values;      /* by value id */
    Step *steps;
    int step_count, step_capacity;
    int64_t *temporaries; /* bytes of each */
    int temporary_count, temporary_capacity;
    Buffer *buffers; /* the values', then the temporaries' in order */
    int value_buffers;
    int buffer_count, buffer_capacity;
    /* bytes: */
    int64_t arena_bytes;   /* activations, of an image's first layers; the last layers' temporaries */
    int64_t kept_bytes;    /* of an image: what the last layers touch */
    int64_t live_bytes;    /* the largest live set of these: no plan can be smaller */
    int64_t scratch_bytes; /* of each part: the largest of the steps */
    rn_recipe_step *recipe_steps;
    int recipe_capacity;
    rn_recipe recipe;
    int *tensor_step;           /* by tensor id: its recipe step, -1 */
    struct TrainPlan *training; /* NULL: of inference (training.h) */
    int64_t mean_image;         /* bytes into the packed weights, where preprocess.mean_image lies; -1: there is none */
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

/* Elements from one pixel to the next of a value that has its own storage. */
static inline int plan_pixel(int channels) {
    return channels < VECTOR ? round_up(channels, 4) : round_up(channels, VECTOR) + VECTOR;
}

static inline const ValuePlan *plan_value(const Plan *plan, const Value *v) {
    return &plan->values[v->id];
}

const char *role_name(Role role); /* "x", "w1" */
/* Where an operand begins, in bytes from its room's beginning. */
int64_t plan_operand_offset(const Plan *plan, const Operand *operand);
/* Whether it lies in what is kept of each image for the last layers, instead of the arena. */
bool plan_operand_kept(const Plan *plan, const Operand *operand);
/* Bytes that a step moves for one image; those of weights divided among the images that share them. */
int64_t step_bytes(const Step *step);
int64_t step_weight_bytes(const Step *step);

#endif
