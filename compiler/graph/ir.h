/* The graph: values, the nodes that make them, and weight tensors.
 *
 * A Value is an activation: one image's shape C x H x W (every operation treats the images of a batch alike, so the
 * batch is no dimension of the graph; the emitted code loops over it). A Node makes exactly one Value. Nodes are kept
 * in topological order. A Tensor is a constant: a parameter from the weights file, or an expression over other tensors
 * (the recipe, runtime/rn_recipe.h); a pass makes new Tensors and never changes one.
 *
 * In a training graph (Graph.training) there are values that a whole batch has one of (Value.all): statistics, and the
 * sums that are the parameters' gradients.
 *
 * Fusion makes no new ops. A conv or fc sums a list of terms, sum_i W_i * x_i, and every node ends in an epilogue:
 *
 *     out = pool(act(op(inputs) + bias + addend))
 *
 * Dimensions: C H W input channels, height, width; K R S filters and kernel; P Q output height and width.
 */
#ifndef RNC_IR_H
#define RNC_IR_H

#include "base/base.h"
#include "base/diag.h"
#include "rn.h"
#include "rn_recipe.h"

typedef struct Graph Graph;
typedef struct Node Node;
typedef struct Value Value;
typedef struct Tensor Tensor;

typedef struct Shape {
    int c, h, w;
} Shape;

static inline int64_t shape_size(Shape s) {
    return (int64_t)s.c * s.h * s.w;
}
static inline bool shape_equal(Shape a, Shape b) {
    return a.c == b.c && a.h == b.h && a.w == b.w;
}

/* ---- weight tensors: what is computed once, when weights are packed ---- */
enum { TENSOR_MAX_ARGS = 4 };

struct Tensor {
    int id;           /* index in Graph.tensors; arguments have smaller ids */
    rn_recipe_op op;  /* RN_PARAM: read from the weights file by name; others: an expression (rn_recipe.def) */
    const char *name; /* RN_PARAM: its name in the file; others: for people */
    rn_dtype type;    /* its numbers are of it; only a cast makes another than RN_F32 */
    int ndim, dim[4]; /* row-major; conv weights K x C/groups x R x S, fc K x C, vectors [K] */
    Tensor *arg[TENSOR_MAX_ARGS];
    int nargs;
    double real;    /* the op's number, if it has one (epsilon, fill value) */
    int integer[2]; /* the op's integers, if it has any; RN_PARAM: 1, 0 where it may be missing, and is 0 then */
    Place place;
};

static inline int64_t tensor_size(const Tensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->ndim; i++) n *= t->dim[i];
    return n;
}

static inline int64_t tensor_bytes(const Tensor *t) {
    return tensor_size(t) * (int64_t)rn_dtype_size(t->type);
}

/* ---- operations ---- */
typedef enum Op {
#define OP(name, ...) OP_##name,
#include "ops.def"
#undef OP
    OP_COUNT, /* none; those that follow stand in training graphs alone */
#define TRAIN_OP(name, ...) OP_##name,
#define BATCH_OP(name, ...) OP_##name,
#include "train_ops.def"
#undef TRAIN_OP
#undef BATCH_OP
    OP_END
} Op;

typedef enum Act {
    ACT_NONE,
#define ACT(name, ...) ACT_##name,
#include "act.def"
#undef ACT
    ACT_COUNT
} Act;

typedef struct ActNumbers { /* an activation's, as act.def's formulas have them; 0 where there is none */
    double p, q;
} ActNumbers;

typedef struct Window {           /* a kernel that slides: conv, maxpool, avgpool */
    int r, s;                     /* height, width */
    int stride_h, stride_w;       /* from 1 */
    int dilate_h, dilate_w;       /* from 1 */
    int top, left, bottom, right; /* padding */
    bool ceil; /* pooling: round the output size up (a last window must start inside input or left/top padding, as in
                  Caffe and PyTorch) */
} Window;

static inline Window window_unit(void) {
    return (Window){.r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .dilate_h = 1, .dilate_w = 1};
}

enum { INT_LIST_MOST = 8 };

typedef struct IntList {
    int count, item[INT_LIST_MOST];
} IntList;

typedef struct Attr {       /* an op uses those that its row in ops.def names; the others are zero */
    bool global;            /* maxpool, avgpool: over the whole image */
    bool count_include_pad; /* avgpool: divide by the window's size even at the borders */
    Window window; /* maxpool, avgpool (not global); pad: top, left, bottom, right only; slice: top, left; interleave:
                      top, left, strides; phases: strides */
    double eps, momentum;  /* bn; eps: norms of an image too */
    double slope;          /* leakyrelu */
    double low, high;      /* clip; infinite: no bound; quantize */
    bool approximate;      /* gelu: its form with tanh */
    double alpha, beta, k; /* elu: alpha (e^x - 1) below 0; lrn: x / (k + alpha / size * sum x^2)^beta (PyTorch's and
                              Caffe's convention) */
    int size;              /* lrn: channels in the sum */
    IntList levels;        /* spp: pyramid levels, n x n bins each */
    int factor;            /* upsample: nearest neighbour, integer */
    int channels;          /* pad: zero channels added at the end; interleave, phases: of a phase, that lie together;
                              slice, reshape: the result's */
    int groups;            /* groupnorm, shuffle; a convolution's are its terms' */
    bool bilinear, align_corners, asymmetric; /* resize: else nearest, half pixels */
    int height, width;                        /* interleave, resize, slice, reshape: the result's */
    int extra_rows, extra_columns;            /* convtranspose: at the end of the result (output_padding) */
    double rate;                              /* dropout: not used at inference; .drop */
    int number;                               /* .drop: which of the network's dropouts */
    Act act;                  /* .gate: the activation whose derivative it is; its one number is `slope` */
    int first;                /* slice: the first channel */
    bool reflect, edge;       /* pad: the image mirrored at its edge, the edge's pixels; else `value` */
    double value;             /* pad */
    bool pixels, log;         /* softmax: over the pixels of each channel, its logarithm */
    int branches;             /* softmax: over so many numbers, channels / branches apart; 1: over all channels */
    bool of_pixels, of_image; /* .dot: a sum for each pixel, for the image; else for each channel */
    double smooth;            /* .crossentropy: label smoothing */
    bool fill;                /* add: zero-fill the smaller side at the end of c, h, w; otherwise shapes agree */
} Attr;

enum { NODE_MAX_TERMS = 4, NODE_MAX_WEIGHTS = 4 };

/* one summand of a conv or fc: weight * in[i], seen through its own window */
typedef struct Term {
    Tensor *weight; /* conv: K x C/groups x R x S; convtranspose: C x K/groups x R x S; fc: K x (C*H*W), in C, H, W
                       order of its input */
    Window window;  /* conv, convtranspose; fc: unused */
    int groups;
} Term;

/* what a node does to its result while it is hot: bias, addend, activation, pool, in this order */
typedef struct Epilogue {
    Tensor *bias;        /* [K] or NULL */
    Value *addend;       /* added before the activation, or NULL */
    int addend_stride;   /* the addend is read at (c, stride*y, stride*x); 1 unless the pass folded a subsampling */
    bool addend_partial; /* the addend has fewer channels (rows, columns) than the result: zero beyond (option A) */
    bool in_place;       /* the result may overwrite the addend's buffer: this is the addend's last use */
    Act act;
    ActNumbers numbers; /* of an activation that has them: leakyrelu's slope */
    Tensor *prelu;      /* of one that has a weight for each channel: [K] */
    enum { POOL_NONE, POOL_MAX, POOL_GLOBAL_AVG, POOL_GLOBAL_MAX } pool;
    Window pool_window;    /* POOL_MAX */
    Shape unpooled;        /* shape before the pool; valid where pool != POOL_NONE */
    Value *unpooled_value; /* the value before the pool, for names only (it is never stored); may be NULL */
} Epilogue;

enum { WEIGHT = 0, BIAS = 1, MEAN = 2, VAR = 3 }; /* Node.weight[] of bn, scale, affine, norms, prelu */

/* A use of a block, or a stage, as the source has it; for those who look at the network. */
typedef struct Group {
    const char *name; /* what its layers' names begin with: "layer1" of a stage, "layer1.0" of its first copy */
    Place place;      /* the statement */
    const struct Group *outer; /* NULL: it stands in the network itself */
} Group;

struct Node {
    int id; /* position in Graph.nodes */
    Op op;
    const char *name; /* the layer's name: "layer1.0.conv1"; unique where it has parameters */
    Value **in;       /* inputs, without the epilogue's addend */
    int nin;
    Term *term;   /* conv, convtranspose, fc: nin terms, term[i] belongs to in[i]; NULL for other ops */
    int features; /* conv, convtranspose, fc: K */
    Attr attr;
    Tensor *weight[NODE_MAX_WEIGHTS]; /* bn: WEIGHT BIAS MEAN VAR; scale, affine, norms: WEIGHT BIAS; prelu: WEIGHT */
    Epilogue epilogue;
    Value *out;
    Place place;        /* the layer's statement */
    const Group *group; /* the innermost that it stands in; NULL: the network itself, or a graph file */
    bool backward;      /* of a training graph: it computes gradients */
    Place via;          /* where its block or stage was used; source NULL where it stands in the network itself */
};

struct Value {
    int id;           /* index in Graph.values */
    const char *name; /* the producer's layer name when it was made; fusion keeps the last value's name */
    rn_dtype type;    /* of its numbers: RN_F32, which every operation makes */
    Shape shape;
    Node *producer; /* NULL: the network's input */
    bool is_output;
    bool channels_last; /* the input, an output: the application has it as H x W x C, not C x H x W */
    bool all;           /* one for the batch, not one for each image */
    Value *home;        /* concat by placement: stored as channels [home_channel, +shape.c) of this value; or NULL */
    int home_channel;
};

static inline int64_t value_bytes(const Value *v) {
    return shape_size(v->shape) * (int64_t)rn_dtype_size(v->type);
}

/* how an 8-bit picture becomes the input */
typedef struct Preprocess {
    bool given; /* the source says so; otherwise run_rgb and classify use range 1, mean 0, std 1 */
    enum { ORDER_RGB, ORDER_BGR, ORDER_GRAY } order;
    double range;           /* 8-bit values are scaled to 0..range first: 1 or 255 */
    double mean[4], std[4]; /* x = (v - mean) / std, per channel, after scaling */
    int resize;             /* shorter side, 0: straight to the input's size */
    int crop_h, crop_w;     /* centre crop, 0: the input's size */
    Tensor *mean_image;     /* the parameter input.mean, subtracted beside `mean`: C x H x W or [C]; NULL: none */
} Preprocess;

/* ---- training ---- */
typedef struct Trained { /* a parameter that the update changes */
    Tensor *param;
    int output; /* of Graph.outputs: its gradient, summed over the batch, is channels `channel` and after of that value,
                 */
    int channel; /* in the order of the parameter's elements */
} Trained;

typedef struct Running { /* a batch norm's averages over time */
    Tensor *mean, *var;
    int output; /* of Graph.outputs: the statistics of the batch, a .stats */
    double momentum;
} Running;

typedef struct Training {
    Value *labels; /* of each image, 4 x 1 x 1: class, another class, the share of the first (1 but for mixup), and a
                      whole number below 2^24 that is drawn for the image and step */
    int loss;      /* of Graph.outputs: of each image, 3 x 1 x 1: loss, and 1 where the class is not the likeliest, and
                      where it is none of the five likeliest */
    Trained *trained; /* in the order in which the backward pass makes them */
    int trained_count, trained_capacity;
    Running *running;
    int running_count, running_capacity;
} Training;

struct Train; /* graph/train.h */

struct Graph {
    Arena *arena;
    const char *name; /* the network's */
    const Source *source;
    Node **nodes; /* topological order */
    int node_count, node_capacity;
    Value **values; /* by id; a dead value stays, with no producer and no uses */
    int value_count, value_capacity;
    Tensor **tensors; /* by id */
    int tensor_count, tensor_capacity;
    Value *input;    /* one input */
    Value **outputs; /* in the order of the source; the last is the network's result */
    int output_count, output_capacity;
    Preprocess preprocess;
    const struct Train *train; /* NULL where there is no section */
    Training *training;        /* NULL: a graph of inference */
};

/* ---- building ---- */
Graph *graph_new(Arena *arena, const char *name);
Value *graph_add_value(Graph *graph, const char *name, Shape shape);
/* A node with one new output value named `name`, shape not yet inferred, its attributes the defaults of ops.def;
 * appended at the end. */
Node *graph_add_node(Graph *graph, Op op, const char *name, Value *const *in, int nin, Place place);
void graph_add_output(Graph *graph, Value *value);
Tensor *graph_add_param(Graph *graph, const char *name, int ndim, const int *dim, Place place);
Tensor *graph_add_expr(Graph *graph, rn_recipe_op op, const char *name, int ndim, const int *dim, int nargs,
                       Tensor *const *args, double real);
Tensor *graph_add_cast(Graph *graph, Tensor *tensor, rn_dtype type); /* its numbers rounded to the type */

/* ---- asking ---- */
/* Every value that the node reads, its epilogue's addend last; returns how many (at most nin + 1). */
int node_reads(const Node *node, Value **reads);
int value_use_count(const Graph *graph, const Value *value); /* readers; being an output counts as one more */
Node *value_only_user(const Graph *graph,
                      const Value *value); /* the one node that reads it once, or NULL; NULL for outputs */
/* All use counts at once, indexed by value id; lives in `arena`. */
int *graph_use_counts(const Graph *graph, Arena *arena);
/* The values that are made or are the input, by their names; NULL of a name that two have. Lives in `arena`. */
Map graph_value_names(const Graph *graph, Arena *arena);
int window_out(int size, int kernel, int stride, int dilate, int pad_begin, int pad_end,
               bool ceil); /* may be <= 0: does not fit */

/* ---- changing (for passes) ---- */
void graph_replace_uses(Graph *graph, Value *from,
                        Value *to);               /* readers, addends and outputs; `to` takes over what an output is */
void graph_remove_node(Graph *graph, Node *node); /* its value must have no uses left */
void graph_insert_before(Graph *graph, Node *position, Node *node); /* moves `node` (already added) before `position` */
void graph_renumber(Graph *graph);                                  /* node ids back to positions */
Graph *graph_clone(const Graph *graph, Arena *arena);               /* deep; value and tensor ids are kept */

#endif
