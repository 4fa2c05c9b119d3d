/* A trainer's plan as its readers want it: a row for each node of the step's graph, made once, shown as text, as a page
 * and as JSON (report_train_page.c).
 */
#ifndef RNC_VIEW_REPORT_TRAIN_H
#define RNC_VIEW_REPORT_TRAIN_H

#include "plan/training.h"
#include "view.h"

enum { TRAIN_FORWARD, TRAIN_AGAIN, TRAIN_DATA, TRAIN_WEIGHTS, TRAIN_PARTS }; /* of a step; "again": recomputed */
extern const char *const report_train_parts[TRAIN_PARTS];

typedef struct TrainRow {
    const char *name, *operation, *shape, *algorithm, *place;
    int part;
    int calls;                     /* of the emitted line: packing, transforms, sums over slabs and the rest */
    double us;                     /* of the batch, see report_train_time */
    int64_t macs, multiplications; /* of the batch */
    int64_t bytes;                 /* read and written, of the batch */
} TrainRow;

typedef struct TrainHeld { /* what lives where most does */
    const char *name;
    int64_t bytes;
    const char *first, *last; /* the steps that touch it */
} TrainHeld;

typedef struct TrainReport {
    Arena arena;
    const Plan *plan;
    TrainRow *rows; /* in the order of execution */
    int count, capacity;
    TrainRow sum, part[TRAIN_PARTS];
    const char *fullest; /* the step at which most bytes live */
    TrainHeld *held;     /* then, the largest first */
    int held_count, held_capacity;
    int64_t fixed, values, scratch, stored; /* bytes: flat buffers; arena of values; of a thread; all values that are
                                               stored, as if none shared memory */
    int computed;                           /* values that are computed where they are read */
} TrainReport;

TrainReport report_train_make(const Plan *plan); /* lives in its own arena, beside the plan's */
void report_train_free(TrainReport *report);
/* "the larger of what multiplications and bytes take at the machine's rates, of 1 thread" */
const char *report_train_time(TrainReport *report);
/* Two sentences: what a step does; what a trainer takes. */
void report_train_totals(TrainReport *report, Text *step, Text *memory);

#endif
