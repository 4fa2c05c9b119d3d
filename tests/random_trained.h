/* Random networks that are trained: chains of a few layers, of more channels than a vector has and of odd numbers of
 * them, that end in an fc of three classes. Every operation that a program can write is among them, with every
 * attribute that it has.
 */
#ifndef RNC_TEST_RANDOM_TRAINED_H
#define RNC_TEST_RANDOM_TRAINED_H

#include "random_graph.h"

static inline int random_width(Random *r) {
    return random_chance(r, 50) ? random_int(r, 1, 9) : random_int(r, 10, 40);
}

/* Groups of some channels, or of one; a result of one or several channels for each. */
static inline Value *random_grouped(Random *r, Value *x) {
    const int c = x->shape.c, groups = c % 3 == 0 && random_chance(r, 50) ? 3 : c % 2 == 0 && random_chance(r, 50) ? c / 2 : c;
    return random_window_conv(r, x, groups * random_int(r, 1, c > 20 ? 1 : 3), groups);
}

/* By a number, by the edge or, where there are pixels for it, mirrored. */
static inline void random_pad_fitting(Random *r, Node *node) {
    const Window window = node->attr.window;
    random_pad_kind(node, random_int(r, 0, 2));
    if (!node->attr.reflect && !node->attr.edge) node->attr.value = random_int(r, -1, 1);
    if (memcmp(&window, &node->attr.window, sizeof window) == 0) return;
    node->attr.window = window, node->attr.reflect = false, node->attr.edge = true;
}

static inline Value *random_trained_layer(Random *r, Value *x) {
    static const Op plain[] = {OP_LRN,    OP_LAYERNORM, OP_GROUPNORM, OP_BN,       OP_SCALE,   OP_SOFTMAX, OP_PAD,
                               OP_SPP,    OP_DROPOUT,   OP_FLATTEN,   OP_IDENTITY, OP_MAXPOOL, OP_AVGPOOL, OP_RESIZE,
                               OP_RESIZE, OP_UPSAMPLE,  OP_LRN,       OP_LAYERNORM, OP_GROUPNORM, OP_RESPONSENORM, OP_RESPONSENORM, OP_PAD, OP_SOFTMAX};
    enum { PLAIN = sizeof plain / sizeof *plain };
    const int kind = random_int(r, 0, 25 + PLAIN), c = x->shape.c;
    switch (kind) {
    case 0:
    case 1:
        return random_window_conv(r, x, random_width(r), 1);
    case 2:
    case 3:
    case 4:
        return random_grouped(r, x);
    case 5:
    case 6:
        return random_transposed(r, x, random_width(r));
    case 7:
        return random_conv(r, x, random_width(r), random_int(r, 1, 3), 1, 1, 1, 1, true);
    case 8:
        return random_chance(r, 40) ? random_conv(r, x, random_width(r), 1, random_int(r, 4, 30), 0, 1, 1, true)
                                    : random_fc(r, x, random_width(r));
    case 9:
    case 10:
        return random_window_pool(r, x);
    case 11:
        return random_gate(r, x);
    case 12:
        return random_residual(r, x);
    case 13:
        return random_branches(r, x);
    case 14: /* zeros around the smaller one */
        return random_binary(r, OP_ADD, x, random_window_conv(r, x, random_width(r), 1), true);
    case 15: /* a gate of the element, of itself too */
        return random_binary(r, OP_MUL, x, random_chance(r, 30) ? x : random_conv(r, x, c, 3, 1, 1, 1, 1, true), false);
    case 16:
    case 17:
    case 18:
    case 19:
    case 20:
        return random_activation(r, x);
    case 21:
        return random_unary(r, OP_PRELU, x);
    case 22:
    case 23:
        return random_moved(r, x, false);
    case 24:
    case 25:
        return random_beside(r, x);
    default: {
        Value *y = random_unary(r, plain[kind - 26], x);
        if (y->producer->op == OP_SOFTMAX) random_softmax_kind(y->producer, random_int(r, 0, 3));
        if (y->producer->op == OP_PAD && !y->producer->attr.channels) random_pad_fitting(r, y->producer);
        if (y->producer->op == OP_DROPOUT) y->producer->attr.rate = random_real(r, 0, 0.8);
        return y;
    }
    }
}

/* In `arena`. */
static inline Graph *random_trained(Arena *arena, uint64_t seed) {
    Random random = {.arena = arena, .graph = graph_new(arena, "trained"), .state = seed}, *r = &random;
    r->graph->input =
        graph_add_value(r->graph, "image", (Shape){random_int(r, 1, 5), random_int(r, 1, 10), random_int(r, 1, 10)});
    Value *x = random_chance(r, 20) ? r->graph->input
                                    : random_conv(r, r->graph->input, random_width(r), 3, 1, 1, 1, 1, random_chance(r, 50));
    for (int count = random_int(r, 2, 6); count > 0; count--) {
        Value *y = x;
        /* neither large nor empty, as a pool's gradient of nothing */
        if (shape_size(x->shape) > 2000 || x->shape.c > 64) y = random_unary(r, OP_AVGPOOL, x);
        if (y->shape.c > 64) y = random_conv(r, y, random_width(r), 1, 1, 0, 1, 1, true);
        x = random_trained_layer(r, y);
    }
    graph_add_output(r->graph, random_fc(r, x, 3));
    return r->graph;
}

#endif
