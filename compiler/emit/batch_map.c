/* Training's passes over whole values: operations of each element, copies of parts, pools, the loss; and the sums over
 * a batch (batch.h in c/). An image goes to one thread. */
#include "batch.h"

#include "describe.h"
#include "graph/act.h"
#include "graph/ops.h"
#include "plan/step.h"
#include "reader.h"
#include "plan/training.h"

#include <math.h>
#include <string.h>

static const Layout *layout_of(const Emit *e, const Value *v) {
    return &plan_value(e->plan, v)->layout;
}

const char *batch_image(const Emit *e, const char *member, const Value *value) {
    const long long apart = plan_value(e->plan, value)->apart;
    return apart ? arena_printf(e->arena, "a->%s + (size_t)n * %lld", member, apart)
                 : arena_printf(e->arena, "a->%s", member);
}

void batch_images(Text *body) {
    line(body, 1, "for (int n = slab_at(a->images, part, parts); n < slab_at(a->images, part + 1, parts); n++) {");
}

const char *batch_slabs(const Emit *e, int slabs) {
    const int each = train_group_slabs(e->plan, slabs);
    if (!e->plan->training->ranks) return arena_printf(e->arena, "%d", slabs);
    return each == 1 ? "a->t->groups" : arena_printf(e->arena, "%d * a->t->groups", each);
}

const char *batch_all_images(const Emit *e) {
    return e->plan->training->ranks ? "a->t->images" : "a->images";
}

/* "normalise_relu_16x32x32" */
static const char *name_of(const Emit *e, const Step *s) {
    const char *word = op_info(s->node->op)->word;
    const Shape shape = s->nin ? s->in[0]->shape : s->out->shape;
    if (*word == '.') word++;
    return arena_printf(e->arena, "batch_%s_%dx%dx%d", word, shape.c, shape.h, shape.w);
}

const char *emit_batch_input(Emit *e, const Step *s, Text *body) {
    const Shape shape = s->out->shape;
    const int pixels = shape.h * shape.w, pixel = layout_of(e, s->out)->pixel;
    batch_images(body);
    line(body, 2, "const float *x = a->x[0] + (size_t)n * %d;", shape.c * pixels);
    line(body, 2, "float *y = %s;", batch_image(e, "y", s->out));
    line(body, 2, "for (int i = 0; i < %d; i++)", pixels);
    line(body, 3, "for (int c = 0; c < %d; c++) y[i * %d + c] = x[c * %d + i];", shape.c, pixel, pixels);
    line(body, 1, "}");
    return arena_printf(e->arena, "batch_input_%dx%dx%d", shape.c, shape.h, shape.w);
}

/* ---- each element ---- */
/* A vector of channels after another goes through some rows of an image at a time, at least LEAST_PIXELS, so that the
 * lines beside each other are read while they are at hand. */
enum { ROWS_BYTES = 64 << 10, LEAST_PIXELS = 32, MOST_KEPT = 16 << 10 /* sums of an image on the stack */ };

int batch_rows_at_once(Shape shape, int pixel) {
    const int64_t row = (int64_t)sizeof(float) * shape.w * pixel;
    int rows = divide_up(LEAST_PIXELS, shape.w);
    if (rows * row < ROWS_BYTES) rows = (int)(ROWS_BYTES / row);
    return rows < shape.h ? divide_up(shape.h, divide_up(shape.h, rows)) : shape.h; /* evenly */
}

/* Opens "for (int r = 0; ...)" where it is not the whole image; -> where the rows begin and where they end, floats. */
static const char *open_rows(const Emit *e, Shape shape, int pixel, int depth, const char **end, Text *body) {
    const int rows = batch_rows_at_once(shape, pixel), row = shape.w * pixel;
    *end = arena_printf(e->arena, "%d", shape.h * row);
    if (rows == shape.h) return "";
    line(body, depth, "for (int r = 0; r < %d; r += %d)", shape.h, rows);
    *end = shape.h % rows
               ? arena_printf(e->arena, "(r + %d < %d ? r + %d : %d) * %d", rows, shape.h, rows, shape.h, row)
               : arena_printf(e->arena, "(r + %d) * %d", rows, row);
    return arena_printf(e->arena, "r * %d + ", row);
}

const char *emit_batch_map(Emit *e, const Step *s, Text *body) {
    const Reader *r = s->detail;
    const Shape shape = s->out->shape;
    const int pixel = layout_of(e, s->out)->pixel;
    batch_images(body);
    reader_image(e, r, 2, body);
    line(body, 2, "float *y = %s;", batch_image(e, "y", s->out));
    const char *end, *from = open_rows(e, shape, pixel, 2, &end, body);
    line(body, 2, "for (int c = 0; c < %d; c += LANES) {", pixel);
    reader_channels(e, r, 3, body);
    line(body, 3, "for (int i = %sc; i < %s + c; i += %d) {", from, end, pixel);
    reader_load(e, r, "i", 4, body);
    line(body, 4, "store(y + i, %s);", reader_value(e, r, 0));
    line(body, 3, "}");
    line(body, 2, "}");
    line(body, 1, "}");
    return arena_printf(e->arena, "batch%s_%dx%dx%d", reader_name(e, r), shape.c, shape.h, shape.w);
}

/* A sum of values that differ in size: zeros beyond the smaller one's channels, rows and columns. */
static const char *filled_sum(Emit *e, const Step *s, Text *body) {
    const Shape out = s->out->shape;
    const Layout *y = layout_of(e, s->out);
    batch_images(body);
    line(body, 2, "float *y = %s;", batch_image(e, "y", s->out));
    line(body, 2, "for (int i = 0; i < %d; i++) y[i] = 0;", out.h * y->row);
    for (int i = 0; i < 2; i++) {
        const Shape in = s->in[i]->shape;
        const Layout *x = layout_of(e, s->in[i]);
        line(body, 2, "const float *x%d = %s;", i, batch_image(e, i ? "x[1]" : "x[0]", s->in[i]));
        line(body, 2, "for (int r = 0; r < %d; r++)", in.h);
        line(body, 3, "for (int i = 0; i < %d; i++)", in.w);
        line(body, 4, "for (int c = 0; c < %d; c++) y[r * %d + i * %d + c] += x%d[r * %d + i * %d + c];", in.c, y->row,
             y->pixel, i, x->row, x->pixel);
    }
    line(body, 1, "}");
    return arena_printf(e->arena, "batch_add_filled_%dx%dx%d", out.c, out.h, out.w);
}

/* A sum or product of a value and one number for each pixel, or for all. */
static const char *beside_pixels(Emit *e, const Step *s, Text *body) {
    const Shape shape = s->in[0]->shape;
    const int pixel = layout_of(e, s->in[0])->pixel;
    const bool pixels = node_broadcast(s->node) == BROADCAST_PIXELS;
    const char *word = s->node->op == OP_MUL ? "mul" : "add";
    batch_images(body);
    line(body, 2, "const float *x = %s;", batch_image(e, "x[0]", s->in[0]));
    line(body, 2, "const float *x1 = %s;", batch_image(e, "x[1]", s->in[1]));
    line(body, 2, "float *y = %s;", batch_image(e, "y", s->out));
    line(body, 2, "for (int i = 0; i < %d; i++) {", shape.h * shape.w);
    line(body, 3, "const V second = set1(x1[%s]);",
         pixels ? arena_printf(e->arena, "i * %d", layout_of(e, s->in[1])->pixel) : "0");
    line(body, 3, "for (int c = i * %d; c < (i + 1) * %d; c += LANES) store(y + c, %s(load(x + c), second));", pixel,
         pixel, word);
    line(body, 2, "}");
    line(body, 1, "}");
    return arena_printf(e->arena, "batch_%s_%s_%dx%dx%d", word, pixels ? "pixels" : "one", shape.c, shape.h, shape.w);
}

/* Sums of an image's numbers, or products, for each pixel, or of all: rows in vectors, their sums in double. */
static const char *dot_of_channels(Emit *e, const Step *s, Text *body) {
    const Shape shape = s->in[0]->shape;
    const int pixel = layout_of(e, s->in[0])->pixel;
    const bool pixels = s->node->attr.of_pixels;
    const char *at = arena_printf(e->arena, "i * %d + c, %d - c, zero())", pixel, shape.c);
    batch_images(body);
    line(body, 2, "const float *x = %s;", batch_image(e, "x[0]", s->in[0]));
    if (s->nin > 1) line(body, 2, "const float *x1 = %s;", batch_image(e, "x[1]", s->in[1]));
    line(body, 2, "float *y = %s;", batch_image(e, "y", s->out));
    if (!pixels) line(body, 2, "double total = 0;");
    line(body, 2, "for (int i = 0; i < %d; i++) {", shape.h * shape.w);
    line(body, 3, "V s = zero();");
    line(body, 3, "for (int c = 0; c < %d; c += LANES)", shape.c);
    if (s->nin > 1)
        line(body, 4, "s = fma_(load_left(x + %s, load_left(x1 + %s, s);", at, at);
    else
        line(body, 4, "s = add(s, load_left(x + %s);", at);
    if (pixels)
        line(body, 3, "y[i * %d] = sum(s);", layout_of(e, s->out)->pixel);
    else
        line(body, 3, "total += sum(s);");
    line(body, 2, "}");
    if (!pixels) line(body, 2, "y[0] = (float)total;");
    line(body, 1, "}");
    return arena_printf(e->arena, "batch_%s_of_%s_%dx%dx%d", s->nin > 1 ? "dot" : "sum", pixels ? "pixels" : "image",
                        shape.c, shape.h, shape.w);
}

/* A value times a factor for each of its channels, or plus a number, and the gradient of these. */
static const char *gated(Emit *e, const Step *s, Text *body) {
    const bool forward = s->node->op != OP_DOT;
    const char *word = s->node->op == OP_ADD ? "add" : "mul";
    const Shape shape = s->in[0]->shape;
    const int pixel = layout_of(e, s->in[0])->pixel, end = shape.h * shape.w * pixel;
    batch_images(body);
    line(body, 2, "const float *x = %s;", batch_image(e, "x[0]", s->in[0]));
    if (s->nin > 1) line(body, 2, "const float *%s = %s;", forward ? "gate" : "x1", batch_image(e, "x[1]", s->in[1]));
    line(body, 2, "float *y = %s;", batch_image(e, "y", s->out));
    line(body, 2, "for (int c = 0; c < %d; c += LANES) {", pixel);
    if (forward) {
        line(body, 3, "const V factor = load(gate + c);");
        line(body, 3, "for (int i = c; i < %d + c; i += %d) store(y + i, %s(load(x + i), factor));", end, pixel, word);
    } else {
        line(body, 3, "V sum = zero();");
        line(body, 3, "for (int row = c; row < %d + c; row += %d) {", end, shape.w * pixel);
        line(body, 4, "V sums = zero();");
        line(body, 4, "for (int i = row; i < row + %d; i += %d)", shape.w * pixel, pixel);
        line(body, 5, s->nin > 1 ? "sums = fma_(load(x + i), load(x1 + i), sums);" : "sums = add(sums, load(x + i));");
        line(body, 4, "sum = add(sum, sums);");
        line(body, 3, "}");
        line(body, 3, "store(y + c, sum);");
    }
    line(body, 2, "}");
    line(body, 1, "}");
    return arena_printf(e->arena, "batch_%s_%dx%dx%d",
                        s->node->op == OP_ADD   ? "add_channels"
                        : s->node->op == OP_MUL ? "gated"
                        : s->nin > 1            ? "dot"
                                                : "sum_of_channels",
                        shape.c, shape.h, shape.w);
}

/* ---- sums over the batch ---- */
/* A row of an image is summed in floats; so are the rows, then the images in double. Squares and products are of what
 * is left of a number about which they do not cancel. */
const char *emit_batch_stats(Emit *e, const Step *s, Text *body) {
    const Reader *r = s->detail;
    const Shape shape = s->node->in[0]->shape;
    const int pixel = layout_of(e, s->node->in[0])->pixel, sums = train_sums(s->node), slab = sums * pixel;
    const char *slabs = batch_slabs(e, e->plan->training->slabs), *first = reader_value(e, r, 0);
    line(body, 1, "for (int s = slab_at(%s, part, parts); s < slab_at(%s, part + 1, parts); s++) {", slabs, slabs);
    line(body, 2, "double *to = (double *)(void *)a->y + s * %d;", slab);
    line(body, 2, "for (int i = 0; i < %d; i++) to[i] = 0;", slab);
    line(body, 2, "for (int n = slab_at(a->images, s, %s); n < slab_at(a->images, s + 1, %s); n++) {", slabs, slabs);
    reader_image(e, r, 3, body);
    const bool kept = batch_rows_at_once(shape, pixel) < shape.h && slab <= MOST_KEPT;
    const char *from = "", *end = arena_printf(e->arena, "%d", shape.h * shape.w * pixel);
    if (kept) {
        line(body, 3, "float image[%d] = {0};", slab);
        from = open_rows(e, shape, pixel, 3, &end, body);
    }
    line(body, 3, "for (int c = 0; c < %d; c += LANES) {", pixel);
    reader_channels(e, r, 4, body);
    if (sums > 1) line(body, 4, "const V about = load(a->p[0] + c);");
    if (kept)
        line(body, 4,
             sums > 1 ? "V sum = load(image + c), product = load(image + %d + c);" : "V sum = load(image + c);", pixel);
    else
        line(body, 4, "V sum = zero()%s;", sums > 1 ? ", product = zero()" : "");
    line(body, 4, "for (int row = %sc; row < %s + c; row += %d) {", from, end, shape.w * pixel);
    line(body, 5, "V sums = zero()%s;", sums > 1 ? ", products = zero()" : "");
    line(body, 5, "for (int i = row; i < row + %d; i += %d) {", shape.w * pixel, pixel);
    reader_load(e, r, "i", 6, body);
    if (s->node->op == OP_STATS) {
        line(body, 6, "const V apart = sub(%s, about);", first);
        line(body, 6, "sums = add(sums, apart), products = fma_(apart, apart, products);");
    } else if (s->node->op == OP_BN_SUMS) {
        line(body, 6, "sums = add(sums, %s), products = fma_(%s, sub(%s, about), products);", first, first,
             reader_value(e, r, 1));
    } else if (s->node->op == OP_SCALE_WEIGHTS) {
        line(body, 6, "sums = fma_(%s, %s, sums);", first, reader_value(e, r, 1));
    } else if (s->node->op == OP_PRELU_WEIGHTS) {
        line(body, 6, "sums = fma_(min_(%s, zero()), %s, sums);", first, reader_value(e, r, 1));
    } else
        line(body, 6, "sums = add(sums, %s);", first);
    line(body, 5, "}");
    line(body, 5, "sum = add(sum, sums)%s;", sums > 1 ? ", product = add(product, products)" : "");
    line(body, 4, "}");
    if (kept) {
        line(body, 4, "store(image + c, sum);");
        if (sums > 1) line(body, 4, "store(image + %d + c, product);", pixel);
        line(body, 3, "}");
        line(body, 3, "for (int c = 0; c < %d; c += LANES) add_lanes(to + c, load(image + c));", slab);
    } else {
        line(body, 4, "add_lanes(to + c, sum);");
        if (sums > 1) line(body, 4, "add_lanes(to + %d + c, product);", pixel);
        line(body, 3, "}");
    }
    line(body, 2, "}");
    line(body, 1, "}");
    return arena_printf(e->arena, "%s%s", name_of(e, s), reader_name(e, r));
}

/* The tree of the slabs' sums; with ranks, the call before the task has left the sum of all of them in the first. */
static const char *total_of(const Emit *e, const char *at, int slab) {
    if (e->plan->training->ranks) return arena_printf(e->arena, "*(%s)", at);
    return arena_printf(e->arena, "sum_of_slabs(%s, %d, %d)", at, slab, e->plan->training->slabs);
}

const char *emit_batch_total(Emit *e, const Step *s, Text *body) {
    const Node *node = s->node;
    const Shape shape = node->in[0]->shape;
    const int pixel = layout_of(e, node->in[0])->pixel, sums = train_sums(node), slab = sums * pixel;
    const char *images = batch_all_images(e);
    line(body, 1, "if (part > 0) return;");
    line(body, 1, "(void)parts;");
    line(body, 1, "const double *x = (const double *)(const void *)a->x[0];");
    if (node->op == OP_STATS) line(body, 1, "const double count = %d.0 * %s;", shape.h * shape.w, images);
    line(body, 1, "for (int c = 0; c < %d; c++) {", shape.c);
    line(body, 2, "const double sum = %s;", total_of(e, "x + c", slab));
    if (sums > 1)
        line(body, 2, "const double %s = %s;", node->op == OP_STATS ? "squares" : "product",
             total_of(e, arena_printf(e->arena, "x + %d + c", pixel), slab));
    if (node->op == OP_STATS) {
        line(body, 2, "const double mean = sum / count, var = squares / count - mean * mean;");
        line(body, 2, "a->y[c] = (float)(a->p[0][c] + mean);");
        line(body, 2, "a->y[%d + c] = (float)(var > 0 ? var : 0);", pixel);
        line(body, 2, "a->y[%d + c] = (float)count;", 2 * pixel);
        line(body, 2, "a->y[%d + c] = 1.0f / sqrtf(a->y[%d + c] + %s);", 3 * pixel, pixel,
             float_c(e->arena, train_eps(e->plan, s->out)));
        line(body, 2, "a->g[c] = a->y[c];");
        line(body, 2, "a->g[%d + c] = (float)(a->y[%d + c] * (count > 1 ? count / (count - 1) : 1));", pixel, pixel);
    } else if (node->op == OP_BN_SUMS) {
        line(body, 2, "const double scaled = product / sqrt(a->p[0][%d + c] + %.17g);", pixel, node->attr.eps);
        line(body, 2, "a->y[c] = (float)sum;");
        line(body, 2, "a->y[%d + c] = (float)scaled;", pixel);
        line(body, 2, "a->y[%d + c] = a->y[c] / a->p[0][%d + c];", 2 * pixel, 2 * pixel);
        line(body, 2, "a->y[%d + c] = a->p[0][%d + c] * (a->y[%d + c] / a->p[0][%d + c]);", 3 * pixel, 3 * pixel, pixel,
             2 * pixel);
        if (step_operand(s, OPERAND_G)) line(body, 2, "a->g[c] = (float)(sum / %s);", images);
        if (step_operand(s, OPERAND_G1)) line(body, 2, "a->g1[c] = (float)(scaled / %s);", images);
    } else if (sums > 1) {
        if (step_operand(s, OPERAND_G)) line(body, 2, "a->g[c] = (float)(sum / %s);", images);
        line(body, 2, "a->g1[c] = (float)(product / %s);", images);
    } else {
        line(body, 2, "a->g[c] = (float)(sum / %s);", images);
    }
    line(body, 1, "}");
    return arena_printf(e->arena, "batch_%s_total_%d", op_info(node->op)->word + 1, shape.c);
}

/* ---- copies ---- */
static void move_image(Emit *e, Shape part, const char *to, const Layout *y, const char *from, const Layout *x,
                       Text *body) {
    line(body, 2, "for (int r = 0; r < %d; r++)", part.h);
    line(body, 3, "for (int i = 0; i < %d; i++)", part.w);
    line(body, 4, "for (int c = 0; c < %d; c++) (%s)[r * %d + i * %d + c] = (%s)[r * %d + i * %d + c];", part.c, to,
         y->row, y->pixel, from, x->row, x->pixel);
    (void)e;
}

/* Between an image's pixels and its phases (graph/ops/phases.c), `channels` after another. */
static void move_phases(const Node *node, const Layout *x, const Layout *y, Text *body) {
    const bool pixels = node->op == OP_INTERLEAVE; /* are made */
    const Window *w = &node->attr.window;
    const Shape large = pixels ? node->out->shape : node->in[0]->shape; /* its pixels, after those that are cut off */
    const Layout *of = pixels ? y : x, *to = pixels ? x : y;
    const int rows = w->stride_h, columns = w->stride_w, channels = node->attr.channels;
    line(body, 2, "for (int r = 0; r < %d; r++)", large.h);
    line(body, 3, "for (int i = 0; i < %d; i++) {", large.w);
    line(body, 4, "const int row = r + %d, column = i + %d, phase = row %% %d * %d + column %% %d;", w->top, w->left,
         rows, columns, columns);
    line(body, 4, "%sfloat *pixel = %s + r * %d + i * %d;", pixels ? "" : "const ", pixels ? "y" : "x", of->row,
         of->pixel);
    line(body, 4, "%sfloat *phases = %s + row / %d * %d + column / %d * %d + phase * %d;", pixels ? "const " : "",
         pixels ? "x" : "y", rows, to->row, columns, to->pixel, channels);
    line(body, 4, "for (int g = 0; g < %d; g++)", large.c / channels);
    line(body, 5,
         pixels ? "for (int k = 0; k < %d; k++) pixel[g * %d + k] = phases[g * %d + k];"
                : "for (int k = 0; k < %d; k++) phases[g * %d + k] = pixel[g * %d + k];",
         channels, pixels ? channels : channels * rows * columns, pixels ? channels * rows * columns : channels);
    line(body, 3, "}");
}

/* Around an image its edge again, or the image mirrored at it; of the gradient each pixel of dy to where it is from. */
static void move_padded(const Node *node, const Layout *x, const Layout *y, Text *body) {
    const bool backward = node->op == OP_PAD_GRADIENT;
    const Shape image = backward ? node->out->shape : node->in[0]->shape;
    const Shape around = backward ? node->in[0]->shape : node->out->shape;
    const Layout *of_image = backward ? y : x, *of_around = backward ? x : y;
    const char *place = node->attr.edge ? "edge_place" : "mirrored_place";
    if (backward) line(body, 2, "for (int i = 0; i < %d; i++) y[i] = 0;", image.h * y->row);
    line(body, 2, "for (int r = 0; r < %d; r++) {", around.h);
    line(body, 3, "const int row = %s(r - %d, %d);", place, node->attr.window.top, image.h);
    line(body, 3, "for (int i = 0; i < %d; i++) {", around.w);
    line(body, 4, "const int column = %s(i - %d, %d);", place, node->attr.window.left, image.w);
    line(body, 4, "%sfloat *pixel = %s + row * %d + column * %d;", backward ? "" : "const ", backward ? "y" : "x",
         of_image->row, of_image->pixel);
    line(body, 4, "%sfloat *at = %s + r * %d + i * %d;", backward ? "const " : "", backward ? "x" : "y", of_around->row,
         of_around->pixel);
    line(body, 4, "for (int c = 0; c < %d; c += LANES) %s;", y->pixel,
         backward ? "store(pixel + c, add(load(pixel + c), load(at + c)))" : "store(at + c, load(pixel + c))");
    line(body, 3, "}");
    line(body, 2, "}");
}

const char *emit_batch_move(Emit *e, const Step *s, Text *body) {
    const Node *node = s->node;
    const Shape out = s->out->shape, in = s->in[0]->shape;
    const Layout *x = layout_of(e, s->in[0]), *y = layout_of(e, s->out);
    const Window *w = &node->attr.window;
    if (node->op == OP_ADD && node_broadcast(node) == BROADCAST_EQUAL) return filled_sum(e, s, body);
    if (node->op == OP_DOT)
        return node->attr.of_pixels || node->attr.of_image ? dot_of_channels(e, s, body) : gated(e, s, body);
    if (node->op == OP_ADD || node->op == OP_MUL)
        return node_broadcast(node) == BROADCAST_CHANNELS ? gated(e, s, body) : beside_pixels(e, s, body);
    batch_images(body);
    line(body, 2, "float *y = %s;", batch_image(e, "y", s->out));
    if (node->op == OP_CONCAT) {
        int channel = 0;
        for (const Value *const *v = (const Value *const *)node->in; v < (const Value *const *)s->in; v++)
            channel += (*v)->shape.c;
        for (int i = 0; i < s->nin; channel += s->in[i++]->shape.c) {
            line(body, 2, "const float *x%d = %s;", i, batch_image(e, arena_printf(e->arena, "x[%d]", i), s->in[i]));
            move_image(e, s->in[i]->shape, emit_plus(e, "y", channel), y, arena_printf(e->arena, "x%d", i),
                       layout_of(e, s->in[i]), body);
        }
        line(body, 1, "}");
        return arena_printf(e->arena, "batch_concat_%dx%dx%d", out.c, out.h, out.w);
    }
    line(body, 2, "const float *x = %s;", batch_image(e, "x[0]", s->in[0]));
    if (node->op == OP_DROP) {
        line(body, 2, "rn_train_drop(a->t, n, %d, %.17g, %d, %d, %d, x, y);", node->attr.number, node->attr.rate, in.c,
             in.h * in.w, x->pixel);
    } else if (node->op == OP_SLICE) {
        move_image(e, out, "y", y, emit_plus(e, "x", (int64_t)w->top * x->row + w->left * x->pixel + node->attr.first),
                   x, body);
    } else if (node->op == OP_SLICE_GRADIENT) {
        line(body, 2, "for (int i = 0; i < %d; i++) y[i] = 0;", out.h * y->row);
        move_image(e, in, emit_plus(e, "y", (int64_t)w->top * y->row + w->left * y->pixel + node->attr.first), y, "x",
                   x, body);
    } else if (node->op == OP_SHUFFLE) {
        const int groups = node->attr.groups;
        line(body, 2, "for (int i = 0; i < %d; i++)", in.h * in.w);
        line(body, 3, "for (int g = 0; g < %d; g++)", groups);
        line(body, 4, "for (int k = 0; k < %d; k++) y[i * %d + k * %d + g] = x[i * %d + g * %d + k];", in.c / groups,
             y->pixel, groups, x->pixel, in.c / groups);
    } else if (node->op == OP_PHASES || node->op == OP_INTERLEAVE) {
        move_phases(node, x, y, body);
    } else if (node->attr.reflect || node->attr.edge) {
        move_padded(node, x, y, body);
    } else if (node->op == OP_PAD) {
        line(body, 2, "for (int i = 0; i < %d; i++) y[i] = %s;", out.h * y->row,
             node->attr.value == 0 ? "0" : float_c(e->arena, node->attr.value));
        move_image(e, in, emit_plus(e, "y", (int64_t)w->top * y->row + w->left * y->pixel), y, "x", x, body);
    } else { /* the same numbers in the order of C, H, W */
        const int from = in.h * in.w, to = out.h * out.w;
        line(body, 2, "for (int i = 0; i < %lld; i++) y[i %% %d * %d + i / %d] = x[i %% %d * %d + i / %d];",
             (long long)shape_size(in), to, y->pixel, to, from, x->pixel, from);
    }
    line(body, 1, "}");
    return arena_printf(e->arena, "%s_to_%dx%dx%d", name_of(e, s), out.c, out.h, out.w);
}

/* ---- pools ---- */
const char *emit_batch_pool(Emit *e, const Step *s, Text *body) {
    const Node *node = s->node;
    const bool backward = node->op == OP_MAXPOOL_GRADIENT || node->op == OP_AVGPOOL_GRADIENT;
    const bool most = node->op == OP_MAXPOOL || node->op == OP_MAXPOOL_GRADIENT;
    const Value *large = backward ? s->out : s->in[0], *small = backward ? s->in[0] : s->out;
    const Shape in = large->shape, out = small->shape;
    Window w = node->attr.window;
    if (node->attr.global) {
        w = window_unit();
        w.r = in.h, w.s = in.w;
    }
    const int pixel = layout_of(e, large)->pixel, at = layout_of(e, small)->pixel;
    /* of a maximum's gradient: the values that were compared */
    const char *values = !backward ? "x" : most ? "x1" : NULL;
    batch_images(body);
    line(body, 2, "const float *x = %s;", batch_image(e, "x[0]", s->in[0]));
    if (backward && most) line(body, 2, "const float *x1 = %s;", batch_image(e, "x[1]", s->in[1]));
    line(body, 2, "float *y = %s;", batch_image(e, "y", s->out));
    if (backward) line(body, 2, "for (int i = 0; i < %d; i++) y[i] = 0;", in.h * in.w * pixel);
    line(body, 2, "for (int p = 0; p < %d; p++)", out.h);
    line(body, 3, "for (int q = 0; q < %d; q++) {", out.w);
    line(body, 4, "const int r0 = p * %d - %d, s0 = q * %d - %d;", w.stride_h, w.top, w.stride_w, w.left);
    const char *open[2] = {
        arena_printf(e->arena, "for (int r = 0, row = r0; r < %d; r++, row += %d)", w.r, w.dilate_h),
        arena_printf(e->arena, "for (int s = 0, column = s0; s < %d; s++, column += %d)", w.s, w.dilate_w)};
    const char *inside = arena_printf(e->arena, "row >= 0 && row < %d && column >= 0 && column < %d", in.h, in.w);
    if (!most) {
        line(body, 4, "int count = 0;");
        line(body, 4, "%s", open[0]);
        line(body, 5, "%s", open[1]);
        line(body, 6, "count += %s;",
             node->attr.count_include_pad
                 ? arena_printf(e->arena, "row < %d && column < %d", in.h + w.bottom, in.w + w.right)
                 : inside);
        line(body, 4, "const V share = set1(1.0f / (float)count);");
    }
    line(body, 4, "for (int c = 0; c < %d; c += LANES) {", pixel);
    const char *place = arena_printf(e->arena, "(row * %d + column) * %d + c", in.w, pixel);
    const char *small_at = arena_printf(e->arena, "(p * %d + q) * %d + c", out.w, at);
    if (values) {
        line(body, 5, most ? "V best = set1(-INFINITY);" : "V sums = zero();");
        line(body, 5, "%s", open[0]);
        line(body, 6, "%s", open[1]);
        line(body, 7, "if (%s) %s, load(%s + %s));", inside, most ? "best = max_nan(best" : "sums = add(sums", values,
             place);
        if (!backward) line(body, 5, "store(y + %s, %s);", small_at, most ? "best" : "mul(sums, share)");
    }
    if (backward) {
        line(body, 5, "%sV left = %s;", most ? "" : "const ",
             most ? arena_printf(e->arena, "load(x + %s)", small_at)
                  : arena_printf(e->arena, "mul(load(x + %s), share)", small_at));
        line(body, 5, "%s", open[0]);
        line(body, 6, "%s {", open[1]);
        line(body, 7, "if (!(%s)) continue;", inside);
        line(body, 7, "float *to = y + %s;", place);
        if (most) {
            line(body, 7, "const V value = load(x1 + %s);", place);
            line(body, 7, "store(to, add(load(to), where_less(value, best, zero(), left)));");
            line(body, 7, "left = where_less(value, best, left, zero()); /* the first largest takes all */");
        } else
            line(body, 7, "store(to, add(load(to), left));");
        line(body, 6, "}");
    }
    line(body, 4, "}");
    line(body, 3, "}");
    line(body, 1, "}");
    return arena_printf(e->arena, "%s_%dx%d", name_of(e, s), w.r, w.s);
}

/* ---- the loss ---- */
const char *emit_batch_loss(Emit *e, const Step *s, Text *body) {
    const int classes = s->in[0]->shape.c;
    const double smooth = s->node->attr.smooth;
    const bool gradient = s->node->op == OP_CROSSENTROPY_GRADIENT;
    batch_images(body);
    line(body, 2, "const float *x = %s;", batch_image(e, "x[0]", s->in[0]));
    line(body, 2, "const rn_train_label *label = a->labels + n;");
    line(body, 2, "float *y = %s;", batch_image(e, "y", s->out));
    line(body, 2, "double sum = 0, most = x[0];");
    line(body, 2, "for (int c = 1; c < %d; c++) most = x[c] > most ? x[c] : most;", classes);
    line(body, 2, "for (int c = 0; c < %d; c++) sum += exp(x[c] - most);", classes);
    line(body, 2, "const double log_sum = most + log(sum);");
    if (!gradient) line(body, 2, "double loss = 0;\n        int likelier = 0;");
    line(body, 2, "for (int c = 0; c < %d; c++) {", classes);
    line(body, 3,
         "const double hard = (c == label->first ? label->share : 0) + (c == label->second ? 1 - label->share : "
         "0);");
    if (smooth > 0)
        line(body, 3, "const double target = %.17g * hard + %.17g;", 1 - smooth, smooth / classes);
    else
        line(body, 3, "const double target = hard;");
    if (gradient)
        line(body, 3, "y[c] = (float)(exp(x[c] - log_sum) - target);");
    else {
        line(body, 3, "if (target > 0) loss += target * (log_sum - x[c]);");
        line(body, 3, "likelier += x[c] > x[label->first] || (x[c] == x[label->first] && c < label->first);");
    }
    line(body, 2, "}");
    if (!gradient)
        line(body, 2,
             "y[0] = (float)(log_sum == log_sum ? loss : log_sum);\n        y[1] = likelier >= 1;\n        y[2] = "
             "likelier >= 5;");
    line(body, 1, "}");
    return arena_printf(e->arena, "batch_%s_%d", op_info(s->node->op)->word + 1, classes);
}
