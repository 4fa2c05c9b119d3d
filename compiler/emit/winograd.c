/* Convolutions by Winograd's method (runtime/core/winograd.h, plan/winograd.c). Per layer:
 *
 *     input    one tile, all channels: x -> V[product][tile][channel]
 *     panel    a block of tiles: a GEMM a product, M[product][tile][feature] = U V; then `output` tile by tile
 *     output   one tile of a panel: M -> y, with bias, addend and activation; a max-pool takes its windows from the
 *              tile's registers and stores only their maxima, or, where they lie across tiles, from the panel's image;
 *              where windows overlap, from the rows of a row of tiles and the last ones of the row above
 *
 * A transform works on vectors of channels, columns first, then rows; the loops over them are short and each body is
 * a call of a transform in one dimension (transform.h). Tiles that reach over the image read its halo, and store what
 * is inside.
 */
#include <stdlib.h>
#include <string.h>
#include "describe.h"
#include "panels.h"
#include "plan/winograd.h"
#include "pooled.h"
#include "transform.h"
#include "graph/ops.h"
#include "rn.h"

typedef struct Wino {
    Emit *e;
    const Step *s;
    const WinogradPlan *w;
    const Epilogue *ep;
    const char *prefix;
    int in_pixel, in_row;    /* from one transformed pixel to the next; each may be several of the image */
    bool ragged_h, ragged_w; /* tiles reach over the image's lower or right edge */
    Shape out;               /* of the image that the tiles make, before a pool */
    int pool_h, pool_w;      /* a max-pool's window within a tile, 1 where there is none */
} Wino;

static Wino wino_of(Emit *e, const Step *s) {
    const WinogradPlan *w = winograd_plan(s);
    const Shape out = node_walked_shape(s->node);
    const Layout *in = &plan_value(e->plan, s->in[0])->layout;
    const bool pool = s->epilogue.pool == POOL_MAX && !w->pool_image && !w->pool_rows;
    return (Wino){.e = e,
                  .s = s,
                  .w = w,
                  .ep = &s->epilogue,
                  .prefix = arena_printf(e->arena, "%s_f%dx%d%s", conv_name(e, s), w->h.m, w->w.m, epilogue_name(e, s)),
                  .in_pixel = w->side * in->pixel,
                  .in_row = w->side * in->row,
                  .ragged_h = out.h % w->h.m,
                  .ragged_w = out.w % w->w.m,
                  .out = out,
                  .pool_h = pool ? s->epilogue.pool_window.r : 1,
                  .pool_w = pool ? s->epilogue.pool_window.s : 1};
}

/* A vector from p + at; join > 0: only the first half, the other from p + (at + join). */
static const char *load_input(const Wino *v, int64_t at, int join, int left) {
    if (!join) return emit_load(v->e, emit_plus(v->e, "p", at), left);
    const int half = v->e->lanes / 2;
    return arena_printf(v->e->arena, "load_or(%s, %d, load(%s))", emit_plus(v->e, "p", at), half,
                        emit_plus(v->e, "p", at + join - half));
}

/* "V d[] = {load(p), load(p + step) ...};" of what the transform reads, and zeros. */
static void load_inputs(const Wino *v, const Linear *l, int64_t step, int join, int left, int depth, Text *t) {
    text_printf(t, "%*sconst V d[%d] = {", 4 * depth, "", l->columns);
    for (int i = 0; i < l->columns; i++)
        text_printf(t, "%s%s", i ? ", " : "", linear_reads(l, i) ? load_input(v, i * step, join, left) : "zero()");
    text_puts(t, "};\n");
}

/* Runs of channel vectors that share their text: opens "for (int c = ...)" or a block with one c. */
static void open_vectors(const Emit *e, int from, int to, int indent, Text *t) {
    if (to - from > e->lanes)
        text_printf(t, "%*sfor (int c = %d; c < %d; c += %d) {\n", indent, "", from, to, e->lanes);
    else
        text_printf(t, "%*s{\n%*sconst int c = %d;\n", indent, "", indent + 4, "", from);
}

static const char *task_name(const Wino *v) {
    return v->s->images > 1 ? arena_printf(v->e->arena, "%s_%d_images", v->prefix, v->s->images) : v->prefix;
}

/* ---- input transform ---- */
static void input_vectors(const Wino *v, const Transform *columns, const Transform *rows, int from, int to, int left,
                          Text *t) {
    const WinogradPlan *w = v->w;
    const Layout *l = &plan_value(v->e->plan, v->s->in[0])->layout;
    const int wide = w->side * l->pixel; /* of a transformed pixel's channels, what lies side by side in a row */
    const bool deep = w->side > 1;
    const char *c = deep ? arena_printf(v->e->arena, "c / %d * %d + c %% %d", wide, l->row, wide) : "c";
    open_vectors(v->e, from, to, 4, t);
    line(t, 2, "V t[%d][%d];", w->h.n, w->w.span);
    line(t, 2, "for (int j = 0; j < %d; j++) {", w->w.span);
    line(t, 3, "const float *p = x + (j * %d + %s);", v->in_pixel, c);
    load_inputs(v, &columns->linear, v->in_row, deep && v->e->lanes > wide ? l->row : 0, left, 3, t);
    line(t, 3, "%s(d, &t[0][j], %d);", columns->function, w->w.span);
    line(t, 2, "}");
    line(t, 2, "float *to = v + c;");
    line(t, 2, "for (int i = 0; i < %d; i++, to += %d) {", w->h.n, w->w.n * w->v_matrix);
    line(t, 3, "V r[%d];", w->w.n);
    line(t, 3, "%s(t[i], r, 1);", rows->function);
    for (int i = 0; i < w->w.n; i++)
        line(t, 3, "store(%s, r[%d]);", emit_plus(v->e, "to", (int64_t)i * w->v_matrix), i);
    line(t, 2, "}");
    line(t, 1, "}");
}

static const char *input_function(const Wino *v) {
    const WinogradPlan *w = v->w;
    const int channels = w->channels, lanes = v->e->lanes, full = channels / lanes * lanes;
    const Transform columns = emit_input_transform(v->e, &w->h), rows = emit_input_transform(v->e, &w->w);
    Text t = {0};
    if (full) input_vectors(v, &columns, &rows, 0, full, lanes, &t);
    if (full < channels) input_vectors(v, &columns, &rows, full, channels, channels - full, &t);
    const char *name = emit_function(
        v->e, arena_printf(v->e->arena, "%s_input", v->prefix),
        arena_printf(v->e->arena, "One tile's input transform: %d x %d pixels%s from x to %d x %d products", w->h.span,
                     w->w.span, w->side > 1 ? arena_printf(v->e->arena, " of %d x %d", w->side, w->side) : "", w->h.n,
                     w->w.n),
        "void", "const float *x, float *v", t.s);
    text_free(&t);
    return name;
}

/* Tile `first` + i (NULL: 0) of image, row and column, numbered in this order: those of the last two that are used, of
 * which an image has several. False: none. */
static bool tile_place(const Wino *v, const char *first, bool row, bool column, int indent, Text *t) {
    const WinogradPlan *w = v->w;
    const int tiles = w->rows * w->columns;
    const char *tile = first ? arena_printf(v->e->arena, "(%s + i)", first) : "i", *before = "const int ";
    row &= w->rows > 1, column &= w->columns > 1;
    if (w->images == 1 && !row && !column) return false;
    text_printf(t, "%*s", indent, "");
    if (w->images > 1) {
        text_printf(t, "%simage = %s", before, tile), before = ", ";
        if (tiles > 1) text_printf(t, " / %d", tiles);
    }
    if (row) {
        text_printf(t, "%srow = %s", before, tile), before = ", ";
        if (w->images > 1) text_printf(t, " %% %d", tiles);
        if (w->columns > 1) text_printf(t, " / %d", w->columns);
    }
    if (column) text_printf(t, "%scolumn = %s %% %d", before, tile, w->columns);
    text_puts(t, ";\n");
    return true;
}

/* "BASE + (row * ROW + column * COLUMN + panel * PANEL + AT)", as short as it can be; a stride of 0 is none. */
static const char *tile_offset(const Wino *v, const char *base, int64_t row, int64_t column, int64_t panel,
                               int64_t at) {
    const WinogradPlan *w = v->w;
    Arena *arena = v->e->arena;
    const char *sum = NULL, *const plus = "%s + %s * %lld";
    if (row && w->rows > 1) sum = arena_printf(arena, "row * %lld", (long long)row);
    if (column && w->columns > 1)
        sum = sum ? arena_printf(arena, plus, sum, "column", (long long)column)
                  : arena_printf(arena, "column * %lld", (long long)column);
    if (panel && w->panels.count > 1)
        sum = sum ? arena_printf(arena, plus, sum, "panel", (long long)panel)
                  : arena_printf(arena, "panel * %lld", (long long)panel);
    return sum ? arena_printf(arena, "%s + (%s)", base, emit_plus(v->e, sum, at)) : emit_plus(v->e, base, at);
}

/* How many of a tile's rows or columns are inside the image: fewer of the last tile. */
static void tile_part(const char *what, const char *index, int tiles, int tile, int size, Text *t) {
    const int last = size - (tiles - 1) * tile;
    if (tiles > 1)
        line(t, 2, "const int %s = %s + 1 < %d ? %d : %d;", what, index, tiles, tile, last);
    else
        line(t, 2, "const int %s = %d;", what, last);
}

/* "BASE", of the tile's image where there are several */
static const char *of_image(const Wino *v, const char *base) {
    return v->w->images == 1 ? base : arena_printf(v->e->arena, "%s + (size_t)image * %lld", base, image_stride(v->e));
}

/* Fills V from `count` tiles after `first` (NULL: 0). */
static void input_tiles(const Wino *v, const char *first, const char *count, int indent, Text *t) {
    const WinogradPlan *w = v->w;
    const Window *window = &v->s->term[0].window;
    const Layout *l = &plan_value(v->e->plan, v->s->in[0])->layout;
    const char *function = input_function(v);
    const int64_t origin = (int64_t)window->top * l->row + (int64_t)window->left * l->pixel;
    text_printf(t, "%*sfor (int i = 0; i < %s; i++) {\n", indent, "", count);
    tile_place(v, first, true, true, indent + 4, t);
    const char *x = tile_offset(v, of_image(v, "a->x"), w->h.m * w->h.stride * v->in_row,
                                w->w.m * w->w.stride * v->in_pixel, 0, -origin);
    text_printf(t, "%*s%s(%s, v + i * %d);\n%*s}\n", indent + 4, "", function, x, w->v_tile, indent, "");
}

/* ---- output transform ---- */
typedef struct OutputText {
    const char *bias, *slope, *sum; /* pointers to a vector at c, NULL where there is none */
    int left, addend_left;          /* channels from c to the segment's end, to the addend's end; 0: none */
} OutputText;

/* `value` of column j of the tile, finished. */
static const char *output_value(const Wino *v, const OutputText *o, const char *value, int j) {
    const Emit *e = v->e;
    const char *addend = NULL;
    if (o->addend_left) {
        const Layout *l = &plan_value(e->plan, v->ep->addend)->layout;
        addend = emit_load(v->e, emit_plus(e, "from", (int64_t)j * v->ep->addend_stride * l->pixel), o->addend_left);
    }
    return emit_epilogue(v->e, v->ep, value, o->bias ? "b" : NULL, addend, o->slope ? "s" : NULL);
}

/* The output transform pools. */
static bool is_pooled(const Wino *v) {
    return v->ep->pool == POOL_MAX && !v->w->pool_image && !v->w->pool_rows;
}

/* The tile's rows, one by one. */
static void output_rows(const Wino *v, const Transform *rows, const OutputText *o, Text *t) {
    const Emit *e = v->e;
    const WinogradPlan *w = v->w;
    text_printf(t, "        for (int i = 0; i < %s; i++) {\n",
                v->ragged_h ? "rows" : arena_printf(e->arena, "%d", w->h.m));
    if (!o->sum) text_printf(t, "            float *to = y + (i * %d + c);\n", v->w->row);
    if (o->addend_left) {
        const Layout *l = &plan_value(e->plan, v->ep->addend)->layout;
        text_printf(t, "            const float *from = addend + (i * %d + c);\n", v->ep->addend_stride * l->row);
    }
    line(t, 3, "V r[%d];", w->w.m);
    line(t, 3, "%s(t[i], r, 1);", rows->function);
    for (int j = 0; j < w->w.m; j++) {
        const char *value = output_value(v, o, arena_printf(e->arena, "r[%d]", j), j);
        text_printf(t, "            ");
        if (j && v->ragged_w) text_printf(t, "if (columns > %d) ", j);
        if (o->sum)
            text_printf(t, "total = %s;\n", pooled_more(v->e, v->ep, "total", value));
        else
            text_printf(t, "%s;\n", emit_store(v->e, emit_plus(e, "to", (int64_t)j * v->w->pixel), value, o->left));
    }
    text_puts(t, "        }\n");
}

/* The same for a row of pool windows; a row that the image's edge cuts off repeats the window's first. */
static void output_pooled_rows(const Wino *v, const Transform *rows, const OutputText *o, Text *t) {
    const Emit *e = v->e;
    const WinogradPlan *w = v->w;
    const bool late = w->pool_late, cut_h = v->out.h % v->pool_h, cut_w = v->out.w % v->pool_w;
    const int windows = w->w.m / v->pool_w;
    text_printf(t, "        for (int i = 0; i < %s; i += %d) {\n",
                v->ragged_h ? "rows" : arena_printf(e->arena, "%d", w->h.m), v->pool_h);
    text_printf(t, "            float *to = y + (i / %d * %d + c);\n            V ", v->pool_h, v->w->row);
    for (int q = 0; q < windows; q++) text_printf(t, "%sy%d", q ? ", " : "", q);
    text_puts(t, ";\n");
    for (int k = 0; k < v->pool_h; k++) {
        const char *row = k ? arena_printf(e->arena, "i + %d", k) : "i";
        text_puts(t, "            {\n");
        line(t, 4, "V r[%d];", w->w.m);
        line(t, 4, "%s(t[%s], r, 1);", rows->function,
             k && cut_h ? arena_printf(e->arena, "%s < rows ? %s : i", row, row) : row);
        for (int j = 0; j < w->w.m; j++) {
            const int q = j / v->pool_w;
            const char *value = arena_printf(e->arena, "r[%d]", j);
            if (!late) value = output_value(v, o, value, j);
            if (k || j % v->pool_w) value = arena_printf(e->arena, "max_nan(y%d, %s)", q, value);
            text_puts(t, "                ");
            if (j % v->pool_w && cut_w) text_printf(t, "if (columns > %d) ", j);
            text_printf(t, "y%d = %s;\n", q, value);
        }
        text_puts(t, "            }\n");
    }
    for (int q = 0; q < windows; q++) {
        const char *value = arena_printf(e->arena, "y%d", q);
        if (late) value = output_value(v, o, value, 0);
        text_puts(t, "            ");
        if (q && v->ragged_w) text_printf(t, "if (columns > %d) ", q * v->pool_w);
        text_printf(t, "%s;\n", emit_store(v->e, emit_plus(e, "to", (int64_t)q * v->w->pixel), value, o->left));
    }
    text_puts(t, "        }\n");
}

static void output_vectors(const Wino *v, const Transform *columns, const Transform *rows, int from, int to,
                           OutputText o, Text *t) {
    const Emit *e = v->e;
    const WinogradPlan *w = v->w;
    open_vectors(e, from, to, 4, t);
    text_printf(t, "        V t[%d][%d];\n", w->h.m, w->w.n);
    if (o.bias) text_printf(t, "        const V b = %s;\n", emit_load(v->e, "bias + c", o.left));
    if (o.slope) text_printf(t, "        const V s = %s;\n", emit_load(v->e, "slope + c", o.left));
    if (o.sum)
        text_printf(t, "        V total = %s;\n", emit_load(v->e, arena_printf(v->e->arena, "%s + c", o.sum), o.left));
    text_printf(t, "        for (int j = 0; j < %d; j++) {\n", w->w.n);
    text_printf(t, "            const float *p = m + (j * %d + c);\n", w->m_matrix);
    load_inputs(v, &columns->linear, (int64_t)w->w.n * w->m_matrix, 0, o.left, 3, t);
    line(t, 3, "%s(d, &t[0][j], %d);", columns->function, w->w.n);
    line(t, 2, "}");
    (is_pooled(v) ? output_pooled_rows : output_rows)(v, rows, &o, t);
    if (o.sum)
        text_printf(t, "        %s;\n", emit_store(v->e, arena_printf(v->e->arena, "%s + c", o.sum), "total", o.left));
    text_puts(t, "    }\n");
}

static const char *output_function(const Wino *v, const Segment *seg) {
    const WinogradPlan *w = v->w;
    const Epilogue *ep = v->ep;
    const int lanes = v->e->lanes;
    const Transform columns = emit_output_transform(v->e, &w->h), rows = emit_output_transform(v->e, &w->w);
    const bool sum = pool_is_global(ep);
    Text t = {0};
    for (int c = 0; c < seg->channels;) { /* as far as vectors are alike */
        const int left = seg->channels - c, addend = seg->addend_channels - c;
        int end = seg->channels;
        if (addend > 0 && addend < left) end = addend >= lanes ? c + addend / lanes * lanes : c + lanes;
        if (end - c > lanes) end = c + (end - c) / lanes * lanes;
        if (end > seg->channels) end = seg->channels;
        output_vectors(v, &columns, &rows, c, end,
                       (OutputText){ep->bias ? "bias" : NULL, ep->act == ACT_PRELU ? "slope" : NULL,
                                    sum ? pooled_name(ep) : NULL, left, addend > 0 ? addend : 0},
                       &t);
        c = end;
    }
    const char *list =
        arena_printf(v->e->arena, "const float *m, %s%s%s%s%s%s",
                     sum ? arena_printf(v->e->arena, "float *%s", pooled_name(ep)) : "float *y",
                     ep->bias ? ", const float *bias" : "", seg->addend_channels ? ", const float *addend" : "",
                     ep->act == ACT_PRELU ? ", const float *slope" : "", v->ragged_h ? ", int rows" : "",
                     v->ragged_w ? ", int columns" : "");
    const char *name = emit_function(
        v->e, arena_printf(v->e->arena, "%s_output", v->prefix),
        arena_printf(v->e->arena, "One tile's output transform: %d x %d products to %d x %d pixels%s, %d channels",
                     w->h.n, w->w.n, w->h.m, w->w.m,
                     is_pooled(v)
                         ? arena_printf(v->e->arena, ", pooled to %d x %d", w->h.m / v->pool_h, w->w.m / v->pool_w)
                         : "",
                     seg->channels),
        "void", list, t.s);
    text_free(&t);
    return name;
}

/* ---- a panel over a block of tiles ---- */
static bool fetches(const Wino *v) {
    return v->w->fetch && v->e->isa != RN_ISA_GENERIC;
}

/* Before the GEMM of product i, while the last panel is computed: to L2, a share of the pixels of the tiles that come
 * next, but for those that they have in common with the tile before. Not a function: gcc drops calls of one that only
 * prefetches, unless it is always inlined. */
static void fetch_share(const Wino *v, Text *t) {
    const WinogradPlan *w = v->w;
    const Window *window = &v->s->term[0].window;
    const Layout *l = &plan_value(v->e->plan, v->s->in[0])->layout;
    const int products = winograd_products(w), rows = w->block * w->h.span, wide = w->w.m * w->w.stride;
    const int tiles = w->rows * w->columns, panels = v->w->panels.count;
    const int64_t start = (int64_t)(w->w.span - wide - window->left) * l->pixel - (int64_t)window->top * l->row;
    line(t, 2, "for (int j = i * %d / %d; j < (i + 1) * %d / %d%s; j++) {", rows, products, rows, products,
         panels > 1 ? arena_printf(v->e->arena, " && panel == %d", panels - 1) : "");
    line(t, 3, "const int tile = first + %d + j / %d;", w->block, w->h.span);
    line(t, 3, "if (tile >= %d) break;", tiles);
    line(t, 3, "const float *p = a->x + (tile / %d * %d + tile %% %d * %d + j %% %d * %d %c %lld);", w->columns,
         w->h.m * w->h.stride * l->row, w->columns, wide * l->pixel, w->h.span, l->row, start < 0 ? '-' : '+',
         llabs((long long)start));
    line(t, 3, "for (int q = 0; q < %d; q += %d) fetch(p + q, %d);", wide * l->pixel, l->pixel, v->s->in[0]->shape.c);
    line(t, 2, "}");
}

static void gemm_calls(const Wino *v, const Segment *seg, Text *t) {
    const WinogradPlan *w = v->w;
    const int channels = w->channels, weights = channels * seg->width, tail = w->tail;
    text_printf(t, "    for (int i = 0; i < %d; i++, w += %d) {\n", winograd_products(w), weights);
    text_printf(t, "        const float *from = v + i * %d;\n        float *to = m + i * %d;\n", w->v_matrix,
                w->m_matrix);
    if (fetches(v)) fetch_share(v, t);
    for (int q = 0; q < w->calls; q++) {
        const int at = q * w->call, count = q + 1 < w->calls ? w->call : w->block - at;
        const Gemm g = {.m = seg->channels,
                        .n = count,
                        .k = channels,
                        .lda = seg->width,
                        .ldb = w->v_tile,
                        .ldc = w->m_tile,
                        .columns = w->uses};
        Gemm other = g;
        if (tail != w->block) other.n = tail;
        const char *condition = arena_printf(v->e->arena, "count == %d", w->block);
        const char *from = emit_plus(v->e, "from", (int64_t)at * w->v_tile),
                   *to = emit_plus(v->e, "to", (int64_t)at * w->m_tile);
        const char *next = arena_printf(v->e->arena, "w + %d", weights);
        line(t, 2, "%s;", emit_fetching_gemm(v->e, condition, &g, &other, "w", from, to, next, q, w->calls));
    }
    text_puts(t, "    }\n");
}

/* of a panel's sums, of one image */
static int sum_floats(const Segment *seg) {
    return round_up(seg->channels, VECTOR);
}

/* Whether `first` is used. */
static bool output_tiles(const Wino *v, const Segment *seg, const char *first, const char *count, Text *t) {
    const WinogradPlan *w = v->w;
    const Epilogue *ep = v->ep;
    const int panel_out = v->w->panels.advance;
    const bool sum = pool_is_global(ep);
    const char *function = output_function(v, seg);
    text_printf(t, "    for (int i = 0; i < %s; i++) {\n", count);
    const bool everywhere = !sum || seg->addend_channels;
    const bool placed =
        tile_place(v, first, (everywhere && !w->pool_rows) || v->ragged_h, everywhere || v->ragged_w, 8, t);
    if (v->ragged_h) tile_part("rows", "row", w->rows, w->h.m, v->out.h, t);
    if (v->ragged_w) tile_part("columns", "column", w->columns, w->w.m, v->out.w, t);
    text_printf(t, "        %s(m + i * %d, ", function, w->m_tile);
    const int row = w->h.m / v->pool_h * v->w->row, column = w->w.m / v->pool_w * v->w->pixel;
    if (sum)
        text_puts(t, w->images > 1 ? arena_printf(v->e->arena, "%s + image * %d", pooled_name(ep), sum_floats(seg))
                                   : pooled_name(ep));
    else if (w->pool_rows)
        text_puts(t, tile_offset(v, "image", 0, column, panel_out, (int64_t)w->carried * v->w->row));
    else if (w->pool_image)
        text_puts(t, tile_offset(v, "image", row, column, 0, 0));
    else
        text_puts(t, tile_offset(v, of_image(v, "a->y"), row, column, panel_out, 0));
    if (ep->bias) text_printf(t, ", %s", tile_offset(v, "a->bias", 0, 0, panel_out, 0));
    if (seg->addend_channels) {
        const Layout *l = &plan_value(v->e->plan, ep->addend)->layout;
        text_printf(t, ", %s",
                    tile_offset(v, of_image(v, "a->addend"), w->h.m * ep->addend_stride * l->row,
                                w->w.m * ep->addend_stride * l->pixel, panel_out, 0));
    }
    if (ep->act == ACT_PRELU) text_printf(t, ", %s", tile_offset(v, "a->slope", 0, 0, panel_out, 0));
    text_printf(t, "%s%s);\n    }\n", v->ragged_h ? ", rows" : "", v->ragged_w ? ", columns" : "");
    return placed;
}

static void store_means(const Wino *v, const Segment *seg, Text *t) {
    const bool group = v->w->images > 1;
    const char *from =
        group ? arena_printf(v->e->arena, "%s + image * %d", pooled_name(v->ep), sum_floats(seg)) : pooled_name(v->ep);
    if (group) line(t, 1, "for (int image = 0; image < %d; image++) {", v->w->images);
    pooled_store(v->e, v->s, &v->w->panels, from, of_image(v, "a->y"), seg->channels, group ? 2 : 1, t);
    if (group) line(t, 1, "}");
}

static const char *panel_function(const Wino *v, const Segment *seg) {
    const WinogradPlan *w = v->w;
    const bool sum = pool_is_global(v->ep), ragged = w->tail != w->block;
    const char *first = w->blocks > 1 ? "first" : NULL,
               *count = ragged ? "count" : arena_printf(v->e->arena, "%d", w->block);
    Text t = {0};
    text_printf(&t, "    const float *w = a->w + (size_t)panel * %lld;\n", (long long)w->panel_size);
    gemm_calls(v, seg, &t);
    if (sum) pooled_declare(v->ep, w->images * sum_floats(seg), 1, &t);
    bool placed;
    if (w->pool_image) {
        line(&t, 1, "float *image = m + %d;", winograd_products(w) * w->m_matrix);
        placed = output_tiles(v, seg, first, count, &t);
        line(&t, 1, "const int y0 = 0, y1 = %d;", v->out.h);
        pooled_rows(v->e, v->s, &v->w->panels, seg->channels, v->w->pixel, "int", false, &t);
    } else
        placed = output_tiles(v, seg, first, count, &t);
    if (first && !placed && !fetches(v)) line(&t, 1, "(void)first;");
    if (sum) store_means(v, seg, &t);
    const char *list = arena_printf(v->e->arena, "const struct args *a, int panel, const float *v, float *m%s%s%s",
                                    w->pool_rows ? ", float *image" : "", w->blocks > 1 ? ", int first" : "",
                                    ragged ? ", int count" : "");
    const char *name =
        emit_function(v->e, arena_printf(v->e->arena, "%s_panel", v->prefix),
                      arena_printf(v->e->arena, "%d output channels of %d tiles", seg->channels, w->block), "void",
                      list, arena_printf(v->e->arena, "%s%s", kernel_table_for(t.s), t.s));
    text_free(&t);
    return name;
}

static void call_panel(const Wino *v, int depth, Text *body) {
    const WinogradPlan *w = v->w;
    Segment segments[MAX_SEGMENTS];
    const char *calls[MAX_SEGMENTS];
    const int count = panels_segments(&v->w->panels, v->s, v->ep->addend != NULL, segments);
    for (int i = 0; i < count; i++)
        calls[i] = arena_printf(v->e->arena, "%s(a, panel, v, m%s%s%s);", panel_function(v, &segments[i]),
                                w->pool_rows ? ", image" : "", w->blocks > 1 ? ", first" : "",
                                w->tail != w->block ? ", count" : "");
    panels_call(segments, count, calls, depth, body);
}

const char *emit_winograd_input(Emit *e, const Step *s, Text *body) {
    const Wino v = wino_of(e, s);
    const int tiles = winograd_tile_count(v.w);
    text_printf(body, "    const int first = part * %d / parts, count = (part + 1) * %d / parts - first;\n", tiles,
                tiles);
    text_printf(body, "    float *v = a->y + first * %d;\n", v.w->v_tile);
    input_tiles(&v, "first", "count", 4, body);
    text_puts(body, "    zeroupper();\n");
    return arena_printf(e->arena, "%s_transform", task_name(&v));
}

/* The transform and all panels of `count` tiles from `first` on (emitted names). */
static void one_block(const Wino *v, int depth, Text *body) {
    const WinogradPlan *w = v->w;
    const int panels = v->w->panels.count;
    input_tiles(v, w->blocks > 1 ? "first" : NULL,
                w->tail != w->block ? "count" : arena_printf(v->e->arena, "%d", w->block), 4 * depth, body);
    if (panels > 1)
        line(body, depth, "for (int panel = 0; panel < %d; panel++) {", panels);
    else {
        line(body, depth, "{");
        line(body, depth + 1, "const int panel = 0;");
    }
    call_panel(v, depth + 1, body);
    line(body, depth, "}");
}

/* Rows of tiles one after another, each pooled as far as windows are complete. A part begins at the tiles of its first
 * window's first row. */
static void emit_rows(const Wino *v, Text *body) {
    const WinogradPlan *w = v->w;
    const Window *pool = &v->ep->pool_window;
    const int rows = v->s->out->shape.h, last = v->out.h - 1;
    line(body, 1, "float *image = m + %d; /* %d rows of the tiles above, then %d */",
         winograd_products(w) * w->m_matrix, w->carried, w->h.m);
    line(body, 1, "int p = part * %d / parts;", rows);
    line(body, 1, "const int end = (part + 1) * %d / parts, start = p * %d - %d;", rows, pool->stride_h, pool->top);
    line(body, 1, "for (int tiles = start < 0 ? 0 : start / %d; p < end; tiles++) {", w->h.m);
    if (w->row_blocks > 1) {
        line(body, 2, "for (int b = 0; b < %d; b++) {", w->row_blocks);
        line(body, 3, "const int first = tiles * %d + b * %d;", w->columns, w->block);
        if (w->tail != w->block)
            line(body, 3, "const int count = b + 1 < %d ? %d : %d;", w->row_blocks, w->block, w->tail);
        one_block(v, 3, body);
        line(body, 2, "}");
    } else {
        if (w->blocks > 1) line(body, 2, "const int first = tiles * %d;", w->columns);
        one_block(v, 2, body);
    }
    line(body, 2, "for (; p < end; p++) {");
    const Emit *e = v->e;
    line(body, 3, "const int top = %s, bottom = clamp(%s, %d);",
         emit_plus(e, arena_printf(e->arena, "p * %d", pool->stride_h), -pool->top), emit_plus(e, "top", pool->r - 1),
         last);
    line(body, 3, "if (bottom >= (tiles + 1) * %d) break;", w->h.m);
    line(body, 3, "const int above = %s; /* the row that the image begins with */",
         emit_plus(e, arena_printf(e->arena, "tiles * %d", w->h.m), -w->carried));
    for (int i = 0; i < pool->r; i++)
        line(body, 3, "const float *r%d = image + (clamp(%s, %d) - above) * %d;", i, emit_plus(e, "top", i), last,
             v->w->row);
    pooled_row(v->e, v->s, v->w->pixel, false, 3, body);
    line(body, 2, "}");
    if (w->carried)
        line(body, 2, "memmove(image, image + %d, %d * sizeof *image);", w->h.m * v->w->row, w->carried * v->w->row);
    line(body, 1, "}");
}

/* All tiles are at hand, panels are divided among the parts. */
static void panels_of_part(const Wino *v, Text *body) {
    const int panels = v->w->panels.count;
    line(body, 1, "for (int panel = part * %d / parts; panel < (part + 1) * %d / parts; panel++) {", panels, panels);
    call_panel(v, 2, body);
    line(body, 1, "}");
}

static void blocks_of_part(const Wino *v, Text *body) {
    const WinogradPlan *w = v->w;
    line(body, 1, "for (int b = part * %d / parts; b < (part + 1) * %d / parts; b++) {", w->blocks, w->blocks);
    line(body, 2, "const int first = b * %d;", w->block);
    if (w->tail != w->block) line(body, 2, "const int count = b + 1 < %d ? %d : %d;", w->blocks, w->block, w->tail);
    one_block(v, 2, body);
    line(body, 1, "}");
}

const char *emit_winograd(Emit *e, const Step *s, Text *body) {
    const Wino v = wino_of(e, s);
    const WinogradPlan *w = v.w;
    const char *tiles = arena_printf(e->arena, "%d", w->block);
    const char *scratch = arena_printf(e->arena, "a->scratch + (size_t)part * %lld", scratch_floats(e));
    if (!v.ep->in_place) emit_halo(e, s->out, s->images, body);
    if (w->shared)
        text_printf(body, "    const float *v = a->x;\n    float *m = %s;\n", scratch);
    else
        line(body, 1, "float *v = %s, *m = v + %d;", scratch, winograd_products(w) * w->v_matrix);
    if (w->shared)
        panels_of_part(&v, body);
    else if (w->pool_rows)
        emit_rows(&v, body);
    else if (w->blocks > 1)
        blocks_of_part(&v, body);
    else if (w->panels.count > 1) { /* one image of a group's layer: each part transforms what its panels need */
        input_tiles(&v, NULL, tiles, 4, body);
        panels_of_part(&v, body);
    } else { /* too small to be divided */
        text_puts(body, "    if (part) return;\n    (void)parts;\n");
        input_tiles(&v, NULL, tiles, 4, body);
        text_puts(body, "    const int panel = 0;\n");
        call_panel(&v, 1, body);
    }
    text_puts(body, "    zeroupper();\n");
    return task_name(&v);
}
