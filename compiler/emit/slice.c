/* slice: the pixels and channels of a part of the image, where they are. */
#include "walk.h"

static const char *slice_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box, (void)indent, (void)text;
    return walk_operand(walk, "in", c, left);
}

const char *emit_slice(Emit *e, const Step *step, Text *body) {
    const Value *in = step->node->in[0];
    const Attr *attr = &step->node->attr;
    const Layout *l = &plan_value(e->plan, in)->layout;
    Walk walk = walk_new(e, step);
    walk.value = slice_value;
    const int64_t begin = (int64_t)attr->window.top * l->row + (int64_t)attr->window.left * l->pixel + attr->first;
    walk_add_operand(&walk, "in", emit_plus(e, "a->x", begin), in)->shape = walk.shape;
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
