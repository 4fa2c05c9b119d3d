/* Random networks for property tests: the same graph, weights and image from the same seed.
 *
 * Small images and odd channel counts, put together from the shapes that passes look for: residual blocks with every
 * kind of shortcut, pre-activation, RepVGG branches, gates, branches joined and joined again, pools of every kind,
 * copies, values shared by several layers, several outputs, a classifier at the end or none. Every op is among them,
 * with every attribute that it has: windows of unequal sides, strides and paddings, dilated ones, groups of many
 * channels.
 */
#ifndef RNC_TEST_RANDOM_GRAPH_H
#define RNC_TEST_RANDOM_GRAPH_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/tensor.h"
#include "graph/attrs.h"
#include "graph/build.h"
#include "graph/ops.h"

typedef struct Random {
    Arena *arena;
    Graph *graph;
    uint64_t state;
    int layers; /* for names */
} Random;

/* SplitMix64 */
static inline uint64_t random_bits(Random *r) {
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline int random_int(Random *r, int low, int high) {
    return low + (int)(random_bits(r) % (uint64_t)(high - low + 1));
}

static inline bool random_chance(Random *r, int percent) {
    return random_int(r, 1, 100) <= percent;
}

static inline double random_real(Random *r, double low, double high) {
    return low + (high - low) * (double)(random_bits(r) >> 11) * 0x1p-53;
}

/* ---- layers ---- */

static inline Node *random_node(Random *r, Op op, Value *const *in, int nin) {
    const char *word = op_info(op)->word;
    return graph_add_node(r->graph, op, arena_printf(r->arena, "%s%d", word + (*word == '.'), r->layers++), in, nin,
                          (Place){0});
}

static inline Value *random_done(Node *node) {
    op_info(node->op)->infer(node, NULL);
    return node->out;
}

/* All layers that are activations; how many. */
static inline int activation_ops(Op ops[OP_COUNT]) {
    int count = 0;
    for (int op = 0; op < OP_COUNT; op++)
        if (op_info((Op)op)->flags & OPF_ACTIVATION) ops[count++] = (Op)op;
    return count;
}

/* An activation's number or form. */
static inline void random_act_attributes(Random *r, Node *node) {
    const char *at = op_info(node->op)->attrs;
    OpAttr next;
    while (attr_next(&at, &next))
        if (next.info->kind == ATTR_FLAG)
            *attr_flag_of(next.info, &node->attr) = random_chance(r, 50);
        else
            *attr_real_of(next.info, &node->attr) = random_real(r, -0.3, 1.2);
    Attr *attr = &node->attr;
    if (node->op != OP_CLIP) return;
    if (attr->high < attr->low) attr->high += 2;
    if (random_chance(r, 25))
        attr->low = -INFINITY;
    else if (random_chance(r, 25))
        attr->high = INFINITY;
}

/* 1: by the edge, 2: mirrored, as far as there are pixels for it */
static inline void random_pad_kind(Node *node, int kind) {
    Window *w = &node->attr.window;
    const Shape in = node->in[0]->shape;
    node->attr.edge = kind == 1, node->attr.reflect = kind == 2;
    if (kind != 2) return;
    if (w->top >= in.h) w->top = in.h - 1;
    if (w->bottom >= in.h) w->bottom = in.h - 1;
    if (w->left >= in.w) w->left = in.w - 1;
    if (w->right >= in.w) w->right = in.w - 1;
}

static inline void random_softmax_kind(Node *node, int kind) {
    const int c = node->in[0]->shape.c;
    node->attr.pixels = kind == 1, node->attr.log = kind == 2;
    if (kind == 3) node->attr.branches = c % 3 == 0 ? 3 : c % 2 == 0 ? 2 : 1;
}

static inline Value *random_unary(Random *r, Op op, Value *x) {
    Node *node = random_node(r, op, &x, 1);
    if (op == OP_BN || op == OP_RESPONSENORM) node->attr.eps = 1e-5; /* of an image of zeros too */
    if (op_info(op)->flags & OPF_ACTIVATION) random_act_attributes(r, node);
    if (op == OP_MAXPOOL || op == OP_AVGPOOL) node->attr.global = true; /* windows: random_pool */
    if (op == OP_LRN) {
        node->attr.size = random_int(r, 1, 7), node->attr.alpha = 0.1;
        node->attr.beta = random_chance(r, 60) ? 0.75 : random_real(r, 0.3, 1);
        node->attr.k = random_int(r, 1, 2);
    }
    if (op == OP_GROUPNORM) node->attr.groups = x->shape.c % 2 == 0 && random_chance(r, 50) ? 2 : random_chance(r, 50) ? x->shape.c : 1;
    if (op == OP_RESIZE) {
        node->attr.height = random_int(r, 1, 2 * x->shape.h), node->attr.width = random_int(r, 1, 2 * x->shape.w);
        node->attr.bilinear = random_chance(r, 70);
        node->attr.align_corners = random_chance(r, 30);
        node->attr.asymmetric = !node->attr.align_corners && random_chance(r, 40);
    }
    if (op == OP_UPSAMPLE) node->attr.factor = random_int(r, 2, 3);
    if (op == OP_QUANTIZE && random_chance(r, 50)) node->attr.low = 0, node->attr.high = 255;
    if (op == OP_PAD) {
        const int most = random_chance(r, 50) ? 1 : 3;
        node->attr.window.top = random_int(r, 0, most), node->attr.window.left = random_int(r, 0, most);
        node->attr.window.bottom = random_int(r, 0, most), node->attr.window.right = random_int(r, 0, most);
        node->attr.channels = random_chance(r, 40) ? random_int(r, 1, 5) : 0;
    }
    if (op == OP_SPP)
        for (int n = random_int(r, 1, 3); node->attr.levels.count < n;)
            node->attr.levels.item[node->attr.levels.count++] = random_int(r, 1, 4);
    build_params(r->graph, node, true);
    return random_done(node);
}

static inline Value *random_binary(Random *r, Op op, Value *a, Value *b, bool fill) {
    Node *node = random_node(r, op, (Value *[]){a, b}, 2);
    node->attr.fill = fill;
    return random_done(node);
}

static inline int random_divisor(Random *r, int n) {
    int divisor = random_int(r, 1, n < 8 ? n : 8);
    while (n % divisor) divisor--;
    return divisor;
}

/* The same numbers in other places, or some of them: a part, channels in another order, phases, another shape; sayable:
 * as the language has layers for. */
static inline Value *random_moved(Random *r, Value *x, bool sayable) {
    const Shape s = x->shape;
    static const int kinds[] = {0, 1, 2, 3, 3, 4, 5, 6, 6};
    const int kind = kinds[random_int(r, 0, 8)];
    int side = random_int(r, 1, 3);
    if (sayable && kind == 4 && (s.h % side || s.w % side)) side = 1;
    if (sayable && kind == 5 && s.c % (side * side)) side = 1;
    Node *node = random_node(r, kind < 3 ? OP_SLICE : kind == 3 ? OP_SHUFFLE : kind == 4 ? OP_PHASES : kind == 5 ? OP_INTERLEAVE : OP_RESHAPE, &x, 1);
    Attr *a = &node->attr;
    a->channels = s.c, a->height = s.h, a->width = s.w;
    if (kind == 0 || kind == 1) a->first = random_int(r, 0, s.c - 1), a->channels = random_int(r, 1, s.c - a->first);
    if (kind == 1 || kind == 2) {
        a->window.top = random_int(r, 0, s.h - 1), a->height = random_int(r, 1, s.h - a->window.top);
        a->window.left = random_int(r, 0, s.w - 1), a->width = random_int(r, 1, s.w - a->window.left);
    }
    if (kind == 3) a->groups = random_divisor(r, s.c);
    if (kind == 4) {
        a->window.stride_h = random_divisor(r, s.h), a->window.stride_w = random_divisor(r, s.w);
        if (sayable) a->window.stride_h = a->window.stride_w = side;
        a->channels = random_chance(r, 50) ? s.c : sayable || random_chance(r, 50) ? 1 : random_divisor(r, s.c);
    }
    if (kind == 5) {
        a->window.stride_h = random_divisor(r, s.c), a->window.stride_w = random_divisor(r, s.c / a->window.stride_h);
        if (sayable) a->window.stride_h = a->window.stride_w = side;
        const int rest = s.c / a->window.stride_h / a->window.stride_w;
        a->channels = random_chance(r, 50) ? rest : sayable ? 1 : random_divisor(r, rest);
        const int rows = s.h * a->window.stride_h, columns = s.w * a->window.stride_w;
        if (!sayable && random_chance(r, 30)) a->window.top = random_int(r, 0, rows - 1), a->window.left = random_int(r, 0, columns - 1);
        a->height = rows - a->window.top, a->width = columns - a->window.left;
    }
    if (kind == 6) {
        const int one = random_divisor(r, s.c), other = random_divisor(r, s.h);
        a->channels = s.c / one * other, a->height = s.h / other * one;
        if (random_chance(r, 30)) a->height *= s.w, a->width = 1;
    }
    return random_done(node);
}

static inline Value *random_conv(Random *r, Value *x, int features, int kernel, int stride, int pad, int groups,
                                 int dilate, bool bias) {
    Node *node = random_node(r, OP_CONV, &x, 1);
    node->features = features;
    node->term[0].groups = groups;
    node->term[0].window = (Window){.r = kernel,
                                    .s = kernel,
                                    .stride_h = stride,
                                    .stride_w = stride,
                                    .dilate_h = dilate,
                                    .dilate_w = dilate,
                                    .top = pad,
                                    .left = pad,
                                    .bottom = pad,
                                    .right = pad};
    build_params(r->graph, node, bias);
    return random_done(node);
}

/* A convolution whose result has `x`'s size divided by the stride. */
static inline Value *random_same_conv(Random *r, Value *x, int features, int stride) {
    int kernel = random_chance(r, 50)   ? 3
                 : random_chance(r, 70) ? 1
                                        : 5,
        dilate = kernel == 3 && random_chance(r, 20) ? 2 : 1;
    int groups = 1, c = x->shape.c;
    if (random_chance(r, 25))
        for (int g = random_int(r, 2, 8); g > 1; g--)
            if (c % g == 0 && features % g == 0) {
                groups = g;
                break;
            }
    if (features == c && random_chance(r, 15)) { /* of few channels each */
        const int each = 1 << random_int(r, 0, 3);
        if (c % each == 0) groups = c / each;
    }
    return random_conv(r, x, features, kernel, stride, (kernel - 1) / 2 * dilate, groups, dilate, random_chance(r, 50));
}

/* An image of up to three times the size. */
static inline Value *random_transposed(Random *r, Value *x, int features) {
    Node *node = random_node(r, OP_CONVTRANSPOSE, &x, 1);
    Term *term = &node->term[0];
    Window *w = &term->window;
    const int groups = x->shape.c % 2 == 0 && features % 2 == 0 && random_chance(r, 25) ? 2 : 1;
    node->features = features;
    term->groups = groups;
    w->stride_h = random_int(r, 1, 3), w->stride_w = random_chance(r, 60) ? w->stride_h : random_int(r, 1, 3);
    w->r = random_int(r, 1, 5), w->s = random_chance(r, 60) ? w->r : random_int(r, 1, 5);
    w->top = random_int(r, 0, (w->r - 1) / 2), w->bottom = random_int(r, 0, w->r / 2);
    w->left = random_int(r, 0, (w->s - 1) / 2), w->right = random_int(r, 0, (w->s - 1) / 2);
    node->attr.extra_rows = random_int(r, 0, w->stride_h - 1);
    node->attr.extra_columns = random_int(r, 0, w->stride_w - 1);
    build_params(r->graph, node, random_chance(r, 50));
    return random_done(node);
}

/* A sum or product with one number for each channel, each pixel, or the image. */
static inline Value *random_beside(Random *r, Value *x) {
    const int kind = random_int(r, 0, 2);
    Value *second = kind == 0 ? x : random_conv(r, x, 1, 1, 1, 0, 1, 1, true);
    if (kind != 1) second = random_unary(r, random_chance(r, 60) ? OP_AVGPOOL : OP_MAXPOOL, second);
    if (random_chance(r, 50)) second = random_unary(r, OP_SIGMOID, second);
    return random_binary(r, random_chance(r, 50) ? OP_ADD : OP_MUL, x, second, false);
}

static inline Value *random_fc(Random *r, Value *x, int features) {
    Node *node = random_node(r, OP_FC, &x, 1);
    node->features = features;
    build_params(r->graph, node, random_chance(r, 70));
    return random_done(node);
}

static inline Value *random_pool(Random *r, Op op, Value *x, int kernel, int stride, int pad, bool ceil) {
    Node *node = random_node(r, op, &x, 1);
    node->attr.window = (Window){.r = kernel,
                                 .s = kernel,
                                 .stride_h = stride,
                                 .stride_w = stride,
                                 .dilate_h = 1,
                                 .dilate_w = 1,
                                 .top = pad,
                                 .left = pad,
                                 .bottom = pad,
                                 .right = pad,
                                 .ceil = ceil};
    node->attr.count_include_pad = op == OP_AVGPOOL && random_chance(r, 50);
    return random_done(node);
}

static inline int random_side(const Value *x) { /* the shorter */
    return x->shape.h < x->shape.w ? x->shape.h : x->shape.w;
}

/* A window that fits, with all of its numbers apart from each other; paddings smaller than the kernel. */
static inline Window random_window(Random *r, Shape in, bool dilated) {
    for (int tries = 0; tries < 20; tries++) {
        Window w = {.r = random_int(r, 1, 5), .s = random_int(r, 1, 5), .stride_h = random_int(r, 1, 3)};
        w.stride_w = random_chance(r, 60) ? w.stride_h : random_int(r, 1, 3);
        w.dilate_h = dilated ? random_int(r, 1, 3) : 1, w.dilate_w = dilated ? random_int(r, 1, 3) : 1;
        w.top = random_int(r, 0, w.r - 1), w.bottom = random_int(r, 0, w.r - 1);
        w.left = random_int(r, 0, w.s - 1), w.right = random_int(r, 0, w.s - 1);
        if (window_out(in.h, w.r, w.stride_h, w.dilate_h, w.top, w.bottom, false) > 0 &&
            window_out(in.w, w.s, w.stride_w, w.dilate_w, w.left, w.right, false) > 0)
            return w;
    }
    return (Window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0, false};
}

static inline Value *random_window_conv(Random *r, Value *x, int features, int groups) {
    Node *node = random_node(r, OP_CONV, &x, 1);
    node->features = features;
    node->term[0].groups = groups;
    node->term[0].window = random_window(r, x->shape, random_chance(r, 40));
    build_params(r->graph, node, random_chance(r, 50));
    return random_done(node);
}

static inline Value *random_window_pool(Random *r, Value *x) {
    const bool mean = random_chance(r, 50), dilated = !mean && random_chance(r, 20); /* a graph file's */
    Node *node = random_node(r, mean ? OP_AVGPOOL : OP_MAXPOOL, &x, 1);
    Window *w = &node->attr.window;
    *w = random_window(r, x->shape, dilated);
    w->ceil = random_chance(r, 60);
    if (dilated) w->top = w->left = w->bottom = w->right = 0, w->ceil = false;
    if (dilated && (window_out(x->shape.h, w->r, w->stride_h, w->dilate_h, 0, 0, false) < 1 ||
                    window_out(x->shape.w, w->s, w->stride_w, w->dilate_w, 0, 0, false) < 1))
        w->r = w->s = 1;
    node->attr.count_include_pad = mean && random_chance(r, 50);
    return random_done(node);
}

static inline Value *random_concat(Random *r, Value *const *in, int nin) {
    return random_done(random_node(r, OP_CONCAT, in, nin));
}

static inline Value *random_activation(Random *r, Value *x) {
    Op acts[OP_COUNT];
    const int kind = random_int(r, -2, activation_ops(acts) - 1);
    return random_unary(r, kind < 0 ? OP_RELU : acts[kind], x);
}

/* Batch norm, layer norm, scale, nothing. */
static inline Value *random_norm(Random *r, Value *x) {
    static const Op of_image[] = {OP_LAYERNORM, OP_GROUPNORM, OP_RESPONSENORM};
    if (random_chance(r, 10)) return random_unary(r, of_image[random_int(r, 0, 2)], x);
    return random_chance(r, 70) ? random_unary(r, OP_BN, x) : random_chance(r, 50) ? random_unary(r, OP_SCALE, x) : x;
}

/* ---- blocks ---- */

static inline Value *random_body(Random *r, Value *x, int features, int stride) {
    int n = random_int(r, 1, 3), strided = random_int(r, 0, n - 1);
    for (int i = 0; i < n; i++) {
        int width = i + 1 < n ? random_int(r, 1, 9) : features;
        x = random_norm(r, random_same_conv(r, x, width, i == strided ? stride : 1));
        if (i + 1 < n || random_chance(r, 5)) x = random_activation(r, x);
    }
    return x;
}

/* `x` as the shortcut of a block whose body has the given shape; may need a zero-filling add. */
static inline Value *random_shortcut(Random *r, Value *x, Shape body, int stride) {
    bool same = shape_equal(x->shape, body);
    switch (random_int(r, 0, same ? 5 : 3)) {
    case 0: /* B, C */
        return random_norm(r, random_conv(r, x, body.c, 1, stride, 0, 1, 1, random_chance(r, 30)));
    case 1: /* ResNet-D */
        if (stride > 1) x = random_pool(r, OP_AVGPOOL, x, 2, stride, 0, true);
        return random_norm(r, random_conv(r, x, body.c, 1, 1, 0, 1, 1, false));
    case 2: /* A */
        return stride > 1 ? random_pool(r, random_chance(r, 80) ? OP_MAXPOOL : OP_AVGPOOL, x, 1, stride, 0, false) : x;
    case 3: /* the face network's */
        return stride > 1 && random_side(x) > 2 ? random_pool(r, OP_AVGPOOL, x, 2, stride, 0, false) : x;
    default:
        return x;
    }
}

static inline Value *random_gate(Random *r, Value *x) {
    if (random_chance(r, 15)) /* a factor for each element */
        return random_binary(r, OP_MUL, x, random_unary(r, OP_SIGMOID, random_same_conv(r, x, x->shape.c, 1)), false);
    Value *g = random_unary(r, OP_AVGPOOL, x);
    int width = random_int(r, 1, 4);
    if (random_chance(r, 50)) {
        g = random_activation(r, random_fc(r, g, width));
        g = random_fc(r, g, x->shape.c);
    } else {
        g = random_activation(r, random_conv(r, g, width, 1, 1, 0, 1, 1, true));
        g = random_conv(r, g, x->shape.c, 1, 1, 0, 1, 1, true);
    }
    return random_binary(r, OP_MUL, x, random_unary(r, OP_SIGMOID, g), false);
}

static inline Value *random_residual(Random *r, Value *x) {
    int stride = random_side(x) > 3 && random_chance(r, 35) ? 2 : 1;
    int features = stride == 1 && random_chance(r, 70) ? x->shape.c : random_int(r, 1, 9);
    bool shortcut_first = random_chance(r, 30), preact = random_chance(r, 25);
    Value *inner = preact ? random_activation(r, random_unary(r, OP_BN, x)) : x, *side = NULL;
    Shape shape = {features, (x->shape.h - 1) / stride + 1, (x->shape.w - 1) / stride + 1};
    if (shortcut_first) side = random_shortcut(r, random_chance(r, 50) ? x : inner, shape, stride);
    Value *body = random_body(r, inner, features, stride);
    if (random_chance(r, 15)) body = random_gate(r, body);
    if (!side) side = random_shortcut(r, x, body->shape, stride);
    bool swap = random_chance(r, 25), fill = !shape_equal(body->shape, side->shape);
    Value *sum = random_binary(r, OP_ADD, swap ? side : body, swap ? body : side, fill);
    return random_chance(r, 75) ? random_activation(r, sum) : sum;
}

static inline Value *random_repvgg(Random *r, Value *x) {
    int stride = random_side(x) > 3 && random_chance(r, 20) ? 2 : 1, c = x->shape.c;
    int groups = c % 2 == 0 && random_chance(r, 40) ? 2 : 1;
    int features = stride == 1 && random_chance(r, 80) ? c : groups * random_int(r, 1, 4);
    Value *a = random_norm(r, random_conv(r, x, features, 3, stride, 1, groups, 1, random_chance(r, 30)));
    int kernel = 1, pad = 0;
    if (random_chance(r, 30)) { /* another branch than RepVGG's, where it gives the same size */
        int k = random_int(r, 1, 4), p = random_int(r, 0, 2);
        if (window_out(x->shape.h, k, stride, 1, p, p, false) == a->shape.h &&
            window_out(x->shape.w, k, stride, 1, p, p, false) == a->shape.w)
            kernel = k, pad = p;
    }
    if (groups == 2 && random_chance(r, 20)) groups = 1;
    Value *b = random_norm(r, random_conv(r, x, features, kernel, stride, pad, groups, 1, random_chance(r, 30)));
    Value *sum = random_chance(r, 50) ? random_binary(r, OP_ADD, a, b, false) : random_binary(r, OP_ADD, b, a, false);
    if (shape_equal(sum->shape, x->shape)) {
        Value *identity = random_chance(r, 70) ? random_unary(r, OP_BN, x) : x;
        sum = random_binary(r, OP_ADD, sum, identity, false);
    }
    return random_activation(r, sum);
}

static inline Value *random_branches(Random *r, Value *x) {
    Value *branch[5];
    int n = random_int(r, 2, 4);
    for (int i = 0; i < n; i++) {
        branch[i] = x;
        if (random_chance(r, 15)) continue; /* dense connectivity */
        if (random_chance(r, 20))
            branch[i] = random_pool(r, random_chance(r, 50) ? OP_MAXPOOL : OP_AVGPOOL, x, 3, 1, 1, false);
        branch[i] = random_norm(r, random_same_conv(r, branch[i], random_int(r, 1, 7), 1));
        if (random_chance(r, 80)) branch[i] = random_activation(r, branch[i]);
    }
    Value *joined = random_concat(r, branch, n);
    if (random_chance(r, 40)) { /* joined again, some of it twice */
        Value *more = random_activation(r, random_same_conv(r, joined, random_int(r, 1, 5), 1));
        Value *again[3] = {joined, more, branch[0]};
        joined = random_concat(r, again, random_int(r, 2, 3));
    }
    return joined->shape.c > 24 ? random_conv(r, joined, random_int(r, 3, 9), 1, 1, 0, 1, 1, true) : joined;
}

/* Groups of many channels, of few that merge, and of one; then few channels again. */
static inline Value *random_groups(Random *r, Value *x) {
    static const int counts[] = {2, 3, 4, 5, 8, 16};
    const int groups = counts[random_int(r, 0, 5)], most = groups < 5 ? 40 : 9;
    const int in = random_int(r, 1, most), out = random_int(r, 1, random_chance(r, 50) ? 3 : most);
    x = random_activation(r, random_conv(r, x, groups * in, 1, 1, 0, 1, 1, true));
    x = random_norm(r, random_chance(r, 50)
                           ? random_window_conv(r, x, groups * out, groups)
                           : random_conv(r, x, groups * out, 3, 1, 1, groups, 1, random_chance(r, 50)));
    return random_conv(r, random_activation(r, x), random_int(r, 1, 9), 1, 1, 0, 1, 1, random_chance(r, 50));
}

/* The rarer layers, each with attributes of its own; then few channels again. */
static inline Value *random_rare(Random *r, Value *x) {
    const bool small = shape_size(x->shape) <= 300;
    switch (random_int(r, 0, 12)) {
    case 9:
    case 10:
        x = random_moved(r, x, true);
        break;
    case 11: { /* a value's channels in two parts, one of which a layer makes anew, joined and mixed */
        Value *part[2] = {x, x};
        for (int i = 0, c = x->shape.c, half = c / 2; i < 2 && half; i++) {
            Node *slice = random_node(r, OP_SLICE, &x, 1);
            slice->attr.first = i * half, slice->attr.channels = i ? c - half : half;
            slice->attr.height = x->shape.h, slice->attr.width = x->shape.w;
            part[i] = random_done(slice);
        }
        part[1] = random_activation(r, random_same_conv(r, part[1], part[0]->shape.c, 1));
        x = random_concat(r, part, 2);
        Node *shuffle = random_node(r, OP_SHUFFLE, &x, 1);
        shuffle->attr.groups = 2;
        x = random_done(shuffle);
        return x->shape.c > 24 ? random_conv(r, x, 9, 1, 1, 0, 1, 1, true) : x;
    }
    case 12:
        return random_activation(r, random_beside(r, x));
    case 6:
        if (small) x = random_norm(r, random_transposed(r, random_chance(r, 30) ? random_norm(r, x) : x, random_int(r, 1, 6)));
        return random_activation(r, x);
    case 0:
        return random_window_pool(r, x);
    case 1:
        return random_norm(r, random_window_conv(r, x, random_int(r, 1, 20), 1));
    case 2:
        x = random_unary(r, OP_PAD, x);
        break;
    case 3:
        return random_unary(r, OP_SOFTMAX, x);
    case 4:
        if (small) x = random_unary(r, OP_SPP, x);
        break;
    case 5:
        if (small) x = random_unary(r, OP_FLATTEN, x);
        break;
    case 7:
        if (small) x = random_unary(r, random_chance(r, 70) ? OP_RESIZE : OP_UPSAMPLE, x);
        return random_chance(r, 50) ? random_activation(r, random_norm(r, x)) : x;
    default:
        return random_unary(r, OP_LRN, random_window_pool(r, x));
    }
    return random_activation(r, random_conv(r, x, random_int(r, 1, 9), 1, 1, 0, 1, 1, random_chance(r, 50)));
}

static inline Value *random_single(Random *r, Value *x) {
    int c = x->shape.c, h = random_side(x);
    switch (random_int(r, 0, 8)) {
    case 0:
        if (x->shape.h == x->shape.w && random_chance(r, 25)) /* as large as the image */
            return random_pool(r, OP_AVGPOOL, random_same_conv(r, x, random_int(r, 1, 9), 1), h, 1,
                               h > 2 && random_chance(r, 50), false);
        return h > 2 ? random_pool(r, random_chance(r, 60) ? OP_MAXPOOL : OP_AVGPOOL, x, random_int(r, 2, 3),
                                   random_int(r, 1, 2), random_int(r, 0, 1), random_chance(r, 40))
                     : x;
    case 1: /* a norm before a convolution, padded or not */
        return random_conv(r, random_unary(r, OP_BN, x), random_int(r, 1, 9), h > 2 && random_chance(r, 70) ? 3 : 1, 1,
                           h <= 2 || random_chance(r, 50), 1, 1, random_chance(r, 50));
    case 2:
        return random_unary(r, random_chance(r, 50) ? OP_DROPOUT : OP_IDENTITY, x);
    case 3: { /* a value computed twice */
        Value *a = random_activation(r, x), *b = random_unary(r, a->producer->op, x);
        b->producer->attr = a->producer->attr;
        if (a->producer->op == OP_PRELU) b->producer->weight[WEIGHT] = a->producer->weight[WEIGHT];
        return random_binary(r, OP_ADD, a, b, false);
    }
    case 4:
        return random_unary(r, OP_LRN, x);
    case 5:
        return h <= 6 ? random_unary(r, random_chance(r, 50) ? OP_UPSAMPLE : OP_RESIZE, x) : random_unary(r, OP_BN, random_unary(r, OP_SCALE, x));
    case 6: /* depthwise */
        return random_activation(r, random_norm(r, random_conv(r, x, c, 3, 1, 1, c, 1, false)));
    case 7: { /* a sum of three */
        Value *a = random_same_conv(r, x, c, 1), *b = random_same_conv(r, x, c, 1);
        return random_binary(r, OP_ADD, random_binary(r, OP_ADD, a, x, false), b, false);
    }
    default:
        return random_activation(r, random_norm(r, random_same_conv(r, x, random_int(r, 1, 9), 1)));
    }
}

/* A skip over several blocks: joined, or added, perhaps after the earlier value was joined. */
static inline Value *random_skip(Random *r, Value *x, Value *earlier) {
    if (x->shape.h != earlier->shape.h || x->shape.w != earlier->shape.w) return x;
    if (random_chance(r, 50))
        x = random_concat(r, random_chance(r, 50) ? (Value *[]){x, earlier} : (Value *[]){earlier, x}, 2);
    if (x->shape.c <= 24 && random_chance(r, 40)) return x;
    return random_binary(r, OP_ADD, random_same_conv(r, x, earlier->shape.c, 1), earlier, false);
}

static inline Value *random_head(Random *r, Value *x) {
    if (random_chance(r, 60)) {
        if (random_chance(r, 30)) x = random_activation(r, random_conv(r, x, random_int(r, 3, 9), 1, 1, 0, 1, 1, true));
        x = random_unary(r, OP_AVGPOOL, x);
    } else if (random_chance(r, 60)) {
        x = random_unary(r, OP_FLATTEN, x);
    }
    if (random_chance(r, 30)) x = random_unary(r, OP_DROPOUT, x);
    x = random_norm(r, random_fc(r, random_chance(r, 20) ? random_unary(r, OP_BN, x) : x, random_int(r, 1, 10)));
    if (random_chance(r, 30)) x = random_fc(r, random_activation(r, x), random_int(r, 1, 10));
    return random_chance(r, 40) ? random_unary(r, OP_SOFTMAX, x) : x;
}

static inline Graph *random_graph(Arena *arena, uint64_t seed) {
    Random random = {.arena = arena, .graph = graph_new(arena, "random"), .state = seed}, *r = &random;
    Graph *graph = r->graph;
    int size = random_int(r, 5, 12);
    graph->input = graph_add_value(graph, "image", (Shape){random_int(r, 1, 5), size, size + random_int(r, -1, 1)});
    Value *x = graph->input;
    if (random_chance(r, 60)) { /* a stem */
        int pad = random_int(r, size <= 6, 2);
        x = random_norm(r, random_conv(r, x, random_int(r, 2, 9), random_chance(r, 50) ? 3 : 5, random_int(r, 1, 2),
                                       pad, 1, 1, random_chance(r, 50)));
        if (random_chance(r, 80)) x = random_activation(r, x);
        if (random_side(x) > 2 && random_chance(r, 70))
            x = random_pool(r, OP_MAXPOOL, x, random_int(r, 2, 3), random_int(r, 1, 2), random_int(r, 0, 1),
                            random_chance(r, 30));
    }
    Value *earlier = NULL;
    for (int blocks = random_int(r, 2, 7); blocks > 0; blocks--) {
        if (earlier && random_chance(r, 25)) x = random_skip(r, x, earlier);
        if (!earlier || random_chance(r, 30)) earlier = x;
        int kind = random_int(r, 0, 12);
        x = kind < 4    ? random_residual(r, x)
            : kind < 5  ? random_repvgg(r, x)
            : kind < 7  ? random_branches(r, x)
            : kind < 8  ? random_gate(r, x)
            : kind < 10 ? random_single(r, x)
            : kind < 11 ? random_groups(r, x)
                        : random_rare(r, x);
    }
    if (random_chance(r, 60)) x = random_head(r, x);
    graph_add_output(graph, x);
    const int taps = random_chance(r, 15) ? 25 : 3;
    for (int i = 0; i < graph->node_count; i++) /* taps, and layers that nothing needs */
        if (!graph->nodes[i]->out->is_output && random_chance(r, taps)) graph_add_output(graph, graph->nodes[i]->out);
    if (random_chance(r, 3)) graph_add_output(graph, graph->input);
    graph->input->channels_last = random_chance(r, 15);
    for (int i = 0; i < graph->output_count; i++) graph->outputs[i]->channels_last |= random_chance(r, 15);
    if (random_chance(r, 30)) random_same_conv(r, graph->nodes[random_int(r, 0, graph->node_count - 1)]->out, 3, 1);
    return graph;
}

/* ---- weights and image ---- */

static inline bool random_ends(const char *name, const char *suffix) {
    size_t n = strlen(name), m = strlen(suffix);
    return n >= m && !strcmp(name + n - m, suffix);
}

/* Every parameter: weights that keep the variance of a layer, scales around 1 and of both signs, negative slopes too.
 */
static inline TensorData random_weights(const Graph *graph, uint64_t seed) {
    Random random = {.state = seed ^ 0x5eed}, *r = &random;
    TensorData data = {calloc((size_t)graph->tensor_count + 1, sizeof(float *)), graph->tensor_count};
    for (int i = 0; i < graph->tensor_count; i++) {
        const Tensor *t = graph->tensors[i];
        if (t->op != RN_PARAM) continue;
        int64_t size = tensor_size(t);
        float *to = data.data[i] = malloc(sizeof *to * (size_t)size);
        double limit = t->ndim > 1 ? sqrt(6.0 * t->dim[0] / (double)size) : 0;
        for (int64_t j = 0; j < size; j++) {
            if (limit > 0)
                to[j] = (float)random_real(r, -limit, limit);
            else if (random_ends(t->name, ".scale"))
                to[j] = (float)random_real(r, 0.01, 0.05);
            else if (random_ends(t->name, ".zero_point"))
                to[j] = (float)random_int(r, 0, 100);
            else if (random_ends(t->name, "running_var"))
                to[j] = (float)random_real(r, 0.3, 2);
            else if (random_ends(t->name, "weight"))
                to[j] = (float)random_real(r, -0.5, 1.5);
            else
                to[j] = (float)random_real(r, -0.5, 0.5);
        }
    }
    return data;
}

static inline float *random_image(const Graph *graph, uint64_t seed) {
    Random random = {.state = seed ^ 0x1ca9e};
    int64_t size = shape_size(graph->input->shape);
    float *image = malloc(sizeof *image * (size_t)size);
    for (int64_t i = 0; i < size; i++) image[i] = (float)random_real(&random, -1, 1);
    return image;
}

#endif
