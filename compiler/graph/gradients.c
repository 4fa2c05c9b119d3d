#include "gradients.h"

#include <string.h>

bool gradients_want(const Gradients *g, const Value *value) {
    return g->wanted[value->id];
}

bool gradients_train(const Gradients *g, const Tensor *param) {
    return param && param->op == RN_PARAM && !g->frozen[param->id];
}

Node *gradients_node(Gradients *g, const Node *of, const char *what, Op op, Value *const *in, int nin) {
    const char *name = arena_printf(g->graph->arena, "%s %s", of->name, what);
    Node *node = graph_add_node(g->graph, op, name, in, nin, of->place);
    node->group = of->group;
    node->via = of->via;
    node->backward = true;
    return node;
}

Value *gradients_done(Gradients *g, Node *node) {
    if (!op_info(node->op)->infer(node, g->diag)) bug("layer %s: its gradient has no shape", node->name);
    return node->out;
}

Value *gradients_value(Gradients *g, const Node *of, const char *what, Op op, Value *const *in, int nin) {
    return gradients_done(g, gradients_node(g, of, what, op, in, nin));
}

Value *gradients_part(Gradients *g, const Node *of, Value *dy, Shape shape, int channel, int row, int column) {
    if (shape_equal(dy->shape, shape)) return dy;
    Node *slice = gradients_node(g, of, "part", OP_SLICE, &dy, 1);
    slice->attr.first = channel, slice->attr.window.top = row, slice->attr.window.left = column;
    slice->attr.channels = shape.c, slice->attr.height = shape.h, slice->attr.width = shape.w;
    return gradients_done(g, slice);
}

void gradients_add(Gradients *g, const Value *value, Value *part) {
    Value **sum = &g->parts[value->id];
    if (!gradients_want(g, value)) return;
    *sum = *sum ? gradients_value(g, value->producer, "sum", OP_ADD, (Value *[]){*sum, part}, 2) : part;
}

bool gradients_param(Gradients *g, const Node *node, Tensor *param, Value *sums, int channel) {
    Graph *graph = g->graph;
    Training *t = graph->training;
    for (int i = 0; i < t->trained_count; i++)
        if (t->trained[i].param == param) {
            diag_error(g->diag, node->place,
                       "training: the parameter '%s' is shared by several layers, which has no gradient", param->name);
            return false;
        }
    int output = graph->output_count - 1;
    if (!sums->is_output)
        graph_add_output(graph, sums), output++;
    else
        while (graph->outputs[output] != sums) output--;
    const Trained trained = {param, output, channel};
    ARENA_PUSH(graph->arena, t->trained, t->trained_count, t->trained_capacity, trained);
    return true;
}

bool gradients_bias(Gradients *g, const Node *node, Tensor *bias, Value *dy) {
    return !gradients_train(g, bias) ||
           gradients_param(g, node, bias, gradients_value(g, node, "bias", OP_SUM, &dy, 1), 0);
}

bool gradients_norm(Gradients *g, const Node *node, Value *dy, Op data, Op sums) {
    Value *in[2] = {dy, node->in[0]};
    Tensor *weight = node->weight[WEIGHT], *bias = node->weight[BIAS];
    if (gradients_want(g, in[1])) {
        Node *made = gradients_node(g, node, "data", data, in, 2);
        made->attr = node->attr;
        made->weight[WEIGHT] = weight;
        gradients_add(g, in[1], gradients_done(g, made));
    }
    if (!gradients_train(g, weight)) return gradients_bias(g, node, bias, dy);
    Node *made = gradients_node(g, node, "sums", sums, in, 2);
    made->attr = node->attr;
    Value *value = gradients_done(g, made);
    return gradients_param(g, node, weight, value, 1) &&
           (!gradients_train(g, bias) || gradients_param(g, node, bias, value, 0));
}

bool gradients_none(Gradients *g, const Node *node) {
    const char *word = op_info(node->op)->word;
    diag_error(g->diag, node->place, "training: %s has no gradient", *word == '.' ? word + 1 : word);
    return false;
}
