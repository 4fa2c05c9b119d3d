#include "step.h"

#include "graph/ops.h"

Step *step_add(Plan *plan, Algorithm algorithm, const Node *node, const Value *out) {
    Step step = {.algorithm = algorithm, .node = node, .name = out->name, .out = out, .complete = true, .images = 1};
    if (node) {
        step.name = node->name;
        step.in = node->in;
        step.nin = node->nin;
        step.term = node->term;
        step.epilogue = node->epilogue;
    }
    ARENA_PUSH(plan->arena, plan->steps, plan->step_count, plan->step_capacity, step);
    return &plan->steps[plan->step_count - 1];
}

void step_name_part(Plan *plan, Step *step, const char *part) {
    step->name = arena_printf(plan->arena, "%s %s", step->node->name, part);
}

/* ---- operands ---- */
static Operand *add_operand(Plan *plan, Step *step, Operand operand) {
    ARENA_PUSH(plan->arena, step->operands, step->operand_count, step->operand_capacity, operand);
    return &step->operands[step->operand_count - 1];
}

static Operand value_operand(Role role, const Value *value) {
    return (Operand){
        .role = role, .room = ROOM_VALUE, .type = value->type, .value = value, .bytes = value_bytes(value)};
}

Operand *step_reads(Plan *plan, Step *step, Role role, const Value *value) {
    return add_operand(plan, step, value_operand(role, value));
}

Operand *step_writes(Plan *plan, Step *step, Role role, const Value *value) {
    Operand *operand = step_reads(plan, step, role, value);
    operand->written = true;
    return operand;
}

static Operand temporary_operand(const Plan *plan, const Step *step, Role role, int temporary) {
    return (Operand){.role = role,
                     .room = ROOM_TEMPORARY,
                     .temporary = temporary,
                     .bytes = plan->temporaries[temporary] / step->images};
}

Operand *step_reads_temporary(Plan *plan, Step *step, int temporary) {
    return add_operand(plan, step, temporary_operand(plan, step, OPERAND_X, temporary));
}

Operand *step_writes_temporary(Plan *plan, Step *step, int temporary) {
    Operand *operand = add_operand(plan, step, temporary_operand(plan, step, OPERAND_Y, temporary));
    operand->written = true;
    return operand;
}

void step_reads_inputs(Plan *plan, Step *step) {
    for (int i = 0; i < step->nin; i++) step_reads(plan, step, (Role)(OPERAND_X + i), step->in[i]);
}

void step_reads_addend(Plan *plan, Step *step) {
    if (step->epilogue.addend) step_reads(plan, step, OPERAND_ADDEND, step->epilogue.addend);
}

void step_writes_result(Plan *plan, Step *step) {
    step_writes(plan, step, OPERAND_Y, step->out);
}

int plan_temporary(Plan *plan, int64_t bytes) {
    ARENA_PUSH(plan->arena, plan->temporaries, plan->temporary_count, plan->temporary_capacity, bytes);
    return plan->temporary_count - 1;
}

Step *step_for_one(Plan *plan, const Step *step) {
    Step *one = arena_alloc(plan->arena, sizeof *one);
    *one = *step;
    one->images = 1;
    return one;
}

const Operand *step_operand(const Step *step, Role role) {
    for (int i = 0; i < step->operand_count; i++)
        if (step->operands[i].role == role) return &step->operands[i];
    return NULL;
}

int64_t plan_operand_offset(const Plan *plan, const Operand *o) {
    if (o->room == ROOM_VALUE) return plan_value(plan, o->value)->offset + o->offset;
    if (o->room == ROOM_TEMPORARY) return plan->buffers[plan->value_buffers + o->temporary].offset + o->offset;
    return o->offset;
}

bool plan_operand_kept(const Plan *plan, const Operand *o) {
    if (o->room == ROOM_TEMPORARY) return plan->buffers[plan->value_buffers + o->temporary].kept;
    return o->room == ROOM_VALUE && plan_value(plan, o->value)->kept;
}

int64_t step_weight_bytes(const Step *step) {
    int64_t bytes = 0;
    for (int i = 0; i < step->operand_count; i++)
        if (step->operands[i].room == ROOM_WEIGHTS) bytes += step->operands[i].bytes;
    return bytes;
}

int64_t step_bytes(const Step *step) {
    int64_t bytes = step_weight_bytes(step) / step->images;
    for (int i = 0; i < step->operand_count; i++)
        if (step->operands[i].room != ROOM_WEIGHTS) bytes += step->operands[i].bytes;
    return bytes;
}

/* ---- aliases ---- */
bool step_is_alias(const Plan *plan, const Node *node) {
    const Shape in = node->in[0]->shape;
    if (node->out->home) return false; /* must stand in the concat */
    if (shape_equal(in, node->out->shape)) return true;
    /* a flatten that moves elements: only an fc (which packs its weights in storage order) and an output can look
     * through */
    const Graph *g = plan->graph;
    if (node->out->is_output && node->out->channels_last) return false; /* the source's pixels are others */
    for (int i = node->id + 1; i < g->node_count; i++) {
        const Node *user = g->nodes[i];
        if (user->epilogue.addend == node->out) return false;
        for (int k = 0; k < user->nin; k++)
            if (user->in[k] == node->out && user->op != OP_FC) return false;
    }
    return true;
}

bool step_is_view(const Node *node) {
    const Epilogue *e = &node->epilogue;
    const Shape in = node->in[0]->shape, out = node->out->shape;
    return node->op == OP_SLICE && in.h == out.h && in.w == out.w && !e->bias && !e->addend && e->act == ACT_NONE &&
           !node->out->home;
}

const Value *step_source(const Plan *plan, const Value *value) {
    while (value->producer && (op_info(value->producer->op)->flags & OPF_COPY) && !value->home &&
           step_is_alias(plan, value->producer))
        value = value->producer->in[0];
    return value;
}
