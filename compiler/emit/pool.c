/* Pooling: max and average over windows, clipped at the image's edge, or over the whole image.
 *
 * Windows: the columns whose windows lie inside the image are one box with literal bounds; those at the edges have
 * their own. Rows are clipped by two numbers per row. A window of one pixel is subsampling: a copy. Whole image: four
 * vectors of channels at a time, rows summed first (shorter sums: more accurate, and more of them at once).
 */
#include "walk.h"

/* The taps of a window along one dimension, clipped to the image. */
typedef struct Taps {
    const char *start; /* the first tap's coordinate in the input: an expression or a number */
    const char *count; /* how many, a number: clipped nowhere in the box; or an expression */
    bool literal;      /* count is a number */
    int number;        /* that number */
} Taps;

typedef struct Axis { /* one dimension of the pool */
    int kernel, stride, dilate, before, after, size;
    int first_inside, end_inside; /* output positions whose windows lie inside the image */
    const char *lo, *hi;          /* names of the clipped window's bounds */
} Axis;

typedef struct Pool {
    bool max;
    Axis rows, columns;
} Pool;

static Axis axis(int kernel, int stride, int dilate, int before, int after, int size, int out, const char *lo,
                 const char *hi) {
    Axis a = {.kernel = kernel,
              .stride = stride,
              .dilate = dilate,
              .before = before,
              .after = after,
              .size = size,
              .lo = lo,
              .hi = hi};
    const int reach = (kernel - 1) * dilate;
    a.first_inside = (before + stride - 1) / stride;
    const int room = size - 1 - reach + before;
    a.end_inside = room < 0 ? 0 : room / stride + 1;
    if (a.end_inside > out) a.end_inside = out;
    if (a.first_inside > a.end_inside) a.first_inside = a.end_inside;
    return a;
}

static const char *window_start(Emit *e, const Axis *a, const char *index) {
    const char *s = a->stride > 1 ? arena_printf(e->arena, "%s * %d", index, a->stride) : index;
    return a->before ? arena_printf(e->arena, "%s - %d", s, a->before) : s;
}

/* The taps of the outputs [lo, hi); where they differ, two variables are declared (in `text`, unless it is NULL). */
static Taps taps_of(Emit *e, const Axis *a, int lo, int hi, const char *index, int indent, Text *text) {
    const int d = a->dilate, first = lo * a->stride - a->before, reach = (a->kernel - 1) * d;
    if (hi - lo == 1) {
        int start = first, count = 0;
        while (start < 0) start += d;
        for (int i = start; i <= first + reach && i < a->size; i += d) count++;
        return (Taps){arena_printf(e->arena, "%d", start), arena_printf(e->arena, "%d", count), true, count};
    }
    const bool clip_lo = first < 0, clip_hi = (hi - 1) * a->stride - a->before + reach >= a->size;
    const char *start = window_start(e, a, index);
    if (!clip_lo && !clip_hi) {
        if (a->before || a->stride > 1) start = arena_printf(e->arena, "(%s)", start);
        return (Taps){start, arena_printf(e->arena, "%d", a->kernel), true, a->kernel};
    }
    if (text) {
        const Axis moved = {.stride = a->stride, .before = a->before - reach - 1};
        const char *end =
            moved.before < 0 ? arena_printf(e->arena, "%s + %d",
                                            a->stride > 1 ? arena_printf(e->arena, "%s * %d", index, a->stride) : index,
                                            -moved.before)
                             : window_start(e, &moved, index);
        const char *clipped = d == 1 ? "0" : arena_printf(e->arena, "(%d - -(%s) %% %d) %% %d", d, start, d, d);
        if (clip_lo)
            text_printf(text, "%*sconst int %s = %s < 0 ? %s : %s;\n", indent, "", a->lo, start, clipped, start);
        else
            text_printf(text, "%*sconst int %s = %s;\n", indent, "", a->lo, start);
        if (clip_hi)
            text_printf(text, "%*sconst int %s = %s > %d ? %d : %s;\n", indent, "", a->hi, end, a->size, a->size, end);
        else
            text_printf(text, "%*sconst int %s = %s;\n", indent, "", a->hi, end);
    }
    const char *count = d == 1 ? arena_printf(e->arena, "(%s - %s)", a->hi, a->lo)
                               : arena_printf(e->arena, "((%s - %s + %d) / %d)", a->hi, a->lo, d - 1, d);
    return (Taps){a->lo, count, false, 0};
}

/* The average's divisor along one dimension: the taps inside the image or, with count_include_pad, inside the padding.
 */
static Taps divisor_of(Emit *e, const Axis *a, const Attr *attr, int lo, int hi, const char *index) {
    if (!attr->count_include_pad) return taps_of(e, a, lo, hi, index, 0, NULL);
    const int d = a->dilate, end = a->size + a->after + a->before; /* of the padded image, seen from its start */
    const int room = (end - (hi - 1) * a->stride + d - 1) / d;     /* taps that fit at the last position */
    if (room >= a->kernel || hi - lo == 1) {
        const int n = room >= a->kernel ? a->kernel : room;
        return (Taps){NULL, arena_printf(e->arena, "%d", n), true, n};
    }
    const char *fit = arena_printf(e->arena, "(%d - %s * %d) / %d", end + d - 1, index, a->stride, d);
    return (Taps){NULL, arena_printf(e->arena, "(%s < %d ? %s : %d)", fit, a->kernel, fit, a->kernel), false, 0};
}

static Taps row_taps(const Walk *walk, const Box *box, int indent, Text *text) {
    const Pool *pool = walk->user;
    return taps_of(walk->e, &pool->rows, box->lo[DIM_H], box->hi[DIM_H], walk_index(walk, box, DIM_H), indent, text);
}

static Taps column_taps(const Walk *walk, const Box *box, int indent, Text *text) {
    const Pool *pool = walk->user;
    return taps_of(walk->e, &pool->columns, box->lo[DIM_W], box->hi[DIM_W], walk_index(walk, box, DIM_W), indent, text);
}

static Taps row_divisor(const Walk *walk, const Box *box) {
    const Pool *pool = walk->user;
    return divisor_of(walk->e, &pool->rows, &walk->step->node->attr, box->lo[DIM_H], box->hi[DIM_H],
                      walk_index(walk, box, DIM_H));
}

static Taps column_divisor(const Walk *walk, const Box *box) {
    const Pool *pool = walk->user;
    return divisor_of(walk->e, &pool->columns, &walk->step->node->attr, box->lo[DIM_W], box->hi[DIM_W],
                      walk_index(walk, box, DIM_W));
}

static void pool_row(const Walk *walk, const Box *box, int indent, Text *text) {
    const Pool *pool = walk->user;
    row_taps(walk, box, indent, text);
    const Taps divisor = row_divisor(walk, box);
    if (!pool->max && !divisor.literal)
        text_printf(text, "%*sconst float per_row = 1.0f / (float)%s;\n", indent, "", divisor.count);
}

static void pool_pixel(const Walk *walk, const Box *box, int indent, Text *text) {
    const Pool *pool = walk->user;
    const Shape in = walk->step->node->in[0]->shape;
    const Layout *l = &plan_value(walk->e->plan, walk->step->node->in[0])->layout;
    const Taps rows = row_taps(walk, box, 0, NULL), columns = column_taps(walk, box, indent, text);
    const char *address = emit_offset(walk->e, "a->x", rows.start, l->row, in.h);
    text_printf(text, "%*sconst float *in = %s;\n", indent, "",
                emit_offset(walk->e, address, columns.start, l->pixel, in.w));
    const Taps divisor = column_divisor(walk, box);
    if (!pool->max && !divisor.literal)
        text_printf(text, "%*sconst float per_column = 1.0f / (float)%s;\n", indent, "", divisor.count);
}

static const char *average(const Walk *walk, const Box *box) {
    Emit *e = walk->e;
    const Taps rows = row_divisor(walk, box), columns = column_divisor(walk, box);
    const double literal = 1.0 / ((rows.literal ? rows.number : 1) * (double)(columns.literal ? columns.number : 1));
    if (rows.literal && columns.literal) return arena_printf(e->arena, "mul(v, set1(%s))", float_c(e->arena, literal));
    const char *dynamic = rows.literal ? "per_column" : columns.literal ? "per_row" : "per_row * per_column";
    if (literal == 1) return arena_printf(e->arena, "mul(v, set1(%s))", dynamic);
    return arena_printf(e->arena, "mul(v, set1(%s * %s))", dynamic, float_c(e->arena, literal));
}

static const char *pool_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    Emit *e = walk->e;
    const Pool *pool = walk->user;
    const Layout *l = &plan_value(e->plan, walk->step->node->in[0])->layout;
    const Taps rows = row_taps(walk, box, 0, NULL), columns = column_taps(walk, box, 0, NULL);
    const char *p = "in";
    const int64_t row = (int64_t)l->row * pool->rows.dilate, pixel = (int64_t)l->pixel * pool->columns.dilate;
    enum { UNROLL = 4 };
    text_printf(text, "%*sV v = %s;\n", indent, "", pool->max ? "set1(-INFINITY)" : "zero()");
    if (!rows.literal || rows.number > 1) {
        text_printf(text, "%*sfor (int i = 0; i < %s; i++) {\n", indent, "", rows.count);
        indent += 4;
        p = emit_offset(e, p, "i", row, walk->step->node->in[0]->shape.h);
    }
    const bool unroll = columns.literal && columns.number <= UNROLL;
    if (!unroll) {
        text_printf(text, "%*sfor (int j = 0; j < %s; j++) ", indent, "", columns.count);
        p = emit_offset(e, p, "j", pixel, walk->step->node->in[0]->shape.w);
    } else
        text_printf(text, "%*s", indent, "");
    p = emit_offset(e, p, c, 1, 1);
    for (int j = 0; j < (unroll ? columns.number : 1); j++) {
        const char *at = emit_offset(e, p, arena_printf(e->arena, "%d", j), pixel, UNROLL);
        if (j) text_printf(text, "%*s", indent, "");
        text_printf(text, "v = %s(v, %s);\n", pool->max ? "max_nan" : "add", emit_load(e, at, left));
    }
    if (!rows.literal || rows.number > 1) text_printf(text, "%*s}\n", indent - 4, "");
    return pool->max ? "v" : average(walk, box);
}

/* Boxes of columns: inside, and at the edges, each its own where they are few. */
static void cut_columns(Walk *walk, const Axis *columns) {
    enum { SINGLE = 4 };
    const int lo = columns->first_inside, hi = columns->end_inside, end = walk->shape.w;
    walk_add_cut(walk, lo);
    walk_add_cut(walk, hi);
    for (int x = 1; lo <= SINGLE && x < lo; x++) walk_add_cut(walk, x);
    for (int x = hi + 1; end - hi <= SINGLE && x < end; x++) walk_add_cut(walk, x);
}

static void emit_window_pool(Emit *e, const Step *step, Text *body) {
    const Node *node = step->node;
    const Window *w = &node->attr.window;
    const Shape in = node->in[0]->shape;
    Walk walk = walk_new(e, step);
    const Pool pool = {
        .max = node->op == OP_MAXPOOL,
        .rows = axis(w->r, w->stride_h, w->dilate_h, w->top, w->bottom, in.h, walk.shape.h, "top", "bottom"),
        .columns = axis(w->s, w->stride_w, w->dilate_w, w->left, w->right, in.w, walk.shape.w, "left", "right")};
    walk.user = &pool;
    walk.row = pool_row;
    walk.pixel = pool_pixel;
    walk.value = pool_value;
    cut_columns(&walk, &pool.columns);
    walk_emit(&walk, body);
}

static const char *subsample_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box, (void)indent, (void)text;
    return walk_operand(walk, "in", c, left);
}

static void emit_subsample(Emit *e, const Step *step, Text *body) {
    Walk walk = walk_new(e, step);
    walk.value = subsample_value;
    WalkImage *in = walk_add_operand(&walk, "in", "a->x", step->node->in[0]);
    in->stride_h = step->node->attr.window.stride_h;
    in->stride_w = step->node->attr.window.stride_w;
    walk_emit(&walk, body);
}

/* ---- the whole image ---- */

/* `vectors` vectors from channel `c` (an expression), the last of them `left` channels from the end. */
static void emit_global_vectors(const Walk *walk, const Box *box, const char *c, int vectors, int left, Text *body) {
    Emit *e = walk->e;
    const Node *node = walk->step->node;
    const Shape in = node->in[0]->shape;
    const Layout *l = &plan_value(e->plan, node->in[0])->layout;
    const bool max = node->op == OP_MAXPOOL, two_levels = !max && in.h > 1 && in.w > 1;
    const char *op = max ? "max_nan" : "add", *start = max ? "set1(-INFINITY)" : "zero()",
               *inner = two_levels ? "r" : "s";
    for (int i = 0; i < vectors; i++)
        text_printf(body, "%s%s%d = %s%s", i ? ", " : "        V ", "s", i, start, i + 1 < vectors ? "" : ";\n");
    text_printf(body, "        for (int y = 0; y < %d; y++) {\n", in.h);
    text_printf(body, "            const float *in = %s;\n",
                emit_offset(e, emit_offset(e, "a->x", "y", l->row, in.h), c, 1, 1));
    if (two_levels)
        for (int i = 0; i < vectors; i++)
            text_printf(body, "%sr%d = zero()%s", i ? ", " : "            V ", i, i + 1 < vectors ? "" : ";\n");
    text_printf(body, "            for (int x = 0; x < %d; x++, in += %d) {\n", in.w, l->pixel);
    for (int i = 0; i < vectors; i++) {
        const char *at = emit_offset(e, "in", arena_printf(e->arena, "%d", i * e->lanes), 1, 1);
        text_printf(body, "                %s%d = %s(%s%d, %s);\n", inner, i, op, inner, i,
                    emit_load(e, at, left - i * e->lanes));
    }
    text_puts(body, "            }\n");
    for (int i = 0; two_levels && i < vectors; i++) text_printf(body, "            s%d = add(s%d, r%d);\n", i, i, i);
    text_puts(body, "        }\n");
    for (int i = 0; i < vectors; i++) {
        const char *channel = emit_offset(e, c, arena_printf(e->arena, "%d", i * e->lanes), 1, 1);
        const char *value = arena_printf(e->arena, "s%d", i);
        if (!max)
            value = arena_printf(e->arena, "mul(%s, set1(%s))", value, float_c(e->arena, 1.0 / ((double)in.h * in.w)));
        value = walk_finish(walk, box, value, channel, left - i * e->lanes);
        text_printf(body, "        %s;\n",
                    emit_store(e, emit_offset(e, "out", channel, 1, 1), value, left - i * e->lanes));
    }
}

static void emit_global_pool(Emit *e, const Step *step, Text *body) {
    enum { BLOCK = 4 };
    Walk walk = walk_new(e, step);
    const int width = BLOCK * e->lanes;
    int channel[2 * WALK_MAX_OPERANDS + 3];
    const int segments = walk_segments(&walk, DIM_C, channel);
    emit_halo(e, step->out, 1, body);
    Box box = {{0, 0, 0}, {step->out->shape.c, 1, 1}};
    walk_pointers(&walk, &box, 4, body);
    for (int k = 0; k < segments; k++) {
        box.lo[DIM_C] = channel[k], box.hi[DIM_C] = channel[k + 1];
        const int blocks = (channel[k + 1] - channel[k]) / width;
        int c = channel[k];
        if (blocks > 1) {
            text_printf(body, "    for (int i = part * %d / parts; i < (part + 1) * %d / parts; i++) {\n", blocks,
                        blocks);
            text_printf(body, "        const int c = i * %d%s;\n", width, c ? arena_printf(e->arena, " + %d", c) : "");
            emit_global_vectors(&walk, &box, "c", BLOCK, width, body);
            text_puts(body, "    }\n");
            c += blocks * width;
        }
        while (c < channel[k + 1]) {
            const int left = channel[k + 1] - c, vectors = (left + e->lanes - 1) / e->lanes;
            const int n = vectors < BLOCK ? vectors : BLOCK;
            text_puts(body, "    if (part == parts - 1) {\n");
            emit_global_vectors(&walk, &box, arena_printf(e->arena, "%d", c), n, left, body);
            text_puts(body, "    }\n");
            c += n * e->lanes;
        }
    }
}

const char *emit_pool(Emit *e, const Step *step, Text *body) {
    const Attr *attr = &step->node->attr;
    const Window *w = &attr->window;
    const Shape in = step->node->in[0]->shape, out = step->out->shape;
    const bool padded = w->top || w->left || w->bottom || w->right;
    if (attr->global ||
        (!padded && out.h == 1 && out.w == 1 && w->r == in.h && w->s == in.w && w->dilate_h == 1 && w->dilate_w == 1))
        emit_global_pool(e, step, body);
    else if (!padded && w->r == 1 && w->s == 1)
        emit_subsample(e, step, body);
    else
        emit_window_pool(e, step, body);
    return layer_task_name(e, step);
}
