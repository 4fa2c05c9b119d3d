/* How each convolution may be computed: the direct sum, Strassen's method, and Winograd's with its tiles, each with
 * what the cost model (cost.h) and the error model (error.h) say of it. budget.c chooses among them.
 */
#include "choose.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "algorithms.h"
#include "budget.h"
#include "error.h"
#include "graph/ops.h"
#include "strassen.h"

enum { STRASSEN_TILES = 3 };

static int by_time(const Candidate *a, const Candidate *b) {
    return (a->cost.us > b->cost.us) - (a->cost.us < b->cost.us);
}

/* Keeps the list sorted by time, and the fastest `most` of all. */
static void insert(Candidate *list, int *count, int most, Candidate c) {
    if (!(c.cost.us < INFINITY)) return;
    int at = *count < most ? (*count)++ : most;
    if (at == most && by_time(&c, &list[--at]) >= 0) return;
    while (at > 0 && by_time(&c, &list[at - 1]) < 0) list[at] = list[at - 1], at--;
    list[at] = c;
}

bool choose_may_share(const Plan *plan, const WinogradPlan *w) {
    const double v = 4.0 * winograd_products(w) * winograd_tile_count(w) * (w->channels + VECTOR);
    return v <= plan->options.machine->l3_size;
}

/* The best block for tiles of m_h x m_w: all tiles, or equal parts of at most a GEMM's columns; of a row's tiles, where
 * rows of tiles are pooled. */
static Candidate best_block(const Plan *plan, const Node *n, int images, int m_h, int m_w, int side) {
    Candidate best = {.choice = {ALG_WINOGRAD, m_h, m_w, INT_MAX, side}, .cost.us = INFINITY};
    TileCost t;
    if (!cost_tiles(&t, plan, n, &best.choice, images)) return best;
    const bool rows = t.w.pool_rows;
    const int tiles = winograd_largest_block(&t.w);
    for (int blocks = 1, block = tiles; blocks; blocks = block > 1 ? divide_up(tiles, block - 1) : 0) {
        block = divide_up(tiles, blocks); /* the next smaller one each time */
        if (blocks == 1 && !rows && !choose_may_share(plan, &t.w)) continue;
        if ((blocks > 1 || rows) && (block > WINOGRAD_CALL || pool_is_global(&n->epilogue))) continue;
        if (blocks > 1 && (block < 4 || t.w.pool_image)) break;
        const Choice choice = {ALG_WINOGRAD, m_h, m_w, block, side};
        const Cost cost = cost_block(plan, n, &t, block);
        if (cost.us < best.cost.us) best = (Candidate){choice, cost};
    }
    return best;
}

/* Tiles of 14 to 56 pixels that cut the image into pairs with the least waste. */
static void insert_strassen(const Plan *plan, const Node *n, int images, Candidate *list, int *count) {
    const int pixels = n->out->shape.h * n->out->shape.w;
    Candidate best[STRASSEN_TILES];
    int found = 0;
    for (int pairs = 1, last = 0; pairs <= pixels; pairs++) {
        const int tile = divide_up(pixels, 2 * pairs);
        if (tile > 56 || tile == last) continue;
        if (tile < 14 && found) break;
        last = tile;
        const Choice choice = {.algorithm = ALG_STRASSEN, .block = tile};
        insert(best, &found, STRASSEN_TILES, (Candidate){choice, cost_strassen(plan, n, &choice, images)});
    }
    for (int i = 0; i < found; i++) insert(list, count, CHOOSE_MAX_CANDIDATES, best[i]);
}

bool choose_has_ways(const Plan *plan, const Node *n) {
    return (plan->options.winograd && winograd_may_be(n)) || (plan->options.strassen && strassen_may_be(n));
}

const char *choose_shape(const Plan *plan, const Node *n, int images, Arena *arena) {
    Text t = {0};
    const Epilogue *e = &n->epilogue;
    const Shape out = node_unpooled_shape(n);
    for (int i = 0; i < n->nin; i++) {
        const Window *w = &n->term[i].window;
        const Shape in = n->in[i]->shape;
        text_printf(&t, "%s%dx%dx%d %dx%d/%d,%d pad %d,%d", i ? " + " : "", in.c, in.h, in.w, w->r, w->s, w->stride_h,
                    w->stride_w, w->top, w->left);
        if (w->dilate_h > 1 || w->dilate_w > 1) text_printf(&t, " dilate %d,%d", w->dilate_h, w->dilate_w);
        if (n->term[i].groups > 1) text_printf(&t, " groups %d", n->term[i].groups);
        /* whether Strassen's method may be used, and where it finds the pixels */
        if (strassen_may_be(n)) text_puts(&t, strassen_is_flat(plan, n, i) ? " flat" : " strided");
    }
    if (winograd_side(plan, n) > 1) text_puts(&t, " deep"); /* side x side pixels may be taken as one */
    text_printf(&t, " -> %dx%dx%d%s%s", out.c, out.h, out.w,
                e->in_place ? " in place"
                : e->addend ? " add"
                            : "",
                pool_is_global(e) ? " pool" : "");
    if (e->pool == POOL_MAX)
        text_printf(&t, " maxpool %dx%d/%d,%d pad %d,%d%s", e->pool_window.r, e->pool_window.s, e->pool_window.stride_h,
                    e->pool_window.stride_w, e->pool_window.top, e->pool_window.left,
                    e->pool_window.ceil ? " ceil" : "");
    if (images > 1) text_printf(&t, ", %d images", images);
    const char *text = arena_strdup(arena, t.s);
    text_free(&t);
    return text;
}

int choose_candidates(const Plan *plan, const Node *n, int images, Candidate list[CHOOSE_MAX_CANDIDATES]) {
    const Choice direct = {.algorithm = algorithm_of(plan, n)};
    int count = 0;
    insert(list, &count, CHOOSE_MAX_CANDIDATES,
           (Candidate){direct, algorithm_info(direct.algorithm)->cost(plan, n, &direct, images)});
    if (plan->options.strassen && strassen_may_be(n)) insert_strassen(plan, n, images, list, &count);
    if (!plan->options.winograd || !winograd_may_be(n)) return count;
    const Window *w = &n->term[0].window;
    const int side = winograd_side(plan, n);
    for (int m_h = 1; m_h <= (w->r == 1 ? 1 : CHOOSE_MAX_TILE); m_h++)
        for (int m_w = 1; m_w <= (w->s == 1 ? 1 : CHOOSE_MAX_TILE); m_w++) {
            if (m_h * m_w == 1) continue; /* the direct sum */
            insert(list, &count, CHOOSE_MAX_CANDIDATES, best_block(plan, n, images, m_h, m_w, 1));
            if (side > 1) insert(list, &count, CHOOSE_MAX_CANDIDATES, best_block(plan, n, images, m_h, m_w, side));
        }
    return count;
}

double choose_error(const Plan *plan, const Node *n, const Candidate *c) {
    return sqrt(error_added(plan, n, &c->choice));
}

bool choose_fits(const Plan *plan, const Node *n, const Candidate *c) {
    return plan->options.tolerance <= 0 || choose_error(plan, n, c) <= plan->options.tolerance ||
           error_added(plan, n, &c->choice) <= error_of_sum(plan, n);
}

const Decision *choose_decision(Plan *plan, const Node *n, int images) {
    const char *shape = choose_shape(plan, n, images, plan->arena);
    Decision *known = map_get(&plan->shapes, shape);
    if (known) return known;
    Candidate *list = arena_alloc(plan->arena, CHOOSE_MAX_CANDIDATES * sizeof *list);
    Decision *d = arena_alloc(plan->arena, sizeof *d);
    d->list = list;
    d->count = choose_candidates(plan, n, images, list);
    map_put(&plan->shapes, plan->arena, shape, d);
    return d;
}

/* What there is to choose from. */
static Decision decide(Plan *plan, const Node *n) {
    const PlanOptions *o = &plan->options;
    Decision d = {.list = NULL};
    if (n->op == OP_CONV) {
        Candidate given[CHOOSE_MAX_CANDIDATES];
        d.count = o->candidates ? o->candidates(o->candidates_user, plan, n, given) : 0;
        if (d.count) {
            Candidate *list = arena_alloc(plan->arena, (size_t)d.count * sizeof *list);
            d.list = memcpy(list, given, (size_t)d.count * sizeof *list);
        } else {
            d = *choose_decision(plan, n, plan_images(plan, n));
        }
    }
    double *added = arena_alloc(plan->arena, ((size_t)d.count + 1) * sizeof *added);
    error_of_candidates(plan, n, d.list, d.count, added);
    if (!d.count) *added = error_of_sum(plan, n);
    d.added = added;
    return d;
}

void plan_choices(Plan *plan) {
    const Graph *g = plan->graph;
    for (int i = 0; i < g->node_count; i++) {
        plan->choices[i] = (Choice){.algorithm = algorithm_of(plan, g->nodes[i])};
        plan->decisions[i] = decide(plan, g->nodes[i]);
    }
    plan_budget(plan);
    for (int i = 0; i < g->node_count; i++) {
        const Decision *d = &plan->decisions[i];
        if (d->count) plan->choices[i] = d->list[d->chosen].choice;
    }
}

/* ---- what others ask of a choice ---- */
void choice_reach(const Choice *c, Shape *out, Window *window) {
    if (c->algorithm == ALG_WINOGRAD) winograd_reach(c, out, window);
}

bool choice_is_direct(const Choice *c) {
    return algorithm_info(c->algorithm)->kind == KIND_DIRECT;
}

bool choice_has_tiles(const Choice *c) {
    return c->algorithm == ALG_WINOGRAD;
}

const char *choice_key(Arena *arena, const Choice *c) {
    if (c->algorithm == ALG_WINOGRAD)
        return arena_printf(arena, "F(%dx%d) %d%s", c->m_h, c->m_w, c->block,
                            c->side > 1 ? arena_printf(arena, " of %dx%d", c->side, c->side) : "");
    if (c->algorithm == ALG_STRASSEN) return arena_printf(arena, "strassen %d", c->block);
    return algorithm_name(c->algorithm);
}

const char *choice_name(Arena *arena, const Choice *c) {
    if (c->algorithm == ALG_WINOGRAD)
        return arena_printf(arena, "F(%dx%d)%s", c->m_h, c->m_w,
                            c->side > 1 ? arena_printf(arena, " of %dx%d pixels", c->side, c->side) : "");
    if (c->algorithm == ALG_STRASSEN) return arena_printf(arena, "strassen, tiles of %d", c->block);
    return algorithm_name(c->algorithm);
}

const char *choice_blocks(Arena *arena, const Plan *plan, const Node *n, const Choice *c, int images) {
    WinogradPlan w = {0};
    if (c->algorithm != ALG_WINOGRAD || !winograd_tiles(&w, plan, n, c, images)) return "";
    const int tiles = winograd_tile_count(&w);
    return c->block >= tiles ? arena_printf(arena, ", %d tiles at once", tiles)
                             : arena_printf(arena, ", %d tiles by %d", tiles, c->block);
}

int choose_blocks(const Plan *plan, const Node *n, int images, Candidate c, Candidate list[CHOOSE_BLOCKS]) {
    WinogradPlan w = {0};
    int count = 0;
    if (c.choice.algorithm != ALG_WINOGRAD || pool_is_global(&n->epilogue) ||
        !winograd_tiles(&w, plan, n, &c.choice, images))
        return 0;
    const int tiles = winograd_largest_block(&w), sizes[CHOOSE_BLOCKS] = {tiles, WINOGRAD_CALL, WINOGRAD_CALL / 2};
    for (int i = 0; i < CHOOSE_BLOCKS; i++) {
        if (sizes[i] > tiles || (w.pool_rows && sizes[i] > WINOGRAD_CALL)) continue;
        const int blocks = divide_up(tiles, sizes[i]);
        c.choice.block = divide_up(tiles, blocks);
        c.cost = cost_winograd(plan, n, &c.choice, images);
        if (c.cost.us < INFINITY && (blocks > 1 || w.pool_rows || choose_may_share(plan, &w))) list[count++] = c;
    }
    return count;
}
