/* Training's passes that change an image's size: upsampling, resizing, spatial pyramid pooling, and their gradients
 * (c/batch_places.h). An image goes to one thread; a vector of channels at a time. */
#include "batch.h"

#include "graph/ops.h"

static const Layout *layout_of(const Emit *e, const Value *v) {
    return &plan_value(e->plan, v)->layout;
}

static void open_image(Emit *e, const Step *s, bool adds, Text *body) {
    batch_images(body);
    line(body, 2, "const float *x = %s;", batch_image(e, "x[0]", s->in[0]));
    line(body, 2, "float *y = %s;", batch_image(e, "y", s->out));
    if (adds) line(body, 2, "for (int i = 0; i < %d; i++) y[i] = 0;", s->out->shape.h * layout_of(e, s->out)->row);
}

/* ---- upsampling ---- */
static void emit_upsample_forward(Emit *e, const Step *s, Text *body) {
    const Layout *x = layout_of(e, s->in[0]), *y = layout_of(e, s->out);
    const int factor = s->node->attr.factor;
    open_image(e, s, false, body);
    line(body, 2, "for (int r = 0; r < %d; r++)", s->out->shape.h);
    line(body, 3, "for (int i = 0; i < %d; i++)", s->out->shape.w);
    line(body, 4, "for (int c = 0; c < %d; c += LANES)", y->pixel);
    line(body, 5, "store(y + (r * %d + i * %d + c), load(x + (r / %d * %d + i / %d * %d + c)));", y->row, y->pixel,
         factor, x->row, factor, x->pixel);
    line(body, 1, "}");
}

static void emit_upsample_gradient(Emit *e, const Step *s, Text *body) {
    const Layout *x = layout_of(e, s->in[0]), *y = layout_of(e, s->out);
    const int factor = s->node->attr.factor;
    open_image(e, s, false, body);
    line(body, 2, "for (int r = 0; r < %d; r++)", s->out->shape.h);
    line(body, 3, "for (int i = 0; i < %d; i++)", s->out->shape.w);
    line(body, 4, "for (int c = 0; c < %d; c += LANES) {", y->pixel);
    line(body, 5, "const float *from = x + (r * %d + i * %d + c);", factor * x->row, factor * x->pixel);
    line(body, 5, "V sums = zero();");
    line(body, 5, "for (int p = 0; p < %d; p++)", factor);
    line(body, 6, "for (int q = 0; q < %d; q++) sums = add(sums, load(from + (p * %d + q * %d)));", factor, x->row,
         x->pixel);
    line(body, 5, "store(y + (r * %d + i * %d + c), sums);", y->row, y->pixel);
    line(body, 4, "}");
    line(body, 1, "}");
}

/* ---- resizing ---- */
/* "const Place row = place_of(r, 3, -1, 2, 8, 1);" */
static void emit_place(const char *name, const char *index, const ResizeAxis *a, int size, int depth, Text *body) {
    line(body, depth, "const Place %s = place_of(%s, %lld, %lld, %lld, %d, %d);", name, index, (long long)a->step,
         (long long)a->start, (long long)a->scale, size, a->interpolates);
}

/* Gradients go the same ways back: `x` is of the resized image, to `y` each adds its shares. */
static void emit_resized(Emit *e, const Step *s, Text *body) {
    const bool backward = s->node->op == OP_RESIZE_GRADIENT;
    const ResizeAxis rows = resize_axis(s->node, true), columns = resize_axis(s->node, false);
    const Value *small = backward ? s->out : s->in[0], *result = backward ? s->in[0] : s->out;
    const Layout *in = layout_of(e, small), *out = layout_of(e, result);
    const char *type = backward ? "float" : "const float", *base = backward ? "y" : "x";
    open_image(e, s, backward, body);
    line(body, 2, "for (int r = 0; r < %d; r++) {", result->shape.h);
    emit_place("row", "r", &rows, small->shape.h, 3, body);
    line(body, 3, "%s *above = %s + row.at * %d%s%s;", type, base, in->row, rows.interpolates ? ", *below = " : "",
         rows.interpolates ? arena_printf(e->arena, "%s + row.next * %d", base, in->row) : "");
    line(body, 3, "for (int i = 0; i < %d; i++) {", result->shape.w);
    emit_place("column", "i", &columns, small->shape.w, 4, body);
    const char *at = arena_printf(e->arena, "column.at * %d + c", in->pixel);
    const char *next = arena_printf(e->arena, "column.next * %d + c", in->pixel);
    const char *here = arena_printf(e->arena, "(r * %d + i * %d + c)", out->row, out->pixel);
    if (columns.interpolates) line(body, 4, "const V across = set1(column.share);");
    if (rows.interpolates) line(body, 4, "const V down = set1(row.share);");
    line(body, 4, "for (int c = 0; c < %d; c += LANES) {", out->pixel);
    const char *const lines[] = {"above", "below"};
    if (!backward) {
        for (int k = 0; k < 1 + rows.interpolates; k++)
            if (columns.interpolates)
                line(body, 5, "const V v%d = mix_(load(%s + %s), load(%s + %s), across);", k, lines[k], at, lines[k],
                     next);
            else
                line(body, 5, "const V v%d = load(%s + %s);", k, lines[k], at);
        line(body, 5, "store(y + %s, %s);", here, rows.interpolates ? "mix_(v0, v1, down)" : "v0");
    } else {
        line(body, 5, "const V all = load(x + %s);", here);
        if (rows.interpolates) line(body, 5, "const V v1 = mul(all, down), v0 = sub(all, v1);");
        for (int k = 0; k < 1 + rows.interpolates; k++) {
            const char *part = rows.interpolates ? k ? "v1" : "v0" : "all";
            if (columns.interpolates) {
                line(body, 5, "const V right%d = mul(%s, across);", k, part);
                line(body, 5, "store(%s + %s, add(load(%s + %s), sub(%s, right%d)));", lines[k], at, lines[k], at, part,
                     k);
                line(body, 5, "store(%s + %s, add(load(%s + %s), right%d));", lines[k], next, lines[k], next, k);
            } else
                line(body, 5, "store(%s + %s, add(load(%s + %s), %s));", lines[k], at, lines[k], at, part);
        }
    }
    line(body, 4, "}");
    line(body, 3, "}");
    line(body, 2, "}");
    line(body, 1, "}");
}

/* ---- spatial pyramid pooling ---- */
/* The other side is one pixel, level by level its channels' bins, so that a vector's lanes lie n * n floats apart. */
static void emit_level(Emit *e, const Step *s, int n, int64_t start, Text *body) {
    const bool backward = s->node->op == OP_SPP_GRADIENT;
    const Value *image = backward ? s->in[1] : s->in[0];
    const Shape shape = image->shape;
    const Layout *l = layout_of(e, image);
    line(body, 3, "for (int p = 0; p < %d; p++)", n);
    line(body, 4, "for (int q = 0; q < %d; q++) {", n);
    line(body, 5, "const int top = p * %d / %d, bottom = ((p + 1) * %d + %d) / %d;", shape.h, n, shape.h, n - 1, n);
    line(body, 5, "const int left = q * %d / %d, right = ((q + 1) * %d + %d) / %d;", shape.w, n, shape.w, n - 1, n);
    line(body, 5, "const V most = largest_of_bin(%s + c, %d, %d, top, bottom, left, right);", backward ? "x1" : "x",
         l->row, l->pixel);
    line(body, 5, "float lane[LANES]%s;", backward ? " = {0}" : "");
    if (!backward) line(body, 5, "store(lane, most);");
    const char *bin = arena_printf(e->arena, "%s[%lld + (c + k) * %d + p * %d + q]", backward ? "x" : "y",
                                   (long long)start, n * n, n);
    line(body, 5, "for (int k = 0; k < LANES && c + k < %d; k++) %s = %s;", shape.c, backward ? "lane[k]" : bin,
         backward ? bin : "lane[k]");
    if (backward)
        line(body, 5, "add_to_largest(x1 + c, most, load(lane), %d, %d, top, bottom, left, right, y + c);", l->row,
             l->pixel);
    line(body, 4, "}");
}

static void emit_pyramid(Emit *e, const Step *s, Text *body) {
    const bool backward = s->node->op == OP_SPP_GRADIENT;
    const Value *image = backward ? s->in[1] : s->in[0];
    const Attr *attr = &s->node->attr;
    int64_t start = 0;
    open_image(e, s, backward, body);
    if (backward) line(body, 2, "const float *x1 = %s;", batch_image(e, "x[1]", s->in[1]));
    line(body, 2, "for (int c = 0; c < %d; c += LANES) {", layout_of(e, image)->pixel);
    for (int i = 0; i < attr->levels.count; i++) {
        const int n = attr->levels.item[i];
        emit_level(e, s, n, start, body);
        start += (int64_t)image->shape.c * n * n;
    }
    line(body, 2, "}");
    line(body, 1, "}");
}

const char *emit_batch_resize(Emit *e, const Step *s, Text *body) {
    const Op op = s->node->op;
    const Shape in = s->node->in[s->node->nin - 1]->shape;
    if (op == OP_UPSAMPLE)
        emit_upsample_forward(e, s, body);
    else if (op == OP_UPSAMPLE_GRADIENT)
        emit_upsample_gradient(e, s, body);
    else if (op == OP_SPP || op == OP_SPP_GRADIENT)
        emit_pyramid(e, s, body);
    else
        emit_resized(e, s, body);
    const char *word = op_info(op)->word;
    return arena_printf(e->arena, "batch_%s_%dx%dx%d_to_%dx%dx%d", *word == '.' ? word + 1 : word, in.c, in.h, in.w,
                        s->out->shape.c, s->out->shape.h, s->out->shape.w);
}
