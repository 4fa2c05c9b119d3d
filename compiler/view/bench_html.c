/* The result of rnc bench as one self-contained HTML page: bars of the median times (SVG) and the table. */
#include "../bench.h"
#include "html.h"

enum { BAR_LEFT = 190, BAR_WIDTH = 520, ROW = 26, CHART_WIDTH = 860 };

/* Bars start at zero; the unfused build is grey, the fused one dark, single passes between. */
static void put_chart(Text *out, const Bench *b) {
    double longest = 0;
    int row = 0, rows = 0;
    for (int i = 0; i < b->count; i++) {
        if (b->variants[i].same_as_first) continue;
        rows++;
        if (b->variants[i].median_ms > longest) longest = b->variants[i].median_ms;
    }
    text_printf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"median time of each variant\">\n",
                CHART_WIDTH, rows * ROW + 4);
    for (int i = 0; i < b->count; i++) {
        const BenchVariant *v = &b->variants[i];
        if (v->same_as_first) continue;
        double width = longest > 0 ? v->median_ms / longest * BAR_WIDTH : 0;
        const char *colour = !i ? "#8c97a6" : i + 1 == b->count ? "#1763c6" : "#7fb0ee";
        int y = row++ * ROW;
        text_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", BAR_LEFT - 10, y + 17);
        html_escape(out, v->name);
        text_printf(out, "</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\" fill=\"%s\"/>", BAR_LEFT,
                    y + 3, width, ROW - 7, colour);
        text_printf(out, "<text class=\"value\" x=\"%.1f\" y=\"%d\">%.2f ms, &#215;%.3f</text>\n", BAR_LEFT + width + 8,
                    y + 17, v->median_ms, v->speedup);
    }
    text_puts(out, "</svg>\n");
}

static void put_table(Text *out, const Bench *b) {
    text_puts(out, "<table><tr><th>variant</th><th>min ms</th><th>median ms</th><th>traffic MB</th><th>arena MB</th>"
                   "<th>speed-up</th><th>difference</th><th>what it does</th></tr>\n");
    for (int i = 0; i < b->count; i++) {
        const BenchVariant *v = &b->variants[i];
        text_puts(out, "<tr><td><code>");
        html_escape(out, v->name);
        if (v->same_as_first)
            text_puts(out, "</code></td><td colspan=\"6\">changes nothing in this network</td><td>");
        else
            text_printf(
                out, "</code></td><td>%.3f</td><td>%.3f</td><td>%.2f</td><td>%.2f</td><td>%.3f</td><td>%.1e</td><td>",
                v->min_ms, v->median_ms, (double)v->traffic / 1e6, (double)v->arena / 1e6, v->speedup, v->difference);
        html_escape(out, v->text);
        text_puts(out, "</td></tr>\n");
    }
    text_puts(out, "</table>\n");
}

void bench_html(const Bench *b, Text *out) {
    Text heading = {0};
    text_printf(&heading, "%s: fused against unfused", b->network);
    html_begin(out, heading.s);
    text_free(&heading);
    text_puts(out, "<p>");
    text_printf(out, "Median time of one run, batch %d, %d thread%s, %s, ", b->batch, b->threads,
                b->threads == 1 ? "" : "s", b->target);
    html_escape(out, b->weights);
    text_printf(out, "; all variants run in turns in one process, %d runs each.<br><code>", b->variants[0].runs);
    html_escape(out, b->command);
    text_puts(out, "</code></p>\n");
    put_chart(out, b);
    put_table(out, b);
    html_end(out);
}
