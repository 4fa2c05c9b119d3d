/* The live line of training: step of stop, epoch, loss, errors, images/s, time left.
 *
 * On a terminal one line is rewritten in place, ten times a second at most, with as many of its fields as the
 * terminal's width holds. Elsewhere (a file, a pipe, TERM=dumb) whole lines come at intervals that grow with the time
 * passed: ten seconds first, minutes after hours. NO_COLOR (no-color.org) takes the colours away.
 *
 *     rn_progress progress;
 *     rn_progress_begin(&progress, stderr, &(rn_progress_options){.first = resumed_at, .stop = 64000});
 *     for (...) {
 *         rn_progress_step(&progress, step, epoch, loss, wrong / (double)batch, batch);
 *         if (...) {
 *             rn_progress_doing(&progress, "testing");
 *             rn_progress_test(&progress, test_error);
 *         }
 *     }
 *     rn_progress_end(&progress);
 *
 * No state outside of the struct, no allocation; used by one thread at a time. Errors of writing are ignored: a closed
 * terminal is no reason to stop training.
 */
#ifndef RN_TRAIN_PROGRESS_H
#define RN_TRAIN_PROGRESS_H

#include "rn.h"

#include <stdio.h>

typedef struct rn_progress_options {
    int64_t first;         /* steps that were made before: of a resumed run. 0: none */
    int64_t stop;          /* the step that ends training. 0: unknown, and so is the time left */
    double (*now)(void *); /* monotonic seconds, given `clock`. NULL: the system's */
    void *clock;
    const char *unit;      /* what is counted: ASCII. NULL: "step" */
    int patient;           /* 1: elsewhere than on a terminal nothing is said within the first interval */
} rn_progress_options;

/* A mean that gives the value n steps ago a weight of decay^n; NaN once a value was NaN. */
typedef struct rn_progress_mean {
    double sum, weight;
} rn_progress_mean;

typedef struct rn_progress { /* read by progress.c alone */
    FILE *file;
    rn_progress_options options;
    int live, coloured; /* rewritten in place; with colours */
    int64_t step;
    double epoch, test_error;           /* of the last step and test; NaN: no test yet */
    rn_progress_mean loss, train_error; /* over about the last 50 steps */
    const char *doing;                  /* NULL: steps */
    double begun, last, shown;          /* seconds: begin, the last step or test, the last line */
    double steps, images, computing;    /* of the time of steps; sums that forget */
    double all, all_computing;          /* seconds since begin; those of steps */
    int pending;                        /* something is known that no line has shown */
} rn_progress;

/* `file` is usually stderr; whether it is a terminal decides the manner. `options` is copied. */
void rn_progress_begin(rn_progress *progress, FILE *file, const rn_progress_options *options);

/* After a step. `step` counts from 1; `epoch` may have a fraction; `loss` and `train_error` (a fraction from 0 to 1)
 * are the step's own and shown as means over about the last 50 steps; `images` is how many the step was made on. */
void rn_progress_step(rn_progress *progress, int64_t step, double epoch, double loss, double train_error, int images);

/* What goes on instead of steps ("testing", "saving"), shown until it ends: with a test, with NULL here, or with the next
 * step. That time counts for the time left, not for images/s. Static storage, ASCII. */
void rn_progress_doing(rn_progress *progress, const char *what);

/* After a test: a fraction from 0 to 1. */
void rn_progress_test(rn_progress *progress, double test_error);

/* Instead of steps: a part of a test, up to picture `step`. `error` is that of all pictures so far, or NaN; `images` is
 * how many more they are. */
void rn_progress_tested(rn_progress *progress, int64_t step, double error, int images);

/* A whole line of its own, above the live one. */
void rn_progress_say(rn_progress *progress, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* Leaves the last state as a whole line. */
void rn_progress_end(rn_progress *progress);

#endif
