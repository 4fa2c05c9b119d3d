/* The graph's own functions: building it, asking about it, changing it, copying it.
 *
 * Passes change graphs of ten thousand nodes (ResNet-1202). value_use_count(), value_only_user() and
 * graph_replace_uses() look at every node: a pass that would call them for each of its nodes keeps counts and
 * replacements instead (passes/rewrite.h), from one walk, graph_use_counts(). graph_remove_node() moves pointers alone,
 * and leaves ids that are no positions, but still in order, until graph_renumber().
 */
#include "attrs.h"
#include "ops.h"

#include <limits.h>
#include <string.h>

/* ---- building ---- */

Graph *graph_new(Arena *arena, const char *name) {
    Graph *graph = arena_alloc(arena, sizeof *graph);
    graph->arena = arena;
    graph->name = arena_strdup(arena, name);
    graph->preprocess.range = 1;
    for (int i = 0; i < 4; i++) graph->preprocess.std[i] = 1;
    return graph;
}

Value *graph_add_value(Graph *graph, const char *name, Shape shape) {
    Value *value = arena_alloc(graph->arena, sizeof *value);
    value->id = graph->value_count;
    value->name = name;
    value->shape = shape;
    ARENA_PUSH(graph->arena, graph->values, graph->value_count, graph->value_capacity, value);
    return value;
}

Node *graph_add_node(Graph *graph, Op op, const char *name, Value *const *in, int nin, Place place) {
    Arena *arena = graph->arena;
    Node *node = arena_alloc(arena, sizeof *node);
    node->id = graph->node_count;
    node->op = op;
    node->name = name;
    node->in = arena_alloc(arena, sizeof(Value *) * (size_t)(nin > 0 ? nin : 1));
    node->nin = nin;
    for (int i = 0; i < nin; i++) node->in[i] = in[i];
    if (op_info(op)->flags & OPF_TERMS) {
        node->term = arena_alloc(arena, sizeof(Term) * NODE_MAX_TERMS);
        for (int i = 0; i < NODE_MAX_TERMS; i++) {
            node->term[i].window = window_unit();
            node->term[i].groups = 1;
        }
    }
    if (op_info(op)->flags & OPF_WINDOW) node->attr.window = window_unit();
    attr_set_defaults(op, &node->attr);
    node->epilogue.addend_stride = 1;
    node->place = place;
    node->out = graph_add_value(graph, name, (Shape){0, 0, 0});
    node->out->producer = node;
    ARENA_PUSH(arena, graph->nodes, graph->node_count, graph->node_capacity, node);
    return node;
}

void graph_add_output(Graph *graph, Value *value) {
    value->is_output = true;
    ARENA_PUSH(graph->arena, graph->outputs, graph->output_count, graph->output_capacity, value);
}

static Tensor *new_tensor(Graph *graph, rn_recipe_op op, const char *name, int ndim, const int *dim) {
    if (ndim < 1 || ndim > 4) bug("tensor %s: %d dimensions", name ? name : "", ndim);
    Tensor *tensor = arena_alloc(graph->arena, sizeof *tensor);
    tensor->id = graph->tensor_count;
    tensor->op = op;
    tensor->name = name;
    tensor->ndim = ndim;
    for (int i = 0; i < ndim; i++) tensor->dim[i] = dim[i];
    ARENA_PUSH(graph->arena, graph->tensors, graph->tensor_count, graph->tensor_capacity, tensor);
    return tensor;
}

Tensor *graph_add_param(Graph *graph, const char *name, int ndim, const int *dim, Place place) {
    Tensor *tensor = new_tensor(graph, RN_PARAM, name, ndim, dim);
    tensor->place = place;
    return tensor;
}

Tensor *graph_add_expr(Graph *graph, rn_recipe_op op, const char *name, int ndim, const int *dim, int nargs,
                       Tensor *const *args, double real) {
    if (nargs < 0 || nargs > TENSOR_MAX_ARGS) bug("tensor %s: %d arguments", name ? name : "", nargs);
    Tensor *tensor = new_tensor(graph, op, name, ndim, dim);
    tensor->nargs = nargs;
    for (int i = 0; i < nargs; i++) tensor->arg[i] = args[i];
    tensor->real = real;
    return tensor;
}

Tensor *graph_add_cast(Graph *graph, Tensor *tensor, rn_dtype type) {
    Tensor *cast = graph_add_expr(graph, RN_CAST, tensor->name, tensor->ndim, tensor->dim, 1, &tensor, 0);
    cast->type = type;
    return cast;
}

/* ---- asking ---- */

int node_reads(const Node *node, Value **reads) {
    int n = 0;
    for (int i = 0; i < node->nin; i++) reads[n++] = node->in[i];
    if (node->epilogue.addend) reads[n++] = node->epilogue.addend;
    return n;
}

/* How often a node reads a value. */
static int node_read_count(const Node *node, const Value *value) {
    int n = node->epilogue.addend == value;
    for (int i = 0; i < node->nin; i++) n += node->in[i] == value;
    return n;
}

int value_use_count(const Graph *graph, const Value *value) {
    int uses = value->is_output;
    for (int i = 0; i < graph->node_count; i++) uses += node_read_count(graph->nodes[i], value);
    return uses;
}

Node *value_only_user(const Graph *graph, const Value *value) {
    if (value->is_output) return NULL;
    Node *user = NULL;
    for (int i = 0; i < graph->node_count; i++) {
        int reads = node_read_count(graph->nodes[i], value);
        if (reads > 1 || (reads == 1 && user)) return NULL;
        if (reads == 1) user = graph->nodes[i];
    }
    return user;
}

int *graph_use_counts(const Graph *graph, Arena *arena) {
    int *uses = arena_alloc(arena, sizeof(int) * (size_t)(graph->value_count + 1));
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        for (int j = 0; j < node->nin; j++) uses[node->in[j]->id]++;
        if (node->epilogue.addend) uses[node->epilogue.addend->id]++;
    }
    for (int i = 0; i < graph->value_count; i++) uses[i] += graph->values[i]->is_output;
    return uses;
}

Map graph_value_names(const Graph *graph, Arena *arena) {
    Map names = {0}, twice = {0};
    for (int i = 0; i < graph->value_count; i++) {
        Value *value = graph->values[i];
        if (!value->producer && value != graph->input) continue;
        map_put(map_get(&names, value->name) ? &twice : &names, arena, value->name, value);
    }
    for (int i = 0; i < twice.count; i++) map_put(&names, arena, twice.entries[i].key, NULL);
    return names;
}

int window_out(int size, int kernel, int stride, int dilate, int pad_begin, int pad_end, bool ceil) {
    int64_t span = (int64_t)dilate * (kernel - 1) + 1;
    int64_t room = (int64_t)size + pad_begin + pad_end - span; /* how far the window can move */
    if (room < 0) return 0;
    int64_t out = (ceil ? room + stride - 1 : room) / stride + 1;
    if (ceil && (out - 1) * stride >= (int64_t)size + pad_begin) out--; /* it would start in the padding at the end */
    return out > INT_MAX ? INT_MAX : (int)out;
}

/* ---- changing ---- */

/* A node's position. Its id is a good guess: removals leave ids at or above the positions. */
static int node_position(const Graph *graph, const Node *node) {
    int last = graph->node_count - 1;
    for (int i = node->id < last ? node->id : last; i >= 0; i--)
        if (graph->nodes[i] == node) return i;
    for (int i = last; i > node->id; i--)
        if (graph->nodes[i] == node) return i;
    bug("node %s is not in the graph", node->name);
}

void graph_replace_uses(Graph *graph, Value *from, Value *to) {
    if (from == to) return;
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        for (int j = 0; j < node->nin; j++)
            if (node->in[j] == from) node->in[j] = to;
        if (node->epilogue.addend == from) node->epilogue.addend = to;
    }
    if (!from->is_output) return;
    for (int i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == from) graph->outputs[i] = to;
    from->is_output = false;
    to->is_output = true;
    to->channels_last = from->channels_last;
}

void graph_remove_node(Graph *graph, Node *node) {
    int position = node_position(graph, node);
    if (node->out->producer == node) { /* a fusion may have handed the value to another node */
        if (node->out->is_output) bug("node %s is removed, but its value is an output", node->name);
        node->out->producer = NULL;
    }
    graph->node_count--;
    memmove(graph->nodes + position, graph->nodes + position + 1,
            sizeof(Node *) * (size_t)(graph->node_count - position));
}

void graph_insert_before(Graph *graph, Node *position, Node *node) {
    int from = node_position(graph, node), to = node_position(graph, position);
    Node **nodes = graph->nodes;
    if (from > to) {
        memmove(nodes + to + 1, nodes + to, sizeof(Node *) * (size_t)(from - to));
        nodes[to] = node;
    } else if (from < to) {
        memmove(nodes + from, nodes + from + 1, sizeof(Node *) * (size_t)(to - 1 - from));
        nodes[to - 1] = node;
    }
    graph_renumber(graph);
}

void graph_renumber(Graph *graph) {
    for (int i = 0; i < graph->node_count; i++) graph->nodes[i]->id = i;
}

/* ---- copying ---- */

static const char *copy_name(Arena *arena, const char *name) {
    return name ? arena_strdup(arena, name) : NULL;
}

static Tensor *copy_tensor(const Graph *copy, const Tensor *tensor) {
    return tensor ? copy->tensors[tensor->id] : NULL;
}

static Value *copy_value(const Graph *copy, const Value *value) {
    return value ? copy->values[value->id] : NULL;
}

static void clone_tensors(const Graph *graph, Graph *copy) {
    for (int i = 0; i < graph->tensor_count; i++) {
        const Tensor *tensor = graph->tensors[i];
        Tensor *made = new_tensor(copy, tensor->op, NULL, tensor->ndim, tensor->dim);
        *made = *tensor;
        made->name = copy_name(copy->arena, tensor->name);
        for (int j = 0; j < tensor->nargs; j++) made->arg[j] = copy_tensor(copy, tensor->arg[j]);
    }
}

static Node *clone_node(const Graph *copy, const Node *node) {
    Arena *arena = copy->arena;
    Node *made = arena_alloc(arena, sizeof *made);
    *made = *node;
    made->name = copy_name(arena, node->name);
    made->in = arena_alloc(arena, sizeof(Value *) * (size_t)(node->nin > 0 ? node->nin : 1));
    for (int i = 0; i < node->nin; i++) made->in[i] = copy_value(copy, node->in[i]);
    if (node->term) {
        made->term = arena_alloc(arena, sizeof(Term) * NODE_MAX_TERMS);
        for (int i = 0; i < node->nin; i++) {
            made->term[i] = node->term[i];
            made->term[i].weight = copy_tensor(copy, node->term[i].weight);
        }
    }
    for (int i = 0; i < NODE_MAX_WEIGHTS; i++) made->weight[i] = copy_tensor(copy, node->weight[i]);
    made->epilogue.bias = copy_tensor(copy, node->epilogue.bias);
    made->epilogue.prelu = copy_tensor(copy, node->epilogue.prelu);
    made->epilogue.addend = copy_value(copy, node->epilogue.addend);
    made->epilogue.unpooled_value = copy_value(copy, node->epilogue.unpooled_value);
    made->out = copy_value(copy, node->out);
    if (node->out->producer == node) made->out->producer = made;
    return made;
}

static void clone_training(const Graph *graph, Graph *copy) {
    if (!graph->training) return;
    Training *made = copy->training = arena_alloc(copy->arena, sizeof *made);
    *made = *graph->training;
    made->labels = copy_value(copy, made->labels);
    made->trained = arena_alloc(copy->arena, sizeof *made->trained * (size_t)(made->trained_count + 1));
    made->running = arena_alloc(copy->arena, sizeof *made->running * (size_t)(made->running_count + 1));
    made->trained_capacity = made->trained_count + 1, made->running_capacity = made->running_count + 1;
    for (int i = 0; i < made->trained_count; i++) {
        made->trained[i] = graph->training->trained[i];
        made->trained[i].param = copy_tensor(copy, made->trained[i].param);
    }
    for (int i = 0; i < made->running_count; i++) {
        made->running[i] = graph->training->running[i];
        made->running[i].mean = copy_tensor(copy, made->running[i].mean);
        made->running[i].var = copy_tensor(copy, made->running[i].var);
    }
}

Graph *graph_clone(const Graph *graph, Arena *arena) {
    Graph *copy = graph_new(arena, graph->name);
    copy->source = graph->source;
    copy->preprocess = graph->preprocess;
    copy->train = graph->train;
    clone_tensors(graph, copy);
    copy->preprocess.mean_image = copy_tensor(copy, graph->preprocess.mean_image);
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        Value *made = graph_add_value(copy, copy_name(arena, value->name), value->shape);
        made->type = value->type;
        made->is_output = value->is_output;
        made->channels_last = value->channels_last;
        made->home_channel = value->home_channel;
        made->all = value->all;
    }
    for (int i = 0; i < graph->value_count; i++) copy->values[i]->home = copy_value(copy, graph->values[i]->home);
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = clone_node(copy, graph->nodes[i]);
        ARENA_PUSH(arena, copy->nodes, copy->node_count, copy->node_capacity, node);
    }
    copy->input = copy_value(copy, graph->input);
    for (int i = 0; i < graph->output_count; i++)
        ARENA_PUSH(arena, copy->outputs, copy->output_count, copy->output_capacity,
                   copy_value(copy, graph->outputs[i]));
    clone_training(graph, copy);
    return copy;
}
