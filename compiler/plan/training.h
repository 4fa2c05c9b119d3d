/* The plan of a training graph: what is computed for a whole batch at once.
 *
 * Values are compact: a pixel is its channels, up to whole vectors (16 floats); no halo; images lie an odd number of
 * cache lines apart. What a window reads beside an image is put around a copy of it, in scratch (batch_conv.c). All of
 * a vector's lanes are computed; those beyond the channels are never looked at.
 *
 * Sums over a batch are cut into slabs of images, whose number the program fixes; each slab is summed in the order of
 * its images, the slabs in a binary tree. So the bits do not depend on the number of threads.
 *
 * With ranks (--mpi), a batch is R groups of images, R the largest number of ranks, and a rank has R / N of them. What
 * decides the bits of a group's results and sums lies in the group alone: its slabs, and the blocks that its images are
 * computed in. The tree goes on over groups, then over ranks (rn_train.h, rn_train_team).
 */
#ifndef RNC_PLAN_TRAINING_H
#define RNC_PLAN_TRAINING_H

#include "graph/train.h"
#include "passes/recompute.h"
#include "plan.h"

typedef struct TrainPlan {
    TrainParameter
        *parameters; /* in the order of the source; their rows have offsets in the flat buffers (rn_train.h) */
    int count;
    int *of_tensor; /* by tensor id: its parameter, or -1 */
    int64_t floats, gradient_floats, trained_floats;
    int slabs;             /* a power of two */
    int ranks;             /* the largest number that have the bits of one; 0: there is one process */
    int64_t summed_floats; /* with ranks: of the trained parameters, those at the start, which each rank has a part of;
                              all others come of sums over all ranks */
    struct TrainValue *values; /* of the forward pass, in its order */
    int value_count, value_capacity;
} TrainPlan;

/* A value of the forward pass, for whoever looks for the first that is not finite. */
typedef struct TrainValue {
    const Value *value;
    int after;      /* the step that completes it, or what it is computed from */
    int parameters; /* so many of the table's belong to its layer and those before it */
    Step *computed; /* what would store it: NULL where it is stored */
} TrainValue;

/* Of a graph that differentiate has made of `source`; `batch` of the options is the largest. NULL after an error: an
 * operation that training's code has no algorithm for. */
Plan *plan_training(Arena *arena, const Graph *graph, const Graph *source, const PlanOptions *options, Diag *diag);

/* The same with less memory: values are computed again (passes/recompute.h), with as many kept in between as make the
 * largest live set the smallest. */
typedef struct TrainMemory {
    Recompute mode;
    int every;     /* of so many values that the network passes through one is kept; 0: all are */
    int64_t bytes; /* the largest live set: values, temporaries and packed weights */
} TrainMemory;
TrainMemory plan_training_memory(const Graph *graph, const Graph *source, const PlanOptions *options, Recompute mode);

/* ---- for the files of plan/ and emit/ ---- */
enum {
    TRAIN_SLABS = 16,
    TRAIN_FEW_SLABS = 4,       /* which every gradient has, whatever it takes */
    TRAIN_SLAB_BYTES = 8 << 20 /* most that more slabs of one gradient take: they are gone through for every image */
};

int64_t train_offset(const Plan *plan, const Tensor *tensor); /* floats, in the flat buffers */
/* The parameters that a value of Graph.outputs holds the gradients of: calls `each` for those. */
const Trained *train_gradient_of(const Plan *plan, const Value *value, int channel); /* NULL: none */
const Running *train_running_of(const Plan *plan, const Value *value);               /* NULL: none */
/* How many sums over the batch an operation makes of a channel: of BATCH_STATS, and norms'. */
int train_sums(const Node *node);
/* A temporary for each slab's of them, in double; the step that adds the slabs up. */
int train_slab_sums(Plan *plan, const Node *node);
void train_total_step(Plan *plan, const Node *node, int slabs);
/* Rows behind an operation's own, which every reader of it would compute for each row of an image: of statistics
 * 1 / sqrt(variance + eps); of a batch norm's sums their shares, sum / count, and product / count times that factor. */
int train_derived(const Node *node);
double train_eps(const Plan *plan, const Value *stats);
/* Slabs for sums of so many bytes each; at least one for each rank. */
int train_slabs(const Plan *plan, int64_t bytes);
/* Of those, the ones of a group. */
int train_group_slabs(const Plan *plan, int slabs);
/* The most images that a group has; without ranks, a batch. */
int train_group_images(const Plan *plan);
/* The largest divisor of the images of a rank, times `each`, that is at most `most`; without ranks `most`. Blocks of so
 * many begin where groups do. */
int train_block(const Plan *plan, int most, int each);

/* Operands in the flat buffers. */
void train_reads_parameter(Plan *plan, Step *step, Role role, const Tensor *tensor);
void train_writes_gradient(Plan *plan, Step *step, const Tensor *tensor);

/* ---- for algorithms.def ---- */
void batch_conv_steps(Plan *plan, const Node *node);    /* conv, and the gradient of its input; fc likewise */
void batch_weights_steps(Plan *plan, const Node *node); /* the gradient of its weights */
void batch_sums_steps(Plan *plan, const Node *node);    /* statistics and other sums over the batch */
void batch_norm_steps(Plan *plan, const Node *node);    /* norms whose statistics are of one image (batch_norm.c) */
void batch_map_steps(Plan *plan, const Node *node);     /* of each element alone */
void batch_move_steps(Plan *plan, const Node *node);    /* all else */
void batch_conv_describe(const Step *step, Text *text);
void batch_transform_describe(const Step *step, Text *text);

#endif
