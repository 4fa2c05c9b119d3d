/* The result of rnc bench as one self-contained HTML page: a row per variant, with a bar of its median time. */
#include "bench_view.h"
#include "html.h"
#include "view.h"

static void put_row(Text *out, const Bench *b, int index, double longest) {
    const BenchVariant *v = &b->variants[index];
    /* the unfused build is grey, the fused one dark; between them single passes */
    static const int colours[] = {[BENCH_UNFUSED] = 4, [BENCH_ALONE] = 1, [BENCH_WITHOUT] = 2, [BENCH_ALL] = 0};
    text_printf(out, "<tr><td class=\"s\" data-v=\"%d\">%d</td><td class=\"l\"><code>", index, index + 1);
    html_escape(out, v->name);
    text_printf(out, "</code></td><td class=\"l\">%s</td>", bench_kind_text(v->kind));
    if (v->same_as_first) {
        text_puts(out, "<td class=\"l s\" data-v=\"0\">changes nothing here</td>");
        for (int i = 0; i < 6; i++) text_puts(out, "<td data-v=\"0\"></td>");
    } else {
        text_printf(out, "<td class=\"bar wide l k%d\" data-v=\"%.9g\"><i style=\"width:%.1f%%\"></i></td>",
                    colours[v->kind], v->median_ms, longest > 0 ? 100 * v->median_ms / longest : 0);
        text_printf(out,
                    "<td data-v=\"%.9g\">%.3f</td><td data-v=\"%.9g\">%.3f</td><td data-v=\"%.9g\">&#215;%.3f</td>",
                    v->median_ms, v->median_ms, v->min_ms, v->min_ms, v->speedup, v->speedup);
        text_printf(out, "<td data-v=\"%lld\">%.2f</td><td data-v=\"%zu\">%.2f</td><td data-v=\"%.9g\">%.2g</td>",
                    v->traffic, (double)v->traffic / 1e6, v->arena, (double)v->arena / 1e6, v->difference,
                    v->difference);
    }
    text_puts(out, "<td class=\"l s t\">");
    html_escape(out, v->text);
    text_puts(out, "</td></tr>\n");
}

static void put_table(Text *out, const Bench *b) {
    double longest = 0;
    for (int i = 0; i < b->count; i++)
        if (!b->variants[i].same_as_first && b->variants[i].median_ms > longest) longest = b->variants[i].median_ms;
    text_puts(out, "<div class=\"scroll\"><table class=\"sort\"><thead><tr><th>#</th><th class=\"l\">variant</th>"
                   "<th class=\"l\">passes</th><th class=\"l\" data-down>time</th><th data-down>median ms</th>"
                   "<th data-down>min ms</th><th data-down>speed-up</th><th data-down>traffic MB</th>"
                   "<th data-down>arena MB</th><th data-down>difference</th><th class=\"l\">what it does</th></tr>"
                   "</thead>\n<tbody>\n");
    for (int i = 0; i < b->count; i++) put_row(out, b, i, longest);
    text_puts(out, "</tbody></table></div>\n");
}

static void put_figures(Text *out, const Bench *b) {
    Arena arena = {0};
    const BenchVariant *first = &b->variants[0], *last = &b->variants[b->count - 1];
    text_puts(out, "<div class=\"figures\">\n");
    html_figure(out, arena_printf(&arena, "%.2f ms", first->median_ms), "unfused (-O0), median");
    html_figure(out, arena_printf(&arena, "%.2f ms", last->median_ms), "fused (-O2), median");
    html_figure(out, arena_printf(&arena, "\303\227%.3f", last->speedup), "fused against unfused");
    html_figure(out, view_bytes(&arena, (double)last->traffic),
                arena_printf(&arena, "traffic of a run; %s unfused", view_bytes(&arena, (double)first->traffic)));
    html_figure(out, view_bytes(&arena, (double)last->arena),
                arena_printf(&arena, "arena; %s unfused", view_bytes(&arena, (double)first->arena)));
    text_puts(out, "</div>\n");
    arena_free(&arena);
}

void bench_html(const Bench *b, Text *out) {
    Text heading = {0};
    text_printf(&heading, "%s: fused against unfused", b->network);
    html_begin(out, heading.s, b->command);
    text_free(&heading);
    text_printf(out, "<p>Batch %d, %d thread%s, %s, ", b->batch, b->threads, b->threads == 1 ? "" : "s", b->target);
    html_escape(out, b->weights);
    text_printf(out, "; all variants run in turns in one process, %d runs each.</p>\n", b->variants[0].runs);
    put_figures(out, b);
    put_table(out, b);
    text_puts(out,
              "<p>this alone: the unfused build with one pass more. all but this: of a pass that does nothing alone, "
              "the fused build without it. time: the median of a run. difference: of the outputs from the unfused "
              "build's, relative to their largest.</p>\n");
    html_end(out);
}
