/* layernorm: over the channels of each pixel. Three passes over a pixel, which the first brings into the cache: the
 * mean, the variance around it, the result.
 */
#include "walk.h"

static void layernorm_pixel(const Walk *walk, const Box *box, int indent, Text *text) {
    (void)box;
    const char *share = float_c(walk->e->arena, 1.0 / walk->shape.c);
    walk_sum(walk, "s", WALK_SUM, indent, text);
    text_printf(text, "%*sconst V mean = set1(sum(s) * %s);\n", indent, "", share);
    walk_sum(walk, "q", WALK_SUM_VARIANCE, indent, text);
    text_printf(text, "%*sconst V by = div_(set1(1.0f), sqrt_(set1(sum(q) * %s + %s)));\n", indent, "", share,
                float_c(walk->e->arena, walk->step->node->attr.eps));
}

static const char *layernorm_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box, (void)indent, (void)text;
    return arena_printf(walk->e->arena, "fma_(mul(sub(%s, mean), by), %s, %s)", walk_operand(walk, "in", c, left),
                        walk_vector(walk, "scale", c, left), walk_vector(walk, "shift", c, left));
}

const char *emit_layernorm(Emit *e, const Step *step, Text *body) {
    if (step->epilogue.bias) bug("%s: a layer norm with another bias", step->name);
    Walk walk = walk_new(e, step);
    walk.pixel = layernorm_pixel;
    walk.value = layernorm_value;
    walk_add_operand(&walk, "in", "a->x", step->node->in[0]);
    walk_add_vector(&walk, "scale", "a->w");
    walk_add_vector(&walk, "shift", "a->bias");
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
