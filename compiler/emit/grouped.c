/* Convolutions of few channels a group, where a vector holds several groups: every channel by its own kernel
 * (depthwise), or 2, 4, 8 by 2, 4, 8. The input has a physical zero halo, so that no tap is tested. A vector of
 * channels at a time, so that its rows stay in the first cache; then rows; then tiles of a few pixels, whose sums are
 * in registers, so that each of the input's pixels is loaded once for each row of taps:
 *
 *     u = load(in), v0 = fma_(w0, u, v0);
 *     u = load(in + 112), v0 = fma_(w1, u, v0), v1 = fma_(w0, u, v1);
 *     u = load(in + 224), v0 = fma_(w2, u, v0), v1 = fma_(w1, u, v1), v2 = fma_(w0, u, v2);
 *     ...
 *
 * Of a depthwise layer, few taps are in registers over all pixels. Otherwise a row of taps of one input channel is: the
 * k-th of each group, which of_groups() shows to all lanes of its group. (Block-diagonal weights in a GEMM would
 * multiply 16 channels by each group's 2, 4 or 8 as well.)
 */
#include "plan/conv.h"
#include "plan/plain.h"
#include "walk.h"

/* With these AVX2's 16 registers hold a tile's sums, an input and all taps, or a row of at most 7. */
enum { MOST_TAPS = 9, TILE = 4, TILE_OF_ROWS = 8 };

static const Window *window_of(const Walk *walk) {
    return &walk->step->node->term[0].window;
}

static const Layout *input_layout(const Walk *walk) {
    return &plan_value(walk->e->plan, walk->step->node->in[0])->layout;
}

static int group_of(const Walk *walk) { /* channels */
    return grouped_channels(walk->step->node);
}

static bool taps_stay(const Walk *walk) {
    const Window *w = window_of(walk);
    return group_of(walk) == 1 && w->r * w->s <= MOST_TAPS;
}

/* Whether the layer before divides its channels among the parts. Then this one does as well: a part reads what it wrote
 * itself, which is in its core's L2. Otherwise rows are divided. */
static bool channels_are_divided(const Walk *walk) {
    const Plan *plan = walk->e->plan;
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        if (s->out == walk->step->node->in[0] && (s->algorithm == ALG_POINTWISE || s->algorithm == ALG_DIRECT))
            return conv_divides_channels(conv_plan(s));
    }
    return false;
}

/* The vector of the input at `in` + at. */
static const char *input_vector(const Walk *walk, int64_t at, int left) {
    Emit *e = walk->e;
    const int group = group_of(walk);
    const char *place = emit_plus(e, "in", at);
    if (group == 1) return emit_load(e, place, left);
    if (group < e->lanes) return arena_printf(e->arena, "of_groups(%s, %d, k)", emit_load(e, place, left), group);
    return arena_printf(e->arena, "set1((%s)[k])", place); /* one group's, or a part of it */
}

/* Adds a row of taps, wN being tap `first` + N of it, to the sums v0, v1 ... of `tile` pixels, whose inputs are at `in`
 * + row. */
static void emit_row_of_taps(const Walk *walk, int64_t row, int first, int left, int tile, int indent, Text *body) {
    const Window *w = window_of(walk);
    for (int p = 0; p <= (tile - 1) * w->stride_w + (w->s - 1) * w->dilate_w; p++) {
        bool any = false;
        for (int s = 0; s < w->s; s++) { /* the pixel is tap s of which sum? */
            const int from = p - s * w->dilate_w, t = from / w->stride_w;
            if (from < 0 || from % w->stride_w || t >= tile) continue;
            if (!any)
                text_printf(body, "%*su = %s", indent, "",
                            input_vector(walk, row + (int64_t)p * input_layout(walk)->pixel, left));
            text_printf(body, ", v%d = fma_(w%d, u, v%d)", t, first + s, t);
            any = true;
        }
        if (any) text_puts(body, ";\n");
    }
}

/* Defines w0, w1 ...: `count` taps from `from` on (an expression). */
static void emit_taps(const Walk *walk, const char *from, int count, int left, int indent, Text *body) {
    for (int i = 0; i < count; i++)
        text_printf(body, "%*sconst V w%d = %s;\n", indent, "", i,
                    emit_load(walk->e, emit_plus(walk->e, from, (int64_t)i * VECTOR), left));
}

/* The weights of the vector at channel c: of VECTOR channels at a time, a row after another, of each the group's input
 * channels, of each the taps. */
static const char *weights_at(const Walk *walk, const char *c) {
    Emit *e = walk->e;
    const Window *w = window_of(walk);
    const int64_t each = (int64_t)w->r * w->s * group_of(walk), channels = round_up(walk->shape.c, VECTOR);
    if (e->lanes == VECTOR) return emit_offset(e, "a->w", c, each, channels);
    const char *place = emit_offset(e, "a->w", arena_printf(e->arena, "%s / %d", c, VECTOR), each * VECTOR, channels);
    return arena_printf(e->arena, "%s + %s %% %d", place, c, VECTOR);
}

/* The sums v0, v1 ... of the `tile` pixels from `in` on; an element's sum is in the order of the weights. */
static void emit_sums(const Walk *walk, const char *c, int left, int tile, int indent, Text *body) {
    const Window *w = window_of(walk);
    const int group = group_of(walk);
    const int64_t row = (int64_t)w->dilate_h * input_layout(walk)->row;
    text_printf(body, "%*sV u", indent, "");
    for (int t = 0; t < tile; t++) text_printf(body, ", v%d = zero()", t);
    text_puts(body, ";\n");
    if (taps_stay(walk)) {
        for (int r = 0; r < w->r; r++) emit_row_of_taps(walk, r * row, r * w->s, left, tile, indent, body);
        return;
    }
    text_printf(body, "%*sconst float *w = %s;\n", indent, "", weights_at(walk, c));
    text_printf(body, "%*sfor (int r = 0; r < %d; r++, in += %lld)%s\n", indent, "", w->r, (long long)row,
                group == 1 ? " {" : "");
    indent += 4;
    if (group > 1) text_printf(body, "%*sfor (int k = 0; k < %d; k++) {\n", indent, "", group), indent += 4;
    emit_taps(walk, "w", w->s, left, indent, body);
    emit_row_of_taps(walk, 0, 0, left, tile, indent, body);
    text_printf(body, "%*sw += %d;\n", indent, "", w->s * VECTOR);
    text_printf(body, "%*s}\n", indent - 4, "");
}

/* Columns [lo, hi) in tiles of `tile` pixels, which divide them. */
static void emit_tiles(const Walk *walk, Box *box, int lo, int hi, int tile, const char *c, int left, int adds,
                       int indent, Text *body) {
    Emit *e = walk->e;
    const Epilogue *epilogue = &walk->step->epilogue;
    const Window *w = window_of(walk);
    const Layout *l = input_layout(walk);
    const int group = group_of(walk), pixel = plan_value(e->plan, walk->step->out)->layout.pixel;
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
    in = emit_offset(e, in, c, 1, 1);
    if (group > e->lanes) in = arena_printf(e->arena, "%s - %s %% %d", in, c, group); /* its group's first channel */
    text_printf(body, "%*sconst float *in = %s;\n", indent, "", in);
    emit_sums(walk, c, left, tile, indent, body);
    const char *out = emit_offset(e, "out", c, 1, 1), *addend = emit_offset(e, "addend", c, 1, 1);
    const bool reads = adds && walk_has(walk, box, "addend");
    const int addend_pixel = reads ? plan_value(e->plan, epilogue->addend)->layout.pixel *
                                         (epilogue->addend_stride > 1 ? epilogue->addend_stride : 1)
                                   : 0;
    for (int t = 0; t < tile; t++)
        text_printf(body, "%*s%s;\n", indent, "",
                    emit_store(e, emit_plus(e, out, t * pixel),
                               emit_epilogue(
                                   e, epilogue, arena_printf(e->arena, "v%d", t), epilogue->bias ? "bias" : NULL,
                                   reads ? emit_load(e, emit_plus(e, addend, t * addend_pixel), adds) : NULL, "slope"),
                               left));
    text_printf(body, "%*s}\n", indent - 4, "");
}

/* The part's share of rows [lo, hi), which is all of them where channels are divided. */
static void open_rows(const Walk *walk, bool divided, int lo, int hi, int indent, Text *body) {
    if (!divided)
        walk_open_rows(walk, lo, hi, indent, body);
    else if (hi - lo == 1)
        text_printf(body, "%*s{\n", indent, "");
    else
        text_printf(body, "%*sfor (int y = %d; y < %d; y++) {\n", indent, "", lo, hi);
}

/* The part's share of the vectors of channels [lo, hi), which is all of them where rows are divided. */
static void open_vectors(const Walk *walk, bool divided, int lo, int hi, int left, Text *body) {
    const int lanes = walk->e->lanes, n = divide_up(hi - lo, lanes);
    if (hi - lo <= left)
        text_puts(body, divided ? "    if (part == parts - 1) {\n" : "    {\n");
    else if (!divided)
        text_printf(body, "    for (int c = %d; c < %d; c += %d) {\n", lo, hi, lanes);
    else {
        const char *from = lo ? arena_printf(walk->e->arena, "%d + ", lo) : "";
        text_printf(body, "    for (int c = %spart * %d / parts * %d; c < %s(part + 1) * %d / parts * %d; c += %d) {\n",
                    from, n, lanes, from, n, lanes, lanes);
    }
}

/* The loops over one vector of channels, of which `adds` have an addend; c: an expression. */
static void emit_vector_rows(const Walk *walk, bool divided, Box *box, const char *c, int left, int adds, int indent,
                             Text *body) {
    const Epilogue *epilogue = &walk->step->epilogue;
    if (epilogue->bias) text_printf(body, "%*sconst V bias = %s;\n", indent, "", walk_vector(walk, "bias", c, left));
    if (epilogue->act == ACT_PRELU)
        text_printf(body, "%*sconst V slope = %s;\n", indent, "", walk_vector(walk, "slope", c, left));
    const Window *w = window_of(walk);
    if (taps_stay(walk)) emit_taps(walk, weights_at(walk, c), w->r * w->s, left, indent, body);
    const int most = taps_stay(walk) ? TILE : TILE_OF_ROWS;
    int row[2 * WALK_MAX_OPERANDS + 3], column[2 * WALK_MAX_OPERANDS + WALK_MAX_CUTS + 3];
    const int rows = walk_segments(walk, DIM_H, row), columns = walk_segments(walk, DIM_W, column);
    for (int i = 0; i < rows; i++) {
        box->lo[DIM_H] = row[i], box->hi[DIM_H] = row[i + 1];
        open_rows(walk, divided, row[i], row[i + 1], indent, body);
        for (int j = 0; j < columns; j++) {
            const int lo = column[j], n = column[j + 1] - lo, tile = divide_up(n, divide_up(n, most));
            const int even = lo + n / tile * tile;
            emit_tiles(walk, box, lo, even, tile, c, left, adds, indent + 4, body);
            emit_tiles(walk, box, even, lo + n, n % tile, c, left, adds, indent + 4, body);
        }
        text_printf(body, "%*s}\n", indent, "");
    }
}

/* How many of the lanes from channel c on there are of `channels`. */
static int lanes_from(const Emit *e, int c, int channels) {
    const int left = channels - c;
    return left < 0 ? 0 : left < e->lanes ? left : e->lanes;
}

/* Vectors begin at multiples of the lanes, where groups and packed weights do; an addend may end within one. */
const char *emit_grouped(Emit *e, const Step *step, Text *body) {
    const Walk walk = walk_new(e, step);
    const int channels = walk.shape.c, added = step->epilogue.addend ? step->epilogue.addend->shape.c : 0;
    const bool divided = channels_are_divided(&walk);
    emit_halo(e, step->out, 1, body);
    for (int lo = 0, hi; lo < channels; lo = hi) { /* a run of vectors that are alike */
        const int left = lanes_from(e, lo, channels), adds = lanes_from(e, lo, added);
        for (hi = lo + left; hi < channels; hi += left)
            if (lanes_from(e, hi, channels) != left || lanes_from(e, hi, added) != adds) break;
        Box box = {{lo, 0, 0}, {adds ? lo + adds : hi, 0, 0}};
        open_vectors(&walk, divided, lo, hi, left, body);
        emit_vector_rows(&walk, divided, &box, hi - lo > left ? "c" : arena_printf(e->arena, "%d", lo), left, adds, 8,
                         body);
        text_puts(body, "    }\n");
    }
    return layer_task_name(e, step);
}
