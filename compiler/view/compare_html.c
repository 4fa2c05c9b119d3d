/* rnc compare as one self-contained HTML page: figures, outputs, the worst images, and a row per layer with a bar of
 * its difference, on a logarithmic scale. */
#include "compare_view.h"
#include "html.h"
#include "view.h"

#include <math.h>
#include <string.h>

static const double FINEST = 1e-9; /* a bar's left end; its right end is 1 */

static void put_code(Text *out, const char *text) {
    text_puts(out, "<code>");
    html_escape(out, text);
    text_puts(out, "</code>");
}

static void put_names(Text *out, const char *const name[2]) {
    put_code(out, name[0]);
    if (!strcmp(name[0], name[1])) return;
    text_puts(out, " = ");
    put_code(out, name[1]);
}

/* JSON and scripts sort by it: a number that is none is larger than all. */
static void put_number(Text *out, double x) {
    text_printf(out, x ? "<td data-v=\"%.9g\">%.2e</td>" : "<td data-v=\"%.9g\">0</td>", isfinite(x) ? x : 1e300, x);
}

static void put_numbers(Text *out, Shape s, const CompareNumbers *d) {
    text_printf(out, "<td class=\"l\" data-v=\"%lld\">%d&#215;%d&#215;%d</td>", (long long)shape_size(s), s.c, s.h,
                s.w);
    put_number(out, d->largest);
    put_number(out, d->relative);
    put_number(out, d->rms);
    put_number(out, d->relative_rms);
}

static void put_figures(Text *out, const Compare *c) {
    Arena arena = {0};
    text_puts(out, "<div class=\"figures\">\n");
    html_figure(out, c->agrees ? "agree" : "differ",
                arena_printf(&arena, "by %s %.2g of an output", c->agrees ? "at most" : "more than", c->threshold));
    if (c->classes) html_figure(out, arena_printf(&arena, "%d of %d", c->top1, c->images), "images of the same top-1");
    if (c->top5 >= 0)
        html_figure(out, arena_printf(&arena, "%d of %d", c->top5, c->images), "of the same five likeliest");
    html_figure(out, arena_printf(&arena, "%.2e", c->worst[0].relative), "largest relative difference");
    if (c->labelled)
        html_figure(
            out,
            arena_printf(&arena, "%.2f, %.2f %%", 100.0 * c->right1[0] / c->images, 100.0 * c->right1[1] / c->images),
            "images whose top-1 is right: the first, the second");
    if (c->part >= 0) html_figure(out, arena_printf(&arena, "layer %d", c->part + 1), "is where they part");
    text_puts(out, "</div>\n");
    arena_free(&arena);
}

static void put_outputs(Text *out, const Compare *c) {
    text_puts(out, "<h2>Outputs</h2>\n<div class=\"scroll\"><table><thead><tr><th class=\"l\">output</th>"
                   "<th class=\"l\">shape</th><th>largest</th><th>relative</th><th>rms</th><th>rel. rms</th>"
                   "<th class=\"l\">worst image</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < c->output_count; i++) {
        text_puts(out, "<tr><td class=\"l\">");
        put_names(out, c->outputs[i].name);
        text_puts(out, "</td>");
        put_numbers(out, c->outputs[i].shape, &c->outputs[i].d);
        text_puts(out, "<td class=\"l\">");
        html_escape(out, c->outputs[i].worst_name);
        text_puts(out, "</td></tr>\n");
    }
    text_puts(out, "</tbody></table></div>\n");
}

static void put_class(Text *out, int class) {
    text_printf(out, class < 0 ? "<td></td>" : "<td>%d</td>", class);
}

static void put_images(Text *out, const Compare *c) {
    text_puts(out,
              "<h2>Images that differ most</h2>\n<div class=\"scroll\"><table><thead><tr><th class=\"l\">image</th>"
              "<th>relative</th><th>top-1, first</th><th>second</th><th>label</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < c->worst_count; i++) {
        const CompareImage *image = &c->worst[i];
        text_puts(out, "<tr><td class=\"l\">");
        html_escape(out, image->name);
        text_puts(out, "</td>");
        put_number(out, image->relative);
        put_class(out, image->top1[0]);
        put_class(out, image->top1[1]);
        put_class(out, image->label);
        text_puts(out, "</tr>\n");
    }
    text_puts(out, "</tbody></table></div>\n");
}

static double bar_width(double relative) {
    if (!(relative > FINEST)) return isnan(relative) ? 100 : 0;
    return fmin(100, 100 * (1 - log10(relative) / log10(FINEST)));
}

static void put_layers(Text *out, const Compare *c) {
    text_puts(out, "<h2>Layers</h2>\n<p>Of image ");
    html_escape(out, c->worst[0].name);
    text_printf(
        out,
        ", which differs most, in the first network&#39;s order. The bar is the relative difference, from %.0e to "
        "1 on a logarithmic scale; red is beyond the limit.</p>\n",
        FINEST);
    text_puts(out, "<div class=\"scroll\"><table class=\"sort\"><thead><tr><th>#</th><th class=\"l\">layer</th>"
                   "<th class=\"l\">operation</th><th class=\"l\">shape</th><th data-down>largest</th>"
                   "<th data-down>relative</th><th data-down>rms</th><th data-down>rel. rms</th><th>limit</th>"
                   "<th class=\"l\" data-down>difference</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < c->layer_count; i++) {
        const CompareLayer *layer = &c->layers[i];
        text_printf(out, "<tr><td class=\"s\" data-v=\"%d\">%d</td><td class=\"l\">", i, i + 1);
        put_names(out, layer->name);
        text_puts(out, "</td><td class=\"l\">");
        html_escape(out, layer->operation[0]);
        text_puts(out, "</td>");
        put_numbers(out, layer->shape, &layer->d);
        put_number(out, layer->limit);
        text_printf(out, "<td class=\"bar wide l k%d\" data-v=\"%.9g\"><i style=\"width:%.1f%%\"></i>%s</td></tr>\n",
                    layer->beyond ? 5 : 0, isfinite(layer->d.relative) ? layer->d.relative : 1e300,
                    bar_width(layer->d.relative), i == c->part ? "they part here" : "");
    }
    text_puts(out, "</tbody></table></div>\n");
    for (int s = 0; s < 2; s++)
        if (c->single[s])
            text_printf(out, "<p>%d of the %s&#39;s layers %s no counterpart.</p>\n", c->single[s],
                        s ? "second" : "first", c->single[s] == 1 ? "has" : "have");
}

void compare_html(const Compare *c, Text *out) {
    Text heading = {0};
    text_printf(&heading, "%s and %s", c->label[0], c->label[1]);
    html_begin(out, heading.s, c->command);
    text_free(&heading);
    text_printf(out, "<p>%d image%s of ", c->images, c->images == 1 ? "" : "s");
    html_escape(out, c->images_of);
    text_puts(out,
              ". Differences are from the first network&#39;s numbers; relative to its largest, or for the root of "
              "the mean square (rms) to its own.</p>\n");
    put_figures(out, c);
    if (c->hint) {
        text_puts(out, "<p>");
        html_escape(out, c->hint);
        text_puts(out, "</p>\n");
    }
    put_outputs(out, c);
    put_layers(out, c);
    put_images(out, c);
    html_end(out);
}
