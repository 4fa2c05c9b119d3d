/* GEMMs that fetch the next weights to L2 while they multiply: in the kernel, or in pieces (plan/gemm.h). */
#include <string.h>
#include "emit.h"

static int kernel_of(Emit *e, const Gemm *g, bool fetch) {
    return emit_kernel(e, fetch ? KERNEL_FETCHES : KERNEL_PLAIN, g);
}

/* The kernel of a piece of n columns at channel `c` (a loop's variable, a number, or NULL: these are all channels): the
 * first begins the sum, unless the GEMM goes on with one. */
static const char *piece_kernel(Emit *e, const Gemm *g, int n, int channels, const char *c) {
    Gemm first = *g, more = *g;
    first.n = more.n = n;
    first.k = more.k = channels;
    more.accumulate = true;
    if (!c) return emit_kernel_index(e, kernel_of(e, &first, false));
    const int next = kernel_of(e, &more, false);
    return emit_kernel_choice(e, "c", next, strcmp(c, "c") ? next : kernel_of(e, &first, false));
}

/* The pieces of `channels` channels at `c`, see piece_kernel. */
static void pieces_at(Emit *e, const Gemm *g, const Pieces *p, int channels, const char *c, int depth, Text *t) {
    const char *kernel = piece_kernel(e, g, p->columns, channels, c), *step = arena_printf(e->arena, "%d", p->columns);
    if (p->narrow) {
        const int full = g->n - 2 * p->narrow;
        const char *format = strchr(kernel, '?') ? "j < %d ? (%s) : (%s)" : "j < %d ? %s : %s";
        kernel = arena_printf(e->arena, format, full, kernel, piece_kernel(e, g, 2, channels, c));
        step = arena_printf(e->arena, "j < %d ? %d : 2", full, p->columns);
    }
    const char *w = c ? arena_printf(e->arena, "w + %s * %d", c, g->lda) : "w";
    const char *x =
        c ? arena_printf(e->arena, "x + (j * %d + %s)", g->ldb, c) : arena_printf(e->arena, "x + j * %d", g->ldb);
    line(t, depth, "for (int j = 0; j < %d; j += %s, next += %d) {", g->n, step, p->share);
    line(t, depth + 1, "fetch(next, %d);", p->share);
    line(t, depth + 1, "k[%s].gemm(%s, %s, y + j * %d, w, x, y);", kernel, w, x, g->ldc);
    line(t, depth, "}");
}

static const char *pieces_function(Emit *e, const Gemm *g) {
    const Pieces p = gemm_pieces(g);
    const int full = g->k / p.channels * p.channels;
    const bool loop = p.channels < g->k;
    Text t = {0};
    if (loop) line(&t, 1, "for (int c = 0; c < %d; c += %d)", full, p.channels);
    pieces_at(e, g, &p, p.channels, loop ? "c" : NULL, loop ? 2 : 1, &t);
    if (full < g->k) pieces_at(e, g, &p, g->k - full, arena_printf(e->arena, "%d", full), 1, &t);
    const char *name = emit_function(
        e,
        arena_printf(e->arena, "gemm%dx%dx%d%s_x%d_y%d", g->m, g->n, g->k, g->accumulate ? "_add" : "", g->ldb, g->ldc),
        arena_printf(e->arena,
                     "In pieces of at most %d columns and %d channels; each fetches a share of the next weights to L2",
                     p.columns, p.channels),
        "void", "const rn_kernel *k, const float *w, const float *x, float *y, const float *next", t.s);
    text_free(&t);
    return name;
}

static const char *one_call(Emit *e, const char *condition, const Gemm *g, const Gemm *other, const char *w,
                            const char *x, const char *y, const char *next, bool fetch) {
    const int yes = kernel_of(e, g, fetch), no = kernel_of(e, other, fetch);
    const char *kernel = emit_kernel_choice(e, condition, yes, no);
    return arena_printf(e->arena, "k[%s].gemm(%s, %s, %s, %s, %s, %s)", kernel, w, x, y, next, x, y);
}

const char *emit_gemm(Emit *e, const char *condition, const Gemm *g, const Gemm *other, const char *w, const char *x,
                      const char *y) {
    return one_call(e, condition, g, other, w, x, y, w, false);
}

const char *emit_fetching_gemm(Emit *e, const char *condition, const Gemm *g, const Gemm *other, const char *w,
                               const char *x, const char *y, const char *next, int call, int calls) {
    if (gemm_is_woven(e->machine, g) && gemm_is_woven(e->machine, other)) {
        const Weave weave = gemm_weave(e->machine, g, 1, calls);
        const WovenColumns columns = {1, g->n, 0, 0}, others = {1, other->n, 0, 0};
        const char *yes = emit_woven(e, g, 1, &columns, calls), *no = emit_woven(e, other, 1, &others, calls);
        if (strcmp(yes, no)) yes = arena_printf(e->arena, "(%s ? %s : %s)", condition, yes, no);
        return arena_printf(e->arena, "%s(%s, %s, %s, %s)", yes, w, x, y,
                            emit_plus(e, next, (int64_t)call * weave.sweeps * weave.share));
    }
    if (call + 1 < calls) return emit_gemm(e, condition, g, other, w, x, y); /* the last fetches all */
    if (!gemm_in_pieces(e->machine, g)) return one_call(e, condition, g, other, w, x, y, next, true);
    const char *yes = pieces_function(e, g), *no = pieces_function(e, other);
    if (strcmp(yes, no)) yes = arena_printf(e->arena, "(%s ? %s : %s)", condition, yes, no);
    return arena_printf(e->arena, "%s(k, %s, %s, %s, %s)", yes, w, x, y, next);
}
