/* Convolutions as small GEMMs: C[channels x pixels] += W[channels x K] * X[K x pixels], one call a tile of pixels.
 *
 * A 1x1 term is one plain GEMM over all its input channels; a windowed term is a batch-reduce GEMM over taps and blocks
 * of channels, addressed by byte offsets. Further terms accumulate on the hot tile, then the epilogue finishes it. The
 * loops:
 *
 *     unit (chunk of rows x panel of output channels; divided among the parts)
 *         pass over blocks of input channels (one, where all weights of a panel fit in L2)
 *             row, tile: kernels, and after the last pass the epilogue
 *
 * Four destinations: the output; a scratch image that is summed (global average pool); scratch rows of whole windows,
 * pooled when they are complete (max-pool whose windows are disjoint); a ring of rows that are pooled as soon as a
 * window is complete (any other max-pool).
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "describe.h"
#include "emit.h"
#include "panels.h"
#include "plan/conv.h"
#include "pooled.h"
#include "short_sums.h"
#include "graph/act.h"
#include "graph/ops.h"

typedef struct Conv {
    Emit *e;
    const Step *s;
    const Node *n;
    const ConvPlan *c;
    const Epilogue *ep;
    const char *prefix;
} Conv;

static bool has_addend(const Conv *v) {
    return v->ep->addend && !v->ep->in_place;
}

static int find_segments(const Conv *v, Segment *segments) {
    return panels_segments(&v->c->panels, v->s, has_addend(v), segments);
}

/* ---- the epilogue of a tile of n pixels ---- */
typedef struct Finish {
    const char *function;          /* NULL: nothing is left to do */
    bool bias, slope, addend, sum; /* what it takes beside the pixels */
} Finish;

static Finish finish_function(const Conv *v, const Segment *seg) {
    Emit *e = v->e;
    const Epilogue *ep = v->ep;
    Finish f = {
        .bias = ep->bias, .slope = ep->act == ACT_PRELU, .addend = seg->addend_channels > 0, .sum = v->c->to == TO_SUM};
    if (!f.bias && !f.addend && ep->act == ACT_NONE && !f.sum) return f;
    Text t = {0};
    const int lanes = e->lanes, vectors = divide_up(seg->channels, lanes);
    for (int i = 0; i < vectors; i++) {
        const int c = i * lanes, left = seg->channels - c;
        if (f.bias) line(&t, 1, "const V b%d = %s;", i, emit_load(e, emit_plus(e, "bias", c), left));
        if (f.slope) line(&t, 1, "const V s%d = %s;", i, emit_load(e, emit_plus(e, "slope", c), left));
        if (f.sum) line(&t, 1, "V m%d = %s;", i, emit_load(e, emit_plus(e, pooled_name(ep), c), left));
    }
    line(&t, 1, "for (int j = 0; j < n; j++, y += pixel%s) {", f.addend ? ", addend += addend_pixel" : "");
    for (int i = 0; i < vectors; i++) {
        const int c = i * lanes, left = seg->channels - c;
        const char *y = emit_plus(e, "y", c);
        const char *r = NULL;
        if (f.addend && c < seg->addend_channels) r = emit_load(e, emit_plus(e, "addend", c), seg->addend_channels - c);
        const char *value =
            emit_epilogue(e, ep, emit_load(e, y, left), f.bias ? arena_printf(e->arena, "b%d", i) : NULL, r,
                          f.slope ? arena_printf(e->arena, "s%d", i) : NULL);
        if (f.sum)
            line(&t, 2, "m%d = %s;", i, pooled_more(e, ep, arena_printf(e->arena, "m%d", i), value));
        else
            line(&t, 2, "%s;", emit_store(e, y, value, left));
    }
    line(&t, 1, "}");
    for (int i = 0; f.sum && i < vectors; i++)
        line(&t, 1, "%s;",
             emit_store(e, emit_plus(e, pooled_name(ep), i * lanes), arena_printf(e->arena, "m%d", i),
                        seg->channels - i * lanes));
    const char *list = arena_printf(
        e->arena, "%sfloat *y, int pixel%s%s%s%s, int n", f.sum ? "const " : "", f.bias ? ", const float *bias" : "",
        f.addend ? ", const float *addend, int addend_pixel" : "", f.slope ? ", const float *slope" : "",
        f.sum ? arena_printf(e->arena, ", float *%s", pooled_name(ep)) : "");
    const char *addend = !f.addend                              ? ""
                         : seg->addend_channels < seg->channels ? arena_printf(e->arena, "_add%d", seg->addend_channels)
                                                                : "_add";
    const char *prefix = arena_printf(e->arena, "finish%d%s%s%s%s%s", seg->channels, f.bias ? "_bias" : "", addend,
                                      ep->act ? "_" : "", ep->act ? act_info(ep->act)->word : "",
                                      f.sum ? arena_printf(e->arena, "_%s", pooled_name(ep)) : "");
    f.function = emit_function(e, prefix, NULL, "inline void", list, t.s);
    text_free(&t);
    return f;
}

/* Rows are counted in 64 bits where an offset may pass 2^31 floats. */
static const char *row_type(const Conv *v) {
    const Plan *plan = v->e->plan;
    int64_t largest = (int64_t)v->c->rows * v->c->row;
    for (int i = 0; i < v->s->nin + 2; i++) {
        const Value *value = i < v->s->nin ? v->s->in[i] : i == v->s->nin ? v->s->out : v->ep->addend;
        if (!value) continue;
        const Layout *l = &plan_value(plan, value)->layout;
        const int64_t floats = (int64_t)(l->top + value->shape.h + l->bottom) * l->row;
        if (floats > largest) largest = floats;
    }
    return largest > INT_MAX ? "long" : "int";
}

/* ---- one tile ---- */
static const char *x_name(int term) {
    static const char *const names[NODE_MAX_TERMS] = {"a->x", "a->x1", "a->x2", "a->x3"};
    return names[term];
}

static const char *w_name(int term) {
    static const char *const names[NODE_MAX_TERMS] = {"a->w", "a->w1", "a->w2", "a->w3"};
    return names[term];
}

/* Where term i's input begins for row `r`, pixel `q` (expressions; NULL: the first) of the walk. */
static const char *x_expression(const Conv *v, int i, const char *q) {
    Emit *e = v->e;
    const Window *w = &v->s->term[i].window;
    const Layout *l = &plan_value(e->plan, v->s->in[i])->layout;
    const int row = v->c->flat ? v->c->width * l->pixel : w->stride_h * l->row;
    const int start = w->top * l->row + w->left * l->pixel;
    const char *text = arena_printf(e->arena, "%s + (r * %d", x_name(i), row);
    if (q) text = arena_printf(e->arena, "%s + %s * %d", text, q, w->stride_w * l->pixel);
    if (start) text = arena_printf(e->arena, "%s - %d", text, start);
    const int advance = v->c->panels.count > 1 ? v->c->term[i].advance : 0;
    if (advance) text = arena_printf(e->arena, "%s + panel * %d", text, advance);
    return arena_printf(e->arena, "%s)", text);
}

/* Offset tables of a batch-reduce over `blocks` blocks of `channels` channels and all taps; returns the tables' number.
 */
static int offset_tables(const Conv *v, const Segment *seg, int i, int blocks, int channels, Text *tables,
                         int *table_count) {
    const Window *w = &v->s->term[i].window;
    const Layout *l = &plan_value(v->e->plan, v->s->in[i])->layout;
    const int id = (*table_count)++;
    const long long bytes = sizeof(float);
    text_printf(tables, "    static const unsigned long long count%d = %d;\n", id, blocks * w->r * w->s);
    text_printf(tables, "    static const unsigned long long w_at%d[] = {", id);
    for (int b = 0, at = 0; b < blocks; b++)
        for (int tap = 0; tap < w->r * w->s; tap++, at++)
            text_printf(tables, "%s%lld", at ? ", " : "", at * bytes * channels * seg->width);
    text_printf(tables, "};\n    static const unsigned long long x_at%d[] = {", id);
    for (int b = 0, at = 0; b < blocks; b++)
        for (int r = 0; r < w->r; r++)
            for (int s = 0; s < w->s; s++, at++)
                text_printf(tables, "%s%lld", at ? ", " : "",
                            bytes * ((long long)b * channels + (long long)r * w->dilate_h * l->row +
                                     (long long)s * w->dilate_w * l->pixel));
    text_puts(tables, "};\n");
    return id;
}

/* Term i is one plain GEMM: a single tap. */
static bool is_plain(const Conv *v, int i) {
    return v->s->term[i].window.r * v->s->term[i].window.s == 1;
}

typedef struct Tables { /* offset tables are the same for every tile: made once per panel function */
    Text text;
    int count;
    int main[NODE_MAX_TERMS], rest[NODE_MAX_TERMS];
} Tables;

static void make_tables(const Conv *v, const Segment *seg, Tables *tables) {
    for (int i = 0; i < v->s->nin; i++) {
        if (is_plain(v, i)) continue;
        const TermPlan *t = &v->c->term[i];
        tables->main[i] = offset_tables(v, seg, i, t->pass_blocks, t->block, &tables->text, &tables->count);
        if (t->rest) tables->rest[i] = offset_tables(v, seg, i, 1, t->rest, &tables->text, &tables->count);
    }
}

/* Of term i: n pixels from `k` of its channels (at each tap, where the kernel reduces a batch). */
static Gemm conv_gemm(const Conv *v, const Segment *seg, int i, int n, int k, bool accumulate) {
    return (Gemm){.m = seg->channels,
                  .n = n,
                  .k = k,
                  .lda = seg->width,
                  .ldb = plan_value(v->e->plan, v->s->in[i])->layout.pixel * v->s->term[i].window.stride_w,
                  .ldc = v->c->pixel,
                  .accumulate = accumulate,
                  .columns = (int64_t)v->c->rows * v->c->width};
}

static int conv_kernel(const Conv *v, const Segment *seg, int i, int n, int k, bool accumulate, KernelKind kind) {
    const Gemm gemm = conv_gemm(v, seg, i, n, k, accumulate);
    return emit_kernel(v->e, kind, &gemm);
}

static const char *weights_name(const Conv *v, int i) {
    return i ? arena_printf(v->e->arena, "w%d", i) : "w";
}

/* ---- woven calls ---- */
/* How term i's kernels read its weights: `passes` times the same. Those of a first term are passes over the rows; those
 * of a further one follow each other on a tile. */
typedef struct Reads {
    int taps; /* of one of them, with its blocks of channels */
    int passes;
    int channels; /* of x, from one to the next */
    int weights;  /* floats of one */
} Reads;

static Reads reads_of(const Conv *v, const Segment *seg, int i) {
    const TermPlan *p = &v->c->term[i];
    const Window *w = &v->s->term[i].window;
    Reads r = {.taps = p->pass_blocks * w->r * w->s, .passes = p->blocks / p->pass_blocks};
    if (is_plain(v, i)) r.taps = 1, r.passes = p->blocks; /* a window of one tap has no table */
    r.channels = p->blocks / r.passes * p->block;
    r.weights = r.taps * p->block * seg->width;
    return r;
}

/* Where the kernels of the last tile in a row, of n columns, fetch the next panel's weights, or the next pass's. */
static bool is_woven(const Conv *v, const Segment *seg, int i, int n) {
    const Gemm g = conv_gemm(v, seg, i, n, v->c->term[i].block, false);
    return v->c->woven && gemm_may_be_woven(v->e->machine, &g);
}

/* The call of a woven GEMM on columns of x and y for read number `read` (a variable, or NULL: there is one), whose
 * channels begin at x. It is the call-th of those that fetch the same weights (an expression, or NULL: the only one).
 */
static const char *woven_call(const Conv *v, const Tables *tables, int i, const Gemm *g, const Reads *reads,
                              const char *read, const char *x, const WovenColumns *columns, const char *call, int calls,
                              bool first) {
    Emit *e = v->e;
    Gemm go_on = *g;
    if (read) go_on.accumulate = true;
    const char *yes = emit_woven(e, &go_on, reads->taps, columns, calls);
    const char *name = first && read ? arena_printf(e->arena, "(%s ? %s : %s)", read, yes,
                                                    emit_woven(e, g, reads->taps, columns, calls))
                                     : yes;
    const Weave weave = gemm_weave(e->machine, g, reads->taps, calls);
    const char *w = weights_name(v, i);
    const char *next = arena_printf(e->arena, "%s + %d", w, reads->weights);
    if (read) {
        next = arena_printf(e->arena, "%s + (%s + 1) * %d", w, read, reads->weights);
        w = arena_printf(e->arena, "%s + %s * %d", w, read, reads->weights);
    }
    if (call) next = arena_printf(e->arena, "%s + %s * %d", next, call, weave.sweeps * weave.share);
    const char *at = reads->taps > 1 ? arena_printf(e->arena, ", x_at%d", tables->main[i]) : "";
    return arena_printf(e->arena, "%s(%s, %s, y, %s%s)", name, w, x, next, at);
}

/* Of the last tile of a row. Each row's fetches a share; once all is on its way, the others take the plain call. */
static void woven_or(const Conv *v, const Segment *seg, const Tables *tables, int i, int n, bool first, const char *x,
                     const char *plain, int depth, Text *t) {
    Emit *e = v->e;
    const Reads reads = reads_of(v, seg, i);
    const Gemm g = conv_gemm(v, seg, i, n, v->c->term[i].block, !first);
    const WovenColumns columns = {1, n, 0, 0};
    const int rows = v->c->chunk_rows, inner = i ? reads.passes : 1, calls = rows * inner;
    const Weave weave = gemm_weave(e->machine, &g, reads.taps, calls);
    const int fetching = divide_up(weave.fetching, weave.sweeps * inner); /* rows */
    const char *read = reads.passes == 1 ? NULL : i ? "i" : "pass";
    const char *call = rows == 1 ? NULL : "(r - y0)";
    if (inner > 1) call = rows == 1 ? "i" : arena_printf(e->arena, "((r - y0) * %d + i)", inner);
    const bool some = fetching < rows;
    if (some) line(t, depth, "if (r - y0 < %d)", fetching);
    if (some) depth++;
    if (inner > 1) line(t, depth, "for (int i = 0; i < %d; i++)", inner);
    line(t, inner > 1 ? depth + 1 : depth, "%s;",
         woven_call(v, tables, i, &g, &reads, read, x, &columns, call, calls, first));
    if (!some) return;
    line(t, depth - 1, "else");
    line(t, depth, "%s;", plain);
}

/* ---- calls ---- */
/* A 1x1 term: one GEMM a block of channels. The first term's blocks are passes over the rows, so that a block of
 * weights stays in L1 and L2; the others' follow each other on the hot tile. The last tile fetches the weights that
 * come next. */
static void plain_calls(const Conv *v, const Segment *seg, const Tables *tables, int i, int n, const char *x,
                        bool first, bool last_row_tile, int depth, Text *t) {
    Emit *e = v->e;
    const TermPlan *p = &v->c->term[i];
    const int weights = p->block * seg->width;
    const bool passes = p->blocks > 1, woven = last_row_tile && is_woven(v, seg, i, n);
    line(t, depth, "x = %s;", x);
    if (i > 0) {
        const int more = conv_kernel(v, seg, i, n, p->block, true, KERNEL_PLAIN);
        const char *w = weights_name(v, i);
        const char *call =
            passes ? arena_printf(e->arena,
                                  "for (int i = 0; i < %d; i++) k[%s].gemm(%s + i * %d, x + i * %d, y, %s, x, y)",
                                  p->blocks, emit_kernel_index(e, more), w, weights, p->block, w)
                   : arena_printf(e->arena, "k[%s].gemm(%s, x, y, %s, x, y)", emit_kernel_index(e, more), w, w);
        if (woven)
            woven_or(v, seg, tables, i, n, false, passes ? arena_printf(e->arena, "x + i * %d", p->block) : "x", call,
                     depth, t);
        else
            line(t, depth, "%s;", call);
        return;
    }
    const Gemm begin = conv_gemm(v, seg, i, n, p->block, !first);
    Gemm go_on = begin;
    if (passes) go_on.accumulate = true;
    const char *w = passes ? arena_printf(e->arena, "w + pass * %d", weights) : "w";
    const char *at = passes ? arena_printf(e->arena, "x + pass * %d", p->block) : "x";
    const char *call = emit_gemm(e, "pass", &go_on, &begin, w, at, "y");
    if (woven) {
        woven_or(v, seg, tables, i, n, first, at, call, depth, t);
        return;
    }
    if (!(last_row_tile && v->c->fetch_next)) {
        line(t, depth, "%s;", call);
        return;
    }
    const char *next =
        passes ? arena_printf(e->arena, "w + (pass + 1) * %d", weights) : arena_printf(e->arena, "w + %d", weights);
    line(t, depth, "if (r + 1 < y1)");
    line(t, depth + 1, "%s;", call);
    line(t, depth, "else /* the last fetches the next weights */");
    line(t, depth + 1, "%s;", emit_fetching_gemm(e, "pass", &go_on, &begin, w, at, "y", next, 0, 1));
}

/* The channels of a plain term that no full block holds. */
static void plain_rest(const Conv *v, const Segment *seg, int i, int n, const char *q, int depth, Text *t) {
    const TermPlan *p = &v->c->term[i];
    const int kernel = conv_kernel(v, seg, i, n, p->rest, true, KERNEL_PLAIN);
    const char *w = i == 0 ? "w" : arena_printf(v->e->arena, "w%d", i);
    line(t, depth, "x = %s + %d; /* the last %d channels */", x_expression(v, i, q), p->blocks * p->block, p->rest);
    line(t, depth, "k[%s].gemm(%s + %d, x, y, %s, x, y);", emit_kernel_index(v->e, kernel), w,
         p->blocks * p->block * seg->width, w);
}

/* The kernel calls of term i for n pixels from x (an expression); `k` names the pass where the term has several. */
static void term_calls(const Conv *v, const Segment *seg, const Tables *tables, int i, int n, const char *q, bool first,
                       bool last_row_tile, int depth, Text *t) {
    Emit *e = v->e;
    const TermPlan *p = &v->c->term[i];
    const Window *w = &v->s->term[i].window;
    const int taps = w->r * w->s;
    const char *x = x_expression(v, i, q);
    if (is_plain(v, i)) {
        plain_calls(v, seg, tables, i, n, x, first, last_row_tile, depth, t);
        return;
    }
    const int passes = p->blocks / p->pass_blocks, id = tables->main[i];
    const int kernel = conv_kernel(v, seg, i, n, p->block, !first, KERNEL_REDUCES);
    const char *wi = weights_name(v, i);
    const char *call = arena_printf(e->arena, "k[%s].offs(%s, x, y, &count%d, w_at%d, x_at%d)",
                                    emit_kernel_index(e, kernel), wi, id, id, id);
    if (passes > 1) {
        const int more = conv_kernel(v, seg, i, n, p->block, true, KERNEL_REDUCES);
        const int channels = p->pass_blocks * p->block;
        x = arena_printf(e->arena, "%s + pass * %d", x, channels);
        call = arena_printf(e->arena, "k[%s].offs(%s + pass * %d, x, y, &count%d, w_at%d, x_at%d)",
                            emit_kernel_choice(e, "pass", more, kernel), wi, channels * taps * seg->width, id, id, id);
    }
    line(t, depth, "x = %s;", x);
    if (last_row_tile && is_woven(v, seg, i, n))
        woven_or(v, seg, tables, i, n, first, "x", call, depth, t);
    else
        line(t, depth, "%s;", call);
}

/* The channels that no full block holds. */
static void rest_calls(const Conv *v, const Segment *seg, const Tables *tables, int i, int n, const char *q, int depth,
                       Text *t) {
    const TermPlan *p = &v->c->term[i];
    if (!p->rest) return;
    if (is_plain(v, i)) {
        plain_rest(v, seg, i, n, q, depth, t);
        return;
    }
    Emit *e = v->e;
    const Window *w = &v->s->term[i].window;
    const int kernel = conv_kernel(v, seg, i, n, p->rest, true, KERNEL_REDUCES);
    const int id = tables->rest[i];
    line(t, depth, "x = %s + %d; /* the last %d channels */", x_expression(v, i, q), p->blocks * p->block, p->rest);
    line(t, depth, "k[%s].offs(w%s + %d, x, y, &count%d, w_at%d, x_at%d);", emit_kernel_index(e, kernel),
         i == 0 ? "" : arena_printf(e->arena, "%d", i), p->blocks * p->block * w->r * w->s * seg->width, id, id, id);
}

static int passes_of(const Conv *v) {
    return v->c->term[0].blocks / v->c->term[0].pass_blocks;
}

/* Where the tile at pixel q (NULL: the first) of row r is computed. */
static void place_tile(const Conv *v, const char *q, int depth, Text *t) {
    Emit *e = v->e;
    const char *at = q ? arena_printf(e->arena, " + %s * %d", q, v->c->pixel) : "";
    if (v->c->to == TO_RING)
        line(t, depth, "y = row + panel * %d%s;", v->c->panels.advance, at);
    else if (v->c->to == TO_SUM)
        line(t, depth, "y = image + (r * %d%s);", v->c->row, at);
    else if (v->c->to == TO_ROWS)
        line(t, depth, "y = image + ((r - y0) * %d%s);", v->c->row, at);
    else
        line(t, depth, "y = a->y + (r * %d + panel * %d%s);", v->c->row, v->c->panels.advance, at);
}

/* The addend's stride, and where that of pixel q of row r is. */
static int addend_pixel(const Conv *v) {
    return v->ep->addend_stride * plan_value(v->e->plan, v->ep->addend)->layout.pixel;
}

static const char *addend_expression(const Conv *v, const char *q) {
    Emit *e = v->e;
    const Layout *l = &plan_value(e->plan, v->ep->addend)->layout;
    const int row = v->c->flat ? v->c->width * l->pixel : v->ep->addend_stride * l->row;
    const char *at = q ? arena_printf(e->arena, " + %s * %d", q, addend_pixel(v)) : "";
    return arena_printf(e->arena, "a->addend + (r * %d + panel * %d%s)", row, v->c->panels.advance, at);
}

/* The epilogue of the n pixels at y. */
static void finish_tile(const Conv *v, const Segment *seg, int n, const char *q, int depth, Text *t) {
    const Finish finish = v->c->finish_in_tile ? finish_function(v, seg) : (Finish){.function = NULL};
    if (!finish.function) return;
    text_printf(t, "%*s%s(y, %d", depth * 4, "", finish.function, v->c->pixel);
    if (finish.bias) text_printf(t, ", a->bias + panel * %d", v->c->panels.advance);
    if (finish.addend) text_printf(t, ", %s, %d", addend_expression(v, q), addend_pixel(v));
    if (finish.slope) text_printf(t, ", a->slope + panel * %d", v->c->panels.advance);
    if (finish.sum) text_printf(t, ", %s", pooled_name(v->ep));
    text_printf(t, ", %d);\n", n);
}

static bool adds_in_place(const Conv *v) {
    return v->ep->in_place && v->ep->addend;
}

/* The whole of a tile whose sums are short. */
static void short_tile(const Conv *v, const Segment *seg, int n, const char *q, int depth, Text *t) {
    Emit *e = v->e;
    const Epilogue *ep = v->ep;
    ShortSums sums = {.segment = seg, .n = n, .finish = v->c->finish_in_tile};
    if (sums.finish) {
        sums.bias = ep->bias, sums.slope = ep->act == ACT_PRELU;
        if (seg->addend_channels) sums.addend_pixel = addend_pixel(v);
    }
    text_printf(t, "%*s%s(w, %s, y", depth * 4, "", emit_short_sums(e, v->s, v->c, &sums), x_expression(v, 0, q));
    if (sums.bias) text_printf(t, ", a->bias + panel * %d", v->c->panels.advance);
    if (sums.slope) text_printf(t, ", a->slope + panel * %d", v->c->panels.advance);
    if (sums.addend_pixel) text_printf(t, ", %s", addend_expression(v, q));
    text_puts(t, ");\n");
}

/* All that happens to one tile of n pixels at pixel q (NULL: the first) of row r. */
static void emit_tile(const Conv *v, const Segment *seg, const Tables *tables, int n, const char *q, bool last_row_tile,
                      int depth, Text *t) {
    place_tile(v, q, depth, t);
    if (v->c->short_sums) {
        short_tile(v, seg, n, q, depth, t);
        return;
    }
    term_calls(v, seg, tables, 0, n, q, !adds_in_place(v), last_row_tile, depth, t);
    const int passes = passes_of(v);
    Text tail = {0};
    const int inner = passes > 1 ? depth + 1 : depth;
    rest_calls(v, seg, tables, 0, n, q, inner, &tail);
    for (int i = 1; i < v->s->nin; i++) {
        term_calls(v, seg, tables, i, n, q, false, last_row_tile, inner, &tail);
        rest_calls(v, seg, tables, i, n, q, inner, &tail);
    }
    finish_tile(v, seg, n, q, inner, &tail);
    if (tail.size && passes > 1) {
        line(t, depth, "if (pass == %d) {", passes - 1);
        text_puts(t, tail.s);
        line(t, depth, "}");
    } else if (tail.size)
        text_puts(t, tail.s);
    text_free(&tail);
}

/* The tiles of row r. */
static void emit_row(const Conv *v, const Segment *seg, const Tables *tables, int depth, Text *t) {
    const ConvPlan *c = v->c;
    /* the last tile has calls of its own where it is shorter, or where it fetches the next panel */
    const bool last_alone = c->last != c->tile || v->c->fetch_next || v->c->woven;
    const int full = last_alone || c->tiles == 1 ? c->tiles - 1 : c->tiles;
    if (full > 1) {
        line(t, depth, "for (int q = 0; q < %d; q += %d) {", full * c->tile, c->tile);
        emit_tile(v, seg, tables, c->tile, "q", false, depth + 1, t);
        line(t, depth, "}");
    } else if (full == 1)
        emit_tile(v, seg, tables, c->tile, NULL, false, depth, t);
    if (full == c->tiles) return;
    emit_tile(v, seg, tables, c->last, full ? arena_printf(v->e->arena, "%d", full * c->tile) : NULL, true, depth, t);
}

/* The tables and variables that the body names. */
static void declare(const Conv *v, const Tables *tables, const char *body, Text *t) {
    const ConvPlan *c = v->c;
    char name[8];
    for (const char *at = tables->text.s, *end; at && *at; at = end + 1) { /* a line is a table: "... NAME = ..." */
        end = strchr(at, '\n');
        const char *from = strstr(at, "long long ") + strlen("long long ");
        snprintf(name, sizeof name, "%.*s", (int)strcspn(from, " ["), from);
        if (strstr(body, name)) text_write(t, at, (size_t)(end + 1 - at));
    }
    text_puts(t, kernel_table_for(body));
    for (int i = 0; i < v->s->nin; i++)
        line(t, 1, "const float *w%s = %s + (size_t)panel * %lld;", i == 0 ? "" : arena_printf(v->e->arena, "%d", i),
             w_name(i), (long long)c->term[i].panel_size);
    if (!v->c->short_sums) line(t, 1, "const float *x;");
    line(t, 1, "float *y;");
}

/* ---- all pixels of an image in one call ---- */
static bool is_image(const Conv *v, const Segment *seg) {
    bool image = v->c->image;
    for (int i = 0; i < v->s->nin; i++) image = image && is_woven(v, seg, i, v->c->rows * v->c->width);
    return image;
}

/* Term i of all pixels: its reads of weights, one after another. */
static void image_term(const Conv *v, const Segment *seg, const Tables *tables, int i, bool first, Text *t) {
    const ConvPlan *c = v->c;
    const Reads reads = reads_of(v, seg, i);
    const Gemm g = conv_gemm(v, seg, i, c->rows * c->width, c->term[i].block, !first);
    const Layout *l = &plan_value(v->e->plan, v->s->in[i])->layout;
    const WovenColumns columns = {.rows = c->rows,
                                  .width = c->width,
                                  .x_row = c->flat ? c->width * l->pixel : v->s->term[i].window.stride_h * l->row,
                                  .y_row = c->row};
    const bool several = reads.passes > 1;
    line(t, 1, "x = %s;", x_expression(v, i, NULL));
    if (several) line(t, 1, "for (int pass = 0; pass < %d; pass++)", reads.passes);
    const char *x = several ? arena_printf(v->e->arena, "x + pass * %d", reads.channels) : "x";
    line(t, several ? 2 : 1, "%s;",
         woven_call(v, tables, i, &g, &reads, several ? "pass" : NULL, x, &columns, NULL, 1, first));
}

static void emit_image(const Conv *v, const Segment *seg, const Tables *tables, Text *t) {
    Text finish = {0};
    line(t, 1, "int r = y0;");
    place_tile(v, NULL, 1, t);
    for (int i = 0; i < v->s->nin; i++) image_term(v, seg, tables, i, i == 0 && !adds_in_place(v), t);
    finish_tile(v, seg, v->c->width, NULL, 2, &finish);
    if (finish.size) {
        line(t, 1, "for (; r < y1; r++) {");
        place_tile(v, NULL, 2, t);
        text_puts(t, finish.s);
        line(t, 1, "}");
    } else
        line(t, 1, "(void)y1, (void)r;");
    text_free(&finish);
}

/* A segment's function: rows [y0, y1) of one panel; or, for the ring, row r alone. */
static const char *panel_function(const Conv *v, const Segment *seg) {
    Text t = {0};
    Tables tables = {0};
    make_tables(v, seg, &tables);
    const int passes = passes_of(v);
    const char *parameters = "const struct args *a, int panel, int y0, int y1";
    if (v->c->to == TO_RING) {
        parameters = arena_printf(v->e->arena, "const struct args *a, int panel, %s r, float *row", row_type(v));
        emit_row(v, seg, &tables, 1, &t);
    } else {
        if (v->c->to == TO_SUM) {
            parameters = "const struct args *a, int panel, float *image";
            pooled_declare(v->ep, round_up(seg->channels, VECTOR), 1, &t);
            line(&t, 1, "const int y0 = 0, y1 = %d;", v->c->rows);
        } else if (v->c->to == TO_ROWS)
            parameters = "const struct args *a, int panel, int y0, int y1, float *image";
        const int depth = passes > 1 ? 3 : 2;
        if (is_image(v, seg)) {
            emit_image(v, seg, &tables, &t);
        } else {
            if (passes > 1) line(&t, 1, "for (int pass = 0; pass < %d; pass++) {", passes);
            line(&t, depth - 1, "for (%s r = y0; r < y1; r++) {", row_type(v));
            emit_row(v, seg, &tables, depth, &t);
            line(&t, depth - 1, "}");
            if (passes > 1) line(&t, 1, "}");
        }
        if (v->c->to == TO_ROWS)
            pooled_rows(v->e, v->s, &v->c->panels, seg->channels, v->c->pixel, row_type(v), !v->c->finish_in_tile, &t);
        if (v->c->to == TO_SUM)
            pooled_store(v->e, v->s, &v->c->panels, pooled_name(v->ep), "a->y", seg->channels, 1, &t);
    }
    line(&t, 1, "zeroupper();");
    const char *comment =
        arena_printf(v->e->arena, "%s of %d output channels, %d pixels a call",
                     v->c->to == TO_RING  ? "Row r"
                     : v->c->to == TO_SUM ? (v->ep->pool == POOL_GLOBAL_MAX ? "The largest" : "The mean")
                                          : "Rows [y0, y1)",
                     seg->channels, v->c->tile);
    Text all = {0};
    declare(v, &tables, t.s, &all);
    text_puts(&all, t.s);
    const char *name =
        emit_function(v->e, panel_name(v->e, v->prefix, &v->c->panels, v->s, seg), comment, "void", parameters, all.s);
    text_free(&t);
    text_free(&all);
    text_free(&tables.text);
    return name;
}

/* Calls the function of the segment that `panel` is in; `rest` is the call's arguments after the panel. */
static void call_panel(const Conv *v, const char *rest, int depth, Text *t) {
    Segment segments[MAX_SEGMENTS];
    const char *calls[MAX_SEGMENTS];
    const int count = find_segments(v, segments);
    for (int i = 0; i < count; i++)
        calls[i] = arena_printf(v->e->arena, "%s(a, panel, %s);", panel_function(v, &segments[i]), rest);
    panels_call(segments, count, calls, depth, t);
}

static void emit_ring(const Conv *v, Text *body) {
    Emit *e = v->e;
    const Epilogue *ep = v->ep;
    const Window *w = &ep->pool_window;
    const Shape in = ep->unpooled, out = v->s->out->shape;
    const int row = v->c->row;
    if (passes_of(v) > 1)
        bug("%s: a pooled row cannot be computed in passes", v->s->name); /* fuse-pool: few channels */
    line(body, 1, "float *ring = a->scratch + (size_t)part * %lld; /* the last %d rows of the convolution */",
         scratch_floats(e), w->r);
    line(body, 1, "int next = 0;");
    line(body, 1, "for (%s p = part * %d / parts; p < (part + 1) * %d / parts; p++) {", row_type(v), out.h, out.h);
    line(body, 2, "const int top = %s, last = clamp(%s, %d);",
         emit_plus(e, arena_printf(e->arena, "p * %d", w->stride_h), -w->top), emit_plus(e, "top", w->r - 1), in.h - 1);
    line(body, 2, "for (next = next > top ? next : top; next <= last; next++)");
    if (v->c->panels.count > 1) {
        line(body, 3, "for (int panel = 0; panel < %d; panel++) {", v->c->panels.count);
        call_panel(v, arena_printf(e->arena, "next, ring + next %% %d * %d", w->r, row), 4, body);
        line(body, 3, "}");
    } else {
        Segment segments[MAX_SEGMENTS];
        find_segments(v, segments);
        line(body, 3, "%s(a, 0, next, ring + next %% %d * %d);", panel_function(v, &segments[0]), w->r, row);
    }
    for (int i = 0; i < w->r; i++)
        line(body, 2, "const float *r%d = ring + clamp(%s, %d) %% %d * %d;", i, emit_plus(e, "top", i), in.h - 1, w->r,
             row);
    pooled_row(e, v->s, v->c->pixel, !v->c->finish_in_tile, 2, body);
    line(body, 1, "}");
}

/* Chunks of rows x panels. */
static void emit_units(const Conv *v, Text *body) {
    const ConvPlan *c = v->c;
    const int chunks = divide_up(c->rows, c->chunk_rows), units = chunks * c->panels.count;
    if (v->c->to == TO_ROWS) line(body, 1, "float *image = a->scratch + (size_t)part * %lld;", scratch_floats(v->e));
    line(body, 1, "for (int u = part * %d / parts; u < (part + 1) * %d / parts; u++) {", units, units);
    if (c->panels.count == 1)
        line(body, 2, "const int panel = 0, y0 = u * %d;", c->chunk_rows);
    else if (chunks == 1)
        line(body, 2, "const int panel = u, y0 = 0;");
    else
        line(body, 2, "const int panel = u %% %d, y0 = u / %d * %d;", c->panels.count, c->panels.count, c->chunk_rows);
    if (c->rows % c->chunk_rows)
        line(body, 2, "const int y1 = y0 + %d < %d ? y0 + %d : %d;", c->chunk_rows, c->rows, c->chunk_rows, c->rows);
    else
        line(body, 2, "const int y1 = y0 + %d;", c->chunk_rows);
    call_panel(v, v->c->to == TO_ROWS ? "y0, y1, image" : "y0, y1", 2, body);
    line(body, 1, "}");
}

const char *emit_conv(Emit *e, const Step *s, Text *body) {
    const ConvPlan *c = conv_plan(s);
    const Conv v = {.e = e,
                    .s = s,
                    .n = s->node,
                    .c = c,
                    .ep = &s->epilogue,
                    .prefix = arena_printf(e->arena, "%s%s", conv_name(e, s), epilogue_name(e, s))};
    if (!s->epilogue.in_place) emit_halo(e, s->out, 1, body);
    switch (c->to) {
    case TO_RING:
        emit_ring(&v, body);
        break;
    case TO_SUM:
        line(body, 1, "float *image = a->scratch + (size_t)part * %lld;", scratch_floats(e));
        line(body, 1, "for (int panel = part * %d / parts; panel < (part + 1) * %d / parts; panel++) {",
             c->panels.count, c->panels.count);
        call_panel(&v, "image", 2, body);
        line(body, 1, "}");
        break;
    case TO_OUTPUT:
    case TO_ROWS:
        emit_units(&v, body);
        break;
    }
    return v.prefix;
}
