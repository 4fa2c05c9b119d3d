/* rnc --report=FILE.html: the whole network on one page. Figures, where the time goes, the graph, a row per layer. */
#include "html.h"
#include "report.h"
#include "runtime/core/cpu.h"

static const char *milliseconds(Arena *arena, double us) {
    return us < 1000 ? arena_printf(arena, "%s \302\265s", report_us(arena, us))
                     : arena_printf(arena, "%.2f ms", us * 1e-3);
}

static void put_figures(Report *r, const Sizes *sizes, Text *out) {
    Arena *a = &r->arena;
    const Plan *plan = r->plan;
    text_puts(out, "<div class=\"figures\">\n");
    html_figure(out, milliseconds(a, r->us),
                arena_printf(a, "an image, %s, %d thread%s", r->measured ? "measured" : "by the cost model",
                             sizes->threads, sizes->threads == 1 ? "" : "s"));
    html_figure(out, arena_printf(a, "%.2f G", (double)r->multiplications * 1e-9),
                arena_printf(a, "multiplications; the source has %.2f G", (double)r->macs * 1e-9));
    html_figure(out, view_bytes(a, (double)sizes->packed),
                arena_printf(a, "packed weights; %s in float32", view_bytes(a, (double)sizes->weights)));
    html_figure(out, view_bytes(a, (double)sizes->arena),
                arena_printf(a, "arena of an instance, batch %d", sizes->batch));
    html_figure(out, arena_printf(a, "%.1e", plan->measured_error > 0 ? plan->measured_error : plan->predicted_error),
                arena_printf(a, "%s error of the output; tolerance %.1e",
                             plan->measured_error > 0 ? "measured" : "predicted", plan->options.tolerance));
    html_figure(out, sizes->target, arena_printf(a, "target; for %s, -O%d", sizes->tune, sizes->level));
    text_puts(out, "</div>\n");
}

/* One bar of the whole time, divided among the ways of computing. */
static void put_kinds(Report *r, Text *out) {
    double us[KIND_COUNT] = {0};
    int layers[KIND_COUNT] = {0};
    for (int i = 0; i < r->count; i++) {
        us[r->rows[i].kind] += r->rows[i].us;
        layers[r->rows[i].kind]++;
    }
    text_puts(out, "<h2>Where the time goes</h2>\n<div class=\"stack\">");
    for (int k = 0; k < KIND_COUNT; k++)
        if (us[k] > 0)
            text_printf(out, "<span class=\"k%d\" style=\"width:%.2f%%\" title=\"%s %.1f %%\"></span>", k,
                        report_share(r, us[k]), report_kinds[k], report_share(r, us[k]));
    text_puts(out, "</div>\n<div class=\"keys\">");
    for (int k = 0; k < KIND_COUNT; k++)
        if (layers[k])
            text_printf(out, "<span class=\"key k%d\">%s: %d layer%s, %.1f %%</span>\n", k, report_kinds[k], layers[k],
                        layers[k] == 1 ? "" : "s", report_share(r, us[k]));
    text_puts(out, "</div>\n<p>");
    Text totals = {0};
    report_totals(r, &totals);
    html_prose(out, totals.s);
    text_free(&totals);
    text_puts(out, ".</p>\n");
}

/* ---- the table ---- */
static void put_word(Text *out, const char *class, const char *word, const char *title) {
    text_printf(out, "<td class=\"%s\"", class);
    if (title && *title) {
        text_puts(out, " title=\"");
        html_escape(out, title);
        text_puts(out, "\"");
    }
    text_puts(out, ">");
    html_escape(out, word);
    text_puts(out, "</td>");
}

static void put_number(Text *out, double value, const char *shown) {
    text_printf(out, "<td data-v=\"%.9g\">%s</td>", value, shown);
}

/* With the next best; what else was near in the title. */
static void put_reason(Report *r, const ReportRow *row, Text *out) {
    Text all = {0};
    for (int i = 0; i < row->others; i++)
        text_printf(&all, "%s%s %s \302\265s", i ? ", " : "", row->other[i], report_us(&r->arena, row->other_us[i]));
    const char *next =
        row->others ? arena_printf(&r->arena, "; next %s %s", row->other[0], report_us(&r->arena, row->other_us[0]))
                    : "";
    put_word(out, "l s", arena_printf(&r->arena, "%s%s", row->reason, next), all.s);
    text_free(&all);
}

static void put_row(Report *r, int index, double longest, Text *out) {
    const ReportRow *row = &r->rows[index];
    Arena *a = &r->arena;
    text_printf(out, "<tr id=\"r%d\"><td data-v=\"%d\" class=\"s\">%d</td>", index + 1, index, index + 1);
    put_word(out, "l", row->name, row->place);
    put_word(out, "l", row->operation, NULL);
    put_word(out, "l", row->shape, NULL);
    put_word(out, "l", row->algorithm, NULL);
    text_printf(out, "<td class=\"bar l k%d\" data-v=\"%.9g\"><i style=\"width:%.1f%%\"></i></td>", (int)row->kind,
                row->us, longest > 0 ? 100 * row->us / longest : 0);
    put_number(out, row->us, arena_printf(a, "%.1f %%", report_share(r, row->us)));
    put_number(out, row->us, report_us(a, row->us));
    put_number(out, row->direct, row->direct > 0 ? report_us(a, row->direct) : "");
    put_number(out, row->error, row->error > 0 ? arena_printf(a, "%.1e", row->error) : "");
    put_number(out, (double)row->weights, row->weights ? view_bytes(a, (double)row->weights) : "");
    put_number(out, (double)row->packed, row->packed ? view_bytes(a, (double)row->packed) : "");
    put_reason(r, row, out);
    text_puts(out, "</tr>\n");
}

static void put_table(Report *r, Text *out) {
    double longest = 0;
    for (int i = 0; i < r->count; i++)
        if (r->rows[i].us > longest) longest = r->rows[i].us;
    text_puts(
        out,
        "<h2>Layers</h2>\n<div class=\"scroll\"><table class=\"sort\"><thead><tr><th>#</th><th class=\"l\">layer</th>"
        "<th class=\"l\">operation</th><th class=\"l\">shape</th><th class=\"l\">computed by</th>"
        "<th class=\"l\" data-down>time</th><th data-down>share</th><th data-down>&#181;s</th>"
        "<th data-down>direct</th><th data-down>error</th><th data-down>weights</th><th data-down>packed</th>"
        "<th class=\"l\">why</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < r->count; i++) put_row(r, i, longest, out);
    Arena *a = &r->arena;
    text_printf(out,
                "</tbody><tfoot><tr><td></td><td class=\"l\">%d layers</td><td></td><td></td><td></td><td></td>"
                "<td>100 %%</td><td>%s</td><td></td><td>%.1e</td><td>%s</td><td>%s</td><td></td></tr></tfoot>"
                "</table></div>\n",
                r->count, report_us(a, r->us), r->plan->predicted_error, view_bytes(a, (double)r->weights),
                view_bytes(a, (double)r->packed));
    text_puts(out,
              "<p>Times are of one image. direct: the same layer as a direct sum. error: what the output gets of "
              "the layer's rounding. weights: of the weights file, in float32. shape: kernel/stride, channels, and "
              "the result's rows and columns.</p>\n");
}

void report_html(const Plan *plan, const Sizes *sizes, const char *command, Text *out) {
    Report r = report_make(plan);
    html_begin(out, arena_printf(&r.arena, "%s: how it is computed", plan->graph->name), command);
    put_figures(&r, sizes, out);
    put_kinds(&r, out);
    graph_html(&r, out);
    put_table(&r, out);
    html_end(out);
    report_free(&r);
}
