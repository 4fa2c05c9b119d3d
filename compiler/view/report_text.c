/* rnc --report as text: a line per layer, the totals below.
 *
 *     layer           operation    shape                  algorithm               us  share   direct    error  weights
 * ... layer1.0.conv1  conv + relu  3x3 64->64 @56x56      F(7x7), 64 tiles by 16  541  5.1 %    2098  2.0e-06  148.5 KB
 * ...
 */
#include <string.h>

#include "report.h"
#include "runtime/core/cpu.h"

enum { COLUMNS = 10, LEFT = 4 /* the first columns are words */ };

static void fill_cells(Report *r, const ReportRow *row, const char *cells[COLUMNS]) {
    Arena *a = &r->arena;
    cells[0] = row->name, cells[1] = row->operation, cells[2] = row->shape, cells[3] = row->algorithm;
    cells[4] = report_us(a, row->us);
    cells[5] = arena_printf(a, "%.1f %%", report_share(r, row->us));
    cells[6] = row->direct > 0 ? report_us(a, row->direct) : "";
    cells[7] = row->error > 0 ? arena_printf(a, "%.1e", row->error) : "";
    cells[8] = row->weights ? view_bytes(a, (double)row->weights) : "";
    cells[9] = row->packed ? view_bytes(a, (double)row->packed) : "";
}

static void put_line(Text *out, const char *const cells[COLUMNS], const int width[COLUMNS]) {
    for (int i = 0; i < COLUMNS; i++) text_printf(out, i < LEFT ? "%-*s  " : "%*s  ", width[i], cells[i]);
}

void report_text(const Plan *plan, Text *out) {
    static const char *const heading[COLUMNS] = {"layer", "operation", "shape", "algorithm", "us",
                                                 "share", "direct",    "error", "weights",   "packed"};
    Report r = report_make(plan);
    const char *(*cells)[COLUMNS] = arena_alloc(&r.arena, sizeof *cells * (size_t)(r.count + 1));
    int width[COLUMNS] = {0};
    memcpy(cells[0], heading, sizeof heading);
    for (int i = 0; i < r.count; i++) fill_cells(&r, &r.rows[i], cells[i + 1]);
    for (int i = 0; i <= r.count; i++)
        for (int k = 0; k < COLUMNS; k++)
            if ((int)strlen(cells[i][k]) > width[k]) width[k] = (int)strlen(cells[i][k]);

    text_printf(out, "%s: %s -mtune=%s, batch %d; %s\n\n", plan->graph->name, rn_isa_name((rn_isa)plan->options.isa),
                machine_spelling(&r.arena, plan->options.machine), plan->options.batch, report_times(&r));
    put_line(out, cells[0], width);
    text_puts(out, "others and reason\n");
    for (int i = 0; i < r.count; i++) {
        const ReportRow *row = &r.rows[i];
        put_line(out, cells[i + 1], width);
        for (int k = 0; k < row->others; k++)
            text_printf(out, "%s %s%s", row->other[k], report_us(&r.arena, row->other_us[k]),
                        k + 1 < row->others ? ", " : "; ");
        text_printf(out, "%s\n", row->reason);
    }
    text_printf(out, "\n%d layers, %s us; ", r.count, report_us(&r.arena, r.us));
    report_totals(&r, out);
    text_puts(out, "\n");
    report_free(&r);
}
