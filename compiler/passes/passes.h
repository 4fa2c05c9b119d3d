/* The table of passes (passes.def) and their runner. Adding a pass is one row there and one file in passes/. */
#ifndef RNC_PASSES_H
#define RNC_PASSES_H

#include "graph/ir.h"

typedef enum PassId {
#define PASS(id, name, level, graphs, text) PASS_##id,
#include "passes.def"
#undef PASS
    PASS_COUNT
} PassId;

typedef struct PassOptions {
    int level;                   /* 0..3 */
    signed char set[PASS_COUNT]; /* -f[no-]NAME: 1 on, -1 off, 0 as the level says */
    const char *dump_after;      /* name, or NULL; "all" */
    bool verbose;                /* time and count of nodes per pass, to stderr */
} PassOptions;

bool pass_enabled(const PassOptions *options, PassId id);
const char *pass_name(PassId id);
const char *pass_text(PassId id);
int pass_level(PassId id);
/* Whether it runs on such graphs: of training steps, or of inference. */
bool pass_suits(PassId id, bool training);
/* Sets an option from "NAME" or "no-NAME"; false where no pass is called so. */
bool pass_option_set(PassOptions *options, const char *name);

/* Runs the enabled passes that suit the graph in the table's order; verifies before the first and after each; dumps to
 * stdout. */
void passes_run(Graph *graph, const PassOptions *options);
/* One pass alone (tests). */
void pass_run(Graph *graph, PassId id);

#endif
