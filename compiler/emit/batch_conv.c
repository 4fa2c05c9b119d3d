/* Training's convolutions (plan/batch_conv.c): weights packed anew, results, and the gradients of inputs and weights,
 * by GEMMs over rows of pixels or by Winograd's method.
 *
 * The gradient of the weights by Winograd's method is the adjoint of the forward pass: with V = B^T x B of a tile and
 * Z = A dY A^T of its results' gradient, M = sum over tiles of Z V^T, product by product, and dW = G^T M G.
 */
#include "batch.h"

#include "describe.h"
#include "plan/batch_conv.h"
#include "plan/step.h"
#include "reader.h"
#include "transform.h"

#include <string.h>

enum { PANEL = 64, FC_IMAGES = 16 };

static const char *name_of(const Emit *e, const BatchConv *c) {
    static const char *const kinds[] = {"", "_data", "_weights"};
    const Window *w = &c->window;
    const char *stride = w->stride_h > 1 && !c->is_fc ? arena_printf(e->arena, "_stride%d", w->stride_h) : "";
    return arena_printf(e->arena, "%s%dx%d%s_%dto%d_%dx%d%s%s", c->is_fc ? "batch_fc" : "batch_conv", w->r, w->s,
                        stride, c->x.c, c->y.c, c->y.h, c->y.w, kinds[c->kind], c->winograd ? "_f4" : "");
}

/* Output channels are computed a panel at a time: those of whole panels, then what is left, each with its own kernel.
 */
typedef struct PanelRun {
    int from, to, width;
} PanelRun;

static int panel_runs(int channels, PanelRun runs[2]) {
    const int whole = channels / PANEL * PANEL;
    int count = 0;
    if (whole) runs[count++] = (PanelRun){0, whole, PANEL};
    if (whole < channels) runs[count++] = (PanelRun){whole, channels, channels - whole};
    return count;
}

/* "for (int o = 0; o < 128; o += 64)" */
static void open_panels(const char *name, const PanelRun *run, int depth, const char *end, Text *body) {
    line(body, depth, "for (int %s = %d; %s < %d; %s += %d)%s", name, run->from, name, run->to, name, PANEL, end);
}

/* ---- matrices ---- */
/* A constant matrix, or its transpose, as a function of vectors. */
static const char *matrix_function(Emit *e, const char *name, const char *comment, const double *m, int stride,
                                   int rows, int columns, bool transposed) {
    double entries[RN_WINOGRAD_MAX][RN_WINOGRAD_MAX] = {{0}};
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) entries[i][j] = transposed ? m[j * stride + i] : m[i * stride + j];
    const Linear linear = linear_factor(entries, rows, columns);
    Text t = {0};
    emit_linear(e, &linear, &t);
    const char *function = emit_helper(e, name, comment, "const V *d, V *to, int step", t.s);
    text_free(&t);
    return function;
}

/* G g: 3 taps to 6 products; its transpose; A: 4 pixels to 6 products, the transpose of the output transform. */
static const char *kernel_function(Emit *e, const rn_winograd *f) {
    return matrix_function(e, "f4_r3_kernel", "F(4, 3) in one dimension: 3 taps to 6 products", &f->kernel[0][0],
                           RN_WINOGRAD_MAX, f->n, f->r, false);
}
static const char *kernel_adjoint(Emit *e, const rn_winograd *f) {
    return matrix_function(e, "f4_r3_kernel_adjoint", "Its transpose: 6 products to 3 taps", &f->kernel[0][0],
                           RN_WINOGRAD_MAX, f->r, f->n, true);
}
static const char *output_adjoint(Emit *e, const rn_winograd *f) {
    return matrix_function(e, "f4_r3_output_adjoint", "The output transform's transpose: 4 pixels to 6 products",
                           &f->output[0][0], RN_WINOGRAD_MAX, f->n, f->m, true);
}

/* ---- packing ---- */
/* Parameters are K x C/groups x R x S; what is packed is [group][tap or product][in][out], `out` in whole vectors.
 * Going back, in and out change places, and of Winograd's windows the taps are reversed. */
const char *emit_batch_pack(Emit *e, const Step *s, Text *body) {
    const BatchConv *c = s->detail;
    const bool data = c->kind == CONV_DATA;
    const int in = c->in_channels, out = c->out_channels, lda = batch_lda(out), taps = c->taps;
    const int channels = data ? out : in; /* of a filter */
    /* floats from one in, and one out, channel's weights to the next's */
    const int next_in = data ? channels * taps : taps, next_out = data ? taps : channels * taps;
    line(body, 1, "for (int i = slab_at(%d, part, parts); i < slab_at(%d, part + 1, parts); i++) {", c->groups * in,
         c->groups * in);
    if (c->merged)
        ; /* i is a channel of a pixel of the row */
    else if (c->groups > 1)
        line(body, 2, "const float *w = a->w + ((size_t)(i / %d) * %d + (size_t)(i %% %d) * %d);", in,
             c->y.c / c->groups * (c->x.c / c->groups) * taps, in, next_in);
    else
        line(body, 2, "const float *w = a->w + (size_t)i * %d;", next_in);
    if (c->merged) {
        const int pixel = in / c->window.s, filter = c->x.c * c->window.r * c->window.s;
        line(body, 2, "float *y = a->y + i * %d;", lda);
        line(body, 2, "for (int t = 0; t < %d; t++)", taps);
        line(body, 3, "for (int o = 0; o < %d; o++)", lda);
        line(body, 4, "y[t * %d + o] = o < %d && i %% %d < %d ? a->w[o * %d + (i %% %d * %d + t) * %d + i / %d] : 0;",
             in * lda, out, pixel, c->x.c, filter, pixel, c->window.r, c->window.s, pixel);
    } else if (!c->winograd) {
        line(body, 2, "float *y = a->y + (size_t)(i / %d) * %lld + (size_t)(i %% %d) * %d;", in,
             (long long)taps * in * lda, in, lda);
        line(body, 2, "for (int o = 0; o < %d; o++)", lda);
        line(body, 3, "for (int t = 0; t < %d; t++) y[(size_t)t * %lld + o] = o < %d ? w[(size_t)o * %d + t] : 0;",
             taps, (long long)in * lda, out, next_out);
    } else {
        const char *kernel = kernel_function(e, &c->f);
        const int n = c->f.n;
        line(body, 2, "for (int o = 0; o < %d; o += LANES) {", lda);
        line(body, 3, "float g[9][LANES];");
        line(body, 3, "for (int l = 0; l < LANES; l++)");
        line(body, 4, "for (int t = 0; t < 9; t++) g[t][l] = o + l < %d ? w[(size_t)(o + l) * %d + %s] : 0;", out,
             next_out, data ? "8 - t" : "t");
        line(body, 3, "V t[%d][3];", n);
        line(body, 3, "for (int j = 0; j < 3; j++) {");
        line(body, 4, "const V d[3] = {load(g[j]), load(g[3 + j]), load(g[6 + j])};");
        line(body, 4, "%s(d, &t[0][j], 3);", kernel);
        line(body, 3, "}");
        line(body, 3, "float *y = a->y + (size_t)i * %d + o;", lda);
        line(body, 3, "for (int r = 0; r < %d; r++) {", n);
        line(body, 4, "V u[%d];", n);
        line(body, 4, "%s(t[r], u, 1);", kernel);
        line(body, 4, "for (int j = 0; j < %d; j++) store(y + (size_t)(r * %d + j) * %lld, u[j]);", n, n,
             (long long)in * lda);
        line(body, 3, "}");
        line(body, 2, "}");
    }
    line(body, 1, "}");
    return arena_printf(e->arena, "%s_pack", name_of(e, c));
}

/* ---- direct sums ---- */
static void offsets(Text *body, int depth, const char *name, int count, const long long *bytes) {
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

/* One phase: its rows of results, each a GEMM over its taps; of a pointwise convolution all rows at once. */
static void emit_phase(Emit *e, const Step *s, const BatchConv *c, const PhaseLine *rows, const PhaseLine *columns,
                       bool joined, Text *body) {
    const Sliding *sl = &c->sliding;
    const Layout *x = &plan_value(e->plan, s->in[0])->layout, *y = &plan_value(e->plan, s->out)->layout;
    const int count = rows->count * columns->count, lda = batch_lda(c->out_channels);
    const int pixel = c->strip ? c->strip_pixel : x->pixel, step_w = c->merged ? 1 : sl->in_step_w;
    const int row = (c->strip ? c->strip_w : sl->source.w) * pixel;
    if (!rows->results || !columns->results) return;
    const char *at = arena_printf(e->arena, "y + (r * %d + %d) * %d + %d", sl->out_step_h, rows->phase, y->row,
                                  columns->phase * y->pixel);
    if (!count) { /* no window reaches these */
        line(body, 2, "for (int r = 0; r < %d; r++)", rows->results);
        line(body, 3, "for (int i = 0; i < %d; i++)", columns->results);
        line(body, 4, "for (int c = 0; c < %d; c++) (%s)[i * %d + c] = 0;", y->pixel, at, sl->out_step_w * y->pixel);
        return;
    }
    long long *w_at = arena_alloc(e->arena, sizeof *w_at * (size_t)count);
    long long *x_at = arena_alloc(e->arena, sizeof *x_at * (size_t)count);
    for (int i = 0; i < count; i++) {
        const int r = i / columns->count, q = i % columns->count;
        const int tap = rows->tap[r] * (c->merged ? 1 : c->window.s) + columns->tap[q];
        w_at[i] = 4LL * tap * c->in_channels * lda;
        x_at[i] = 4LL * ((long long)(rows->at[r] + sl->top) * row +
                         (long long)(c->merged ? 0 : columns->at[q] + sl->left) * pixel);
    }
    line(body, 2, "{");
    line(body, 3, "static const unsigned long long count = %d;", count);
    offsets(body, 3, "w_at", count, w_at);
    offsets(body, 3, "x_at", count, x_at);
    PanelRun runs[2];
    for (int i = 0, n = panel_runs(c->out_channels, runs); i < n; i++) {
        const Gemm gemm = {.m = runs[i].width,
                           .n = joined ? rows->results * columns->results : columns->results,
                           .k = c->in_channels,
                           .lda = lda,
                           .ldb = step_w * pixel,
                           .ldc = sl->out_step_w * y->pixel};
        const int kernel = emit_kernel(e, KERNEL_REDUCES, &gemm);
        const char *w = "a->w + o", *gx = "", *gy = "";
        if (c->groups > 1) {
            w = arena_printf(e->arena, "a->w + (size_t)g * %lld + o", (long long)c->taps * c->in_channels * lda);
            gx = arena_printf(e->arena, " + g * %d", c->in_channels);
            gy = arena_printf(e->arena, " + g * %d", c->out_channels);
            line(body, 3, "for (int g = 0; g < %d; g++)", c->groups);
        }
        open_panels("o", &runs[i], 3, "", body);
        line(body, 4, "for (int r = 0; r < %d; r++)", joined ? 1 : c->merged ? c->strip_rows : rows->results);
        line(body, 5, "k[%s].offs(%s, x + r * %d%s, %s + o%s, &count, w_at, x_at);", emit_kernel_index(e, kernel), w,
             sl->in_step_h * row, gx, at, gy);
    }
    line(body, 2, "}");
}

/* "(a, n, first, rows, to)": a copy of rows [first, first + rows) of image n, computed as it is read, with zeros around
 * it: `left` pixels before each row, which has `columns` in all. */
static const char *strip_function(Emit *e, const Reader *r, Shape shape, int pixel, int left, int columns) {
    Text b = {0};
    const int right = columns - left - shape.w, wide = right < 0 ? columns - left : shape.w;
    reader_image(e, r, 1, &b);
    line(&b, 1, "const int last = first + rows < %d ? first + rows : %d;", shape.h, shape.h);
    line(&b, 1, "for (int y = first; y < first + rows; y++) {");
    line(&b, 2, "float *row = to + (y - first) * %d;", columns * pixel);
    line(&b, 2, "const int inside = y >= 0 && y < %d;", shape.h);
    line(&b, 2, "for (int i = 0; i < (inside ? %d : %d); i++) row[i] = 0;", left * pixel, columns * pixel);
    if (right > 0)
        line(&b, 2, "for (int i = %d; inside && i < %d; i++) row[i] = 0;", (left + wide) * pixel, columns * pixel);
    line(&b, 1, "}");
    if (reader_is_stored(r)) {
        line(&b, 1, "for (int y = first > 0 ? first : 0; y < last; y++)");
        line(&b, 2, "memcpy(to + ((y - first) * %d + %d), x0 + y * %d, sizeof(float) * %d);", columns * pixel,
             left * pixel, shape.w * pixel, wide * pixel);
    } else {
        line(&b, 1, "for (int c = 0; c < %d; c += LANES) {", pixel);
        reader_channels(e, r, 2, &b);
        line(&b, 2, "for (int y = first > 0 ? first : 0; y < last; y++) {");
        line(&b, 3, "float *row = to + ((y - first) * %d + %d);", columns * pixel, left * pixel);
        line(&b, 3, "for (int i = c; i < %d + c; i += %d) {", wide * pixel, pixel);
        reader_load(e, r, arena_printf(e->arena, "y * %d + i", shape.w * pixel), 4, &b);
        line(&b, 4, "store(row + i, %s);", reader_value(e, r, 0));
        line(&b, 3, "}");
        line(&b, 2, "}");
        line(&b, 1, "}");
    }
    const char *name =
        emit_function(e, arena_printf(e->arena, "strip%s_%dx%dx%d", reader_name(e, r), shape.c, shape.h, shape.w),
                      "Rows of an image with zeros around it, computed as they are read", "void",
                      "const struct batch *a, int n, int first, int rows, float *to", b.s);
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
static void source_image(Emit *e, const BatchConv *c, const Sliding *sl, Text *body) {
    const Value *value = c->source->entry[c->source->root[0]].value;
    const int pixel = plan_value(e->plan, value)->layout.pixel;
    if (c->merged)
        line(body, 2, "%s(a, n, r0 * %d - %d, x);", windows_function(e, c, value, pixel), sl->in_step_h, sl->top);
    else if (c->strip)
        line(body, 2, "%s(a, n, %d, %d, x);", strip_function(e, c->source, value->shape, pixel, sl->left, c->strip_w),
             -sl->top, c->strip_h);
    else
        line(body, 2, "const float *x = %s;", batch_image(e, "x[0]", value));
}

static bool is_padded(const Sliding *s) {
    return s->top || s->left || s->bottom || s->right;
}

static void emit_direct(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const Sliding *sl = &c->sliding;
    const Layout *x = &plan_value(e->plan, s->in[0])->layout, *y = &plan_value(e->plan, s->out)->layout;
    line(body, 1, "const rn_kernel *k = a->k;");
    if (c->strip) line(body, 1, "float *x = a->scratch + (size_t)part * %lld;", scratch_floats(e));
    batch_images(body);
    line(body, 2, "for (int r0 = 0; r0 < %d; r0 += %d) {", c->sliding.result.h,
         c->merged ? c->strip_rows : c->sliding.result.h);
    source_image(e, c, sl, body);
    line(body, 2, "float *y = %s + r0 * %d;", batch_image(e, "y", s->out), y->row);
    const bool pointwise = c->taps == 1 && !is_padded(sl) && sl->in_step_h * sl->in_step_w == 1 &&
                           sl->out_step_h * sl->out_step_w == 1 && x->row == sl->source.w * x->pixel &&
                           y->row == sl->result.w * y->pixel;
    for (int i = 0; i < sl->out_step_h; i++)
        for (int j = 0; j < sl->out_step_w; j++) emit_phase(e, s, c, &sl->rows[i], &sl->columns[j], pointwise, body);
    line(body, 2, "zeroupper();");
    add_bias(e, s, arena_printf(e->arena, "%d", (c->merged ? c->strip_rows : sl->result.h) * sl->result.w), body);
    line(body, 2, "}");
    line(body, 1, "}");
}

/* ---- fully connected: the columns are images ---- */
/* A unit is a panel of the output channels of one tap's pixel: all images. */
static void emit_fc_result(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const ValuePlan *x = plan_value(e->plan, s->in[0]), *y = plan_value(e->plan, s->out);
    const int out = c->out_channels, lda = batch_lda(out), panels = divide_up(out, PANEL);
    const bool data = c->kind == CONV_DATA;
    const int pixels = data ? c->taps : 1; /* of the result */
    const long long tap = (long long)c->in_channels * lda;
    line(body, 1, "const rn_kernel *k = a->k;");
    line(body, 1, "for (int u = slab_at(%d, part, parts); u < slab_at(%d, part + 1, parts); u++) {", pixels * panels,
         pixels * panels);
    line(body, 2, "const int o = u %% %d * %d, p = u / %d;", panels, PANEL, panels);
    line(body, 2, "for (int n = 0; n < a->images;) {");
    line(body, 3, "const int many = n + %d <= a->images;", FC_IMAGES);
    line(body, 3, "const float *x = a->x[0] + (size_t)n * %lld, *w = a->w + (size_t)p * %lld + o;", (long long)x->apart,
         tap);
    line(body, 3, "float *y = a->y + (size_t)n * %lld + p * %d + o;", (long long)y->apart, y->layout.pixel);
    line(body, 3, "for (int i = 0; i < (many ? %d : 1); i++)", FC_IMAGES);
    line(body, 4, "for (int j = 0; j < %d && j < %d - o; j++) y[(size_t)i * %lld + j] = %s;", PANEL, out,
         (long long)y->apart, step_operand(s, OPERAND_BIAS) ? "a->bias[o + j]" : "0");
    line(body, 3, "for (int t = 0; t < %d; t++, w += %lld, x += %d)", data ? 1 : c->taps, tap, x->layout.pixel);
    PanelRun runs[2];
    const int n = panel_runs(out, runs);
    for (int i = 0; i < n; i++) {
        Gemm gemm = {.m = runs[i].width,
                     .n = FC_IMAGES,
                     .k = c->in_channels,
                     .lda = lda,
                     .ldb = (int)x->apart,
                     .ldc = (int)y->apart,
                     .accumulate = true};
        const int many = emit_kernel(e, KERNEL_PLAIN, &gemm);
        gemm.n = 1;
        const int one = emit_kernel(e, KERNEL_PLAIN, &gemm);
        if (n == 2) line(body, 4, i ? "else" : "if (o < %d)", runs[i].to);
        line(body, 5, "k[%s].gemm(w, x, y, NULL, NULL, NULL);", emit_kernel_choice(e, "many", many, one));
    }
    line(body, 3, "n += many ? %d : 1;", FC_IMAGES);
    line(body, 2, "}");
    line(body, 1, "}");
    line(body, 1, "zeroupper();");
}

/* ---- Winograd's method ---- */
/* Tiles are written out, row by row and column by column, so that no array is left in memory. */

/* "x -> V": one tile of the strip, `channels` of each pixel in whole vectors. */
static const char *tile_input(Emit *e, const BatchConv *c, int pixel, int channels) {
    const Transform t = emit_input_transform(e, &c->f);
    const int n = c->f.n;
    Text b = {0};
    line(&b, 1, "for (int c = 0; c < %d; c += LANES) {", channels);
    line(&b, 2, "V t[%d][%d];", n, n);
    for (int j = 0; j < n; j++) {
        text_printf(&b, "        {\n            const V d[%d] = {", n);
        for (int i = 0; i < n; i++)
            text_printf(&b, "%sload(x + (%d + c))", i ? ", " : "", (i * c->strip_w + j) * pixel);
        text_puts(&b, "};\n");
        line(&b, 3, "%s(d, &t[0][%d], %d);", t.function, j, n);
        line(&b, 2, "}");
    }
    for (int i = 0; i < n; i++) {
        line(&b, 2, "{");
        line(&b, 3, "V r[%d];", n);
        line(&b, 3, "%s(t[%d], r, 1);", t.function, i);
        for (int j = 0; j < n; j++) line(&b, 3, "store(v + (%d + c), r[%d]);", (i * n + j) * c->v_product, j);
        line(&b, 2, "}");
    }
    line(&b, 1, "}");
    const char *name = emit_function(e, arena_printf(e->arena, "%s_input", name_of(e, c)),
                                     "One tile's input transform: 6 x 6 pixels of the strip to 6 x 6 products", "void",
                                     "const float *x, float *v", b.s);
    text_free(&b);
    return name;
}

/* "M -> y": one tile, of which `rows` x `columns` pixels are inside. */
static const char *tile_output(Emit *e, const BatchConv *c, const Layout *y, int width) {
    const Transform t = emit_output_transform(e, &c->f);
    const int n = c->f.n, m = c->f.m;
    const bool ragged_h = c->sliding.result.h % m, ragged_w = c->sliding.result.w % m;
    Text b = {0};
    line(&b, 1, "for (int c = 0; c < %d; c += LANES) {", width);
    line(&b, 2, "V t[%d][%d];", m, n);
    for (int j = 0; j < n; j++) {
        text_printf(&b, "        {\n            const V d[%d] = {", n);
        for (int i = 0; i < n; i++) text_printf(&b, "%sload(m + (%d + c))", i ? ", " : "", (i * n + j) * c->m_product);
        text_puts(&b, "};\n");
        line(&b, 3, "%s(d, &t[0][%d], %d);", t.function, j, n);
        line(&b, 2, "}");
    }
    for (int i = 0; i < m; i++) {
        line(&b, 2, ragged_h && i ? "if (rows > %d) {" : "{", i);
        line(&b, 3, "V r[%d];", m);
        line(&b, 3, "%s(t[%d], r, 1);", t.function, i);
        for (int j = 0; j < m; j++)
            line(&b, 3, "%sstore(y + (%d + c), r[%d]);",
                 j && ragged_w ? arena_printf(e->arena, "if (columns > %d) ", j) : "", i * y->row + j * y->pixel, j);
        line(&b, 2, "}");
    }
    line(&b, 1, "}");
    if (!ragged_h) line(&b, 1, "(void)rows;");
    if (!ragged_w) line(&b, 1, "(void)columns;");
    const char *name = emit_function(
        e, arena_printf(e->arena, "%s_output", name_of(e, c)),
        "One tile's output transform: 6 x 6 products to the 4 x 4 pixels of which rows x columns are inside", "void",
        "const float *m, float *y, int rows, int columns", b.s);
    text_free(&b);
    return name;
}

/* "dy -> Z": the tiles of an image's gradient from row t0 of tiles on; zeros where they reach over the image. */
static const char *tile_gradients(Emit *e, const BatchConv *c, const Reader *r, const Layout *y) {
    const char *adjoint = output_adjoint(e, &c->f);
    const int n = c->f.n, m = c->f.m, last_h = c->y.h - (c->rows - 1) * m, last_w = c->y.w - (c->columns - 1) * m;
    const bool ragged_h = c->y.h % m, ragged_w = c->y.w % m;
    Text b = {0};
    reader_image(e, r, 1, &b);
    line(&b, 1, "for (int c = 0; c < %d; c += LANES) {", y->pixel);
    reader_channels(e, r, 2, &b);
    line(&b, 2, "for (int i = 0; i < rows * %d; i++) {", c->columns);
    line(&b, 3, "const int row = t0 + i / %d, column = i %% %d;", c->columns, c->columns);
    line(&b, 3, "const int high = row + 1 < %d ? %d : %d, wide = column + 1 < %d ? %d : %d;", c->rows, m, last_h,
         c->columns, m, last_w);
    line(&b, 3, "const int at = row * %d + column * %d + c;", m * y->row, m * y->pixel);
    line(&b, 3, "V t[%d][%d];", n, m);
    for (int j = 0; j < m; j++) {
        line(&b, 3, "{");
        for (int k = 0; k < m; k++) {
            const char *inside = ragged_h && k ? arena_printf(e->arena, "high > %d", k) : "";
            if (ragged_w && j) inside = arena_printf(e->arena, "%s%swide > %d", inside, *inside ? " && " : "", j);
            line(&b, 4, "V d%d = zero();", k);
            line(&b, 4, *inside ? "if (%s) {" : "{", inside);
            reader_load(e, r, arena_printf(e->arena, "at + %d", k * y->row + j * y->pixel), 5, &b);
            line(&b, 5, "d%d = %s;", k, reader_value(e, r, 0));
            line(&b, 4, "}");
        }
        line(&b, 4, "const V d[%d] = {d0, d1, d2, d3};", m);
        line(&b, 4, "%s(d, &t[0][%d], %d);", adjoint, j, m);
        line(&b, 3, "}");
    }
    line(&b, 3, "float *to = z + (size_t)i * %d + c;", batch_lda(c->out_channels));
    for (int k = 0; k < n; k++) {
        line(&b, 3, "{");
        line(&b, 4, "V w[%d];", n);
        line(&b, 4, "%s(t[%d], w, 1);", adjoint, k);
        for (int j = 0; j < n; j++) line(&b, 4, "store(to + %d, w[%d]);", (k * n + j) * c->m_product, j);
        line(&b, 3, "}");
    }
    if (!ragged_h) line(&b, 3, "(void)high;");
    if (!ragged_w) line(&b, 3, "(void)wide;");
    line(&b, 2, "}");
    line(&b, 1, "}");
    const char *name = emit_function(e, arena_printf(e->arena, "%s_z%s", name_of(e, c), reader_name(e, r)),
                                     "Tiles of the gradient: 4 x 4 pixels each to 6 x 6 products", "void",
                                     "const struct batch *a, int n, int t0, int rows, float *z", b.s);
    text_free(&b);
    return name;
}

/* Of a block: whose first image is n0 (and there are `images`), or whose first row of tiles is t0. Fills V from the
 * strips of the value in[0], then whatever `each` says of a tile. */
static void open_tiles(const BatchConv *c, Text *body) {
    line(body, 3, "for (int i = 0; i < rows * %d; i++) {", c->columns);
    line(body, 4, "const int row = i / %d, column = i %% %d;", c->columns, c->columns);
}

/* "rows" and "columns" of a tile that are inside an image of h x w. */
static void tile_inside(const BatchConv *c, int h, int w, Text *body) {
    const int m = c->f.m, last_h = h - (c->rows - 1) * m, last_w = w - (c->columns - 1) * m;
    line(body, 4, "const int high = t0 + row + 1 < %d ? %d : %d, wide = column + 1 < %d ? %d : %d;", c->rows, m, last_h,
         c->columns, m, last_w);
}

static void fill_v(Emit *e, const BatchConv *c, const Reader *source, Text *body) {
    const Value *value = source->entry[source->root[0]].value;
    const int pixel = plan_value(e->plan, value)->layout.pixel;
    line(body, 3, "%s(a, n, t0 * %d - 1, rows * %d + 2, edge);",
         strip_function(e, source, value->shape, pixel, 1, c->strip_w), c->f.m, c->f.m);
    open_tiles(c, body);
    line(body, 4, "%s(edge + (row * %d + column * %d), v + (size_t)(tile + i) * %d);", tile_input(e, c, pixel, pixel),
         c->f.m * c->strip_w * pixel, c->f.m * pixel, batch_lda(c->in_channels));
    line(body, 3, "}");
}

static void scratch_places(Emit *e, const BatchConv *c, const char *m, Text *body) {
    line(body, 1, "float *v = a->scratch + (size_t)part * %lld, *%s = v + %lld, *edge = v + %lld;", scratch_floats(e),
         m, (long long)c->m_at, (long long)c->strip_at);
}

/* Opens the loop over the images of a block from image n0 on, of which `left` are there: n, t0, rows, tile. */
static void open_block_images(const BatchConv *c, const char *end, Text *body) {
    line(body, 2, "for (int n = n0, tile = 0; n < n0 + %d && n < %s; n++, tile += %d) {", c->images, end,
         c->tile_rows * c->columns);
}

static void emit_winograd_result(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const ValuePlan *y = plan_value(e->plan, s->out);
    const int groups = divide_up(c->rows, c->tile_rows), out = c->out_channels, lda = batch_lda(out), n = c->f.n;
    line(body, 1, "const rn_kernel *k = a->k;");
    scratch_places(e, c, "m", body);
    line(body, 1, "const int blocks = (a->images + %d) / %d * %d;", c->images - 1, c->images, groups);
    line(body, 1, "for (int u = slab_at(blocks, part, parts); u < slab_at(blocks, part + 1, parts); u++) {");
    line(body, 2, "const int n0 = u / %d * %d, t0 = u %% %d * %d;", groups, c->images, groups, c->tile_rows);
    line(body, 2, "const int rows = t0 + %d < %d ? %d : %d - t0;", c->tile_rows, c->rows, c->tile_rows, c->rows);
    open_block_images(c, "a->images", body);
    fill_v(e, c, c->source, body);
    line(body, 2, "}");
    PanelRun runs[2];
    for (int i = 0, count = panel_runs(out, runs); i < count; i++) {
        const int width = runs[i].width;
        const Gemm gemm = {.m = width,
                           .n = c->tiles,
                           .k = c->in_channels,
                           .lda = lda,
                           .ldb = batch_lda(c->in_channels),
                           .ldc = lda < PANEL ? lda : PANEL};
        const int kernel = emit_kernel(e, KERNEL_PLAIN, &gemm);
        open_panels("o", &runs[i], 2, " {", body);
        line(body, 3, "for (int i = 0; i < %d; i++)", n * n);
        line(body, 4,
             "k[%s].gemm(a->w + (size_t)i * %lld + o, v + (size_t)i * %d, m + (size_t)i * %d, NULL, NULL, NULL);",
             emit_kernel_index(e, kernel), (long long)c->in_channels * lda, c->v_product, c->m_product);
        line(body, 3, "zeroupper();");
        text_puts(body, "    ");
        open_block_images(c, "a->images", body);
        text_puts(body, "    ");
        line(body, 3, "float *y = a->y + (size_t)n * %lld + o;", (long long)y->apart);
        open_tiles(c, body);
        tile_inside(c, c->sliding.result.h, c->sliding.result.w, body);
        line(body, 4, "%s(m + (size_t)(tile + i) * %d, y + ((t0 + row) * %d + column * %d), high, wide);",
             tile_output(e, c, &y->layout, round_up(width, VECTOR)), gemm.ldc, c->f.m * y->layout.row,
             c->f.m * y->layout.pixel);
        line(body, 4, "}");
        line(body, 3, "}");
        line(body, 2, "}");
    }
    line(body, 1, "}");
    if (!step_operand(s, OPERAND_BIAS)) return;
    bug("%s: a bias after Winograd's method", s->name);
}

/* V or Z of all tiles of the batch; an image goes to one thread. Of the weights' gradient, tiles of images that are not
 * there, but belong to a chunk of those that are, count nothing. */
const char *emit_batch_transform(Emit *e, const Step *s, Text *body) {
    const BatchTransform *t = s->detail;
    const BatchConv *c = t->conv;
    const int image = c->rows * c->columns, lda = batch_lda(t->gradient ? c->out_channels : c->in_channels);
    const int product = t->gradient ? c->m_product : c->v_product;
    const char *images = c->kind == CONV_WEIGHTS && c->chunk > 1
                             ? arena_printf(e->arena, "(a->images + %d) / %d * %d", c->chunk - 1, c->chunk, c->chunk)
                             : "a->images";
    if (!t->gradient) line(body, 1, "float *edge = a->scratch + (size_t)part * %lld;", scratch_floats(e));
    line(body, 1, "const int images = %s, t0 = 0, rows = %d;", images, c->rows);
    line(body, 1, "for (int n = slab_at(images, part, parts); n < slab_at(images, part + 1, parts); n++) {");
    line(body, 2, "const int tile = n * %d;", image);
    line(body, 2, "float *%s = a->y;", t->gradient ? "z" : "v");
    if (c->kind == CONV_WEIGHTS && c->chunk > 1) {
        line(body, 2, "if (n >= a->images) {");
        line(body, 3, "for (int p = 0; p < %d; p++)", c->f.n * c->f.n);
        line(body, 4, "for (int i = 0; i < %d; i++) %s[(size_t)p * %d + (size_t)tile * %d + i] = 0;", image * lda,
             t->gradient ? "z" : "v", product, lda);
        line(body, 3, "continue;");
        line(body, 2, "}");
    }
    if (t->gradient)
        line(body, 2, "%s(a, n, t0, rows, z + (size_t)tile * %d);",
             tile_gradients(e, c, t->reader, &plan_value(e->plan, t->reader->entry[t->reader->root[0]].value)->layout),
             lda);
    else
        fill_v(e, c, t->reader, body);
    line(body, 1, "}");
    return arena_printf(e->arena, "%s_%s%s", name_of(e, c), t->gradient ? "z" : "v", reader_name(e, t->reader));
}

/* A unit is a panel of results and a block of tiles. */
static void emit_winograd_shared(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const ValuePlan *y = plan_value(e->plan, s->out);
    const int out = c->out_channels, lda = batch_lda(out), n = c->f.n, image = c->rows * c->columns;
    const int panels = divide_up(out, PANEL);
    line(body, 1, "const rn_kernel *k = a->k;");
    line(body, 1, "float *m = a->scratch + (size_t)part * %lld;", scratch_floats(e));
    line(body, 1, "const int all = a->images * %d, blocks = (all + %d) / %d;", image, c->tiles - 1, c->tiles);
    line(body, 1, "for (int u = slab_at(%d * blocks, part, parts); u < slab_at(%d * blocks, part + 1, parts); u++) {",
         panels, panels);
    line(body, 2, "const int o = u / blocks * %d, first = u %% blocks * %d;", PANEL, c->tiles);
    PanelRun runs[2];
    const int count = panel_runs(out, runs);
    int kernels[2];
    for (int i = 0; i < count; i++) {
        const Gemm gemm = {.m = runs[i].width,
                           .n = c->tiles,
                           .k = c->in_channels,
                           .lda = lda,
                           .ldb = batch_lda(c->in_channels),
                           .ldc = PANEL};
        kernels[i] = emit_kernel(e, KERNEL_PLAIN, &gemm);
    }
    line(body, 2, "const rn_gemm_fn multiply = k[%s].gemm;",
         count == 2 ? emit_kernel_choice(e, arena_printf(e->arena, "o < %d", runs[0].to), kernels[0], kernels[1])
                    : emit_kernel_index(e, kernels[0]));
    line(body, 2, "for (int i = 0; i < %d; i++)", n * n);
    line(body, 3,
         "multiply(a->w + (size_t)i * %lld + o, a->x[0] + (size_t)i * %d + (size_t)first * %d, m + (size_t)i * "
         "%d, NULL, NULL, NULL);",
         (long long)c->in_channels * lda, c->v_product, batch_lda(c->in_channels), c->m_product);
    line(body, 2, "zeroupper();");
    line(body, 2, "for (int i = first; i < first + %d && i < all; i++) {", c->tiles);
    line(body, 3, "const int n = i / %d, t0 = 0, row = i %% %d / %d, column = i %% %d;", image, image, c->columns,
         c->columns);
    line(body, 3, "float *y = a->y + (size_t)n * %lld + o;", (long long)y->apart);
    tile_inside(c, c->sliding.result.h, c->sliding.result.w, body);
    for (int i = 0; i < count; i++) {
        if (count == 2) line(body, 3, i ? "else" : "if (o < %d)", runs[i].to);
        line(body, 4, "%s(m + (size_t)(i - first) * %d, y + ((t0 + row) * %d + column * %d), high, wide);",
             tile_output(e, c, &y->layout, round_up(runs[i].width, VECTOR)), PANEL, c->f.m * y->layout.row,
             c->f.m * y->layout.pixel);
    }
    line(body, 2, "}");
    line(body, 1, "}");
}

const char *emit_batch_conv(Emit *e, const Step *s, Text *body) {
    const BatchConv *c = batch_conv(s);
    (c->is_fc      ? emit_fc_result
     : c->shared   ? emit_winograd_shared
     : c->winograd ? emit_winograd_result
                   : emit_direct)(e, s, c, body);
    return name_of(e, c);
}

/* ---- the gradient of the weights ---- */
/* m x n GEMMs of panels: out[c][k] += sum over pixels of dy[pixel][k] * x[pixel][c]; `depth` pixels. The loops over
 * panels of both; `to` and `from`s get "+ o" and "+ i". */
static void weight_panels(Emit *e, int in, int out, Gemm gemm, const char *call, int depth, Text *body) {
    PanelRun outs[2], ins[2];
    const int out_runs = panel_runs(out, outs), in_runs = panel_runs(in, ins);
    for (int i = 0; i < out_runs * in_runs; i++) {
        const PanelRun *o = &outs[i / in_runs], *c = &ins[i % in_runs];
        gemm.m = o->width, gemm.n = c->width;
        const int kernel = emit_kernel(e, strstr(call, "count") ? KERNEL_REDUCES : KERNEL_PLAIN, &gemm);
        open_panels("o", o, depth, "", body);
        open_panels("i", c, depth + 1, "", body);
        line(body, depth + 2, "k[%s].%s", emit_kernel_index(e, kernel), call);
    }
}

static void emit_weights_winograd(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const ValuePlan *y = plan_value(e->plan, s->in[1]);
    const int in = c->in_channels, out = c->out_channels, lda = batch_lda(out), n = c->f.n;
    const int groups = divide_up(c->rows, c->tile_rows);
    line(body, 2, "for (int n0 = first; n0 < last; n0 += %d)", c->images);
    line(body, 2, "for (int t0 = 0; t0 < %d; t0 += %d) {", c->rows, c->tile_rows);
    line(body, 2, "const int rows = t0 + %d < %d ? %d : %d - t0;", c->tile_rows, c->rows, c->tile_rows, c->rows);
    /* what is not there counts nothing */
    line(body, 2, "if (n0 + %d > last || rows < %d)", c->images, c->tile_rows);
    line(body, 3, "for (int i = 0; i < %lld; i++) z[i] = v[i] = 0;",
         (long long)n * n * (c->v_product < c->m_product ? c->v_product : c->m_product));
    if (c->v_product != c->m_product) {
        line(body, 2, "if (n0 + %d > last || rows < %d)", c->images, c->tile_rows);
        line(body, 3, "for (int i = %lld; i < %lld; i++) %s[i] = 0;",
             (long long)n * n * (c->v_product < c->m_product ? c->v_product : c->m_product),
             (long long)n * n * (c->v_product < c->m_product ? c->m_product : c->v_product),
             c->v_product < c->m_product ? "z" : "v");
    }
    open_block_images(c, "last", body);
    fill_v(e, c, c->source, body);
    line(body, 3, "%s(a, n, t0, rows, z + (size_t)tile * %d);", tile_gradients(e, c, c->gradient, &y->layout), lda);
    line(body, 2, "}");
    const Gemm gemm = {
        .k = c->tiles, .lda = lda, .ldb = batch_lda(in), .ldc = lda, .accumulate = true, .transposed = true};
    line(body, 2, "for (int p = 0; p < %d; p++) {", n * n);
    weight_panels(
        e, in, out, gemm,
        arena_printf(e->arena,
                     "gemm(z + (size_t)p * %d + o, v + (size_t)p * %d + i, to + (size_t)p * %lld + (size_t)i * "
                     "%d + o, NULL, NULL, NULL);",
                     c->m_product, c->v_product, (long long)in * lda, lda),
        3, body);
    line(body, 2, "}");
    line(body, 2, "zeroupper();");
    line(body, 2, "}");
    (void)groups;
}

static void emit_weights_direct(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const ValuePlan *x = plan_value(e->plan, s->in[0]), *y = plan_value(e->plan, s->in[1]);
    const Sliding *sl = &c->sliding;
    const int in = c->in_channels, out = c->out_channels, lda = batch_lda(out);
    const int pixel = c->strip ? c->strip_pixel : x->layout.pixel, step_w = c->merged ? 1 : c->window.stride_w;
    const int row = (c->strip ? c->strip_w : c->x.w) * pixel;
    const bool joined = c->taps == 1 && !is_padded(sl) && c->window.stride_h == 1 && c->window.stride_w == 1;
    const int count = joined ? 1 : c->strip_rows;
    long long *x_at = arena_alloc(e->arena, sizeof *x_at * (size_t)count);
    long long *y_at = arena_alloc(e->arena, sizeof *y_at * (size_t)count);
    for (int r = 0; r < count; r++) x_at[r] = 4LL * r * c->window.stride_h * row, y_at[r] = 4LL * r * y->layout.row;
    line(body, 2, "static const unsigned long long count = %d;", count);
    offsets(body, 2, "x_at", count, x_at);
    offsets(body, 2, "y_at", count, y_at);
    line(body, 2, "for (int n = first; n < last; n++)");
    line(body, 2, "for (int r0 = 0; r0 < %d; r0 += %d) {", c->y.h, c->strip_rows);
    source_image(e, c, sl, body);
    if (reader_is_stored(c->gradient))
        line(body, 2, "const float *y = %s + r0 * %d;",
             batch_image(e, arena_printf(e->arena, "x[%d]", c->gradient->entry[0].x), s->in[1]), y->layout.row);
    else
        line(body, 2, "%s(a, n, r0, %d, y);", strip_function(e, c->gradient, c->y, y->layout.pixel, 0, c->y.w),
             c->strip_rows);
    if (c->groups > 1) line(body, 2, "for (int g = 0; g < %d; g++)", c->groups);
    line(body, 2, "for (int r = 0; r < %d; r++)", c->window.r);
    const int across = c->merged ? 1 : c->window.s;
    line(body, 3, "for (int q = 0; q < %d; q++) {", across);
    line(body, 4, "const float *at = x + (r * %d + q * %d%s);", c->window.dilate_h * row, c->window.dilate_w * pixel,
         c->groups > 1 ? arena_printf(e->arena, " + g * %d", in) : "");
    const char *group = c->groups > 1 ? arena_printf(e->arena, "g * %d + ", c->taps) : "";
    line(body, 4, "float *tap = to + (size_t)(%sr * %d + q) * %lld;", group, across, (long long)in * lda);
    const Gemm gemm = {.k = joined ? c->y.h * c->y.w : c->y.w,
                       .lda = y->layout.pixel,
                       .ldb = step_w * pixel,
                       .ldc = lda,
                       .accumulate = true,
                       .transposed = true};
    weight_panels(e, in, out, gemm,
                  arena_printf(e->arena, "offs(y + %so, at + i, tap + (size_t)i * %d + o, &count, y_at, x_at);",
                               c->groups > 1 ? arena_printf(e->arena, "g * %d + ", out) : "", lda),
                  4, body);
    line(body, 3, "}");
    line(body, 2, "}");
    line(body, 2, "zeroupper();");
}

/* A unit is a panel of the input channels of a pixel: all images. */
static void emit_weights_fc(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const ValuePlan *x = plan_value(e->plan, s->in[0]), *y = plan_value(e->plan, s->in[1]);
    const int in = c->in_channels, out = c->out_channels, lda = batch_lda(out);
    line(body, 1, "const rn_kernel *k = a->k;");
    line(body, 1, "for (int t = slab_at(%d, part, parts); t < slab_at(%d, part + 1, parts); t++) {", c->taps, c->taps);
    line(body, 2, "float *tap = a->y + (size_t)t * %lld;", (long long)in * lda);
    line(body, 2, "for (int i = 0; i < %lld; i++) tap[i] = 0;", (long long)in * lda);
    line(body, 2, "for (int n = 0; n < a->images;) {");
    line(body, 3, "const int many = n + %d <= a->images;", FC_IMAGES);
    line(body, 3, "const float *x = a->x[0] + (size_t)n * %lld + t * %d, *y = a->x[1] + (size_t)n * %lld;",
         (long long)x->apart, x->layout.pixel, (long long)y->apart);
    Gemm gemm = {
        .k = FC_IMAGES, .lda = (int)y->apart, .ldb = (int)x->apart, .ldc = lda, .accumulate = true, .transposed = true};
    const char *call = arena_printf(e->arena, "gemm(y + o, x + i, tap + (size_t)i * %d + o, NULL, NULL, NULL);", lda);
    line(body, 3, "if (many) {");
    weight_panels(e, in, out, gemm, call, 4, body);
    line(body, 3, "} else {");
    gemm.k = 1;
    weight_panels(e, in, out, gemm, call, 4, body);
    line(body, 3, "}");
    line(body, 3, "n += many ? %d : 1;", FC_IMAGES);
    line(body, 2, "}");
    line(body, 1, "}");
    line(body, 1, "zeroupper();");
}

/* A unit is a product and a panel of both; its sum over all tiles stays in registers. */
static void emit_weights_shared(Emit *e, const Step *s, const BatchConv *c, Text *body) {
    const int in = c->in_channels, out = c->out_channels, lda = batch_lda(out), in_lda = batch_lda(in);
    const int products = c->f.n * c->f.n, depth = c->chunk * c->rows * c->columns;
    const int chunks = (int)(c->all_tiles / depth), panels = divide_up(out, PANEL) * divide_up(in, PANEL);
    long long *x_at = arena_alloc(e->arena, sizeof *x_at * (size_t)chunks);
    long long *y_at = arena_alloc(e->arena, sizeof *y_at * (size_t)chunks);
    for (int i = 0; i < chunks; i++) x_at[i] = 4LL * i * depth * in_lda, y_at[i] = 4LL * i * depth * lda;
    offsets(body, 1, "x_at", chunks, x_at);
    offsets(body, 1, "z_at", chunks, y_at);
    line(body, 1, "const rn_kernel *k = a->k;");
    line(body, 1, "const unsigned long long count = (unsigned long long)(a->images + %d) / %d;", c->chunk - 1,
         c->chunk);
    line(body, 1, "for (int u = slab_at(%d, part, parts); u < slab_at(%d, part + 1, parts); u++) {", products * panels,
         products * panels);
    line(body, 2, "const int p = u / %d, o = u %% %d / %d * %d, i = u %% %d * %d;", panels, panels,
         divide_up(in, PANEL), PANEL, divide_up(in, PANEL), PANEL);
    PanelRun outs[2], ins[2];
    const int out_runs = panel_runs(out, outs), in_runs = panel_runs(in, ins);
    Gemm gemm = {.k = depth, .lda = lda, .ldb = in_lda, .ldc = lda, .transposed = true};
    for (int r = 0; r < out_runs * in_runs; r++) {
        const PanelRun *o = &outs[r / in_runs], *c_run = &ins[r % in_runs];
        gemm.m = o->width, gemm.n = c_run->width;
        const int kernel = emit_kernel(e, KERNEL_REDUCES, &gemm);
        if (out_runs * in_runs > 1)
            line(body, 2, "if (o >= %d && o < %d && i >= %d && i < %d)", o->from, o->to, c_run->from, c_run->to);
        line(body, 3,
             "k[%s].offs(a->x[1] + (size_t)p * %d + o, a->x[0] + (size_t)p * %d + i, a->y + (size_t)p * %lld + "
             "(size_t)i * "
             "%d + o, &count, z_at, x_at);",
             emit_kernel_index(e, kernel), c->m_product, c->v_product, (long long)in * lda, lda);
    }
    line(body, 1, "}");
    line(body, 1, "zeroupper();");
    (void)s;
}

const char *emit_batch_weights(Emit *e, const Step *s, Text *body) {
    const BatchConv *c = batch_conv(s);
    if (c->shared) {
        emit_weights_shared(e, s, c, body);
        return name_of(e, c);
    }
    if (c->is_fc) {
        emit_weights_fc(e, s, c, body);
        return name_of(e, c);
    }
    line(body, 1, "const rn_kernel *k = a->k;");
    if (c->winograd)
        scratch_places(e, c, "z", body);
    else if (c->strip)
        line(body, 1, "float *x = a->scratch + (size_t)part * %lld;", scratch_floats(e));
    if (!c->winograd && !reader_is_stored(c->gradient))
        line(body, 1, "float *y = a->scratch + (size_t)part * %lld + %lld;", scratch_floats(e),
             (long long)c->gradient_at);
    line(body, 1, "for (int s = slab_at(%d, part, parts); s < slab_at(%d, part + 1, parts); s++) {", c->slabs,
         c->slabs);
    line(body, 2, "const int first = slab_at(a->images, s, %d), last = slab_at(a->images, s + 1, %d);", c->slabs,
         c->slabs);
    line(body, 2, "float *to = a->y + (size_t)s * %lld;", (long long)c->slab);
    line(body, 2, "for (size_t i = 0; i < %lld; i++) to[i] = 0;", (long long)c->slab);
    (c->winograd ? emit_weights_winograd : emit_weights_direct)(e, s, c, body);
    line(body, 1, "}");
    return name_of(e, c);
}

/* The slabs' sum, in the order of the parameter, divided by the number of images. */
const char *emit_batch_gradient(Emit *e, const Step *s, Text *body) {
    const BatchConv *c = s->detail;
    const int in = c->in_channels, out = c->out_channels, lda = batch_lda(out), taps = c->taps;
    const long long matrix = (long long)in * lda;
    line(body, 1, "const V share = set1(1.0f / (float)a->images);");
    line(body, 1, "for (int i = slab_at(%d, part, parts); i < slab_at(%d, part + 1, parts); i++)", c->groups * in,
         c->groups * in);
    line(body, 2, "for (int o = 0; o < %d; o += LANES) {", out);
    line(body, 3, "float sums[%d][LANES];", taps);
    if (c->winograd) {
        const char *adjoint = kernel_adjoint(e, &c->f);
        const int n = c->f.n;
        line(body, 3, "const float *x = a->x[0] + (size_t)i * %d + o;", lda);
        line(body, 3, "V t[3][%d];", n);
        line(body, 3, "for (int j = 0; j < %d; j++) {", n);
        text_printf(body, "                const V d[%d] = {", n);
        for (int r = 0; r < n; r++)
            text_printf(body, "%stree_%d(x + (size_t)(%d + j) * %lld, %lld)", r ? ", " : "", c->slabs, r * n, matrix,
                        (long long)c->slab);
        text_puts(body, "};\n");
        line(body, 4, "%s(d, &t[0][j], %d);", adjoint, n);
        line(body, 3, "}");
        line(body, 3, "for (int r = 0; r < 3; r++) {");
        line(body, 4, "V w[3];");
        line(body, 4, "%s(t[r], w, 1);", adjoint);
        line(body, 4, "for (int j = 0; j < 3; j++) store(sums[r * 3 + j], mul(w[j], share));");
        line(body, 3, "}");
    } else {
        line(body, 3, "const float *x = a->x[0] + (size_t)(i / %d) * %lld + (size_t)(i %% %d) * %d + o;", in,
             taps * matrix, in, lda);
        line(body, 3, "for (int t = 0; t < %d; t++)", taps);
        line(body, 4, "store(sums[t], mul(tree_%d(x + (size_t)t * %lld, %lld), share));", c->slabs, matrix,
             (long long)c->slab);
    }
    if (c->merged) {
        const int pixel = in / c->window.s;
        line(body, 3, "for (int l = 0; l < LANES && o + l < %d && i %% %d < %d; l++)", out, pixel, c->x.c);
        line(body, 4, "for (int t = 0; t < %d; t++)", taps);
        line(body, 5, "a->g[(o + l) * %d + (i %% %d * %d + t) * %d + i / %d] = sums[t][l];",
             c->x.c * c->window.r * c->window.s, pixel, c->window.r, c->window.s, pixel);
        line(body, 2, "}");
        return arena_printf(e->arena, "%s_sum", name_of(e, c));
    }
    line(body, 3, "for (int l = 0; l < LANES && o + l < %d; l++)", out);
    line(body, 4, "for (int t = 0; t < %d; t++)", taps);
    line(body, 5, "a->g[((size_t)(i / %d * %d + o + l) * %d + i %% %d) * %d + t] = sums[t][l];", in, out, in, in, taps);
    line(body, 2, "}");
    return arena_printf(e->arena, "%s_sum", name_of(e, c));
}
