/* -O3: chooses by measuring. Whole networks are built, each with another candidate for every convolution, and run in
 * turns in one process (probe.c) with a clock around every layer. So each candidate is timed where it will run: with
 * cold weights, with the caches as the layers before leave them. Each network brings weights of its own, so a few are
 * built, run and removed at a time, and the first one runs beside them all: their common measure.
 *
 * Convolutions of one shape share their times. Candidates are the direct sum, the best few of Winograd's tiles by the
 * cost model, and for the best of those other blocks.
 */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "graph/tensor.h"
#include "save/emitted.h"
#include "base/toolchain.h"
#include "load/load.h"
#include "graph/ops.h"
#include "plan/algorithms.h"
#include "plan/choose.h"
#include "plan/error.h"
#include "plan/winograd.h"
#include "probe.h"
#include "tune.h"

enum {
    MAX_VARIANTS = 12,
    TILES = 6,
    THIN_TILES = 2,
    MORE_BLOCKS = 2,
    GROUP = 3 /* built and run at a time, beside the first */
};

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

/* ---- candidates ---- */
static void add_candidate(Shaped *s, Candidate c) {
    for (int i = 0; i < s->count; i++)
        if (!memcmp(&s->list[i].choice, &c.choice, sizeof c.choice)) return;
    if (s->count < MAX_VARIANTS) s->list[s->count++] = c;
}

static Shaped *make_shaped(Tuning *t, const Plan *plan, const Node *n, const char *shape) {
    Shaped *s = arena_alloc(t->arena, sizeof *s);
    Candidate list[CHOOSE_MAX_CANDIDATES];
    const int images = plan_images(plan, n), all = choose_candidates(plan, n, images, list);
    int count = 0, tiles = 0, thin = 0; /* of one row or column, which come in pairs that are alike */
    for (int i = 0; i < all; i++) /* tiles that even the first layer of the shape alone may not take are left out */
        if (choose_fits(plan, n, &list[i])) list[count++] = list[i];
    s->shape = shape;
    for (int i = 0; i < count; i++) {
        const Choice *choice = &list[i].choice;
        const Window *w = &n->term[0].window;
        const bool one = (choice->m_h == 1 && w->r > 1) || (choice->m_w == 1 && w->s > 1);
        if (!choice_has_tiles(choice) || (one ? thin++ < THIN_TILES : tiles++ < TILES)) add_candidate(s, list[i]);
    }
    double added[CHOOSE_MAX_CANDIDATES];
    error_of_candidates(plan, n, list, count, added);
    int least = 0; /* the smallest error, for networks that need it */
    for (int i = 1; i < count; i++)
        if (added[i] < added[least]) least = i;
    add_candidate(s, list[least]);
    for (int i = 0, more = 0; i < count && more < MORE_BLOCKS; i++) {
        Candidate blocks[CHOOSE_BLOCKS];
        const int sizes = choose_blocks(plan, n, images, list[i], blocks);
        for (int k = 0; k < sizes; k++) add_candidate(s, blocks[k]);
        more += choice_has_tiles(&list[i].choice);
    }
    return s;
}

static Shaped *find_shaped(const Tuning *t, const Plan *plan, const Node *n) {
    Arena arena = {0};
    Shaped *s = map_get(&t->shapes, choose_shape(plan, n, plan_images(plan, n), &arena));
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
    PlanOptions options = compilation_plan_options(c, &c->options->passes);
    options.candidates = tune_candidates;
    options.candidates_user = t;
    options.tolerance = 0; /* each as it is */
    return plan_make(&c->arena, c->graph, &options);
}

/* The layers' microseconds, in the order of the steps: of each convolution to us, by node; all of them to *whole. */
static bool read_times(const Compilation *c, FILE *file, const Plan *plan, double *us, double *whole) {
    memset(us, 0, (size_t)c->graph->node_count * sizeof *us);
    *whole = 0;
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        double x;
        if (!step_is_call(s)) continue;
        if (fscanf(file, "%lf", &x) != 1) return false;
        if (s->node && s->node->op == OP_CONV) us[s->node->id] += x;
        *whole += x;
    }
    return *whole > 0;
}

static void add_times(const Compilation *c, Tuning *t, const Plan *plan, int variant, const double *us, double scale) {
    for (int i = 0; i < c->graph->node_count; i++) {
        const Node *n = c->graph->nodes[i];
        Shaped *s = us[i] > 0 && choose_has_ways(plan, n) ? find_shaped(t, plan, n) : NULL;
        if (!s || s->known) continue; /* the cache decides, now and the next time */
        if (variant < s->count) s->sum[variant] += us[i] * scale;
        if (variant == 0) s->layers++;
    }
}

static const char *variant_stem(Compilation *c, int variant) {
    return arena_printf(&c->arena, "v%d", variant);
}

static void remove_variant(Compilation *c, const char *folder, int variant) {
    static const char *const endings[] = {"c", "h", "so", "rnw"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        unlink(arena_printf(&c->arena, "%s/%s.%s", folder, variant_stem(c, variant), endings[i]));
}

/* Runs the first variant beside variants [from, to). On a machine with neighbours a group may meet a slower phase than
 * another: times are scaled by the first variant's, *first in the first group. */
static bool run_group(Compilation *c, Tuning *t, Plan *const *plans, const char *folder, int from, int to,
                      double *first) {
    Arena *a = &c->arena;
    const char *out = arena_printf(a, "%s/times", folder), *stems[GROUP + 2] = {variant_stem(c, 0)};
    for (int v = from; v < to; v++) stems[1 + v - from] = variant_stem(c, v);
    const char *words[] = {"tune", arena_printf(a, "%d", c->options->tune_threads),
                           arena_printf(a, "%d", c->options->batch), out, NULL};
    if (!probe_run(c, "-O3", words, folder, stems)) return false;
    FILE *file = fopen(out, "r");
    double *us = arena_alloc(a, ((size_t)c->graph->node_count + 1) * sizeof *us), whole, now;
    bool good = file && read_times(c, file, plans[0], us, &now);
    if (good && *first == 0) {
        *first = now;
        add_times(c, t, plans[0], 0, us, 1);
    }
    for (int v = from; good && v < to; v++) {
        good = read_times(c, file, plans[v], us, &whole);
        if (good) add_times(c, t, plans[v], v, us, *first / now);
    }
    if (file) fclose(file);
    if (!good) diag_error(&c->diag, (Place){0}, "-O3: the measured times cannot be read");
    return good;
}

/* False after an error where `folder` has no room for what is there at a time: a gigabyte for each variant of VGG-16.
 */
static bool check_room(Compilation *c, Plan *const *plans, int variants, const char *folder) {
    enum { CODE = 16 << 20 }; /* of a variant, more than enough */
    uint64_t largest = 0;
    struct statvfs disk;
    for (int v = 0; v < variants; v++)
        if (plans[v]->recipe.packed_size > largest) largest = plans[v]->recipe.packed_size;
    const double need = (double)(largest + CODE) * (variants < 1 + GROUP ? variants : 1 + GROUP);
    if (statvfs(folder, &disk)) return true;
    const double room = (double)disk.f_bavail * (double)disk.f_frsize;
    if (need <= room) return true;
    diag_error(
        &c->diag, (Place){0},
        "-O3 measures networks that need %.2f GB of temporary files, but '%.*s' has room for %.2f GB; set TMPDIR "
        "to another folder",
        need * 1e-9, (int)(path_base(folder) - folder - 1), folder, room * 1e-9);
    return false;
}

/* Builds and runs the variants, a few at a time: each brings the weights of a whole network. */
static bool measure(Compilation *c, Tuning *t, int variants, const char *folder) {
    Plan *plans[MAX_VARIANTS];
    double first = 0;
    for (int v = 0; v < variants; v++) plans[v] = variant_plan(c, t, v);
    if (!check_room(c, plans, variants, folder)) return false;
    bool good = emitted_build_shared(c, plans[0], folder, variant_stem(c, 0));
    int from = 1;
    do {
        const int to = from + GROUP < variants ? from + GROUP : variants;
        for (int v = from; good && v < to; v++) good = emitted_build_shared(c, plans[v], folder, variant_stem(c, v));
        good = good && run_group(c, t, plans, folder, from, to, &first);
        for (int v = from; v < to; v++) remove_variant(c, folder, v);
        from = to;
    } while (good && from < variants);
    return good;
}

/* Where there are no weights, some that keep activations in range: zeros and infinities may be faster. */
static bool measure_with_weights(Compilation *c, Tuning *t, int variants, const char *folder) {
    if (c->has_weights) return measure(c, t, variants, folder);
    weights_random(c->source, c->options->seed, &c->weights, c->options->threads);
    c->has_weights = true;
    const bool good = measure(c, t, variants, folder);
    tensor_data_free(&c->weights);
    c->has_weights = false;
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
        s->sum[i] = tune_cache_get(cache, s->shape, choice_key(cache->arena, &s->list[i].choice));
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
            cost->us = tune_cache_put(cache, s->shape, choice_key(cache->arena, &s->list[i].choice), cost->us);
    }
    qsort(s->list, (size_t)s->count, sizeof *s->list, by_time);
}

const Tuning *tune_run(Compilation *c) {
    Tuning *t = arena_alloc(&c->arena, sizeof *t);
    TuneCache cache;
    if (!tune_cache_open(&cache, c)) return NULL;
    t->arena = &c->arena;
    PlanOptions options = compilation_plan_options(c, &c->options->passes);
    const Plan *plan = plan_make(&c->arena, c->graph, &options); /* whom the cost model asks */
    int variants = 0;
    for (int i = 0; i < c->graph->node_count; i++) {
        const Node *n = c->graph->nodes[i];
        const char *shape = choose_has_ways(plan, n) ? choose_shape(plan, n, plan_images(plan, n), &c->arena) : NULL;
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
        good = folder && measure_with_weights(c, t, variants, folder);
        if (folder) temp_folder_remove(folder);
    }
    for (int i = 0; good && i < t->shapes.count; i++) finish(t->shapes.entries[i].value, &cache);
    t->variant = -1;
    return good && tune_cache_save(&cache, &c->diag) ? t : NULL;
}
