/* The graph of a report's page: boxes in rows, edges between the rows as SVG, groups that unfold in their place.
 *
 * Nothing is computed in the browser. Cells have widths in percent and so have the edges' ends, so that a drawing fits
 * whatever its width is; a passing edge is as high as its row, which an unfolded group may make higher.
 */
#include "html.h"
#include "outline.h"
#include "report.h"

enum { MOST_LAYERS = 4000, MOST_CELLS = 50000, BOX_WIDTH = 215 /* pixels */ };

typedef struct Drawing {
    Report *report;
    Arena arena;
    Text *out;
    int64_t cells; /* drawn so far */
} Drawing;

static const ReportRow *row_of(const Drawing *d, const Item *item) {
    const int row = item->node ? d->report->row_of[item->node->id] : -1;
    return row < 0 ? NULL : &d->report->rows[row];
}

static double time_below(const Drawing *d, const Item *item) {
    const ReportRow *row = row_of(d, item);
    double us = row ? row->us : 0;
    for (int i = 0; i < item->count; i++) us += time_below(d, item->items[i]);
    return us;
}

static void put_escaped(Drawing *d, const char *before, const char *text, const char *after) {
    text_puts(d->out, before);
    html_escape(d->out, text);
    text_puts(d->out, after);
}

static void put_layer(Drawing *d, const Item *item) {
    const ReportRow *row = row_of(d, item);
    const Shape s = item->node->out->shape;
    if (!row) { /* no code of its own */
        put_escaped(d, "<span class=\"n\"><b>", item->label, "</b><span>in its place</span>");
        text_printf(d->out, "<span>%d @%dx%d</span></span>", s.c, s.h, s.w);
        return;
    }
    text_printf(d->out, "<a class=\"n k%d\" href=\"#r%d\"", (int)row->kind, (int)(row - d->report->rows) + 1);
    put_escaped(d, " title=\"", item->node->name, ": ");
    put_escaped(d, "", row->algorithm, arena_printf(&d->arena, ", %s \302\265s\">", report_us(&d->arena, row->us)));
    put_escaped(d, "<b>", item->label, "</b>");
    put_escaped(d, "<span>", row->operation, "</span>");
    put_escaped(d, "<span>", row->shape,
                arena_printf(&d->arena, "</span><em>%.1f %%</em></a>", report_share(d->report, row->us)));
}

static void put_holder(Drawing *d, const Item *holder);

static void put_group(Drawing *d, const Item *item) {
    const double us = time_below(d, item);
    put_escaped(d, "<details class=\"g\"><summary><b>", item->label, "</b> ");
    put_escaped(d, "<code>", item->text, "</code>");
    text_printf(d->out, "<span>%d layer%s, %.1f %%<i style=\"width:%.1f%%\"></i></span></summary>\n", item->layers,
                item->layers == 1 ? "" : "s", report_share(d->report, us), report_share(d->report, us));
    put_holder(d, item);
    text_puts(d->out, "</details>");
}

static void put_item(Drawing *d, const Item *item) {
    switch (item->kind) {
    case ITEM_GROUP:
        put_group(d, item);
        break;
    case ITEM_LAYER:
        put_layer(d, item);
        break;
    case ITEM_INPUT:
    case ITEM_OUTPUT: {
        const Shape s = item->value->shape;
        put_escaped(d, "<span class=\"n end\"><b>", item->label,
                    item->kind == ITEM_INPUT ? "</b><span>input" : "</b><span>output");
        text_printf(d->out, " %dx%dx%d</span></span>", s.c, s.h, s.w);
        break;
    }
    case ITEM_FROM:
    case ITEM_TO:
        text_puts(d->out, "<span class=\"dot\"></span>");
        break;
    }
}

static double middle(const RowCell *cell, double width) {
    return 1000 * (cell->left + cell->right) / 2 / width;
}

/* From a row's cells to those of the next. */
static void put_edges(Drawing *d, const ItemRow *row, const ItemRow *next, double width) {
    text_puts(d->out,
              "<svg class=\"e\" viewBox=\"0 0 1000 20\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path d=\"");
    for (int i = 0; i < row->edge_count; i++) {
        const double from = middle(&row->cells[row->edges[i].from], width);
        const double to = middle(&next->cells[row->edges[i].to], width);
        if (from < to + 0.05 && from > to - 0.05)
            text_printf(d->out, "M%.1f 0V20", from);
        else
            text_printf(d->out, "M%.1f 0C%.1f 12 %.1f 8 %.1f 20", from, from, to, to);
    }
    text_puts(d->out, "\"/></svg>\n");
}

static void put_row(Drawing *d, const ItemRow *row, double width) {
    const bool alone = row->count == 1 && row->cells[0].item && row->cells[0].item->kind == ITEM_GROUP;
    text_puts(d->out, alone ? "<div class=\"row one\">" : "<div class=\"row\">");
    for (int i = 0; i < row->count; i++) {
        const RowCell *c = &row->cells[i];
        text_printf(d->out, "<div class=\"%s%s%s\"", c->item ? "c" : "p", c->item && c->leaves ? " o" : "",
                    c->item && c->arrives && c->item->kind != ITEM_TO ? " a" : "");
        if (!alone)
            text_printf(d->out, " style=\"width:%.3f%%;margin-left:%.3f%%\"", 100 * (c->right - c->left) / width,
                        i ? 0 : 100 * c->left / width);
        text_puts(d->out, ">");
        if (c->item)
            put_item(d, c->item);
        else
            text_puts(d->out,
                      "<svg class=\"v\" viewBox=\"0 0 2 1\" preserveAspectRatio=\"none\"><path d=\"M1 0V1\"/></svg>");
        text_puts(d->out, "</div>");
    }
    text_puts(d->out, "</div>\n");
}

static void put_holder(Drawing *d, const Item *holder) {
    const ItemRows rows = outline_rows(holder, MOST_CELLS - d->cells, &d->arena);
    if (rows.count == 0) {
        text_puts(d->out, "<p>The edges here pass too many layers to be drawn; rnc --dump=dot writes them for "
                          "Graphviz.</p>\n");
        return;
    }
    d->cells += rows.cells;
    text_printf(d->out, "<div class=\"rows\" style=\"min-width:%.0fpx\">\n", rows.width * BOX_WIDTH);
    for (int k = 0; k < rows.count; k++) {
        put_row(d, &rows.rows[k], rows.width);
        if (k + 1 < rows.count) put_edges(d, &rows.rows[k], &rows.rows[k + 1], rows.width);
    }
    text_puts(d->out, "</div>\n");
}

void graph_html(Report *report, Text *out) {
    const Graph *graph = report->plan->graph;
    Drawing d = {.report = report, .out = out};
    text_puts(out, "<h2>Graph</h2>\n");
    if (graph->node_count > MOST_LAYERS) {
        text_printf(out, "<p>%d layers are too many to draw here; rnc --dump=dot writes them for Graphviz.</p>\n",
                    graph->node_count);
        return;
    }
    text_puts(out, "<p class=\"fold\">After the passes. Stages and blocks unfold where they stand; a layer leads to "
                   "its row below.</p>\n"
                   "<div class=\"graph scroll\">\n");
    put_holder(&d, outline_make(graph, &d.arena));
    text_puts(out, "</div>\n");
    arena_free(&d.arena);
}
