/* Batches: which layers run image by image, and which for a group of images at once.
 *
 * An image's activations stay in cache from layer to layer, so the first layers take one image after another. Towards
 * the end weights outweigh activations (few pixels, many channels; fully connected layers): there a group of images
 * shares each fetch of the weights, and its tiles fill the GEMMs' columns. The plan is cut once; where, and for how
 * many images, the cost model says.
 */
#include "group.h"

#include "algorithms.h"
#include "choose.h"
#include "cost.h"

static const double MOST_FLOATS = 32 << 20; /* kept of all images of a group: an instance's memory, not its speed */
enum { MOST_IMAGES = 32, DIVISIONS = 3 /* groups of the batch, of its halves, of its quarters */ };

/* Microseconds of one image, by the fastest way, where the node runs for so many. */
static double node_time(Plan *plan, const Node *n, int images) {
    if (n->op == OP_CONV) return choose_decision(plan, n, images)->list[0].cost.us;
    return algorithm_us(plan, n, &(Choice){.algorithm = algorithm_of(plan, n)}, images);
}

/* Floats of an image that the last layers would keep if they began with node `cut`, about: what comes from before it,
 * and the most that one of them reads and writes. */
static double kept_floats(const Plan *plan, int cut) {
    const Graph *g = plan->graph;
    bool *crosses = arena_alloc(plan->arena, ((size_t)g->value_count + 1) * sizeof *crosses);
    double before = 0, most = 0;
    for (int i = cut; i < g->node_count; i++) {
        const Node *n = g->nodes[i];
        double here = (double)shape_size(n->out->shape);
        for (int k = 0; k <= n->nin; k++) {
            const Value *v = k < n->nin ? n->in[k] : n->epilogue.addend;
            if (!v) continue;
            here += (double)shape_size(v->shape);
            if (crosses[v->id] || (v->producer && v->producer->id >= cut)) continue;
            crosses[v->id] = true;
            before += (double)shape_size(v->shape);
        }
        if (here > most) most = here;
    }
    return before + most;
}

/* The best first node of the last layers for groups of this size, node_count: none; *us: an image's time. Threads meet
 * at the end of each of the last layers; through the first ones each takes its own image. */
static int best_cut(Plan *plan, int group, double *us) {
    const Graph *g = plan->graph;
    double *alone = arena_alloc(plan->arena, ((size_t)g->node_count + 1) * sizeof *alone), total = 0, gain = 0,
           best = 0;
    for (int i = 0; i < g->node_count; i++) total += alone[i] = node_time(plan, g->nodes[i], 1);
    int cut = g->node_count;
    for (int i = g->node_count - 1; i >= 0; i--) {
        gain += alone[i] - node_time(plan, g->nodes[i], group) - cost_barrier(plan) / group;
        if (gain > best && kept_floats(plan, i) * group <= MOST_FLOATS) best = gain, cut = i;
    }
    *us = total - best;
    return cut;
}

void plan_group(Plan *plan) {
    const PlanOptions *o = &plan->options;
    int group = 1, cut = plan->graph->node_count;
    double least = 0;
    for (int k = 0; k < DIVISIONS && o->whole_batch; k++) {
        const int images = divide_up(o->batch, divide_up(o->batch, MOST_IMAGES) << k);
        double us;
        if (images < 2) break;
        const int at = best_cut(plan, images, &us);
        if (k && us >= least) continue;
        group = images, cut = at, least = us;
    }
    if (o->batch > 1 && o->last_layers) group = o->batch, cut = o->last_layers - 1;
    plan->group = group;
    plan->last_node = cut;
}
