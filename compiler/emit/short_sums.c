/* Tiles of convolutions whose sums have few products (a 1x1 of 16 channels, a stem of 27): the loops are rnc's own,
 * since what a GEMM spends around its products, and storing results for the epilogue to load them again, would take as
 * long as the products. A sweep's sums are in registers from the first product to the activation:
 *
 *     for (int k = 0; k < 16; k++, w += 64) {
 *         const V w0 = load(w), w1 = load(w + 16), ...;
 *         u = set1(x[k]), v0 = fma_(w0, u, v0), v1 = fma_(w1, u, v1), ...;       a pixel a line
 *
 * An element's sum is in the order of taps, then channels, as libxsmm's.
 */
#include "short_sums.h"

#include "graph/act.h"

/* Sums of a sweep: with the weights and a pixel these fill the registers. */
static int most_sums(const Emit *e) {
    return e->lanes == VECTOR ? 24 : 12; /* of 32 and 16 */
}

typedef struct Sweep {
    Emit *e;
    const Step *s;
    const ConvPlan *c;
    const ShortSums *sums;
    int vectors;
} Sweep;

/* Vector i of the channels, of `pixels` pixels. */
static const char *name_of(const Sweep *w, int pixel, int i) {
    return arena_printf(w->e->arena, "v%d", pixel * w->vectors + i);
}

static void add_products(const Sweep *w, int pixels, int depth, Text *t) {
    Emit *e = w->e;
    const Window *window = &w->s->term[0].window;
    const Layout *l = &plan_value(e->plan, w->s->in[0])->layout;
    const int taps = window->r * window->s, channels = w->c->term[0].block, width = w->sums->segment->width;
    if (taps > 1) {
        line(t, depth++, "for (int tap = 0; tap < %d; tap++) {", taps);
        line(t, depth, "const float *in = x + tap / %d * %lld + tap %% %d * %d;", window->s,
             (long long)window->dilate_h * l->row, window->s, window->dilate_w * l->pixel);
    }
    line(t, depth, "for (int k = 0; k < %d; k++, weights += %d) {", channels, width);
    for (int i = 0; i < w->vectors; i++)
        line(t, depth + 1, "const V w%d = load(%s);", i, emit_plus(e, "weights", i * e->lanes));
    for (int p = 0; p < pixels; p++) {
        text_printf(t, "%*su = set1(%s[%s])", (depth + 1) * 4, "", taps > 1 ? "in" : "x",
                    emit_plus(e, "k", (int64_t)p * window->stride_w * l->pixel));
        for (int i = 0; i < w->vectors; i++) {
            const char *v = name_of(w, p, i);
            text_printf(t, ", %s = fma_(w%d, u, %s)", v, i, v);
        }
        text_puts(t, ";\n");
    }
    line(t, depth, "}");
    if (taps > 1) line(t, depth - 1, "}");
}

static void store_results(const Sweep *w, int pixels, int depth, Text *t) {
    Emit *e = w->e;
    const ShortSums *sums = w->sums;
    for (int p = 0; p < pixels; p++)
        for (int i = 0; i < w->vectors; i++) {
            const int c = i * e->lanes, left = sums->segment->channels - c,
                      with_addend = sums->segment->addend_channels - c;
            const char *value = name_of(w, p, i);
            if (sums->finish)
                value = emit_epilogue(
                    e, &w->s->epilogue, value, sums->bias ? emit_load(e, emit_plus(e, "bias", c), left) : NULL,
                    sums->addend_pixel && with_addend > 0
                        ? emit_load(e, emit_plus(e, "addend", c + (int64_t)p * sums->addend_pixel), with_addend)
                        : NULL,
                    sums->slope ? emit_load(e, emit_plus(e, "slope", c), left) : NULL);
            line(t, depth, "%s;", emit_store(e, emit_plus(e, "y", c + (int64_t)p * w->c->pixel), value, left));
        }
}

static void emit_sweep(const Sweep *w, int pixels, int depth, Text *t) {
    line(t, depth, "const float *weights = w;");
    text_printf(t, "%*sV u", depth * 4, "");
    for (int v = 0; v < pixels * w->vectors; v++) text_printf(t, ", v%d = zero()", v);
    text_puts(t, ";\n");
    add_products(w, pixels, depth, t);
    store_results(w, pixels, depth, t);
}

const char *emit_short_sums(Emit *e, const Step *s, const ConvPlan *c, const ShortSums *sums) {
    const Layout *l = &plan_value(e->plan, s->in[0])->layout;
    const Sweep w = {e, s, c, sums, divide_up(sums->segment->channels, e->lanes)};
    const int most = most_sums(e) / w.vectors > 1 ? most_sums(e) / w.vectors : 1;
    const int sweeps = divide_up(sums->n, most), pixels = divide_up(sums->n, sweeps), full = sums->n / pixels,
              rest = sums->n % pixels;
    Text t = {0};
    const char *addend =
        sums->addend_pixel ? arena_printf(e->arena, ", addend += %d", pixels * sums->addend_pixel) : "";
    if (full > 1 || rest) {
        line(&t, 1, "for (int i = 0; i < %d; i++, x += %d, y += %d%s) {", full,
             pixels * s->term[0].window.stride_w * l->pixel, pixels * c->pixel, addend);
        emit_sweep(&w, pixels, 2, &t);
        line(&t, 1, "}");
    } else
        emit_sweep(&w, pixels, 1, &t);
    if (rest) emit_sweep(&w, rest, 1, &t);
    const char *name =
        emit_function(e, arena_printf(e->arena, "short_sums%d", sums->segment->channels),
                      arena_printf(e->arena, "%d pixels of %d channels, in sweeps of %d pixels", sums->n,
                                   sums->segment->channels, pixels),
                      "void",
                      arena_printf(e->arena, "const float *w, const float *x, float *y%s%s%s",
                                   sums->bias ? ", const float *bias" : "", sums->slope ? ", const float *slope" : "",
                                   sums->addend_pixel ? ", const float *addend" : ""),
                      t.s);
    text_free(&t);
    return name;
}
