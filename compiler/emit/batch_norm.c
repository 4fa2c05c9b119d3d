/* Training's normalisations whose statistics are of one image (plan/batch_norm.h): the loops over images, rows and
 * pixels; what is done in them are functions of batch_norms.h in c/. */
#include "batch_conv.h"

#include "describe.h"
#include "graph/ops.h"
#include "plan/batch_norm.h"
#include "plan/step.h"
#include "plan/training.h"

typedef struct Norm {
    Emit *e;
    const Step *step;
    const BatchNorm *plan;
    const Node *node;
    Shape shape;
    int pixel;
    const char *name[2]; /* of the inputs: "x", or "dy" and "x" */
} Norm;

static Norm norm_of(Emit *e, const Step *s) {
    Norm n = {.e = e, .step = s, .plan = s->detail, .node = s->node, .shape = s->node->in[0]->shape};
    n.pixel = plan_value(e->plan, s->node->in[0])->layout.pixel;
    n.name[0] = n.plan->inputs > 1 ? "dy" : "x", n.name[1] = "x";
    return n;
}

static bool is_copied(const Norm *n) {
    return n->plan->copied[0] >= 0 || (n->plan->inputs > 1 && n->plan->copied[1] >= 0);
}

/* Where scratch has what is computed as it is read. */
static void emit_copies(const Norm *n, Text *body) {
    for (int i = 0; i < n->plan->inputs; i++)
        if (n->plan->copied[i] >= 0)
            line(body, 1, "float *%s = a->scratch + (size_t)part * %lld + %lld;", n->name[i], scratch_floats(n->e),
                 (long long)n->plan->copied[i]);
}

/* Fills these with `rows` rows of image n; else pointers at the images. */
static void emit_inputs(const Norm *n, bool copies, const char *first, int rows, int depth, Text *body) {
    Emit *e = n->e;
    for (int i = 0; i < n->plan->inputs; i++) {
        const Reader *r = n->plan->read[i];
        if (copies && n->plan->copied[i] >= 0)
            line(body, depth, "%s(a, n, %s, %d, %s);",
                 strip_function(e, r, &(Strip){n->shape, n->pixel, 0, n->shape.w, n->pixel, 0}), first, rows,
                 n->name[i]);
        if (!copies && n->plan->copied[i] < 0)
            line(body, depth, "const float *%s = %s;", n->name[i],
                 batch_image(e, arena_printf(e->arena, "x[%d]", r->entry[0].x), r->entry[0].value));
    }
}

static const char *number(const Norm *n, double value) {
    return float_c(n->e->arena, value);
}

/* ---- of a pixel's channels ---- */
/* Channels before and after one that count for it, of those that there are. */
static int lrn_before(const Norm *n) {
    const int before = n->node->attr.size / 2;
    return before < n->shape.c ? before : n->shape.c - 1;
}

static int lrn_after(const Norm *n) {
    const int after = (n->node->attr.size - 1) / 2;
    return after < n->shape.c ? after : n->shape.c - 1;
}

/* The call for a pixel; `in` are its inputs, `to` its result. */
static const char *pixel_call(const Norm *n, const char *const in[2], const char *to) {
    Arena *arena = n->e->arena;
    const Attr *attr = &n->node->attr;
    const int c = n->shape.c;
    switch (n->node->op) {
    case OP_SOFTMAX:
        if (attr->branches > 1)
            return arena_printf(arena, "softmax_apart(%s, %d, %d, %d, %s)", in[0], c / attr->branches, attr->branches,
                                c / attr->branches, to);
        return arena_printf(arena, attr->log ? "pixel_log_softmax(%s, %d, %s)" : "pixel_softmax(%s, %d, %s)", in[0], c,
                            to);
    case OP_SOFTMAX_GRADIENT:
        if (attr->branches > 1)
            return arena_printf(arena, "softmax_apart_gradient(%s, %s, %d, %d, %d, %s)", in[0], in[1],
                                c / attr->branches, attr->branches, c / attr->branches, to);
        return arena_printf(
            arena, attr->log ? "pixel_log_softmax_gradient(%s, %s, %d, %s)" : "pixel_softmax_gradient(%s, %s, %d, %s)",
            in[0], in[1], c, to);
    case OP_LAYERNORM:
        return arena_printf(arena, "pixel_norm(%s, a->w, a->bias, %d, %s, %s)", in[0], c, number(n, attr->eps), to);
    case OP_LAYERNORM_GRADIENT:
        return arena_printf(arena, "pixel_norm_gradient(%s, %s, a->w, %d, %s, %s)", in[0], in[1], c,
                            number(n, attr->eps), to);
    default: {
        const char *form = arena_printf(arena, "%d, %d, %d, %s, %s, %s, squares", c, lrn_before(n), lrn_after(n),
                                        number(n, attr->alpha / attr->size), number(n, attr->beta), number(n, attr->k));
        if (n->node->op == OP_LRN) return arena_printf(arena, "pixel_lrn(%s, %s, %s)", in[0], form, to);
        return arena_printf(arena, "pixel_lrn_gradient(%s, %s, %s, terms, %s)", in[0], in[1], form, to);
    }
    }
}

static void emit_pixels(const Norm *n, Text *body) {
    Emit *e = n->e;
    const Shape shape = n->shape;
    const bool rows = is_copied(n);
    emit_copies(n, body);
    if (n->node->op == OP_LRN || n->node->op == OP_LRN_GRADIENT) {
        const char *room = arena_printf(e->arena, "[%d] = {0}", lrn_before(n) + n->pixel + lrn_after(n));
        line(body, 1, "float squares%s%s%s;", room, n->node->op == OP_LRN ? "" : ", terms",
             n->node->op == OP_LRN ? "" : room);
    }
    batch_images(body);
    emit_inputs(n, false, NULL, 0, 2, body);
    line(body, 2, "float *y = %s;", batch_image(e, "y", n->step->out));
    if (rows) {
        line(body, 2, "for (int r = 0; r < %d; r++) {", shape.h);
        emit_inputs(n, true, "r", 1, 3, body);
    }
    const int depth = rows ? 3 : 2;
    line(body, depth, "for (int i = 0; i < %d; i++)", rows ? shape.w : shape.h * shape.w);
    const char *row = arena_printf(e->arena, "i * %d", n->pixel);
    const char *all = rows ? arena_printf(e->arena, "(r * %d + i) * %d", shape.w, n->pixel) : row;
    const char *in[2] = {NULL};
    for (int i = 0; i < n->plan->inputs; i++)
        in[i] = arena_printf(e->arena, "%s + %s", n->name[i], n->plan->copied[i] >= 0 ? row : all);
    line(body, depth + 1, "%s;", pixel_call(n, in, arena_printf(e->arena, "y + %s", all)));
    if (rows) line(body, 2, "}");
    line(body, 1, "}");
}

/* ---- of an image ---- */
/* "16, 8, 16, 64, 4, 1e-05f": rows, pixels of a row, floats of a pixel, channels, groups */
static const char *image_numbers(const Norm *n) {
    return arena_printf(n->e->arena, "%d, %d, %d, %d, %d", n->shape.h, n->shape.w, n->pixel, n->shape.c,
                        n->node->attr.groups);
}

static void emit_group_statistics(const Norm *n, int depth, Text *body) {
    line(body, depth, "image_normal(x, %s, %s, sums, mean, by);", image_numbers(n), number(n, n->node->attr.eps));
}

static void emit_group_norm(const Norm *n, Text *body) {
    Emit *e = n->e;
    const bool backward = n->node->op == OP_GROUPNORM_GRADIENT;
    emit_copies(n, body);
    line(body, 1, "double sums[%d];", 2 * n->pixel);
    line(body, 1, "float mean[%d], by[%d]%s;", n->pixel, n->pixel,
         backward ? arena_printf(e->arena, ", factor[%d], less[%d], times[%d]", n->pixel, n->pixel, n->pixel) : "");
    batch_images(body);
    emit_inputs(n, false, NULL, 0, 2, body);
    emit_inputs(n, true, "0", n->shape.h, 2, body);
    line(body, 2, "float *y = %s;", batch_image(e, "y", n->step->out));
    emit_group_statistics(n, 2, body);
    if (backward)
        line(body, 2, "image_norm_gradient(dy, x, mean, by, a->w, %s, sums, factor, less, times, y);",
             image_numbers(n));
    else
        line(body, 2, "image_norm(x, mean, by, a->w, a->bias, %d, %d, y);", n->shape.h * n->shape.w, n->pixel);
    line(body, 1, "}");
}

static void emit_image_responses(const Norm *n, int depth, Text *body) {
    line(body, depth, "const float by = image_responses(x, %d, %d, %d, %d, %s, sums, response);", n->shape.h,
         n->shape.w, n->pixel, n->shape.c, number(n, n->node->attr.eps));
}

static void emit_response_norm(const Norm *n, Text *body) {
    Emit *e = n->e;
    const bool backward = n->node->op == OP_RESPONSENORM_GRADIENT;
    emit_copies(n, body);
    line(body, 1, "double sums[%d];", 2 * n->pixel);
    line(body, 1, "float response[%d]%s;", n->pixel,
         backward ? arena_printf(e->arena, ", factor[%d], times[%d]", n->pixel, n->pixel) : "");
    batch_images(body);
    emit_inputs(n, false, NULL, 0, 2, body);
    emit_inputs(n, true, "0", n->shape.h, 2, body);
    line(body, 2, "float *y = %s;", batch_image(e, "y", n->step->out));
    emit_image_responses(n, 2, body);
    if (backward)
        line(body, 2, "image_response_gradient(dy, x, response, by, a->w, %d, %d, %d, %d, sums, factor, times, y);",
             n->shape.h, n->shape.w, n->pixel, n->shape.c);
    else
        line(body, 2, "image_response_norm(x, response, by, a->w, a->bias, %d, %d, y);", n->shape.h * n->shape.w,
             n->pixel);
    line(body, 1, "}");
}

/* What an image adds to the sums of emit_sums, of a norm whose statistics are of all of it. */
static void emit_image_sums(const Norm *n, Text *body) {
    const bool group = n->node->op == OP_GROUPNORM_SUMS;
    if (group)
        emit_group_statistics(n, 3, body);
    else
        emit_image_responses(n, 3, body);
    line(body, 3, "for (int i = 0; i < %d; i++) sums[i] = 0;", 2 * n->pixel);
    line(body, 3, "for (int c = 0; c < %d; c += LANES)", n->pixel);
    line(body, 4, "image_products(dy + c, x + c, %d, %d, %d, %s, sums + c, sums + %d + c);", n->shape.h, n->shape.w,
         n->pixel, group ? "load(mean + c)" : "zero()", n->pixel);
    line(body, 3, "for (int c = 0; c < %d; c++) to[c] += sums[c], to[%d + c] += %s * sums[%d + c];", n->shape.c,
         n->pixel, group ? "by[c]" : "response[c] * by", n->pixel);
}

/* The gradients of bias and weight: sums of dy, and of dy times x normalised, of each slab. */
static void emit_sums(const Norm *n, Text *body) {
    Emit *e = n->e;
    const int slab = train_sums(n->node) * n->pixel;
    const char *slabs = batch_slabs(e, e->plan->training->slabs);
    const char *size = arena_printf(e->arena, "%d, %d, %d", n->shape.h, n->shape.w, n->pixel);
    emit_copies(n, body);
    if (n->node->op != OP_LAYERNORM_SUMS) {
        line(body, 1, "double sums[%d];", 2 * n->pixel);
        const bool group = n->node->op == OP_GROUPNORM_SUMS;
        line(body, 1, group ? "float mean[%d], by[%d];" : "float response[%d];", n->pixel, n->pixel);
    } else
        line(body, 1, "float *normals = a->scratch + (size_t)part * %lld + %lld;", scratch_floats(e),
             (long long)n->plan->normals);
    line(body, 1, "for (int s = slab_at(%s, part, parts); s < slab_at(%s, part + 1, parts); s++) {", slabs, slabs);
    line(body, 2, "double *to = (double *)(void *)a->y + s * %d;", slab);
    line(body, 2, "for (int i = 0; i < %d; i++) to[i] = 0;", slab);
    line(body, 2, "for (int n = slab_at(a->images, s, %s); n < slab_at(a->images, s + 1, %s); n++) {", slabs, slabs);
    emit_inputs(n, false, NULL, 0, 3, body);
    emit_inputs(n, true, "0", n->shape.h, 3, body);
    if (n->node->op != OP_LAYERNORM_SUMS) {
        emit_image_sums(n, body);
    } else {
        line(body, 3, "pixel_normals(x, %d, %d, %d, %s, normals);", n->shape.h * n->shape.w, n->pixel, n->shape.c,
             number(n, n->node->attr.eps));
        line(body, 3, "for (int c = 0; c < %d; c += LANES)", n->pixel);
        line(body, 4, "pixel_products(dy + c, x + c, normals, %s, to + c, to + %d + c);", size, n->pixel);
    }
    line(body, 2, "}");
    line(body, 1, "}");
}

/* Over the pixels of each channel. */
static void emit_softmax_of_pixels(const Norm *n, Text *body) {
    const int pixels = n->shape.h * n->shape.w;
    emit_copies(n, body);
    batch_images(body);
    emit_inputs(n, false, NULL, 0, 2, body);
    emit_inputs(n, true, "0", n->shape.h, 2, body);
    line(body, 2, "float *y = %s;", batch_image(n->e, "y", n->step->out));
    if (n->node->op == OP_SOFTMAX)
        line(body, 2, "softmax_apart(x, %d, %d, %d, y);", n->pixel, pixels, n->pixel);
    else
        line(body, 2, "softmax_apart_gradient(dy, x, %d, %d, %d, y);", n->pixel, pixels, n->pixel);
    line(body, 1, "}");
}

static void emit_image(const Norm *n, Text *body) {
    if (n->node->attr.pixels)
        emit_softmax_of_pixels(n, body);
    else if (n->node->op == OP_RESPONSENORM || n->node->op == OP_RESPONSENORM_GRADIENT)
        emit_response_norm(n, body);
    else
        emit_group_norm(n, body);
}

const char *emit_batch_norm(Emit *e, const Step *s, Text *body) {
    const Norm n = norm_of(e, s);
    if (batch_norm_is_sum(s->node))
        emit_sums(&n, body);
    else if (n.plan->by_rows)
        emit_pixels(&n, body);
    else
        emit_image(&n, body);
    const char *word = op_info(s->node->op)->word;
    return arena_printf(e->arena, "batch_%s_%dx%dx%d", *word == '.' ? word + 1 : word, n.shape.c, n.shape.h, n.shape.w);
}
