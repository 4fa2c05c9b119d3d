/* Weights: the recipe (runtime/rn_recipe.h) that makes the packed file from the source's tensors, in the order in which
 * the steps read them, and the steps' offsets into it. A tensor's expression becomes one step however often it is used.
 */
#include <string.h>
#include "plan.h"
#include "strassen.h"
#include "winograd.h"
#include "graph/ops.h"

static int add_recipe_step(Plan *plan, rn_recipe_step step) {
    ARENA_PUSH(plan->arena, plan->recipe_steps, plan->recipe.count, plan->recipe_capacity, step);
    return plan->recipe.count - 1;
}

/* The recipe step that makes tensor t, its arguments' before it. */
static int tensor_step(Plan *plan, const Tensor *t) {
    if (plan->tensor_step[t->id] >= 0) return plan->tensor_step[t->id];
    rn_recipe_step step = {.op = (uint8_t)t->op, .ndim = (uint8_t)t->ndim, .arg = {-1, -1, -1}, .real = t->real};
    for (int i = 0; i < t->nargs; i++) step.arg[i] = tensor_step(plan, t->arg[i]);
    for (int i = 0; i < 4; i++) step.dim[i] = i < t->ndim ? t->dim[i] : 1;
    step.integer[0] = t->integer[0];
    step.integer[1] = t->integer[1];
    if (t->op == RN_PARAM) step.name = t->name;
    return plan->tensor_step[t->id] = add_recipe_step(plan, step);
}

/* Appends a step that packs its argument behind what is packed already; returns the float offset. *bytes grows by what
 * it takes. arg: the recipe step that makes the tensor. */
static int64_t pack(Plan *plan, rn_recipe_op op, int arg, const int32_t dim[4], const int32_t integer[4],
                    int64_t *bytes) {
    rn_recipe_step step = {.op = (uint8_t)op, .ndim = 4, .arg = {arg, -1, -1}, .offset = plan->recipe.packed_size};
    memcpy(step.dim, dim, sizeof step.dim);
    if (integer) memcpy(step.integer, integer, sizeof step.integer);
    const size_t size = rn_recipe_pack_size(&step);
    plan->recipe.packed_size = (step.offset + size + 63) / 64 * 64;
    if (bytes) *bytes += (int64_t)size;
    add_recipe_step(plan, step);
    return (int64_t)(step.offset / 4);
}

static int64_t pack_vector(Plan *plan, const Tensor *t) {
    if (!t) return -1;
    const int32_t dim[4] = {(int32_t)tensor_size(t), 1, 1, 1};
    return pack(plan, RN_PACK_VECTOR, tensor_step(plan, t), dim, NULL, NULL);
}

/* Rounded weights, from what they were: packing rounds, so nobody needs them as floats. */
static void pack_fc(Plan *plan, Step *s) {
    const Tensor *w = s->node->term[0].weight;
    const Shape in = s->in->shape;
    const int32_t dim[4] = {s->node->features, in.c, in.h, in.w}, integer[4] = {s->conv.panel, in.c, 1};
    TermPlan *t = &s->conv.term[0];
    s->weight = t->weight = pack(plan, t->bf16 ? RN_PACK_PANELS_BF16 : RN_PACK_PANELS,
                                 tensor_step(plan, t->bf16 ? w->arg[0] : w), dim, integer, &s->weight_bytes);
}

static void pack_conv(Plan *plan, Step *s) {
    const Node *n = s->node;
    for (int i = 0; i < n->nin; i++) {
        const Term *term = &n->term[i];
        TermPlan *t = &s->conv.term[i];
        const int32_t dim[4] = {n->features, term->weight->dim[1], term->weight->dim[2], term->weight->dim[3]};
        const int32_t integer[4] = {s->conv.panel, t->block, term->groups};
        t->weight = pack(plan, RN_PACK_PANELS, tensor_step(plan, term->weight), dim, integer, &s->weight_bytes);
    }
    s->weight = s->conv.term[0].weight;
}

static void pack_winograd(Plan *plan, Step *s) {
    const WinogradPlan *p = s->winograd;
    const int32_t dim[4] = {s->node->features, p->channels, p->h.r, p->w.r};
    const int32_t integer[4] = {s->conv.panel, p->h.m, p->w.m, p->h.stride};
    int weight = tensor_step(plan, s->node->term[0].weight);
    if (p->side > 1)
        weight = add_recipe_step(plan, (rn_recipe_step){.op = RN_SPACE_TO_DEPTH,
                                                        .ndim = 4,
                                                        .arg = {weight, -1, -1},
                                                        .dim = {dim[0], dim[1], dim[2], dim[3]},
                                                        .integer = {p->side, WINOGRAD_DEEP_PIXEL}});
    s->weight = pack(plan, RN_PACK_WINOGRAD, weight, dim, integer, &s->weight_bytes);
}

static void pack_strassen(Plan *plan, Step *s) {
    for (int i = 0; i < s->node->nin; i++) {
        const Tensor *w = s->node->term[i].weight;
        const int32_t dim[4] = {w->dim[0], w->dim[1], w->dim[2], w->dim[3]};
        const int32_t integer[4] = {s->strassen->panel};
        s->strassen->term[i].weight =
            pack(plan, RN_PACK_STRASSEN, tensor_step(plan, w), dim, integer, &s->weight_bytes);
    }
    s->weight = s->strassen->term[0].weight;
}

void plan_weights(Plan *plan) {
    const Graph *g = plan->graph;
    plan->tensor_step = arena_alloc(plan->arena, ((size_t)g->tensor_count + 1) * sizeof *plan->tensor_step);
    for (int i = 0; i < g->tensor_count; i++) plan->tensor_step[i] = -1;
    for (int i = 0; i < plan->step_count; i++) {
        Step *s = &plan->steps[i];
        const Node *n = s->node;
        if (!n || s->algorithm == ALG_ALIAS || s->algorithm == ALG_COPY || s->algorithm == ALG_WINOGRAD_INPUT) continue;
        s->bias = pack_vector(plan, n->epilogue.bias);
        s->slope = pack_vector(plan, n->epilogue.prelu);
        if (s->algorithm == ALG_POINTWISE || s->algorithm == ALG_DIRECT)
            pack_conv(plan, s);
        else if (s->algorithm == ALG_FC)
            pack_fc(plan, s);
        else if (s->algorithm == ALG_WINOGRAD)
            pack_winograd(plan, s);
        else if (s->algorithm == ALG_STRASSEN)
            pack_strassen(plan, s);
        else if (s->algorithm == ALG_DEPTHWISE) {
            const Tensor *w = n->term[0].weight;
            const int32_t dim[4] = {w->dim[0], w->dim[1], w->dim[2], w->dim[3]};
            s->weight = s->conv.term[0].weight =
                pack(plan, RN_PACK_DEPTHWISE, tensor_step(plan, w), dim, NULL, &s->weight_bytes);
        } else if (n->op == OP_AFFINE) {
            s->weight = pack_vector(plan, n->weight[WEIGHT]);
            s->bias = pack_vector(plan, n->weight[BIAS]);
        } else if (n->op == OP_PRELU)
            s->slope = pack_vector(plan, n->weight[WEIGHT]);
        s->bytes += s->weight_bytes / s->images;
    }
    plan->recipe.steps = plan->recipe_steps;
    plan->recipe.hash = rn_recipe_hash(plan->recipe_steps, plan->recipe.count);
}
