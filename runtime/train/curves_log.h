/* The reader of a run's log.csv (curves.h says what it looks like). */
#ifndef RN_TRAIN_CURVES_LOG_H
#define RN_TRAIN_CURVES_LOG_H

#include "rn.h"

/* The columns that are read: the first four are needed. */
typedef enum rn_curves_column {
    RN_CURVES_STEP,
    RN_CURVES_LOSS,
    RN_CURVES_TRAIN_ERROR,
    RN_CURVES_TEST_ERROR,
    RN_CURVES_EPOCH,
    RN_CURVES_RATE, /* images/s */
    RN_CURVES_COLUMNS
} rn_curves_column;

typedef struct rn_curves_log {
    int rows;
    /* `rows` numbers each. NaN: the field is empty, or its column is not there; infinity: it was nan or inf. Steps are
     * whole, rising, at most 10^15; errors from 0 to 1. */
    double *column[RN_CURVES_COLUMNS];
} rn_curves_log;

/* `name` is the file's, for errors: RN_ERROR_FORMAT, "NAME:LINE: what is wrong". After an error *log is empty. */
rn_status rn_curves_log_parse(rn_curves_log *log, const uint8_t *bytes, size_t size, const char *name, char *error,
                              size_t error_size);
rn_status rn_curves_log_read(rn_curves_log *log, const char *path, char *error, size_t error_size);
void rn_curves_log_free(rn_curves_log *log);

#endif
