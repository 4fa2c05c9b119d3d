/* The loop nest of layers that are no GEMM; see walk.h. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "walk.h"

/* ---- text ---- */

static bool is_literal(const char *s) {
    return s[strspn(s, "-0123456789")] == 0;
}

const char *emit_offset(Emit *e, const char *base, const char *index, int64_t stride, int64_t count) {
    if (is_literal(index)) {
        const long long offset = atoll(index) * stride;
        if (offset == 0) return base;
        if (is_literal(base)) return arena_printf(e->arena, "%lld", atoll(base) + offset);
        return arena_printf(e->arena, "%s %c %lld%s", base, offset < 0 ? '-' : '+', llabs(offset),
                            llabs(offset) > INT_MAX ? "LL" : "");
    }
    if (stride == 1) return arena_printf(e->arena, "%s + %s", base, index);
    return arena_printf(e->arena, "%s + %s * %lld%s", base, index, (long long)stride,
                        count * llabs(stride) > INT_MAX ? "LL" : "");
}

void emit_no_epilogue(const Step *step) {
    const Epilogue *epilogue = &step->epilogue;
    if (epilogue->bias || epilogue->addend || epilogue->act != ACT_NONE || epilogue->pool != POOL_NONE)
        bug("%s: this layer has no epilogue in emitted code", step->name);
}

static const char *summed(Arena *arena, const char *sum, const char *x, WalkSum of) {
    if (of == WALK_SUM) return arena_printf(arena, "add(%s, %s)", sum, x);
    if (of == WALK_SUM_SQUARES) return arena_printf(arena, "fma_(%s, %s, %s)", x, x, sum);
    return arena_printf(arena, "fma_(sub(%s, mean), sub(%s, mean), %s)", x, x, sum);
}

void walk_sum(const Walk *walk, const char *name, WalkSum of, int indent, Text *text) {
    Arena *arena = walk->e->arena;
    const int lanes = walk->e->lanes, c = walk->shape.c, full = c / lanes * lanes;
    text_printf(text, "%*sV %s = zero();\n", indent, "", name);
    if (full > lanes)
        text_printf(text, "%*sfor (int c = 0; c < %d; c += %d) %s = %s;\n", indent, "", full, lanes, name,
                    summed(arena, name, "load(in + c)", of));
    else if (full)
        text_printf(text, "%*s%s = %s;\n", indent, "", name, summed(arena, name, "load(in)", of));
    if (c == full) return;
    const char *at = emit_offset(walk->e, "in", arena_printf(arena, "%d", full), 1, 1);
    const char *missing = of == WALK_SUM_VARIANCE ? "mean" : "zero()"; /* lanes that add nothing */
    const char *rest = arena_printf(arena, "load_or(%s, %d, %s)", at, c - full, missing);
    text_printf(text, "%*s%s = %s;\n", indent, "", name, summed(arena, name, rest, of));
}

/* ---- setting up ---- */

WalkImage *walk_add_operand(Walk *walk, const char *name, const char *base, const Value *value) {
    if (walk->operands == WALK_MAX_OPERANDS) bug("%s reads too many images", walk->step->name);
    WalkImage *o = &walk->operand[walk->operands++];
    *o = (WalkImage){.name = name, .base = base, .shape = value->shape, .stride_h = 1, .stride_w = 1, .repeat = 1};
    o->layout = &plan_value(walk->e->plan, value)->layout;
    return o;
}

void walk_add_vector(Walk *walk, const char *name, const char *base) {
    if (walk->vectors == WALK_MAX_VECTORS) bug("%s reads too many channel vectors", walk->step->name);
    walk->vector[walk->vectors++] = (ChannelVector){name, base};
}

void walk_add_cut(Walk *walk, int column) {
    if (walk->cuts == WALK_MAX_CUTS) bug("%s: too many cuts", walk->step->name);
    walk->cut[walk->cuts++] = column;
}

Walk walk_new(Emit *e, const Step *step) {
    Walk walk = {.e = e, .step = step, .shape = step->out->shape};
    const Epilogue *epilogue = &step->epilogue;
    if (epilogue->pool != POOL_NONE) bug("%s: only a convolution has a pool in its epilogue", step->name);
    if (epilogue->addend) {
        WalkImage *addend = walk_add_operand(&walk, "addend", "a->addend", epilogue->addend);
        addend->stride_h = addend->stride_w = epilogue->addend_stride > 1 ? epilogue->addend_stride : 1;
    }
    if (epilogue->bias) walk_add_vector(&walk, "bias", "a->bias");
    if (epilogue->act == ACT_PRELU) walk_add_vector(&walk, "slope", "a->slope");
    return walk;
}

/* ---- boxes ---- */

static int extent(const Shape *s, int dim) {
    return dim == DIM_C ? s->c : dim == DIM_H ? s->h : s->w;
}

/* The part of the result, along dim, for which the operand has elements. */
static void operand_range(const Walk *walk, const WalkImage *o, int dim, int *lo, int *hi) {
    const int n = extent(&o->shape, dim), size = extent(&walk->shape, dim);
    const int stride = dim == DIM_C ? 1 : dim == DIM_H ? o->stride_h : o->stride_w;
    const int64_t covered = dim == DIM_C ? n : ((int64_t)n + stride - 1) / stride * o->repeat;
    if (dim == DIM_C && o->one_channel) {
        *lo = 0, *hi = size;
        return;
    }
    *lo = dim == DIM_C ? 0 : dim == DIM_H ? o->top : o->left;
    *hi = *lo + covered < size ? (int)(*lo + covered) : size;
}

int walk_segments(const Walk *walk, int dim, int *start) {
    const int size = extent(&walk->shape, dim);
    int edge[2 * WALK_MAX_OPERANDS + WALK_MAX_CUTS + 2], edges = 0;
    edge[edges++] = 0;
    edge[edges++] = size;
    for (int i = 0; i < walk->operands; i++, edges += 2)
        operand_range(walk, &walk->operand[i], dim, &edge[edges], &edge[edges + 1]);
    for (int i = 0; dim == DIM_W && i < walk->cuts; i++) edge[edges++] = walk->cut[i];
    for (int c = walk->every; dim == DIM_C && c && c < size; c += walk->every) edge[edges++] = c;
    for (int i = 1; i < edges; i++) /* insertion sort */
        for (int k = i; k > 0 && edge[k - 1] > edge[k]; k--) {
            const int t = edge[k];
            edge[k] = edge[k - 1], edge[k - 1] = t;
        }
    int n = 0;
    for (int i = 0; i < edges; i++)
        if (edge[i] >= 0 && edge[i] <= size && (n == 0 || edge[i] != start[n - 1])) start[n++] = edge[i];
    return n - 1;
}

static bool covers(const Walk *walk, const WalkImage *o, const Box *box, int dim) {
    int lo, hi;
    operand_range(walk, o, dim, &lo, &hi);
    return lo <= box->lo[dim] && box->hi[dim] <= hi;
}

/* Some of the box's channels have the operand. */
static bool reaches(const Walk *walk, const WalkImage *o, const Box *box) {
    int lo, hi;
    operand_range(walk, o, DIM_C, &lo, &hi);
    return lo < box->hi[DIM_C] && box->lo[DIM_C] < hi;
}

static const WalkImage *find_operand(const Walk *walk, const char *name) {
    for (int i = 0; i < walk->operands; i++)
        if (!strcmp(walk->operand[i].name, name)) return &walk->operand[i];
    return NULL;
}

bool walk_has(const Walk *walk, const Box *box, const char *name) {
    const WalkImage *o = find_operand(walk, name);
    return o && covers(walk, o, box, DIM_C) && covers(walk, o, box, DIM_H) && covers(walk, o, box, DIM_W);
}

/* ---- expressions ---- */

const char *walk_operand(const Walk *walk, const char *name, const char *c, int left) {
    return emit_load(walk->e, emit_offset(walk->e, name, c, 1, 1), left);
}

const char *walk_vector(const Walk *walk, const char *name, const char *c, int left) {
    for (int i = 0; i < walk->vectors; i++) {
        const ChannelVector *v = &walk->vector[i];
        if (strcmp(v->name, name)) continue;
        if (walk->hoisted && is_literal(c)) return arena_printf(walk->e->arena, "%s%s", name, c);
        return emit_load(walk->e, emit_offset(walk->e, v->base, c, 1, 1), left);
    }
    bug("%s reads no channel vector %s", walk->step->name, name);
}

const char *walk_finish(const Walk *walk, const Box *box, const char *value, const char *c, int left) {
    const Epilogue *epilogue = &walk->step->epilogue;
    const char *bias = epilogue->bias ? walk_vector(walk, "bias", c, left) : NULL;
    const char *slope = epilogue->act == ACT_PRELU ? walk_vector(walk, "slope", c, left) : NULL;
    const char *addend = walk_has(walk, box, "addend") ? walk_operand(walk, "addend", c, left) : NULL;
    return emit_epilogue(walk->e, epilogue, value, bias, addend, slope);
}

const char *walk_index(const Walk *walk, const Box *box, int dim) {
    if (box->hi[dim] - box->lo[dim] == 1) return arena_printf(walk->e->arena, "%d", box->lo[dim]);
    return dim == DIM_H ? "y" : "x";
}

/* `index` moved to begin at `start`, and divided by the operand's repetition. */
static const char *operand_index(Emit *e, const char *index, int start, int repeat) {
    if (is_literal(index)) return arena_printf(e->arena, "%d", (atoi(index) - start) / repeat);
    if (start) index = arena_printf(e->arena, "(%s - %d)", index, start);
    if (repeat > 1) index = arena_printf(e->arena, "(%s / %d)", index, repeat);
    return index;
}

static const char *pixel_address(const Walk *walk, const Box *box, const WalkImage *o) {
    Emit *e = walk->e;
    const char *y = operand_index(e, walk_index(walk, box, DIM_H), o->top, o->repeat);
    const char *x = operand_index(e, walk_index(walk, box, DIM_W), o->left, o->repeat);
    const char *row = emit_offset(e, o->base, y, (int64_t)o->layout->row * o->stride_h, walk->shape.h);
    return emit_offset(e, row, x, (int64_t)o->layout->pixel * o->stride_w, walk->shape.w);
}

void walk_pointers(const Walk *walk, const Box *box, int indent, Text *text) {
    for (int i = 0; i < walk->operands; i++) {
        const WalkImage *o = &walk->operand[i];
        if (reaches(walk, o, box) && covers(walk, o, box, DIM_H) && covers(walk, o, box, DIM_W))
            text_printf(text, "%*sconst float *%s = %s;\n", indent, "", o->name, pixel_address(walk, box, o));
    }
    const WalkImage out = {.base = "a->y",
                           .layout = &plan_value(walk->e->plan, walk->step->out)->layout,
                           .stride_h = 1,
                           .stride_w = 1,
                           .repeat = 1};
    text_printf(text, "%*sfloat *out = %s;\n", indent, "", pixel_address(walk, box, &out));
}

/* ---- loops ---- */

void walk_open_rows(const Walk *walk, int lo, int hi, int indent, Text *text) {
    (void)walk;
    const int n = hi - lo;
    if (n == 1)
        text_printf(text, "%*sif (part == parts - 1) {\n", indent, "");
    else if (lo)
        text_printf(text, "%*sfor (int y = %d + part * %d / parts; y < %d + (part + 1) * %d / parts; y++) {\n", indent,
                    "", lo, n, lo, n);
    else
        text_printf(text, "%*sfor (int y = part * %d / parts; y < (part + 1) * %d / parts; y++) {\n", indent, "", n, n);
}

static void emit_vector(const Walk *walk, const Box *box, const char *c, int left, int indent, const char *prefix,
                        Text *text) {
    Text statements = {0};
    const char *value = walk->value(walk, box, c, left, indent + 4, &statements);
    value = walk_finish(walk, box, value, c, left);
    const char *store = emit_store(walk->e, emit_offset(walk->e, "out", c, 1, 1), value, left);
    if (statements.size)
        text_printf(text, "%*s%s{\n%s%*s%s;\n%*s}\n", indent, "", prefix, statements.s, indent + 4, "", store, indent,
                    "");
    else
        text_printf(text, "%*s%s%s;\n", indent, "", prefix, store);
    text_free(&statements);
}

/* One box's channels: a loop over full vectors, a statement for the rest; one by one where vectors are in registers. */
static void emit_channels(const Walk *walk, const Box *box, int indent, Text *text) {
    const int lanes = walk->e->lanes, lo = box->lo[DIM_C], hi = box->hi[DIM_C];
    const int full = lo + (hi - lo) / lanes * lanes;
    int c = lo;
    if (!walk->hoisted && full - lo > lanes) {
        emit_vector(walk, box, "c", lanes, indent,
                    arena_printf(walk->e->arena, "for (int c = %d; c < %d; c += %d) ", lo, full, lanes), text);
        c = full;
    }
    for (; c < hi; c += lanes) emit_vector(walk, box, arena_printf(walk->e->arena, "%d", c), hi - c, indent, "", text);
}

enum { MOST_UNROLLED = 8 }; /* vectors of a pixel, one statement each */

/* Channel vectors stay in registers over all pixels where there are few. */
static void hoist_vectors(Walk *walk, const int *channel, int segments, Text *body) {
    const int lanes = walk->e->lanes;
    int count = 0;
    for (int i = 0; i < segments; i++) count += (channel[i + 1] - channel[i] + lanes - 1) / lanes;
    const int most = lanes == VECTOR ? 16 : 8; /* half of the registers */
    walk->hoisted = walk->vectors && count <= MOST_UNROLLED && count * walk->vectors <= most;
    if (!walk->hoisted) return;
    for (int v = 0; v < walk->vectors; v++)
        for (int i = 0; i < segments; i++)
            for (int c = channel[i]; c < channel[i + 1]; c += lanes) {
                const char *base =
                    emit_offset(walk->e, walk->vector[v].base, arena_printf(walk->e->arena, "%d", c), 1, 1);
                text_printf(body, "    const V %s%d = %s;\n", walk->vector[v].name, c,
                            emit_load(walk->e, base, channel[i + 1] - c));
            }
}

void walk_emit(Walk *walk, Text *body) {
    int row[2 * WALK_MAX_OPERANDS + 3], column[2 * WALK_MAX_OPERANDS + WALK_MAX_CUTS + 3],
        channel[2 * WALK_MAX_OPERANDS + WALK_MAX_CUTS + 3];
    const int rows = walk_segments(walk, DIM_H, row), columns = walk_segments(walk, DIM_W, column);
    const int segments = walk_segments(walk, DIM_C, channel);
    emit_halo_of(walk->e, &plan_value(walk->e->plan, walk->step->out)->layout, walk->shape, 1, body);
    hoist_vectors(walk, channel, segments, body);
    for (int i = 0; i < rows; i++) {
        walk_open_rows(walk, row[i], row[i + 1], 4, body);
        Box box = {{0, row[i], 0}, {walk->shape.c, row[i + 1], walk->shape.w}};
        if (walk->row) walk->row(walk, &box, 8, body);
        for (int j = 0; j < columns; j++) {
            box.lo[DIM_W] = column[j], box.hi[DIM_W] = column[j + 1];
            const bool single = column[j + 1] - column[j] == 1;
            if (!single)
                text_printf(body, "        for (int x = %d; x < %d; x++) {\n", column[j], column[j + 1]);
            else if (columns > 1)
                text_puts(body, "        {\n");
            const int indent = single && columns == 1 ? 8 : 12;
            walk_pointers(walk, &box, indent, body);
            if (walk->pixel) walk->pixel(walk, &box, indent, body);
            for (int k = 0; k < segments; k++) {
                box.lo[DIM_C] = channel[k], box.hi[DIM_C] = channel[k + 1];
                emit_channels(walk, &box, indent, body);
            }
            box.lo[DIM_C] = 0, box.hi[DIM_C] = walk->shape.c;
            if (indent == 12) text_puts(body, "        }\n");
        }
        text_puts(body, "    }\n");
    }
}
