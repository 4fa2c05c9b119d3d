#include "pooled.h"
#include "describe.h"
#include "graph/ops.h"

/* Of `channels` channels, or of a vector, `at` (" + c") in the pixel. */
static void pooled_vector(Emit *e, const Step *s, const char *from, const char *at, int channels, bool finish,
                          int depth, Text *t) {
    const Epilogue *ep = &s->epilogue;
    const Window *w = &ep->pool_window;
    for (int i = 0; i < w->r; i++)
        for (int j = 0; j < w->s; j++)
            line(t, depth, i || j ? "v = max_nan(v, load(r%d + q%d%s));" : "V v = load(r%d + q%d%s);", i, j, at);
    const char *value = "v";
    if (finish) {
        const char *bias = ep->bias ? emit_load(e, arena_printf(e->arena, "a->bias%s%s", from, at), channels) : NULL;
        value = emit_epilogue(e, ep, value, bias, NULL, NULL);
    }
    line(t, depth, "%s;", emit_store(e, arena_printf(e->arena, "y%s", at), value, channels));
}

void pooled_window(Emit *e, const Step *s, const char *from, int channels, bool finish, int depth, Text *t) {
    for (int c = 0; c < channels;) {
        const int left = channels - c, vectors = left > e->lanes ? left / e->lanes : 1;
        const bool loop = vectors > 1;
        if (loop)
            line(t, depth, "for (int c = %d; c < %d; c += %d) {", c, c + vectors * e->lanes, e->lanes);
        else
            line(t, depth, "{");
        pooled_vector(e, s, from, loop ? " + c" : emit_plus(e, "", c), left, finish, depth + 1, t);
        line(t, depth, "}");
        c += vectors * e->lanes;
    }
}

void pooled_row(Emit *e, const Step *s, int pixel, bool finish, int depth, Text *t) {
    const Window *w = &s->epilogue.pool_window;
    const Layout *l = &plan_value(e->plan, s->out)->layout;
    const int last = s->epilogue.unpooled.w - 1;
    line(t, depth, "float *y = a->y + p * %d;", l->row);
    line(t, depth, "for (int q = 0; q < %d; q++, y += %d) {", s->out->shape.w, l->pixel);
    line(t, depth + 1, "const int left = %s;", emit_plus(e, arena_printf(e->arena, "q * %d", w->stride_w), -w->left));
    /* a window's clipped column repeats one that is in the window, which does not change the maximum */
    for (int j = 0; j < w->s; j++)
        line(t, depth + 1, "const int q%d = clamp(%s, %d) * %d;", j, emit_plus(e, "left", j), last, pixel);
    pooled_window(e, s, "", s->node->features, finish, depth + 1, t);
    line(t, depth, "}");
}

/* Row or column i of a window at `at`: where the image's edge may cut it off, the window's first stands in, which does
 * not change the maximum. */
static void window_line(const char *type, char name, int i, const char *at, const char *end, bool cut, int step,
                        int depth, Text *t) {
    if (cut)
        line(t, depth, "%s%c%d = %s + %d < %s ? %c0 + %d : %c0;", type, name, i, at, i, end, name, i * step, name);
    else
        line(t, depth, "%s%c%d = %c0 + %d;", type, name, i, name, i * step);
}

/* The channel at which `panel` begins in the result, as emitted. */
static const char *panel_start(const Emit *e, const Panels *panels) {
    return arena_printf(e->arena, "panel * %d", panels->advance);
}

const char *pooled_name(const Epilogue *ep) {
    return ep->pool == POOL_GLOBAL_MAX ? "most" : "sum";
}

void pooled_declare(const Epilogue *ep, int count, int depth, Text *t) {
    if (ep->pool == POOL_GLOBAL_AVG) return line(t, depth, "float sum[%d] = {0};", count);
    line(t, depth, "float most[%d];", count);
    line(t, depth, "for (int i = 0; i < %d; i++) most[i] = -INFINITY;", count);
}

const char *pooled_more(Emit *e, const Epilogue *ep, const char *gathered, const char *value) {
    return arena_printf(e->arena, "%s(%s, %s)", ep->pool == POOL_GLOBAL_MAX ? "max_nan" : "add", gathered, value);
}

void pooled_store(Emit *e, const Step *s, const Panels *panels, const char *gathered, const char *y, int channels,
                  int depth, Text *t) {
    const Shape shape = node_unpooled_shape(s->node);
    const char *share = float_c(e->arena, 1.0 / ((double)shape.h * shape.w));
    for (int c = 0; c < channels; c += e->lanes) {
        const char *value = arena_printf(e->arena, "load(%s)", emit_plus(e, gathered, c));
        if (s->epilogue.pool == POOL_GLOBAL_AVG) value = arena_printf(e->arena, "mul(%s, set1(%s))", value, share);
        const char *to = arena_printf(e->arena, "%s + %s", y, emit_plus(e, panel_start(e, panels), c));
        line(t, depth, "%s;", emit_store(e, to, value, channels - c));
    }
}

void pooled_rows(Emit *e, const Step *s, const Panels *panels, int channels, int pixel, const char *type, bool finish,
                 Text *t) {
    const Window *w = &s->epilogue.pool_window;
    const Shape shape = node_walked_shape(s->node);
    const Layout *l = &plan_value(e->plan, s->out)->layout;
    const char *from = arena_printf(e->arena, " + %s", panel_start(e, panels));
    const char *width = arena_printf(e->arena, "%d", shape.w);
    const int row = shape.w * pixel;
    line(t, 1, "for (%s r = y0; r < y1; r += %d) {", type, w->r);
    line(t, 2, "const float *r0 = image + (r - y0) * %d;", row);
    for (int i = 1; i < w->r; i++) window_line("const float *", 'r', i, "r", "y1", shape.h % w->r, row, 2, t);
    line(t, 2, "float *y = a->y + (r / %d * %d%s);", w->r, l->row, from);
    line(t, 2, "for (int q = 0; q < %s; q += %d, y += %d) {", width, w->s, l->pixel);
    line(t, 3, "const int q0 = q * %d;", pixel);
    for (int j = 1; j < w->s; j++) window_line("const int ", 'q', j, "q", width, shape.w % w->s, pixel, 3, t);
    pooled_window(e, s, from, channels, finish, 3, t);
    line(t, 2, "}");
    line(t, 1, "}");
}
