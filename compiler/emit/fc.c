/* Fully connected layers: one pixel, so each weight is used once and the layer runs at the memory's speed. Panel after
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
    const int first = emit_kernel(e, m, 1, t->block, width, t->block, width, false, false, false);
    const int more = emit_kernel(e, m, 1, t->block, width, t->block, width, true, false, false);
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
        const int rest = emit_kernel(e, m, 1, t->rest, width, t->rest, width, true, false, false);
        text_printf(body, "%*sk[%d].gemm(v + %d, x + %d, y, v, x, y);\n", inner, "", rest, t->blocks * t->block * width,
                    t->blocks * t->block);
    }
    if (pieces > 1) text_printf(body, "%*s}\n", pad, "");
}

static void emit_panel(Emit *e, const Step *s, int m, int depth, Text *body) {
    const ConvPlan *c = &s->conv;
    const Epilogue *ep = &s->node->epilogue;
    const int pad = depth * 4;
    emit_pieces(e, s, m, round_up(m, 16) < c->panel ? round_up(m, 16) : c->panel, depth, body);
    const bool addend = ep->addend; /* in_place: the addend is read before its place is written, as everywhere else */
    if (!ep->bias && !addend && !ep->act) {
        for (int i = 0; i < m; i += e->lanes)
            text_printf(
                body, "%*s%s;\n", pad, "",
                emit_store(e, arena_printf(e->arena, "out + %d", i), arena_printf(e->arena, "load(y + %d)", i), m - i));
        return;
    }
    for (int i = 0; i < m; i += e->lanes) {
        const char *bias =
            ep->bias ? emit_load(e, arena_printf(e->arena, "a->bias + (panel * %d + %d)", c->panel, i), m - i) : NULL;
        const char *add =
            addend ? emit_load(e, arena_printf(e->arena, "a->add + (panel * %d + %d)", c->panel, i), m - i) : NULL;
        const char *slope =
            ep->act == ACT_PRELU
                ? emit_load(e, arena_printf(e->arena, "a->slope + (panel * %d + %d)", c->panel, i), m - i)
                : NULL;
        const char *value = emit_epilogue(e, ep, arena_printf(e->arena, "load(y + %d)", i), bias, add, slope);
        text_printf(body, "%*s%s;\n", pad, "", emit_store(e, arena_printf(e->arena, "out + %d", i), value, m - i));
    }
}

void emit_fc(Emit *e, const Step *s, Text *body) {
    const ConvPlan *c = &s->conv;
    const int last = s->node->features - (c->panels - 1) * c->panel;
    emit_halo(e, s->out, body);
    text_puts(body, "    const rn_kernel *k = a->k;\n");
    text_printf(body, "    for (int panel = part * %d / parts; panel < (part + 1) * %d / parts; panel++) {\n",
                c->panels, c->panels);
    text_printf(body, "        const float *w = a->w + (size_t)panel * %lld;\n", (long long)c->term[0].panel_size);
    text_printf(body, "        float *out = a->y + panel * %d, y[%d];\n", c->panel, c->panel);
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
