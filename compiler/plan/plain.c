#include "plain.h"

#include "graph/ops.h"
#include "step.h"
#include "weights.h"

/* ---- input and outputs ---- */
void input_step(Plan *plan) {
    const Value *input = plan->graph->input;
    Step *s = step_add(plan, ALG_INPUT, NULL, input);
    s->name = "input";
    s->words = input->channels_last ? "input, channels-last as it is" : "input to channels-last";
    step_reads(plan, s, OPERAND_X, input)->room = ROOM_IMAGE;
    step_writes_result(plan, s);
}

void output_steps(Plan *plan, const Value *value) {
    int64_t offset = 0;
    for (int i = 0; i < plan->graph->output_count; i++) {
        const Value *output = plan->graph->outputs[i];
        if (output == value) {
            Step *s = step_add(plan, ALG_OUTPUT, NULL, step_source(plan, value));
            s->name = output->name;
            s->words = output->channels_last ? "output to channels-last" : "output to planar";
            step_reads(plan, s, OPERAND_X, s->out);
            Operand *result = step_writes(plan, s, OPERAND_Y, output);
            result->room = ROOM_RESULT;
            result->offset = offset;
        }
        offset += (int64_t)sizeof(float) * shape_size(output->shape);
    }
}

/* ---- copies ---- */
static bool is_copy(const Node *n) {
    return op_info(n->op)->flags & OPF_COPY;
}

bool alias_can(const Plan *plan, const Node *n) {
    return n->op == OP_CONCAT || step_is_view(n) || (is_copy(n) && step_is_alias(plan, n));
}

/* Of input `i` of the node, to channel `channel` of its result. */
static void add_copy(Plan *plan, const Node *n, int i, int channel) {
    Step *s = step_add(plan, ALG_COPY, n, n->out);
    s->in = n->in + i;
    s->nin = 1;
    s->words = arena_printf(plan->arena, "%s copy", op_info(n->op)->word);
    s->complete = n->op != OP_CONCAT;
    step_reads_inputs(plan, s);
    Operand *y = step_writes(plan, s, OPERAND_Y, n->out);
    y->bytes = s->operands[0].bytes;
    y->offset = (int64_t)sizeof(float) * channel;
}

bool copy_can(const Plan *plan, const Node *n) {
    (void)plan;
    return is_copy(n);
}

void copy_steps(Plan *plan, const Node *n) {
    add_copy(plan, n, 0, 0);
}

/* A concatenation's inputs are made in their places, or copied there. */
void alias_steps(Plan *plan, const Node *n) {
    for (int i = 0, channel = 0; n->op == OP_CONCAT && i < n->nin; i++) {
        const Value *v = n->in[i];
        if (v->home != n->out || v->home_channel != channel) add_copy(plan, n, i, channel);
        channel += v->shape.c;
    }
    Step *s = step_add(plan, ALG_ALIAS, n, n->out);
    step_writes(plan, s, OPERAND_NONE, n->out)->bytes = 0;
}

/* ---- one step ---- */
bool depthwise_can(const Plan *plan, const Node *n) {
    (void)plan;
    return grouped_channels(n) == 1;
}

bool grouped_can(const Plan *plan, const Node *n) {
    (void)plan;
    return grouped_channels(n) > 0;
}

int grouped_channels(const Node *n) {
    if (n->op != OP_CONV || n->nin != 1 || n->term[0].groups == 1 || n->epilogue.pool != POOL_NONE) return 0;
    const int channels = n->in[0]->shape.c, group = channels / n->term[0].groups;
    return n->features == channels && group < VECTOR && VECTOR % group == 0 ? group : 0;
}

bool map_can(const Plan *plan, const Node *n) {
    (void)plan;
    return n->op == OP_AFFINE || n->op == OP_ADD || n->op == OP_MUL || (op_info(n->op)->flags & OPF_ACTIVATION);
}

#define CAN(prefix, condition)                                                                                         \
    bool prefix##_can(const Plan *plan, const Node *n) {                                                               \
        (void)plan;                                                                                                    \
        return condition;                                                                                              \
    }
CAN(pool, n->op == OP_MAXPOOL || n->op == OP_AVGPOOL)
CAN(lrn, n->op == OP_LRN)
CAN(layernorm, n->op == OP_LAYERNORM)
CAN(responsenorm, n->op == OP_RESPONSENORM)
CAN(quantize, n->op == OP_QUANTIZE)
CAN(spp, n->op == OP_SPP)
CAN(pad, n->op == OP_PAD)
CAN(softmax, n->op == OP_SOFTMAX)
CAN(interleave, n->op == OP_INTERLEAVE)
CAN(groupnorm, n->op == OP_GROUPNORM)
CAN(resize, n->op == OP_RESIZE)
CAN(slice, n->op == OP_SLICE)
CAN(shuffle, n->op == OP_SHUFFLE)
CAN(phases, n->op == OP_PHASES)
CAN(upsample, n->op == OP_UPSAMPLE)
#undef CAN

void plain_steps(Plan *plan, const Node *n) {
    Step *s = step_add(plan, plan->choices[n->id].algorithm, n, n->out);
    s->macs = s->multiplications = node_cost(n);
    step_reads_inputs(plan, s);
    step_reads_addend(plan, s);
    step_writes_result(plan, s);
}

int response_bands(const Node *n) {
    enum { MOST = 16 };
    const int rows = n->in[0]->shape.h;
    return rows < MOST ? rows : MOST;
}

int response_stride(const Node *n) {
    return round_up(n->in[0]->shape.c, VECTOR);
}

void responsenorm_steps(Plan *plan, const Node *n) {
    const int sums = plan_temporary(plan, (int64_t)sizeof(float) * response_bands(n) * response_stride(n));
    Step *s = step_add(plan, ALG_RESPONSES, n, n->out);
    step_name_part(plan, s, "sums");
    s->words = "responsenorm sums";
    s->epilogue = (Epilogue){0};
    s->complete = false;
    step_reads_inputs(plan, s);
    step_writes_temporary(plan, s, sums);
    s = step_add(plan, ALG_RESPONSENORM, n, n->out);
    step_reads_inputs(plan, s);
    step_reads_temporary(plan, s, sums)->role = OPERAND_X1;
    step_reads_addend(plan, s);
    step_writes_result(plan, s);
}

void grouped_pack(Plan *plan, Step *s) {
    const Tensor *w = s->term[0].weight;
    const int32_t dim[4] = {w->dim[0], w->dim[1], w->dim[2], w->dim[3]};
    weights_of_epilogue(plan, s);
    weights_pack(plan, s, OPERAND_W, RN_PACK_GROUPED, RN_F32, weights_tensor(plan, w), dim, NULL);
}

void affine_pack(Plan *plan, Step *s) {
    weights_of_epilogue(plan, s);
    weights_pack_vector(plan, s, OPERAND_W, s->node->weight[WEIGHT]);
    weights_pack_vector(plan, s, OPERAND_BIAS, s->node->weight[BIAS]);
}

/* An affine layer's scale and shift are a weight and a bias, a prelu's slopes those of an epilogue. */
void map_pack(Plan *plan, Step *s) {
    const Node *n = s->node;
    if (n->op == OP_AFFINE) {
        affine_pack(plan, s);
        return;
    }
    weights_of_epilogue(plan, s);
    if (n->op == OP_PRELU) weights_pack_vector(plan, s, OPERAND_SLOPE, n->weight[WEIGHT]);
}
