/* Fully connected layers: one pixel, so each weight is used once an image, or once for a group of images (a GEMM's
 * columns), and the layer runs at the memory's speed. Panel after
 * panel of 64 outputs streams by in calls of about 512 inputs (kernels.md); panels are divided among the parts.
 * An image as input is read pixel by pixel: the weights are packed in its storage order (h, w, c).
 *
 * Weights that are stored as bf16 have a loop of their own, since libxsmm multiplies none with floats: they are widened
 * in registers, which hides behind the memory as the multiplications do. A panel's sums stay in registers from its
 * first input to its last. For a group of images pieces are widened in L2, for libxsmm's kernels.
 */
#include "emit.h"

/* The emitted helper that widens a piece of a panel. */
static const char *widen_function(Emit *e) {
    Text t = {0};
    line(&t, 1, "for (int i = 0; i < count; i += %d) store(to + i, load_bf16(from + i));", e->lanes);
    const char *name = emit_function(e, "widen", "Weights from bf16 to float; count is a multiple of 16", "void",
                                     "const uint16_t *from, float *to, int count", t.s);
    text_free(&t);
    return name;
}

/* A call over `inputs` of the piece's inputs, from `at` (text) on; weights in bf16 are widened before. */
static void emit_piece(Emit *e, const Step *s, const char *kernel, const char *at, int inputs, int width, int depth,
                       Text *body) {
    if (s->conv.term[0].bf16)
        line(body, depth, "%s(v + %s * %d, wide, %d);", widen_function(e), at, width, inputs * width);
    const char *w = s->conv.term[0].bf16 ? "wide" : arena_printf(e->arena, "v + %s * %d", at, width);
    line(body, depth, "k[%s].gemm(%s, x + %s, y, %s, x, y);", kernel, w, at, s->conv.term[0].bf16 ? "wide" : "v");
}

static void emit_pieces(Emit *e, const Step *s, int m, int width, int depth, Text *body) {
    const ConvPlan *c = &s->conv;
    const TermPlan *t = &c->term[0];
    const Layout *l = &plan_value(e->plan, s->in)->layout;
    const Shape in = s->in->shape;
    const int pieces = c->chunk_rows, run = t->block * t->blocks + t->rest;
    const int images = s->images, ldb = images > 1 ? (int)e->plan->kept_floats : 0;
    const int first = emit_kernel(e, m, images, t->block, width, ldb ? ldb : t->block, width, false, false, false);
    const int more = emit_kernel(e, m, images, t->block, width, ldb ? ldb : t->block, width, true, false, false);
    const bool loop = t->blocks > 1;
    const char *const type = t->bf16 ? "uint16_t" : "float";
    if (pieces > 1) {
        line(body, depth, "for (int p = 0; p < %d; p++) {", pieces);
        line(body, ++depth, "const %s *v = w + (size_t)p * %d;", type, run * width);
        line(body, depth, "const float *x = a->x + (p / %d * %d + p %% %d * %d);", in.w, l->row, in.w, l->pixel);
    } else
        line(body, depth, "const %s *v = w;\n%*sconst float *x = a->x;", type, depth * 4, "");
    const char *one_of = pieces > 1 ? (loop ? "p + i" : "p") : loop ? "i" : NULL;
    const char *kernel =
        one_of ? arena_printf(e->arena, "%s ? %d : %d", one_of, more, first) : arena_printf(e->arena, "%d", first);
    if (loop) line(body, depth, "for (int i = 0; i < %d; i += %d) {", t->block * t->blocks, t->block);
    emit_piece(e, s, kernel, loop ? "i" : "0", t->block, width, depth + loop, body);
    if (loop) line(body, depth, "}");
    if (t->rest) {
        const int rest = emit_kernel(e, m, images, t->rest, width, ldb ? ldb : t->rest, width, true, false, false);
        emit_piece(e, s, arena_printf(e->arena, "%d", rest), arena_printf(e->arena, "%d", t->block * t->blocks),
                   t->rest, width, depth, body);
    }
    if (pieces > 1) line(body, depth - 1, "}");
}

enum { WIDENED_SUMS = 8 }; /* at work in a loop: with a weight and an input, what 16 registers hold */

/* The panel's sums s0, s1, ...: `count` of them from `first` on, over all inputs. */
static void emit_sums(Emit *e, const Step *s, int first, int count, int width, int pad, Text *body) {
    const ConvPlan *c = &s->conv;
    const TermPlan *t = &c->term[0];
    const Layout *l = &plan_value(e->plan, s->in)->layout;
    const int pieces = c->chunk_rows, columns = s->in->shape.w;
    const char *v = arena_printf(e->arena, first ? "w%d" : "w", first);
    if (first) text_printf(body, "%*sconst uint16_t *%s = w + %d;\n", pad, "", v, first * e->lanes);
    if (pieces > 1) {
        text_printf(body, "%*sfor (int p = 0; p < %d; p++) {\n", pad, "", pieces);
        text_printf(body, "%*s    const float *x = a->x + (p / %d * %d + p %% %d * %d);\n", pad, "", columns, l->row,
                    columns, l->pixel);
        pad += 4;
    }
    text_printf(body, "%*sfor (int i = 0; i < %d; i++, %s += %d) {\n", pad, "", t->block * t->blocks + t->rest, v,
                width);
    text_printf(body, "%*s    const V in = set1(x[i]);\n", pad, "");
    for (int i = 0; i < count; i++)
        text_printf(body, "%*s    s%d = fma_(load_bf16(%s + %d), in, s%d);\n", pad, "", first + i, v, i * e->lanes,
                    first + i);
    text_printf(body, "%*s}\n", pad, "");
    if (pieces > 1) text_printf(body, "%*s}\n", pad - 4, "");
}

static void emit_widened(Emit *e, const Step *s, int m, int width, int depth, Text *body) {
    const int sums = divide_up(m, e->lanes), pad = depth * 4;
    text_printf(body, "%*sV ", pad, "");
    for (int i = 0; i < sums; i++) text_printf(body, "%ss%d = zero()", i ? ", " : "", i);
    text_puts(body, ";\n");
    if (s->conv.chunk_rows == 1) text_printf(body, "%*sconst float *x = a->x;\n", pad, "");
    for (int i = sums - 1; i >= 0; i--) /* the first last: it moves w */
        if (i % WIDENED_SUMS == 0)
            emit_sums(e, s, i, sums - i < WIDENED_SUMS ? sums - i : WIDENED_SUMS, width, pad, body);
}

static void emit_panel(Emit *e, const Step *s, int m, int depth, Text *body) {
    const ConvPlan *c = &s->conv;
    const Epilogue *ep = &s->node->epilogue;
    const int width = round_up(m, 16) < c->panel ? round_up(m, 16) : c->panel;
    const bool group = s->images > 1, in_registers = c->term[0].bf16 && !group;
    (in_registers ? emit_widened : emit_pieces)(e, s, m, width, depth, body);
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
        const char *sum = in_registers ? arena_printf(e->arena, "s%d", i / e->lanes)
                                       : arena_printf(e->arena, "load(%s + %d)", from, i);
        const char *value = emit_epilogue(e, ep, sum, bias, add, slope);
        line(body, inner, "%s;", emit_store(e, arena_printf(e->arena, "%s + %d", to, i), value, m - i));
    }
    if (group) line(body, depth, "}");
}

void emit_fc(Emit *e, const Step *s, Text *body) {
    const ConvPlan *c = &s->conv;
    const int last = s->node->features - (c->panels - 1) * c->panel;
    const bool bf16 = c->term[0].bf16, in_registers = bf16 && s->images == 1;
    emit_halo(e, s->out, s->images, body);
    if (!in_registers) text_puts(body, "    const rn_kernel *k = a->k;\n");
    if (bf16 && !in_registers)
        line(body, 1, "float *wide = a->scratch + (size_t)part * %lld;", (long long)e->plan->scratch_floats);
    line(body, 1, "for (int panel = part * %d / parts; panel < (part + 1) * %d / parts; panel++) {", c->panels,
         c->panels);
    line(body, 2,
         bf16 ? "const uint16_t *w = (const uint16_t *)(const void *)a->w + (size_t)panel * %lld;"
              : "const float *w = a->w + (size_t)panel * %lld;",
         (long long)c->term[0].panel_size);
    if (in_registers)
        line(body, 2, "float *out = a->y + panel * %d;", c->panel);
    else
        line(body, 2, "float *out = a->y + panel * %d, y[%d];", c->panel, s->images * c->panel);
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
