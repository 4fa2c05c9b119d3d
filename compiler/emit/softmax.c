/* softmax: e^(x - m) / sum of e^(x - m), m the largest x, over the channels of each pixel, the pixels of each channel,
 * or branches. The exponentials are computed twice, so that the result is written once, after the sum is known. Its
 * logarithm is x - m less that of the sum.
 */
#include "walk.h"

/* The largest channel and the reciprocal of the sum. */
static void softmax_pixel(const Walk *walk, const Box *box, int indent, Text *text) {
    (void)box;
    const int lanes = walk->e->lanes, c = walk->shape.c, full = c / lanes * lanes, rest = c % lanes;
    text_printf(text, "%*sV m = set1(-INFINITY);\n", indent, "");
    if (full)
        text_printf(text, "%*sfor (int c = 0; c < %d; c += %d) m = max_(m, load(in + c));\n", indent, "", full, lanes);
    const char *last = emit_plus(walk->e, "in", full);
    if (rest) text_printf(text, "%*sm = max_(m, load_or(%s, %d, m));\n", indent, "", last, rest);
    text_printf(text, "%*sm = set1(largest(m));\n%*sV s = zero();\n", indent, "", indent, "");
    if (full)
        text_printf(text, "%*sfor (int c = 0; c < %d; c += %d) s = add(s, exp_(sub(load(in + c), m)));\n", indent, "",
                    full, lanes);
    if (rest)
        text_printf(text, "%*ss = add(s, exp_(sub(load_or(%s, %d, set1(-INFINITY)), m)));\n", indent, "", last, rest);
    const bool log = walk->step->node->attr.log;
    text_printf(text, "%*sconst V scale = set1(%s);\n", indent, "", log ? "logf(sum(s))" : "1.0f / sum(s)");
}

static const char *softmax_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box, (void)indent, (void)text;
    return arena_printf(walk->e->arena,
                        walk->step->node->attr.log ? "sub(sub(%s, m), scale)" : "mul(exp_(sub(%s, m)), scale)",
                        walk_operand(walk, "in", c, left));
}

/* The loops over the numbers of one softmax, of a vector's channels at once: `loop` is before each statement, `x` and
 * `out` are the places of a number. */
static void softmax_vector(Emit *e, const char *loop, const char *x, const char *out, int left, int indent,
                           Text *text) {
    const char *in = emit_load(e, x, left);
    line(text, indent, "V m = set1(-INFINITY), s = zero();");
    line(text, indent, "%s m = max_(m, %s);", loop, in);
    line(text, indent, "%s s = add(s, exp_(sub(%s, m)));", loop, in);
    line(text, indent, "s = div_(set1(1.0f), s);");
    line(text, indent, "%s %s;", loop,
         emit_store(e, out, arena_printf(e->arena, "mul(exp_(sub(%s, m)), s)", in), left));
}

/* Over the pixels of each channel: parts share out vectors of channels. */
static void softmax_pixels(Emit *e, const Step *step, Text *body) {
    const Shape shape = step->out->shape;
    const Layout *in = &plan_value(e->plan, step->node->in[0])->layout, *out = &plan_value(e->plan, step->out)->layout;
    const int vectors = shape.c / e->lanes, rest = shape.c % e->lanes;
    const char *loop =
        arena_printf(e->arena, "for (int y = 0; y < %d; y++) for (int x = 0; x < %d; x++)", shape.h, shape.w);
    const char *place = "%s + x * %d + c";
    const char *x = arena_printf(e->arena, place, emit_offset(e, "a->x", "y", in->row, shape.h), in->pixel);
    const char *y = arena_printf(e->arena, place, emit_offset(e, "a->y", "y", out->row, shape.h), out->pixel);
    if (vectors) {
        line(body, 1, "for (int i = part * %d / parts; i < (part + 1) * %d / parts; i++) {", vectors, vectors);
        line(body, 2, "const int c = i * %d;", e->lanes);
        softmax_vector(e, loop, x, y, e->lanes, 2, body);
        line(body, 1, "}");
    }
    if (!rest) return;
    line(body, 1, "if (part == parts - 1) {");
    line(body, 2, "const int c = %d;", vectors * e->lanes);
    softmax_vector(e, loop, x, y, rest, 2, body);
    line(body, 1, "}");
}

/* Over numbers of a pixel that lie n channels apart. */
static void softmax_branches(Emit *e, const Step *step, Text *body) {
    const Shape shape = step->out->shape;
    const Layout *in = &plan_value(e->plan, step->node->in[0])->layout, *out = &plan_value(e->plan, step->out)->layout;
    const int branches = step->node->attr.branches, n = shape.c / branches, full = n / e->lanes * e->lanes;
    const char *loop = arena_printf(e->arena, "for (int b = 0; b < %d; b++)", branches);
    const char *x = arena_printf(e->arena, "in + b * %d + c", n), *y = arena_printf(e->arena, "out + b * %d + c", n);
    line(body, 1, "for (int y = part * %d / parts; y < (part + 1) * %d / parts; y++)", shape.h, shape.h);
    line(body, 2, "for (int x = 0; x < %d; x++) {", shape.w);
    line(body, 3, "const float *in = %s + x * %d;", emit_offset(e, "a->x", "y", in->row, shape.h), in->pixel);
    line(body, 3, "float *out = %s + x * %d;", emit_offset(e, "a->y", "y", out->row, shape.h), out->pixel);
    if (full) {
        line(body, 3, "for (int c = 0; c < %d; c += %d) {", full, e->lanes);
        softmax_vector(e, loop, x, y, e->lanes, 4, body);
        line(body, 3, "}");
    }
    if (n > full) {
        line(body, 3, "const int c = %d;", full);
        softmax_vector(e, loop, x, y, n - full, 3, body);
    }
    line(body, 2, "}");
}

const char *emit_softmax(Emit *e, const Step *step, Text *body) {
    const Attr *attr = &step->node->attr;
    if (attr->pixels || attr->branches > 1) {
        emit_no_epilogue(step);
        emit_halo(e, step->out, 1, body);
        (attr->pixels ? softmax_pixels : softmax_branches)(e, step, body);
        return layer_task_name(e, step);
    }
    Walk walk = walk_new(e, step);
    walk.pixel = softmax_pixel;
    walk.value = softmax_value;
    walk_add_operand(&walk, "in", "a->x", step->node->in[0]);
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
