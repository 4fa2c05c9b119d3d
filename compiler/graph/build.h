/* Making a graph layer by layer: what a reader of networks needs, whatever it reads. A layer is added with its
 * attributes, its shape inferred, its parameters declared under their names. Readers know operations by what they
 * compute; terms, epilogues and slots of weights are the graph's own.
 *
 * Every function that makes a layer returns its value, or NULL after an error that names what does not fit; then the
 * graph is as it was. An input that is NULL, for a layer that could not be made, gives NULL without another error.
 */
#ifndef RNC_BUILD_H
#define RNC_BUILD_H

#include "base/base.h"
#include "base/diag.h"
#include "ir.h"

typedef struct Builder {
    Graph *graph;
    Diag *diag; /* NULL: the layers are known to be right */
    /* of the layers that follow */
    Place place, via;
    const Group *group;
    /* The names of the next layer's parameters in the order of its rule (ops.h), which one name may be given to several
     * layers of: they share the tensor. NULL: LAYER.weight, LAYER.bias ... */
    const char *const *params;
    Map shared; /* name -> Tensor, of names that were given */
} Builder;

/* What a layer's statement says, beside its name and inputs. */
typedef struct Layer {
    int features;  /* conv, fc: output channels */
    Window window; /* conv */
    int groups;    /* conv */
    bool bias;     /* conv, fc */
    Attr attr;     /* pools: their window too */
} Layer;

/* All that the op's row gives a default; windows of 1 x 1. */
Layer layer_default(Op op);
/* The tensors that a node made by hand needs, as parameters LAYER.weight, LAYER.bias ... */
void build_params(Graph *graph, Node *node, bool bias);
Value *build_layer(Builder *builder, Op op, const char *name, Value *const *in, int nin, const Layer *layer);

/* A layer of one input and an op's default attributes: activations, softmax, flatten, scale ... */
Value *build_op(Builder *builder, Op op, const char *name, Value *in);
/* number: of an activation that has one (act.def). */
Value *build_act(Builder *builder, Act act, const char *name, Value *in, ActNumbers numbers);
/* features x C/groups x R x S weights, a bias or none. */
Value *build_conv(Builder *builder, const char *name, Value *in, int features, Window window, int groups, bool bias);
Value *build_fc(Builder *builder, const char *name, Value *in, int features, bool bias);
Value *build_bn(Builder *builder, const char *name, Value *in, double eps);
/* OP_MAXPOOL or OP_AVGPOOL; window NULL: over the whole image. */
Value *build_pool(Builder *builder, Op op, const char *name, Value *in, const Window *window, bool count_include_pad);
/* fill: each is zero-filled at the end of its channels, rows and columns to the larger of both. */
Value *build_add(Builder *builder, const char *name, Value *a, Value *b, bool fill);
/* gate: of the value's shape, or a factor per channel, C x 1 x 1 */
Value *build_mul(Builder *builder, const char *name, Value *value, Value *gate);
Value *build_concat(Builder *builder, const char *name, Value *const *in, int nin);

#endif
