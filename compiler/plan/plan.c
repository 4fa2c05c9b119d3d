/* plan_make: the decisions in order, and the plan as text (--dump=plan). */
#include "plan.h"

#include <limits.h>

#include "algorithms.h"
#include "check.h"
#include "choose.h"
#include "error.h"
#include "group.h"
#include "layout.h"
#include "memory.h"
#include "runtime/core/cpu.h"
#include "steps.h"
#include "training.h"
#include "filtering.h"
#include "weights.h"

const char *role_name(Role role) {
    static const char *const names[OPERAND_COUNT] = {
#define OPERAND(id, member) member,
#include "operands.def"
#undef OPERAND
    };
    return names[role];
}

/* The decisions in order, for weights that stay in L3 or do not. */
static Plan *plan_once(Arena *arena, const Graph *graph, const PlanOptions *options) {
    Plan *plan = arena_alloc(arena, sizeof *plan);
    plan->graph = graph;
    plan->arena = arena;
    plan->options = *options;
    if (!options->machine) plan->options.machine = machine_named("generic", options->isa);
    plan->filterings = filterings_new(arena);
    plan->values = arena_alloc(arena, (size_t)graph->value_count * sizeof *plan->values);
    plan->choices = arena_alloc(arena, ((size_t)graph->node_count + 1) * sizeof *plan->choices);
    plan->decisions = arena_alloc(arena, ((size_t)graph->node_count + 1) * sizeof *plan->decisions);
    plan_roots(plan);
    plan_group(plan);
    plan_gains(plan);
    plan_choices(plan);
    plan_layouts(plan);
    plan_steps(plan);
    plan_weights(plan);
    plan_memory(plan);
    plan_check(plan);
    /* offsets between a group's images are ints, in kernels too; without reuse of memory, say, they may be far apart */
    if (plan->group > 1 && plan->group * plan->kept_bytes > INT_MAX / 2) {
        PlanOptions one_by_one = *options;
        one_by_one.whole_batch = false;
        one_by_one.last_layers = 0;
        return plan_once(arena, graph, &one_by_one);
    }
    if (options->weights_limit && !options->other_known && (int64_t)plan->recipe.packed_size > options->weights_limit) {
        PlanOptions limited = *options;
        limited.other_known = true;
        limited.other_bytes = (int64_t)plan->recipe.packed_size - plan->size.bytes;
        return plan_once(arena, graph, &limited);
    }
    return plan;
}

/* Bytes of an instance's activations; of several images each thread has its own. */
static double activations(const Plan *plan) {
    const double threads = plan->options.threads > 1 ? plan->options.threads : 1;
    return (double)plan->arena_bytes * (plan->options.batch > 1 ? threads : 1) +
           (double)plan->kept_bytes * plan->group + (double)plan->scratch_bytes * threads;
}

/* Weights come from memory in each run, or from L3, if it keeps them from run to run. It keeps what is read in turn
 * only where all of it fits beside the activations, so that no layer alone can decide it: there are two plans, each of
 * the fastest ways that there are on its side, one of which is limited to what fits. The faster one is taken. */
Plan *plan_make(Arena *arena, const Graph *graph, const PlanOptions *options) {
    bug_context = "plan";
    PlanOptions o = *options;
    o.weights_stay = false;
    Plan *plan = plan_once(arena, graph, &o);
    const double l3_size = plan->options.machine->l3_size;
    const int64_t most = (int64_t)(l3_size - activations(plan));
    if (options->candidates || most <= 0) return plan;
    o.weights_stay = true;
    if (!o.weights_limit || o.weights_limit > most) o.weights_limit = most;
    Plan *near = plan_once(arena, graph, &o);
    const bool fits = (double)near->recipe.packed_size + activations(near) <= l3_size;
    return fits && near->size.us < plan->size.us ? near : plan;
}

/* A line for an operand: what it is to the step, and where it lies. */
static void print_operand(const Plan *plan, const Operand *o, Text *text) {
    static const char *const rooms[] = {
        [ROOM_TEMPORARY] = "temporary", [ROOM_WEIGHTS] = "weights",       [ROOM_IMAGE] = "image",
        [ROOM_RESULT] = "result",       [ROOM_PARAMETERS] = "parameters", [ROOM_GRADIENTS] = "gradients",
        [ROOM_LABELS] = "labels"};
    if (o->role == OPERAND_NONE) return;
    text_printf(text, "       %s %s: ", o->written ? "writes" : "reads ", role_name(o->role));
    if (o->room == ROOM_VALUE) {
        const ValuePlan *p = plan_value(plan, o->value);
        const Layout *l = &p->layout;
        text_printf(text, "buffer %d at %lld, pixel %d", p->buffer, (long long)plan_operand_offset(plan, o), l->pixel);
        if (p->kept) text_puts(text, " kept");
        if (p->apart) text_printf(text, " apart %lld", (long long)p->apart);
        if (p->channel) text_printf(text, " channel %d", p->channel);
        if (l->top | l->left | l->bottom | l->right)
            text_printf(text, " halo %d %d %d %d", l->top, l->left, l->bottom, l->right);
    } else
        text_printf(text, "%s at %lld%s", rooms[o->room], (long long)plan_operand_offset(plan, o),
                    plan_operand_kept(plan, o) ? " kept" : "");
    text_printf(text, ", %lld bytes\n", (long long)o->bytes);
}

static void print_step(const Plan *plan, int i, Text *text) {
    const Step *s = &plan->steps[i];
    const AlgorithmInfo *row = algorithm_info(s->algorithm);
    const Shape shape = s->out->shape;
    text_printf(text, "%4d %-*s %-28s %dx%dx%d", i, plan->training ? 15 : 9, row->word, s->name, shape.c, shape.h,
                shape.w);
    if (row->describe) row->describe(s, text);
    if (s->woven) text_puts(text, " woven");
    if (s->images > 1) text_printf(text, " for %d images", s->images);
    if (s->scratch) text_printf(text, " scratch %lld", (long long)s->scratch);
    text_puts(text, "\n");
    for (int k = 0; k < s->operand_count; k++) print_operand(plan, &s->operands[k], text);
}

void plan_print(const Plan *plan, Text *text) {
    text_printf(text, "plan %s: %s -mtune=%s, batch %d\n", plan->graph->name, rn_isa_name(plan->options.isa),
                machine_spelling(plan->arena, plan->options.machine), plan->options.batch);
    if (plan->last_step < plan->step_count)
        text_printf(text, "steps %d and after: groups of %d images, %lld bytes kept of each\n", plan->last_step,
                    plan->group, (long long)plan->kept_bytes);
    for (int i = 0; i < plan->step_count; i++) print_step(plan, i, text);
    for (int i = 0; i < plan->buffer_count; i++) {
        const Buffer *b = &plan->buffers[i];
        if (b->first > b->last) continue; /* of a value that is not stored */
        text_printf(text, "buffer %d: %lld bytes at %lld, steps %d..%d\n", i, (long long)b->bytes, (long long)b->offset,
                    b->first, b->last);
    }
    text_printf(text, "arena %lld bytes, largest live set %lld bytes (%.1f %% over), scratch %lld bytes a thread\n",
                (long long)plan->arena_bytes, (long long)plan->live_bytes,
                plan->live_bytes ? 100.0 * (double)(plan->arena_bytes - plan->live_bytes) / (double)plan->live_bytes
                                 : 0,
                (long long)plan->scratch_bytes);
    if (!plan->training) {
        text_printf(text, "packed weights %llu bytes\n", (unsigned long long)plan->recipe.packed_size);
        return;
    }
    const TrainPlan *train = plan->training;
    for (int i = 0; i < plan->graph->node_count; i++) {
        const Node *node = plan->graph->nodes[i];
        if (plan_value(plan, node->out)->computed) text_printf(text, "computed where it is read: %s\n", node->name);
    }
    text_printf(text, "parameters %lld floats, gradients %lld, momentum %lld; sums over the batch in %d slabs",
                (long long)train->floats, (long long)train->gradient_floats, (long long)train->trained_floats,
                train->slabs);
    if (train->ranks)
        text_printf(text, "; up to %d ranks of %d images, which sum %lld floats", train->ranks,
                    plan->options.rank_images, (long long)train->summed_floats);
    text_puts(text, "\n");
}
