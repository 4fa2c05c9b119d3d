/* What people look at: the summary of a network, the report of a plan. */
#ifndef RNC_VIEW_H
#define RNC_VIEW_H

#include <stdio.h>

#include "../plan/plan.h"

/* Of a graph as its source says it, before any pass, for one image. */
typedef struct Totals {
    int64_t params;           /* what training changes: batch norm's running statistics are not among them */
    int64_t macs;             /* multiply-adds of convolutions and fully connected layers */
    int64_t activation_bytes; /* all values in float32; dropout, identity and flatten make none of their own */
    int64_t live_bytes;       /* the largest set of them that is needed at one time */
} Totals;

Totals graph_totals(const Graph *graph);
int64_t node_params(const Node *node);
/* rnc --summary: a row per layer, then the totals. */
void summary_print(const Graph *graph, FILE *out);

/* rnc --report: how each convolution is computed, what else was considered and why not; as text and as a page. */
void report_text(const Plan *plan, Text *out);
void report_html(const Plan *plan, const char *command, Text *out);

#endif
