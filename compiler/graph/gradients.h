/* What the operations' gradient rules (PREFIX_gradient in ops/) build with, while differentiate walks back through a
 * graph (Griewank and Walther 2008, "Evaluating Derivatives", chapter 3: reverse mode).
 *
 * A rule is called once, with the whole gradient `dy` of its node's result, a value of the result's shape. It adds what
 * it contributes to the gradients of its inputs, and says which value holds its parameters'. Gradients are of the sum
 * of the batch's losses: nothing is divided by the number of images before the update.
 */
#ifndef RNC_GRADIENTS_H
#define RNC_GRADIENTS_H

#include "ops.h"

/* The backward pass under construction. */
struct Gradients {
    Graph *graph;
    Diag *diag;
    bool *wanted;  /* by value id */
    Value **parts; /* by value id: the sum of the gradient's parts so far, or NULL */
    bool *frozen;  /* by tensor id */
};

/* Whether anything that is trained lies behind the value: else nobody asks for its gradient. */
bool gradients_want(const Gradients *g, const Value *value);
bool gradients_train(const Gradients *g, const Tensor *param); /* NULL: false */
/* A part of the value's gradient; the parts are summed. */
void gradients_add(Gradients *g, const Value *value, Value *part);
/* The gradient of a parameter: channels `channel` and after of `sums`, a value of the batch. */
bool gradients_param(Gradients *g, const Node *node, Tensor *param, Value *sums, int channel);
/* The same of a bias, whose gradient is the sum of dy; NULL or frozen: nothing. */
bool gradients_bias(Gradients *g, const Node *node, Tensor *bias, Value *dy);
/* The rule of layer norm and group norm: the operations of the input's gradient, of (dy, x), and of the parameters',
 * the bias's before the weight's. */
bool gradients_norm(Gradients *g, const Node *node, Value *dy, Op data, Op sums);

/* A node of the backward pass, called after the layer and what it computes: "conv1 weights". The caller sets what the
 * operation needs, then has its value by gradients_done, which infers the shape. */
Node *gradients_node(Gradients *g, const Node *of, const char *what, Op op, Value *const *in, int nin);
Value *gradients_done(Gradients *g, Node *node);
/* The whole of it for an operation without attributes. */
Value *gradients_value(Gradients *g, const Node *of, const char *what, Op op, Value *const *in, int nin);
/* The part of dy, from a channel, row and column on, that has this shape; dy itself where that is all of it. */
Value *gradients_part(Gradients *g, const Node *of, Value *dy, Shape shape, int channel, int row, int column);
/* An error at the layer: its operation cannot be trained. Returns false. */
bool gradients_none(Gradients *g, const Node *node);

#endif
