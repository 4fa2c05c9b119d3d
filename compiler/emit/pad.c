/* pad: the image moved by the top and left padding; around it, and in the added channels, a number, or pixels of its
 * own again: those of the edge, or the image mirrored at it.
 */
#include "walk.h"

static const char *pad_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)indent, (void)text;
    const double value = walk->step->node->attr.value;
    if (walk_has(walk, box, "in")) return walk_operand(walk, "in", c, left);
    return value == 0 ? "zero()" : arena_printf(walk->e->arena, "set1(%s)", float_c(walk->e->arena, value));
}

/* Declares `name`: the image's row or column that is at place `at` of the result. */
static void emit_place(bool reflect, const char *name, const char *at, int before, int size, int indent, Text *text) {
    if (reflect)
        line(text, indent, "const int %s = %s < %d ? %d - %s : %s < %d ? %s - %d : %d - %s;", name, at, before, before,
             at, at, before + size, at, before, before + 2 * (size - 1), at);
    else
        line(text, indent, "const int %s = %s < %d ? 0 : %s < %d ? %s - %d : %d;", name, at, before, at, before + size,
             at, before, size - 1);
}

static void emit_pad_of_pixels(Emit *e, const Step *step, Text *body) {
    const Node *node = step->node;
    const Value *in = node->in[0], *out = step->out;
    const Layout *x = &plan_value(e->plan, in)->layout, *y = &plan_value(e->plan, out)->layout;
    const Window *w = &node->attr.window;
    emit_no_epilogue(step);
    emit_halo(e, out, 1, body);
    line(body, 1, "for (int y = part * %d / parts; y < (part + 1) * %d / parts; y++) {", out->shape.h, out->shape.h);
    emit_place(node->attr.reflect, "from", "y", w->top, in->shape.h, 2, body);
    line(body, 2, "const float *in = %s;", emit_offset(e, "a->x", "from", x->row, in->shape.h));
    line(body, 2, "float *out = %s;", emit_offset(e, "a->y", "y", y->row, out->shape.h));
    line(body, 2, "for (int x = 0; x < %d; x++) {", out->shape.w);
    emit_place(node->attr.reflect, "at", "x", w->left, in->shape.w, 3, body);
    line(body, 3, "memcpy(out + x * %d, in + at * %d, %d * sizeof(float));", y->pixel, x->pixel, in->shape.c);
    line(body, 2, "}");
    line(body, 1, "}");
}

const char *emit_pad(Emit *e, const Step *step, Text *body) {
    if (step->node->attr.reflect || step->node->attr.edge) {
        emit_pad_of_pixels(e, step, body);
        return layer_task_name(e, step);
    }
    Walk walk = walk_new(e, step);
    walk.value = pad_value;
    WalkImage *in = walk_add_operand(&walk, "in", "a->x", step->node->in[0]);
    in->top = step->node->attr.window.top;
    in->left = step->node->attr.window.left;
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
