/* responsenorm: two steps. The first one sums the squares of each channel over bands of rows, which the parts divide
 * among themselves; there are as many bands for any number of parts, so that sums are the same. The second one adds the
 * bands up, and computes the result once the mean of the channels' roots is known. Vectors of channels are summed some
 * at a time, over a row first: shorter sums are more accurate.
 */
#include "plan/plain.h"
#include "walk.h"

enum { BLOCK = 4 }; /* vectors of channels that are summed at once */

/* "V s0 = zero(), s1 = zero();" */
static void emit_zeros(Emit *e, const char *name, int count, int indent, Text *text) {
    const char *all = "";
    for (int i = 0; i < count; i++) all = arena_printf(e->arena, "%s%s%s%d = zero()", all, i ? ", " : "", name, i);
    line(text, indent, "V %s;", all);
}

/* Sums of squares of channels from `c` on over the band's rows. */
static void emit_block(Emit *e, const Step *step, const char *c, int channels, int indent, Text *text) {
    const Value *in = step->node->in[0];
    const Layout *l = &plan_value(e->plan, in)->layout;
    const int vectors = (channels + e->lanes - 1) / e->lanes, bands = response_bands(step->node);
    emit_zeros(e, "s", vectors, indent, text);
    line(text, indent, "for (int y = band * %d / %d; y < (band + 1) * %d / %d; y++) {", in->shape.h, bands, in->shape.h,
         bands);
    line(text, indent + 1, "const float *in = %s;",
         emit_offset(e, emit_offset(e, "a->x", "y", l->row, in->shape.h), c, 1, 1));
    emit_zeros(e, "r", vectors, indent + 1, text);
    line(text, indent + 1, "for (int x = 0; x < %d; x++, in += %d) {", in->shape.w, l->pixel);
    for (int i = 0; i < vectors; i++) {
        const int left = channels - i * e->lanes;
        const char *at = emit_offset(e, "in", arena_printf(e->arena, "%d", i * e->lanes), 1, 1);
        line(text, indent + 2, "const V x%d = %s;", i,
             left >= e->lanes ? emit_load(e, at, left) : arena_printf(e->arena, "load_or(%s, %d, zero())", at, left));
        line(text, indent + 2, "r%d = fma_(x%d, x%d, r%d);", i, i, i, i);
    }
    line(text, indent + 1, "}");
    for (int i = 0; i < vectors; i++) line(text, indent + 1, "s%d = add(s%d, r%d);", i, i, i);
    line(text, indent, "}");
    for (int i = 0; i < vectors; i++)
        line(text, indent, "store(%s, s%d);",
             emit_offset(e, emit_offset(e, "sums", c, 1, 1), arena_printf(e->arena, "%d", i * e->lanes), 1, 1), i);
}

const char *emit_responses(Emit *e, const Step *step, Text *body) {
    const Shape shape = step->node->in[0]->shape;
    const int channels = shape.c, block = BLOCK * e->lanes, full = channels / block * block;
    const int bands = response_bands(step->node);
    line(body, 1, "for (int band = part * %d / parts; band < (part + 1) * %d / parts; band++) {", bands, bands);
    line(body, 2, "float *sums = %s;", emit_offset(e, "a->y", "band", response_stride(step->node), bands));
    if (full) {
        line(body, 2, "for (int c = 0; c < %d; c += %d) {", full, block);
        emit_block(e, step, "c", block, 3, body);
        line(body, 2, "}");
    }
    if (channels > full) {
        line(body, 2, "{");
        emit_block(e, step, arena_printf(e->arena, "%d", full), channels - full, 3, body);
        line(body, 2, "}");
    }
    line(body, 1, "}");
    return arena_printf(e->arena, "responsenorm_sums_%dx%dx%d", channels, shape.h, shape.w);
}

static const char *responsenorm_value(const Walk *walk, const Box *box, const char *c, int left, int indent,
                                      Text *text) {
    (void)box, (void)indent, (void)text;
    return arena_printf(walk->e->arena, "fma_(mul(%s, mul(%s, by)), %s, %s)", walk_operand(walk, "in", c, left),
                        walk_vector(walk, "responses", c, left), walk_vector(walk, "scale", c, left),
                        walk_vector(walk, "shift", c, left));
}

const char *emit_responsenorm(Emit *e, const Step *step, Text *body) {
    if (step->epilogue.bias) bug("%s: a response norm with another bias", step->name);
    const int channels = step->out->shape.c, bands = response_bands(step->node);
    Walk walk = walk_new(e, step);
    walk.value = responsenorm_value;
    walk_add_operand(&walk, "in", "a->x", step->node->in[0]);
    walk_add_vector(&walk, "responses", "response");
    walk_add_vector(&walk, "scale", "a->w");
    walk_add_vector(&walk, "shift", "a->bias");
    line(body, 1, "float response[%d];", (channels + e->lanes - 1) / e->lanes * e->lanes);
    line(body, 1, "V all = zero();");
    line(body, 1, "for (int c = 0; c < %d; c += %d) {", channels, e->lanes);
    line(body, 2, "V s = zero();");
    line(body, 2, "for (int band = 0; band < %d; band++) s = add(s, load(%s));", bands,
         emit_offset(e, emit_offset(e, "a->x1", "band", response_stride(step->node), bands), "c", 1, 1));
    line(body, 2, "const V r = sqrt_(s);");
    line(body, 2, "store(response + c, r);");
    line(body, 2, "all = add(all, r);");
    line(body, 1, "}");
    line(body, 1, "const V by = set1(1.0f / (sum(all) * %s + %s));", float_c(e->arena, 1.0 / channels),
         float_c(e->arena, step->node->attr.eps));
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
