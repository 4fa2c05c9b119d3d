#include "reader.h"

#include "batch_norm.h"
#include "graph/act.h"
#include "graph/ops.h"
#include "step.h"

#include <string.h>

bool affine_parts(const Node *node, AffineParts *parts) {
    const Tensor *weight = node->weight[WEIGHT], *bias = node->weight[BIAS];
    *parts = (AffineParts){.weight = weight, .bias = bias};
    if (weight->op == RN_BN_SCALE)
        *parts = (AffineParts){.weight = weight->arg[0], .var = weight->arg[1], .bias = bias, .eps = weight->real};
    if (bias && bias->op == RN_BN_SHIFT && bias->arg[2] == weight)
        parts->bias = bias->arg[0], parts->mean = bias->arg[1];
    if (bias && bias->op == RN_FILL && bias->real == 0) parts->bias = NULL;
    return parts->weight->op == RN_PARAM && (!parts->bias || parts->bias->op == RN_PARAM);
}

bool reader_can(const Node *node) {
    AffineParts parts;
    switch (node->op) {
    case OP_AFFINE:
        return affine_parts(node, &parts);
    case OP_NORMALISE:
    case OP_BN_GRADIENT:
    case OP_GATE:
        return true;
    case OP_ADD:
    case OP_MUL:
        return shape_equal(node->in[0]->shape, node->in[1]->shape);
    default:
        return (op_info(node->op)->flags & OPF_ACTIVATION) != 0;
    }
}

/* The inputs of the operation that are of each element; the others are of the channel. */
static int element_inputs(const Node *node) {
    return node->op == OP_ADD || node->op == OP_MUL || node->op == OP_GATE || node->op == OP_BN_GRADIENT ? 2 : 1;
}

bool reader_is_stored(const Reader *r) {
    return !r->entry[r->root[0]].node && (r->root[1] < 0 || !r->entry[r->root[1]].node);
}

static bool is_computed(const Plan *plan, const Value *v) {
    return plan->values[v->id].computed;
}

/* The value behind names of the same numbers. */
static const Value *source(const Plan *plan, const Value *v) {
    return plan->values[v->id].root ? plan->values[v->id].root : v;
}

/* ---- building ---- */
static int next_operand(const Step *step, Role role) {
    int count = 0;
    for (int i = 0; i < step->operand_count; i++) count += step->operands[i].role == role;
    return count;
}

static void reads_channel_value(Plan *plan, Step *step, const Value *v) {
    step_reads(plan, step, OPERAND_P, v);
}

/* Of role P: normalise has statistics, weight, bias; bn_gradient statistics, sums, weight; an affine its parts; an
 * activation its slopes. */
static void add_channel_operands(Plan *plan, Step *step, const Node *node) {
    if (node->op == OP_AFFINE) {
        AffineParts parts;
        affine_parts(node, &parts);
        const Tensor *const tensors[] = {parts.weight, parts.var, parts.bias, parts.mean};
        for (int i = 0; i < 4; i++)
            if (tensors[i]) train_reads_parameter(plan, step, OPERAND_P, tensors[i]);
        return;
    }
    if (node->op == OP_NORMALISE) reads_channel_value(plan, step, node->in[1]);
    if (node->op == OP_BN_GRADIENT) {
        reads_channel_value(plan, step, node->in[2]);
        reads_channel_value(plan, step, node->in[3]);
    }
    if (node->weight[WEIGHT]) train_reads_parameter(plan, step, OPERAND_P, node->weight[WEIGHT]);
    if (node->weight[BIAS]) train_reads_parameter(plan, step, OPERAND_P, node->weight[BIAS]);
}

static int add_value(Plan *plan, Step *step, Reader *r, const Value *value);

static int add_node(Plan *plan, Step *step, Reader *r, const Node *node) {
    Read read = {.value = node->out, .node = node};
    for (int i = 0; i < element_inputs(node); i++) read.arg[i] = add_value(plan, step, r, node->in[i]);
    read.p = next_operand(step, OPERAND_P);
    add_channel_operands(plan, step, node);
    if (r->count == READER_MOST) bug("%s: an expression of too many entries", step->name);
    r->entry[r->count] = read;
    return r->count++;
}

static int add_value(Plan *plan, Step *step, Reader *r, const Value *value) {
    value = source(plan, value);
    for (int i = 0; i < r->count; i++)
        if (r->entry[i].value == value) return i;
    if (is_computed(plan, value)) return add_node(plan, step, r, value->producer);
    if (r->count == READER_MOST) bug("%s: an expression of too many entries", step->name);
    r->entry[r->count] = (Read){.value = value, .x = next_operand(step, OPERAND_X)};
    step_reads(plan, step, OPERAND_X, value);
    return r->count++;
}

Reader *reader_new(Plan *plan, Step *step, const Value *first, const Value *second) {
    Reader *r = arena_alloc(plan->arena, sizeof *r);
    r->root[0] = add_value(plan, step, r, first);
    r->root[1] = second ? add_value(plan, step, r, second) : -1;
    return r;
}

Reader *reader_of_node(Plan *plan, Step *step, const Node *node) {
    Reader *r = arena_alloc(plan->arena, sizeof *r);
    r->root[0] = add_node(plan, step, r, node);
    r->root[1] = -1;
    return r;
}

/* ---- the decision ---- */
/* Of one step that reads values by expressions: which are stored, and how many entries and numbers of channels it has.
 */
typedef struct Load {
    const Value *stored[READER_X + 1];
    const Value *seen[READER_MOST + 1];
    int count, entries, channels;
    bool fits;
} Load;

static void load_value(const Plan *plan, const Value *v, const Value *computed, Load *l) {
    v = source(plan, v);
    for (int i = 0; i < l->entries; i++)
        if (l->seen[i] == v) return;
    const bool stored = v != computed && !is_computed(plan, v);
    if (l->entries == READER_MOST || (stored && l->count == READER_X)) {
        l->fits = false;
        return;
    }
    l->seen[l->entries++] = v;
    if (stored) {
        l->stored[l->count++] = v;
        return;
    }
    l->channels += 4;
    for (int i = 0; i < element_inputs(v->producer); i++) load_value(plan, v->producer->in[i], computed, l);
}

/* Values that a step of the node reads by expressions; false: all must be stored. */
static bool reads_expressions(const Node *node, int input) {
    switch (node->op) {
    case OP_CONV:
    case OP_CONVTRANSPOSE:
    case OP_CONV_WEIGHTS:
    case OP_STATS:
    case OP_SUM:
    case OP_SCALE_WEIGHTS:
    case OP_PRELU_WEIGHTS:
        return true;
    case OP_BN_SUMS:
        return input < 2;
    default:
        if (batch_norm_can(node)) return true;
        return reader_can(node) && input < element_inputs(node);
    }
}

/* Whether the step reads each input by an expression of its own. */
static bool has_readers(const Node *node) {
    return node->op == OP_CONV_WEIGHTS || batch_norm_can(node);
}

/* Passes over memory of the step that node is in: of what it reads; a node that is not stored is in its readers'. */
typedef struct Sites {
    const Plan *plan;
    int **users; /* by value id: ids of nodes that read it, -1 the last */
    int passes;
    bool fits;
} Sites;

static void count_passes(Sites *s, const Value *v, const Value *computed) {
    const Graph *g = s->plan->graph;
    for (const int *u = s->users[v->id]; *u >= 0; u++) {
        const Node *user = g->nodes[*u];
        if (s->plan->values[user->out->id].computed) {
            count_passes(s, user->out, computed);
            continue;
        }
        Load l = {.fits = true};
        for (int i = 0; i < user->nin; i++) {
            if (!reads_expressions(user, i)) continue;
            if (has_readers(user)) l.entries = 0;
            load_value(s->plan, user->in[i], computed, &l);
        }
        s->passes += l.count;
        s->fits &= l.fits && l.channels <= READER_P;
    }
}

static bool may_be_computed(const Plan *plan, const Node *node, int **users) {
    const Value *v = node->out;
    if (!reader_can(node) || v->is_output || v->all || source(plan, v) != v) return false;
    if (v->shape.c < 1 || !*users[v->id]) return false;
    for (const int *u = users[v->id]; *u >= 0; u++) {
        const Node *user = plan->graph->nodes[*u];
        for (int i = 0; i < user->nin; i++)
            if (source(plan, user->in[i]) == v && !reads_expressions(user, i)) return false;
    }
    return true;
}

static int **find_users(const Plan *plan) {
    const Graph *g = plan->graph;
    int *count = arena_alloc(plan->arena, sizeof *count * ((size_t)g->value_count + 1));
    int **users = arena_alloc(plan->arena, sizeof *users * ((size_t)g->value_count + 1));
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < g->value_count && pass; i++) {
            users[i] = arena_alloc(plan->arena, sizeof **users * (size_t)(count[i] + 1));
            count[i] = 0;
            users[i][0] = -1;
        }
        for (int i = 0; i < g->node_count; i++)
            for (int k = 0; k < g->nodes[i]->nin; k++) {
                const int id = source(plan, g->nodes[i]->in[k])->id;
                if (source(plan, g->nodes[i]->out)->id == id) continue; /* another name of the same */
                if (!pass) {
                    count[id]++;
                    continue;
                }
                bool known = false;
                for (int j = 0; j < count[id]; j++) known |= users[id][j] == i;
                if (known) continue;
                users[id][count[id]++] = i;
                users[id][count[id]] = -1;
            }
    }
    return users;
}

void plan_computed(Plan *plan) {
    const Graph *g = plan->graph;
    int **users = find_users(plan);
    for (int i = 0; i < g->node_count; i++) {
        const Node *node = g->nodes[i];
        if (!may_be_computed(plan, node, users)) continue;
        Load own = {.fits = true};
        for (int k = 0; k < element_inputs(node); k++) load_value(plan, node->in[k], NULL, &own);
        Sites stored = {.plan = plan, .users = users, .fits = true}, computed = stored;
        count_passes(&stored, node->out, NULL);
        count_passes(&computed, node->out, node->out);
        plan->values[node->out->id].computed = computed.fits && computed.passes < stored.passes + own.count + 1;
    }
}
