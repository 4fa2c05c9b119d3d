/* The pass runner: runs the enabled rows of passes.def in their order over one graph.
 *
 * It alone verifies (before the first pass and after each), times (-v) and dumps (--dump-after), so that a pass is
 * nothing but its rewrite. While a pass runs, bug_context names it: an internal error says which pass made it.
 */
#include "graph/irtext.h"
#include "graph/verify.h"
#include "passes.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ALWAYS = -1 };

typedef enum Graphs { GRAPHS_INFERENCE = 1, GRAPHS_TRAINING = 2, GRAPHS_ANY = 3 } Graphs;

#define PASS(id, name, level, graphs, text) void pass_##id(Graph *graph);
#define PLAN_PASS(id, name, text)
#include "passes.def"
#undef PASS

static const struct Row {
    const char *name;
    int level;
    Graphs graphs;
    const char *text;
    void (*run)(Graph *graph); /* NULL: the plan's */
} rows[PASS_COUNT] = {
#define PASS(id, name, level, graphs, text) [PASS_##id] = {name, level, GRAPHS_##graphs, text, pass_##id},
#define PLAN_PASS(id, name, text) [PASS_##id] = {name, 0, GRAPHS_ANY, text, NULL},
#include "passes.def"
#undef PASS
};

const char *pass_name(PassId id) {
    return rows[id].name;
}

const char *pass_text(PassId id) {
    return rows[id].text;
}

int pass_level(PassId id) {
    return rows[id].level;
}

bool pass_suits(PassId id, bool training) {
    return rows[id].graphs & (training ? GRAPHS_TRAINING : GRAPHS_INFERENCE);
}

bool pass_enabled(const PassOptions *options, PassId id) {
    if (rows[id].level == ALWAYS) return true;
    if (options->set[id]) return options->set[id] > 0;
    return options->level >= rows[id].level;
}

bool pass_option_set(PassOptions *options, const char *name) {
    bool off = !strncmp(name, "no-", 3);
    for (int i = 0; i < PASS_COUNT; i++)
        if (!strcmp(rows[i].name, off ? name + 3 : name)) {
            options->set[i] = off ? -1 : 1;
            return true;
        }
    return false;
}

void pass_run(Graph *graph, PassId id) {
    const char *outer = bug_context;
    bug_context = rows[id].name;
    if (rows[id].run) rows[id].run(graph);
    verify_graph(graph);
    bug_context = outer;
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void dump(const Graph *graph, const char *name, bool titled) {
    Text text = {0};
    if (titled) text_printf(&text, "# after %s\n", name);
    irtext_print(graph, &text);
    fwrite(text.s, 1, text.size, stdout);
    text_free(&text);
}

void passes_run(Graph *graph, const PassOptions *options) {
    const char *outer = bug_context, *wanted = options->dump_after;
    bug_context = "the graph before the passes";
    verify_graph(graph);
    bug_context = outer;
    bool all = wanted && !strcmp(wanted, "all");
    for (int i = 0; i < PASS_COUNT; i++) {
        if (!rows[i].run) continue;
        bool enabled = pass_enabled(options, (PassId)i) && pass_suits((PassId)i, graph->training != NULL);
        if (enabled) {
            int before = graph->node_count;
            double start = now_ms();
            pass_run(graph, (PassId)i);
            if (options->verbose)
                fprintf(stderr, "  %-14s %5d -> %5d nodes %8.2f ms\n", rows[i].name, before, graph->node_count,
                        now_ms() - start);
        }
        /* asked for by name, it shows the graph at that point even where the pass is off */
        if (all ? enabled : wanted && !strcmp(wanted, rows[i].name)) dump(graph, rows[i].name, all);
    }
}
