/* Changes of layout: the caller's C x H x W or H x W x C image into channels-last pixels, results back, and copies from
 * one value's layout to another's (concat's inputs that are not placed, flatten). Planar and pixels meet in 4 x 4
 * transposes: four channels of four neighbouring pixels.
 */
#include "walk.h"
#include "plan/step.h"
#include "rn.h"

enum { SIDE = 4 }; /* of a transposed square */

/* The transpose of `planes` planes (missing ones are zero) for the pixels x of one row. */
static void emit_transpose(Emit *e, bool to_planar, int planes, int64_t plane, int pixel, const char *loop, int indent,
                           Text *body) {
    const bool x86 = e->isa != RN_ISA_GENERIC; /* where V may have more than 4 floats */
    text_printf(body, "%*s%s {\n", indent, "", loop);
    for (int i = 0; i < SIDE; i++) {
        const char *number = arena_printf(e->arena, "%d", i);
        const char *pixels = emit_offset(e, "in + x", number, pixel, SIDE),
                   *channels = emit_offset(e, "in + x", number, plane, SIDE);
        if (to_planar) pixels = emit_offset(e, arena_printf(e->arena, "in + x * %d", pixel), number, pixel, SIDE);
        const char *source = to_planar ? pixels : channels;
        if (!to_planar && i >= planes)
            text_printf(body, "%*s    %s v%d = %s();\n", indent, "", x86 ? "__m128" : "V", i,
                        x86 ? "_mm_setzero_ps" : "zero");
        else
            text_printf(body, "%*s    %s v%d = %s(%s);\n", indent, "", x86 ? "__m128" : "V", i,
                        x86 ? "_mm_loadu_ps" : "load", source);
    }
    text_printf(body, "%*s    %s;\n", indent, "",
                x86 ? "_MM_TRANSPOSE4_PS(v0, v1, v2, v3)" : "transpose(&v0, &v1, &v2, &v3)");
    for (int i = 0; i < SIDE; i++) {
        const char *number = arena_printf(e->arena, "%d", i);
        const char *target = to_planar
                                 ? emit_offset(e, "out + x", number, plane, SIDE)
                                 : emit_offset(e, arena_printf(e->arena, "out + x * %d", pixel), number, pixel, SIDE);
        text_printf(body, "%*s    %s(%s, v%d);\n", indent, "", x86 ? "_mm_storeu_ps" : "store", target, i);
    }
    text_printf(body, "%*s}\n", indent, "");
}

/* One element, for what is left over from the transposes. */
static void emit_elements(Emit *e, bool to_planar, int64_t plane, int pixel, int64_t channels, const char *loop,
                          int indent, Text *body) {
    const char *planar = emit_offset(e, "x", "c", plane, channels);
    if (to_planar)
        text_printf(body, "%*s%s out[%s] = in[x * %d + c];\n", indent, "", loop, planar, pixel);
    else
        text_printf(body, "%*s%s out[x * %d + c] = in[%s];\n", indent, "", loop, pixel, planar);
}

/* One pixel's channels are a planar image of one pixel. */
static void emit_vector_copy(Emit *e, int channels, Text *body) {
    const int full = channels / e->lanes * e->lanes;
    text_puts(body, "    if (part == parts - 1) {\n");
    if (full)
        text_printf(body, "        for (int c = 0; c < %d; c += %d) store(a->y + c, load(a->x + c));\n", full,
                    e->lanes);
    if (channels > full)
        line(body, 2, "store_n(%s, load_n(%s, %d), %d);", emit_plus(e, "a->y", full), emit_plus(e, "a->x", full),
             channels - full, channels - full);
    text_puts(body, "    }\n");
}

/* Between a->x and a->y, one of which is planar and the other has `layout`. spare: lanes of a pixel beyond the
 * channels, up to its stride, may be written (they are set to zero). */
static void emit_planar(Emit *e, bool to_planar, Shape shape, const Layout *layout, bool spare, Text *body) {
    const int64_t plane = (int64_t)shape.h * shape.w;
    const int groups = shape.c / SIDE, rest = shape.c % SIDE, vectors = shape.w / SIDE * SIDE, pixel = layout->pixel;
    if (plane == 1) {
        emit_vector_copy(e, shape.c, body);
        return;
    }
    const bool whole =
        spare && rest && groups == 0 && pixel >= SIDE; /* 1 to 3 channels: one transpose with zero planes */
    const char *planar = emit_offset(e, to_planar ? "a->y" : "a->x", "y", shape.w, shape.h);
    const char *pixels = emit_offset(e, to_planar ? "a->x" : "a->y", "y", layout->row, shape.h);
    text_printf(body, "    for (int y = part * %d / parts; y < (part + 1) * %d / parts; y++) {\n", shape.h, shape.h);
    const char *row_in = to_planar ? pixels : planar, *row_out = to_planar ? planar : pixels;
    const char *loop_x = arena_printf(e->arena, "for (int x = 0; x < %d; x += %d)", vectors, SIDE);
    if (groups) {
        const char *channel_plane = emit_offset(e, to_planar ? row_out : row_in, "c", plane, shape.c);
        text_printf(body, "        for (int c = 0; c < %d; c += %d) {\n", groups * SIDE, SIDE);
        text_printf(body, "            const float *in = %s;\n",
                    to_planar ? arena_printf(e->arena, "%s + c", row_in) : channel_plane);
        text_printf(body, "            float *out = %s;\n",
                    to_planar ? channel_plane : arena_printf(e->arena, "%s + c", row_out));
        if (vectors) emit_transpose(e, to_planar, SIDE, plane, pixel, loop_x, 12, body);
        if (shape.w > vectors) {
            text_printf(body, "            for (int x = %d; x < %d; x++)\n", vectors, shape.w);
            const char *planar_element = emit_offset(e, "x", "i", plane, SIDE);
            if (to_planar)
                text_printf(body, "                for (int i = 0; i < 4; i++) out[%s] = in[x * %d + i];\n",
                            planar_element, pixel);
            else
                text_printf(body, "                for (int i = 0; i < 4; i++) out[x * %d + i] = in[%s];\n", pixel,
                            planar_element);
        }
        text_puts(body, "        }\n");
    }
    if (rest) {
        text_printf(body, "        const float *in = %s;\n        float *out = %s;\n", row_in, row_out);
        if (whole && vectors) emit_transpose(e, to_planar, rest, plane, pixel, loop_x, 8, body);
        const int start = whole ? vectors : 0;
        if (whole && shape.w > start)
            text_printf(body, "        for (int x = %d; x < %d; x++) memset(out + x * %d, 0, %d * sizeof(float));\n",
                        start, shape.w, pixel, SIDE);
        if (shape.w > start) {
            const char *loop = arena_printf(e->arena, "for (int x = %d; x < %d; x++)", start, shape.w);
            text_printf(body, "        for (int c = %d; c < %d; c++)\n", groups * SIDE, shape.c);
            emit_elements(e, to_planar, plane, pixel, shape.c, loop, 12, body);
        }
    }
    text_puts(body, "    }\n");
}

/* Between a->x and a->y, one of which is H x W x C without gaps, and the other has `layout`; spare as above. */
static void emit_pixels(Emit *e, bool to_caller, Shape shape, const Layout *layout, bool spare, Text *body) {
    const int pixel = layout->pixel, c = shape.c;
    if (shape.h * shape.w == 1) {
        emit_vector_copy(e, c, body);
        return;
    }
    const char *caller = emit_offset(e, to_caller ? "a->y" : "a->x", "y", (int64_t)shape.w * c, shape.h);
    const char *pixels = emit_offset(e, to_caller ? "a->x" : "a->y", "y", layout->row, shape.h);
    line(body, 1, "for (int y = part * %d / parts; y < (part + 1) * %d / parts; y++) {", shape.h, shape.h);
    line(body, 2, "const float *in = %s;", to_caller ? pixels : caller);
    line(body, 2, "float *out = %s;", to_caller ? caller : pixels);
    if (pixel == c) {
        line(body, 2, "memcpy(out, in, %d * sizeof(float));", shape.w * c);
    } else {
        const bool zeros = spare && c < SIDE && pixel >= SIDE;
        line(body, 2, "for (int x = 0; x < %d; x++)%s", shape.w, zeros ? " {" : "");
        line(body, 3, "memcpy(out + x * %d, in + x * %d, %d * sizeof(float));", to_caller ? c : pixel,
             to_caller ? pixel : c, c);
        if (zeros) line(body, 3, "memset(out + x * %d + %d, 0, %d * sizeof(float));", pixel, c, SIDE - c);
        if (zeros) line(body, 2, "}");
    }
    line(body, 1, "}");
}

const char *emit_input(Emit *e, const Step *step, Text *body) {
    const ValuePlan *p = plan_value(e->plan, step->out);
    const bool spare = p->root == step->out;
    Shape halo = step->out->shape;
    /* what few channels leave of a pixel is zero in the halo too (plan/winograd.c reads it) */
    if (spare && halo.c < SIDE) halo.c = p->layout.pixel;
    emit_halo_of(e, &p->layout, halo, 1, body);
    if (step->out->channels_last)
        emit_pixels(e, false, step->out->shape, &p->layout, spare, body);
    else
        emit_planar(e, false, step->out->shape, &p->layout, spare, body);
    return layer_task_name(e, step);
}

const char *emit_output(Emit *e, const Step *step, Text *body) {
    const Shape shape = step->out->shape;
    const Layout *layout = &plan_value(e->plan, step->out)->layout;
    const bool channels_last = step_operand(step, OPERAND_Y)->value->channels_last;
    if (channels_last)
        emit_pixels(e, true, shape, layout, false, body);
    else
        emit_planar(e, true, shape, layout, false, body);
    return arena_printf(e->arena, "output_%dx%dx%d%s", shape.c, shape.h, shape.w, channels_last ? "_nhwc" : "");
}

static const char *copy_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)box, (void)indent, (void)text;
    return walk_operand(walk, "in", c, left);
}

/* The same numbers in C, H, W order: planar where one side is a single pixel, else one by one. */
static void emit_reshape(Emit *e, const Step *step, Text *body) {
    const Shape in = step->in[0]->shape, out = step->out->shape;
    const Layout *x = &plan_value(e->plan, step->in[0])->layout, *y = &plan_value(e->plan, step->out)->layout;
    emit_halo(e, step->out, 1, body);
    if (out.h * out.w == 1) return emit_planar(e, true, in, x, false, body);
    if (in.h * in.w == 1) return emit_planar(e, false, out, y, false, body);
    line(body, 1, "for (int y = part * %d / parts; y < (part + 1) * %d / parts; y++)", out.h, out.h);
    line(body, 2, "for (int x = 0; x < %d; x++)", out.w);
    line(body, 3, "for (int c = 0; c < %d; c++) {", out.c);
    line(body, 4, "const int i = (c * %d + y) * %d + x;", out.h, out.w);
    line(body, 4, "a->y[y * %d + x * %d + c] = a->x[i %% %d / %d * %d + i %% %d * %d + i / %d];", y->row, y->pixel,
         in.h * in.w, in.w, x->row, in.w, x->pixel, in.h * in.w);
    line(body, 3, "}");
}

const char *emit_copy(Emit *e, const Step *step, Text *body) {
    const Value *in = step->in[0];
    const Layout *layout = &plan_value(e->plan, in)->layout;
    emit_no_epilogue(step);
    if (step->node->op == OP_RESHAPE && !shape_equal(in->shape, step->out->shape)) {
        emit_reshape(e, step, body);
    } else if (step->node->op == OP_FLATTEN) { /* channels in C, H, W order: a planar image */
        emit_halo(e, step->out, 1, body);
        emit_planar(e, true, in->shape, layout, false, body);
    } else {
        Walk walk = walk_new(e, step);
        walk.shape = in->shape; /* what this copy writes of the result, halo included: in's channels */
        walk.value = copy_value;
        walk_add_operand(&walk, "in", "a->x", in);
        walk_emit(&walk, body);
    }
    return arena_printf(e->arena, "copy_%dx%dx%d", step->out->shape.c, step->out->shape.h, step->out->shape.w);
}
