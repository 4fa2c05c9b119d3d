/* log.csv of a run: a line for each of some steps, as train/curves.h reads it. */
#ifndef RN_TRAIN_LOG_H
#define RN_TRAIN_LOG_H

#include "rn.h"

typedef struct rn_log {
    char *path;
    int descriptor; /* -1: closed */
} rn_log;

typedef struct rn_log_line {
    int64_t step;
    double epoch, lr, loss, train_error;
    double test_error;        /* a fraction; NaN: there was no test */
    double images_per_second; /* NaN: not known */
} rn_log_line;

/* Takes over `path` (malloc'd). last_step < 0: a new log. Otherwise the log that is there, cut back to lines of steps
 * up to last_step; where there is none, a new one. On an error nothing is left to close. */
rn_status rn_log_open(rn_log *log, char *path, int64_t last_step, char *error, size_t error_size);
void rn_log_close(rn_log *log);
/* On an error no part of the line stays. */
rn_status rn_log_write(rn_log *log, const rn_log_line *line, char *error, size_t error_size);
rn_status rn_log_sync(rn_log *log, char *error, size_t error_size); /* to the disk */

#endif
