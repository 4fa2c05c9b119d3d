/* Training's convolutions (plan/batch_conv.c): weights packed anew, results and the gradients of inputs, by GEMMs over
 * rows of pixels; fully connected layers likewise. Winograd's method is in batch_tiles.c, weights' gradients in
 * batch_weights.c.
 */
#include "batch_conv.h"

#include <string.h>

#include "describe.h"
#include "plan/step.h"

enum { WEIGHTS_AT_ONCE = 8 };

const char *batch_conv_name(const Emit *e, const BatchConv *c) {
    static const char *const kinds[] = {"", "_data", "_weights"};
    const Window *w = &c->window;
    const char *stride = w->stride_h > 1 && !c->is_fc ? arena_printf(e->arena, "_stride%d", w->stride_h) : "";
    return arena_printf(e->arena, "%s%dx%d%s_%dto%d_%dx%d%s%s",
                        c->is_fc       ? "batch_fc"
                        : c->depthwise ? "batch_depthwise"
                                       : "batch_conv",
                        w->r, w->s, stride, c->x.c, c->y.c, c->y.h, c->y.w, kinds[c->kind], c->winograd ? "_f4" : "");
}

int panel_runs(int channels, PanelRun runs[2]) {
    const int whole = channels / PANEL * PANEL;
    int count = 0;
    if (whole) runs[count++] = (PanelRun){0, whole, PANEL};
    if (whole < channels) runs[count++] = (PanelRun){whole, channels, channels - whole};
    return count;
}

void open_panels(const char *name, const PanelRun *run, int depth, const char *end, Text *body) {
    line(body, depth, "for (int %s = %d; %s < %d; %s += %d)%s", name, run->from, name, run->to, name, PANEL, end);
}

/* ---- packing ---- */
/* Going through filters of one order into another: a few channels at a time, so that the lines of both stay at hand.
 * Opens the loops over "i", channels that are read, and "o", a vector of those that are made. */
void open_weights(int in, int lda, Text *body) {
    line(body, 1, "const int end = slab_at(%d, part + 1, parts);", in);
    line(body, 1, "for (int i0 = slab_at(%d, part, parts); i0 < end; i0 += %d)", in, WEIGHTS_AT_ONCE);
    line(body, 1, "for (int o = 0; o < %d; o += LANES)", lda);
    line(body, 1, "for (int i = i0; i < end && i < i0 + %d; i++) {", WEIGHTS_AT_ONCE);
}

/* Where a tap's packed weights have input channel `i` and the vector of output channels from o on. */
static const char *packed_at(Emit *e, const BatchConv *c, const char *i) {
    const int in = c->in_channels, lda = batch_lda(c->out_channels), last = lda % PANEL;
    if (lda <= PANEL) return arena_printf(e->arena, "(size_t)%s * %d + o", i, lda);
    if (!last) return arena_printf(e->arena, "(size_t)(o / %d * %d + %s) * %d + o %% %d", PANEL, in, i, PANEL, PANEL);
    return arena_printf(e->arena, "(size_t)(o / %d * %d) * %d + (size_t)%s * (o < %d ? %d : %d) + o %% %d", PANEL, in,
                        PANEL, i, lda - last, PANEL, last, PANEL);
}

const char *packed_panel(Emit *e, const BatchConv *c) {
    return c->out_channels <= PANEL ? "o" : arena_printf(e->arena, "(size_t)o * %d", c->in_channels);
}

/* The store of packed weights: past the caches where they have no room for them, which saves reading the lines that are
 * written; only whole lines, which are vectors of AVX-512. */
static const char *packed_store(Emit *e, const BatchConv *c) {
    const int64_t bytes = (int64_t)sizeof(float) * c->f.n * c->f.n * c->matrix;
    if (e->isa != RN_ISA_X86_64_V4 || bytes <= e->plan->options.machine->l3_size) return "store";
    return emit_helper(e, "store_past_caches", "A cache line, on to memory", "float *p, V v",
                       "    _mm512_stream_ps(p, v);\n");
}

/* Of groups that are joined: zeros where in and out are not of the same one. */
static void pack_joined(Emit *e, const BatchConv *c, Text *body) {
    const bool data = c->kind == CONV_DATA;
    const int in = c->in_channels, out = c->out_channels, taps = c->taps;
    const int from = in / c->joined, to = out / c->joined; /* channels of a group of the source */
    if (data)
        line(body, 2, "const float *w = a->w + (size_t)i * %d;", to * taps);
    else
        line(body, 2, "const float *w = a->w + ((size_t)(i / %d) * %d + i %% %d * %d);", in, out * from * taps, from,
             taps);
    line(body, 2, "float *y = a->y + ((size_t)(i / %d) * %lld + %s);", in, (long long)(taps * c->matrix),
         packed_at(e, c, arena_printf(e->arena, "(i %% %d)", in)));
    line(body, 2, "for (int l = 0; l < LANES; l++)");
    line(body, 3, "for (int t = 0; t < %d; t++)", taps);
    line(body, 4, "y[t * %lld + l] = (o + l) / %d == i %% %d / %d ? w[%s * %d + t] : 0;", (long long)c->matrix, to, in,
         from, data ? arena_printf(e->arena, "(o + l) %% %d", to) : "(o + l)", data ? taps : from * taps);
}

/* Parameters are K x C/groups x R x S; what is packed is [group][tap or product][panel][in][out], `out` in whole
 * vectors: a panel's weights lie in one piece, since rows of it with gaps between are read at two thirds of the speed.
 * Going back, in and out change places, and of Winograd's windows the taps are reversed. */
const char *emit_batch_pack(Emit *e, const Step *s, Text *body) {
    const BatchConv *c = s->detail;
    const bool data = c->kind == CONV_DATA;
    const int in = c->in_channels, out = c->out_channels, lda = batch_lda(out), taps = c->taps;
    const int channels = c->depthwise ? 1 : data ? out : in; /* of a filter */
    /* floats from one in, and one out, channel's weights to the next's */
    const int next_in = data ? channels * taps : taps, next_out = data ? taps : channels * taps;
    open_weights(c->groups * in, lda, body);
    if (c->merged || c->joined > 1)
        ; /* i is a channel of a pixel of the row, or of several groups */
    else if (c->groups > 1)
        line(body, 2, "const float *w = a->w + ((size_t)(i / %d) * %d + (size_t)(i %% %d) * %d + (size_t)o * %d);", in,
             c->y.c / c->groups * (c->x.c / c->groups) * taps, in, next_in, next_out);
    else
        line(body, 2, "const float *w = a->w + ((size_t)i * %d + (size_t)o * %d);", next_in, next_out);
    const char *inside = out == lda ? "" : arena_printf(e->arena, "o + l >= %d ? 0 : ", out);
    if (c->joined > 1) {
        pack_joined(e, c, body);
    } else if (c->merged) {
        const int pixel = in / c->window.s, filter = c->x.c * c->window.r * c->window.s;
        line(body, 2, "float *y = a->y + (%s);", packed_at(e, c, "i"));
        line(body, 2, "for (int t = 0; t < %d; t++)", taps);
        line(body, 3, "for (int l = 0; l < LANES; l++)");
        line(body, 4,
             "y[t * %lld + l] = o + l < %d && i %% %d < %d ? a->w[(o + l) * %d + (i %% %d * %d + t) * %d + i / "
             "%d] : 0;",
             (long long)c->matrix, out, pixel, c->x.c, filter, pixel, c->window.r, c->window.s, pixel);
    } else if (!c->winograd) {
        line(body, 2, "float *y = a->y + ((size_t)(i / %d) * %lld + %s);", in, (long long)(taps * c->matrix),
             packed_at(e, c, arena_printf(e->arena, "(i %% %d)", in)));
        line(body, 2, "for (int l = 0; l < LANES; l++)");
        line(body, 3, "for (int t = 0; t < %d; t++) y[(size_t)t * %lld + l] = %sw[(size_t)l * %d + t];", taps,
             (long long)c->matrix, inside, next_out);
    } else {
        const char *kernel = kernel_function(e, &c->f);
        const int n = c->f.n;
        line(body, 2, "float g[9][LANES];");
        line(body, 2, "for (int l = 0; l < LANES; l++)");
        line(body, 3, "for (int t = 0; t < 9; t++) g[t][l] = %sw[(size_t)l * %d + %s];", inside, next_out,
             data ? "8 - t" : "t");
        line(body, 2, "V t[%d][3];", n);
        line(body, 2, "for (int j = 0; j < 3; j++) {");
        line(body, 3, "const V d[3] = {load(g[j]), load(g[3 + j]), load(g[6 + j])};");
        line(body, 3, "%s(d, &t[0][j], 3);", kernel);
        line(body, 2, "}");
        line(body, 2, "float *y = a->y + (%s);", packed_at(e, c, "i"));
        line(body, 2, "for (int r = 0; r < %d; r++) {", n);
        line(body, 3, "V u[%d];", n);
        line(body, 3, "%s(t[r], u, 1);", kernel);
        line(body, 3, "for (int j = 0; j < %d; j++) %s(y + (size_t)(r * %d + j) * %lld, u[j]);", n, packed_store(e, c),
             n, (long long)c->matrix);
        line(body, 2, "}");
    }
    line(body, 1, "}");
    return arena_printf(e->arena, "%s_pack", batch_conv_name(e, c));
}

/* ---- direct sums ---- */
void batch_offsets(Text *body, int depth, const char *name, int count, const long long *bytes) {
    text_printf(body, "%*sstatic const unsigned long long %s[] = {", depth * 4, "", name);
    for (int i = 0; i < count; i++) text_printf(body, "%s%lld", i ? ", " : "", bytes[i]);
    text_puts(body, "};\n");
}

/* "y[...] += bias" over the pixels of an image. */
static void add_bias(const Emit *e, const Step *s, const char *pixels, Text *body) {
    if (!step_operand(s, OPERAND_BIAS)) return;
    const int pixel = plan_value(e->plan, s->out)->layout.pixel;
    line(body, 2, "for (int i = 0; i < %s; i++)", pixels);
    line(body, 3,
         "for (int c = 0; c < %d; c += LANES) store(y + i * %d + c, add(load(y + i * %d + c), load(a->bias + c)));",
         pixel, pixel, pixel);
}

/* A phase, or some that are alike: its rows of results, each a GEMM over its taps; of a pointwise convolution all rows
 * at once. */
static void emit_phase(Emit *e, const Step *s, const BatchConv *c, const PhaseLine *rows, const PhaseLine *columns,
                       bool joined, Text *body) {
    const Sliding *sl = &c->sliding;
    const Layout *x = &plan_value(e->plan, s->in[0])->layout, *y = &plan_value(e->plan, s->out)->layout;
    const int count = rows->count * columns->count;
    const int pixel = c->strip ? c->strip_pixel : x->pixel, step_w = c->merged ? 1 : sl->in_step_w;
    const int row = (c->strip ? c->strip_w : sl->source.w) * pixel;
    if (c->depthwise) {
        emit_depthwise_phase(e, c, rows, columns, y, row, pixel, body);
        return;
    }
    const int many = c->strip_rows < sl->result.h ? c->strip_rows : rows->results; /* rows of a strip */
    const bool several = rows->phases * columns->phases > 1;
    const char *at =
        arena_printf(e->arena, "y + (r * %d + %d%s) * %d + %d%s", sl->out_step_h, rows->phase, several ? " + p" : "",
                     y->row, columns->phase * y->pixel, several ? arena_printf(e->arena, " + q * %d", y->pixel) : "");
    long long *w_at = arena_alloc(e->arena, sizeof *w_at * (size_t)count);
    long long *x_at = arena_alloc(e->arena, sizeof *x_at * (size_t)count);
    for (int i = 0; i < count; i++) {
        const int r = i / columns->count, q = i % columns->count;
        const int tap = rows->tap[r] * (c->merged ? 1 : c->window.s) + columns->tap[q];
        w_at[i] = 4LL * tap * c->matrix;
        x_at[i] = 4LL * ((long long)(rows->at[r] + sl->top) * row +
                         (long long)(c->merged ? 0 : columns->at[q] + sl->left) * pixel);
    }
    line(body, 2, "{");
    line(body, 3, "static const unsigned long long count = %d;", count);
    batch_offsets(body, 3, "w_at", count, w_at);
    batch_offsets(body, 3, "x_at", count, x_at);
    PanelRun runs[2];
    for (int i = 0, n = panel_runs(c->out_channels, runs); i < n; i++) {
        const Gemm gemm = {.m = runs[i].width,
                           .n = joined ? many * columns->results : columns->results,
                           .k = c->in_channels,
                           .lda = batch_lda(runs[i].width),
                           .ldb = step_w * pixel,
                           .ldc = sl->out_step_w * y->pixel};
        const int kernel = emit_kernel(e, KERNEL_REDUCES, &gemm);
        const char *w = arena_printf(e->arena, "a->w + %s", packed_panel(e, c)), *gx = "", *gy = "";
        if (c->groups > 1) w = arena_printf(e->arena, "%s + (size_t)g * %lld", w, (long long)(c->taps * c->matrix));
        if (several) {
            w = arena_printf(e->arena, "%s + (size_t)(p * %d + q) * %lld", w, c->window.s, (long long)c->matrix);
            line(body, 3, "for (int p = 0; p < %d; p++)", rows->phases);
            line(body, 3, "for (int q = 0; q < %d; q++)", columns->phases);
        }
        if (c->groups > 1) {
            gx = arena_printf(e->arena, " + g * %d", c->in_channels);
            gy = arena_printf(e->arena, " + g * %d", c->out_channels);
            line(body, 3, "for (int g = 0; g < %d; g++)", c->groups);
        }
        open_panels("o", &runs[i], 3, "", body);
        line(body, 4, "for (int r = 0; r < %d; r++)", joined ? 1 : many);
        line(body, 5, "k[%s].offs(%s, x + r * %d%s, %s + o%s, &count, w_at, x_at);", emit_kernel_index(e, kernel), w,
             sl->in_step_h * row, gx, at, gy);
    }
    line(body, 2, "}");
}

const char *strip_function(Emit *e, const Reader *r, const Strip *p) {
    Text b = {0};
    const int right = p->columns - p->left - p->shape.w, row = p->columns * p->to_pixel;
    const int wide = right < 0 ? p->columns - p->left : p->shape.w;
    reader_image(e, r, 1, &b);
    line(&b, 1, "const int last = first + rows < %d ? first + rows : %d;", p->shape.h, p->shape.h);
    line(&b, 1, "for (int y = first; y < first + rows; y++) {");
    line(&b, 2, "float *row = to + (y - first) * %d;", row);
    line(&b, 2, "const int inside = y >= 0 && y < %d;", p->shape.h);
    line(&b, 2, "for (int i = 0; i < (inside ? %d : %d); i++) row[i] = 0;", p->left * p->to_pixel, row);
    if (right > 0)
        line(&b, 2, "for (int i = %d; inside && i < %d; i++) row[i] = 0;", (p->left + wide) * p->to_pixel, row);
    line(&b, 1, "}");
    const char *channels = p->panel
                               ? arena_printf(e->arena, "int c = from; c < from + %d%s; c += LANES", p->panel,
                                              p->pixel % p->panel ? arena_printf(e->arena, " && c < %d", p->pixel) : "")
                               : arena_printf(e->arena, "int c = 0; c < %d; c += LANES", p->pixel);
    const char *to = p->panel ? arena_printf(e->arena, "i * %d + c - from", p->to_pixel)
                              : arena_printf(e->arena, "i * %d + c", p->to_pixel);
    const char *at = arena_printf(e->arena, "(y * %d + i) * %d + c", p->shape.w, p->pixel);
    const char *rows = "for (int y = first > 0 ? first : 0; y < last; y++) {";
    const char *place =
        arena_printf(e->arena, "float *row = to + ((y - first) * %d + %d);", row, p->left * p->to_pixel);
    if (!reader_is_stored(r)) {
        const int some = batch_rows_at_once(p->shape, p->panel ? p->panel : p->pixel);
        if (some < p->shape.h) {
            line(&b, 1, "for (int r = first > 0 ? first : 0; r < last; r += %d)", some);
            rows = arena_printf(e->arena, "for (int y = r; y < r + %d && y < last; y++) {", some);
        }
        line(&b, 1, "for (%s) {", channels);
        reader_channels(e, r, 2, &b);
        line(&b, 2, "%s", rows);
        line(&b, 3, "%s", place);
        line(&b, 3, "for (int i = 0; i < %d; i++) {", wide);
        reader_load(e, r, at, 4, &b);
        line(&b, 4, "store(row + (%s), %s);", to, reader_value(e, r, 0));
        line(&b, 3, "}");
        line(&b, 2, "}");
    } else {
        line(&b, 1, "%s", rows);
        line(&b, 2, "%s", place);
        if (!p->panel && p->pixel == p->to_pixel) {
            line(&b, 2, "memcpy(row, x0 + y * %d, sizeof(float) * %d);", p->shape.w * p->pixel, wide * p->pixel);
        } else {
            line(&b, 2, "for (int i = 0; i < %d; i++)", wide);
            line(&b, 3, "for (%s) store(row + (%s), load(x0 + (%s)));", channels, to, at);
        }
    }
    line(&b, 1, "}");
    const char *name = emit_function(
        e, arena_printf(e->arena, "strip%s_%dx%dx%d", reader_name(e, r), p->shape.c, p->shape.h, p->shape.w),
        p->panel ? "Rows of a panel of an image's channels, from `from` on, computed as they are read"
                 : "Rows of an image with zeros around it, computed as they are read",
        "void",
        p->panel ? "const struct batch *a, int n, int first, int rows, int from, float *to"
                 : "const struct batch *a, int n, int first, int rows, float *to",
        b.s);
    text_free(&b);
    return name;
}

/* The same where windows of a row are taken as one pixel: each lies there for itself. */
static const char *windows_function(Emit *e, const BatchConv *c, const Value *value, int pixel) {
    const Shape shape = value->shape;
    const Sliding *sl = &c->sliding;
    const int wide = (c->y.w - 1) * sl->in_step_w * pixel + c->strip_pixel, left = sl->left * pixel;
    const int inside = shape.w * pixel < wide - left ? shape.w * pixel : wide - left;
    Text b = {0};
    line(&b, 1, "const float *x = %s;", batch_image(e, "x[0]", value));
    line(&b, 1, "float padded[%d] = {0};", wide);
    line(&b, 1, "for (int y = first; y < first + %d; y++, to += %d) {", c->strip_h, c->strip_w * c->strip_pixel);
    line(&b, 2, "if (y < 0 || y >= %d) {", shape.h);
    line(&b, 3, "for (int i = 0; i < %d; i++) to[i] = 0;", c->strip_w * c->strip_pixel);
    line(&b, 3, "continue;");
    line(&b, 2, "}");
    line(&b, 2, "memcpy(padded + %d, x + y * %d, sizeof(float) * %d);", left, shape.w * pixel, inside);
    line(&b, 2, "for (int q = 0; q < %d; q++)", c->strip_w);
    line(&b, 3, "for (int i = 0; i < %d; i += LANES) store(to + (q * %d + i), load(padded + (q * %d + i)));",
         c->strip_pixel, c->strip_pixel, sl->in_step_w * pixel);
    line(&b, 1, "}");
    const char *name = emit_function(
        e, arena_printf(e->arena, "windows_%dx%d_%dx%dx%d", c->window.r, c->window.s, shape.c, shape.h, shape.w),
        "An image with zeros around it, the pixels that each result's windows read in a row side by side", "void",
        "const struct batch *a, int n, int first, float *to", b.s);
    text_free(&b);
    return name;
}

/* "x": the source of image n; where windows are taken as pixels, from the result's row r0 on. */
void source_image(Emit *e, const BatchConv *c, const Sliding *sl, Text *body) {
    const Value *value = c->source->entry[c->source->root[0]].value;
    const int pixel = plan_value(e->plan, value)->layout.pixel;
    if (c->merged)
        line(body, 2, "%s(a, n, r0 * %d - %d, x);", windows_function(e, c, value, pixel), sl->in_step_h, sl->top);
    else if (c->strip)
        line(body, 2, "%s(a, n, r0 * %d - %d, %d, x);",
             strip_function(e, c->source, &(Strip){value->shape, pixel, sl->left, c->strip_w, c->strip_pixel, 0}),
             sl->in_step_h, sl->top, c->strip_h);
    else
        line(body, 2, "const float *x = %s;", batch_image(e, "x[0]", value));
}

bool is_padded(const Sliding *s) {
    return s->top || s->left || s->bottom || s->right;
}

static void emit_direct(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const Sliding *sl = &c->sliding;
    const Layout *x = &plan_value(e->plan, s->in[0])->layout, *y = &plan_value(e->plan, s->out)->layout;
    const bool reads = sl->row_lines * sl->column_lines > 0;
    if (reads && !c->depthwise) line(body, 1, "const rn_kernel *k = a->k;");
    if (reads && c->strip) line(body, 1, "float *x = a->scratch + (size_t)part * %lld;", scratch_floats(e));
    batch_images(body);
    line(body, 2, "for (int r0 = 0; r0 < %d; r0 += %d) {", sl->result.h, c->strip_rows);
    if (reads) source_image(e, c, sl, body);
    line(body, 2, "float *y = %s + r0 * %d;", batch_image(e, "y", s->out), y->row);
    if (sl->gaps) line(body, 2, "for (int i = 0; i < %d; i++) y[i] = 0;", sl->result.h * y->row);
    const bool pointwise = c->taps == 1 && !is_padded(sl) && sl->source.h == sl->result.h &&
                           sl->source.w == sl->result.w && sl->in_step_h * sl->in_step_w == 1 &&
                           sl->out_step_h * sl->out_step_w == 1 && x->row == sl->source.w * x->pixel &&
                           y->row == sl->result.w * y->pixel;
    for (int i = 0; i < sl->row_lines; i++)
        for (int j = 0; j < sl->column_lines; j++) emit_phase(e, s, c, &sl->rows[i], &sl->columns[j], pointwise, body);
    if (!c->depthwise) line(body, 2, "zeroupper();");
    add_bias(e, s, arena_printf(e->arena, "%d", c->strip_rows * sl->result.w), body);
    line(body, 2, "}");
    line(body, 1, "}");
}

/* ---- fully connected: the columns are images ---- */
int batch_fc_images(const Emit *e) {
    enum { MANY = 16 };
    const int images = e->plan->options.rank_images;
    return images && images < MANY ? images : MANY;
}

void open_fc_images(const Emit *e, const char *group, Text *body) {
    const bool groups = e->plan->training->ranks;
    if (groups && !group) line(body, 2, "for (int g = 0; g < a->t->groups; g++) {");
    if (groups) line(body, 2, "const int last = slab_at(a->images, %s + 1, a->t->groups);", group ? group : "g");
    if (groups)
        line(body, 2, "for (int n = slab_at(a->images, %s, a->t->groups); n < last;) {", group ? group : "g");
    else
        line(body, 2, "for (int n = 0; n < a->images;) {");
    line(body, 3, "const int many = n + %d <= %s;", batch_fc_images(e), groups ? "last" : "a->images");
}

void close_fc_images(const Emit *e, const char *group, Text *body) {
    line(body, 3, "n += many ? %d : 1;", batch_fc_images(e));
    line(body, 2, "}");
    if (e->plan->training->ranks && !group) line(body, 2, "}");
}

/* A unit is a panel of the output channels of one tap's pixel: all images. */
static void emit_fc_result(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const ValuePlan *x = plan_value(e->plan, s->in[0]), *y = plan_value(e->plan, s->out);
    const int out = c->out_channels, panels = divide_up(out, PANEL);
    const bool data = c->kind == CONV_DATA;
    const int pixels = data ? c->taps : 1; /* of the result */
    const long long tap = (long long)c->matrix;
    line(body, 1, "const rn_kernel *k = a->k;");
    line(body, 1, "for (int u = slab_at(%d, part, parts); u < slab_at(%d, part + 1, parts); u++) {", pixels * panels,
         pixels * panels);
    line(body, 2, "const int o = u %% %d * %d, p = u / %d;", panels, PANEL, panels);
    open_fc_images(e, NULL, body);
    line(body, 3, "const float *x = a->x[0] + (size_t)n * %lld, *w = a->w + (size_t)p * %lld + %s;",
         (long long)x->apart, tap, packed_panel(e, c));
    line(body, 3, "float *y = a->y + (size_t)n * %lld + p * %d + o;", (long long)y->apart, y->layout.pixel);
    line(body, 3, "for (int i = 0; i < (many ? %d : 1); i++)", batch_fc_images(e));
    line(body, 4, "for (int j = 0; j < %d && j < %d - o; j++) y[(size_t)i * %lld + j] = %s;", PANEL, out,
         (long long)y->apart, step_operand(s, OPERAND_BIAS) ? "a->bias[o + j]" : "0");
    line(body, 3, "for (int t = 0; t < %d; t++, w += %lld, x += %d)", data ? 1 : c->taps, tap, x->layout.pixel);
    PanelRun runs[2];
    const int n = panel_runs(out, runs);
    for (int i = 0; i < n; i++) {
        Gemm gemm = {.m = runs[i].width,
                     .n = batch_fc_images(e),
                     .k = c->in_channels,
                     .lda = batch_lda(runs[i].width),
                     .ldb = (int)x->apart,
                     .ldc = (int)y->apart,
                     .accumulate = true};
        const int many = emit_kernel(e, KERNEL_PLAIN, &gemm);
        gemm.n = 1;
        const int one = emit_kernel(e, KERNEL_PLAIN, &gemm);
        if (n == 2) line(body, 4, i ? "else" : "if (o < %d)", runs[i].to);
        line(body, 5, "k[%s].gemm(w, x, y, NULL, NULL, NULL);", emit_kernel_choice(e, "many", many, one));
    }
    close_fc_images(e, NULL, body);
    line(body, 1, "}");
    line(body, 1, "zeroupper();");
}

const char *emit_batch_conv(Emit *e, const Step *s, Text *body) {
    const BatchConv *c = batch_conv(s);
    (c->is_fc      ? emit_fc_result
     : c->shared   ? emit_winograd_shared
     : c->winograd ? emit_winograd_result
                   : emit_direct)(e, s, c, body);
    return batch_conv_name(e, c);
}
