/* -O3: chooses by measuring. Whole networks are built, each with another candidate for every convolution, and run in
 * turns in one process (probe.c) with a clock around every layer. So each candidate is timed where it will run: with
 * cold weights, with the caches as the layers before leave them.
 *
 * Convolutions of one shape share their times. Candidates are the direct sum, the best few of Winograd's tiles by the
 * cost model, and for the best of those other blocks.
 */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load/load.h"
#include "ops.h"
#include "plan/choose.h"
#include "plan/winograd.h"
#include "tune.h"

enum { MAX_VARIANTS = 12, TILES = 6, MORE_BLOCKS = 2 };

typedef struct Shaped { /* what is measured of one shape */
    const char *shape;
    Candidate list[MAX_VARIANTS];
    int count;
    double sum[MAX_VARIANTS]; /* of the layers' microseconds */
    int layers;
    bool known; /* by the cache */
} Shaped;

struct Tuning {
    Arena *arena;
    Map shapes;  /* text -> Shaped * */
    int variant; /* while measuring: which candidate each convolution takes; -1: all are measured */
};

static const char *choice_text(Arena *arena, const Choice *c) {
    if (c->algorithm == ALG_WINOGRAD) return arena_printf(arena, "F(%dx%d) %d", c->m_h, c->m_w, c->block);
    if (c->algorithm == ALG_STRASSEN) return arena_printf(arena, "strassen %d", c->block);
    return algorithm_name(c->algorithm);
}

/* ---- candidates ---- */
static void add_candidate(Shaped *s, Candidate c) {
    for (int i = 0; i < s->count; i++)
        if (!memcmp(&s->list[i].choice, &c.choice, sizeof c.choice)) return;
    if (s->count < MAX_VARIANTS) s->list[s->count++] = c;
}

/* The same tiles in blocks of other sizes: all, and parts around a GEMM's width. */
static void add_blocks(Shaped *s, const Plan *plan, const Node *n, Candidate c) {
    WinogradPlan w = {0};
    if (n->epilogue.pool == POOL_GLOBAL_AVG || !winograd_tiles(&w, n, &c.choice, plan_images(plan, n)))
        return;
    const int tiles = winograd_tile_count(&w), sizes[] = {tiles, WINOGRAD_CALL, WINOGRAD_CALL / 2};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (sizes[i] > tiles) continue;
        const int blocks = (tiles + sizes[i] - 1) / sizes[i];
        c.choice.block = (tiles + blocks - 1) / blocks;
        c.cost = cost_winograd(plan, n, &c.choice);
        if (c.cost.us < INFINITY && (blocks > 1 || choose_may_share(&w, n))) add_candidate(s, c);
    }
}

static Shaped *make_shaped(Tuning *t, const Plan *plan, const Node *n, const char *shape) {
    Shaped *s = arena_alloc(t->arena, sizeof *s);
    Candidate list[CHOOSE_MAX_CANDIDATES];
    const int count = choose_candidates(plan, n, list);
    s->shape = shape;
    int tiles = 0;
    for (int i = 0; i < count; i++) {
        const bool winograd = list[i].choice.algorithm == ALG_WINOGRAD;
        if (!winograd || tiles++ < TILES) add_candidate(s, list[i]);
    }
    for (int i = 0, more = 0; i < count && more < MORE_BLOCKS; i++)
        if (list[i].choice.algorithm == ALG_WINOGRAD) add_blocks(s, plan, n, list[i]), more++;
    return s;
}

static Shaped *find_shaped(const Tuning *t, const Plan *plan, const Node *n) {
    Arena arena = {0};
    Shaped *s = map_get(&t->shapes, choose_shape(plan, n, &arena));
    arena_free(&arena);
    return s;
}

int tune_candidates(const void *tuning, const Plan *plan, const Node *node, Candidate *list) {
    const Tuning *t = tuning;
    const Shaped *s = choose_has_ways(plan, node) ? find_shaped(t, plan, node) : NULL;
    if (!s) return 0;
    if (t->variant >= 0) {
        list[0] = s->list[t->variant < s->count ? t->variant : s->count - 1];
        return 1;
    }
    memcpy(list, s->list, (size_t)s->count * sizeof *list);
    return s->count;
}

/* ---- measuring ---- */
static Plan *variant_plan(Compilation *c, Tuning *t, int variant) {
    t->variant = variant;
    PlanOptions options = driver_plan_options(c);
    options.candidates = tune_candidates;
    options.candidates_user = t;
    options.tolerance = 0; /* all of them, whatever their error */
    return plan_make(&c->arena, c->graph, &options);
}

static bool run_probe(Compilation *c, const char *folder, int variants, const char *out) {
    Arena *a = &c->arena;
    char *argv[6 + 3 * MAX_VARIANTS + 1] = {"/proc/self/exe",
                                            "--probe",
                                            "tune",
                                            arena_printf(a, "%d", c->options->tune_threads),
                                            arena_printf(a, "%d", c->options->batch),
                                            (char *)out};
    int n = 6;
    for (int v = 0; v < variants; v++) {
        argv[n++] = arena_printf(a, "%s/v%d.so", folder, v);
        argv[n++] = (char *)c->name;
        argv[n++] = arena_printf(a, "%s/v%d.rnw", folder, v);
    }
    const int status = toolchain_run(argv, false);
    if (status) diag_error(&c->diag, (Place){0}, "-O3: the emitted code did not run (status %d)", status);
    return !status;
}

/* One number a layer: the microseconds of the steps in order. */
static bool read_variant(Compilation *c, Tuning *t, FILE *file, const Plan *plan, int variant) {
    double *us = arena_alloc(&c->arena, ((size_t)c->graph->node_count + 1) * sizeof *us);
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        double x;
        if (s->algorithm == ALG_ALIAS) continue;
        if (fscanf(file, "%lf", &x) != 1) return false;
        if (s->node && s->node->op == OP_CONV) us[s->node->id] += x;
    }
    for (int i = 0; i < c->graph->node_count; i++) {
        Shaped *s =
            us[i] > 0 && choose_has_ways(plan, c->graph->nodes[i]) ? find_shaped(t, plan, c->graph->nodes[i]) : NULL;
        if (s && s->known) continue; /* the cache decides, now and the next time */
        if (s && variant < s->count) s->sum[variant] += us[i];
        if (s && variant == 0) s->layers++;
    }
    return true;
}

static bool measure(Compilation *c, Tuning *t, int variants, const char *folder) {
    Plan *plans[MAX_VARIANTS];
    const bool without =
        !c->has_weights; /* then some that keep activations in range: zeros and infinities may be faster */
    if (without) weights_random(c->source, c->options->seed, &c->weights, c->options->threads);
    c->has_weights = true;
    for (int v = 0; v < variants; v++) {
        plans[v] = variant_plan(c, t, v);
        if (!driver_build_shared(c, plans[v], folder, arena_printf(&c->arena, "v%d", v))) return false;
    }
    if (without) tensor_data_free(&c->weights);
    c->has_weights = !without;
    const char *out = arena_printf(&c->arena, "%s/times", folder);
    if (!run_probe(c, folder, variants, out)) return false;
    FILE *file = fopen(out, "r");
    bool good = file != NULL;
    for (int v = 0; good && v < variants; v++) good = read_variant(c, t, file, plans[v], v);
    if (file) fclose(file);
    if (!good) diag_error(&c->diag, (Place){0}, "-O3: the measured times cannot be read");
    return good;
}

/* ---- the whole ---- */
static int by_time(const void *a, const void *b) {
    const Candidate *x = a, *y = b;
    if (x->cost.us != y->cost.us) return x->cost.us < y->cost.us ? -1 : 1;
    return memcmp(&x->choice, &y->choice, sizeof x->choice); /* equal times in one order, whatever the qsort */
}

/* Every candidate's time from the cache; false where one is not known. */
static bool from_cache(Shaped *s, const TuneCache *cache) {
    for (int i = 0; i < s->count; i++) {
        s->sum[i] = tune_cache_get(cache, s->shape, choice_text(cache->arena, &s->list[i].choice));
        if (!(s->sum[i] > 0)) return false;
    }
    s->layers = 1;
    return true;
}

static void finish(Shaped *s, TuneCache *cache) {
    for (int i = 0; i < s->count; i++) {
        Cost *cost = &s->list[i].cost;
        cost->us = s->sum[i] / s->layers;
        cost->measured = true;
        if (!s->known)
            cost->us = tune_cache_put(cache, s->shape, choice_text(cache->arena, &s->list[i].choice), cost->us);
    }
    qsort(s->list, (size_t)s->count, sizeof *s->list, by_time);
}

const Tuning *tune_run(Compilation *c) {
    Tuning *t = arena_alloc(&c->arena, sizeof *t);
    TuneCache cache;
    tune_cache_open(&cache, c);
    t->arena = &c->arena;
    PlanOptions options = driver_plan_options(c);
    const Plan *plan = plan_make(&c->arena, c->graph, &options); /* whom the cost model asks */
    int variants = 0;
    for (int i = 0; i < c->graph->node_count; i++) {
        const Node *n = c->graph->nodes[i];
        const char *shape = choose_has_ways(plan, n) ? choose_shape(plan, n, &c->arena) : NULL;
        if (!shape || map_get(&t->shapes, shape)) continue;
        Shaped *s = make_shaped(t, plan, n, shape);
        map_put(&t->shapes, &c->arena, shape, s);
        s->known = from_cache(s, &cache);
        if (!s->known) {
            memset(s->sum, 0, sizeof s->sum);
            s->layers = 0;
            if (s->count > variants) variants = s->count;
        }
    }
    bool good = true;
    if (variants) {
        char *folder = temp_folder_make(&c->arena, NULL, &c->diag);
        good = folder && measure(c, t, variants, folder);
        if (folder) temp_folder_remove(folder);
    }
    for (int i = 0; good && i < t->shapes.count; i++) finish(t->shapes.entries[i].value, &cache);
    t->variant = -1;
    return good && tune_cache_save(&cache, &c->diag) ? t : NULL;
}
