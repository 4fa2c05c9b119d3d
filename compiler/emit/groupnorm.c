/* groupnorm: over the channels of a group and all pixels. Groups are divided among the parts; three passes over a
 * block's channels of the image: the mean, the variance around it, the result. A block is a group, or as many as fill a
 * vector, whose lanes then have sums of their own. Rows are summed first: shorter sums are more accurate.
 */
#include "walk.h"

typedef struct Block {
    const char *c; /* where its channels begin: an expression */
    int channels;  /* of it */
    int group;     /* channels of a group */
    double share;  /* 1 / elements of a group */
} Block;

static const char *at_channel(Emit *e, const char *pointer, const char *c, int add) {
    if (add) pointer = arena_printf(e->arena, "%s + %d", pointer, add);
    return emit_offset(e, pointer, c, 1, 1);
}

/* Declares `name`: sums over all pixels of the block's channels, or of their squared distances from `mean`. */
static void emit_sums(const Walk *walk, const Block *b, const char *name, bool squares, Text *text) {
    Emit *e = walk->e;
    const Value *in = walk->step->node->in[0];
    const Layout *l = &plan_value(e->plan, in)->layout;
    text_printf(text, "        V %s = zero();\n        for (int y = 0; y < %d; y++) {\n", name, in->shape.h);
    text_printf(text, "            const float *in = %s;\n            V r = zero();\n",
                at_channel(e, emit_offset(e, "a->x", "y", l->row, in->shape.h), b->c, 0));
    text_printf(text, "            for (int x = 0; x < %d; x++, in += %d) {\n", in->shape.w, l->pixel);
    for (int i = 0; i < b->channels; i += e->lanes) {
        const int left = b->channels - i;
        const char *at = emit_offset(e, "in", arena_printf(e->arena, "%d", i), 1, 1);
        const char *x = left >= e->lanes
                            ? emit_load(e, at, left)
                            : arena_printf(e->arena, "load_or(%s, %d, %s)", at, left, squares ? "mean" : "zero()");
        if (squares)
            text_printf(text, "                r = fma_(sub(%s, mean), sub(%s, mean), r);\n", x, x);
        else
            text_printf(text, "                r = add(r, %s);\n", x);
    }
    text_printf(text, "            }\n            %s = add(%s, r);\n        }\n", name, name);
}

/* Declares `name`: the mean over a group of what `sums` holds. */
static void emit_mean(const Walk *walk, const Block *b, const char *name, const char *sums, Text *text) {
    Emit *e = walk->e;
    const char *share = float_c(e->arena, b->share);
    if (b->channels == b->group) {
        text_printf(text, "        const V %s = set1(sum(%s) * %s);\n", name, sums, share);
        return;
    }
    text_printf(text, "        store(lane, %s);\n", sums);
    if (b->group > 1) {
        text_printf(text, "        for (int i = 0; i < %d; i += %d) {\n            float all = 0;\n", b->channels,
                    b->group);
        text_printf(text, "            for (int j = 0; j < %d; j++) all += lane[i + j];\n", b->group);
        text_printf(text, "            for (int j = 0; j < %d; j++) lane[i + j] = all;\n        }\n", b->group);
    }
    text_printf(text, "        const V %s = mul(load(lane), set1(%s));\n", name, share);
}

static void emit_result(const Walk *walk, const Block *b, Text *text) {
    Emit *e = walk->e;
    const Box box = {{0, 0, 0}, {walk->shape.c, walk->shape.h, walk->shape.w}};
    text_printf(text, "        for (int y = 0; y < %d; y++) {\n            for (int x = 0; x < %d; x++) {\n",
                walk->shape.h, walk->shape.w);
    walk_pointers(walk, &box, 16, text);
    for (int i = 0; i < b->channels; i += e->lanes) {
        const int left = b->channels - i;
        const char *c = emit_offset(e, b->c, arena_printf(e->arena, "%d", i), 1, 1);
        const char *value =
            arena_printf(e->arena, "fma_(mul(sub(%s, mean), by), %s, %s)", walk_operand(walk, "in", c, left),
                         walk_vector(walk, "scale", c, left), walk_vector(walk, "shift", c, left));
        value = walk_finish(walk, &box, value, c, left);
        text_printf(text, "                %s;\n", emit_store(e, emit_offset(e, "out", c, 1, 1), value, left));
    }
    text_puts(text, "            }\n        }\n");
}

static void emit_block(const Walk *walk, const Block *b, Text *text) {
    Arena *arena = walk->e->arena;
    if (b->channels != b->group) text_printf(text, "        float lane[%d];\n", walk->e->lanes);
    emit_sums(walk, b, "sums", false, text);
    emit_mean(walk, b, "mean", "sums", text);
    emit_sums(walk, b, "squares", true, text);
    emit_mean(walk, b, "variance", "squares", text);
    text_printf(text, "        const V by = div_(set1(1.0f), sqrt_(add(variance, set1(%s))));\n",
                float_c(arena, walk->step->node->attr.eps));
    emit_result(walk, b, text);
}

const char *emit_groupnorm(Emit *e, const Step *step, Text *body) {
    const Node *node = step->node;
    const Shape shape = step->out->shape;
    const int group = shape.c / node->attr.groups;
    if (step->epilogue.bias) bug("%s: a group norm with another bias", step->name);
    Walk walk = walk_new(e, step);
    walk_add_operand(&walk, "in", "a->x", node->in[0]);
    walk_add_vector(&walk, "scale", "a->w");
    walk_add_vector(&walk, "shift", "a->bias");
    Block b = {"c", group, group, 1 / ((double)group * shape.h * shape.w)};
    if (group < e->lanes) b.channels = e->lanes / group * group;
    const int blocks = shape.c / b.channels, rest = shape.c % b.channels;
    emit_halo(e, step->out, 1, body);
    if (blocks) {
        text_printf(body, "    for (int block = part * %d / parts; block < (part + 1) * %d / parts; block++) {\n",
                    blocks, blocks);
        text_printf(body, "        const int c = block * %d;\n", b.channels);
        emit_block(&walk, &b, body);
        text_puts(body, "    }\n");
    }
    if (rest) {
        b.c = arena_printf(e->arena, "%d", blocks * b.channels);
        b.channels = rest;
        text_puts(body, "    if (part == parts - 1) {\n");
        emit_block(&walk, &b, body);
        text_puts(body, "    }\n");
    }
    return layer_task_name(e, step);
}
