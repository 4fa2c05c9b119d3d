/* The graph's invariants, checked before the first pass and after each. The time is linear in tensors, nodes and
 * values, since ResNet-1202 has ten thousand nodes and goes through a dozen passes.
 *
 * A pass must leave: tensors whose arguments come first and whose dims follow from them; nodes in topological order
 * with ids equal to positions; shapes as the ops' rules give them; weights of the dims that the ops need; epilogues
 * whose addend fits; `home` only for a concat's own inputs; `in_place` only at an addend's last use. In a training
 * graph: values that are one for the batch where the ops' rules say so, a loss, gradients of their parameters' sizes.
 */
#include "act.h"
#include "verify.h"
#include "tensor.h"
#include "ops.h"

#include <limits.h>
#include <string.h>

typedef struct Check {
    const Graph *graph;
    Arena arena;     /* what the check needs, freed at its end */
    int *defined_at; /* by value id: position of its node + 1, the input 0, undefined -1 */
    int *last_read;  /* by value id: position of its last reader, -1 where there is none */
    Map params;      /* names of layers that have parameters */
    Text *problem;
    Place place; /* of what is being looked at */
} Check;

PRINTF_LIKE(2, 3) static bool broken(Check *check, const char *format, ...) {
    va_list args;
    va_start(args, format);
    text_vprintf(check->problem, format, args);
    va_end(args);
    return false;
}

static const char *printable(const char *name) {
    return name ? name : "";
}

/* ---- tensors ---- */

/* The number of elements where it is within bounds, else 0. */
static int64_t bounded_size(const Tensor *tensor) {
    int64_t size = 1;
    for (int i = 0; i < tensor->ndim; i++) {
        if (tensor->dim[i] < 1 || size > INT_MAX / tensor->dim[i]) return 0;
        size *= tensor->dim[i];
    }
    return size;
}

static bool check_tensors(Check *check) {
    Map names = {0};
    for (int i = 0; i < check->graph->tensor_count; i++) {
        Tensor *tensor = check->graph->tensors[i];
        const char *name = printable(tensor->name);
        check->place = tensor->place;
        if (tensor->id != i) return broken(check, "tensor %s: id %d at position %d", name, tensor->id, i);
        if ((unsigned)tensor->op >= RN_RECIPE_OP_COUNT || recipe_op_arity(tensor->op) < 0)
            return broken(check, "tensor %s: op %d is none of a graph's", name, (int)tensor->op);
        if (tensor->nargs != recipe_op_arity(tensor->op))
            return broken(check, "tensor %s: %s takes %d arguments, not %d", name, recipe_op_name(tensor->op),
                          recipe_op_arity(tensor->op), tensor->nargs);
        if ((unsigned)tensor->type >= RN_DTYPE_COUNT || (tensor->type != RN_F32 && tensor->op != RN_CAST))
            return broken(check, "tensor %s: %s makes numbers of f32 alone", name, recipe_op_name(tensor->op));
        if (tensor->ndim < 1 || tensor->ndim > 4 || !bounded_size(tensor))
            return broken(check, "tensor %s: its dims are not 1 to 4 numbers from 1, of 2^31 elements at most", name);
        for (int j = 0; j < tensor->nargs; j++) {
            const Tensor *arg = tensor->arg[j];
            if (!arg || arg->id < 0 || arg->id >= i || check->graph->tensors[arg->id] != arg)
                return broken(check, "tensor %s: argument %d does not come before it", name, j + 1);
        }
        if (!tensor_dims_fit(tensor))
            return broken(check, "tensor %s: dims or integers do not fit %s of its arguments (%s)", name,
                          recipe_op_name(tensor->op), recipe_op_text(tensor->op));
        if (tensor->op != RN_PARAM) continue;
        if (!tensor->name) return broken(check, "parameter %d has no name", i);
        if (map_get(&names, tensor->name)) return broken(check, "two parameters are called %s", name);
        map_put(&names, &check->arena, tensor->name, tensor);
    }
    return true;
}

static bool owns_tensor(const Graph *graph, const Tensor *tensor) {
    return tensor && tensor->id >= 0 && tensor->id < graph->tensor_count && graph->tensors[tensor->id] == tensor;
}

static bool owns_value(const Graph *graph, const Value *value) {
    return value && value->id >= 0 && value->id < graph->value_count && graph->values[value->id] == value;
}

/* ---- nodes ---- */

static const char *const slot_names[NODE_MAX_WEIGHTS] = {"weight", "bias", "mean", "variance"};

static bool check_vector(Check *check, const Node *node, const char *what, const Tensor *tensor, int size) {
    if (!owns_tensor(check->graph, tensor)) return broken(check, "layer %s: no %s", node->name, what);
    if (!tensor_is_vector(tensor, size))
        return broken(check, "layer %s: its %s %s is not a vector of %d", node->name, what, printable(tensor->name),
                      size);
    return true;
}

/* A tensor of the dims that the op's rule gives it. */
static bool check_tensor(Check *check, const Node *node, const ParamSpec *spec, const Tensor *tensor) {
    const char *what = slot_names[spec->slot];
    if (!owns_tensor(check->graph, tensor)) return broken(check, "layer %s: no %s", node->name, what);
    bool fits = tensor->ndim == spec->ndim;
    for (int i = 0; fits && i < spec->ndim; i++) fits = tensor->dim[i] == spec->dim[i];
    if (!fits && spec->ndim == 1) return check_vector(check, node, what, tensor, spec->dim[0]);
    return fits ||
           broken(check, "layer %s: the dims of its %s %s do not fit", node->name, what, printable(tensor->name));
}

/* The order of reading and writing: inputs are made before, the result here and only here. */
static bool check_order(Check *check, const Node *node, int position) {
    const OpInfo *info = op_info(node->op);
    if (node->nin < info->min_in || node->nin > info->max_in)
        return broken(check, "layer %s: %s with %d inputs", node->name, info->word, node->nin);
    for (int i = 0; i <= node->nin; i++) {
        const Value *value = i < node->nin ? node->in[i] : node->epilogue.addend;
        if (i == node->nin && !value) break;
        if (!owns_value(check->graph, value))
            return broken(check, "layer %s: input %d is no value of the graph", node->name, i);
        if (check->defined_at[value->id] < 0)
            return broken(check, "layer %s: reads %s, which is not made before it", node->name, printable(value->name));
    }
    const Value *out = node->out;
    if (!owns_value(check->graph, out) || out->producer != node)
        return broken(check, "layer %s: its value does not name it as producer", node->name);
    if (check->defined_at[out->id] >= 0)
        return broken(check, "layer %s: its value %s is made twice", node->name, printable(out->name));
    check->defined_at[out->id] = position + 1;
    return true;
}

static bool check_shape(Check *check, Node *node) {
    if (node->out->type != RN_F32)
        return broken(check, "layer %s: %s makes numbers of f32 alone", node->name, op_info(node->op)->word);
    Shape shape = node->out->shape, unpooled = node->epilogue.unpooled;
    Text error = {0};
    Diag diag = {.capture = &error};
    bool fits = op_info(node->op)->infer(node, &diag);
    Shape inferred = node->out->shape;
    if (fits && node->out->all != node_is_of_batch(node))
        return broken(check, "layer %s: its value is one for %s", node->name,
                      node->out->all ? "the batch" : "each image");
    bool same = shape_equal(shape, inferred) &&
                (node->epilogue.pool == POOL_NONE || shape_equal(unpooled, node->epilogue.unpooled));
    node->out->shape = shape;
    node->epilogue.unpooled = unpooled;
    if (!fits) broken(check, "layer %s: %s", node->name, printable(error.s));
    text_free(&error);
    if (fits && !same)
        broken(check, "layer %s: its shape is %dx%dx%d (%dx%dx%d before a pool), but %s gives %dx%dx%d", node->name,
               shape.c, shape.h, shape.w, unpooled.c, unpooled.h, unpooled.w, op_info(node->op)->word, inferred.c,
               inferred.h, inferred.w);
    return fits && same;
}

static bool check_term(Check *check, const Node *node, int i) {
    const Term *term = &node->term[i];
    const Tensor *weight = term->weight;
    Shape in = node->in[i]->shape;
    if (!owns_tensor(check->graph, weight)) return broken(check, "layer %s: term %d has no weight", node->name, i);
    bool fits;
    if (node->op == OP_FC)
        fits = weight->ndim == 2 && weight->dim[0] == node->features && weight->dim[1] == shape_size(in);
    else if (node->op == OP_CONVTRANSPOSE)
        fits = weight->ndim == 4 && weight->dim[0] == in.c && weight->dim[1] == node->features / term->groups &&
               weight->dim[2] == term->window.r && weight->dim[3] == term->window.s;
    else
        fits = weight->ndim == 4 && weight->dim[0] == node->features && weight->dim[1] == in.c / term->groups &&
               weight->dim[2] == term->window.r && weight->dim[3] == term->window.s;
    if (!fits)
        return broken(check, "layer %s: the dims of weight %s do not fit term %d", node->name, printable(weight->name),
                      i);
    return true;
}

static bool check_weights(Check *check, const Node *node) {
    if (!(op_info(node->op)->flags & OPF_TERMS) != !node->term)
        return broken(check, "layer %s: terms belong to conv and fc, and only to them", node->name);
    if (node->term)
        for (int i = 0; i < node->nin; i++)
            if (!check_term(check, node, i)) return false;
    ParamSpec spec[NODE_MAX_WEIGHTS];
    const int count = op_info(node->op)->params(node, node->weight[BIAS] != NULL, spec);
    const Tensor *left[NODE_MAX_WEIGHTS];
    memcpy(left, node->weight, sizeof left);
    for (int i = 0; i < count && !node->term; i++) {
        if (!check_tensor(check, node, &spec[i], node->weight[spec[i].slot])) return false;
        left[spec[i].slot] = NULL;
    }
    for (int i = 0; i < NODE_MAX_WEIGHTS; i++)
        if (left[i]) return broken(check, "layer %s: %s has no %s", node->name, op_info(node->op)->word, slot_names[i]);
    if (count == 0) return true;
    if (map_get(&check->params, node->name))
        return broken(check, "two layers with parameters are called %s", node->name);
    map_put(&check->params, &check->arena, node->name, (void *)node);
    return true;
}

/* A strided addend of `size` covers `out` positions exactly, or, where it is partial, at most. */
static bool addend_fits(int size, int stride, int out, bool partial) {
    int positions = (size + stride - 1) / stride;
    return partial ? positions <= out : positions == out;
}

static bool check_addend(Check *check, const Node *node) {
    const Epilogue *epilogue = &node->epilogue;
    if (!epilogue->addend) {
        if (epilogue->in_place || epilogue->addend_partial)
            return broken(check, "layer %s: in_place or partial without an addend", node->name);
        return true;
    }
    Shape shape = epilogue->addend->shape, out = node_unpooled_shape(node);
    int stride = epilogue->addend_stride;
    bool partial = epilogue->addend_partial;
    if (node->out->all && !epilogue->addend->all)
        return broken(check, "layer %s: a value of the batch with an addend of each image", node->name);
    if (stride < 1) return broken(check, "layer %s: an addend stride of %d", node->name, stride);
    if (!addend_fits(shape.c, 1, out.c, partial) || !addend_fits(shape.h, stride, out.h, partial) ||
        !addend_fits(shape.w, stride, out.w, partial))
        return broken(check, "layer %s: an addend of %dx%dx%d (stride %d%s) does not fit a result of %dx%dx%d",
                      node->name, shape.c, shape.h, shape.w, stride, partial ? ", partial" : "", out.c, out.h, out.w);
    return true;
}

/* Overwriting the addend's buffer: only where nobody reads it again, and where the result lies in it exactly. */
static bool check_in_place(Check *check, const Node *node, int position) {
    const Epilogue *epilogue = &node->epilogue;
    if (!epilogue->in_place) return true;
    const Value *addend = epilogue->addend;
    const char *reason = NULL;
    if (addend == check->graph->input) reason = "the addend is the network's input";
    if (addend->is_output) reason = "the addend is an output";
    if (check->last_read[addend->id] > position) reason = "the addend is read again";
    for (int i = 0; i < node->nin; i++)
        if (node->in[i] == addend) reason = "the addend is an input too";
    if (epilogue->addend_partial || epilogue->addend_stride != 1) reason = "the addend is partial or strided";
    if (epilogue->pool != POOL_NONE) reason = "a pool follows";
    if (addend->home || node->out->home) reason = "the addend or the result is a slice of a concatenation";
    return reason ? broken(check, "layer %s: in_place, but %s", node->name, reason) : true;
}

static bool check_epilogue(Check *check, const Node *node, int position) {
    const Epilogue *epilogue = &node->epilogue;
    int channels = node_unpooled_shape(node).c;
    if (epilogue->bias && !check_vector(check, node, "bias", epilogue->bias, channels)) return false;
    if ((unsigned)epilogue->act >= ACT_COUNT)
        return broken(check, "layer %s: activation %d", node->name, epilogue->act);
    if ((act_info(epilogue->act)->parameter == PARAMETER_PER_CHANNEL) != (epilogue->prelu != NULL))
        return broken(check, "layer %s: prelu's slopes belong to prelu, and only to it", node->name);
    if (epilogue->prelu && !check_vector(check, node, "prelu slopes", epilogue->prelu, channels)) return false;
    if ((unsigned)epilogue->pool > POOL_GLOBAL_MAX)
        return broken(check, "layer %s: pool %d", node->name, epilogue->pool);
    return check_addend(check, node) && check_in_place(check, node, position);
}

/* Placement: each value at home in a concat's result is that concat's input, at that channel. */
static bool check_home(Check *check, const Value *value) {
    const Value *home = value->home;
    const char *name = printable(value->name);
    if (!owns_value(check->graph, home) || !home->producer || check->defined_at[home->id] < 0)
        return broken(check, "value %s: its home is not made by any layer", name);
    const Node *concat = home->producer;
    if (concat->op != OP_CONCAT)
        return broken(check, "value %s: its home %s is no concatenation", name, printable(home->name));
    const Epilogue *epilogue = &concat->epilogue;
    if (epilogue->bias || epilogue->addend || epilogue->act != ACT_NONE || epilogue->pool != POOL_NONE)
        return broken(check, "value %s: its home %s has an epilogue", name, printable(home->name));
    int channel = 0;
    for (int i = 0; i < concat->nin; i++) {
        if (concat->in[i] == value && channel == value->home_channel) return true;
        channel += concat->in[i]->shape.c;
    }
    return broken(check, "value %s: it is not channel %d of its home %s", name, value->home_channel,
                  printable(home->name));
}

static void note_reads(Check *check) {
    for (int i = 0; i < check->graph->node_count; i++) {
        const Node *node = check->graph->nodes[i];
        for (int j = 0; j < node->nin; j++)
            if (owns_value(check->graph, node->in[j])) check->last_read[node->in[j]->id] = i;
        if (owns_value(check->graph, node->epilogue.addend)) check->last_read[node->epilogue.addend->id] = i;
    }
}

static bool check_nodes(Check *check) {
    const Graph *graph = check->graph;
    note_reads(check);
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        check->place = node->place;
        if (!node->name) return broken(check, "node %d has no name", i);
        if ((unsigned)node->op >= OP_END || node->op == OP_COUNT)
            return broken(check, "layer %s: op %d", node->name, (int)node->op);
        if (node->id != i)
            return broken(check, "layer %s: id %d at position %d (graph_renumber was not called)", node->name, node->id,
                          i);
        if ((op_info(node->op)->flags & OPF_TRAINING) && !graph->training)
            return broken(check, "layer %s: %s stands in a graph of inference", node->name, op_info(node->op)->word);
        if (!check_order(check, node, i) || !check_shape(check, node) || !check_weights(check, node) ||
            !check_epilogue(check, node, i))
            return false;
    }
    return true;
}

static bool check_values(Check *check) {
    const Graph *graph = check->graph;
    int outputs = 0;
    bool *listed = arena_alloc(&check->arena, (size_t)graph->value_count);
    for (int i = 0; i < graph->value_count; i++) {
        const Value *value = graph->values[i];
        check->place = value->producer ? value->producer->place : (Place){0};
        if (value->id != i)
            return broken(check, "value %s: id %d at position %d", printable(value->name), value->id, i);
        if (value->producer && check->defined_at[i] < 0)
            return broken(check, "value %s: it has a producer that does not make it", printable(value->name));
        if (value->home && check->defined_at[i] >= 0 && !check_home(check, value)) return false;
        outputs += value->is_output;
    }
    check->place = (Place){0};
    if (graph->output_count < 1) return broken(check, "the graph has no output");
    for (int i = 0; i < graph->output_count; i++) {
        const Value *value = graph->outputs[i];
        if (!owns_value(graph, value) || !value->is_output || check->defined_at[value->id] < 0)
            return broken(check, "output %d is not made, or not marked as one", i);
        outputs -= !listed[value->id]; /* a value may be listed twice: two outputs that cse found equal */
        listed[value->id] = true;
    }
    if (outputs != 0) return broken(check, "%d values are marked as outputs, but not listed", outputs);
    return true;
}

/* ---- training ---- */

static const Value *output_of(const Graph *graph, int output) {
    return output >= 0 && output < graph->output_count ? graph->outputs[output] : NULL;
}

/* A parameter that the update changes: one of the file, and by one thing alone. */
static bool check_updated(Check *check, const char *what, const Tensor *param, bool *updated) {
    if (!owns_tensor(check->graph, param) || param->op != RN_PARAM)
        return broken(check, "%s is not of a parameter", what);
    if (updated[param->id]) return broken(check, "the parameter %s is changed twice", printable(param->name));
    return updated[param->id] = true;
}

static bool check_gradient(Check *check, const Trained *trained, bool *updated) {
    const Value *value = output_of(check->graph, trained->output);
    if (!check_updated(check, "a gradient", trained->param, updated)) return false;
    const char *name = printable(trained->param->name);
    if (!value || !value->all) return broken(check, "the gradient of %s is no output that is one for the batch", name);
    const int64_t plane = (int64_t)value->shape.h * value->shape.w;
    if (trained->channel < 0 || trained->channel >= value->shape.c ||
        tensor_size(trained->param) > (value->shape.c - trained->channel) * plane)
        return broken(check, "the gradient of %s, %lld numbers, is not in channels %d and after of %dx%dx%d", name,
                      (long long)tensor_size(trained->param), trained->channel, value->shape.c, value->shape.h,
                      value->shape.w);
    return true;
}

static bool check_running(Check *check, const Running *running, bool *updated) {
    const Value *value = output_of(check->graph, running->output);
    if (!check_updated(check, "a running mean", running->mean, updated) ||
        !check_updated(check, "a running variance", running->var, updated))
        return false;
    const char *name = printable(running->mean->name);
    if (!value || !value->all || value->shape.c != 3 || value->shape.w != 1)
        return broken(check, "what %s runs after is no output of statistics", name);
    if (!tensor_is_vector(running->mean, value->shape.h) || !tensor_is_vector(running->var, value->shape.h))
        return broken(check, "%s and its variance are not vectors of %d", name, value->shape.h);
    return true;
}

static bool check_training(Check *check) {
    const Training *t = check->graph->training;
    if (!t) return true;
    const Value *loss = output_of(check->graph, t->loss);
    if (!loss || loss->all || !shape_equal(loss->shape, (Shape){3, 1, 1}))
        return broken(check, "the graph has no loss: an output of each image, 3x1x1");
    bool *updated = arena_alloc(&check->arena, (size_t)check->graph->tensor_count + 1);
    for (int i = 0; i < t->trained_count; i++)
        if (!check_gradient(check, &t->trained[i], updated)) return false;
    for (int i = 0; i < t->running_count; i++)
        if (!check_running(check, &t->running[i], updated)) return false;
    return true;
}

static bool check_input(Check *check) {
    const Graph *graph = check->graph;
    if (!owns_value(graph, graph->input) || graph->input->producer) return broken(check, "the graph has no input");
    Shape shape = graph->input->shape;
    if (graph->input->type != RN_F32) return broken(check, "the input's numbers are not of f32");
    if (shape.c < 1 || shape.h < 1 || shape.w < 1 || shape.c > INT_MAX / shape.h ||
        shape.c * shape.h > INT_MAX / shape.w)
        return broken(check, "the input is %dx%dx%d", shape.c, shape.h, shape.w);
    check->defined_at[graph->input->id] = 0;
    if (!graph->training) return true;
    const Value *labels = graph->training->labels;
    if (!owns_value(graph, labels) || labels->producer || labels == graph->input || labels->all ||
        !shape_equal(labels->shape, (Shape){4, 1, 1}))
        return broken(check, "the graph has no labels: a value of each image, 4x1x1");
    check->defined_at[labels->id] = 0;
    return true;
}

static bool check_mean_image(Check *check) {
    const Graph *graph = check->graph;
    const Tensor *mean = graph->preprocess.mean_image;
    if (!mean) return true;
    const Shape in = graph->input->shape;
    if (!owns_tensor(graph, mean) || mean->op != RN_PARAM || strcmp(mean->name, "input.mean") != 0)
        return broken(check, "the input's mean is not the parameter input.mean");
    const bool image = mean->ndim == 3 && mean->dim[0] == in.c && mean->dim[1] == in.h && mean->dim[2] == in.w;
    return image || tensor_is_vector(mean, in.c) ||
           broken(check, "the input's mean is neither of its shape %dx%dx%d nor a vector of %d", in.c, in.h, in.w,
                  in.c);
}

bool graph_check(const Graph *graph, Text *problem, Place *place) {
    Text unwanted = {0};
    Check check = {.graph = graph, .problem = problem ? problem : &unwanted};
    size_t count = (size_t)graph->value_count + 1;
    check.defined_at = arena_alloc(&check.arena, sizeof(int) * count);
    check.last_read = arena_alloc(&check.arena, sizeof(int) * count);
    for (size_t i = 0; i < count; i++) check.defined_at[i] = check.last_read[i] = -1;
    bool right = check_input(&check) && check_tensors(&check) && check_mean_image(&check) && check_nodes(&check) &&
                 check_values(&check) && check_training(&check);
    if (place) *place = check.place;
    text_free(&unwanted);
    arena_free(&check.arena);
    return right;
}

void verify_graph(const Graph *graph) {
    Text problem = {0};
    if (!graph_check(graph, &problem, NULL)) bug("broken graph: %s", problem.s);
    text_free(&problem);
}
