/* What the passes share: use tables of all values from one walk, kept right while a pass fuses and removes nodes, so
 * that no pass walks the graph once per node; and the expressions over weights that folds make.
 *
 *     Rewrite r;
 *     rewrite_begin(&r, graph);
 *     for (int i = 0; i < graph->node_count; i++) {
 *         Node *node = graph->nodes[i];
 *         if (!node) continue;                      (removed or moved by this pass)
 *         ...
 *     }
 *     rewrite_end(&r);
 *
 * Between begin and end graph->nodes[node->id] == node, removed nodes leave NULL behind, and no values are added.
 */
#ifndef RNC_PASSES_REWRITE_H
#define RNC_PASSES_REWRITE_H

#include "graph/ir.h"
#include "graph/ops.h"

typedef struct Rewrite {
    Graph *graph;
    Arena arena;     /* the tables */
    int *uses;       /* by value id: reads; being an output counts as one more */
    Node **user;     /* by value id: a node that reads it; the only one where uses is 1; NULL where none does */
    Value **forward; /* by value id: the value that replaces it, or NULL */
} Rewrite;

void rewrite_begin(Rewrite *r, Graph *graph);
void rewrite_end(Rewrite *r); /* replaces forwarded values, closes the gaps, renumbers, frees the tables */

/* The one node that reads the value, once; NULL where there are more, or none, or it is an output. */
Node *rewrite_only_user(const Rewrite *r, const Value *value);
/* The value that stands for this one now. */
Value *rewrite_resolve(const Rewrite *r, Value *value);
/* Every use of `from` becomes a use of `to` (at rewrite_end; rewrite_resolve answers at once). */
void rewrite_forward(Rewrite *r, Value *from, Value *to);
/* Its reads stay counted: what it read has no only user from now on, unless another node inherits it. */
void rewrite_remove(Rewrite *r, Node *node);
/* `node` reads all that `other` read: the tables follow. Call before `other` is removed. */
void rewrite_inherit(Rewrite *r, Node *node, const Node *other);
/* `node`, whose value only `user` reads, makes user's value from now on; `user` is removed. The name and id of the last
 * value of a fused chain survive: --verify compares by them. */
void rewrite_absorb(Rewrite *r, Node *node, Node *user);
/* The same, and `node` moves to user's place: user's other inputs are ready there. */
void rewrite_absorb_late(Rewrite *r, Node *node, Node *user);

/* ---- epilogues ---- */
bool epilogue_is_linear(const Epilogue *e); /* at most a bias: no addend, activation, pool */
bool op_carries_addend(Op op);              /* those whose emitters end in the epilogue: they carry activations too */
/* A convolution whose terms all have one group. */
bool conv_is_dense(const Node *node);

/* ---- expressions over weights ---- */
Tensor *tensor_fill(Graph *graph, int k, double value);                /* [K], every element `value` */
Tensor *tensor_scale_out(Graph *graph, Tensor *weight, Tensor *scale); /* K x ..., [K] */
Tensor *tensor_mul_add(Graph *graph, Tensor *a, Tensor *b, Tensor *c); /* [K]: a * b + c; a NULL is 0 */
Tensor *tensor_add(Graph *graph, Tensor *a, Tensor *b);                /* a NULL is 0; both NULL gives NULL */

/* A batch norm with its running statistics, or a scale, becomes the affine that it is; its statistics are folded into
 * weights that are expressions. */
void become_affine(Graph *graph, Node *node);

#endif
