/* pad: the image moved by the top and left padding, zeros around it and in the added channels. */
#include "walk.h"

static const char *pad_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)indent, (void)text;
    return walk_has(walk, box, "in") ? walk_operand(walk, "in", c, left) : "zero()";
}

const char *emit_pad(Emit *e, const Step *step, Text *body) {
    Walk walk = walk_new(e, step);
    walk.value = pad_value;
    WalkImage *in = walk_add_operand(&walk, "in", "a->x", step->node->in[0]);
    in->top = step->node->attr.window.top;
    in->left = step->node->attr.window.left;
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
