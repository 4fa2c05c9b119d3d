/* plan_make: the decisions in order, and the plan as text (--dump=plan). */
#include "plan.h"

#include <limits.h>
#include <math.h>

#include "algorithms.h"
#include "check.h"
#include "choose.h"
#include "error.h"
#include "group.h"
#include "layout.h"
#include "memory.h"
#include "runtime/core/cpu.h"
#include "steps.h"
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

/* The decisions in order, for the share of weights that the options say stays in L3. */
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

/* Of bytes that every run reads once, one after another, the share that a cache of `size` still holds when the next run
 * comes to them, if what is replaced is anyone's: a byte stays through a run with exp(-misses / size), so that the
 * share is the least solution of share = exp(-(1 - share) bytes / size); 1 where all fit. */
static double share_that_stays(double bytes, double size) {
    enum { ROUNDS = 64 };
    if (bytes <= size) return 1;
    double share = 0;
    for (int i = 0; i < ROUNDS; i++) share = exp(-(1 - share) * bytes / size);
    return share;
}

/* Bytes of an instance's activations; of several images each thread has its own. */
static double activations(const Plan *plan) {
    const double threads = plan->options.threads > 1 ? plan->options.threads : 1;
    return (double)plan->arena_bytes * (plan->options.batch > 1 ? threads : 1) +
           (double)plan->kept_bytes * plan->group + (double)plan->scratch_bytes * threads;
}

static double weights_that_stay(const Plan *plan) {
    return share_that_stays((double)plan->recipe.packed_size + activations(plan), plan->options.machine->l3_size);
}

/* How much of the weights L3 keeps from run to run decides what their bytes cost, hence how many there are, hence how
 * much it keeps. The more is believed to stay, the larger are the weights, so there is one share that comes true: it is
 * found between the last one that came true, or less, and the first one that did not. Beside it stands the plan whose
 * weights all stay because a limit says so: what each layer saves then is for the good of all others, of which no layer
 * alone knows. */
Plan *plan_make(Arena *arena, const Graph *graph, const PlanOptions *options) {
    enum { HALVINGS = 4 };
    static const double LITTLE = 0.05; /* that changes no choice */
    bug_context = "plan";
    PlanOptions o = *options;
    o.weights_stay = 0;
    Plan *plan = plan_once(arena, graph, &o);
    double low = 0, high = weights_that_stay(plan);
    if (options->candidates || high < LITTLE) return plan;
    for (int i = 0; i <= HALVINGS && high - low > LITTLE; i++) {
        o.weights_stay = i ? (low + high) / 2 : high;
        Plan *next = plan_once(arena, graph, &o);
        if (weights_that_stay(next) < o.weights_stay) {
            high = o.weights_stay;
            continue;
        }
        plan = next, low = o.weights_stay;
        if (!i) break;
    }
    const int64_t most = (int64_t)(plan->options.machine->l3_size - activations(plan));
    if (low < 1 && most > 0 && options->time_share <= 0 && (!options->weights_limit || options->weights_limit > most)) {
        o.weights_stay = 1, o.weights_limit = most;
        Plan *near = plan_once(arena, graph, &o);
        if (weights_that_stay(near) >= 1 && near->size.us < plan->size.us) plan = near;
    }
    return plan;
}

/* A line for an operand: what it is to the step, and where it lies. */
static void print_operand(const Plan *plan, const Operand *o, Text *text) {
    static const char *const rooms[] = {
        [ROOM_TEMPORARY] = "temporary", [ROOM_WEIGHTS] = "weights", [ROOM_IMAGE] = "image", [ROOM_RESULT] = "result"};
    if (o->role == OPERAND_NONE) return;
    text_printf(text, "       %s %s: ", o->written ? "writes" : "reads ", role_name(o->role));
    if (o->room == ROOM_VALUE) {
        const ValuePlan *p = plan_value(plan, o->value);
        const Layout *l = &p->layout;
        text_printf(text, "buffer %d at %lld, pixel %d", p->buffer, (long long)plan_operand_offset(plan, o), l->pixel);
        if (p->kept) text_puts(text, " kept");
        if (p->channel) text_printf(text, " channel %d", p->channel);
        if (l->top | l->left | l->bottom | l->right)
            text_printf(text, " halo %d %d %d %d", l->top, l->left, l->bottom, l->right);
    } else
        text_printf(text, "%s at %lld", rooms[o->room], (long long)plan_operand_offset(plan, o));
    text_printf(text, ", %lld bytes\n", (long long)o->bytes);
}

static void print_step(const Plan *plan, int i, Text *text) {
    const Step *s = &plan->steps[i];
    const AlgorithmInfo *row = algorithm_info(s->algorithm);
    const Shape shape = s->out->shape;
    text_printf(text, "%4d %-9s %-28s %dx%dx%d", i, row->word, s->name, shape.c, shape.h, shape.w);
    if (row->describe) row->describe(s, text);
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
        text_printf(text, "buffer %d: %lld bytes at %lld, steps %d..%d\n", i, (long long)b->bytes, (long long)b->offset,
                    b->first, b->last);
    }
    text_printf(text, "arena %lld bytes, largest live set %lld bytes (%.1f %% over), scratch %lld bytes a thread\n",
                (long long)plan->arena_bytes, (long long)plan->live_bytes,
                plan->live_bytes ? 100.0 * (double)(plan->arena_bytes - plan->live_bytes) / (double)plan->live_bytes
                                 : 0,
                (long long)plan->scratch_bytes);
    text_printf(text, "packed weights %llu bytes\n", (unsigned long long)plan->recipe.packed_size);
}
