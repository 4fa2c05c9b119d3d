/* Training's depthwise convolutions: a vector of channels by kernels of its own, a row of results at a time, whose rows
 * of the source lie in the first cache. In registers are the taps; of the weights' gradient its sums over the row.
 */
#include "batch_conv.h"

/* taps that stay in registers: of the 32 that AVX-512 has, else of 16 */
static int most_taps(const Emit *e) {
    return e->lanes == VECTOR ? 25 : 9;
}

/* Tables of places in weights and source, for a window that registers do not hold. */
static void emit_table(Text *body, int depth, const char *name, int count, const int *at) {
    text_printf(body, "%*sstatic const int %s[] = {", depth * 4, "", name);
    for (int i = 0; i < count; i++) text_printf(body, "%s%d", i ? ", " : "", at[i]);
    text_puts(body, "};\n");
}

/* A row of results. x_at: the places of taps that are held in registers; NULL: of some results at a time, which share a
 * load of each tap, by the tables. */
static void emit_row(Emit *e, int taps, const int *x_at, int results, int from, int to, Text *body) {
    enum { SOME = 4 };
    const int some = x_at || results < SOME ? 0 : results / SOME * SOME;
    if (some) {
        line(body, 4, "for (int i = 0; i < %d; i += %d, from += %d, to += %d) {", some, SOME, SOME * from, SOME * to);
        line(body, 5, "V v0 = zero(), v1 = zero(), v2 = zero(), v3 = zero();");
        line(body, 5, "for (int t = 0; t < %d; t++) {", taps);
        line(body, 6, "const V tap = load(w + w_at[t]);");
        for (int k = 0; k < SOME; k++)
            line(body, 6, "v%d = fma_(tap, load(%s), v%d);", k, emit_plus(e, "from + x_at[t]", (int64_t)k * from), k);
        line(body, 5, "}");
        for (int k = 0; k < SOME; k++) line(body, 5, "store(%s, v%d);", emit_plus(e, "to", (int64_t)k * to), k);
        line(body, 4, "}");
    }
    if (some == results) return;
    line(body, 4, "for (int i = %d; i < %d; i++, from += %d, to += %d) {", some, results, from, to);
    if (x_at) {
        line(body, 5, "V v = mul(w0, load(%s));", emit_plus(e, "from", x_at[0]));
        for (int t = 1; t < taps; t++) line(body, 5, "v = fma_(w%d, load(%s), v);", t, emit_plus(e, "from", x_at[t]));
    } else {
        line(body, 5, "V v = zero();");
        line(body, 5, "for (int t = 0; t < %d; t++) v = fma_(load(w + w_at[t]), load(from + x_at[t]), v);", taps);
    }
    line(body, 5, "store(to, v);");
    line(body, 4, "}");
}

void emit_depthwise_phase(Emit *e, const BatchConv *c, const PhaseLine *rows, const PhaseLine *columns, const Layout *y,
                          int row, int pixel, Text *body) {
    const Sliding *sl = &c->sliding;
    const int count = rows->count * columns->count;
    const bool several = rows->phases * columns->phases > 1, held = count <= most_taps(e);
    int *w_at = arena_alloc(e->arena, sizeof *w_at * (size_t)count);
    int *x_at = arena_alloc(e->arena, sizeof *x_at * (size_t)count);
    for (int i = 0; i < count; i++) {
        const int r = i / columns->count, q = i % columns->count;
        w_at[i] = (rows->tap[r] * c->window.s + columns->tap[q]) * (int)c->matrix;
        x_at[i] = (rows->at[r] + sl->top) * row + (columns->at[q] + sl->left) * pixel;
    }
    line(body, 2, "{");
    if (!held) {
        emit_table(body, 3, "w_at", count, w_at);
        emit_table(body, 3, "x_at", count, x_at);
    }
    if (several) {
        line(body, 3, "for (int p = 0; p < %d; p++)", rows->phases);
        line(body, 3, "for (int q = 0; q < %d; q++)", columns->phases);
    }
    line(body, 3, "for (int r = 0; r < %d; r++)", c->strip_rows < c->sliding.result.h ? c->strip_rows : rows->results);
    line(body, 3, "for (int c = 0; c < %d; c += LANES) {", y->pixel);
    line(body, 4, "const float *w = a->w + c%s;",
         several ? arena_printf(e->arena, " + (p * %d + q) * %lld", c->window.s, (long long)c->matrix) : "");
    for (int i = 0; i < count && held; i++) line(body, 4, "const V w%d = load(%s);", i, emit_plus(e, "w", w_at[i]));
    line(body, 4, "const float *from = x + (r * %d + c);", sl->in_step_h * row);
    line(body, 4, "float *to = y + ((r * %d + %d%s) * %d + %d%s + c);", sl->out_step_h, rows->phase,
         several ? " + p" : "", y->row, columns->phase * y->pixel,
         several ? arena_printf(e->arena, " + q * %d", y->pixel) : "");
    emit_row(e, count, held ? x_at : NULL, columns->results, sl->in_step_w * pixel, sl->out_step_w * y->pixel, body);
    line(body, 3, "}");
    line(body, 2, "}");
}

/* Rows of the window, so many at a time that their sums stay in registers: each sum over a row of the image, then added
 * to the slab's. */
void emit_depthwise_weights(Emit *e, const BatchConv *c, const Layout *y, int row, int pixel, Text *body) {
    const Window *w = &c->window;
    const int columns = w->s < most_taps(e) ? w->s : most_taps(e);
    const int rows = most_taps(e) / w->s < 1 ? 1 : most_taps(e) / w->s < w->r ? most_taps(e) / w->s : w->r;
    line(body, 2, "for (int r = 0; r < %d; r++)", c->strip_rows);
    line(body, 2, "for (int c = 0; c < %d; c += LANES) {", y->pixel);
    for (int r0 = 0; r0 < w->r; r0 += rows)
        for (int s0 = 0; s0 < w->s; s0 += columns) {
            const int some = r0 + rows < w->r ? rows : w->r - r0, wide = s0 + columns < w->s ? columns : w->s - s0;
            line(body, 3, "{");
            line(body, 4, "const float *dy = y + (r * %d + c);", y->row);
            line(body, 4, "const float *from = x + (r * %d + %d + c);", w->stride_h * row,
                 r0 * w->dilate_h * row + s0 * w->dilate_w * pixel);
            for (int t = 0; t < some * wide; t++) line(body, 4, "V s%d = zero();", t);
            line(body, 4, "for (int i = 0; i < %d; i++, dy += %d, from += %d) {", c->y.w, y->pixel,
                 w->stride_w * pixel);
            line(body, 5, "const V g = load(dy);");
            for (int t = 0; t < some * wide; t++)
                line(body, 5, "s%d = fma_(g, load(%s), s%d);", t,
                     emit_plus(e, "from", t / wide * w->dilate_h * row + t % wide * w->dilate_w * pixel), t);
            line(body, 4, "}");
            line(body, 4, "float *sums = to + c%s;", emit_plus(e, "", ((int64_t)r0 * w->s + s0) * c->matrix));
            for (int t = 0; t < some * wide; t++) {
                const char *at = emit_plus(e, "sums", (int64_t)(t / wide * w->s + t % wide) * c->matrix);
                line(body, 4, "store(%s, add(load(%s), s%d));", at, at, t);
            }
            line(body, 3, "}");
        }
    line(body, 2, "}");
}
