/* The second stage: the network that a simplified model is. A row of operators.def names the function that makes an
 * operator's layers, by the builders that the language uses (graph/build.h).
 *
 * Such a function returns false after import_problem, which says why the node cannot be had; the nodes that depend on
 * it are then passed over. Without a word it returns false where an input is missing for that reason.
 */
#ifndef RNC_ONNX_IMPORT_H
#define RNC_ONNX_IMPORT_H

#include "graph/build.h"
#include "graph/tensor.h"
#include "operators.h"
#include "view.h"

typedef struct Operand {
    Value *value;
    View view;
    OnnxNode *pad; /* zeros that are still to be added to the value's end, as `filling` says; NULL: none */
    Layer filling;
    const OnnxNode *quantized; /* the QuantizeLinear whose integers they are, of which the value has the numbers */
} Operand;

typedef struct Problem {
    const OnnxNode *node;
    const char *text;
} Problem;

struct Import {
    OnnxModel *model;
    Builder builder;
    Map names;          /* of layers */
    Map modules;        /* names.c: of PyTorch's modules those that hold others */
    const char *module; /* names.c: the one found last */
    Map weights;        /* parameter's name -> ImportWeight */
    float **data;       /* by tensor id; malloc'd */
    int data_capacity;
    Problem *problems;
    int problem_count, problem_capacity, skipped;
};

/* A parameter: a constant of the file as it is, or numbers made of several. */
typedef struct ImportWeight {
    const OnnxTensor *source; /* whose name it gets where that is a name; NULL: LAYER.weight and so on */
    float *data;              /* of the arena; NULL: the source's */
} ImportWeight;

/* By slot: WEIGHT, BIAS, MEAN, VAR. One with neither source nor data is not there. */
typedef struct ImportWeights {
    ImportWeight slot[NODE_MAX_WEIGHTS];
} ImportWeights;

bool import_problem(Import *import, const OnnxNode *node, const char *format, ...) PRINTF_LIKE(3, 4);

/* ---- inputs ---- */
/* What an input is in the network; NULL where it is a constant (a problem) or not known. */
const Operand *import_operand(Import *import, OnnxNode *node, int i);
/* The same as an image: N x C x rows x columns, or of fewer dimensions, in the value's own order. */
Value *import_image(Import *import, OnnxNode *node, int i);
/* A tensor whose view has its axes in pieces or another order, in its own dimensions as an image: by a layer that moves
 * its numbers. NULL where there is none that would; without a problem then. (order.c) */
const Operand *import_in_order(Import *import, OnnxNode *node, OnnxTensor *tensor);
/* An operand in its own order, in dimensions that take channels, rows and columns apart. NULL where that is not so. */
Operand *import_reshaped(Import *import, OnnxNode *node, const Operand *operand, const OnnxShape *dims);
/* An input's constant of `count` numbers (-1: any), with a problem where it is none; NULL also where it is absent. */
const OnnxTensor *import_constant(Import *import, OnnxNode *node, int i, int64_t count);
bool import_has(const OnnxNode *node, int i);

/* ---- layers ---- */
/* The layer of a node, with its parameters' numbers; NULL after a problem. `part`: what it is called behind the node's
 * name, where it is not the only one; NULL: nothing. */
Value *import_layer(Import *import, OnnxNode *node, const char *part, Op op, Value *const *in, int nin,
                    const Layer *layer, const ImportWeights *weights);
/* The bias of a convolution or fully connected layer that has none yet. */
void import_bias(Import *import, Value *value, const ImportWeight *bias);
float *import_floats(Import *import, int64_t count);
/* All of them `value`. */
float *import_filled(Import *import, int64_t count, double value);

/* ---- names.c ---- */
void import_find_modules(Import *import);
/* A layer's, which no other one has. */
const char *import_name(Import *import, const OnnxNode *node, const char *part, const ImportWeights *weights);
/* A parameter's: the constant's own where it is used as it is, else LAYER.suffix. */
const char *import_weight_name(Import *import, const ImportWeights *weights, int slot, const char *layer,
                               const char *suffix);
/* The file's, as an identifier: exporters call all graphs main_graph. */
const char *import_network_name(Arena *arena, const char *path);

/* ---- results ---- */
bool import_result(Import *import, OnnxNode *node, int i, Value *value, const View *view);
/* In the value's own order. */
bool import_plain(Import *import, OnnxNode *node, int i, Value *value);

/* ---- import_conv.c: windows ---- */
/* The window of a convolution or pool as the value has it, whose rows may be the tensor's columns. False after a
 * problem. */
bool import_window(Import *import, OnnxNode *node, const int64_t *kernel, Window *window);
/* Its result, turned as its input is. */
bool import_windowed(Import *import, OnnxNode *node, Value *value);

/* ---- import_quantize.c ---- */
/* Whether a node may read integers, where it does; with a problem. */
bool import_integers(Import *import, OnnxNode *node);
/* A result of integers that only moved. */
void import_keep_integers(OnnxNode *node);

/* ---- import_branches.c ---- */
/* A Concat along a dimension that is of no axis. */
bool import_stack(Import *import, OnnxNode *node, int axis);
/* A sum or mean over channels or a part of them: whether it is one, and whether it was made. */
bool import_channel_sum(Import *import, OnnxNode *node, const bool *axes, bool *done);
bool import_is_pixels(const View *view, int dim);
/* A MatMul of two values. */
bool import_weighed_sum(Import *import, OnnxNode *node);

/* ---- pieces.c, norm_pieces.c: operators that are one layer together ---- */
enum { IMPORT_LOOK_AHEAD = 96 }; /* nodes behind the first that are looked at for the others */
/* What is read from `node` on as an activation, or as a factor and a sum for each channel. False where it is neither;
 * without a problem then. */
bool import_pieces(Import *import, OnnxNode *node);
/* Whether it is a Pow with 2, or a Mul of a tensor with itself. */
bool import_is_square(const OnnxNode *node);
/* A layer norm that begins with this ReduceMean. */
bool import_layernorm_pieces(Import *import, OnnxNode *node);
/* A response norm that begins with this ReduceL2, or this square of a number. */
bool import_responsenorm_pieces(Import *import, OnnxNode *node);
/* Channels divided by the root of their sum of squares, likewise; of the mean of their squares. */
bool import_l2norm_pieces(Import *import, OnnxNode *node);
bool import_rmsnorm_pieces(Import *import, OnnxNode *node);
enum { IMPORT_MOST_LRN = 2048 }; /* channels on a side of an lrn's window */
/* x / (k + share * the sum of the squares of x's channels)^1/2, at most IMPORT_MOST_LRN of them: lrn over all. */
Value *import_divided_by_root(Import *import, OnnxNode *node, const char *part, const Operand *x, double share,
                              double k);

/* A constant that broadcasting spreads over a value in this view: its number for each of the value's channels, or NULL
 * where it differs between pixels or images. */
double *import_per_channel(Arena *arena, const OnnxTensor *constant, const View *view);

/* ---- the whole ---- */
/* The network that a model is, with its weights by tensor id. NULL after an error. */
Graph *import_model(OnnxModel *model, Arena *arena, TensorData *weights);

#endif
