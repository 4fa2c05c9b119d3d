/* Fully connected layers: one pixel, so each weight is used once an image, or once for a group of images (a GEMM's
 * columns), and the layer runs at the memory's speed. Panel after panel of outputs streams by in calls of about 512
 * inputs (kernels.md); panels are divided among the parts. An image as input is read pixel by pixel: the weights are
 * packed in its storage order (h, w, c).
 *
 * Where weights are stored as bf16 the kernels are vector loops, since libxsmm multiplies none with floats: weights are
 * widened in registers, once for the images of a block, which hides behind the memory as the multiplications do.
 */
#include "emit.h"
#include "plan/fc.h"

/* Sums of a block, in registers: vectors of outputs by images, with a weight and an input beside them. */
static int block_vectors(const Emit *e, int images) {
    return images == 1 ? 8 : e->lanes == 16 ? 4 : 2;
}
enum { BLOCK_IMAGES = 6 };

/* The kernel of a block: y[image][width] += the sum over inputs of x[image][input] * w[input][width]. */
static const char *widened_block(Emit *e, int vectors, int images, int width) {
    const long long stride = image_stride(e);
    Text t = {0};
    for (int n = 0; n < images; n++)
        for (int v = 0; v < vectors; v++)
            line(&t, 1, "V s%d%d = load(%s);", n, v, emit_plus(e, "y", n * width + v * e->lanes));
    line(&t, 1, "for (int i = 0; i < inputs; i++, w += %d) {", width);
    for (int v = 0; v < vectors && images > 1; v++)
        line(&t, 2, "const V w%d = load_bf16(%s);", v, emit_plus(e, "w", v * e->lanes));
    for (int n = 0; n < images; n++) {
        line(&t, 2, "const V x%d = set1(x[%s]);", n, n ? arena_printf(e->arena, "%lldu + i", n * stride) : "i");
        for (int v = 0; v < vectors; v++)
            line(&t, 2, "s%d%d = fma_(%s, x%d, s%d%d);", n, v,
                 images > 1 ? arena_printf(e->arena, "w%d", v)
                            : arena_printf(e->arena, "load_bf16(%s)", emit_plus(e, "w", v * e->lanes)),
                 n, n, v);
    }
    line(&t, 1, "}");
    for (int n = 0; n < images; n++)
        for (int v = 0; v < vectors; v++)
            line(&t, 1, "store(%s, s%d%d);", emit_plus(e, "y", n * width + v * e->lanes), n, v);
    const char *name = emit_function(
        e, arena_printf(e->arena, "widened%dx%d", vectors, images),
        arena_printf(e->arena, "%d outputs of %d images += weights of bf16 times inputs", vectors * e->lanes, images),
        "void", "const uint16_t *w, const float *x, float *y, int inputs", t.s);
    text_free(&t);
    return name;
}

/* Calls for m outputs of all images, over `inputs` from w and x on. */
static void emit_widened(Emit *e, const Step *s, int m, int width, const char *w, const char *x, int inputs, int depth,
                         Text *body) {
    const int vectors = divide_up(m, e->lanes), most = block_vectors(e, s->images);
    const int blocks = divide_up(s->images, BLOCK_IMAGES);
    for (int b = 0; b < blocks; b++) {
        const int first = b * s->images / blocks, images = (b + 1) * s->images / blocks - first;
        const char *at = first ? arena_printf(e->arena, "%s + %lldu", x, first * image_stride(e)) : x;
        for (int v = 0; v < vectors; v += most) {
            const char *block = widened_block(e, vectors - v < most ? vectors - v : most, images, width);
            line(body, depth, "%s(%s, %s, %s, %d);", block, emit_plus(e, w, v * e->lanes), at,
                 emit_plus(e, "y", first * width + v * e->lanes), inputs);
        }
    }
}

/* The runs of an image, or of a group of them, in calls of about 512 inputs. */
static void emit_widened_runs(Emit *e, const Step *s, int m, int width, int depth, Text *body) {
    const FcPlan *t = fc_plan(s);
    const Layout *l = &plan_value(e->plan, s->in[0])->layout;
    const int runs = t->runs, columns = s->in[0]->shape.w, run = t->block * t->blocks + t->rest;
    line(body, depth, "memset(y, 0, sizeof y);");
    if (runs > 1) {
        line(body, depth++, "for (int p = 0; p < %d; p++, w += %d) {", runs, run * width);
        line(body, depth, "const float *x = a->x + (p / %d * %d + p %% %d * %d);", columns, l->row, columns, l->pixel);
    } else
        line(body, depth, "const float *x = a->x;");
    if (t->blocks > 1) {
        line(body, depth, "for (int i = 0; i < %d; i++) {", t->blocks);
        emit_widened(e, s, m, width, arena_printf(e->arena, "w + i * %d", t->block * width),
                     arena_printf(e->arena, "x + i * %d", t->block), t->block, depth + 1, body);
        line(body, depth, "}");
    } else
        emit_widened(e, s, m, width, "w", "x", t->block, depth, body);
    if (t->rest)
        emit_widened(e, s, m, width, arena_printf(e->arena, "w + %d", t->blocks * t->block * width),
                     arena_printf(e->arena, "x + %d", t->blocks * t->block), t->rest, depth, body);
    if (runs > 1) line(body, depth - 1, "}");
}

static void emit_runs(Emit *e, const Step *s, int m, int width, int depth, Text *body) {
    const FcPlan *t = fc_plan(s);
    const Layout *l = &plan_value(e->plan, s->in[0])->layout;
    const Shape in = s->in[0]->shape;
    const int runs = t->runs, run = t->block * t->blocks + t->rest;
    const int pad = depth * 4;
    const int images = s->images, ldb = images > 1 ? (int)image_stride(e) : t->block;
    Gemm gemm = {.m = m, .n = images, .k = t->block, .lda = width, .ldb = ldb, .ldc = width};
    const int first = emit_kernel(e, KERNEL_PLAIN, &gemm);
    gemm.accumulate = true;
    const int more = emit_kernel(e, KERNEL_PLAIN, &gemm);
    const bool loop = t->blocks > 1;
    if (runs > 1) {
        text_printf(body, "%*sfor (int p = 0; p < %d; p++) {\n", pad, "", runs);
        text_printf(body, "%*s    const float *x = a->x + (p / %d * %d + p %% %d * %d), *v = w + (size_t)p * %d;\n",
                    pad, "", in.w, l->row, in.w, l->pixel, run * width);
    } else
        text_printf(body, "%*sconst float *x = a->x, *v = w;\n", pad, "");
    const int inner = runs > 1 ? pad + 4 : pad;
    const char *one_of = runs > 1 ? (loop ? "p + i" : "p") : loop ? "i" : NULL;
    if (loop)
        text_printf(body, "%*sfor (int i = 0; i < %d; i++) ", inner, "", t->blocks);
    else
        text_printf(body, "%*s", inner, "");
    const char *at = loop ? arena_printf(e->arena, "v + i * %d, x + i * %d", t->block * width, t->block) : "v, x";
    if (one_of)
        text_printf(body, "k[%s].gemm(%s, y, v, x, y);\n", emit_kernel_choice(e, one_of, more, first), at);
    else
        text_printf(body, "k[%s].gemm(%s, y, v, x, y);\n", emit_kernel_index(e, first), at);
    if (t->rest) {
        gemm.k = t->rest;
        if (images == 1) gemm.ldb = t->rest;
        const int rest = emit_kernel(e, KERNEL_PLAIN, &gemm);
        text_printf(body, "%*sk[%s].gemm(v + %d, x + %d, y, v, x, y);\n", inner, "", emit_kernel_index(e, rest),
                    t->blocks * t->block * width, t->blocks * t->block);
    }
    if (runs > 1) text_printf(body, "%*s}\n", pad, "");
}

static void emit_panel(Emit *e, const Step *s, int m, int depth, Text *body) {
    const FcPlan *f = fc_plan(s);
    const Epilogue *ep = &s->epilogue;
    const int width = round_up(m, VECTOR) < f->panels.width ? round_up(m, VECTOR) : f->panels.width;
    (f->type == RN_BF16 ? emit_widened_runs : emit_runs)(e, s, m, width, depth, body);
    const bool group = s->images > 1;
    if (group) line(body, depth, "for (int n = 0; n < %d; n++) {", s->images);
    const int inner = group ? depth + 1 : depth;
    const char *from = group ? arena_printf(e->arena, "y + n * %d", width) : "y";
    const char *to = group ? arena_printf(e->arena, "out + (size_t)n * %lld", image_stride(e)) : "out";
    const char *addend = group ? arena_printf(e->arena, "a->addend + (size_t)n * %lld", image_stride(e)) : "a->addend";
    for (int i = 0; i < m; i += e->lanes) {
        const char *at = emit_plus(e, arena_printf(e->arena, "panel * %d", f->panels.width), i);
        const char *bias = ep->bias ? emit_load(e, arena_printf(e->arena, "a->bias + %s", at), m - i) : NULL;
        /* in_place: the addend is read before its place is written, as everywhere else */
        const char *add = ep->addend ? emit_load(e, arena_printf(e->arena, "%s + %s", addend, at), m - i) : NULL;
        const char *slope =
            ep->act == ACT_PRELU ? emit_load(e, arena_printf(e->arena, "a->slope + %s", at), m - i) : NULL;
        const char *value =
            emit_epilogue(e, ep, arena_printf(e->arena, "load(%s)", emit_plus(e, from, i)), bias, add, slope);
        line(body, inner, "%s;", emit_store(e, emit_plus(e, to, i), value, m - i));
    }
    if (group) line(body, depth, "}");
}

const char *emit_fc(Emit *e, const Step *s, Text *body) {
    const FcPlan *f = fc_plan(s);
    const int last = s->node->features - (f->panels.count - 1) * f->panels.width;
    const bool bf16 = f->type == RN_BF16;
    emit_halo(e, s->out, s->images, body);
    if (!bf16) text_puts(body, "    const rn_kernel *k = a->k;\n");
    text_printf(body, "    for (int panel = part * %d / parts; panel < (part + 1) * %d / parts; panel++) {\n",
                f->panels.count, f->panels.count);
    line(body, 2,
         bf16 ? "const uint16_t *w = (const uint16_t *)(const void *)a->w + (size_t)panel * %lld;"
              : "const float *w = a->w + (size_t)panel * %lld;",
         (long long)f->panel_size);
    text_printf(body, "        float *out = a->y + panel * %d, y[%d];\n", f->panels.width, s->images * f->panels.width);
    if (last == f->panels.width)
        emit_panel(e, s, f->panels.width, 2, body);
    else if (f->panels.count == 1)
        emit_panel(e, s, last, 2, body);
    else {
        text_printf(body, "        if (panel < %d) {\n", f->panels.count - 1);
        emit_panel(e, s, f->panels.width, 3, body);
        text_puts(body, "        } else {\n");
        emit_panel(e, s, last, 3, body);
        text_puts(body, "        }\n");
    }
    text_puts(body, "    }\n    zeroupper();\n");
    return layer_task_name(e, s);
}
