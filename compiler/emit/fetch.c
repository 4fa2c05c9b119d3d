/* GEMMs that fetch the next weights to L2 while they multiply.
 *
 * libxsmm's AVX-512 kernels do it themselves (its AL2 prefetch). Its AVX2 kernels have no prefetches, and hold three
 * columns in registers: they wait for memory while the first three sweep over the weights, then multiply the others
 * while memory rests. So a GEMM is cut to that size (or two columns, where one would be left), and before each piece a
 * share of the next weights is fetched: as many lines as a core can wait for at once.
 */
#include <string.h>
#include "emit.h"
#include "rn.h"

enum {
    PIECE_COLUMNS = 3,   /* that libxsmm's AVX2 kernels hold in registers */
    PIECE_LINES = 24,    /* of weights that a piece fetches: about what a core can wait for at once */
    SHORT_CHANNELS = 48, /* pieces that need be no longer for their lines are cut evenly at these: shorter ones spend
                            their time on loading and storing results */
    MOST_COLUMNS = 256   /* pieces take 3 % longer, which costs more columns than these as much as memory does */
};

static int kernel_of(Emit *e, const Gemm *g, bool fetch) {
    return emit_kernel(e, g->m, g->n, g->k, g->lda, g->ldb, g->ldc, g->accumulate, false, fetch);
}

static const char *choose(Emit *e, const char *condition, int yes, int no) {
    return yes == no ? arena_printf(e->arena, "%d", yes) : arena_printf(e->arena, "%s ? %d : %d", condition, yes, no);
}

/* The kernel of a piece of n columns at `c`, see pieces_at: the first begins the sum, unless the GEMM goes on with one.
 */
static const char *piece_kernel(Emit *e, const Gemm *g, int n, int channels, const char *c) {
    Gemm first = *g, more = *g;
    first.n = more.n = n;
    first.k = more.k = channels;
    more.accumulate = true;
    if (!c) return arena_printf(e->arena, "%d", kernel_of(e, &first, false));
    const int next = kernel_of(e, &more, false);
    return strcmp(c, "c") ? arena_printf(e->arena, "%d", next) : choose(e, "c", next, kernel_of(e, &first, false));
}

/* Columns of all pieces but, perhaps, the last one or two, which then have two. */
static int piece_width(int n) {
    return n == 4 ? 2 : n < PIECE_COLUMNS ? n : PIECE_COLUMNS;
}

/* The pieces of `channels` channels at `c`: the name of a loop's variable, or a constant for the last ones; NULL: these
 * are all. Where one column is left, two pieces have two: one alone has too few sums for its additions not to wait for
 * each other. */
static void pieces_at(Emit *e, const Gemm *g, int channels, const char *c, int share, int depth, Text *t) {
    const int width = piece_width(g->n), rest = g->n % width;
    const char *kernel = piece_kernel(e, g, width, channels, c), *step = arena_printf(e->arena, "%d", width);
    if (rest) {
        const int full = g->n - 2 * (width - rest);
        const char *format = strchr(kernel, '?') ? "j < %d ? (%s) : (%s)" : "j < %d ? %s : %s";
        kernel = arena_printf(e->arena, format, full, kernel, piece_kernel(e, g, 2, channels, c));
        step = arena_printf(e->arena, "j < %d ? %d : 2", full, width);
    }
    const char *w = c ? arena_printf(e->arena, "w + %s * %d", c, g->lda) : "w";
    const char *x =
        c ? arena_printf(e->arena, "x + (j * %d + %s)", g->ldb, c) : arena_printf(e->arena, "x + j * %d", g->ldb);
    line(t, depth, "for (int j = 0; j < %d; j += %s, next += %d) {", g->n, step, share);
    line(t, depth + 1, "for (int i = 0; i < %d; i += 16) _mm_prefetch((const char *)(next + i), _MM_HINT_T1);", share);
    line(t, depth + 1, "k[%s].gemm(%s, %s, y + j * %d, w, x, y);", kernel, w, x, g->ldc);
    line(t, depth, "}");
}

static const char *pieces(Emit *e, const Gemm *g) {
    const int most = PIECE_LINES * 16 * divide_up(g->n, PIECE_COLUMNS) / g->lda;
    const int blocks = divide_up(g->k, most > SHORT_CHANNELS ? most : SHORT_CHANNELS),
              channels = divide_up(g->k, blocks), full = g->k / channels;
    const int count = divide_up(g->k, channels) * divide_up(g->n, PIECE_COLUMNS);
    const int share = round_up(divide_up(g->lda * g->k, count), 16), rest = g->k - full * channels;
    Text t = {0};
    if (blocks > 1) line(&t, 1, "for (int c = 0; c < %d; c += %d)", full * channels, channels);
    pieces_at(e, g, channels, blocks > 1 ? "c" : NULL, share, blocks > 1 ? 2 : 1, &t);
    if (rest) pieces_at(e, g, rest, arena_printf(e->arena, "%d", full * channels), share, 1, &t);
    const char *name = emit_function(
        e, arena_printf(e->arena, "gemm%dx%dx%d", g->m, g->n, g->k),
        arena_printf(e->arena,
                     "In pieces of at most %d columns and %d channels; each fetches a share of the next weights to L2",
                     piece_width(g->n), channels),
        "void", "const rn_kernel *k, const float *w, const float *x, float *y, const float *next", t.s);
    text_free(&t);
    return name;
}

static const char *one_call(Emit *e, const char *condition, const Gemm *g, const Gemm *other, const char *w,
                            const char *x, const char *y, const char *next, bool fetch) {
    const int yes = kernel_of(e, g, fetch), no = kernel_of(e, other, fetch);
    const char *kernel = choose(e, condition, yes, no);
    return arena_printf(e->arena, "k[%s].gemm(%s, %s, %s, %s, %s, %s)", kernel, w, x, y, next, x, y);
}

const char *emit_gemm(Emit *e, const char *condition, const Gemm *g, const Gemm *other, const char *w, const char *x,
                      const char *y) {
    return one_call(e, condition, g, other, w, x, y, w, false);
}

const char *emit_fetching_gemm(Emit *e, const char *condition, const Gemm *g, const Gemm *other, const char *w,
                               const char *x, const char *y, const char *next) {
    const bool few = g->n <= PIECE_COLUMNS; /* nothing is multiplied while memory rests */
    if (e->isa != RN_ISA_X86_64_V3 || few || g->columns > MOST_COLUMNS)
        return one_call(e, condition, g, other, w, x, y, next, true);
    const char *yes = pieces(e, g), *no = pieces(e, other);
    if (strcmp(yes, no)) yes = arena_printf(e->arena, "(%s ? %s : %s)", condition, yes, no);
    return arena_printf(e->arena, "%s(k, %s, %s, %s, %s)", yes, w, x, y, next);
}
