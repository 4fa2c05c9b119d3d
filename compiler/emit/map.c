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
        const char *other = walk_has(walk, box, "other") ? walk_operand(walk, "other", c, left) : NULL;
        if (in && other) return arena_printf(e->arena, "add(%s, %s)", in, other);
        return in ? in : other ? other : "zero()";
    }
    case OP_MUL: {
        const char *gate =
            walk_has(walk, box, "gate") ? walk_operand(walk, "gate", c, left) : walk_vector(walk, "gates", c, left);
        return arena_printf(e->arena, "mul(%s, %s)", in, gate);
    }
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
    } else if (node->op == OP_ADD) {
        walk_add_operand(&walk, "other", "a->x1", node->in[1]);
    } else if (node->op == OP_MUL) {
        if (shape_equal(node->in[0]->shape, node->in[1]->shape))
            walk_add_operand(&walk, "gate", "a->x1", node->in[1]);
        else
            walk_add_vector(&walk, "gates", "a->x1");
    }
    walk_emit(&walk, body);
    return layer_task_name(e, step);
}
