/* Curves of training: the logs of some runs as one figure, in the manner of He et al. 2016, figure 6. Training error
 * thin, test error bold, over steps; the loss in a second panel.
 *
 * A log is RUN/log.csv: a line of names, then a line of numbers for each step or for some of them,
 *
 *     step,epoch,lr,loss,train error,test error,images/s
 *     1,0,0.1,2.3041,0.906250,,1032.1
 *
 * Errors are fractions from 0 to 1. Columns are found by name and may stand in any order; step, loss, train error and
 * test error are needed, others are not known and are ignored. A field is empty where there is no value; nan and inf
 * are values. Steps increase. A last line without its end is one that is being written, and is left out.
 */
#ifndef RN_TRAIN_CURVES_H
#define RN_TRAIN_CURVES_H

#include "rn.h"

typedef enum rn_curves_smoothing {
    RN_CURVES_EXPONENTIAL, /* a step's weight is (1 - 2/(n + 1)) times its successor's, divided by the sum of weights */
    RN_CURVES_WINDOW,      /* the mean of the last n steps */
    RN_CURVES_RAW          /* none */
} rn_curves_smoothing;

typedef struct rn_curves_options { /* zeroed: the defaults */
    const char *title;             /* NULL: none in SVG; of a page "Training curves" */
    rn_curves_smoothing smoothing;
    int64_t smooth_steps; /* n above; 0: about a 64th of the longest run, and 5 lines of each log */
    double error_limit; /* the error axis ends here (0.2: 20 %, as in the paper); 0: so that the errors after the first
                           tenth of the steps fit */
    int seeds;    /* so many runs after one another are one experiment with several seeds: they have one colour, and one
                     line of an image's legend, with means, the least and the greatest. 0: 1 */
    int log_loss; /* the loss on a logarithmic scale; a page has both, and begins with this one */
} rn_curves_options;

/* Writes the figure of `count` runs (1 to 64) to `output`: SVG or a self-contained page, as its name ends in .svg or
 * .html. A run is a folder that has a log.csv, or the path of such a file; the last part of its name is what it is
 * called in the figure, or all of it where two are alike. `output` is written by renaming: whole or not at all.
 * options: NULL for the defaults. Errors: RN_ERROR_ARGUMENT (the output's name, a count or option out of range),
 * RN_ERROR_FILE, RN_ERROR_FORMAT (a broken log: file, line and what is wrong), RN_ERROR_MEMORY. Thread-safe. */
rn_status rn_curves_write(const char *const *runs, int count, const char *output, const rn_curves_options *options,
                          char *error, size_t error_size);

#endif
