/* 1x1 convolutions by one level of Strassen's multiplication (plan/strassen.c). With A the weights, B the pixels, both
 * in halves of channels and B in a first and a second tile of pixels:
 *
 *     T1 = B12 - B11   T2 = B22 - T1   T3 = B22 - B12   T4 = T2 - B21          made once a pair of tiles
 *     S1 = A21 + A22   S2 = S1 - A11   S3 = A11 - A21   S4 = A12 - S2          packed
 *     C11 = A11 B11 + A12 B21                     U2 = A11 B11 + S2 T2
 *     C12 = U2 + S1 T1 + S4 B22                   C22 = U2 + S3 T3 + S1 T1
 *     C21 = U2 + S3 T3 - A22 T4
 *
 * Each product is a sum over the terms. Of a term whose pixels do not lie side by side B11, B21 and B22 are copied when
 * T1 to T4 are made.
 */
#include "describe.h"
#include "emit.h"
#include "graph/act.h"
#include "graph/ops.h"
#include "plan/strassen.h"

typedef struct Strassen {
    Emit *e;
    const Step *step;
    const StrassenPlan *s;
    const char *prefix;
    const Layout *out;
} Strassen;

static const Layout *in_layout(const Strassen *v, int i) {
    return &plan_value(v->e->plan, v->step->in[i])->layout;
}

/* "", "1", "2", "3": x, x1, ... are the terms' inputs */
static const char *number(const Strassen *v, int i) {
    return i ? arena_printf(v->e->arena, "%d", i) : "";
}

/* Where in its input term i reads pixel `at` (a variable, or a sum in brackets) of the result. */
static const char *pixel_offset(const Strassen *v, int i, const char *at) {
    const Layout *l = in_layout(v, i);
    if (v->s->term[i].flat) return arena_printf(v->e->arena, "%s * %d", at, l->pixel);
    const Window *w = &v->step->term[i].window;
    const int width = v->step->out->shape.w;
    return arena_printf(v->e->arena, "(%s / %d * %d + %s %% %d * %d)", at, width, w->stride_h * l->row, at, width,
                        w->stride_w * l->pixel);
}

/* Term i's sums of a pair of tiles. */
static void emit_sums(const Strassen *v, int i, int depth, Text *t) {
    const StrassenTerm *term = &v->s->term[i];
    const char *x = number(v, i), *to = emit_plus(v->e, "t", term->sums);
    line(t, depth, "for (int j = 0; j < %d; j++)", v->s->tile);
    line(t, depth + 1, "strassen_sums(a->x%s + %s, a->x%s + %s, %d, %s + j * %d, %d, %d);", x,
         pixel_offset(v, i, "(first + j)"), x, pixel_offset(v, i, "(second + j)"), term->depth, to, term->sum_pixel,
         term->sum_size, !term->flat);
}

typedef struct Finish { /* what the epilogue takes */
    bool bias, addend, slope;
} Finish;

static Finish finish_of(const Strassen *v) {
    const Epilogue *ep = &v->step->epilogue;
    return (Finish){.bias = ep->bias, .addend = ep->addend, .slope = ep->act == ACT_PRELU};
}

/* Where pixel `at`, or that of `row` and `column` (emitted names), is in an image. */
static const char *place(const Strassen *v, const Layout *l, bool flat) {
    return flat ? arena_printf(v->e->arena, "at * %d", l->pixel)
                : arena_printf(v->e->arena, "row * %d + column * %d", l->row, l->pixel);
}

/* n pixels of the result: the sum of two or three products, bias, addend, activation. */
static const char *finish_function(const Strassen *v, bool three) {
    Emit *e = v->e;
    const Epilogue *ep = &v->step->epilogue;
    const Finish f = finish_of(v);
    const int lanes = e->lanes, panel = v->s->panel;
    Text t = {0};
    for (int c = 0; c < panel; c += lanes) {
        if (f.bias) line(&t, 1, "const V b%d = load(%s);", c / lanes, emit_plus(e, "bias", c));
        if (f.slope) line(&t, 1, "const V s%d = load(%s);", c / lanes, emit_plus(e, "slope", c));
    }
    line(&t, 1, "for (int j = 0; j < n; j++, p += %d, q += %d, %sy += pixel%s) {", panel, panel,
         three ? arena_printf(e->arena, "r += %d, ", panel) : "", f.addend ? ", addend += addend_pixel" : "");
    for (int c = 0; c < panel; c += lanes) {
        const char *sum = arena_printf(e->arena, "add(load(%s), load(%s))", emit_plus(e, "p", c), emit_plus(e, "q", c));
        if (three) sum = arena_printf(e->arena, "add(%s, load(%s))", sum, emit_plus(e, "r", c));
        const char *value =
            emit_epilogue(e, ep, sum, f.bias ? arena_printf(e->arena, "b%d", c / lanes) : NULL,
                          f.addend ? arena_printf(e->arena, "load(%s)", emit_plus(e, "addend", c)) : NULL,
                          f.slope ? arena_printf(e->arena, "s%d", c / lanes) : NULL);
        line(&t, 2, "store(%s, %s);", emit_plus(e, "y", c), value);
    }
    line(&t, 1, "}");
    const char *list =
        arena_printf(e->arena, "const float *p, const float *q%s, float *y, int pixel%s%s%s, int n",
                     three ? ", const float *r" : "", f.bias ? ", const float *bias" : "",
                     f.addend ? ", const float *addend, int addend_pixel" : "", f.slope ? ", const float *slope" : "");
    const char *prefix =
        arena_printf(e->arena, "strassen%d_sum%d%s%s%s%s", panel, three ? 3 : 2, f.bias ? "_bias" : "",
                     f.addend ? "_add" : "", ep->act ? "_" : "", ep->act ? act_info(ep->act)->word : "");
    const char *name = emit_function(e, prefix, NULL, "void", list, t.s);
    text_free(&t);
    return name;
}

/* The same for a tile that begins at pixel `first`, of which those from `from` on are new: row by row, unless the
 * image's pixels lie side by side. */
static const char *tile_function(const Strassen *v, bool three) {
    Emit *e = v->e;
    const Finish f = finish_of(v);
    const Layout *add = f.addend ? &plan_value(e->plan, v->step->epilogue.addend)->layout : NULL;
    const int width = v->step->out->shape.w, tile = v->s->tile, panel = v->s->panel;
    const bool flat = v->out->row == width * v->out->pixel && (!add || add->row == width * add->pixel);
    Text t = {0};
    if (flat) {
        line(&t, 1, "const int j = from, at = first + from, n = %d - from;", tile);
        if (2 * v->s->pairs * tile - v->s->pixels >= tile) line(&t, 1, "if (n <= 0) return; /* no second tile */");
    } else {
        line(&t, 1, "for (int j = from, n; j < %d; j += n) {", tile);
        line(&t, 2, "const int row = (first + j) / %d, column = (first + j) %% %d;", width, width);
        line(&t, 2, "n = %d - column < %d - j ? %d - column : %d - j;", width, tile, width, tile);
    }
    text_printf(&t, "%s%s(p + j * %d, q + j * %d%s, y + (%s), %d", flat ? "    " : "        ",
                finish_function(v, three), panel, panel, three ? arena_printf(e->arena, ", r + j * %d", panel) : "",
                place(v, v->out, flat), v->out->pixel);
    if (f.bias) text_puts(&t, ", bias");
    if (f.addend) text_printf(&t, ", addend + (%s), %d", place(v, add, flat), add->pixel);
    if (f.slope) text_puts(&t, ", slope");
    text_puts(&t, ", n);\n");
    if (!flat) line(&t, 1, "}");
    const char *list = arena_printf(e->arena, "const float *p, const float *q%s, float *y%s%s%s, int first, int from",
                                    three ? ", const float *r" : "", f.bias ? ", const float *bias" : "",
                                    f.addend ? ", const float *addend" : "", f.slope ? ", const float *slope" : "");
    const char *name =
        emit_function(e, arena_printf(e->arena, "%s_sum%d", v->prefix, three ? 3 : 2), NULL, "void", list, t.s);
    text_free(&t);
    return name;
}

/* Stores a quarter of the result: the upper or the lower half of the features, of the first or the second tile. */
static void finish_call(const Strassen *v, const char *products, bool three, bool second, bool lower, Text *t) {
    const Finish f = finish_of(v);
    const char *at = lower ? arena_printf(v->e->arena, " + panel * %d + %d", v->s->panel, v->step->node->features / 2)
                           : arena_printf(v->e->arena, " + panel * %d", v->s->panel);
    text_printf(t, "    %s(%s, a->y%s", tile_function(v, three), products, at);
    if (f.bias) text_printf(t, ", a->bias%s", at);
    if (f.addend) text_printf(t, ", a->addend%s", at);
    if (f.slope) text_printf(t, ", a->slope%s", at);
    text_printf(t, ", %s, %s);\n", second ? "second" : "first", second ? "new2" : "new1");
}

/* C = or += one product, of all terms, the nth in packed weights. Each fetches those of its next product meanwhile. */
static void product(const Strassen *v, int nth, StrassenOperand b, const char *c, bool accumulate, const char *what,
                    Text *t) {
    Emit *e = v->e;
    text_printf(t, "    /* %s */\n", what);
    for (int i = 0; i < v->step->nin; i++) {
        const StrassenTerm *term = &v->s->term[i];
        const bool summed = b < STRASSEN_SUMS || !term->flat;
        const int weights = term->depth * v->s->panel;
        const char *all = arena_printf(e->arena, "w%s", number(v, i)), *w = emit_plus(e, all, nth * weights);
        const char *x = emit_plus(e, "t", term->sums + (int)b * term->sum_size);
        if (!summed) {
            const char *pixel = pixel_offset(v, i, b == B22 ? "second" : "first");
            x = emit_plus(e, arena_printf(e->arena, "a->x%s + %s", number(v, i), pixel), b == B11 ? 0 : term->depth);
        }
        const int panel = v->s->panel, pixel = summed ? term->sum_pixel : in_layout(v, i)->pixel;
        const Gemm g = {.m = panel,
                        .n = v->s->tile,
                        .k = term->depth,
                        .lda = panel,
                        .ldb = pixel,
                        .ldc = panel,
                        .accumulate = accumulate || i > 0,
                        .columns = v->s->pairs * v->s->tile};
        const char *next = emit_plus(e, all, (nth + 1) * weights);
        line(t, 1, "%s;", emit_fetching_gemm(e, "1", &g, &g, w, x, c, next, 0, 1));
    }
}

static const char *panel_function(const Strassen *v) {
    const StrassenPlan *s = v->s;
    Emit *e = v->e;
    Text t = {0};
    for (int i = 0; i < v->step->nin; i++)
        text_printf(&t, "    const float *w%s = a->w%s + (size_t)panel * %d;\n", number(v, i), number(v, i),
                    STRASSEN_PRODUCTS * s->term[i].depth * s->panel);
    text_printf(&t, "    float *u = m, *p = m + %d, *q = m + %d;\n", s->product_size, 2 * s->product_size);
    product(v, 0, B11, "u", false, "u = A11 B11", &t);
    product(v, 1, B21, "p", false, "p = A12 B21", &t);
    finish_call(v, "u, p", false, false, false, &t);
    product(v, 2, T2, "u", true, "u += S2 T2", &t);
    product(v, 3, T3, "p", false, "p = S3 T3", &t);
    product(v, 4, T1, "q", false, "q = S1 T1", &t);
    finish_call(v, "u, p, q", true, true, true, &t);
    product(v, 5, B22, "q", true, "q += S4 B22", &t);
    finish_call(v, "u, q", false, true, false, &t);
    product(v, 6, T4, "p", true, "p += -A22 T4", &t);
    finish_call(v, "u, p", false, false, true, &t);
    const char *name = emit_function(
        e, arena_printf(e->arena, "%s_panel", v->prefix),
        arena_printf(e->arena, "%d output channels and their partners of a pair of tiles of %d pixels", v->s->panel,
                     s->tile),
        "void", "const struct args *a, int panel, int first, int second, int new1, int new2, const float *t, float *m",
        arena_printf(v->e->arena, "%s%s", kernel_table_for(t.s), t.s));
    text_free(&t);
    return name;
}

const char *emit_strassen(Emit *e, const Step *step, Text *body) {
    const StrassenPlan *s = strassen_plan(step);
    const Shape out = step->out->shape;
    const Strassen v = {.e = e,
                        .step = step,
                        .s = s,
                        .prefix = arena_printf(e->arena, "%s_strassen%s", conv_name(e, step), epilogue_name(e, step)),
                        .out = &plan_value(e->plan, step->out)->layout};
    for (int i = 0; i < step->nin; i++)
        if (s->term[i].flat && in_layout(&v, i)->row != out.w * in_layout(&v, i)->pixel)
            bug("%s: Strassen's pixels must lie side by side", step->name);
    if (!step->epilogue.in_place) emit_halo(e, step->out, 1, body);
    const int units = s->pairs * s->panels, last = s->pixels - s->tile;
    text_printf(body, "    float *t = a->scratch + (size_t)part * %lld, *m = t + %d;\n", scratch_floats(e),
                s->products);
    const bool several = s->panels > 1; /* of a pair of tiles, whose sums the first panel's unit makes */
    if (several) {
        line(body, 1, "const int begin = part * %d / parts;", units);
        line(body, 1, "for (int unit = begin; unit < (part + 1) * %d / parts; unit++) {", units);
        line(body, 2, "const int panel = unit %% %d, pair = unit / %d;", s->panels, s->panels);
    } else {
        line(body, 1, "const int panel = 0;");
        line(body, 1, "for (int pair = part * %d / parts; pair < (part + 1) * %d / parts; pair++) {", units, units);
    }
    text_printf(body, "        const int at1 = pair * %d, at2 = at1 + %d;\n", 2 * s->tile, s->tile);
    text_printf(body, "        const int first = at1 < %d ? at1 : %d, second = at2 < %d ? at2 : %d;\n", last, last,
                last, last);
    if (several) line(body, 2, "if (unit == begin || panel == 0) {");
    for (int i = 0; i < step->nin; i++) emit_sums(&v, i, several ? 3 : 2, body);
    if (several) line(body, 2, "}");
    text_printf(body,
                "        %s(a, panel, first, second, at1 - first, at2 - second, t, m);\n    }\n    zeroupper();\n",
                panel_function(&v));
    return v.prefix;
}
