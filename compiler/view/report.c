/* rnc --report: a row per convolution with its algorithm, time, what the output gets of its rounding error, and the
 * candidates that come after it.
 *
 *     layer            algorithm            us    direct  error    others
 *     layer1.0.conv1   F(6x6), 4 blocks     590    2070   3.7e-06  F(4x6) 602, F(6x4) 603, F(4x4) 633
 */
#include <string.h>

#include "../ops.h"
#include "../plan/choose.h"
#include "../plan/winograd.h"
#include "html.h"
#include "view.h"
#include "../../runtime/cpu.h"

enum { OTHERS = 3 };

typedef struct ReportRow {
    const char *layer, *shape, *algorithm, *others, *reason;
    double us, direct; /* 0: not known */
    double error;
} ReportRow;

typedef struct Report {
    Arena arena;
    const Plan *plan;
    ReportRow *rows;
    int count, capacity, cautious; /* layers that take less error than the fastest candidate has */
    bool measured;
    int64_t multiplications, macs;
} Report;

static bool choice_is_fast(const Choice *c) {
    return c->algorithm == ALG_WINOGRAD || c->algorithm == ALG_STRASSEN;
}

static const char *choice_name(Report *r, const Node *n, const Choice *c, bool blocks) {
    if (c->algorithm == ALG_STRASSEN) return arena_printf(&r->arena, "strassen, tiles of %d", c->block);
    if (c->algorithm != ALG_WINOGRAD) return algorithm_name(c->algorithm);
    const char *name = arena_printf(&r->arena, "F(%dx%d)%s", c->m_h, c->m_w,
                                    c->side > 1 ? arena_printf(&r->arena, " of %dx%d pixels", c->side, c->side) : "");
    WinogradPlan w = {0};
    if (!blocks || !winograd_tiles(&w, n, c, plan_images(r->plan, n))) return name;
    const int tiles = winograd_tile_count(&w);
    return c->block >= tiles ? arena_printf(&r->arena, "%s, %d tiles at once", name, tiles)
                             : arena_printf(&r->arena, "%s, %d tiles by %d", name, tiles, c->block);
}

static const char *other_names(Report *r, const Node *n, const Decision *d) {
    Text t = {0};
    for (int i = 0, listed = 0; i < d->count && listed < OTHERS; i++) {
        if (i == d->chosen) continue;
        text_printf(&t, "%s%s %.0f", listed++ ? ", " : "", choice_name(r, n, &d->list[i].choice, false),
                    d->list[i].cost.us);
    }
    const char *names = arena_strdup(&r->arena, t.s ? t.s : "");
    text_free(&t);
    return names;
}

static void add_row(Report *r, const Node *n, const Decision *d) {
    const Candidate *c = &d->list[d->chosen];
    const Window *w = &n->term[0].window;
    const Shape out = node_unpooled_shape(n);
    ReportRow row = {.layer = n->name, .us = c->cost.us};
    row.error = choose_error(r->plan, n, c);
    row.shape = arena_printf(&r->arena, "%dx%d%s %d->%d @%dx%d", w->r, w->s,
                             w->stride_h > 1 ? arena_printf(&r->arena, "/%d", w->stride_h) : "", n->in[0]->shape.c,
                             n->features, out.h, out.w);
    row.algorithm = choice_name(r, n, &c->choice, true);
    row.others = other_names(r, n, d);
    for (int i = 0; i < d->count; i++)
        if (!choice_is_fast(&d->list[i].choice)) row.direct = d->list[i].cost.us;
    row.reason = d->count == 1      ? "no other way"
                 : d->chosen        ? "faster ones would spend more of the error budget"
                 : c->cost.measured ? "the fastest, measured"
                                    : "the fastest by the model";
    r->cautious += d->chosen > 0;
    r->measured |= c->cost.measured;
    ARENA_PUSH(&r->arena, r->rows, r->count, r->capacity, row);
}

static Report make_report(const Plan *plan) {
    Report r = {.plan = plan};
    for (int i = 0; i < plan->graph->node_count; i++)
        if (plan->decisions[i].count) add_row(&r, plan->graph->nodes[i], &plan->decisions[i]);
    for (int i = 0; i < plan->step_count; i++) {
        r.macs += plan->steps[i].macs;
        r.multiplications += plan->steps[i].multiplications;
    }
    return r;
}

static void print_totals(const Report *r, Text *out) {
    text_printf(out, "%.2f G multiplications where the source has %.2f; ", (double)r->multiplications * 1e-9,
                (double)r->macs * 1e-9);
    text_printf(out, "predicted error of the output %.1e", r->plan->predicted_error);
    if (r->plan->measured_error > 0) text_printf(out, ", measured %.1e", r->plan->measured_error);
    text_printf(out, " (tolerance %.1e)", r->plan->options.tolerance);
    if (r->cautious)
        text_printf(out, "; %d layer%s less error than the fastest would", r->cautious,
                    r->cautious == 1 ? " takes" : "s take");
    text_printf(out, "; packed weights %.1f MB", (double)r->plan->recipe.packed_size * 1e-6);
    int64_t bf16 = 0;
    for (int i = 0; i < r->plan->step_count; i++) {
        const Step *s = &r->plan->steps[i];
        if (s->conv.term[0].bf16) bf16 += 2 * tensor_size(s->node->term[0].weight);
    }
    if (bf16) text_printf(out, ", of them %.1f MB bf16, each rounded by up to 1/256 of it", (double)bf16 * 1e-6);
}

static const char *times_text(Report *r) {
    const int threads = r->plan->options.threads > 1 ? r->plan->options.threads : 1;
    return arena_printf(&r->arena, "times %s, of %d thread%s",
                        r->measured ? "measured in the whole network" : "by the cost model", threads,
                        threads > 1 ? "s" : "");
}

void report_text(const Plan *plan, Text *out) {
    Report r = make_report(plan);
    int layer = 5, shape = 5, algorithm = 9;
    for (int i = 0; i < r.count; i++) {
        if ((int)strlen(r.rows[i].layer) > layer) layer = (int)strlen(r.rows[i].layer);
        if ((int)strlen(r.rows[i].shape) > shape) shape = (int)strlen(r.rows[i].shape);
        if ((int)strlen(r.rows[i].algorithm) > algorithm) algorithm = (int)strlen(r.rows[i].algorithm);
    }
    text_printf(out, "%s: %s, batch %d; %s\n\n", plan->graph->name, rn_isa_name((rn_isa)plan->options.isa),
                plan->options.batch, times_text(&r));
    text_printf(out, "%-*s  %-*s  %-*s  %8s %8s %8s  %s\n", layer, "layer", shape, "shape", algorithm, "algorithm",
                "us", "direct", "error", "others");
    for (int i = 0; i < r.count; i++) {
        const ReportRow *row = &r.rows[i];
        text_printf(out, "%-*s  %-*s  %-*s  %8.0f %8.0f %8.1e  %s%s%s\n", layer, row->layer, shape, row->shape,
                    algorithm, row->algorithm, row->us, row->direct, row->error, row->others, *row->others ? "; " : "",
                    row->reason);
    }
    text_puts(out, "\n");
    print_totals(&r, out);
    text_puts(out, "\n");
    arena_free(&r.arena);
}

void report_html(const Plan *plan, const char *command, Text *out) {
    Report r = make_report(plan);
    html_begin(out, arena_printf(&r.arena, "%s: how its convolutions are computed", plan->graph->name));
    text_printf(out, "<p>%s, batch %d; %s. ", rn_isa_name((rn_isa)plan->options.isa), plan->options.batch,
                times_text(&r));
    print_totals(&r, out);
    text_puts(out, ".<br><code>");
    html_escape(out, command);
    text_puts(out, "</code></p>\n<table><tr><th>layer</th><th>shape</th><th>algorithm</th><th>&#181;s</th><th>direct "
                   "&#181;s</th><th>error</th><th>others</th><th>why</th></tr>\n");
    for (int i = 0; i < r.count; i++) {
        const ReportRow *row = &r.rows[i];
        const char *const texts[] = {row->layer, row->shape, row->algorithm};
        text_puts(out, "<tr>");
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            text_puts(out, "<td>");
            html_escape(out, texts[k]);
            text_puts(out, "</td>");
        }
        text_printf(out, "<td>%.0f</td><td>%.0f</td><td>%.1e</td><td>%s</td><td>%s</td></tr>\n", row->us, row->direct,
                    row->error, row->others, row->reason);
    }
    text_puts(out, "</table>\n");
    html_end(out);
    arena_free(&r.arena);
}
