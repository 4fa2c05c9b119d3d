#include "batch_norm.h"

#include "graph/ops.h"
#include "step.h"

bool batch_norm_is_sum(const Node *node) {
    return node->op == OP_LAYERNORM_SUMS || node->op == OP_GROUPNORM_SUMS || node->op == OP_RESPONSENORM_SUMS;
}

/* Its statistics are of the whole image. */
static bool is_of_image(const Node *node) {
    if (node->op == OP_SOFTMAX || node->op == OP_SOFTMAX_GRADIENT) return node->attr.pixels;
    return node->op == OP_GROUPNORM || node->op == OP_GROUPNORM_GRADIENT || node->op == OP_RESPONSENORM ||
           node->op == OP_RESPONSENORM_GRADIENT;
}

bool batch_norm_can(const Node *node) {
    switch (node->op) {
    case OP_SOFTMAX:
    case OP_SOFTMAX_GRADIENT:
    case OP_LRN:
    case OP_LRN_GRADIENT:
    case OP_LAYERNORM:
    case OP_LAYERNORM_GRADIENT:
    case OP_GROUPNORM:
    case OP_GROUPNORM_GRADIENT:
    case OP_RESPONSENORM:
    case OP_RESPONSENORM_GRADIENT:
        return true;
    default:
        return batch_norm_is_sum(node);
    }
}

static int64_t take_scratch(Step *step, int64_t floats) {
    const int64_t at = step->scratch / (int64_t)sizeof(float);
    step->scratch = (int64_t)sizeof(float) * (at + (floats + VECTOR - 1) / VECTOR * VECTOR);
    return at;
}

/* What the step reads. */
static void read_inputs(Plan *plan, Step *step, const Node *node) {
    BatchNorm *b = arena_alloc(plan->arena, sizeof *b);
    b->inputs = node->nin;
    b->by_rows = !batch_norm_is_sum(node) && !is_of_image(node);
    for (int i = 0; i < node->nin; i++) {
        const Layout *l = &plan_value(plan, node->in[i])->layout;
        b->read[i] = reader_new(plan, step, node->in[i], NULL);
        b->copied[i] = reader_is_stored(b->read[i])
                           ? -1
                           : take_scratch(step, (int64_t)l->row * (b->by_rows ? 1 : node->in[i]->shape.h));
    }
    const Shape shape = node->in[0]->shape;
    if (node->op == OP_LAYERNORM_SUMS) b->normals = take_scratch(step, 2 * (int64_t)shape.h * shape.w);
    step->detail = b;
}

void batch_norm_steps(Plan *plan, const Node *node) {
    if (!batch_norm_is_sum(node)) {
        Step *step = step_add(plan, ALG_BATCH_NORM, node, node->out);
        read_inputs(plan, step, node);
        if (node->weight[WEIGHT]) train_reads_parameter(plan, step, OPERAND_W, node->weight[WEIGHT]);
        if (node->weight[BIAS]) train_reads_parameter(plan, step, OPERAND_BIAS, node->weight[BIAS]);
        step_writes_result(plan, step);
        return;
    }
    const int slabs = train_slab_sums(plan, node);
    Step *step = step_add(plan, ALG_BATCH_NORM, node, node->out);
    step->complete = false;
    read_inputs(plan, step, node);
    step_writes_temporary(plan, step, slabs);
    train_total_step(plan, node, slabs);
}
