/* What --report says of each layer: how it is computed, how long that takes, what else was considered and why not, and
 * what its weights take.
 *
 * Convolutions have their candidates' times. Of other layers the cost model has fully connected ones; what is left
 * moves its activations through the caches, and is estimated by their bytes.
 */
#include <math.h>
#include <string.h>

#include "emit/describe.h"
#include "graph/act.h"
#include "graph/ops.h"
#include "plan/algorithms.h"
#include "plan/choose.h"
#include "plan/error.h"
#include "report.h"

static const double BYTES_PER_US = 20e3; /* activations through L2 and L3, of one thread */
static const double AS_FAST = 0.005;     /* a share of the time */

static void add_others(Report *r, ReportRow *row, const Decision *d) {
    for (int i = 0; i < d->count && row->others < REPORT_OTHERS; i++) {
        if (i == d->chosen) continue;
        row->other[row->others] = choice_name(&r->arena, &d->list[i].choice);
        row->other_us[row->others++] = d->list[i].cost.us;
    }
}

static const char *reason_of(Report *r, const ReportRow *row, const Decision *d) {
    const Candidate *c = &d->list[d->chosen];
    if (d->count == 1) return "no other way";
    if (d->chosen && c->cost.us <= d->list[0].cost.us * (1 + AS_FAST)) return "as fast as any, with a smaller error";
    if (d->chosen && c->cost.bytes < d->list[0].cost.bytes && r->smaller)
        return arena_printf(&r->arena, "%s would have larger weights",
                            d->chosen == 1 ? "a faster one" : arena_printf(&r->arena, "%d faster ones", d->chosen));
    if (d->chosen)
        return arena_printf(&r->arena, "%s would spend more of the error budget",
                            d->chosen == 1 ? "a faster one" : arena_printf(&r->arena, "%d faster ones", d->chosen));
    return arena_printf(&r->arena, "the fastest of %d%s", row->candidates,
                        c->cost.measured ? ", measured" : " by the model");
}

static void decide(Report *r, ReportRow *row, const Decision *d) {
    const Candidate *c = &d->list[d->chosen];
    row->candidates = d->count;
    row->us = c->cost.us;
    row->error = choose_error(r->plan, row->node, c);
    row->kind = algorithm_info(c->choice.algorithm)->kind;
    row->algorithm =
        arena_printf(&r->arena, "%s%s", choice_name(&r->arena, &c->choice),
                     choice_blocks(&r->arena, r->plan, row->node, &c->choice, plan_images(r->plan, row->node)));
    add_others(r, row, d);
    for (int i = 0; i < d->count; i++)
        if (choice_is_direct(&d->list[i].choice)) row->direct = d->list[i].cost.us;
    row->reason = reason_of(r, row, d);
    r->cautious += d->chosen > 0 && !(r->smaller && c->cost.bytes < d->list[0].cost.bytes);
    r->measured |= c->cost.measured;
}

/* Why a layer that nothing was chosen for is as it is. */
static const char *plain_reason(Report *r, const Step *s) {
    switch (algorithm_info(s->algorithm)->kind) {
    case KIND_FC:
        return s->images > 1 ? arena_printf(&r->arena, "its weights are read once for %d images", s->images)
                             : "its weights, each of them once, from memory";
    case KIND_CONVERSION:
        return "the caller's planes to channels last, or back";
    default:
        if (s->words) return s->complete ? "another order of elements" : "an input that is not made in its place";
        return "one pass over its input: nothing before it takes it in";
    }
}

static const char *conv_shape(Report *r, const Node *n) {
    const Window *w = &n->term[0].window;
    const Shape out = node_unpooled_shape(n);
    const char *stride = w->stride_h > 1 ? arena_printf(&r->arena, "/%d", w->stride_h) : "";
    const char *groups = n->term[0].groups > 1 ? arena_printf(&r->arena, " groups %d", n->term[0].groups) : "";
    return arena_printf(&r->arena, "%dx%d%s %d->%d%s @%dx%d", w->r, w->s, stride, n->in[0]->shape.c, n->features,
                        groups, out.h, out.w);
}

static const char *shape_of(Report *r, const Step *s) {
    const Node *n = s->node;
    if (n && n->op == OP_CONV) return conv_shape(r, n);
    const Shape in = s->nin ? s->in[0]->shape : s->out->shape, out = s->out->shape;
    if (n && n->op == OP_FC) return arena_printf(&r->arena, "%d->%d", (int)shape_size(in), n->features);
    const char *window = "";
    if (n && (op_info(n->op)->flags & OPF_WINDOW)) {
        const Window *w = &n->attr.window;
        window = n->attr.global    ? arena_printf(&r->arena, "%dx%d ", in.h, in.w)
                 : w->stride_h > 1 ? arena_printf(&r->arena, "%dx%d/%d ", w->r, w->s, w->stride_h)
                                   : arena_printf(&r->arena, "%dx%d ", w->r, w->s);
    }
    return arena_printf(&r->arena, "%s%d @%dx%d", window, out.c, out.h, out.w);
}

/* "conv + add + relu": the words of describe_step, without sizes. */
static const char *operation_of(Report *r, const Step *s) {
    if (!s->node) return algorithm_name(s->algorithm);
    const Node *n = s->node;
    const Epilogue *e = &n->epilogue;
    const char *word = op_info(n->op)->word;
    Text t = {0};
    text_puts(&t, *word == '.' ? word + 1 : word);
    for (int i = 1; i < n->nin && n->term; i++) text_puts(&t, " + shortcut");
    if (e->addend) text_puts(&t, " + add");
    if (e->act) text_printf(&t, " + %s", act_info(e->act)->word);
    if (e->pool) text_puts(&t, e->pool == POOL_GLOBAL_AVG ? " + avgpool" : " + maxpool");
    const char *text = arena_strdup(&r->arena, t.s);
    text_free(&t);
    return text;
}

/* The parameters below an expression, each once. */
static int64_t source_bytes(const Tensor *t, bool *seen) {
    if (!t || seen[t->id]) return 0;
    seen[t->id] = true;
    int64_t bytes = t->op == RN_PARAM ? tensor_bytes(t) : 0;
    for (int i = 0; i < t->nargs; i++) bytes += source_bytes(t->arg[i], seen);
    return bytes;
}

static int64_t node_source_bytes(const Node *n, bool *seen) {
    int64_t bytes = source_bytes(n->epilogue.bias, seen) + source_bytes(n->epilogue.prelu, seen);
    for (int i = 0; i < n->nin && n->term; i++) bytes += source_bytes(n->term[i].weight, seen);
    for (int i = 0; i < NODE_MAX_WEIGHTS; i++) bytes += source_bytes(n->weight[i], seen);
    return bytes;
}

/* Whose kernels a layer's GEMMs have, where the machine's row leaves a choice. */
static void say_kernels(Report *r, ReportRow *row) {
    const Machine *m = r->plan->options.machine;
    if (!row->candidates || m->fetching != FETCH_WOVEN || m->isa == RN_ISA_GENERIC) return;
    row->reason = arena_printf(&r->arena, "%s; %s", row->reason,
                               row->woven ? "woven kernels fetch its weights, which come from afar"
                                          : "libxsmm's kernels: its weights are at hand, or its columns too few");
}

/* The row of a step's node, or a new one. */
static ReportRow *row_of_step(Report *r, const Step *s) {
    const Node *n = s->node;
    if (n && r->row_of[n->id] >= 0) return &r->rows[r->row_of[n->id]];
    const ReportRow row = {.node = n, .name = n ? n->name : s->name};
    if (n) r->row_of[n->id] = r->count;
    ARENA_PUSH(&r->arena, r->rows, r->count, r->capacity, row);
    return &r->rows[r->count - 1];
}

static void add_step_to(Report *r, ReportRow *row, const Step *s) {
    const AlgorithmKind kind = algorithm_info(s->algorithm)->kind;
    const int64_t weights = step_weight_bytes(s), activations = step_bytes(s) - weights / s->images;
    row->macs += s->macs;
    row->multiplications += s->multiplications;
    row->activations += activations;
    row->packed += weights;
    row->woven |= s->woven;
    for (int i = 0; i < s->operand_count; i++)
        if (s->operands[i].room == ROOM_WEIGHTS && s->operands[i].type == RN_BF16) r->bf16 += s->operands[i].bytes;
    if (row->candidates) return; /* of all its steps together */
    const int threads = r->plan->options.threads > 1 ? r->plan->options.threads : 1;
    const double us = s->node ? algorithm_us(r->plan, s->node, &r->plan->choices[s->node->id], s->images) : 0;
    row->us += us > 0 ? us : (double)activations / BYTES_PER_US / threads;
    row->kind = kind;
    row->algorithm = algorithm_name(s->algorithm);
    row->reason = plain_reason(r, s);
    if (kind == KIND_FC) row->error = sqrt(error_of_sum(r->plan, row->node));
}

Report report_make(const Plan *plan) {
    Report r = {.plan = plan, .smaller = plan->size.bytes < plan->size.fastest_bytes};
    const Graph *g = plan->graph;
    r.row_of = arena_alloc(&r.arena, sizeof *r.row_of * (size_t)(g->node_count + 1));
    for (int i = 0; i < g->node_count; i++) r.row_of[i] = -1;
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        if (!step_is_call(s)) continue;
        const int before = r.count;
        ReportRow *row = row_of_step(&r, s);
        if (r.count > before && row->node && plan->decisions[row->node->id].count)
            decide(&r, row, &plan->decisions[row->node->id]);
        if (r.count > before) {
            row->operation = operation_of(&r, s);
            row->shape = shape_of(&r, s);
            row->place = row->node ? describe_place(&r.arena, row->node->place) : "";
        }
        add_step_to(&r, row, s);
    }
    bool *seen = arena_alloc(&r.arena, (size_t)g->tensor_count + 1);
    for (int i = 0; i < r.count; i++) {
        ReportRow *row = &r.rows[i];
        say_kernels(&r, row);
        row->weights = row->node ? node_source_bytes(row->node, seen) : 0;
        r.us += row->us;
        r.macs += row->macs, r.multiplications += row->multiplications;
        r.activations += row->activations, r.weights += row->weights, r.packed += row->packed;
    }
    return r;
}

const char *const report_kinds[KIND_COUNT] = {
    [KIND_DIRECT] = "direct sums",           [KIND_WINOGRAD] = "Winograd's method",
    [KIND_STRASSEN] = "Strassen's method",   [KIND_FC] = "fully connected",
    [KIND_PASS] = "passes over activations", [KIND_CONVERSION] = "conversions of input and outputs"};

double report_share(const Report *r, double us) {
    return r->us > 0 ? 100 * us / r->us : 0;
}

const char *report_us(Arena *arena, double us) {
    return arena_printf(arena, us < 99.95 ? "%.1f" : "%.0f", us);
}

void report_free(Report *r) {
    arena_free(&r->arena);
}

void report_totals(const Report *r, Text *out) {
    text_printf(out, "%.2f G multiplications where the source has %.2f; ", (double)r->multiplications * 1e-9,
                (double)r->macs * 1e-9);
    text_printf(out, "predicted error of the output %.1e", r->plan->predicted_error);
    if (r->plan->measured_error > 0) text_printf(out, ", measured %.1e", r->plan->measured_error);
    text_printf(out, " (tolerance %.1e)", r->plan->options.tolerance);
    if (r->cautious)
        text_printf(out, "; %d layer%s less error than the fastest would", r->cautious,
                    r->cautious == 1 ? " takes" : "s take");
    text_printf(out, "; packed weights %.1f MB", (double)r->plan->recipe.packed_size * 1e-6);
    if (r->smaller)
        text_printf(out, " (%.1f MB less than the fastest, for %.1f %% more time)",
                    (double)(r->plan->size.fastest_bytes - r->plan->size.bytes) * 1e-6,
                    fmax(r->plan->size.time, 0) * 100);
    if (r->bf16) text_printf(out, ", of them %.1f MB bf16, each rounded by up to 1/256 of it", (double)r->bf16 * 1e-6);
}

const char *report_times(Report *r) {
    const int threads = r->plan->options.threads > 1 ? r->plan->options.threads : 1;
    return arena_printf(&r->arena, "times %s, of %d thread%s",
                        r->measured ? "measured in the whole network" : "by the cost model", threads,
                        threads > 1 ? "s" : "");
}
