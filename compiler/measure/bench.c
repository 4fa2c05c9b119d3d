/* rnc bench: what each fusion is worth. Builds the network at -O0, at -O0 with one pass more, and at -O2; runs all of
 * them in turns in one process (probe.c), and prints time, memory traffic, arena size, ratio to -O0 and the largest
 * difference of the outputs. A variant that emits the very code of -O0 is said to and not timed.
 */
#include "save/emitted.h"
#include "base/toolchain.h"
#include "compilation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "view/bench_view.h"
#include "probe.h"

enum { MAX_VARIANTS = PASS_COUNT + 2 };

typedef struct BenchRun {
    Compilation *c;
    const char *folder;
    Bench bench;
    BenchVariant variants[MAX_VARIANTS];
    PassOptions passes[MAX_VARIANTS];
    Text first, last; /* the code of -O0 and of -O2 */
} BenchRun;

/* A variant of its own. */
static bool is_fusion(PassId id) {
    return pass_level(id) == 1 || pass_level(id) == 2;
}

static void list_variants(BenchRun *run) {
    Bench *b = &run->bench;
    b->variants = run->variants;
    run->variants[b->count++] = (BenchVariant){.name = "-O0", .text = "every layer its own pass over memory"};
    for (int i = 0; i < PASS_COUNT; i++) {
        if (!is_fusion((PassId)i)) continue;
        run->passes[b->count].set[i] = 1;
        run->variants[b->count++] = (BenchVariant){.name = arena_printf(&run->c->arena, "-f%s", pass_name((PassId)i)),
                                                   .kind = BENCH_ALONE,
                                                   .text = pass_text((PassId)i)};
    }
    run->passes[b->count].level = 2;
    run->variants[b->count++] = (BenchVariant){.name = "-O2", .kind = BENCH_ALL, .text = "all of them together"};
    for (int i = 0; i < b->count; i++) /* the rest is alike in all, and as asked for */
        for (int p = 0; p < PASS_COUNT; p++)
            if (!is_fusion((PassId)p)) run->passes[i].set[p] = run->c->options->passes.set[p];
}

static const char *stem(BenchRun *run, int variant) {
    return arena_printf(&run->c->arena, "variant%d", variant);
}

/* The variant's plan and code. */
static Plan *emit_variant(BenchRun *run, Arena *arena, int index, Text *text) {
    Compilation *c = run->c;
    Graph *graph = graph_clone(c->source, arena);
    passes_run(graph, &run->passes[index]);
    const PlanOptions options = compilation_plan_options(c, &run->passes[index]);
    Plan *plan = plan_make(arena, graph, &options);
    emit_c(
        plan,
        &(EmitOptions){
            .name = c->name, .target = c->options->target, .command = "", .source_hash = c->hash, .header_name = "x.h"},
        text);
    return plan;
}

static bool text_equal(const Text *a, const Text *b) {
    return a->size == b->size && !memcmp(a->s, b->s, a->size);
}

/* A pass that does nothing alone may do something among the others (a sum must be fused before it can be in place):
 * then its variant is -O2 without it. True where either changes the code. */
static bool choose_variant(BenchRun *run, int index, Arena *arena, Plan **plan) {
    Text text = {0}, without = {0};
    PassOptions *passes = &run->passes[index];
    *plan = emit_variant(run, arena, index, &text);
    bool changes = index == run->bench.count - 1 || !text_equal(&text, &run->first);
    if (!changes) {
        for (int i = 0; i < PASS_COUNT; i++)
            if (is_fusion((PassId)i)) passes->set[i] = (signed char)-passes->set[i];
        passes->level = 2;
        *plan = emit_variant(run, arena, index, &without);
        changes = !text_equal(&without, &run->last);
        if (changes) {
            run->variants[index].name = arena_printf(&run->c->arena, "-O2 -fno-%s", run->variants[index].name + 2);
            run->variants[index].kind = BENCH_WITHOUT;
        }
    }
    text_free(&text);
    text_free(&without);
    return changes;
}

/* Compiles one variant into the folder; memory of its graph and plan is given back. */
static bool build_variant(BenchRun *run, int index) {
    Compilation *c = run->c;
    Arena arena = {0};
    Plan *plan;
    bool good = true;
    if (!index)
        plan = emit_variant(run, &arena, 0, &run->first);
    else
        run->variants[index].same_as_first = !choose_variant(run, index, &arena, &plan);
    if (!run->variants[index].same_as_first) {
        if (c->options->passes.verbose) fprintf(stderr, "bench: %s\n", run->variants[index].name);
        good = emitted_build_shared(c, plan, run->folder, stem(run, index));
    }
    arena_free(&arena);
    return good;
}

static void emit_last(BenchRun *run) {
    Arena arena = {0};
    emit_variant(run, &arena, run->bench.count - 1, &run->last);
    arena_free(&arena);
}

static bool run_variants(BenchRun *run, const char *out) {
    Arena *a = &run->c->arena;
    const Options *options = run->c->options;
    const char *words[] = {"bench",
                           arena_printf(a, "%d", options->threads),
                           arena_printf(a, "%d", options->batch),
                           arena_printf(a, "%g", options->seconds),
                           out,
                           NULL};
    const char *stems[MAX_VARIANTS + 1] = {NULL};
    for (int i = 0, count = 0; i < run->bench.count; i++)
        if (!run->variants[i].same_as_first) stems[count++] = stem(run, i);
    return probe_run(run->c, "bench", words, run->folder, stems);
}

static bool read_results(BenchRun *run, const char *path) {
    FILE *file = fopen(path, "r");
    bool good = file != NULL;
    for (int i = 0; good && i < run->bench.count; i++) {
        BenchVariant *v = &run->variants[i];
        if (v->same_as_first) {
            const BenchVariant unchanged = *v;
            *v = run->variants[0];
            v->name = unchanged.name, v->kind = unchanged.kind, v->text = unchanged.text;
            v->same_as_first = true;
            continue;
        }
        good = fscanf(file, "%lf %lf %lld %zu %d %lf", &v->min_ms, &v->median_ms, &v->traffic, &v->arena, &v->runs,
                      &v->difference) == 6;
        v->speedup = run->variants[0].median_ms / v->median_ms;
    }
    if (file) fclose(file);
    if (!good) diag_error(&run->c->diag, (Place){0}, "bench: the results of the emitted code cannot be read");
    return good;
}

/* ---- printing ---- */
const char *bench_kind_text(BenchKind kind) {
    static const char *const texts[] = {"none", "this alone", "all but this", "all"};
    return texts[kind];
}

static void print_table(const Bench *b) {
    printf("%s: batch %d, %d thread%s, %s, %s; variants run in turns, %d runs each\n\n", b->network, b->batch,
           b->threads, b->threads == 1 ? "" : "s", b->target, b->weights, b->variants[0].runs);
    printf("%-24s %-13s %9s %9s %11s %10s %9s %11s\n", "variant", "passes", "min ms", "median ms", "traffic MB",
           "arena MB", "speed-up", "difference");
    for (int i = 0; i < b->count; i++) {
        const BenchVariant *v = &b->variants[i];
        if (v->same_as_first) {
            printf("%-24s changes nothing here\n", v->name);
            continue;
        }
        printf("%-24s %-13s %9.3f %9.3f %11.2f %10.2f %9.3f %11.2g\n", v->name, bench_kind_text(v->kind), v->min_ms,
               v->median_ms, (double)v->traffic / 1e6, (double)v->arena / 1e6, v->speedup, v->difference);
    }
}

static void print_json(const Bench *b) {
    cJSON *json = json_document(b->network, b->command);
    json_add_bench(json, b);
    char *text = cJSON_Print(json);
    if (!text) out_of_memory();
    puts(text);
    cJSON_free(text);
    cJSON_Delete(json);
}

static bool write_html(BenchRun *run) {
    const char *path = run->c->options->html;
    Text text = {0};
    bench_html(&run->bench, &text);
    bool good = file_write(path, text.s, text.size);
    if (!good) diag_error(&run->c->diag, (Place){0}, "cannot write '%s': %s", path, strerror(errno));
    text_free(&text);
    return good;
}

static bool check_difference(const BenchRun *run) {
    for (int i = 0; i < run->bench.count; i++) {
        const BenchVariant *v = &run->variants[i];
        if (v->difference <= 1e-3) continue;
        diag_error(&run->c->diag, (Place){0}, "bench: the output of %s differs from that of -O0 by %.3g", v->name,
                   v->difference);
    }
    return !run->c->diag.errors;
}

static bool bench_in_folder(BenchRun *run) {
    const Options *options = run->c->options;
    const char *out = arena_printf(&run->c->arena, "%s/results", run->folder);
    emit_last(run);
    for (int i = 0; i < run->bench.count; i++)
        if (!build_variant(run, i)) return false;
    if (!run_variants(run, out) || !read_results(run, out)) return false;
    if (!options->json) print_table(&run->bench);
    if (options->html && !write_html(run)) return false;
    if (options->json) print_json(&run->bench);
    return check_difference(run);
}

bool bench_run(Compilation *c) {
    BenchRun run = {.c = c};
    const Options *options = c->options;
    run.bench.network = c->source->name;
    run.bench.command = options->command;
    run.bench.target = target_text(&c->arena, &options->target);
    run.bench.batch = options->batch;
    run.bench.threads = options->threads;
    run.bench.weights = options->weights                    ? path_base(options->weights)
                        : options->input_kind == INPUT_ONNX ? path_base(options->input)
                                                            : "random weights";
    run.folder = temp_folder_make(&c->arena, NULL, &c->diag);
    if (!run.folder) return false;
    list_variants(&run);
    bool good = bench_in_folder(&run);
    temp_folder_remove(run.folder);
    text_free(&run.first);
    text_free(&run.last);
    return good;
}
