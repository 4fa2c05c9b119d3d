/* differentiate: the training graph of a network, in reverse mode: the forward pass as written, the loss, and the
 * gradients, made by the operations' own rules while the layers are walked from the last to the first. What the
 * backward pass reads of the forward pass, it simply reads: lifetimes follow from that.
 *
 * Batch norm becomes two nodes, .stats, which needs the whole batch, and .normalise; a frozen one becomes the affine
 * that it is at inference. Dropout becomes a .drop.
 */
#include "differentiate.h"

#include "graph/gradients.h"
#include "graph/train.h"
#include "graph/verify.h"
#include "rewrite.h"

static bool has_fused_parts(const Node *node) {
    const Epilogue *e = &node->epilogue;
    return node->nin > 1 && node->term ? true : e->addend || e->act != ACT_NONE || e->pool != POOL_NONE;
}

/* A batch norm, as training computes it; `node` keeps its value. */
static void split_batch_norm(Graph *graph, Node *node) {
    Training *t = graph->training;
    Arena *arena = graph->arena;
    Node *stats =
        graph_add_node(graph, OP_STATS, arena_printf(arena, "%s stats", node->name), node->in, 1, node->place);
    stats->group = node->group, stats->via = node->via;
    op_info(OP_STATS)->infer(stats, NULL);
    graph_add_output(graph, stats->out);
    const Running running = {node->weight[MEAN], node->weight[VAR], graph->output_count - 1, node->attr.momentum};
    ARENA_PUSH(arena, t->running, t->running_count, t->running_capacity, running);
    Value **in = arena_alloc(arena, sizeof *in * 2);
    in[0] = node->in[0], in[1] = stats->out;
    node->in = in, node->nin = 2;
    node->op = OP_NORMALISE;
    node->weight[MEAN] = node->weight[VAR] = NULL;
}

/* A dropout, which draws for each image. */
static void become_drop(Graph *graph, Node *node, int number) {
    Value **in = arena_alloc(graph->arena, sizeof *in * 2);
    in[0] = node->in[0], in[1] = graph->training->labels;
    node->in = in, node->nin = 2;
    node->op = OP_DROP;
    node->attr.number = number;
}

/* The layers in training's form; false after an error. */
static bool write_forward(Graph *graph, Diag *diag) {
    Node **nodes = graph->nodes;
    const int count = graph->node_count;
    int drops = 0;
    graph->nodes = NULL, graph->node_count = graph->node_capacity = 0;
    for (int i = 0; i < count; i++) {
        Node *node = nodes[i];
        if (has_fused_parts(node)) {
            diag_error(diag, node->place, "training: layer %s is fused already: a network is trained as it is written",
                       node->name);
            return false;
        }
        if (node->op == OP_BN && train_freezes(graph->train, node))
            become_affine(graph, node);
        else if (node->op == OP_BN)
            split_batch_norm(graph, node);
        if (node->op == OP_DROPOUT) become_drop(graph, node, ++drops);
        ARENA_PUSH(graph->arena, graph->nodes, graph->node_count, graph->node_capacity, node);
    }
    graph_renumber(graph);
    return true;
}

/* What the loss is computed from: the result without its softmax, or with. */
static Value *logits_of(const Graph *source, const Graph *graph) {
    Value *result = graph->values[source->outputs[source->output_count - 1]->id];
    while (result->producer &&
           (result->producer->op == OP_IDENTITY ||
            (result->producer->op == OP_FLATTEN && shape_equal(result->shape, result->producer->in[0]->shape))))
        result = result->producer->in[0];
    return result->producer && node_is_plain_softmax(result->producer) ? result->producer->in[0] : result;
}

/* The tensor of a slot, or NULL. */
static Tensor *tensor_of(Node *node, int slot) {
    return node->term && slot > BIAS ? NULL : *node_weight(node, slot);
}

static bool reads_trained(const Gradients *g, Node *node) {
    for (int slot = 0; slot < NODE_MAX_WEIGHTS; slot++)
        if (gradients_train(g, tensor_of(node, slot))) return true;
    for (int i = 0; i < node->nin; i++)
        if (g->wanted[node->in[i]->id]) return true;
    return false;
}

/* Marks the parameters of a frozen layer. */
static void freeze(Gradients *g, Node *node) {
    if (!train_freezes(g->graph->train, node)) return;
    for (int slot = 0; slot < NODE_MAX_WEIGHTS; slot++) {
        const Tensor *tensor = tensor_of(node, slot);
        if (tensor) g->frozen[tensor->id] = true;
    }
}

/* The loss, of each image. */
static bool add_loss(Gradients *g, Value *logits) {
    Graph *graph = g->graph;
    const Place place = logits->producer ? logits->producer->place : (Place){0};
    const double smooth = graph->train ? graph->train->recipe.smooth : 0;
    Value *in[2] = {logits, graph->training->labels};
    Node *loss = graph_add_node(graph, OP_CROSSENTROPY, "loss", in, 2, place);
    loss->attr.smooth = smooth;
    if (!op_info(loss->op)->infer(loss, g->diag)) return false;
    graph_add_output(graph, loss->out);
    graph->training->loss = graph->output_count - 1;
    Node *gradient = graph_add_node(graph, OP_CROSSENTROPY_GRADIENT, "loss gradient", in, 2, place);
    gradient->backward = true;
    gradient->attr.smooth = smooth;
    if (!op_info(gradient->op)->infer(gradient, g->diag)) return false;
    g->parts[logits->id] = gradient->out;
    return true;
}

static bool walk_back(Gradients *g, int forward) {
    for (int i = forward - 1; i >= 0; i--) {
        const Node *node = g->graph->nodes[i];
        Value *dy = g->parts[node->out->id];
        if (dy && g->wanted[node->out->id] && op_info(node->op)->gradient && !op_info(node->op)->gradient(g, node, dy))
            return false;
    }
    return true;
}

Graph *differentiate(const Graph *source, Arena *arena, Diag *diag) {
    bug_context = "differentiate";
    Graph *graph = graph_clone(source, arena);
    Training *training = arena_alloc(arena, sizeof *training);
    graph->training = training;
    for (int i = 0; i < graph->value_count; i++) graph->values[i]->is_output = false;
    graph->output_count = 0;
    training->labels = graph_add_value(graph, "labels", (Shape){4, 1, 1});
    if (!write_forward(graph, diag)) return NULL;
    const int forward = graph->node_count;
    Value *logits = logits_of(source, graph);
    Gradients g = {.graph = graph,
                   .diag = diag,
                   .wanted = arena_alloc(arena, (size_t)graph->value_count + 1),
                   .parts = arena_alloc(arena, sizeof(Value *) * ((size_t)graph->value_count + 1)),
                   .frozen = arena_alloc(arena, (size_t)graph->tensor_count + 1)};
    for (int i = 0; i < forward; i++) freeze(&g, graph->nodes[i]);
    for (int i = 0; i < forward; i++) g.wanted[graph->nodes[i]->out->id] = reads_trained(&g, graph->nodes[i]);
    if (!add_loss(&g, logits)) return NULL;
    if (!g.wanted[logits->id]) {
        diag_error(diag, logits->producer ? logits->producer->place : (Place){0},
                   "training: %s has no parameter to train%s", source->name,
                   source->train && source->train->frozen_count ? " that is not frozen" : "");
        return NULL;
    }
    if (!walk_back(&g, forward)) return NULL;
    graph_renumber(graph);
    verify_graph(graph);
    return graph;
}
