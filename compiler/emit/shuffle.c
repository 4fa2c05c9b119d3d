/* shuffle: each vector takes its channels from all groups in turn: those of one lie together. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "walk.h"

enum { MOST_UNROLLED = 8 }; /* groups, a vector of each */

static const char *shuffle_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box;
    Emit *e = walk->e;
    const int groups = walk->step->node->attr.groups, each = walk->shape.c / groups;
    const int lanes = left < e->lanes ? left : e->lanes;
    if (groups == 2 && lanes == e->lanes) {
        const char *from =
            isdigit(c[0]) ? arena_printf(e->arena, "%d", atoi(c) / 2) : arena_printf(e->arena, "%s / 2", c);
        return arena_printf(e->arena, "weave(%s, %s)", emit_offset(e, "in", from, 1, 1),
                            emit_offset(e, emit_plus(e, "in", each), from, 1, 1));
    }
    text_printf(text, "%*sfloat lane[%d];\n", indent, "", e->lanes);
    if (e->lanes % groups || lanes % groups || groups > MOST_UNROLLED) {
        const char *k = !strcmp(c, "0") ? "i" : arena_printf(e->arena, "(i + %s)", c);
        text_printf(text, "%*sfor (int i = 0; i < %d; i++) lane[i] = in[%s %% %d * %d + %s / %d];\n", indent, "", lanes,
                    k, groups, each, k, groups);
        return emit_load(e, "lane", left);
    }
    text_printf(text, "%*sconst float *from = in + %s / %d;\n", indent, "", c, groups);
    text_printf(text, "%*sfor (int i = 0; i < %d; i++) {\n", indent, "", lanes / groups);
    for (int g = 0; g < groups; g++)
        text_printf(text, "%*slane[i * %d + %d] = from[%d + i];\n", indent + 4, "", groups, g, g * each);
    text_printf(text, "%*s}\n", indent, "");
    return emit_load(e, "lane", left);
}

const char *emit_shuffle(Emit *e, const Step *step, Text *body) {
    Walk walk = walk_new(e, step);
    walk.value = shuffle_value;
    walk_add_operand(&walk, "in", "a->x", step->node->in[0]);
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
