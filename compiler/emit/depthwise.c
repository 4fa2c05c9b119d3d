/* Depthwise convolution: every channel by its own kernel, in vectors of channels. The input has a physical zero halo,
 * so that no tap is tested. A vector of channels at a time, so that its taps stay in registers (where there are few)
 * and its rows in the first cache; then rows, divided among the parts, then pixels.
 */
#include "walk.h"

/* taps that stay in registers over all pixels: 5x5 of the 32 that AVX-512 has, else 3x3 */
enum { MOST_TAPS_AVX512 = 25, MOST_TAPS = 9 };

/* The loops over one vector of channels; c: an expression. */
static void emit_vector_rows(Walk *walk, Box *box, const char *c, int left, int indent, Text *body) {
    Emit *e = walk->e;
    const Node *node = walk->step->node;
    const Window *w = &node->term[0].window;
    const Layout *l = &plan_value(e->plan, node->in[0])->layout;
    const int taps = w->r * w->s, channels = round_up(walk->shape.c, VECTOR);
    const bool hoist = taps <= (e->lanes == VECTOR ? MOST_TAPS_AVX512 : MOST_TAPS);
    const char *weights = emit_offset(e, "a->w", c, 1, 1);
    for (int i = 0; hoist && i < taps; i++)
        text_printf(body, "%*sconst V w%d = %s;\n", indent, "", i,
                    emit_load(e, emit_offset(e, weights, arena_printf(e->arena, "%d", i), channels, taps), left));
    int row[2 * WALK_MAX_OPERANDS + 3], column[2 * WALK_MAX_OPERANDS + WALK_MAX_CUTS + 3];
    const int rows = walk_segments(walk, DIM_H, row), columns = walk_segments(walk, DIM_W, column);
    for (int i = 0; i < rows; i++) {
        box->lo[DIM_H] = row[i], box->hi[DIM_H] = row[i + 1];
        walk_open_rows(walk, row[i], row[i + 1], indent, body);
        for (int j = 0; j < columns; j++) {
            box->lo[DIM_W] = column[j], box->hi[DIM_W] = column[j + 1];
            if (column[j + 1] - column[j] == 1)
                text_printf(body, "%*s{\n", indent + 4, "");
            else
                text_printf(body, "%*sfor (int x = %d; x < %d; x++) {\n", indent + 4, "", column[j], column[j + 1]);
            const int inner = indent + 8;
            walk_pointers(walk, box, inner, body);
            const char *y = walk_index(walk, box, DIM_H), *x = walk_index(walk, box, DIM_W);
            const int64_t origin = -(int64_t)w->top * l->row - (int64_t)w->left * l->pixel;
            const char *in = emit_offset(e, "a->x", arena_printf(e->arena, "%lld", (long long)origin), 1, 1);
            in = emit_offset(e, in, y, (int64_t)l->row * w->stride_h, walk->shape.h);
            in = emit_offset(e, in, x, (int64_t)l->pixel * w->stride_w, walk->shape.w);
            text_printf(body, "%*sconst float *in = %s;\n", inner, "", emit_offset(e, in, c, 1, 1));
            if (hoist) {
                for (int t = 0; t < taps; t++) {
                    const int64_t at =
                        (int64_t)(t / w->s) * w->dilate_h * l->row + (int64_t)(t % w->s) * w->dilate_w * l->pixel;
                    const char *load =
                        emit_load(e, emit_offset(e, "in", arena_printf(e->arena, "%lld", (long long)at), 1, 1), left);
                    if (t == 0)
                        text_printf(body, "%*sV v = mul(w0, %s);\n", inner, "", load);
                    else
                        text_printf(body, "%*sv = fma_(w%d, %s, v);\n", inner, "", t, load);
                }
            } else {
                const char *at = emit_offset(e, "in", "r", (int64_t)l->row * w->dilate_h, w->r);
                at = emit_offset(e, at, "s", (int64_t)l->pixel * w->dilate_w, w->s);
                const char *tap = emit_offset(e, weights, arena_printf(e->arena, "(r * %d + s)", w->s), channels, taps);
                text_printf(body, "%*sV v = zero();\n%*sfor (int r = 0; r < %d; r++)\n", inner, "", inner, "", w->r);
                text_printf(body, "%*sfor (int s = 0; s < %d; s++) v = fma_(%s, %s, v);\n", inner + 4, "", w->s,
                            emit_load(e, tap, left), emit_load(e, at, left));
            }
            text_printf(body, "%*s%s;\n", inner, "",
                        emit_store(e, emit_offset(e, "out", c, 1, 1), walk_finish(walk, box, "v", c, left), left));
            text_printf(body, "%*s}\n", indent + 4, "");
        }
        text_printf(body, "%*s}\n", indent, "");
    }
}

const char *emit_depthwise(Emit *e, const Step *step, Text *body) {
    Walk walk = walk_new(e, step);
    int channel[2 * WALK_MAX_OPERANDS + 3];
    const int segments = walk_segments(&walk, DIM_C, channel);
    emit_halo(e, step->out, 1, body);
    for (int k = 0; k < segments; k++) {
        const int lo = channel[k], hi = channel[k + 1], full = lo + (hi - lo) / e->lanes * e->lanes;
        Box box = {{lo, 0, 0}, {hi, 0, 0}};
        if (full > lo) {
            text_printf(body, "    for (int c = %d; c < %d; c += %d) {\n", lo, full, e->lanes);
            emit_vector_rows(&walk, &box, "c", e->lanes, 8, body);
            text_puts(body, "    }\n");
        }
        if (hi > full) {
            text_puts(body, "    {\n");
            emit_vector_rows(&walk, &box, arena_printf(e->arena, "%d", full), hi - full, 8, body);
            text_puts(body, "    }\n");
        }
    }
    return layer_task_name(e, step);
}
