/* Steps: one per node, with its algorithm; the input's and the outputs' conversions; copies where a concat's input is
 * not placed; a convolution by Winograd's method may be up to three: further terms, input transform, the rest.
 */
#include <string.h>
#include "plan.h"
#include "steps.h"
#include "strassen.h"
#include "graph/ops.h"

bool step_is_alias(const Plan *plan, const Node *node) {
    const Shape in = node->in[0]->shape;
    if (node->out->home) return false; /* must stand in the concat */
    if (shape_equal(in, node->out->shape)) return true;
    /* a flatten that moves elements: only an fc (which packs its weights in storage order) and an output can look
     * through */
    const Graph *g = plan->graph;
    for (int i = node->id + 1; i < g->node_count; i++) {
        const Node *user = g->nodes[i];
        if (user->epilogue.addend == node->out) return false;
        for (int k = 0; k < user->nin; k++)
            if (user->in[k] == node->out && user->op != OP_FC) return false;
    }
    return true;
}

const Value *step_source(const Plan *plan, const Value *value) {
    while (value->producer && (op_info(value->producer->op)->flags & OPF_COPY) && !value->home &&
           step_is_alias(plan, value->producer))
        value = value->producer->in[0];
    return value;
}

static bool is_depthwise(const Node *n) {
    return n->nin == 1 && n->term[0].groups > 1 && n->term[0].groups == n->in[0]->shape.c &&
           n->features == n->in[0]->shape.c;
}

Algorithm step_algorithm(const Plan *plan, const Node *n) {
    switch (n->op) {
    case OP_CONV: {
        if (is_depthwise(n)) return ALG_DEPTHWISE;
        for (int i = 0; i < n->nin; i++) {
            const Window *w = &n->term[i].window;
            if (w->r != 1 || w->s != 1 || w->top || w->left || w->bottom || w->right || n->term[i].groups > 1)
                return ALG_DIRECT;
        }
        return ALG_POINTWISE;
    }
    case OP_FC:
        return ALG_FC;
    case OP_AFFINE:
    case OP_RELU:
    case OP_RELU6:
    case OP_PRELU:
    case OP_LEAKYRELU:
    case OP_SIGMOID:
    case OP_TANH:
    case OP_SWISH:
    case OP_ADD:
    case OP_MUL:
        return ALG_MAP;
    case OP_MAXPOOL:
    case OP_AVGPOOL:
        return ALG_POOL;
    case OP_LRN:
        return ALG_LRN;
    case OP_SPP:
        return ALG_SPP;
    case OP_PAD:
        return ALG_PAD;
    case OP_DROPOUT:
    case OP_IDENTITY:
    case OP_FLATTEN:
        return step_is_alias(plan, n) ? ALG_ALIAS : ALG_COPY;
    case OP_SOFTMAX:
        return ALG_SOFTMAX;
    case OP_UPSAMPLE:
        return ALG_UPSAMPLE;
    case OP_CONCAT:
        return ALG_ALIAS; /* its copies are steps of their own */
    case OP_BN:
    case OP_SCALE:
    case OP_COUNT:
        break;
    }
    bug("%s: %s has no algorithm (not lowered?)", n->name, op_info(n->op)->word);
}

static Step *add_step(Plan *plan, Algorithm algorithm, const Node *node, const Value *in, const Value *out) {
    const Step step = {.algorithm = algorithm,
                       .node = node,
                       .in = in,
                       .out = out,
                       .whole = true,
                       .images = 1,
                       .weight = -1,
                       .bias = -1,
                       .slope = -1};
    ARENA_PUSH(plan->arena, plan->steps, plan->step_count, plan->step_capacity, step);
    return &plan->steps[plan->step_count - 1];
}

static void add_output_steps(Plan *plan, const Value *value) {
    if (!value->is_output) return;
    for (int i = 0; i < plan->graph->output_count; i++)
        if (plan->graph->outputs[i] == value) {
            Step *s = add_step(plan, ALG_OUTPUT, NULL, step_source(plan, value), NULL);
            s->output = i;
            s->bytes = 8 * shape_size(value->shape);
        }
}

static void add_concat_copies(Plan *plan, const Node *n) {
    int channel = 0;
    for (int k = 0; k < n->nin; k++) {
        const Value *v = n->in[k];
        const bool placed = v->home == n->out && v->home_channel == channel;
        if (!placed) {
            Step *s = add_step(plan, ALG_COPY, n, v, n->out);
            s->whole = false;
            s->concat_input = k;
            s->channel = channel;
            s->bytes = 8 * shape_size(v->shape);
        }
        channel += v->shape.c;
    }
}

static int64_t activation_bytes(const Node *n) {
    int64_t floats = shape_size(n->out->shape);
    for (int i = 0; i < n->nin; i++) floats += shape_size(n->in[i]->shape);
    if (n->epilogue.addend) floats += shape_size(n->epilogue.addend->shape);
    return 4 * floats;
}

static Node *copy_node(Plan *plan, const Node *node, const char *name) {
    Node *copy = arena_alloc(plan->arena, sizeof *copy);
    *copy = *node;
    copy->name = name;
    return copy;
}

/* The terms of `node` but the first, into its result; the first then accumulates in place. */
static const Node *add_other_terms(Plan *plan, const Node *node) {
    Node *others = copy_node(plan, node, arena_printf(plan->arena, "%s shortcut", node->name));
    others->in++, others->term++, others->nin--;
    others->epilogue.bias = others->epilogue.prelu = NULL;
    others->epilogue.act = ACT_NONE;
    Step *s = add_step(plan, step_algorithm(plan, others), others, others->in[0], node->out);
    s->whole = false;
    s->bytes = activation_bytes(others);
    s->macs = s->multiplications = node_cost(others);
    plan_conv(plan, s);
    Node *first = copy_node(plan, node, node->name);
    first->nin = 1;
    first->epilogue.addend = node->out;
    first->epilogue.addend_stride = 1;
    first->epilogue.addend_partial = false;
    first->epilogue.in_place = true;
    return first;
}

static void add_winograd(Plan *plan, const Node *node) {
    const Choice *choice = &plan->choices[node->id];
    if (node->nin > 1) node = add_other_terms(plan, node);
    const int images = plan_images(plan, node);
    const WinogradPlan *w = plan_winograd(plan, node, choice, images);
    WinogradPlan *one = images > 1 ? plan_winograd(plan, node, choice, 1) : NULL;
    if (one) one->shared = w->shared; /* of the same steps */
    if (w->shared) {
        const Node *transform = copy_node(plan, node, arena_printf(plan->arena, "%s transform", node->name));
        Step *s = add_step(plan, ALG_WINOGRAD_INPUT, transform, node->in[0], node->out);
        s->whole = false;
        s->winograd = w;
        s->temporary = (int64_t)winograd_products(w) * w->v_matrix;
        s->bytes = 4 * (shape_size(node->in[0]->shape) + s->temporary / images);
        s->images = images;
        s->winograd_one = one;
    }
    Step *s = add_step(plan, ALG_WINOGRAD, node, node->in[0], node->out);
    s->winograd = w;
    plan_panels(plan, &s->conv, node->features);
    s->bytes = activation_bytes(node);
    s->macs = node_cost(node);
    s->multiplications = (int64_t)winograd_products(w) * w->rows * w->columns * w->channels * node->features;
    s->images = images;
    s->winograd_one = one;
    const int64_t v = w->shared ? 0 : w->v_matrix, m = w->m_matrix;
    const Shape image = node_walked_shape(node);
    s->scratch = (v + m) * winograd_products(w);
    if (w->pool_apart) s->scratch += (int64_t)image.h * image.w * s->conv.panel;
    if (w->pool_rows) s->scratch += (int64_t)(w->carried + w->h.m) * image.w * round_up(node->features, 16);
    s->scratch = (s->scratch + 15) / 16 * 16;
}

static void add_strassen(Plan *plan, const Node *node) {
    Step *s = add_step(plan, ALG_STRASSEN, node, node->in[0], node->out);
    StrassenPlan *p = plan_strassen(plan, node, plan->choices[node->id].block);
    s->strassen = p;
    s->bytes = activation_bytes(node);
    s->macs = node_cost(node);
    for (int i = 0; i < node->nin; i++)
        s->multiplications += (int64_t)STRASSEN_PRODUCTS * p->pairs * p->tile * p->term[i].depth * (node->features / 2);
    s->scratch = p->products + (int64_t)STRASSEN_PRODUCT_BUFFERS * p->product_size;
}

void plan_steps(Plan *plan) {
    const Graph *g = plan->graph;
    Step *s = add_step(plan, ALG_INPUT, NULL, g->input, g->input);
    s->bytes = 8 * shape_size(g->input->shape);
    add_output_steps(plan, g->input);
    for (int i = 0; i < g->node_count; i++) {
        const Node *n = g->nodes[i];
        if (i == plan->last_node) plan->last_step = plan->step_count;
        if (n->op == OP_CONCAT) add_concat_copies(plan, n);
        if (plan->choices[i].algorithm == ALG_WINOGRAD) {
            add_winograd(plan, n);
            add_output_steps(plan, n->out);
            continue;
        }
        if (plan->choices[i].algorithm == ALG_STRASSEN) {
            add_strassen(plan, n);
            add_output_steps(plan, n->out);
            continue;
        }
        const Algorithm algorithm = step_algorithm(plan, n);
        const Value *in = n->op == OP_FC ? step_source(plan, n->in[0]) : n->in[0];
        s = add_step(plan, algorithm, n, in, n->out);
        if (algorithm != ALG_ALIAS) {
            s->bytes = activation_bytes(n);
            s->macs = s->multiplications = node_cost(n);
        }
        if (algorithm == ALG_POINTWISE || algorithm == ALG_DIRECT || algorithm == ALG_FC) plan_conv(plan, s);
        if (algorithm == ALG_FC) s->images = plan_images(plan, n);
        add_output_steps(plan, n->out);
    }
    if (plan->last_node >= g->node_count) plan->last_step = plan->step_count;
}
