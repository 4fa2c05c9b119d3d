/* Functions of woven GEMMs: sweeps of woven kernels (c/woven.h) over the columns of one call. */
#include "emit.h"

/* woven_VxP with its width and lines: shared by all GEMMs of these. */
static const char *sweep_function(Emit *e, const Weave *w, const Gemm *g, int columns, int lines) {
    Text t = {0};
    line(&t, 1, "woven_%dx%d(WOVEN_ARGUMENTS, %d, %d, %d);", w->vectors, columns, g->lda, lines,
         lines ? w->streams : 1);
    const char *name = emit_function(
        e, arena_printf(e->arena, "sweep%dx%d_fetch%d", w->vectors * e->lanes, columns, lines),
        lines ? arena_printf(e->arena, "%d columns; 8 steps fetch %d line%s", columns, lines, lines > 1 ? "s" : "")
              : NULL,
        "void", "WOVEN_PARAMETERS", t.s);
    text_free(&t);
    return name;
}

static void column_table(const char *name, const WovenColumns *c, int pixel, int row, Text *t) {
    text_printf(t, "    static const int %s[] = {", name);
    for (int i = 0; i < c->rows * c->width; i++)
        text_printf(t, "%s%d", i ? ", " : "", i / c->width * row + i % c->width * pixel);
    text_puts(t, "};\n");
}

typedef struct Sweeps {
    Emit *e;
    const Weave *w;
    const Gemm *g;
    int taps;
} Sweeps;

/* The sweeps [from, to) of a call, which have `columns` columns and fetch `lines`; the first begins at column `at`. */
static void some_sweeps(const Sweeps *s, int from, int to, int at, int columns, int lines, Text *t) {
    if (from >= to) return;
    Emit *e = s->e;
    const char *i = to - from > 1 ? "i" : NULL;
    const char *column = arena_printf(e->arena, "%d", at);
    if (i)
        column = arena_printf(e->arena, "(%s)",
                              emit_plus(e, arena_printf(e->arena, "i * %d", columns), at - from * columns));
    if (i) line(t, 1, "for (int i = %d; i < %d; i++)", from, to);
    const char *next = !lines ? "next"
                       : i    ? arena_printf(e->arena, "next + i * %d", s->w->share)
                              : emit_plus(e, "next", (int64_t)from * s->w->share);
    const int last = s->g->m - (s->w->vectors - 1) * e->lanes;
    line(t, i ? 2 : 1, "%s(w, x, y, x_of + %s, y_of + %s, %d, %d, x_at, %d, %d, %s, %d);",
         sweep_function(e, s->w, s->g, columns, lines), column, column, s->g->k, s->taps, s->g->accumulate, last, next,
         s->w->apart);
}

/* Those [from, to), of which those before `fetching` fetch. */
static void alike_sweeps(const Sweeps *s, int from, int to, int at, int columns, int fetching, Text *t) {
    const int middle = fetching < from ? from : fetching < to ? fetching : to;
    some_sweeps(s, from, middle, at, columns, s->w->lines, t);
    some_sweeps(s, middle, to, at + (middle - from) * columns, columns, 0, t);
}

const char *emit_woven(Emit *e, const Gemm *g, int taps, const WovenColumns *columns, int calls) {
    const Weave w = gemm_weave(e->machine, g, taps, calls);
    const Sweeps s = {e, &w, g, taps};
    Text t = {0};
    column_table("x_of", columns, g->ldb, columns->x_row, &t);
    column_table("y_of", columns, g->ldc, columns->y_row, &t);
    if (taps == 1) line(&t, 1, "static const unsigned long long x_at[] = {0};");
    const int fetching = calls > 1 ? w.sweeps : w.fetching; /* which call it is does not matter to the function */
    alike_sweeps(&s, 0, w.wide, 0, w.columns, fetching, &t);
    alike_sweeps(&s, w.wide, w.sweeps, w.wide * w.columns, w.columns - 1, fetching, &t);
    const char *name = emit_function(
        e,
        arena_printf(e->arena, "woven%dx%dx%d%s%s", g->m, g->n, g->k,
                     taps > 1 ? arena_printf(e->arena, "_taps%d", taps) : "", g->accumulate ? "_add" : ""),
        "Fetches the next weights, or a share of them, to L2", "void",
        arena_printf(e->arena, "const float *w, const float *x, float *y, const float *next%s",
                     taps > 1 ? ", const unsigned long long *x_at" : ""),
        t.s);
    text_free(&t);
    return name;
}
