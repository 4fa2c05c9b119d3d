/* A plan as its readers want it: a row per layer that is left, with its time, size and reason; made once, shown as text
 * (report_text.c), as a page (report_html.c) and as JSON (json.c). */
#ifndef RNC_VIEW_REPORT_H
#define RNC_VIEW_REPORT_H

#include "plan/algorithms.h"
#include "view.h"

enum { REPORT_OTHERS = 3 };

typedef struct ReportRow {
    const Node *node;      /* of the plan's graph; NULL: the conversion of the input or of an output */
    const char *name;      /* the layer's */
    const char *operation; /* "conv + add + relu" */
    const char *shape;     /* "3x3/2 64->128 @28x28" */
    const char *algorithm, *reason, *place;
    AlgorithmKind kind;
    bool woven; /* kernels of rnc's own fetch its weights */
    const char *other[REPORT_OTHERS]; /* the candidates that come next */
    double other_us[REPORT_OTHERS];
    int others, candidates;
    double us;     /* of one image: by the cost model, or measured; of a layer without candidates an estimate */
    double direct; /* of the direct sum; 0: not known */
    double error;  /* what the output gets of its rounding; 0: none is taken into account */
    int64_t macs, multiplications, activations; /* of one image; activations: bytes read and written */
    int64_t weights, packed;                    /* bytes: of the weights file in float32, packed */
} ReportRow;

typedef struct Report {
    Arena arena;
    const Plan *plan;
    ReportRow *rows; /* in the order of execution */
    int count, capacity;
    int cautious;  /* layers that take less error than the fastest candidate has */
    bool smaller;  /* weights than the fastest choice has: -Os, --weights-limit */
    bool measured; /* some times are */
    double us;
    int64_t multiplications, macs, activations, weights, packed, bf16;
    int *row_of; /* by id of the plan's nodes: the row, or -1: no code of its own */
} Report;

/* How a layer is computed, in a word: what the colours of a page mean. */
extern const char *const report_kinds[KIND_COUNT];

/* The graph as a part of the page (graph_html.c). */
void graph_html(Report *report, Text *out);

Report report_make(const Plan *plan); /* lives in its own arena, beside the plan's */
void report_free(Report *report);
double report_share(const Report *report, double us); /* percent of the whole time */
const char *report_us(Arena *arena, double us);       /* "541", "12.5" */
const char *report_times(Report *report);             /* "times by the cost model, of 1 thread" */
/* Of the whole network: "0.55 G multiplications where the source has 1.81; predicted error ..." */
void report_totals(const Report *report, Text *out);

#endif
