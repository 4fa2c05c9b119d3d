/* quantize: each channel to its integers and back. A NaN stays one: max_ and min_ return their second argument there.
 */
#include "walk.h"

static const char *quantize_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box;
    Emit *e = walk->e;
    const Attr *attr = &walk->step->node->attr;
    const char *scale = walk_vector(walk, "scale", c, left), *zero = walk_vector(walk, "zero", c, left);
    line(text, indent / 4, "const V q = add(round_(div_(%s, %s)), %s);", walk_operand(walk, "in", c, left), scale,
         zero);
    return arena_printf(e->arena, "mul(sub(min_(set1(%s), max_(set1(%s), q)), %s), %s)", float_c(e->arena, attr->high),
                        float_c(e->arena, attr->low), zero, scale);
}

const char *emit_quantize(Emit *e, const Step *step, Text *body) {
    if (step->epilogue.bias) bug("%s: a quantize with another bias", step->name);
    Walk walk = walk_new(e, step);
    walk.value = quantize_value;
    walk_add_operand(&walk, "in", "a->x", step->node->in[0]);
    walk_add_vector(&walk, "scale", "a->w");
    walk_add_vector(&walk, "zero", "a->bias");
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
