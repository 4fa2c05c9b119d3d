/* Elementwise layers as passes of their own over memory: affine, activations, sums and products of two images. */
#include "walk.h"
#include "graph/act.h"
#include "graph/ops.h"

/* The activation op as the epilogue that it would be; emit_epilogue knows the words. */
static const char *activation(const Walk *walk, const char *value, const char *c, int left) {
    const Node *node = walk->step->node;
    const Epilogue act = {.act = node_act(node), .numbers = node_act_numbers(node)};
    const char *slope = node->weight[WEIGHT] ? walk_vector(walk, "slope", c, left) : NULL;
    return emit_epilogue(walk->e, &act, value, NULL, NULL, slope);
}

/* The vector of a sum's or product's second value: names are as they read in emitted code. */
static const char *beside(const Walk *walk, const char *c, int left) {
    const Node *node = walk->step->node;
    const bool gate = node->op == OP_MUL;
    switch (node_broadcast(node)) {
    case BROADCAST_EQUAL:
        return walk_operand(walk, gate ? "gate" : "other", c, left);
    case BROADCAST_CHANNELS:
        return walk_vector(walk, gate ? "gates" : "others", c, left);
    case BROADCAST_PIXELS:
        return gate ? "set1(*gate)" : "set1(*other)";
    default:
        return "set1(a->x1[0])";
    }
}

static const char *map_value(const Walk *walk, const Box *box, const char *c, int left, int indent, Text *text) {
    (void)indent, (void)text;
    Emit *e = walk->e;
    const Node *node = walk->step->node;
    const char *in = walk_has(walk, box, "in") ? walk_operand(walk, "in", c, left) : NULL;
    switch (node->op) {
    case OP_AFFINE:
        return arena_printf(e->arena, "fma_(%s, %s, %s)", in, walk_vector(walk, "scale", c, left),
                            walk_vector(walk, "shift", c, left));
    case OP_ADD: {
        if (node_broadcast(node) != BROADCAST_EQUAL)
            return arena_printf(e->arena, "add(%s, %s)", in, beside(walk, c, left));
        const char *other = walk_has(walk, box, "other") ? walk_operand(walk, "other", c, left) : NULL;
        if (in && other) return arena_printf(e->arena, "add(%s, %s)", in, other);
        return in ? in : other ? other : "zero()";
    }
    case OP_MUL:
        return arena_printf(e->arena, "mul(%s, %s)", in, beside(walk, c, left));
    default:
        return activation(walk, in, c, left);
    }
}

const char *emit_map(Emit *e, const Step *step, Text *body) {
    const Node *node = step->node;
    Walk walk = walk_new(e, step);
    walk.value = map_value;
    walk_add_operand(&walk, "in", "a->x", node->in[0]);
    if (node->op == OP_AFFINE) {
        if (step->epilogue.bias) bug("%s: an affine layer with another bias", node->name);
        walk_add_vector(&walk, "scale", "a->w");
        walk_add_vector(&walk, "shift", "a->bias");
    } else if (node->op == OP_PRELU) {
        if (step->epilogue.act == ACT_PRELU) bug("%s: a prelu with another prelu", node->name);
        walk_add_vector(&walk, "slope", "a->slope");
    } else if (node->op == OP_ADD || node->op == OP_MUL) {
        const Broadcast broadcast = node_broadcast(node);
        const bool gate = node->op == OP_MUL;
        if (broadcast == BROADCAST_CHANNELS)
            walk_add_vector(&walk, gate ? "gates" : "others", "a->x1");
        else if (broadcast != BROADCAST_IMAGE)
            walk_add_operand(&walk, gate ? "gate" : "other", "a->x1", node->in[1])->one_channel =
                broadcast == BROADCAST_PIXELS;
    }
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
