/* layernorm: over the channels of each pixel. Three passes over a pixel, which the first brings into the cache: the
 * mean, the variance around it, the result.
 */
#include "walk.h"

static const char *add_channels(Arena *arena, const char *sum, const char *x, bool squares) {
    if (!squares) return arena_printf(arena, "add(%s, %s)", sum, x);
    return arena_printf(arena, "fma_(sub(%s, mean), sub(%s, mean), %s)", x, x, sum);
}

/* Declares the vector `name`, the sum of the pixel's channels; or of their squared distances from `mean`. Missing lanes
 * add nothing. */
static void emit_sum(const Walk *walk, const char *name, bool squares, int indent, Text *text) {
    Arena *arena = walk->e->arena;
    const int lanes = walk->e->lanes, c = walk->shape.c, full = c / lanes * lanes;
    text_printf(text, "%*sV %s = zero();\n", indent, "", name);
    if (full > lanes)
        text_printf(text, "%*sfor (int c = 0; c < %d; c += %d) %s = %s;\n", indent, "", full, lanes, name,
                    add_channels(arena, name, "load(in + c)", squares));
    else if (full)
        text_printf(text, "%*s%s = %s;\n", indent, "", name, add_channels(arena, name, "load(in)", squares));
    if (c == full) return;
    const char *at = emit_offset(walk->e, "in", arena_printf(arena, "%d", full), 1, 1);
    const char *rest = arena_printf(arena, "load_or(%s, %d, %s)", at, c - full, squares ? "mean" : "zero()");
    text_printf(text, "%*s%s = %s;\n", indent, "", name, add_channels(arena, name, rest, squares));
}

static void layernorm_pixel(const Walk *walk, const Box *box, int indent, Text *text) {
    (void)box;
    const char *share = float_c(walk->e->arena, 1.0 / walk->shape.c);
    emit_sum(walk, "s", false, indent, text);
    text_printf(text, "%*sconst V mean = set1(sum(s) * %s);\n", indent, "", share);
    emit_sum(walk, "q", true, indent, text);
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
