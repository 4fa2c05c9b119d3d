/* How far a rounding error spreads. By the model of moments.h: forwards the moments of every value, backwards what
 * share of an error's mean square, wherever it is made, arrives at an output, and through how wide a window an output's
 * element sees it. Errors are taken as independent of each other, so that mean squares add up.
 */
#include <math.h>

#include "graph/ops.h"
#include "error.h"

typedef struct Passage {   /* through a node */
    double *carried;       /* by input: of an error's mean square, what reaches the op's result */
    double branch, addend; /* of that, and of the addend's, what reaches their sum */
    double rest;           /* of that, what reaches the value */
    Moments sum;           /* before the activation */
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
    *p = (Passage){.carried = arena_alloc(known->arena, ((size_t)n->nin + 1) * sizeof *p->carried),
                   .branch = 1,
                   .addend = 1,
                   .rest = 1};
    for (int i = 0; i < n->nin; i++) {
        in[i] = known->moments[n->in[i]->id];
        if (known->depth[n->in[i]->id] >= depth) depth = known->depth[n->in[i]->id] + 1;
    }
    Moments out = op_info(n->op)->moments(n, in, p->carried);
    for (int i = 0; i < n->nin; i++) *(i ? &p->added.others : &p->added.first) += p->carried[i] * moments_square(in[i]);
    if (e->addend) out = add_addend(p, known, depth, out, e->addend);
    p->sum = out;
    if (e->act != ACT_NONE) out = moments_activation(e->act, e->numbers, out, &p->rest);
    if (e->pool == POOL_MAX) out = moments_maximum(out, (double)e->pool_window.r * e->pool_window.s);
    if (e->pool == POOL_GLOBAL_MAX) out = moments_maximum(out, (double)e->unpooled.h * e->unpooled.w);
    if (e->pool == POOL_GLOBAL_AVG) out = moments_average(out, (double)e->unpooled.h * e->unpooled.w, &step);
    p->rest *= step;
    known->moments[n->out->id] = out;
    known->depth[n->out->id] = depth;
}

/* What an output's element sees of a value: the variance of its window's rows and columns, in pixels. */
typedef struct Seen {
    double share; /* of an error's mean square, what arrives at the output */
    double sum;   /* likewise of the sum of the value's node, beyond what comes by the value */
    double height, width;
} Seen;

static void see(Seen *seen, double share, double height, double width) {
    seen->share += share;
    seen->height = fmin(seen->height, height);
    seen->width = fmin(seen->width, width);
}

static double spread_of(int kernel, int dilate) {
    return ((double)kernel * kernel - 1) / 12 * dilate * dilate;
}

/* How an operation's result, seen through `height` and `width`, sees an input. */
static void see_input(Seen *in, double share, const Node *n, int i, double height, double width) {
    const unsigned flags = op_info(n->op)->flags;
    const Window *w = n->op == OP_CONV ? &n->term[i].window : flags & OPF_WINDOW ? &n->attr.window : NULL;
    const Shape from = n->in[i]->shape, to = node_unpooled_shape(n);
    if (n->op == OP_FC || n->op == OP_SPP || n->op == OP_MUL || n->op == OP_ADD ||
        ((flags & OPF_WINDOW) && n->attr.global)) {
        const bool elements = n->op == OP_MUL || n->op == OP_ADD;
        const bool all = elements ? node_broadcast(n) != BROADCAST_EQUAL && !(from.h == to.h && from.w == to.w) : true;
        see(in, share, all ? INFINITY : height, all ? INFINITY : width);
    } else if (w) {
        see(in, share, height * w->stride_h * w->stride_h + spread_of(w->r, w->dilate_h),
            width * w->stride_w * w->stride_w + spread_of(w->s, w->dilate_w));
    } else { /* an enlarged image has several pixels where the input has one */
        const bool resized = n->op == OP_UPSAMPLE || n->op == OP_RESIZE || n->op == OP_INTERLEAVE || n->op == OP_PHASES;
        const double taller = resized ? (double)to.h / from.h : 1, wider = resized ? (double)to.w / from.w : 1;
        see(in, share, height / (taller * taller), width / (wider * wider));
    }
}

/* The window through which the node's sum is seen, before its pool. */
static void unpool(const Epilogue *e, double *height, double *width) {
    const Window *w = &e->pool_window;
    if (pool_is_global(e)) *height = *width = INFINITY;
    if (e->pool != POOL_MAX) return;
    *height = *height * w->stride_h * w->stride_h + spread_of(w->r, w->dilate_h);
    *width = *width * w->stride_w * w->stride_w + spread_of(w->s, w->dilate_w);
}

/* seen: by value id; of the output's head it is given. Gains are the largest of all outputs, windows the smallest. */
static void spread_back(const Plan *plan, const Passage *passages, Seen *seen) {
    const Graph *g = plan->graph;
    for (int i = g->node_count - 1; i >= 0; i--) {
        const Node *n = g->nodes[i];
        const Passage *p = &passages[i];
        const Seen *out = &seen[n->out->id];
        const double sum = out->share * p->rest + out->sum, here = sum * p->branch;
        if (!(sum > 0)) continue;
        double height = out->height, width = out->width;
        unpool(&n->epilogue, &height, &width);
        for (int k = 0; k < n->nin; k++) see_input(&seen[n->in[k]->id], here * p->carried[k], n, k, height, width);
        if (n->epilogue.addend) {
            const double stride = n->epilogue.addend_stride;
            see(&seen[n->epilogue.addend->id], sum * p->addend, height * stride * stride, width * stride * stride);
        }
        Gain *gain = &plan->gains[i];
        gain->first = fmax(gain->first, here * p->added.first);
        gain->others = fmax(gain->others, here * p->added.others);
        gain->window_h = fmin(gain->window_h, height);
        gain->window_w = fmin(gain->window_w, width);
    }
}

static void spread_from(Plan *plan, const Value *output, const Moments *values, const Passage *passages, Arena *arena) {
    const Graph *g = plan->graph;
    const Head head = head_find(output);
    const double sensitivity =
        head_sensitivity(&head, output, head.fused ? passages[head.fused->id].sum : values[head.value->id]);
    Seen *seen = arena_alloc(arena, (size_t)g->value_count * sizeof *seen);
    for (int i = 0; i < g->value_count; i++) seen[i].height = seen[i].width = INFINITY;
    Seen *from = &seen[head.value->id];
    *(head.fused ? &from->sum : &from->share) = sensitivity * sensitivity;
    from->height = from->width = 0;
    spread_back(plan, passages, seen);
    for (int k = 0; k < g->value_count; k++)
        plan->value_gains[k] = fmax(plan->value_gains[k], (seen[k].share + seen[k].sum) * moments_square(values[k]));
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
    plan->rough = arena_alloc(plan->arena, (size_t)g->value_count * sizeof *plan->rough);
    known.moments[g->input->id] = (Moments){0, 0, 1};
    for (int i = 0; i < g->node_count; i++) {
        plan->gains[i].window_h = plan->gains[i].window_w = INFINITY;
        pass_node(&passages[i], g->nodes[i], &known);
    }
    for (int i = 0; i < g->value_count; i++) plan->rough[i] = values[i].within / fmax(moments_square(values[i]), 1e-30);
    for (int i = 0; i < g->output_count; i++) spread_from(plan, g->outputs[i], values, passages, &arena);
    arena_free(&arena);
}
