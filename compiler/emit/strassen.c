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

static const char *sums_function(const Strassen *v, int i) {
    static const char *const values[STRASSEN_OPERANDS] = {"t1",  "t2", "sub(b22, b12)", "sub(t2, b21)", "b11",
                                                          "b21", "b22"};
    const StrassenTerm *term = &v->s->term[i];
    Text t = {0};
    text_printf(&t, "    for (int j = 0; j < %d; j++, t += %d) {\n", v->s->tile, term->sum_pixel);
    text_printf(&t, "        const float *b1 = x + %s, *b2 = x + %s;\n", pixel_offset(v, i, "(first + j)"),
                pixel_offset(v, i, "(second + j)"));
    text_printf(&t, "        for (int c = 0; c < %d; c += %d) {\n", term->depth, v->e->lanes);
    text_printf(&t,
                "            const V b11 = load(b1 + c), b21 = load(b1 + %d + c), b12 = load(b2 + c),\n"
                "                    b22 = load(b2 + %d + c), t1 = sub(b12, b11), t2 = sub(b22, t1);\n",
                term->depth, term->depth);
    for (int k = 0; k < (term->flat ? STRASSEN_SUMS : STRASSEN_OPERANDS); k++)
        line(&t, 3, "store(%s, %s);", emit_plus(v->e, "t + c", k * term->sum_size), values[k]);
    text_puts(&t, "        }\n    }\n");
    const char *name =
        emit_function(v->e, arena_printf(v->e->arena, "%s_sums", v->prefix),
                      term->flat ? "T1 to T4 of a pair of tiles" : "T1 to T4, B11, B21 and B22 of a pair of tiles",
                      "void", "const float *x, int first, int second, float *t", t.s);
    text_free(&t);
    return name;
}

/* A tile of the result: the sum of two or three products, bias, addend, activation; stored from pixel `from` on. */
static const char *finish_function(const Strassen *v, bool three) {
    Emit *e = v->e;
    const Epilogue *ep = &v->step->epilogue;
    const Layout *add = ep->addend ? &plan_value(e->plan, ep->addend)->layout : NULL;
    const int lanes = e->lanes, vectors = v->s->panel / lanes, width = v->step->out->shape.w;
    const bool slope = ep->act == ACT_PRELU;
    Text t = {0};
    for (int i = 0; i < vectors; i++) {
        if (ep->bias) line(&t, 1, "const V b%d = load(%s);", i, emit_plus(e, "bias", i * lanes));
        if (slope) line(&t, 1, "const V s%d = load(%s);", i, emit_plus(e, "slope", i * lanes));
    }
    text_printf(&t, "    for (int j = from; j < %d; j++) {\n", v->s->tile);
    text_printf(&t, "        const int row = (pixel + j) / %d, column = (pixel + j) %% %d;\n", width, width);
    text_printf(&t, "        float *to = y + (row * %d + column * %d);\n", v->out->row, v->out->pixel);
    if (add)
        text_printf(&t, "        const float *from_add = addend + (row * %d + column * %d);\n", add->row, add->pixel);
    for (int i = 0; i < vectors; i++) {
        const char *at = emit_plus(e, arena_printf(e->arena, "j * %d", v->s->panel), i * lanes);
        const char *sum = arena_printf(e->arena, "add(load(p + %s), load(q + %s))", at, at);
        if (three) sum = arena_printf(e->arena, "add(%s, load(r + %s))", sum, at);
        const char *value =
            emit_epilogue(e, ep, sum, ep->bias ? arena_printf(e->arena, "b%d", i) : NULL,
                          add ? arena_printf(e->arena, "load(%s)", emit_plus(e, "from_add", i * lanes)) : NULL,
                          slope ? arena_printf(e->arena, "s%d", i) : NULL);
        line(&t, 2, "store(%s, %s);", emit_plus(e, "to", i * lanes), value);
    }
    text_puts(&t, "    }\n");
    const char *list = arena_printf(e->arena, "const float *p, const float *q%s, float *y%s%s%s, int pixel, int from",
                                    three ? ", const float *r" : "", ep->bias ? ", const float *bias" : "",
                                    add ? ", const float *addend" : "", slope ? ", const float *slope" : "");
    const char *name =
        emit_function(e, arena_printf(e->arena, "%s_sum%d", v->prefix, three ? 3 : 2), NULL, "void", list, t.s);
    text_free(&t);
    return name;
}

/* Stores a quarter of the result: features from `feature` on, of the first or the second tile. */
static void finish_call(const Strassen *v, const char *products, bool three, bool second, bool lower, Text *t) {
    const Epilogue *ep = &v->step->epilogue;
    const char *at = lower ? arena_printf(v->e->arena, " + panel * %d + %d", v->s->panel, v->step->node->features / 2)
                           : arena_printf(v->e->arena, " + panel * %d", v->s->panel);
    text_printf(t, "    %s(%s, a->y%s", finish_function(v, three), products, at);
    if (ep->bias) text_printf(t, ", a->bias%s", at);
    if (ep->addend) text_printf(t, ", a->addend%s", at);
    if (ep->act == ACT_PRELU) text_printf(t, ", a->slope%s", at);
    text_printf(t, ", %s, %s);\n", second ? "second" : "first", second ? "new2" : "new1");
}

/* C = or += one product, of all terms. Each fetches the weights of its next product meanwhile. */
static void product(const Strassen *v, StrassenOperand b, const char *c, bool accumulate, const char *what, Text *t) {
    Emit *e = v->e;
    text_printf(t, "    /* %s */\n", what);
    for (int i = 0; i < v->step->nin; i++) {
        const StrassenTerm *term = &v->s->term[i];
        const bool summed = b < STRASSEN_SUMS || !term->flat;
        const int weights = term->depth * v->s->panel;
        const char *w = arena_printf(e->arena, "w%s", number(v, i));
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
        const char *next = arena_printf(e->arena, "%s + %d", w, weights);
        text_printf(t, "    %s;\n    %s += %d;\n", emit_fetching_gemm(e, "1", &g, &g, w, x, c, next), w, weights);
    }
}

static const char *panel_function(const Strassen *v) {
    const StrassenPlan *s = v->s;
    Emit *e = v->e;
    Text t = {0};
    text_puts(&t, "    const rn_kernel *k = a->k;\n");
    for (int i = 0; i < v->step->nin; i++)
        text_printf(&t, "    const float *w%s = a->w%s + (size_t)panel * %d;\n", number(v, i), number(v, i),
                    STRASSEN_PRODUCTS * s->term[i].depth * s->panel);
    text_printf(&t, "    float *u = m, *p = m + %d, *q = m + %d;\n", s->product_size, 2 * s->product_size);
    product(v, B11, "u", false, "u = A11 B11", &t);
    product(v, B21, "p", false, "p = A12 B21", &t);
    finish_call(v, "u, p", false, false, false, &t);
    product(v, T2, "u", true, "u += S2 T2", &t);
    product(v, T3, "p", false, "p = S3 T3", &t);
    product(v, T1, "q", false, "q = S1 T1", &t);
    finish_call(v, "u, p, q", true, true, true, &t);
    product(v, B22, "q", true, "q += S4 B22", &t);
    finish_call(v, "u, q", false, true, false, &t);
    product(v, T4, "p", true, "p += -A22 T4", &t);
    finish_call(v, "u, p", false, false, true, &t);
    const char *name = emit_function(
        e, arena_printf(e->arena, "%s_panel", v->prefix),
        arena_printf(e->arena, "%d output channels and their partners of a pair of tiles of %d pixels", v->s->panel,
                     s->tile),
        "void", "const struct args *a, int panel, int first, int second, int new1, int new2, const float *t, float *m",
        t.s);
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
    for (int i = 0; i < step->nin; i++)
        line(body, several ? 3 : 2, "%s(a->x%s, first, second, %s);", sums_function(&v, i), number(&v, i),
             emit_plus(e, "t", s->term[i].sums));
    if (several) line(body, 2, "}");
    text_printf(body,
                "        %s(a, panel, first, second, at1 - first, at2 - second, t, m);\n    }\n    zeroupper();\n",
                panel_function(&v));
    return v.prefix;
}
