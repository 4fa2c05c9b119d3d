/* A figure as one SVG image (1.1, no script, no style sheet): both panels, a legend with the last numbers. */
#include "curves_figure.h"
#include "core/markup.h"

#include <math.h>
#include <string.h>

/* Pixels. A panel's plot has the proportions of its units. */
enum {
    PLOT_WIDTH = 450,
    PLOT_HEIGHT = PLOT_WIDTH * RN_CURVES_HEIGHT / RN_CURVES_WIDTH,
    LEFT = 58,
    BETWEEN = 62,
    RIGHT = 20,
    WIDTH = LEFT + PLOT_WIDTH + BETWEEN + PLOT_WIDTH + RIGHT,
    LINE = 19,
    NAME = 56 /* characters */
};
static const double scale = (double)PLOT_WIDTH / RN_CURVES_WIDTH; /* pixels of a unit */

/* Okabe and Ito's colours, but for yellow, which is not seen on white; dashes tell more runs. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000"};
enum { COLOURS = sizeof colours / sizeof *colours };

/* `kind`: which of the runs that are told apart */
static void put_stroke(FILE *out, int kind, double width, double pixel) {
    fprintf(out, " stroke=\"%s\" stroke-width=\"%.3g\"", colours[kind % COLOURS], width / pixel);
    const int *dash = rn_curves_dash(kind / COLOURS);
    for (int i = 0; i < RN_CURVES_DASH && dash[0]; i++)
        fprintf(out, "%s%.4g%s", i ? " " : " stroke-dasharray=\"", dash[i] / pixel, i + 1 < RN_CURVES_DASH ? "" : "\"");
}

static void put_curve(FILE *out, const rn_curves_figure *f, rn_curves_panel panel, int run, const double *value,
                      double width, double opacity) {
    const rn_curves_log *log = &f->runs[run].log;
    fputs("<path", out);
    put_stroke(out, run / f->options.seeds, width, scale);
    if (opacity < 1) fprintf(out, " stroke-opacity=\"%.3g\"", opacity);
    fputs(" d=\"", out);
    rn_curves_path(out, &f->axes[panel], log->column[RN_CURVES_STEP], value, log->rows, &f->room);
    fputs("\"/>\n", out);
}

static void put_curves(FILE *out, const rn_curves_figure *f, rn_curves_panel panel) {
    const int smoothed = f->options.smoothing != RN_CURVES_RAW, errors = panel == RN_CURVES_PANEL_ERROR;
    for (int i = 0; i < f->count && smoothed; i++) {
        double *const *column = f->runs[i].log.column;
        put_curve(out, f, panel, i, column[errors ? RN_CURVES_TRAIN_ERROR : RN_CURVES_LOSS], 0.7,
                  rn_curves_faint(f, i));
    }
    for (int i = 0; i < f->count; i++)
        put_curve(out, f, panel, i, errors ? f->runs[i].train_error : f->runs[i].loss, 1.1, 1);
    for (int i = 0; i < f->count && errors; i++)
        put_curve(out, f, panel, i, f->runs[i].log.column[RN_CURVES_TEST_ERROR], 2.6, 1);
}

static void put_grid(FILE *out, const rn_curves_axes *axes, rn_curves_panel panel) {
    double ticks[RN_CURVES_TICKS];
    char text[RN_CURVES_TEXT];
    int count = rn_curves_ticks(axes->low, axes->high, axes->logarithmic, ticks);
    fputs("<g text-anchor=\"end\">\n", out);
    for (int i = 0; i < count; i++) {
        const double y = PLOT_HEIGHT * (1 - rn_curves_height(axes, ticks[i]));
        fprintf(out, "<path d=\"M0 %.1fh%d\" stroke=\"#ddd\"/><text x=\"-7\" y=\"%.1f\">%s</text>\n", y, PLOT_WIDTH,
                y + 4, rn_curves_value_tick(text, panel, ticks[i]));
    }
    fputs("</g>\n<g text-anchor=\"middle\">\n", out);
    count = rn_curves_ticks(0, axes->steps, 0, ticks);
    for (int i = 0; i < count; i++) {
        const double x = PLOT_WIDTH * ticks[i] / axes->steps;
        fprintf(out, "<path d=\"M%.1f %dv5\" stroke=\"#777\"/><text x=\"%.1f\" y=\"%d\">%s</text>\n", x, PLOT_HEIGHT, x,
                PLOT_HEIGHT + 18, rn_curves_steps_tick(text, ticks[i], axes->steps));
    }
    fprintf(out, "<text x=\"%d\" y=\"%d\">step</text>\n</g>\n", PLOT_WIDTH / 2, PLOT_HEIGHT + 34);
}

static void put_panel(FILE *out, const rn_curves_figure *f, rn_curves_panel panel, const char *heading, int x, int y) {
    fprintf(out, "<g transform=\"translate(%d %d)\">\n<text y=\"-10\" font-weight=\"bold\">%s</text>\n", x, y, heading);
    put_grid(out, &f->axes[panel], panel);
    fprintf(out,
            "<g clip-path=\"url(#plot)\"><g transform=\"scale(%g)\" fill=\"none\" stroke-linejoin=\"round\" "
            "stroke-linecap=\"round\">\n",
            scale);
    put_curves(out, f, panel);
    fprintf(out, "</g></g>\n<path d=\"M0 0v%dh%d\" fill=\"none\" stroke=\"#777\"/>\n</g>\n", PLOT_HEIGHT, PLOT_WIDTH);
}

/* ---- the legend ---- */
enum { TRAIN_AT = 610, TEST_AT = 765, BEST_AT = 930, LOSS_AT = WIDTH - RIGHT };

static void put_cell(FILE *out, int x, int y, const char *text) {
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", x, y, text);
}

static rn_curves_mark last_train(const rn_curves_run *run) {
    return run->last_train_error;
}
static rn_curves_mark last_test(const rn_curves_run *run) {
    return run->last_test_error;
}
static rn_curves_mark best_test(const rn_curves_run *run) {
    return run->best_test_error;
}

/* An error of the runs of a row: their mean, and the least and greatest of several. */
static void put_errors(FILE *out, int x, int y, const rn_curves_run *runs, int count,
                       rn_curves_mark (*mark)(const rn_curves_run *)) {
    char text[RN_CURVES_TEXT], all[2 * RN_CURVES_TEXT], step[RN_CURVES_TEXT];
    double sum = 0, least = NAN, greatest = NAN;
    int found = 0;
    for (int i = 0; i < count; i++) {
        const double value = mark(&runs[i]).value;
        if (!isfinite(value)) continue;
        sum += value;
        found++;
        if (!(value >= least)) least = value;
        if (!(value <= greatest)) greatest = value;
    }
    rn_curves_percent(text, found ? sum / found : (double)NAN);
    if (found > 1)
        snprintf(all, sizeof all, "%s (%.2f\xe2\x80\x93%.2f)", text, 100 * least, 100 * greatest);
    else if (found && count == 1 && mark == best_test)
        snprintf(all, sizeof all, "%s at %s", text, rn_curves_step_text(step, mark(runs).step));
    else
        snprintf(all, sizeof all, "%s", text);
    put_cell(out, x, y, all);
}

static void put_legend_row(FILE *out, const rn_curves_figure *f, int first, int y) {
    const int seeds = f->options.seeds;
    const rn_curves_run *runs = &f->runs[first];
    char text[RN_CURVES_TEXT];
    fprintf(out, "<path d=\"M%d %dh16\"", LEFT, y - 4);
    put_stroke(out, first / seeds, 1.1, 1);
    fprintf(out, "/><path d=\"M%d %dh16\"", LEFT + 20, y - 4);
    put_stroke(out, first / seeds, 2.6, 1);
    fprintf(out, "/><text x=\"%d\" y=\"%d\">", LEFT + 46, y);
    rn_markup_put(out, runs->name, seeds > 1 ? NAME / 2 : NAME);
    if (seeds > 1) {
        fputs(" to ", out);
        rn_markup_put(out, runs[seeds - 1].name, NAME / 2);
    }
    fputs("<title>", out);
    for (int i = 0; i < seeds; i++) {
        if (i) fputs(", ", out);
        rn_markup_put(out, runs[i].path, 0);
    }
    fputs("</title></text>\n", out);
    put_errors(out, TRAIN_AT, y, runs, seeds, last_train);
    put_errors(out, TEST_AT, y, runs, seeds, last_test);
    put_errors(out, BEST_AT, y, runs, seeds, best_test);
    double sum = 0;
    for (int i = 0; i < seeds; i++) sum += runs[i].last_loss.value;
    put_cell(out, LOSS_AT, y, rn_curves_loss_text(text, sum / seeds));
}

/* What a run has besides; -> whether there was anything. */
static int put_note(FILE *out, const rn_curves_run *run, int y) {
    char step[RN_CURVES_TEXT];
    if (run->log.rows && isnan(run->diverged)) return 0;
    fprintf(out, "<text x=\"%d\" y=\"%d\">", LEFT + 46, y);
    rn_markup_put(out, run->name, NAME);
    if (run->log.rows)
        fprintf(out, ": the loss of step %s is not finite</text>\n", rn_curves_step_text(step, run->diverged));
    else
        fputs(": no steps yet</text>\n", out);
    return 1;
}

static int count_notes(const rn_curves_figure *f) {
    int count = 0;
    for (int i = 0; i < f->count; i++) count += !f->runs[i].log.rows || !isnan(f->runs[i].diverged);
    return count;
}

static void put_legend(FILE *out, const rn_curves_figure *f, int y) {
    char text[RN_CURVES_TEXT];
    fputs("<g fill=\"#555\">\n", out);
    put_cell(out, TRAIN_AT, y, "training error");
    put_cell(out, TEST_AT, y, "test error");
    put_cell(out, BEST_AT, y, "best test error");
    put_cell(out, LOSS_AT, y, "loss");
    fputs("</g>\n", out);
    for (int i = 0; i < f->count; i += f->options.seeds) put_legend_row(out, f, i, y += LINE);
    fputs("<g fill=\"#555\">\n", out);
    for (int i = 0; i < f->count; i++)
        if (put_note(out, &f->runs[i], y + LINE)) y += LINE;
    fprintf(out, "<text x=\"%d\" y=\"%d\">Thin: training error and loss, %s%s. Bold: test error.%s</text>\n</g>\n",
            LEFT, y + LINE + 6, rn_curves_smoothing_text(text, &f->options),
            f->options.smoothing == RN_CURVES_RAW ? "" : "; faint: as logged",
            f->options.seeds > 1 ? " Numbers: means of the runs (least\xe2\x80\x93greatest)." : "");
}

void rn_curves_svg(FILE *out, const rn_curves_figure *f) {
    const char *title = f->options.title;
    const int top = title ? 66 : 34, legend = top + PLOT_HEIGHT + 62;
    const int height = legend + LINE * (f->count / f->options.seeds + count_notes(f) + 1) + 22;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n<title>",
            WIDTH, height, WIDTH, height);
    rn_markup_put(out, title ? title : "Training curves", 0);
    fprintf(out,
            "</title>\n<clipPath id=\"plot\"><rect width=\"%d\" height=\"%d\"/></clipPath>\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
            PLOT_WIDTH, PLOT_HEIGHT, WIDTH, height);
    if (title) {
        fprintf(out, "<text x=\"%d\" y=\"28\" font-size=\"17\">", LEFT);
        rn_markup_put(out, title, 100);
        fputs("</text>\n", out);
    }
    put_panel(out, f, RN_CURVES_PANEL_ERROR, "error", LEFT, top);
    put_panel(out, f, f->options.log_loss ? RN_CURVES_PANEL_LOG_LOSS : RN_CURVES_PANEL_LOSS,
              f->options.log_loss ? "loss, logarithmic" : "loss", LEFT + PLOT_WIDTH + BETWEEN, top);
    put_legend(out, f, legend);
    fputs("</svg>\n", out);
}
