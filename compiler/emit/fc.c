/* Fully connected layers: one pixel, so each weight is used once an image, or once for a group of images (a GEMM's
 * columns), and the layer runs at the memory's speed. Panel after
 * panel of 64 outputs streams by in calls of about 512 inputs (kernels.md); panels are divided among the parts.
 * An image as input is read pixel by pixel: the weights are packed in its storage order (h, w, c).
 */
#include "emit.h"

static void emit_pieces(Emit *e, const Step *s, int m, int width, int depth, Text *body) {
    const ConvPlan *c = &s->conv;
    const TermPlan *t = &c->term[0];
    const Layout *l = &plan_value(e->plan, s->in)->layout;
    const Shape in = s->in->shape;
    const int pieces = c->chunk_rows, run = t->block * t->blocks + t->rest;
    const int pad = depth * 4;
    const int images = s->images, ldb = images > 1 ? (int)e->plan->kept_floats : t->block;
    const int first = emit_kernel(e, m, images, t->block, width, ldb, width, false, false, false);
    const int more = emit_kernel(e, m, images, t->block, width, ldb, width, true, false, false);
    const bool loop = t->blocks > 1;
    if (pieces > 1) {
        text_printf(body, "%*sfor (int p = 0; p < %d; p++) {\n", pad, "", pieces);
        text_printf(body, "%*s    const float *x = a->x + (p / %d * %d + p %% %d * %d), *v = w + (size_t)p * %d;\n",
                    pad, "", in.w, l->row, in.w, l->pixel, run * width);
    } else
        text_printf(body, "%*sconst float *x = a->x, *v = w;\n", pad, "");
    const int inner = pieces > 1 ? pad + 4 : pad;
    const char *one_of = pieces > 1 ? (loop ? "p + i" : "p") : loop ? "i" : NULL;
    if (loop)
        text_printf(body, "%*sfor (int i = 0; i < %d; i++) ", inner, "", t->blocks);
    else
        text_printf(body, "%*s", inner, "");
    const char *at = loop ? arena_printf(e->arena, "v + i * %d, x + i * %d", t->block * width, t->block) : "v, x";
    if (one_of)
        text_printf(body, "k[%s ? %d : %d].gemm(%s, y, v, x, y);\n", one_of, more, first, at);
    else
        text_printf(body, "k[%d].gemm(%s, y, v, x, y);\n", first, at);
    if (t->rest) {
        const int rest =
            emit_kernel(e, m, images, t->rest, width, images > 1 ? ldb : t->rest, width, true, false, false);
        text_printf(body, "%*sk[%d].gemm(v + %d, x + %d, y, v, x, y);\n", inner, "", rest, t->blocks * t->block * width,
                    t->blocks * t->block);
    }
    if (pieces > 1) text_printf(body, "%*s}\n", pad, "");
}

static void emit_panel(Emit *e, const Step *s, int m, int depth, Text *body) {
    const ConvPlan *c = &s->conv;
    const Epilogue *ep = &s->node->epilogue;
    const int width = round_up(m, 16) < c->panel ? round_up(m, 16) : c->panel;
    emit_pieces(e, s, m, width, depth, body);
    const bool group = s->images > 1;
    if (group) line(body, depth, "for (int n = 0; n < %d; n++) {", s->images);
    const int inner = group ? depth + 1 : depth;
    const char *from = group ? arena_printf(e->arena, "y + n * %d", width) : "y";
    const char *to = group ? arena_printf(e->arena, "out + (size_t)n * %lld", (long long)e->plan->kept_floats) : "out";
    const char *addend =
        group ? arena_printf(e->arena, "a->add + (size_t)n * %lld", (long long)e->plan->kept_floats) : "a->add";
    for (int i = 0; i < m; i += e->lanes) {
        const char *at = arena_printf(e->arena, "(panel * %d + %d)", c->panel, i);
        const char *bias = ep->bias ? emit_load(e, arena_printf(e->arena, "a->bias + %s", at), m - i) : NULL;
        /* in_place: the addend is read before its place is written, as everywhere else */
        const char *add = ep->addend ? emit_load(e, arena_printf(e->arena, "%s + %s", addend, at), m - i) : NULL;
        const char *slope =
            ep->act == ACT_PRELU ? emit_load(e, arena_printf(e->arena, "a->slope + %s", at), m - i) : NULL;
        const char *value = emit_epilogue(e, ep, arena_printf(e->arena, "load(%s + %d)", from, i), bias, add, slope);
        line(body, inner, "%s;", emit_store(e, arena_printf(e->arena, "%s + %d", to, i), value, m - i));
    }
    if (group) line(body, depth, "}");
}

void emit_fc(Emit *e, const Step *s, Text *body) {
    const ConvPlan *c = &s->conv;
    const int last = s->node->features - (c->panels - 1) * c->panel;
    emit_halo(e, s->out, s->images, body);
    text_puts(body, "    const rn_kernel *k = a->k;\n");
    text_printf(body, "    for (int panel = part * %d / parts; panel < (part + 1) * %d / parts; panel++) {\n",
                c->panels, c->panels);
    text_printf(body, "        const float *w = a->w + (size_t)panel * %lld;\n", (long long)c->term[0].panel_size);
    text_printf(body, "        float *out = a->y + panel * %d, y[%d];\n", c->panel, s->images * c->panel);
    if (last == c->panel)
        emit_panel(e, s, c->panel, 2, body);
    else if (c->panels == 1)
        emit_panel(e, s, last, 2, body);
    else {
        text_printf(body, "        if (panel < %d) {\n", c->panels - 1);
        emit_panel(e, s, c->panel, 3, body);
        text_puts(body, "        } else {\n");
        emit_panel(e, s, last, 3, body);
        text_puts(body, "        }\n");
    }
    text_puts(body, "    }\n    zeroupper();\n");
}
