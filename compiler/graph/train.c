/* Parameters as training sees them: their kinds, fans, momenta, and which of them stay as they are. */
#include "train.h"

#include <string.h>

#include "ops.h"

bool train_freezes(const Train *train, const Node *node) {
    if (!train || !node->name) return false;
    for (int i = 0; i < train->frozen_count; i++)
        if (strcmp(train->frozen[i], node->name) == 0) return true;
    return false;
}

const Node *train_branch_end(const Node *sum) {
    if (sum->op != OP_ADD) return NULL;
    const Node *node = sum->in[0]->producer;
    while (node && (node->op == OP_MUL || (op_info(node->op)->flags & OPF_COPY))) node = node->in[0]->producer;
    return node && node->op == OP_BN ? node : NULL;
}

static rn_train_kind kind_of(const Node *node, int slot) {
    if (slot == MEAN) return RN_TRAIN_RUNNING_MEAN;
    if (slot == VAR) return RN_TRAIN_RUNNING_VAR;
    if (node->op == OP_PRELU) return RN_TRAIN_SLOPE;
    if (op_info(node->op)->flags & OPF_TERMS) return slot == WEIGHT ? RN_TRAIN_WEIGHT : RN_TRAIN_BIAS;
    return slot == WEIGHT ? RN_TRAIN_NORM_WEIGHT : RN_TRAIN_NORM_BIAS;
}

/* How many numbers of the input make one of the result, and how many of the result one of the input goes into. Of a
 * transposed convolution, whose weights are C x K/groups x R x S, those that meet a pixel, on the average. */
static void set_fans(const Node *node, rn_train_parameter *row) {
    const int64_t taps = (int64_t)row->dim[2] * row->dim[3];
    if (node->op == OP_CONVTRANSPOSE) {
        const Term *term = &node->term[0];
        const int64_t met = row->dim[0] / term->groups * taps / (term->window.stride_h * term->window.stride_w);
        row->fan_in = met > 0 ? met : 1;
        row->fan_out = row->dim[1] * taps;
    } else {
        row->fan_in = row->dim[1] * taps;
        row->fan_out = row->dim[0] / (node->op == OP_CONV ? node->term[0].groups : 1) * taps;
    }
}

static TrainParameter describe(const Graph *graph, Node *node, int slot, Tensor *tensor) {
    const bool frozen = train_freezes(graph->train, node);
    rn_train_parameter row = {.name = tensor->name, .kind = kind_of(node, slot), .ndim = tensor->ndim};
    const bool statistic = row.kind == RN_TRAIN_RUNNING_MEAN || row.kind == RN_TRAIN_RUNNING_VAR;
    for (int i = 0; i < 4; i++) row.dim[i] = i < tensor->ndim ? tensor->dim[i] : 1;
    row.trained = !frozen && !statistic;
    if (statistic && !frozen) row.momentum = node->attr.momentum;
    if (row.kind == RN_TRAIN_WEIGHT) set_fans(node, &row);
    return (TrainParameter){.row = row, .tensor = tensor, .node = node};
}

static TrainParameter describe_mean_image(Tensor *tensor) {
    rn_train_parameter row = {.name = tensor->name, .kind = RN_TRAIN_CONSTANT, .ndim = tensor->ndim};
    for (int i = 0; i < 4; i++) row.dim[i] = i < tensor->ndim ? tensor->dim[i] : 1;
    return (TrainParameter){.row = row, .tensor = tensor};
}

static void mark_last(const Graph *graph, TrainParameter *const *of) {
    for (int i = 0; i < graph->node_count; i++) {
        const Node *end = train_branch_end(graph->nodes[i]);
        if (end && of[end->weight[WEIGHT]->id]) of[end->weight[WEIGHT]->id]->row.last = 1;
    }
}

TrainParameter *train_parameters(const Graph *graph, Arena *arena, int *count) {
    const size_t most = (size_t)graph->tensor_count + 1;
    TrainParameter *all = arena_alloc(arena, most * sizeof *all);
    TrainParameter **of = arena_alloc(arena, most * sizeof *of); /* a tensor's, by its id */
    *count = 0;
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        ParamSpec spec[NODE_MAX_WEIGHTS];
        const int specs = op_info(node->op)->params(node, true, spec);
        for (int k = 0; k < specs; k++) {
            Tensor *tensor = *node_weight(node, spec[k].slot);
            if (!tensor || tensor->op != RN_PARAM) continue;
            TrainParameter one = describe(graph, node, spec[k].slot, tensor), *seen = of[tensor->id];
            if (seen)
                seen->row.trained &= one.row.trained;
            else
                *(of[tensor->id] = &all[(*count)++]) = one;
        }
    }
    mark_last(graph, of);
    Tensor *mean = graph->preprocess.mean_image;
    if (mean) all[(*count)++] = describe_mean_image(mean);
    return all;
}
