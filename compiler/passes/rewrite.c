/* Use tables, fusion of one node into another, weight expressions: see rewrite.h. */
#include "rewrite.h"

#include <string.h>

static void note_read(Rewrite *r, const Value *value, Node *node) {
    r->uses[value->id]++;
    r->user[value->id] = node;
}

void rewrite_begin(Rewrite *r, Graph *graph) {
    *r = (Rewrite){.graph = graph};
    size_t values = (size_t)graph->value_count;
    r->uses = arena_alloc(&r->arena, values * sizeof *r->uses);
    r->user = arena_alloc(&r->arena, values * sizeof(Node *));
    r->forward = arena_alloc(&r->arena, values * sizeof(Value *));
    graph_renumber(graph);
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        for (int j = 0; j < node->nin; j++) note_read(r, node->in[j], node);
        if (node->epilogue.addend) note_read(r, node->epilogue.addend, node);
    }
    for (int i = 0; i < graph->output_count; i++) r->uses[graph->outputs[i]->id]++;
}

Value *rewrite_resolve(const Rewrite *r, Value *value) {
    while (r->forward[value->id]) value = r->forward[value->id];
    return value;
}

void rewrite_end(Rewrite *r) {
    Graph *graph = r->graph;
    int count = 0;
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (!node) continue;
        for (int j = 0; j < node->nin; j++) node->in[j] = rewrite_resolve(r, node->in[j]);
        if (node->epilogue.addend) node->epilogue.addend = rewrite_resolve(r, node->epilogue.addend);
        graph->nodes[count++] = node;
    }
    graph->node_count = count;
    graph_renumber(graph);
    arena_free(&r->arena);
}

Node *rewrite_only_user(const Rewrite *r, const Value *value) {
    Node *user = r->uses[value->id] == 1 && !value->is_output ? r->user[value->id] : NULL;
    return user && r->graph->nodes[user->id] == user ? user : NULL; /* else it was removed */
}

void rewrite_forward(Rewrite *r, Value *from, Value *to) {
    if (from->is_output) bug("%s is an output: it cannot be replaced by %s", from->name, to->name);
    to = rewrite_resolve(r, to);
    r->forward[from->id] = to;
    r->uses[to->id] += r->uses[from->id];
    if (r->user[from->id]) r->user[to->id] = r->user[from->id];
    r->uses[from->id] = 0;
    r->user[from->id] = NULL;
}

void rewrite_remove(Rewrite *r, Node *node) {
    r->graph->nodes[node->id] = NULL;
    if (node->out->producer == node) node->out->producer = NULL;
}

void rewrite_inherit(Rewrite *r, Node *node, const Node *other) {
    for (int j = 0; j < other->nin; j++)
        if (r->user[other->in[j]->id] == other) r->user[other->in[j]->id] = node;
    Value *addend = other->epilogue.addend;
    if (addend && r->user[addend->id] == other) r->user[addend->id] = node;
}

void rewrite_absorb(Rewrite *r, Node *node, Node *user) {
    Value *inner = node->out;
    rewrite_inherit(r, node, user);
    rewrite_remove(r, user);
    inner->producer = NULL;
    r->uses[inner->id] = 0;
    r->user[inner->id] = NULL;
    node->out = user->out;
    node->out->producer = node;
}

void rewrite_absorb_late(Rewrite *r, Node *node, Node *user) {
    rewrite_absorb(r, node, user);
    r->graph->nodes[node->id] = NULL;
    node->id = user->id;
    r->graph->nodes[node->id] = node;
}

/* ---- epilogues ---- */

bool epilogue_is_linear(const Epilogue *e) {
    return !e->addend && e->act == ACT_NONE && e->pool == POOL_NONE;
}

bool op_carries_addend(Op op) {
    return op_info(op)->flags & OPF_EPILOGUE;
}

bool conv_is_dense(const Node *node) {
    if (node->op != OP_CONV) return false;
    for (int i = 0; i < node->nin; i++)
        if (node->term[i].groups != 1) return false;
    return true;
}

/* ---- expressions over weights ---- */

Tensor *tensor_fill(Graph *graph, int k, double value) {
    return graph_add_expr(graph, RN_FILL, NULL, 1, &k, 0, NULL, value);
}

Tensor *tensor_scale_out(Graph *graph, Tensor *weight, Tensor *scale) {
    return graph_add_expr(graph, RN_SCALE_OUT, weight->name, weight->ndim, weight->dim, 2, (Tensor *[]){weight, scale},
                          0);
}

Tensor *tensor_mul_add(Graph *graph, Tensor *a, Tensor *b, Tensor *c) {
    if (!a) return c;
    return graph_add_expr(graph, RN_MUL_ADD, a->name, 1, a->dim, 3, (Tensor *[]){a, b, c}, 0);
}

Tensor *tensor_add(Graph *graph, Tensor *a, Tensor *b) {
    if (!a || !b) return a ? a : b;
    return graph_add_expr(graph, RN_ADD, a->name, a->ndim, a->dim, 2, (Tensor *[]){a, b}, 0);
}

/* ---- norms ---- */

static void fold_statistics(Graph *graph, Node *node) {
    int c = node->in[0]->shape.c;
    Tensor **w = node->weight;
    Tensor *gamma = w[WEIGHT] ? w[WEIGHT] : tensor_fill(graph, c, 1);
    Tensor *beta = w[BIAS] ? w[BIAS] : tensor_fill(graph, c, 0);
    Tensor *scale = graph_add_expr(graph, RN_BN_SCALE, arena_printf(graph->arena, "%s.scale", node->name), 1, &c, 2,
                                   (Tensor *[]){gamma, w[VAR]}, node->attr.eps);
    Tensor *shift = graph_add_expr(graph, RN_BN_SHIFT, arena_printf(graph->arena, "%s.shift", node->name), 1, &c, 3,
                                   (Tensor *[]){beta, w[MEAN], scale}, 0);
    w[WEIGHT] = scale, w[BIAS] = shift, w[MEAN] = w[VAR] = NULL;
}

void become_affine(Graph *graph, Node *node) {
    if (node->op == OP_BN) fold_statistics(graph, node);
    if (!node->weight[BIAS]) node->weight[BIAS] = tensor_fill(graph, node->in[0]->shape.c, 0);
    node->op = OP_AFFINE;
    node->attr = (Attr){0};
}
