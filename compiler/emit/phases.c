/* phases: the pixels of each rows x columns become channels of one. Where a phase's channels lie together they are
 * copied in vectors; else they are gathered.
 */
#include <string.h>
#include "walk.h"

static void phases_pixel(const Walk *walk, const Box *box, int indent, Text *text) {
    Emit *e = walk->e;
    const Value *in = walk->step->node->in[0];
    const Window *w = &walk->step->node->attr.window;
    const Layout *l = &plan_value(e->plan, in)->layout;
    const char *p = emit_offset(e, "a->x", walk_index(walk, box, DIM_H), (int64_t)l->row * w->stride_h, walk->shape.h);
    p = emit_offset(e, p, walk_index(walk, box, DIM_W), (int64_t)l->pixel * w->stride_w, walk->shape.w);
    text_printf(text, "%*sconst float *in = %s;\n", indent, "", p);
}

static const char *phases_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    Emit *e = walk->e;
    const Attr *attr = &walk->step->node->attr;
    const Value *in = walk->step->node->in[0];
    const Layout *l = &plan_value(e->plan, in)->layout;
    const int columns = attr->window.stride_w, phases = attr->window.stride_h * columns, channels = attr->channels;
    if (walk->every) { /* a box is of one phase */
        const int phase = box->lo[DIM_C] / channels;
        const int64_t at = (int64_t)(phase / columns) * l->row + phase % columns * l->pixel - box->lo[DIM_C];
        return walk_operand(walk, emit_plus(e, "in", at), c, left);
    }
    const int lanes = left < e->lanes ? left : e->lanes;
    const char *k = !strcmp(c, "0") ? "i" : arena_printf(e->arena, "(i + %s)", c); /* the channel */
    text_printf(text, "%*sfloat lane[%d];\n", indent, "", e->lanes);
    text_printf(text, "%*sfor (int i = 0; i < %d; i++) {\n", indent, "", lanes);
    text_printf(text, "%*sconst int phase = %s / %d %% %d;\n", indent + 4, "", k, channels, phases);
    text_printf(text, "%*slane[i] = in[phase / %d * %d + phase %% %d * %d + %s / %d * %d + %s %% %d];\n", indent + 4,
                "", columns, l->row, columns, l->pixel, k, channels * phases, channels, k, channels);
    text_printf(text, "%*s}\n", indent, "");
    return emit_load(e, "lane", left);
}

const char *emit_phases(Emit *e, const Step *step, Text *body) {
    const Attr *attr = &step->node->attr;
    Walk walk = walk_new(e, step);
    walk.pixel = phases_pixel;
    walk.value = phases_value;
    if (attr->channels == step->node->in[0]->shape.c && attr->window.stride_h * attr->window.stride_w <= WALK_MAX_CUTS)
        walk.every = attr->channels;
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
