/* What --train --report says of each layer's forward pass and gradients, and as text.
 *
 * No cost model chooses between training's algorithms. The time of a call is the larger of two: its multiplications by
 * the machine's rate, and the bytes of its operands by that of L3, or of memory where a batch's operands are larger.
 */
#include "report_train.h"

#include <stdlib.h>
#include <string.h>

#include "emit/describe.h"
#include "graph/ops.h"
#include "plan/algorithms.h"
#include "plan/batch_conv.h"
#include "report.h"
#include "runtime/core/cpu.h"

const char *const report_train_parts[TRAIN_PARTS] = {"forward", "again", "data", "weights"};

/* ---- a row ---- */
static const BatchConv *conv_of(const Step *s) {
    if (s->algorithm == ALG_BATCH_CONV || s->algorithm == ALG_BATCH_WEIGHTS) return batch_conv(s);
    return NULL;
}

static int part_of(const Step *s) {
    const Node *n = s->node;
    const size_t length = n ? strlen(n->name) : 0;
    if (!n || !n->backward) return TRAIN_FORWARD;
    if (length > 6 && !strcmp(n->name + length - 6, " again")) return TRAIN_AGAIN;
    return n->out->is_output ? TRAIN_WEIGHTS : TRAIN_DATA;
}

static const char *operation_of(const Node *n) {
    if (!n) return "input";
    const char *word = op_info(n->op)->word;
    return *word == '.' ? word + 1 : word;
}

static const char *shape_of(TrainReport *r, const Step *s) {
    const BatchConv *c = conv_of(s);
    if (!c) return arena_printf(&r->arena, "%d @%dx%d", s->out->shape.c, s->out->shape.h, s->out->shape.w);
    if (c->is_fc) return arena_printf(&r->arena, "%d->%d", c->x.c * c->x.h * c->x.w, c->y.c);
    const Window *w = &c->window;
    const char *stride = w->stride_h > 1 ? arena_printf(&r->arena, "/%d", w->stride_h) : "";
    const char *groups = c->groups > 1 ? arena_printf(&r->arena, " groups %d", c->groups) : "";
    return arena_printf(&r->arena, "%dx%d%s %d->%d%s @%dx%d", w->r, w->s, stride, c->x.c, c->y.c, groups, c->y.h,
                        c->y.w);
}

static const char *algorithm_of_step(TrainReport *r, const Step *s) {
    Text t = {0};
    if (!conv_of(s)) return strchr(algorithm_name(s->algorithm), '_') + 1; /* "map" */
    algorithm_info(s->algorithm)->describe(s, &t);
    const char *text = arena_strdup(&r->arena, t.s + strspn(t.s, " "));
    text_free(&t);
    return text;
}

/* Of the batch: of each image, or once. */
static int64_t bytes_of(const Plan *plan, const Step *s) {
    int64_t bytes = 0;
    for (int i = 0; i < s->operand_count; i++) {
        const Operand *o = &s->operands[i];
        const bool each = o->room == ROOM_IMAGE || o->room == ROOM_LABELS ||
                          (o->room == ROOM_VALUE && plan_value(plan, o->value)->apart);
        bytes += o->bytes * (each ? plan->options.batch : 1);
    }
    return bytes;
}

static void add(TrainRow *to, const TrainRow *row) {
    to->calls += row->calls;
    to->us += row->us;
    to->macs += row->macs;
    to->multiplications += row->multiplications;
    to->bytes += row->bytes;
}

static void add_step(TrainReport *r, const Step *s, bool first) {
    const Plan *plan = r->plan;
    const Machine *m = plan->options.machine;
    const int threads = plan->options.threads > 1 ? plan->options.threads : 1;
    TrainRow one = {.calls = 1, .bytes = bytes_of(plan, s)};
    one.macs = s->macs * plan->options.batch;
    one.multiplications = s->multiplications * plan->options.batch;
    const double products = 2 * (double)one.multiplications / m->flops / threads;
    const double passes = (double)one.bytes / ((double)one.bytes > m->l3_size ? m->dram : m->l3);
    one.us = 1e-3 * (products > passes ? products : passes);
    if (first) {
        const TrainRow row = {.name = s->node ? s->node->name : s->name,
                              .operation = operation_of(s->node),
                              .place = s->node ? describe_place(&r->arena, s->node->place) : "",
                              .part = part_of(s)};
        ARENA_PUSH(&r->arena, r->rows, r->count, r->capacity, row);
    }
    TrainRow *row = &r->rows[r->count - 1];
    if (!row->algorithm || conv_of(s)) row->algorithm = algorithm_of_step(r, s), row->shape = shape_of(r, s);
    add(row, &one);
    add(&r->part[row->part], &one);
    add(&r->sum, &one);
}

/* ---- memory ---- */
static int by_bytes(const void *a, const void *b) {
    const TrainHeld *x = a, *y = b;
    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static const char *buffer_name(TrainReport *r, int buffer) {
    const Plan *plan = r->plan;
    const Graph *g = plan->graph;
    if (buffer >= plan->value_buffers)
        return arena_printf(&r->arena, "temporary of %s", plan->steps[plan->buffers[buffer].first].name);
    for (int i = 0; i < g->value_count; i++)
        if (plan->values[i].buffer == buffer && plan->values[i].root == g->values[i] && g->values[i]->name)
            return g->values[i]->name;
    return "";
}

static void find_held(TrainReport *r) {
    const Plan *plan = r->plan;
    int64_t *change = arena_alloc(&r->arena, sizeof *change * ((size_t)plan->step_count + 2)), live = 0, most = 0;
    int fullest = 0;
    for (int i = 0; i < plan->buffer_count; i++) {
        const Buffer *b = &plan->buffers[i];
        if (b->last < b->first) continue;
        change[b->first] += b->bytes;
        change[b->last + 1] -= b->bytes;
        if (i < plan->value_buffers) r->stored += b->bytes;
    }
    for (int i = 0; i < plan->step_count; i++) {
        live += change[i];
        if (live > most) most = live, fullest = i;
    }
    r->fullest = plan->steps[fullest].name;
    for (int i = 0; i < plan->buffer_count; i++) {
        const Buffer *b = &plan->buffers[i];
        if (b->first > fullest || b->last < fullest) continue;
        const TrainHeld held = {buffer_name(r, i), b->bytes, plan->steps[b->first].name, plan->steps[b->last].name};
        ARENA_PUSH(&r->arena, r->held, r->held_count, r->held_capacity, held);
    }
    qsort(r->held, (size_t)r->held_count, sizeof *r->held, by_bytes);
}

TrainReport report_train_make(const Plan *plan) {
    TrainReport r = {.plan = plan};
    const TrainPlan *t = plan->training;
    const Node *last = NULL;
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        if (step_is_call(s)) add_step(&r, s, i == 0 || s->node != last);
        last = s->node;
    }
    for (int i = 0; i < plan->graph->value_count; i++) r.computed += plan->values[i].computed;
    r.fixed = 4 * (t->floats + t->gradient_floats + t->trained_floats);
    r.values = plan->arena_bytes;
    r.scratch = plan->scratch_bytes;
    find_held(&r);
    return r;
}

void report_train_free(TrainReport *r) {
    arena_free(&r->arena);
}

const char *report_train_time(TrainReport *r) {
    const int threads = r->plan->options.threads > 1 ? r->plan->options.threads : 1;
    return arena_printf(
        &r->arena,
        "times are the larger of what multiplications and what bytes take at the machine's rates, of %d "
        "thread%s",
        threads, threads > 1 ? "s" : "");
}

void report_train_totals(TrainReport *r, Text *step, Text *memory) {
    Arena *a = &r->arena;
    const int batch = r->plan->options.batch;
    text_printf(step, "%d calls, %.2f ms", r->sum.calls, r->sum.us * 1e-3);
    for (int i = 0; i < TRAIN_PARTS; i++)
        if (r->part[i].calls)
            text_printf(step, "%s %s %.2f", i ? "," : ":", report_train_parts[i], r->part[i].us * 1e-3);
    text_printf(step,
                "; %.3f G multiplications where the source has %.3f; %s read and written, %.1f times the %s of the %s "
                "that are stored; %d values are computed where they are read",
                (double)r->sum.multiplications * 1e-9, (double)r->sum.macs * 1e-9, view_bytes(a, (double)r->sum.bytes),
                r->stored ? (double)r->sum.bytes / (double)r->stored : 0, view_bytes(a, (double)r->stored), "values",
                r->computed);
    text_printf(
        memory,
        "a trainer of batch %d takes %s on one thread: parameters, gradients and momentum %s, values %s, and %s "
        "a thread; most values live at '%s'",
        batch, view_bytes(a, (double)(r->fixed + r->values + r->scratch)), view_bytes(a, (double)r->fixed),
        view_bytes(a, (double)r->values), view_bytes(a, (double)r->scratch), r->fullest);
}

/* ---- text ---- */
enum { COLUMNS = 10, WORDS = 5, HELD = 10 };

static void put_line(Text *out, const char *const cells[COLUMNS], const int width[COLUMNS]) {
    for (int i = 0; i < COLUMNS; i++) text_printf(out, i < WORDS ? "%-*s  " : "%*s  ", width[i], cells[i]);
    while (out->size && out->s[out->size - 1] == ' ') out->s[--out->size] = 0;
    text_puts(out, "\n");
}

static void put_rows(TrainReport *r, Text *out) {
    static const char *const heading[COLUMNS] = {"layer", "pass",    "operation",         "shape", "algorithm", "us",
                                                 "share", "M madds", "M multiplications", "bytes"};
    Arena *a = &r->arena;
    const char *(*cells)[COLUMNS] = arena_alloc(a, sizeof *cells * ((size_t)r->count + 1));
    int width[COLUMNS] = {0};
    memcpy(cells[0], heading, sizeof heading);
    for (int i = 0; i < r->count; i++) {
        const TrainRow *row = &r->rows[i];
        const char *const line[COLUMNS] = {row->name,
                                           report_train_parts[row->part],
                                           row->operation,
                                           row->shape,
                                           row->algorithm,
                                           report_us(a, row->us),
                                           arena_printf(a, "%.1f %%", r->sum.us > 0 ? 100 * row->us / r->sum.us : 0),
                                           row->macs ? arena_printf(a, "%.2f", (double)row->macs * 1e-6) : "",
                                           row->macs ? arena_printf(a, "%.2f", (double)row->multiplications * 1e-6)
                                                     : "",
                                           view_bytes(a, (double)row->bytes)};
        memcpy(cells[i + 1], line, sizeof line);
    }
    for (int i = 0; i <= r->count; i++)
        for (int k = 0; k < COLUMNS; k++)
            if ((int)strlen(cells[i][k]) > width[k]) width[k] = (int)strlen(cells[i][k]);
    for (int i = 0; i <= r->count; i++) put_line(out, cells[i], width);
}

void report_train_text(const Plan *plan, Text *out) {
    TrainReport r = report_train_make(plan);
    Text step = {0}, memory = {0};
    text_printf(out, "%s: %s -mtune=%s, a step of batch %d; %s\n\n", plan->graph->name,
                rn_isa_name((rn_isa)plan->options.isa), machine_spelling(&r.arena, plan->options.machine),
                plan->options.batch, report_train_time(&r));
    put_rows(&r, out);
    report_train_totals(&r, &step, &memory);
    text_printf(out, "\n%s\n%s:\n", step.s, memory.s);
    for (int i = 0; i < r.held_count && i < HELD; i++)
        text_printf(out, "  %10s  %s, from %s to %s\n", view_bytes(&r.arena, (double)r.held[i].bytes), r.held[i].name,
                    r.held[i].first, r.held[i].last);
    if (r.held_count > HELD) text_printf(out, "  and %d more\n", r.held_count - HELD);
    text_free(&step);
    text_free(&memory);
    report_train_free(&r);
}
