/* 1x1 convolutions by one level of Strassen's multiplication (plan/strassen.c). With A the weights, B the pixels, both
 * in halves of channels and B in a first and a second tile of pixels:
 *
 *     T1 = B12 - B11   T2 = B22 - T1   T3 = B22 - B12   T4 = T2 - B21          made once a pair of tiles
 *     S1 = A21 + A22   S2 = S1 - A11   S3 = A11 - A21   S4 = A12 - S2          packed
 *     C11 = A11 B11 + A12 B21                     U2 = A11 B11 + S2 T2
 *     C12 = U2 + S1 T1 + S4 B22                   U3 = U2 + S3 T3
 *     C21 = U3 - A22 T4                           C22 = U3 + S1 T1
 */
#include "describe.h"
#include "emit.h"
#include "../ops.h"
#include "../plan/strassen.h"

typedef struct Strassen {
    Emit *e;
    const Node *n;
    const StrassenPlan *s;
    const char *prefix;
    const Layout *in, *out;
} Strassen;

static const char *sums_function(const Strassen *v) {
    Text t = {0};
    const int depth = v->s->depth, size = v->s->sum_size;
    text_printf(&t, "    for (int j = 0; j < %d; j++, first += %d, second += %d, t += %d)\n", v->s->tile, v->in->pixel,
                v->in->pixel, v->s->sum_pixel);
    text_printf(&t, "        for (int c = 0; c < %d; c += %d) {\n", depth, v->e->lanes);
    text_printf(&t,
                "            const V b11 = load(first + c), b21 = load(first + %d + c), b12 = load(second + c),\n"
                "                    b22 = load(second + %d + c), t1 = sub(b12, b11), t2 = sub(b22, t1);\n",
                depth, depth);
    text_printf(
        &t,
        "            store(t + c, t1);\n            store(t + %d + c, t2);\n"
        "            store(t + %d + c, sub(b22, b12));\n            store(t + %d + c, sub(t2, b21));\n        }\n",
        size, 2 * size, 3 * size);
    const char *name =
        emit_function(v->e, arena_printf(v->e->arena, "%s_sums", v->prefix), "T1 to T4 of a pair of tiles", "void",
                      "const float *first, const float *second, float *t", t.s);
    text_free(&t);
    return name;
}

/* A tile of the result: the sum of two or three products, bias, addend, activation; stored from pixel `from` on. */
static const char *finish_function(const Strassen *v, bool three) {
    Emit *e = v->e;
    const Epilogue *ep = &v->n->epilogue;
    const Layout *add = ep->addend ? &plan_value(e->plan, ep->addend)->layout : NULL;
    const int lanes = e->lanes, vectors = RN_STRASSEN_PANEL / lanes, width = v->n->out->shape.w;
    const bool slope = ep->act == ACT_PRELU;
    Text t = {0};
    for (int i = 0; i < vectors; i++) {
        if (ep->bias) text_printf(&t, "    const V b%d = load(bias + %d);\n", i, i * lanes);
        if (slope) text_printf(&t, "    const V s%d = load(slope + %d);\n", i, i * lanes);
    }
    text_printf(&t, "    for (int j = from; j < %d; j++) {\n", v->s->tile);
    text_printf(&t, "        const int row = (pixel + j) / %d, column = (pixel + j) %% %d;\n", width, width);
    text_printf(&t, "        float *to = y + (row * %d + column * %d);\n", v->out->row, v->out->pixel);
    if (add)
        text_printf(&t, "        const float *from_add = addend + (row * %d + column * %d);\n", add->row, add->pixel);
    for (int i = 0; i < vectors; i++) {
        const char *at = arena_printf(e->arena, "j * %d + %d", RN_STRASSEN_PANEL, i * lanes);
        const char *sum = arena_printf(e->arena, "add(load(p + %s), load(q + %s))", at, at);
        if (three) sum = arena_printf(e->arena, "add(%s, load(r + %s))", sum, at);
        const char *value = emit_epilogue(e, ep, sum, ep->bias ? arena_printf(e->arena, "b%d", i) : NULL,
                                          add ? arena_printf(e->arena, "load(from_add + %d)", i * lanes) : NULL,
                                          slope ? arena_printf(e->arena, "s%d", i) : NULL);
        text_printf(&t, "        store(to + %d, %s);\n", i * lanes, value);
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
    const Epilogue *ep = &v->n->epilogue;
    const char *at = lower ? arena_printf(v->e->arena, " + panel * %d + %d", RN_STRASSEN_PANEL, v->n->features / 2)
                           : arena_printf(v->e->arena, " + panel * %d", RN_STRASSEN_PANEL);
    text_printf(t, "    %s(%s, a->y%s", finish_function(v, three), products, at);
    if (ep->bias) text_printf(t, ", a->bias%s", at);
    if (ep->addend) text_printf(t, ", a->addend%s", at);
    if (ep->act == ACT_PRELU) text_printf(t, ", a->slope%s", at);
    text_printf(t, ", %s, %s);\n", second ? "second" : "first", second ? "new2" : "new1");
}

static void product(const Strassen *v, const char *b, bool summed, const char *c, bool accumulate, const char *what,
                    Text *t) {
    const int weights = v->s->depth * RN_STRASSEN_PANEL;
    const int kernel = emit_kernel(v->e, RN_STRASSEN_PANEL, v->s->tile, v->s->depth, RN_STRASSEN_PANEL,
                                   summed ? v->s->sum_pixel : v->in->pixel, RN_STRASSEN_PANEL, accumulate, false, true);
    text_printf(t, "    k[%d].gemm(w, %s, %s, w + %d, %s, %s); /* %s */\n    w += %d;\n", kernel, b, c, weights, b, c,
                what, weights);
}

static const char *panel_function(const Strassen *v) {
    const StrassenPlan *s = v->s;
    Emit *e = v->e;
    Text t = {0};
    text_puts(&t, "    const rn_kernel *k = a->k;\n");
    text_printf(&t, "    const float *w = a->w + (size_t)panel * %d;\n", 7 * s->depth * RN_STRASSEN_PANEL);
    text_printf(&t, "    const float *b1 = a->x + first * %d, *b2 = a->x + second * %d;\n", v->in->pixel, v->in->pixel);
    text_printf(&t, "    float *u = m, *c = m + %d, *u3 = m + %d, *p5 = m + %d;\n", s->product_size,
                2 * s->product_size, 3 * s->product_size);
    product(v, "b1", false, "u", false, "A11 B11", &t);
    product(v, arena_printf(e->arena, "b1 + %d", s->depth), false, "c", false, "A12 B21", &t);
    finish_call(v, "u, c", false, false, false, &t);
    product(v, arena_printf(e->arena, "t + %d", s->sum_size), true, "u", true, "+ S2 T2: U2", &t);
    text_printf(&t, "    memcpy(u3, u, %d);\n", 4 * s->tile * RN_STRASSEN_PANEL);
    product(v, arena_printf(e->arena, "t + %d", 2 * s->sum_size), true, "u3", true, "+ S3 T3: U3", &t);
    product(v, "t", true, "p5", false, "S1 T1", &t);
    product(v, arena_printf(e->arena, "b2 + %d", s->depth), false, "c", false, "S4 B22", &t);
    finish_call(v, "u, p5, c", true, true, false, &t);
    product(v, arena_printf(e->arena, "t + %d", 3 * s->sum_size), true, "c", false, "-A22 T4", &t);
    text_puts(&t, "    (void)w;\n");
    finish_call(v, "u3, c", false, false, true, &t);
    finish_call(v, "u3, p5", false, true, true, &t);
    const char *name = emit_function(
        e, arena_printf(e->arena, "%s_panel", v->prefix),
        arena_printf(e->arena, "%d output channels and their partners of a pair of tiles of %d pixels",
                     RN_STRASSEN_PANEL, s->tile),
        "void", "const struct args *a, int panel, int first, int second, int new1, int new2, const float *t, float *m",
        t.s);
    text_free(&t);
    return name;
}

void emit_strassen(Emit *e, const Step *step, Text *body) {
    const Node *n = step->node;
    const StrassenPlan *s = step->strassen;
    const Shape out = n->out->shape;
    const Strassen v = {
        .e = e,
        .n = n,
        .s = s,
        .prefix = arena_printf(e->arena, "conv1x1_%dto%d_%dx%d_strassen", n->in[0]->shape.c, n->features, out.h, out.w),
        .in = &plan_value(e->plan, n->in[0])->layout,
        .out = &plan_value(e->plan, n->out)->layout};
    if (v.in->row != n->in[0]->shape.w * v.in->pixel) bug("%s: Strassen's pixels must lie side by side", n->name);
    if (!n->epilogue.in_place) emit_halo(e, step->out, 1, body);
    const int units = s->pairs * s->panels, last = s->pixels - s->tile;
    text_printf(body, "    float *t = a->scratch + (size_t)part * %lld, *m = t + %d;\n",
                (long long)e->plan->scratch_floats, 4 * s->sum_size);
    text_printf(body, "    const int begin = part * %d / parts;\n", units);
    text_printf(body, "    for (int unit = begin; unit < (part + 1) * %d / parts; unit++) {\n", units);
    text_printf(body, "        const int panel = unit %% %d, pair = unit / %d;\n", s->panels, s->panels);
    text_printf(body, "        const int at1 = pair * %d, at2 = at1 + %d;\n", 2 * s->tile, s->tile);
    text_printf(body, "        const int first = at1 < %d ? at1 : %d, second = at2 < %d ? at2 : %d;\n", last, last,
                last, last);
    text_printf(body, "        if (unit == begin || panel == 0) %s(a->x + first * %d, a->x + second * %d, t);\n",
                sums_function(&v), v.in->pixel, v.in->pixel);
    text_printf(body,
                "        %s(a, panel, first, second, at1 - first, at2 - second, t, m);\n    }\n    zeroupper();\n",
                panel_function(&v));
}
