/* upsample: nearest neighbour by a whole factor. */
#include "walk.h"

static const char *upsample_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box, (void)indent, (void)text;
    return walk_operand(walk, "in", c, left);
}

const char *emit_upsample(Emit *e, const Step *step, Text *body) {
    Walk walk = walk_new(e, step);
    walk.value = upsample_value;
    walk_add_operand(&walk, "in", "a->x", step->node->in[0])->repeat = step->node->attr.factor;
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
