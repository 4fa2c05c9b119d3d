/* How far a rounding error spreads. By the model of moments.h: forwards the moments of every value, backwards what
 * share of an error's mean square, wherever it is made, arrives at an output. Errors are taken as independent of each
 * other, so that mean squares add up.
 */
#include <math.h>

#include "../ops.h"
#include "plan.h"

typedef struct Passage { /* through a node */
    double *carried;     /* by input: of an error's mean square, what reaches the op's result */
    double branch, rest; /* of that, what reaches the sum with the addend; of that, what reaches the value */
    double added;        /* mean square of what the op adds up, which a batch norm's shift may take away in part */
} Passage;

static Moments pass_node(Passage *p, const Node *n, const Moments *values, Arena *arena) {
    Moments *in = arena_alloc(arena, ((size_t)n->nin + 1) * sizeof *in);
    const Epilogue *e = &n->epilogue;
    *p = (Passage){arena_alloc(arena, ((size_t)n->nin + 1) * sizeof *p->carried), 1, 1, 0};
    for (int i = 0; i < n->nin; i++) in[i] = values[n->in[i]->id];
    Moments out = op_info(n->op)->moments(n, in, p->carried);
    for (int i = 0; i < n->nin; i++) p->added += p->carried[i] * moments_square(in[i]);
    if (e->addend) out = moments_residual(out, values[e->addend->id], &p->branch);
    if (e->act != ACT_NONE) out = moments_activation(e->act, e->slope, out, &p->rest);
    double pool = 1;
    if (e->pool == POOL_MAX) out = moments_maximum(out, (double)e->pool_window.r * e->pool_window.s);
    if (e->pool == POOL_GLOBAL_AVG) out = moments_average(out, (double)e->unpooled.h * e->unpooled.w, &pool);
    p->rest *= pool;
    return out;
}

/* reach: by value id, what share arrives at the output; of the output itself it is given, of others zero. */
static void spread_back(const Plan *plan, const Passage *passages, double *reach) {
    const Graph *g = plan->graph;
    for (int i = g->node_count - 1; i >= 0; i--) {
        const Node *n = g->nodes[i];
        const Passage *p = &passages[i];
        const double sum = reach[n->out->id] * p->rest, here = sum * p->branch;
        for (int k = 0; k < n->nin; k++) reach[n->in[k]->id] += here * p->carried[k];
        if (n->epilogue.addend) reach[n->epilogue.addend->id] += sum;
        plan->gains[i] = fmax(plan->gains[i], here * p->added);
    }
}

void plan_gains(Plan *plan) {
    const Graph *g = plan->graph;
    Arena arena = {0};
    Moments *values = arena_alloc(&arena, (size_t)g->value_count * sizeof *values);
    Passage *passages = arena_alloc(&arena, ((size_t)g->node_count + 1) * sizeof *passages);
    plan->gains = arena_alloc(plan->arena, ((size_t)g->node_count + 1) * sizeof *plan->gains);
    plan->value_gains = arena_alloc(plan->arena, (size_t)g->value_count * sizeof *plan->value_gains);
    values[g->input->id] = (Moments){0, 0, 1};
    for (int i = 0; i < g->node_count; i++)
        values[g->nodes[i]->out->id] = pass_node(&passages[i], g->nodes[i], values, &arena);
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
