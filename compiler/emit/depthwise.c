/* Depthwise convolution: every channel by its own kernel, in vectors of channels. The input has a physical zero halo,
 * so that no tap is tested. A vector of channels at a time, so that its rows stay in the first cache; then rows,
 * divided among the parts; then tiles of a few pixels, whose sums are in registers, so that each of the input's pixels
 * is loaded once for each row of taps:
 *
 *     i = load(in), v0 = fma_(w0, i, v0);
 *     i = load(in + 112), v0 = fma_(w1, i, v0), v1 = fma_(w0, i, v1);
 *     i = load(in + 224), v0 = fma_(w2, i, v0), v1 = fma_(w1, i, v1), v2 = fma_(w0, i, v2);
 *     ...
 *
 * Few taps are in registers over all pixels, of more a row at a time.
 */
#include "walk.h"

/* With these AVX2's 16 registers hold a tile's sums, an input and all taps, or a row of at most 7. */
enum { MOST_TAPS = 9, TILE = 4, TILE_OF_ROWS = 8 };

static bool taps_stay(const Window *w) {
    return w->r * w->s <= MOST_TAPS;
}

/* Adds row r of the taps, wN being tap `first` + N of it, to the sums v0, v1 ... of `tile` pixels; an element's sum is
 * in the order of the taps. */
static void emit_row_of_taps(const Walk *walk, int r, int first, int left, int tile, int indent, Text *body) {
    Emit *e = walk->e;
    const Node *node = walk->step->node;
    const Window *w = &node->term[0].window;
    const Layout *l = &plan_value(e->plan, node->in[0])->layout;
    const int64_t row = (int64_t)r * w->dilate_h * l->row;
    for (int p = 0; p <= (tile - 1) * w->stride_w + (w->s - 1) * w->dilate_w; p++) {
        bool any = false;
        for (int s = 0; s < w->s; s++) { /* the pixel is tap s of which sum? */
            const int from = p - s * w->dilate_w, t = from / w->stride_w;
            if (from < 0 || from % w->stride_w || t >= tile) continue;
            if (!any)
                text_printf(body, "%*si = %s", indent, "",
                            emit_load(e, emit_plus(e, "in", row + (int64_t)p * l->pixel), left));
            text_printf(body, ", v%d = fma_(w%d, i, v%d)", t, first + s, t);
            any = true;
        }
        if (any) text_puts(body, ";\n");
    }
}

/* Defines w0, w1 ...: `count` taps from `from` on (an expression). */
static void emit_taps(const Walk *walk, const char *from, int count, int left, int indent, Text *body) {
    const int channels = round_up(walk->shape.c, VECTOR);
    for (int i = 0; i < count; i++)
        text_printf(body, "%*sconst V w%d = %s;\n", indent, "", i,
                    emit_load(walk->e, emit_plus(walk->e, from, (int64_t)i * channels), left));
}

/* The sums v0, v1 ... of the `tile` pixels from `in` on. */
static void emit_sums(const Walk *walk, const char *c, int left, int tile, int indent, Text *body) {
    Emit *e = walk->e;
    const Node *node = walk->step->node;
    const Window *w = &node->term[0].window;
    const Layout *l = &plan_value(e->plan, node->in[0])->layout;
    text_printf(body, "%*sV i", indent, "");
    for (int t = 0; t < tile; t++) text_printf(body, ", v%d = zero()", t);
    text_puts(body, ";\n");
    if (taps_stay(w)) {
        for (int r = 0; r < w->r; r++) emit_row_of_taps(walk, r, r * w->s, left, tile, indent, body);
        return;
    }
    text_printf(body, "%*sconst float *w = %s;\n", indent, "", emit_offset(e, "a->w", c, 1, 1));
    text_printf(body, "%*sfor (int r = 0; r < %d; r++, in += %lld, w += %d) {\n", indent, "", w->r,
                (long long)w->dilate_h * l->row, w->s * round_up(walk->shape.c, VECTOR));
    emit_taps(walk, "w", w->s, left, indent + 4, body);
    emit_row_of_taps(walk, 0, 0, left, tile, indent + 4, body);
    text_printf(body, "%*s}\n", indent, "");
}

/* Columns [lo, hi) in tiles of `tile` pixels, which divide them. */
static void emit_tiles(const Walk *walk, Box *box, int lo, int hi, int tile, const char *c, int left, int indent,
                       Text *body) {
    Emit *e = walk->e;
    const Epilogue *epilogue = &walk->step->epilogue;
    const Node *node = walk->step->node;
    const Window *w = &node->term[0].window;
    const Layout *l = &plan_value(e->plan, node->in[0])->layout;
    const int pixel = plan_value(e->plan, walk->step->out)->layout.pixel;
    if (hi <= lo) return;
    box->lo[DIM_W] = lo, box->hi[DIM_W] = hi;
    if (hi - lo == 1)
        text_printf(body, "%*s{\n", indent, "");
    else
        text_printf(body, "%*sfor (int x = %d; x < %d; x += %d) {\n", indent, "", lo, hi, tile);
    indent += 4;
    walk_pointers(walk, box, indent, body);
    const int64_t origin = -(int64_t)w->top * l->row - (int64_t)w->left * l->pixel;
    const char *in = emit_offset(e, "a->x", arena_printf(e->arena, "%lld", (long long)origin), 1, 1);
    in = emit_offset(e, in, walk_index(walk, box, DIM_H), (int64_t)l->row * w->stride_h, walk->shape.h);
    in = emit_offset(e, in, walk_index(walk, box, DIM_W), (int64_t)l->pixel * w->stride_w, walk->shape.w);
    text_printf(body, "%*sconst float *in = %s;\n", indent, "", emit_offset(e, in, c, 1, 1));
    emit_sums(walk, c, left, tile, indent, body);
    const char *out = emit_offset(e, "out", c, 1, 1), *addend = emit_offset(e, "addend", c, 1, 1);
    const bool adds = walk_has(walk, box, "addend");
    const int addend_pixel = adds ? plan_value(e->plan, epilogue->addend)->layout.pixel *
                                        (epilogue->addend_stride > 1 ? epilogue->addend_stride : 1)
                                  : 0;
    for (int t = 0; t < tile; t++)
        text_printf(
            body, "%*s%s;\n", indent, "",
            emit_store(e, emit_plus(e, out, t * pixel),
                       emit_epilogue(e, epilogue, arena_printf(e->arena, "v%d", t), epilogue->bias ? "bias" : NULL,
                                     adds ? emit_load(e, emit_plus(e, addend, t * addend_pixel), left) : NULL, "slope"),
                       left));
    text_printf(body, "%*s}\n", indent - 4, "");
}

/* The loops over one vector of channels; c: an expression. */
static void emit_vector_rows(const Walk *walk, Box *box, const char *c, int left, int indent, Text *body) {
    const Epilogue *epilogue = &walk->step->epilogue;
    if (epilogue->bias) text_printf(body, "%*sconst V bias = %s;\n", indent, "", walk_vector(walk, "bias", c, left));
    if (epilogue->act == ACT_PRELU)
        text_printf(body, "%*sconst V slope = %s;\n", indent, "", walk_vector(walk, "slope", c, left));
    const Window *w = &walk->step->node->term[0].window;
    if (taps_stay(w)) emit_taps(walk, emit_offset(walk->e, "a->w", c, 1, 1), w->r * w->s, left, indent, body);
    const int most = taps_stay(w) ? TILE : TILE_OF_ROWS;
    int row[2 * WALK_MAX_OPERANDS + 3], column[2 * WALK_MAX_OPERANDS + WALK_MAX_CUTS + 3];
    const int rows = walk_segments(walk, DIM_H, row), columns = walk_segments(walk, DIM_W, column);
    for (int i = 0; i < rows; i++) {
        box->lo[DIM_H] = row[i], box->hi[DIM_H] = row[i + 1];
        walk_open_rows(walk, row[i], row[i + 1], indent, body);
        for (int j = 0; j < columns; j++) {
            const int lo = column[j], n = column[j + 1] - lo, tile = divide_up(n, divide_up(n, most));
            const int even = lo + n / tile * tile;
            emit_tiles(walk, box, lo, even, tile, c, left, indent + 4, body);
            emit_tiles(walk, box, even, lo + n, n % tile, c, left, indent + 4, body);
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
