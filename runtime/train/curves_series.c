#include "curves_series.h"

#include <math.h>

/* ---- means ---- */
static void smooth_exponential(const double *step, const double *value, double *mean, int count, int64_t n) {
    const double decay = 1 - 2. / ((double)n + 1);
    double sum = 0, weight = 0, last = 0;
    for (int i = 0; i < count; i++) {
        mean[i] = value[i];
        if (!isfinite(value[i])) continue;
        const double keep = pow(decay, step[i] - last);
        sum = keep * sum + value[i];
        weight = keep * weight + 1;
        mean[i] = sum / weight;
        last = step[i];
    }
}

/* A sum that numbers leave as exactly as they came (Neumaier 1974). */
typedef struct Sum {
    double sum, rest;
} Sum;

static void sum_add(Sum *s, double x) {
    const double t = s->sum + x;
    s->rest += fabs(s->sum) >= fabs(x) ? s->sum - t + x : x - t + s->sum;
    s->sum = t;
}

static void smooth_window(const double *step, const double *value, double *mean, int count, int64_t n) {
    Sum sum = {0, 0};
    int begin = 0, values = 0;
    for (int i = 0; i < count; i++) {
        mean[i] = value[i];
        if (!isfinite(value[i])) continue;
        sum_add(&sum, value[i]);
        values++;
        for (; step[begin] <= step[i] - (double)n; begin++) {
            if (!isfinite(value[begin])) continue;
            sum_add(&sum, -value[begin]);
            values--;
        }
        mean[i] = (sum.sum + sum.rest) / values;
    }
}

void rn_curves_smooth(const double *step, const double *value, double *mean, int count, rn_curves_smoothing smoothing,
                      int64_t n) {
    switch (smoothing) {
    case RN_CURVES_EXPONENTIAL:
        smooth_exponential(step, value, mean, count, n);
        return;
    case RN_CURVES_WINDOW:
        smooth_window(step, value, mean, count, n);
        return;
    case RN_CURVES_RAW:
        for (int i = 0; i < count; i++) mean[i] = value[i];
    }
}

/* ---- thinning ---- */
typedef struct Column { /* places of a column's points */
    double number;
    int first, least, greatest, last; /* first < 0: none yet */
} Column;

static int column_keep(Column *c, int *kept) {
    if (c->first < 0) return 0;
    const int lower = c->least < c->greatest ? c->least : c->greatest;
    const int upper = c->least < c->greatest ? c->greatest : c->least;
    const int places[4] = {c->first, lower, upper, c->last};
    int count = 0;
    for (int i = 0; i < 4; i++)
        if (!count || places[i] != kept[count - 1]) kept[count++] = places[i];
    c->first = -1;
    return count;
}

int rn_curves_thin(const double *x, const double *y, int count, double column, int *kept) {
    Column c = {.first = -1};
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (isnan(y[i])) continue;
        const double number = floor(x[i] / column);
        if (isinf(y[i]) || (c.first >= 0 && number != c.number)) n += column_keep(&c, kept + n);
        if (isinf(y[i])) {
            kept[n++] = i;
            continue;
        }
        if (c.first < 0) c = (Column){number, i, i, i, i};
        if (y[i] < y[c.least]) c.least = i;
        if (y[i] > y[c.greatest]) c.greatest = i;
        c.last = i;
    }
    return n + column_keep(&c, kept + n);
}

/* ---- paths ---- */
double rn_curves_height(const rn_curves_axes *axes, double value) {
    if (isnan(value)) return value;
    if (!axes->logarithmic) return (value - axes->low) / (axes->high - axes->low);
    return value > 0 ? log(value / axes->low) / log(axes->high / axes->low) : (double)INFINITY;
}

/* A number of a relative path: a minus sign needs no blank before it. */
static void put_number(FILE *out, long number, int first) {
    fprintf(out, first || number < 0 ? "%ld" : " %ld", number);
}

int rn_curves_path(FILE *out, const rn_curves_axes *axes, const double *step, const double *value, int count,
                   const rn_curves_room *room) {
    const double far = 10; /* plots above or below: as good as where it is */
    for (int i = 0; i < count; i++) {
        const double height = rn_curves_height(axes, value[i]);
        room->x[i] = step[i] / axes->steps * RN_CURVES_WIDTH;
        room->y[i] = isfinite(height) ? RN_CURVES_HEIGHT * (1 - fmin(fmax(height, -far), far)) : height;
    }
    const int kept = rn_curves_thin(room->x, room->y, count, RN_CURVES_UNITS, room->kept);
    long x = 0, y = 0;
    int points = 0, drawn = 0; /* of the piece; of all */
    for (int k = 0; k <= kept; k++) {
        const int i = k < kept ? room->kept[k] : -1;
        if (i < 0 || isinf(room->y[i])) {
            if (points == 1) fputs("h0", out); /* a dot, with round ends */
            points = 0;
            continue;
        }
        const long to_x = lround(room->x[i]), to_y = lround(room->y[i]);
        if (!points) {
            fprintf(out, "M%ld", to_x);
            put_number(out, to_y, 0);
        } else {
            if (points == 1) fputc('l', out);
            put_number(out, to_x - x, points == 1);
            put_number(out, to_y - y, 0);
        }
        x = to_x;
        y = to_y;
        points++;
        drawn++;
    }
    return drawn;
}

/* ---- axes ---- */
static double round_of(double power, int i) { /* 1, 2, 5 times the power of ten; i: 0, 1, 2 */
    static const double digits[3] = {1, 2, 5};
    return digits[i] * power;
}

double rn_curves_round_up(double x) {
    const double power = pow(10, floor(log10(x)));
    for (int i = 0; i < 3; i++)
        if (round_of(power, i) >= x * (1 - 1e-12)) return round_of(power, i);
    return 10 * power;
}

static int ticks_linear(double low, double high, double *ticks) {
    const double each = rn_curves_round_up((high - low) / 7);
    int count = 0;
    for (double i = ceil(low / each - 1e-9); i * each <= high + 1e-9 * each && count < RN_CURVES_TICKS; i++)
        ticks[count++] = i * each + 0.; /* 0 and not -0 */
    return count;
}

/* The first `each` of 1, 2, 5 times every so-manieth power of ten; -> how many, ticks or not. */
static int ticks_of_powers(double low, double high, int every, int each, double *ticks) {
    int count = 0;
    for (int p = (int)floor(log10(low)); p <= (int)ceil(log10(high)); p += every)
        for (int i = 0; i < each; i++) {
            const double tick = round_of(pow(10, p), i);
            if (tick < low * (1 - 1e-9) || tick > high * (1 + 1e-9)) continue;
            if (count < RN_CURVES_TICKS) ticks[count] = tick;
            count++;
        }
    return count;
}

static int ticks_logarithmic(double low, double high, double *ticks) {
    int count = ticks_of_powers(low, high, 1, 3, ticks);
    for (int every = 1; count > RN_CURVES_TICKS; every++) count = ticks_of_powers(low, high, every, 1, ticks);
    return count < 2 ? ticks_linear(low, high, ticks) : count;
}

int rn_curves_ticks(double low, double high, int logarithmic, double ticks[RN_CURVES_TICKS]) {
    return logarithmic ? ticks_logarithmic(low, high, ticks) : ticks_linear(low, high, ticks);
}
