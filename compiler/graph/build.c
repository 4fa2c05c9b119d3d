#include "build.h"

#include <string.h>

#include "act.h"
#include "attrs.h"
#include "ops.h"

Layer layer_default(Op op) {
    Layer layer = {.window = window_unit(), .groups = 1};
    OpAttr bias;
    if (op_info(op)->flags & OPF_WINDOW) layer.attr.window = window_unit();
    attr_set_defaults(op, &layer.attr);
    layer.bias = attr_find(op_info(op)->attrs, "bias", &bias) && bias.otherwise != 0;
    return layer;
}

static bool same_dims(const Tensor *tensor, const ParamSpec *spec) {
    return tensor->ndim == spec->ndim && !memcmp(tensor->dim, spec->dim, sizeof *spec->dim * (size_t)spec->ndim);
}

/* The tensor of a parameter, which a name that was given may share with another layer's; NULL after an error. */
static Tensor *declare(Builder *b, const Node *node, const ParamSpec *spec, const char *given) {
    Graph *graph = b->graph;
    if (!given) {
        const char *name = arena_printf(graph->arena, "%s.%s", node->name, spec->suffix);
        return graph_add_param(graph, name, spec->ndim, spec->dim, node->place);
    }
    Tensor *tensor = map_get(&b->shared, given);
    if (tensor && same_dims(tensor, spec)) return tensor;
    if (tensor) {
        diag_error(b->diag, node->place, "%s: the parameter '%s' has another shape in another layer", node->name,
                   given);
        return NULL;
    }
    tensor = graph_add_param(graph, given, spec->ndim, spec->dim, node->place);
    map_put(&b->shared, graph->arena, given, tensor);
    return tensor;
}

static bool declare_params(Builder *b, Node *node, bool bias) {
    ParamSpec spec[NODE_MAX_WEIGHTS];
    const int count = op_info(node->op)->params(node, bias, spec);
    const char *const *given = b->params;
    b->params = NULL;
    for (int i = 0; i < count; i++) {
        Tensor *tensor = declare(b, node, &spec[i], given ? given[i] : NULL);
        if (!tensor) return false;
        *node_weight(node, spec[i].slot) = tensor;
    }
    return true;
}

void build_params(Graph *graph, Node *node, bool bias) {
    Builder builder = {.graph = graph};
    declare_params(&builder, node, bias);
}

Value *build_layer(Builder *b, Op op, const char *name, Value *const *in, int nin, const Layer *layer) {
    for (int i = 0; i < nin; i++)
        if (!in[i]) return NULL;
    Node *node = graph_add_node(b->graph, op, name, in, nin, b->place);
    node->via = b->via;
    node->group = b->group;
    node->attr = layer->attr;
    if (node->term) {
        node->features = layer->features;
        node->term[0].window = layer->window;
        node->term[0].groups = layer->groups;
    }
    if (op_info(op)->infer(node, b->diag) && declare_params(b, node, layer->bias)) return node->out;
    graph_remove_node(b->graph, node);
    return NULL;
}

Value *build_op(Builder *b, Op op, const char *name, Value *in) {
    const Layer layer = layer_default(op);
    return build_layer(b, op, name, &in, 1, &layer);
}

Value *build_act(Builder *b, Act act, const char *name, Value *in, ActNumbers numbers) {
    const ActInfo *info = act_info(act);
    Layer layer = layer_default(info->op);
    act_set_numbers(act, numbers, &layer.attr);
    if (info->parameter == PARAMETER_FORM) *attr_flag_of(attr_info(info->attribute[0]), &layer.attr) = true;
    return build_layer(b, info->op, name, &in, 1, &layer);
}

Value *build_conv(Builder *b, const char *name, Value *in, int features, Window window, int groups, bool bias) {
    const Layer layer = {.features = features, .window = window, .groups = groups, .bias = bias};
    return build_layer(b, OP_CONV, name, &in, 1, &layer);
}

Value *build_fc(Builder *b, const char *name, Value *in, int features, bool bias) {
    Layer layer = layer_default(OP_FC);
    layer.features = features;
    layer.bias = bias;
    return build_layer(b, OP_FC, name, &in, 1, &layer);
}

Value *build_bn(Builder *b, const char *name, Value *in, double eps) {
    Layer layer = layer_default(OP_BN);
    layer.attr.eps = eps;
    return build_layer(b, OP_BN, name, &in, 1, &layer);
}

Value *build_pool(Builder *b, Op op, const char *name, Value *in, const Window *window, bool count_include_pad) {
    Layer layer = layer_default(op);
    if (window) layer.attr.window = *window;
    layer.attr.global = !window;
    layer.attr.count_include_pad = count_include_pad;
    return build_layer(b, op, name, &in, 1, &layer);
}

Value *build_add(Builder *b, const char *name, Value *a, Value *c, bool fill) {
    Layer layer = layer_default(OP_ADD);
    layer.attr.fill = fill;
    return build_layer(b, OP_ADD, name, (Value *[]){a, c}, 2, &layer);
}

Value *build_mul(Builder *b, const char *name, Value *value, Value *gate) {
    const Layer layer = layer_default(OP_MUL);
    return build_layer(b, OP_MUL, name, (Value *[]){value, gate}, 2, &layer);
}

Value *build_concat(Builder *b, const char *name, Value *const *in, int nin) {
    const Layer layer = layer_default(OP_CONCAT);
    return build_layer(b, OP_CONCAT, name, in, nin, &layer);
}
