/* What people look at: the summary of a network, the report of a plan. */
#ifndef RNC_VIEW_H
#define RNC_VIEW_H

#include <stdio.h>
#include <cjson/cJSON.h>

#include "plan/plan.h"

struct Bench;

/* Of a graph as its source says it, before any pass, for one image. */
typedef struct Totals {
    int64_t params;           /* what training changes: batch norm's running statistics are not among them */
    int64_t macs;             /* multiply-adds of convolutions and fully connected layers */
    int64_t activation_bytes; /* all values in float32; dropout, identity and flatten make none of their own */
    int64_t live_bytes;       /* the largest set of them that is needed at one time */
} Totals;

Totals graph_totals(const Graph *graph);
int64_t node_params(const Node *node);

/* How large the compiled network is, and how it is compiled. */
typedef struct Sizes {
    int64_t weights; /* bytes of what it reads of a weights file, in float32 */
    int64_t packed;  /* bytes of packed weights */
    int64_t arena;   /* bytes of an instance with its activations, for the largest batch */
    const char *target;
    const char *tune; /* the machine that it is planned for, as -mtune has it */
    int level, batch, threads;
} Sizes;

int64_t graph_weight_bytes(const Graph *graph); /* Sizes.weights of the graph as its source says it */
/* rnc --summary: a row per layer, then the totals; without the sizes where they are NULL. */
void summary_print(const Graph *graph, const Sizes *sizes, FILE *out);
const char *summary_operation(Arena *arena, const Node *node); /* "conv 3x3 /2 pad 1" */

/* rnc --dump=dot: for Graphviz. */
void graph_dot(const Graph *graph, Text *out);

/* ---- json.c: the parts of what --json prints (docs/json.md); the caller owns them ---- */
/* A document's beginning: what was compiled, by what, where and when. */
cJSON *json_document(const char *network, const char *command);
cJSON *json_machine(const Machine *machine, const char *origin);
cJSON *json_summary(const Graph *graph, const Sizes *sizes); /* sizes: NULL where it does not compile */
cJSON *json_report(const Plan *plan, const Sizes *sizes);
void json_add_bench(cJSON *document, const struct Bench *bench);
cJSON *json_shape(Shape shape);
/* A member; bytes that are no UTF-8 (of a file's name, say), which JSON cannot hold, are replaced by U+FFFD. */
void json_add_string(cJSON *json, const char *name, const char *text);

/* ---- stamp.c ---- */
const char *view_machine(Arena *arena); /* "AMD EPYC 9B14, 2 processors" */
const char *view_date(Arena *arena);    /* ISO 8601, UTC; what SOURCE_DATE_EPOCH says where it is set */

/* 0.3 KB, 8.9 MB, 1.02 GB: decimal */
const char *view_bytes(Arena *arena, double bytes);

/* rnc --report: how each layer is computed, what else was considered and why not; as text and as a page. */
void report_text(const Plan *plan, Text *out);
void report_html(const Plan *plan, const Sizes *sizes, const char *command, Text *out);
/* The same of a step of training. */
void report_train_text(const Plan *plan, Text *out);
void report_train_html(const Plan *plan, const char *command, Text *out);
cJSON *json_report_train(const Plan *plan);

#endif
