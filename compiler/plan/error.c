/* How far a rounding error spreads. By the model of moments.h: forwards the moments of every value, backwards what
 * share of an error's mean square, wherever it is made, arrives at an output. Errors are taken as independent of each
 * other, so that mean squares add up.
 */
#include <math.h>

#include "../ops.h"
#include "plan.h"

typedef struct Passage {   /* through a node */
    double *carried;       /* by input: of an error's mean square, what reaches the op's result */
    double branch, addend; /* of that, and of the addend's, what reaches their sum */
    double rest;           /* of that, what reaches the value */
    Gain added;            /* mean squares of what the op adds up, before a batch norm's shift takes away a part */
} Passage;

/* Forwards through the graph: what is known of values so far, by id. */
typedef struct Known {
    Moments *moments;
    int *depth; /* operations on the longest way from the input */
    Arena *arena;
} Known;

/* The longer way is the branch: fusion may have made it the addend. */
static Moments add_addend(Passage *p, const Known *known, int depth, Moments sum, const Value *addend) {
    const Moments other = known->moments[addend->id];
    return known->depth[addend->id] > depth ? moments_residual(other, sum, &p->addend)
                                            : moments_residual(sum, other, &p->branch);
}

static void pass_node(Passage *p, const Node *n, const Known *known) {
    Moments *in = arena_alloc(known->arena, ((size_t)n->nin + 1) * sizeof *in);
    const Epilogue *e = &n->epilogue;
    int depth = 0;
    double step = 1;
    *p = (Passage){arena_alloc(known->arena, ((size_t)n->nin + 1) * sizeof *p->carried), 1, 1, 1, {0, 0}};
    for (int i = 0; i < n->nin; i++) {
        in[i] = known->moments[n->in[i]->id];
        if (known->depth[n->in[i]->id] >= depth) depth = known->depth[n->in[i]->id] + 1;
    }
    Moments out = op_info(n->op)->moments(n, in, p->carried);
    for (int i = 0; i < n->nin; i++) *(i ? &p->added.others : &p->added.first) += p->carried[i] * moments_square(in[i]);
    if (e->addend) out = add_addend(p, known, depth, out, e->addend);
    if (e->act != ACT_NONE) out = moments_activation(e->act, e->slope, out, &p->rest);
    if (e->pool == POOL_MAX) out = moments_maximum(out, (double)e->pool_window.r * e->pool_window.s);
    if (e->pool == POOL_GLOBAL_AVG) out = moments_average(out, (double)e->unpooled.h * e->unpooled.w, &step);
    p->rest *= step;
    known->moments[n->out->id] = out;
    known->depth[n->out->id] = depth;
}

/* reach: by value id, what share arrives at the output; of the output itself it is given, of others zero. */
static void spread_back(const Plan *plan, const Passage *passages, double *reach) {
    const Graph *g = plan->graph;
    for (int i = g->node_count - 1; i >= 0; i--) {
        const Node *n = g->nodes[i];
        const Passage *p = &passages[i];
        const double sum = reach[n->out->id] * p->rest, here = sum * p->branch;
        for (int k = 0; k < n->nin; k++) reach[n->in[k]->id] += here * p->carried[k];
        if (n->epilogue.addend) reach[n->epilogue.addend->id] += sum * p->addend;
        plan->gains[i].first = fmax(plan->gains[i].first, here * p->added.first);
        plan->gains[i].others = fmax(plan->gains[i].others, here * p->added.others);
    }
}

void plan_gains(Plan *plan) {
    const Graph *g = plan->graph;
    Arena arena = {0};
    const Known known = {arena_alloc(&arena, (size_t)g->value_count * sizeof *known.moments),
                         arena_alloc(&arena, (size_t)g->value_count * sizeof *known.depth), &arena};
    const Moments *values = known.moments;
    Passage *passages = arena_alloc(&arena, ((size_t)g->node_count + 1) * sizeof *passages);
    plan->gains = arena_alloc(plan->arena, ((size_t)g->node_count + 1) * sizeof *plan->gains);
    plan->value_gains = arena_alloc(plan->arena, (size_t)g->value_count * sizeof *plan->value_gains);
    known.moments[g->input->id] = (Moments){0, 0, 1};
    for (int i = 0; i < g->node_count; i++) pass_node(&passages[i], g->nodes[i], &known);
    for (int i = 0; i < g->output_count; i++) {
        double *reach = arena_alloc(&arena, (size_t)g->value_count * sizeof *reach);
        const int output = g->outputs[i]->id;
        reach[output] = 1 / fmax(moments_square(values[output]), 1e-30);
        spread_back(plan, passages, reach);
        for (int k = 0; k < g->value_count; k++)
            plan->value_gains[k] = fmax(plan->value_gains[k], reach[k] * moments_square(values[k]));
    }
    arena_free(&arena);
}
