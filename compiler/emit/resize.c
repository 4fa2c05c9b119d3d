/* resize: a row and a pixel know where in the image they lie, as ratios of integers; bilinear values are mixed from the
 * four pixels around.
 */
#include <limits.h>
#include "walk.h"
#include "graph/ops.h"

/* Declares where along a dimension `index` lies: NAME, the place times the axis' scale, which is at least 0. */
static void emit_place(const Walk *walk, const char *name, const ResizeAxis *a, const char *index, int count,
                       int indent, Text *text) {
    const bool large = count * a->step + a->start > INT_MAX;
    const char *product = arena_printf(walk->e->arena, "%s * %lld%s", index, (long long)a->step, large ? "LL" : "");
    const char *type = large ? "long long" : "int", *sign = a->start < 0 ? "-" : "+";
    const long long start = a->start < 0 ? -a->start : a->start;
    if (!start)
        text_printf(text, "%*sconst %s %s = %s;\n", indent, "", type, name, product);
    else if (a->start > 0)
        text_printf(text, "%*sconst %s %s = %s %s %lld;\n", indent, "", type, name, product, sign, start);
    else
        text_printf(text, "%*sconst %s %s = %s < %lld ? 0 : %s %s %lld;\n", indent, "", type, name, product, start,
                    product, sign, start);
}

/* "NAME / scale", the pixel. */
static const char *pixel_of(Arena *arena, const char *name, const ResizeAxis *a) {
    return a->scale > 1 ? arena_printf(arena, "%s / %lld", name, (long long)a->scale) : name;
}

/* The share of the next pixel, and how far that is: no further than the image's last. */
static void emit_share(const Walk *walk, const char *name, const char *share, const char *next, const ResizeAxis *a,
                       int size, int step, int indent, Text *text) {
    Arena *arena = walk->e->arena;
    text_printf(text, "%*sconst V %s = set1((float)(%s %% %lld) / %lld.0f);\n", indent, "", share, name,
                (long long)a->scale, (long long)a->scale);
    text_printf(text, "%*sconst int %s = %s < %d ? %d : 0;\n", indent, "", next, pixel_of(arena, name, a), size - 1,
                step);
}

static void resize_row(const Walk *walk, const Box *box, int indent, Text *text) {
    Emit *e = walk->e;
    const Value *in = walk->step->node->in[0];
    const Layout *l = &plan_value(e->plan, in)->layout;
    const ResizeAxis a = resize_axis(walk->step->node, true);
    emit_place(walk, "at_y", &a, walk_index(walk, box, DIM_H), walk->shape.h, indent, text);
    text_printf(text, "%*sconst float *row = %s;\n", indent, "",
                emit_offset(e, "a->x", pixel_of(e->arena, "at_y", &a), l->row, in->shape.h));
    if (a.interpolates) emit_share(walk, "at_y", "v", "below", &a, in->shape.h, l->row, indent, text);
}

static void resize_pixel(const Walk *walk, const Box *box, int indent, Text *text) {
    Emit *e = walk->e;
    const Value *in = walk->step->node->in[0];
    const Layout *l = &plan_value(e->plan, in)->layout;
    const ResizeAxis a = resize_axis(walk->step->node, false);
    emit_place(walk, "at_x", &a, walk_index(walk, box, DIM_W), walk->shape.w, indent, text);
    text_printf(text, "%*sconst float *in = %s;\n", indent, "",
                emit_offset(e, "row", pixel_of(e->arena, "at_x", &a), l->pixel, in->shape.w));
    if (a.interpolates) emit_share(walk, "at_x", "u", "right", &a, in->shape.w, l->pixel, indent, text);
}

/* a + (b - a) * share */
static const char *mix(Arena *arena, const char *a, const char *b, const char *share) {
    return arena_printf(arena, "fma_(sub(%s, %s), %s, %s)", b, a, share, a);
}

static const char *resize_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box;
    Emit *e = walk->e;
    const bool rows = resize_axis(walk->step->node, true).interpolates;
    const bool columns = resize_axis(walk->step->node, false).interpolates;
    const char *a = walk_operand(walk, "in", c, left);
    if (!rows && !columns) return a;
    text_printf(text, "%*sconst V p = %s;\n", indent, "", a);
    if (columns) text_printf(text, "%*sconst V q = %s;\n", indent, "", walk_operand(walk, "in + right", c, left));
    if (rows) text_printf(text, "%*sconst V r = %s;\n", indent, "", walk_operand(walk, "in + below", c, left));
    if (!rows) return mix(e->arena, "p", "q", "u");
    if (!columns) return mix(e->arena, "p", "r", "v");
    text_printf(text, "%*sconst V s = %s;\n", indent, "", walk_operand(walk, "in + below + right", c, left));
    text_printf(text, "%*sconst V top = %s, bottom = %s;\n", indent, "", mix(e->arena, "p", "q", "u"),
                mix(e->arena, "r", "s", "u"));
    return mix(e->arena, "top", "bottom", "v");
}

const char *emit_resize(Emit *e, const Step *step, Text *body) {
    Walk walk = walk_new(e, step);
    walk.row = resize_row;
    walk.pixel = resize_pixel;
    walk.value = resize_value;
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
