/* interleave: the phases of an image, which are channels of one, become its pixels. A pixel's channels lie together
 * where there are no groups; else they are gathered.
 */
#include <string.h>
#include "walk.h"

/* "(INDEX + before) / stride" and its remainder, as C; numbers where the index is one. */
static const char *position(const Walk *walk, const Box *box, int dim, int before, const char *divided, int stride) {
    Arena *arena = walk->e->arena;
    const char *index = walk_index(walk, box, dim);
    if (box->hi[dim] - box->lo[dim] == 1) {
        const int at = box->lo[dim] + before;
        return arena_printf(arena, "%d", *divided == '/' ? at / stride : at % stride);
    }
    if (before) index = arena_printf(arena, "(%s + %d)", index, before);
    return stride > 1 || *divided == '%' ? arena_printf(arena, "%s %s %d", index, divided, stride) : index;
}

static void interleave_row(const Walk *walk, const Box *box, int indent, Text *text) {
    Emit *e = walk->e;
    const Value *in = walk->step->node->in[0];
    const Attr *attr = &walk->step->node->attr;
    const Window *w = &attr->window;
    const char *p = emit_offset(e, "a->x", position(walk, box, DIM_H, w->top, "/", w->stride_h),
                                plan_value(e->plan, in)->layout.row, in->shape.h);
    if (w->stride_h > 1)
        p = emit_offset(e, p, position(walk, box, DIM_H, w->top, "%", w->stride_h),
                        (int64_t)w->stride_w * attr->channels, 1);
    text_printf(text, "%*sconst float *row = %s;\n", indent, "", p);
}

static void interleave_pixel(const Walk *walk, const Box *box, int indent, Text *text) {
    Emit *e = walk->e;
    const Value *in = walk->step->node->in[0];
    const Attr *attr = &walk->step->node->attr;
    const Window *w = &attr->window;
    const char *p = emit_offset(e, "row", position(walk, box, DIM_W, w->left, "/", w->stride_w),
                                plan_value(e->plan, in)->layout.pixel, in->shape.w);
    if (w->stride_w > 1)
        p = emit_offset(e, p, position(walk, box, DIM_W, w->left, "%", w->stride_w), attr->channels, 1);
    text_printf(text, "%*sconst float *in = %s;\n", indent, "", p);
}

static const char *interleave_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box;
    Emit *e = walk->e;
    const Attr *attr = &walk->step->node->attr;
    const int lanes = left < e->lanes ? left : e->lanes, channels = attr->channels;
    if (channels == walk->shape.c) return walk_operand(walk, "in", c, left);
    const int group = channels * attr->window.stride_h * attr->window.stride_w;
    text_printf(text, "%*sfloat lane[%d];\n", indent, "", e->lanes);
    const bool first = !strcmp(c, "0");
    const char *k = first ? "i" : arena_printf(e->arena, "(i + %s)", c); /* the channel */
    if (channels == 1)
        text_printf(text, "%*sfor (int i = 0; i < %d; i++) lane[i] = in[%s * %d];\n", indent, "", lanes, k, group);
    else
        text_printf(text, "%*sfor (int i = 0; i < %d; i++) lane[i] = in[%s / %d * %d + %s %% %d];\n", indent, "", lanes,
                    k, channels, group, k, channels);
    return emit_load(e, "lane", left);
}

const char *emit_interleave(Emit *e, const Step *step, Text *body) {
    Walk walk = walk_new(e, step);
    walk.row = interleave_row;
    walk.pixel = interleave_pixel;
    walk.value = interleave_value;
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
