/* lrn: x / (k + alpha / size * sum of x^2 over `size` channels)^beta. Per pixel: the squares of all channels into a row
 * with zeros on both sides, then each channel's sum by shifted loads. Where every sum is of all channels there is one a
 * pixel: so root mean square norms come from ONNX.
 */
#include "walk.h"

static int before(const Attr *attr, int channels) {
    return attr->size / 2 < channels ? attr->size / 2 : channels - 1; /* further channels do not exist */
}

static int after(const Attr *attr, int channels) {
    return (attr->size - 1) / 2 < channels ? (attr->size - 1) / 2 : channels - 1;
}

static bool of_all_channels(const Attr *attr, int channels) {
    return before(attr, channels) == channels - 1 && after(attr, channels) == channels - 1;
}

/* x / (k + alpha / size * s)^beta; x: NULL for 1 */
static const char *divided(Emit *e, const Attr *attr, const char *x, const char *s, int indent, Text *text) {
    text_printf(text, "%*sconst V b = fma_(%s, set1(%s), set1(%s));\n", indent, "", s,
                float_c(e->arena, attr->alpha / attr->size), float_c(e->arena, attr->k));
    const char *over = x ? x : "set1(1.0f)";
    if (attr->beta == 0.5) return arena_printf(e->arena, "div_(%s, sqrt_(b))", over);
    if (attr->beta == 0.75) return arena_printf(e->arena, "div_(%s, mul(sqrt_(b), sqrt_(sqrt_(b))))", over);
    if (attr->beta == 1) return arena_printf(e->arena, "div_(%s, b)", over);
    const char *power = arena_printf(e->arena, "exp_(mul(log_(b), set1(%s)))", float_c(e->arena, -attr->beta));
    return x ? arena_printf(e->arena, "mul(%s, %s)", x, power) : power;
}

/* The factor of all channels of a pixel. */
static void whole_pixel(const Walk *walk, const Box *box, int indent, Text *text) {
    (void)box;
    Emit *e = walk->e;
    walk_sum(walk, "s", WALK_SUM_SQUARES, indent, text);
    const char *by = divided(e, &walk->step->node->attr, NULL, "set1(sum(s))", indent, text);
    text_printf(text, "%*sconst V by = %s;\n", indent, "", by);
}

static const char *whole_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box, (void)indent, (void)text;
    return arena_printf(walk->e->arena, "mul(%s, by)", walk_operand(walk, "in", c, left));
}

static void lrn_pixel(const Walk *walk, const Box *box, int indent, Text *text) {
    (void)box;
    Emit *e = walk->e;
    const Attr *attr = &walk->step->node->attr;
    const int lanes = e->lanes, c = walk->shape.c, full = c / lanes * lanes, zeros = before(attr, c);
    const char *base = zeros ? arena_printf(e->arena, "square + %d", zeros) : "square";
    if (full)
        text_printf(text, "%*sfor (int c = 0; c < %d; c += %d) store(%s + c, mul(load(in + c), load(in + c)));\n",
                    indent, "", full, lanes, base);
    if (c > full) {
        const char *load = emit_load(e, emit_offset(e, "in", arena_printf(e->arena, "%d", full), 1, 1), c - full);
        text_printf(text, "%*sstore_n(square + %d, mul(%s, %s), %d);\n", indent, "", zeros + full, load, load,
                    c - full);
    }
}

static const char *lrn_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box;
    Emit *e = walk->e;
    const Attr *attr = &walk->step->node->attr;
    const int taps = before(attr, walk->shape.c) + 1 + after(attr, walk->shape.c);
    const char *in = walk_operand(walk, "in", c, left), *row = emit_offset(e, "square", c, 1, 1);
    enum { UNROLL = 5 };
    if (taps <= UNROLL) {
        const char *v = emit_load(e, row, left);
        for (int i = 1; i < taps; i++)
            v = arena_printf(e->arena, "add(%s, %s)", v,
                             emit_load(e, emit_offset(e, row, arena_printf(e->arena, "%d", i), 1, 1), left));
        text_printf(text, "%*sconst V s = %s;\n", indent, "", v);
    } else {
        text_printf(text, "%*sV s = zero();\n%*sfor (int i = 0; i < %d; i++) s = add(s, %s);\n", indent, "", indent, "",
                    taps, emit_load(e, emit_offset(e, row, "i", 1, 1), left));
    }
    return divided(e, attr, in, "s", indent, text);
}

const char *emit_lrn(Emit *e, const Step *step, Text *body) {
    const Attr *attr = &step->node->attr;
    const int channels = step->out->shape.c, size = before(attr, channels) + channels + after(attr, channels);
    const bool whole = of_all_channels(attr, channels);
    Walk walk = walk_new(e, step);
    walk.pixel = whole ? whole_pixel : lrn_pixel;
    walk.value = whole ? whole_value : lrn_value;
    walk_add_operand(&walk, "in", "a->x", step->node->in[0]);
    if (!whole) text_printf(body, "    float square[%d];\n    memset(square, 0, sizeof square);\n", size);
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
