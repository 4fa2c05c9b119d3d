#include "training.h"

#include "algorithms.h"
#include "batch_conv.h"
#include "batch_norm.h"
#include "filtering.h"
#include "graph/ops.h"
#include "memory.h"
#include "reader.h"
#include "step.h"

#include <inttypes.h>

/* ---- parameters ---- */
int64_t train_offset(const Plan *plan, const Tensor *tensor) {
    const TrainPlan *t = plan->training;
    return t->parameters[t->of_tensor[tensor->id]].row.offset;
}

const Trained *train_gradient_of(const Plan *plan, const Value *value, int channel) {
    const Training *t = plan->graph->training;
    for (int i = 0; i < t->trained_count; i++)
        if (plan->graph->outputs[t->trained[i].output] == value && t->trained[i].channel == channel)
            return &t->trained[i];
    return NULL;
}

const Running *train_running_of(const Plan *plan, const Value *value) {
    const Training *t = plan->graph->training;
    for (int i = 0; i < t->running_count; i++)
        if (plan->graph->outputs[t->running[i].output] == value) return &t->running[i];
    return NULL;
}

static void place_parameter(TrainPlan *t, const Tensor *tensor, int64_t *floats) {
    t->parameters[t->of_tensor[tensor->id]].row.offset = *floats;
    *floats += round_up_bytes(tensor_bytes(tensor)) / (int64_t)sizeof(float);
}

/* Whether a gradient is a sum over slabs of floats; all others are one of doubles, of all ranks. */
static bool is_summed(const Graph *g, const Trained *trained) {
    const Op op = g->outputs[trained->output]->producer->op;
    return op == OP_CONV_WEIGHTS || op == OP_FC_WEIGHTS;
}

static void place_trained(TrainPlan *t, const Trained *trained) {
    place_parameter(t, trained->param, &t->floats);
    t->parameters[t->of_tensor[trained->param->id]].row.trained = 1;
}

/* The places of the parameters: trained ones as the backward pass completes them, with ranks those first that they have
 * to sum; running statistics; all others (rn_train.h). */
static TrainPlan *plan_parameters(Arena *arena, const Graph *g, const Graph *source, int ranks) {
    const Training *training = g->training;
    TrainPlan *t = arena_alloc(arena, sizeof *t);
    t->ranks = ranks;
    t->parameters = train_parameters(source, arena, &t->count);
    t->of_tensor = arena_alloc(arena, sizeof *t->of_tensor * ((size_t)g->tensor_count + 1));
    for (int i = 0; i < g->tensor_count; i++) t->of_tensor[i] = -1;
    for (int i = 0; i < t->count; i++) {
        t->of_tensor[t->parameters[i].tensor->id] = i;
        t->parameters[i].row.offset = -1;
        t->parameters[i].row.trained = 0; /* nor are those that the loss does not depend on */
    }
    for (int i = 0; i < training->trained_count; i++)
        if (!ranks || is_summed(g, &training->trained[i])) place_trained(t, &training->trained[i]);
    t->summed_floats = t->floats;
    for (int i = 0; i < training->trained_count && ranks; i++)
        if (!is_summed(g, &training->trained[i])) place_trained(t, &training->trained[i]);
    t->trained_floats = t->floats;
    for (int i = 0; i < training->running_count; i++) { /* the variance behind the mean */
        place_parameter(t, training->running[i].mean, &t->floats);
        place_parameter(t, training->running[i].var, &t->floats);
    }
    t->gradient_floats = t->floats;
    for (int i = 0; i < t->count; i++)
        if (t->parameters[i].row.offset < 0) place_parameter(t, t->parameters[i].tensor, &t->floats);
    return t;
}

int train_slabs(const Plan *plan, int64_t bytes) {
    int slabs = plan->training->slabs;
    const int least = plan->training->ranks > TRAIN_FEW_SLABS ? plan->training->ranks : TRAIN_FEW_SLABS;
    while (slabs > least && slabs * bytes > TRAIN_SLAB_BYTES) slabs /= 2;
    return slabs;
}

int train_group_slabs(const Plan *plan, int slabs) {
    return plan->training->ranks ? slabs / plan->training->ranks : slabs;
}

int train_group_images(const Plan *plan) {
    const int ranks = plan->training->ranks, most = ranks ? divide_up(plan->options.batch, ranks) : plan->options.batch;
    return most > plan->options.rank_images ? most : plan->options.rank_images;
}

int train_block(const Plan *plan, int most, int each) {
    const int all = plan->options.rank_images * each;
    while (plan->training->ranks && all % most) most--;
    return most;
}

void train_reads_parameter(Plan *plan, Step *step, Role role, const Tensor *tensor) {
    Operand *o = step_reads(plan, step, role, step->out);
    *o = (Operand){.role = role,
                   .room = ROOM_PARAMETERS,
                   .offset = (int64_t)sizeof(float) * train_offset(plan, tensor),
                   .bytes = tensor_bytes(tensor)};
}

void train_writes_gradient(Plan *plan, Step *step, const Tensor *tensor) {
    train_reads_parameter(plan, step, OPERAND_G, tensor);
    Operand *o = &step->operands[step->operand_count - 1];
    o->room = ROOM_GRADIENTS;
    o->written = true;
}

int train_derived(const Node *node) {
    return !node ? 0 : node->op == OP_STATS ? 1 : node->op == OP_BN_SUMS ? 2 : 0;
}

double train_eps(const Plan *plan, const Value *stats) {
    const Graph *g = plan->graph;
    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i]->op == OP_NORMALISE && g->nodes[i]->in[1] == stats) return g->nodes[i]->attr.eps;
    bug("statistics that nothing is normalised by");
}

/* ---- values ---- */
static bool is_alias(const Node *node) {
    return (op_info(node->op)->flags & OPF_COPY) && shape_equal(node->in[0]->shape, node->out->shape);
}

/* Only convolutions read the network's input, which copy it into strips. */
static bool is_only_copied(const Graph *g) {
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i]->nin; k++)
            if (g->nodes[i]->in[k] == g->input && g->nodes[i]->op != OP_CONV && g->nodes[i]->op != OP_CONV_WEIGHTS)
                return false;
    return true;
}

/* Floats of a pixel: whole vectors, but of an input of few channels. */
static int pixel_floats(const Graph *g, const Value *v) {
    return v == g->input && v->shape.c <= 4 && is_only_copied(g) ? v->shape.c : round_up(v->shape.c, VECTOR);
}

static void plan_values(Plan *plan) {
    const Graph *g = plan->graph;
    for (int i = 0; i < g->value_count; i++) {
        const Value *v = g->values[i];
        ValuePlan *p = &plan->values[i];
        if (v == g->training->labels || (!v->producer && v != g->input)) continue;
        p->root = v->producer && is_alias(v->producer) ? plan->values[v->producer->in[0]->id].root : v;
        p->layout.pixel = v->all ? 1 : pixel_floats(g, v);
        const int rows = v->shape.c + train_derived(v->producer);
        p->layout.row = v->all ? divide_up(rows * round_up(v->shape.h * v->shape.w, VECTOR), v->shape.h)
                               : p->layout.pixel * v->shape.w;
        if (v->all) continue;
        p->apart = round_up((int)((int64_t)v->shape.h * p->layout.row), VECTOR);
        if (p->apart / VECTOR % 2 == 0) p->apart += VECTOR; /* an odd number of cache lines */
        if (p->root != v) p->layout = plan->values[p->root->id].layout, p->apart = plan->values[p->root->id].apart;
    }
}

/* ---- steps ---- */
static Algorithm algorithm_for(const Node *node) {
    switch (node->op) {
    case OP_CONV:
    case OP_CONVTRANSPOSE:
    case OP_FC:
    case OP_FC_DATA:
        return ALG_BATCH_CONV;
    case OP_CONV_WEIGHTS:
    case OP_FC_WEIGHTS:
        return ALG_BATCH_WEIGHTS;
    case OP_STATS:
    case OP_BN_SUMS:
    case OP_SUM:
    case OP_SCALE_WEIGHTS:
    case OP_PRELU_WEIGHTS:
        return ALG_BATCH_STATS;
    case OP_ADD:
    case OP_MUL:
        return ALG_BATCH_MAP;
    case OP_CONCAT:
    case OP_DROP:
    case OP_SLICE:
    case OP_SLICE_GRADIENT:
    case OP_SHUFFLE:
    case OP_PHASES:
    case OP_INTERLEAVE:
    case OP_PAD:
    case OP_PAD_GRADIENT:
    case OP_DOT:
    case OP_FLATTEN:
    case OP_RESHAPE:
        return ALG_BATCH_MOVE;
    case OP_MAXPOOL:
    case OP_AVGPOOL:
    case OP_MAXPOOL_GRADIENT:
    case OP_AVGPOOL_GRADIENT:
        return ALG_BATCH_POOL;
    case OP_CROSSENTROPY:
    case OP_CROSSENTROPY_GRADIENT:
        return ALG_BATCH_LOSS;
    case OP_UPSAMPLE:
    case OP_UPSAMPLE_GRADIENT:
    case OP_RESIZE:
    case OP_RESIZE_GRADIENT:
    case OP_SPP:
    case OP_SPP_GRADIENT:
        return ALG_BATCH_RESIZE;
    default:
        return batch_norm_can(node) ? ALG_BATCH_NORM : reader_can(node) ? ALG_BATCH_MAP : ALG_COUNT;
    }
}

void batch_map_steps(Plan *plan, const Node *node) {
    if (plan->values[node->out->id].computed) return;
    Step *step = step_add(plan, ALG_BATCH_MAP, node, node->out);
    if (!reader_can(node)) { /* a sum of values that differ in size; a gate of one factor for each channel */
        step->algorithm = ALG_BATCH_MOVE;
        for (int i = 0; i < node->nin; i++) step_reads(plan, step, OPERAND_X, node->in[i]);
    } else
        step->detail = reader_of_node(plan, step, node);
    step_writes_result(plan, step);
}

void batch_move_steps(Plan *plan, const Node *node) {
    for (int first = 0; first == 0 || first < node->nin;
         first += READER_X) { /* a concatenation's inputs, some at a time */
        Step *step = step_add(plan, algorithm_for(node), node, node->out);
        step->in = node->in + first;
        step->nin = node->nin - first < READER_X ? node->nin - first : READER_X;
        step->complete = first + step->nin >= node->nin;
        for (int i = 0; i < step->nin; i++) {
            step_reads(plan, step, OPERAND_X, step->in[i]);
            if (step->in[i] == plan->graph->training->labels)
                step->operands[step->operand_count - 1].room = ROOM_LABELS;
        }
        step_writes_result(plan, step);
    }
}

int train_sums(const Node *node) {
    return node->op == OP_STATS || node->op == OP_BN_SUMS || batch_norm_is_sum(node) ? 2 : 1;
}

int train_slab_sums(Plan *plan, const Node *node) {
    const int64_t slab = (int64_t)sizeof(double) * train_sums(node) * round_up(node->in[0]->shape.c, VECTOR);
    return plan_temporary(plan, slab * plan->training->slabs);
}

void train_total_step(Plan *plan, const Node *node, int slabs) {
    const Running *running = train_running_of(plan, node->out);
    Step *total = step_add(plan, ALG_BATCH_TOTAL, node, node->out);
    step_name_part(plan, total, "total");
    step_reads_temporary(plan, total, slabs);
    if (node->op == OP_BN_SUMS) step_reads(plan, total, OPERAND_P, node->in[2]);
    if (running) train_reads_parameter(plan, total, OPERAND_P, running->mean);
    step_writes_result(plan, total);
    const Trained *first = train_gradient_of(plan, node->out, 0);
    if (running) train_writes_gradient(plan, total, running->mean); /* and the variance, which lies behind it */
    if (first) train_writes_gradient(plan, total, first->param);
    const Trained *second = train_gradient_of(plan, node->out, 1);
    if (!second) return;
    train_writes_gradient(plan, total, second->param);
    total->operands[total->operand_count - 1].role = OPERAND_G1;
}

/* A sum over the batch: each slab's, in double, then the total. */
void batch_sums_steps(Plan *plan, const Node *node) {
    const bool products = node->op == OP_BN_SUMS;
    const int slabs = train_slab_sums(plan, node);
    const Running *running = train_running_of(plan, node->out);
    Step *step = step_add(plan, ALG_BATCH_STATS, node, node->out);
    step->complete = false;
    if (running) train_reads_parameter(plan, step, OPERAND_P, running->mean); /* about which nothing cancels */
    if (products) step_reads(plan, step, OPERAND_P, node->in[2]);
    step->detail = reader_new(plan, step, node->in[0], node->nin > 1 ? node->in[1] : NULL);
    step_writes_temporary(plan, step, slabs);
    train_total_step(plan, node, slabs);
}

static void input_step(Plan *plan) {
    Step *step = step_add(plan, ALG_BATCH_INPUT, NULL, plan->graph->input);
    Operand *o = step_reads(plan, step, OPERAND_X, plan->graph->input);
    o->room = ROOM_IMAGE;
    step_writes_result(plan, step);
}

/* By value id: readers that something comes of; a softmax behind the logits, say, is for nobody. */
static const int *find_uses(Plan *plan) {
    const Graph *g = plan->graph;
    int *uses = arena_alloc(plan->arena, sizeof *uses * ((size_t)g->value_count + 1));
    for (int i = 0; i < g->value_count; i++) uses[i] = g->values[i]->is_output;
    for (int i = g->node_count - 1; i >= 0; i--)
        for (int k = 0; k < g->nodes[i]->nin && uses[g->nodes[i]->out->id]; k++) uses[g->nodes[i]->in[k]->id]++;
    return uses;
}

/* ---- values of the forward pass ---- */
/* The last parameter that the tensor is, or is computed from; -1: none. */
static int last_parameter(const TrainPlan *t, const Tensor *tensor) {
    if (!tensor) return -1;
    int last = t->of_tensor[tensor->id];
    for (int i = 0; i < (int)(sizeof tensor->arg / sizeof *tensor->arg); i++) {
        const int other = last_parameter(t, tensor->arg[i]);
        if (other > last) last = other;
    }
    return last;
}

/* Parameters up to those of the node, where so many are up to those before it. */
static int parameters_until(const TrainPlan *t, const Node *node, int before) {
    int until = before;
    const Tensor *tensors[NODE_MAX_WEIGHTS + NODE_MAX_TERMS];
    int count = 0;
    for (int i = 0; i < NODE_MAX_WEIGHTS; i++) tensors[count++] = node->weight[i];
    for (int i = 0; node->term && i < node->nin; i++) tensors[count++] = node->term[i].weight;
    for (int i = 0; i < count; i++)
        if (last_parameter(t, tensors[i]) >= until) until = last_parameter(t, tensors[i]) + 1;
    while (until > before && until < t->count && t->parameters[until].node == t->parameters[until - 1].node) until++;
    return until;
}

static void note_value(Plan *plan, const Node *node) {
    TrainPlan *t = plan->training;
    const Value *value = node ? node->out : plan->graph->input;
    const int before = t->value_count ? t->values[t->value_count - 1].parameters : 0;
    if (value->all || (node && node->backward)) return;
    if (node && node->op == OP_RELU) return; /* finite where its input is */
    TrainValue row = {.value = value, .after = plan->step_count - 1};
    row.parameters = node ? parameters_until(t, node, before) : before;
    if (plan->values[value->id].computed) {
        row.computed = arena_alloc(plan->arena, sizeof *row.computed);
        *row.computed = (Step){.algorithm = ALG_BATCH_MAP, .node = node, .name = node->name, .out = value, .images = 1};
        row.computed->detail = reader_of_node(plan, row.computed, node);
    }
    ARENA_PUSH(plan->arena, t->values, t->value_count, t->value_capacity, row);
}

static bool add_steps(Plan *plan, Diag *diag) {
    const Graph *g = plan->graph;
    bool good = true;
    const int *uses = find_uses(plan);
    input_step(plan);
    note_value(plan, NULL);
    for (int i = 0; i < g->node_count; i++) {
        const Node *node = g->nodes[i];
        if (is_alias(node) || !(uses[node->out->id])) continue; /* nothing to do, or for nobody */
        const char *word = op_info(node->op)->word;
        const Algorithm algorithm = algorithm_for(node);
        if (algorithm == ALG_COUNT) {
            diag_error(diag, node->place, "training: %s has no compiled form", *word == '.' ? word + 1 : word);
            good = false;
        } else if (algorithm == ALG_BATCH_CONV && batch_conv_parts(node) > BATCH_CONV_PARTS) {
            const Window *w = &node->term[0].window;
            diag_error(diag, node->place,
                       "training: the gradient of a %dx%d window with stride %dx%d and dilation %dx%d has no compiled "
                       "form: it falls into %lld parts, at most %d are possible",
                       w->r, w->s, w->stride_h, w->stride_w, w->dilate_h, w->dilate_w,
                       (long long)batch_conv_parts(node), BATCH_CONV_PARTS);
            good = false;
        } else {
            algorithm_info(algorithm)->steps(plan, node);
            note_value(plan, node);
        }
    }
    /* its losses are read when all steps are done */
    step_reads(plan, &plan->steps[plan->step_count - 1], OPERAND_NONE, g->outputs[g->training->loss]);
    plan->last_step = plan->step_count;
    return good;
}

/* Without places; NULL after an error. */
static Plan *plan_steps_of(Arena *arena, const Graph *graph, const Graph *source, const PlanOptions *options,
                           Diag *diag) {
    bug_context = "plan";
    Plan *plan = arena_alloc(arena, sizeof *plan);
    plan->graph = graph;
    plan->arena = arena;
    plan->options = *options;
    if (!options->machine) plan->options.machine = machine_named("generic", options->isa);
    plan->group = 1;
    plan->last_node = graph->node_count;
    plan->values = arena_alloc(arena, ((size_t)graph->value_count + 1) * sizeof *plan->values);
    plan->training = plan_parameters(arena, graph, source, options->ranks);
    const int batch = options->ranks ? options->ranks * options->rank_images : options->batch;
    for (plan->training->slabs = 1; plan->training->slabs < TRAIN_SLABS && 2 * plan->training->slabs <= batch;)
        plan->training->slabs *= 2;
    if (plan->training->slabs < options->ranks) plan->training->slabs = options->ranks;
    plan_values(plan);
    if (options->fuse) plan_computed(plan);
    return add_steps(plan, diag) ? plan : NULL;
}

Plan *plan_training(Arena *arena, const Graph *graph, const Graph *source, const PlanOptions *options, Diag *diag) {
    Plan *plan = plan_steps_of(arena, graph, source, options, diag);
    if (plan) plan_memory(plan);
    return plan;
}

static int64_t live_bytes(const Graph *graph, const Graph *source, const PlanOptions *options, Recompute mode,
                          int every) {
    Arena arena = {0};
    Text errors = {0};
    Diag diag = {.capture = &errors};
    Graph *copy = graph_clone(graph, &arena);
    recompute(copy, mode, every);
    Plan *plan = plan_steps_of(&arena, copy, source, options, &diag);
    if (plan) plan_live_bytes(plan);
    const int64_t bytes = plan ? plan->live_bytes : INT64_MAX;
    text_free(&errors);
    arena_free(&arena);
    return bytes;
}

TrainMemory plan_training_memory(const Graph *graph, const Graph *source, const PlanOptions *options, Recompute mode) {
    static const int tried[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
    TrainMemory best = {mode, 0, live_bytes(graph, source, options, RECOMPUTE_NONE, 0)};
    const int cuts = recompute_cuts(graph);
    for (size_t i = 0; i < sizeof tried / sizeof *tried && mode != RECOMPUTE_NONE && tried[i] <= cuts; i++) {
        const int64_t bytes = live_bytes(graph, source, options, mode, tried[i]);
        if (bytes < best.bytes) best.bytes = bytes, best.every = tried[i];
    }
    return best;
}
