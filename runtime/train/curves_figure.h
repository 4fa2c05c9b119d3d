/* A figure of runs before it is drawn: their logs, means, axes and what is said of them. */
#ifndef RN_TRAIN_CURVES_FIGURE_H
#define RN_TRAIN_CURVES_FIGURE_H

#include "curves_log.h"
#include "curves_series.h"

/* A value and the step that had it. NaN: there is none. */
typedef struct rn_curves_mark {
    double value, step;
} rn_curves_mark;

typedef struct rn_curves_run {
    const char *path; /* as it was given */
    char *name;
    rn_curves_log log;
    double *loss, *train_error; /* means, as many as rows */
    rn_curves_mark last_loss, last_train_error, last_test_error;
    rn_curves_mark best_loss, best_train_error, best_test_error; /* the means' least; of tests the least */
    double epochs, rate;                                         /* at the end; the median images/s. NaN: not known */
    double diverged; /* the first step whose loss is not finite; NaN: none */
} rn_curves_run;

typedef enum rn_curves_panel {
    RN_CURVES_PANEL_ERROR,
    RN_CURVES_PANEL_LOSS,
    RN_CURVES_PANEL_LOG_LOSS,
    RN_CURVES_PANELS
} rn_curves_panel;

typedef struct rn_curves_figure {
    rn_curves_options options; /* smooth_steps as it is */
    int count;
    rn_curves_run *runs;
    rn_curves_axes axes[RN_CURVES_PANELS];
    rn_curves_room room; /* for the longest run */
} rn_curves_figure;

/* Reads the logs. After an error *figure is empty. */
rn_status rn_curves_figure_make(rn_curves_figure *figure, const char *const *runs, int count,
                                const rn_curves_options *options, char *error, size_t error_size);
void rn_curves_figure_free(rn_curves_figure *figure);

/* ---- curves_text.c: what both forms of a figure say ---- */
enum { RN_CURVES_TEXT = 96 }; /* bytes of the texts below */

/* "exponential mean over about 1,000 steps" */
const char *rn_curves_smoothing_text(char *text, const rn_curves_options *options);
const char *rn_curves_percent(char *text, double error);  /* "7.91 %"; "–": there is none */
const char *rn_curves_loss_text(char *text, double loss); /* "0.1234" */
const char *rn_curves_step_text(char *text, double step); /* "64,000" */
/* At an axis: "10k" of steps, "5 %" of errors, "0.05" of a loss. */
const char *rn_curves_steps_tick(char *text, double step, double most);
const char *rn_curves_value_tick(char *text, rn_curves_panel panel, double value);

/* How the lines of more runs than there are colours are told apart: pixels of dash, gap, dash, gap. All 0: solid. */
enum { RN_CURVES_DASH = 4 };
const int *rn_curves_dash(int round);

/* The opacity of what is not smoothed: less where lines are dense. */
double rn_curves_faint(const rn_curves_figure *figure, int run);

/* ---- curves_svg.c, curves_html.c: print all of the figure ---- */
void rn_curves_svg(FILE *out, const rn_curves_figure *figure);
void rn_curves_html(FILE *out, const rn_curves_figure *figure);

#endif
