/* Memory: every root value is a buffer with a lifetime in steps; buffers whose lifetimes do not overlap share the
 * arena. Those that the last layers touch have a region of their own, since each image of a group has its own; those
 * temporaries of theirs that are of a whole group may then lie over the first layers' activations.
 *
 * Placement is greedy: buffers in some order, each into the lowest gap left by those already placed that live at the
 * same time (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020, section 4: greedy by
 * size). Several orders are tried and the smallest arena kept; the largest live set is the lower bound.
 */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

/* A buffer for each root value, then one for each temporary. */
static void make_buffers(Plan *plan) {
    const Graph *g = plan->graph;
    const int64_t spare = VECTOR; /* the halo before element (0, 0, 0) may end inside a vector */
    for (int i = 0; i < g->value_count; i++) {
        ValuePlan *p = &plan->values[i];
        if (p->root != g->values[i]) continue; /* dead, or in another's buffer */
        const Layout *l = &p->layout;
        const int64_t rows = l->top + g->values[i]->shape.h + l->bottom;
        const int64_t images = p->apart ? p->apart * (plan->options.batch - 1) : 0;
        const Buffer b = {.bytes = round_up_bytes((int64_t)sizeof(float) * (images + rows * l->row + spare)),
                          .first = plan->step_count,
                          .last = -1};
        p->buffer = plan->buffer_count;
        ARENA_PUSH(plan->arena, plan->buffers, plan->buffer_count, plan->buffer_capacity, b);
    }
    plan->value_buffers = plan->buffer_count;
    for (int i = 0; i < plan->temporary_count; i++) {
        const Buffer b = {.bytes = round_up_bytes(plan->temporaries[i]), .first = plan->step_count, .last = -1};
        ARENA_PUSH(plan->arena, plan->buffers, plan->buffer_count, plan->buffer_capacity, b);
    }
}

/* The arena's buffer that an operand lies in; NULL where it is none of the arena's. */
static Buffer *buffer_of(Plan *plan, const Operand *o) {
    if (o->room == ROOM_VALUE) return &plan->buffers[plan->values[plan_value(plan, o->value)->root->id].buffer];
    return o->room == ROOM_TEMPORARY ? &plan->buffers[plan->value_buffers + o->temporary] : NULL;
}

static void find_lifetimes(Plan *plan) {
    for (int i = 0; i < plan->step_count; i++)
        for (int k = 0; k < plan->steps[i].operand_count; k++) {
            Buffer *b = buffer_of(plan, &plan->steps[i].operands[k]);
            if (!b) continue;
            if (i < b->first) b->first = i;
            if (i > b->last) b->last = i;
        }
}

static bool overlap(const Buffer *a, const Buffer *b) {
    return a->first <= b->last && b->first <= a->last;
}

typedef struct Span {
    int64_t begin, end;
} Span;

static int compare_spans(const void *a, const void *b) {
    const Span *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Places buffers in the given order; returns the arena's size. */
static int64_t place(Buffer *buffers, const int *order, int count, Span *spans) {
    int64_t size = 0;
    for (int i = 0; i < count; i++) {
        Buffer *b = &buffers[order[i]];
        int n = 0;
        for (int k = 0; k < i; k++) {
            const Buffer *o = &buffers[order[k]];
            if (overlap(b, o)) spans[n++] = (Span){o->offset, o->offset + o->bytes};
        }
        qsort(spans, (size_t)n, sizeof *spans, compare_spans);
        int64_t best = -1, best_gap = INT64_MAX, end = 0;
        for (int k = 0; k < n; k++) {
            const int64_t gap = spans[k].begin - end;
            if (gap >= b->bytes && gap < best_gap) best = end, best_gap = gap;
            if (spans[k].end > end) end = spans[k].end;
        }
        b->offset = best >= 0 ? best : end;
        if (b->offset + b->bytes > size) size = b->offset + b->bytes;
    }
    return size;
}

static const Buffer *sorting; /* qsort has no argument for its comparison; used within plan_memory only */

static int by_size(const void *a, const void *b) {
    const Buffer *x = &sorting[*(const int *)a], *y = &sorting[*(const int *)b];
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return x->first - y->first;
}

static int by_start(const void *a, const void *b) {
    const Buffer *x = &sorting[*(const int *)a], *y = &sorting[*(const int *)b];
    if (x->first != y->first) return x->first - y->first;
    return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

static int by_area(const void *a, const void *b) {
    const Buffer *x = &sorting[*(const int *)a], *y = &sorting[*(const int *)b];
    const int64_t p = x->bytes * (x->last - x->first + 1), q = y->bytes * (y->last - y->first + 1);
    if (p != q) return p > q ? -1 : 1;
    return x->first - y->first;
}

static int64_t largest_live_set(const Plan *plan, bool kept) {
    int64_t *change = arena_alloc(plan->arena, (size_t)(plan->step_count + 2) * sizeof *change);
    for (int i = 0; i < plan->buffer_count; i++) {
        const Buffer *b = &plan->buffers[i];
        if (b->last < 0 || b->kept != kept) continue;
        change[b->first] += b->bytes;
        change[b->last + 1] -= b->bytes;
    }
    int64_t live = 0, most = 0;
    for (int i = 0; i <= plan->step_count; i++) {
        live += change[i];
        if (live > most) most = live;
    }
    return most;
}

typedef struct Search {
    Plan *plan;
    int64_t live; /* no order can do better */
    Buffer *tried, *best;
    Span *spans;
    int64_t best_size;
} Search;

/* Places in this order and keeps the result where it is the smallest yet. Returns the size. */
static int64_t try_order(Search *s, const int *order, int count) {
    const size_t bytes = (size_t)s->plan->buffer_count * sizeof *s->tried;
    memcpy(s->tried, s->plan->buffers, bytes);
    const int64_t size = place(s->tried, order, count, s->spans);
    if (size < s->best_size) {
        s->best_size = size;
        memcpy(s->best, s->tried, bytes);
    }
    return size;
}

/* The buffer at the arena's top came too late: it goes first, and all are placed anew; while that may still help. */
static void improve_order(Search *s, int *order, int count) {
    const int64_t work = (int64_t)count * count;
    const int tries = work ? (int)(20000000 / work < 300 ? 20000000 / work : 300) : 0;
    for (int t = 0; t < tries && s->best_size > s->live; t++) {
        int64_t top = 0;
        int at = 0;
        for (int i = 0; i < count; i++) {
            const Buffer *b = &s->tried[order[i]];
            if (b->offset + b->bytes > top) top = b->offset + b->bytes, at = i;
        }
        if (at == 0) return;
        const int first = order[at];
        memmove(order + 1, order, (size_t)at * sizeof *order);
        order[0] = first;
        try_order(s, order, count);
    }
}

static int64_t place_buffers(Plan *plan, bool kept) {
    static int (*const orders[])(const void *, const void *) = {by_size, by_area, by_start};
    const int n = plan->buffer_count;
    int *order = arena_alloc(plan->arena, ((size_t)n + 1) * sizeof *order);
    Search s = {plan,
                largest_live_set(plan, kept),
                arena_alloc(plan->arena, ((size_t)n + 1) * sizeof(Buffer)),
                arena_alloc(plan->arena, ((size_t)n + 1) * sizeof(Buffer)),
                arena_alloc(plan->arena, ((size_t)n + 1) * sizeof(Span)),
                INT64_MAX};
    for (size_t o = 0; o < sizeof orders / sizeof *orders && s.best_size > s.live; o++) {
        int count = 0;
        for (int i = 0; i < n; i++)
            if (plan->buffers[i].last >= 0 && plan->buffers[i].kept == kept) order[count++] = i;
        sorting = plan->buffers;
        qsort(order, (size_t)count, sizeof *order, orders[o]);
        try_order(&s, order, count);
        improve_order(&s, order, count);
    }
    memcpy(plan->buffers, s.best, (size_t)n * sizeof *s.best);
    return s.best_size;
}

/* Without reuse each has its own place. */
static int64_t append_buffers(Plan *plan, bool kept) {
    int64_t size = 0;
    for (int i = 0; i < plan->buffer_count; i++) {
        Buffer *b = &plan->buffers[i];
        if (b->kept != kept) continue;
        b->offset = size;
        size += b->bytes;
    }
    return size;
}

/* Those of the last layers that take one image after another, each step all of them: each image has its own. */
static void keep_temporaries(Plan *plan) {
    for (int i = plan->last_step; i < plan->step_count; i++)
        for (int k = 0; k < plan->steps[i].operand_count && !plan->steps[i].one; k++) {
            const Operand *o = &plan->steps[i].operands[k];
            if (o->room == ROOM_TEMPORARY) buffer_of(plan, o)->kept = true;
        }
}

void plan_live_bytes(Plan *plan) {
    make_buffers(plan);
    find_lifetimes(plan);
    plan->live_bytes = largest_live_set(plan, false);
    for (int i = 0; i < plan->step_count; i++)
        if (plan->steps[i].scratch > plan->scratch_bytes) plan->scratch_bytes = plan->steps[i].scratch;
}

void plan_memory(Plan *plan) {
    make_buffers(plan);
    find_lifetimes(plan);
    for (int i = 0; i < plan->value_buffers; i++) plan->buffers[i].kept = plan->buffers[i].last >= plan->last_step;
    keep_temporaries(plan);
    int64_t (*const arrange)(Plan *, bool) = plan->options.reuse_memory ? place_buffers : append_buffers;
    plan->live_bytes = largest_live_set(plan, false);
    plan->arena_bytes = arrange(plan, false);
    if (plan->last_step < plan->step_count) {
        plan->kept_bytes = arrange(plan, true);
        /* an even number of lines from image to image would alias in the caches */
        if (plan->kept_bytes / CACHE_LINE % 2 == 0) plan->kept_bytes += CACHE_LINE;
    }
    for (int i = 0; i < plan->graph->value_count; i++) {
        ValuePlan *p = &plan->values[i];
        if (!p->root) continue;
        p->buffer = plan->values[p->root->id].buffer;
        const Layout *l = &p->layout;
        const int64_t before = (int64_t)l->top * l->row + (int64_t)l->left * l->pixel;
        p->kept = plan->buffers[p->buffer].kept;
        p->offset = plan->buffers[p->buffer].offset + round_up_bytes((int64_t)sizeof(float) * before) +
                    (int64_t)sizeof(float) * p->channel;
        if (plan->buffers[p->buffer].last < 0) p->buffer = -1;
    }
    for (int i = 0; i < plan->step_count; i++)
        if (plan->steps[i].scratch > plan->scratch_bytes) plan->scratch_bytes = plan->steps[i].scratch;
}
