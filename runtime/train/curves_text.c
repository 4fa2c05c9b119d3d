/* What figures say in words and numbers. */
#include "curves_figure.h"

#include <math.h>
#include <string.h>

const char *rn_curves_step_text(char *text, double step) {
    char digits[32];
    const int n = snprintf(digits, sizeof digits, "%.0f", step);
    char *to = text;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) *to++ = ',';
        *to++ = digits[i];
    }
    *to = 0;
    return text;
}

const char *rn_curves_smoothing_text(char *text, const rn_curves_options *options) {
    char steps[RN_CURVES_TEXT];
    rn_curves_step_text(steps, (double)options->smooth_steps);
    switch (options->smoothing) {
    case RN_CURVES_EXPONENTIAL:
        snprintf(text, RN_CURVES_TEXT, "exponential mean over about %.30s steps", steps);
        break;
    case RN_CURVES_WINDOW:
        snprintf(text, RN_CURVES_TEXT, "mean of the last %.30s steps", steps);
        break;
    case RN_CURVES_RAW:
        snprintf(text, RN_CURVES_TEXT, "not smoothed");
    }
    return text;
}

static const char none[] = "\xe2\x80\x93"; /* a dash */

const char *rn_curves_percent(char *text, double error) {
    if (isfinite(error))
        snprintf(text, RN_CURVES_TEXT, "%.2f %%", 100 * error);
    else
        snprintf(text, RN_CURVES_TEXT, "%s", none);
    return text;
}

const char *rn_curves_loss_text(char *text, double loss) {
    if (!isfinite(loss))
        snprintf(text, RN_CURVES_TEXT, "%s", none);
    else
        snprintf(text, RN_CURVES_TEXT, fabs(loss) >= 0.1 && fabs(loss) < 1e4 ? "%.4f" : "%#.3g", loss);
    return text;
}

const char *rn_curves_steps_tick(char *text, double step, double most) {
    if (!(step > 0))
        snprintf(text, RN_CURVES_TEXT, "0");
    else if (most >= 1e7)
        snprintf(text, RN_CURVES_TEXT, "%gM", step * 1e-6);
    else if (most >= 1e4)
        snprintf(text, RN_CURVES_TEXT, "%gk", step * 1e-3);
    else
        snprintf(text, RN_CURVES_TEXT, "%g", step);
    return text;
}

const char *rn_curves_value_tick(char *text, rn_curves_panel panel, double value) {
    if (panel == RN_CURVES_PANEL_ERROR)
        snprintf(text, RN_CURVES_TEXT, "%.6g %%", 100 * value);
    else
        snprintf(text, RN_CURVES_TEXT, "%.6g", value);
    return text;
}

const int *rn_curves_dash(int round) {
    static const int dashes[][RN_CURVES_DASH] = {{0}, {6, 3, 6, 3}, {2, 3, 2, 3}, {8, 3, 2, 3}};
    return dashes[round % (int)(sizeof dashes / sizeof *dashes)];
}

double rn_curves_faint(const rn_curves_figure *figure, int run) {
    const int dense = figure->runs[run].log.rows > RN_CURVES_WIDTH / RN_CURVES_UNITS;
    return fmax((dense ? 0.14 : 0.35) / figure->options.seeds, 0.04);
}
