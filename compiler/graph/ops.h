/* The table of operations (ops.def). Adding an op is one row there and one file in ops/. */
#ifndef RNC_OPS_H
#define RNC_OPS_H

#include "tensor.h"
#include "ir.h"
#include "moments.h"

typedef struct Gradients Gradients;

enum {
    OPF_TERMS = 1,       /* conv, convtranspose, fc: in[i] has a Term */
    OPF_ELEMENTWISE = 2, /* out has in[0]'s shape (add with fill: the larger of both) */
    OPF_ACTIVATION = 4,  /* elementwise, and can be an epilogue's Act (act.def) */
    OPF_WINDOW = 8,      /* slides attr.window, or is global */
    OPF_COPY = 16,       /* moves no data at inference: dropout, identity, flatten */
    OPF_ARGUMENT = 32,   /* its first attribute may be said without its word: `upsample 2` */
    OPF_ARGUMENTS = 512, /* its first two may, both of them: `clip -1, 1` */
    OPF_EPILOGUE = 64,   /* its emitter ends in the epilogue, so that a sum and an activation may join it */
    OPF_TRAINING = 128,  /* a row of train_ops.def: in training graphs alone */
    OPF_BATCH = 256      /* sums over the images of the batch: its result is Value.all */
};

/* one tensor of a node, which its layer reads from the weights file as "LAYER.suffix" */
typedef struct ParamSpec {
    const char *suffix; /* weight, bias, running_mean, running_var */
    int slot;           /* WEIGHT, BIAS, MEAN, VAR: node_weight */
    int ndim, dim[4];
} ParamSpec;

typedef struct OpInfo {
    const char *word;
    const char *id; /* "CONV" */
    int min_in, max_in;
    unsigned flags;
    const char *attrs;
    /* Sets out->shape from the inputs' shapes and attributes. Returns false after a diag_error at node->place (with
     * numbers: what does not fit what). diag may be NULL when the graph is known to be right. Takes the epilogue's
     * pool into account (epilogue.unpooled is set here, out->shape is after the pool). */
    bool (*infer)(Node *node, Diag *diag);
    /* The tensors that the node has, given in-shapes, features, attr, and, of a layer, what they are called in the
     * weights file; returns how many. */
    int (*params)(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]);
    /* Multiply-adds of one image: convolutions and fully connected layers count, all else is 0. */
    int64_t (*cost)(const Node *node);
    /* out[C x H x W] = op(inputs), without the epilogue (the interpreter applies it), in double.
     * weight(t): the evaluated floats of tensor t. threads: OpenMP threads. */
    void (*reference)(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads);
    /* What the inputs' moments make of the result, without the epilogue. carried[i]: by how much the mean square of a
     * small error in input i is multiplied on its way to the result. */
    Moments (*moments)(const Node *node, const Moments *in, double *carried);
    /* Appends the nodes that make the inputs' and parameters' gradients from that of the result, `dy` (gradients.h).
     * False after an error: the operation has none. NULL in rows of train_ops.def. */
    bool (*gradient)(Gradients *g, const Node *node, Value *dy);
    /* Of OPF_BATCH, instead of `reference`: in[i] are `images` of them one after another, but for values that are one
     * for the batch. */
    void (*reduce)(const Node *node, const double *const *in, int images, double *out);
} OpInfo;

bool node_is_plain_softmax(const Node *node); /* probabilities: over the channels of each pixel */
extern const OpInfo op_table[OP_END];         /* the row of OP_COUNT is empty */

static inline const OpInfo *op_info(Op op) {
    return &op_table[op];
}
Op op_by_word(const char *word); /* OP_COUNT where unknown */
/* How the second value of a sum or product is read beside the first. */
typedef enum Broadcast {
    BROADCAST_NONE,     /* it does not fit */
    BROADCAST_EQUAL,    /* of the same shape */
    BROADCAST_CHANNELS, /* C x 1 x 1: one number for each channel */
    BROADCAST_PIXELS,   /* 1 x H x W: one for each pixel */
    BROADCAST_IMAGE     /* 1 x 1 x 1 */
} Broadcast;
Broadcast broadcast_of(Shape first, Shape second);
/* Of an add or mul; of an add with fill, whose values are beside each other: BROADCAST_EQUAL. */
Broadcast node_broadcast(const Node *node);
/* Where a node keeps the tensor of a slot: a conv's or fc's WEIGHT is its first term's, their BIAS the epilogue's. */
Tensor **node_weight(Node *node, int slot);
/* The convolution that a transposed one is, but for the order of its result (convtranspose.c): what it computes is the
 * result's phases, pixels `window.stride_h` x `window.stride_w` apart, as channels of their own. */
typedef struct Phases {
    Window window; /* of the convolution; its stride is 1 */
    Shape shape;   /* of its result: K/groups channels, of each phase, of each group */
    int top, left; /* of the interleaved result, where the transposed convolution's begins */
} Phases;
Phases convtranspose_phases(const Node *node);
/* Where along one dimension a resize, or the one whose gradient the node is, reads for output i: at (i * step + start)
 * / scale, of which the whole part is the pixel; the rest, where it interpolates, is the share of the next one. Numbers
 * below 0 count as 0. */
typedef struct ResizeAxis {
    int64_t step, start, scale;
    bool interpolates;
} ResizeAxis;
ResizeAxis resize_axis(const Node *node, bool rows);
/* An epilogue's pool over the whole image. */
static inline bool pool_is_global(const Epilogue *e) {
    return e->pool == POOL_GLOBAL_AVG || e->pool == POOL_GLOBAL_MAX;
}
/* shape of the op's own result, before the epilogue's pool */
Shape node_unpooled_shape(const Node *node);
/* A pool's windows lie side by side: none overlaps another or reaches over the image's upper or left edge. */
bool window_is_disjoint(const Window *window);
/* The same shape less the last rows and columns that no window of a pool like that reads. */
Shape node_walked_shape(const Node *node);
/* Whether the result is one for the batch (Value.all): a sum over it, or of such values alone. */
bool node_is_of_batch(const Node *node);
int64_t node_cost(const Node *node); /* multiply-adds of one image, all terms */

#endif
