/* Series of numbers over steps: their means, which of their points are drawn, and the paths of these. As in a log, NaN
 * is no value and infinity is one that cannot be drawn: the curve is interrupted there. */
#ifndef RN_TRAIN_CURVES_SERIES_H
#define RN_TRAIN_CURVES_SERIES_H

#include "curves.h"

#include <stdio.h>

/* A panel's coordinates: steps from 0 to `steps`, values from `low` to `high`, a plot of WIDTH x HEIGHT units. */
enum { RN_CURVES_WIDTH = 6000, RN_CURVES_HEIGHT = 3600, RN_CURVES_UNITS = 10 /* of a pixel column */ };

typedef struct rn_curves_axes {
    double steps, low, high;
    int logarithmic; /* low is above 0 */
} rn_curves_axes;

/* mean[i]: of value[0 .. i], weighted as options.smoothing says (curves.h); NaN and infinite where the value is. */
void rn_curves_smooth(const double *step, const double *value, double *mean, int count, rn_curves_smoothing smoothing,
                      int64_t n);

/* The points that draw the same picture as all: of each column of `column` units the first, the least, the greatest and
 * the last (M4: Jugel, Jerzak, Hackenbroich, Markl 2014), so that no spike is lost. x rises. kept (room for `count`)
 * gets their places, rising, those of infinite values too; -> how many. */
int rn_curves_thin(const double *x, const double *y, int count, double column, int *kept);

/* Room for a series: coordinates, and what is kept of them. */
typedef struct rn_curves_room {
    double *x, *y;
    int *kept;
} rn_curves_room;

/* Prints the d attribute of an SVG path, thinned, in whole units of the plot; relative, which is short. -> its points.
 */
int rn_curves_path(FILE *out, const rn_curves_axes *axes, const double *step, const double *value, int count,
                   const rn_curves_room *room);

/* How high a value is in the plot, from 0 to 1 and beyond; infinite where it has no place. */
double rn_curves_height(const rn_curves_axes *axes, double value);

/* Round values for lines of a grid, at most RN_CURVES_TICKS of them, rising; -> how many. On a logarithmic scale 1, 2
 * and 5 of each power of ten, or powers alone where there are many. */
enum { RN_CURVES_TICKS = 12 };
int rn_curves_ticks(double low, double high, int logarithmic, double ticks[RN_CURVES_TICKS]);
/* The least value from x on that is 1, 2 or 5 times a power of ten; x > 0. */
double rn_curves_round_up(double x);

#endif
