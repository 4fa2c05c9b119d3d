/* softmax: over the channels of each pixel, e^(x - m) / sum of e^(x - m), m the largest x. The exponentials are
 * computed twice, so that the result is written once, after the sum is known.
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
    text_printf(text, "%*sconst V scale = set1(1.0f / sum(s));\n", indent, "");
}

static const char *softmax_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box, (void)indent, (void)text;
    return arena_printf(walk->e->arena, "mul(exp_(sub(%s, m)), scale)", walk_operand(walk, "in", c, left));
}

const char *emit_softmax(Emit *e, const Step *step, Text *body) {
    Walk walk = walk_new(e, step);
    walk.pixel = softmax_pixel;
    walk.value = softmax_value;
    walk_add_operand(&walk, "in", "a->x", step->node->in[0]);
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
