/* What every file of emission shares: interning of functions and kernels, vector loads and stores with channel tails, the
 * epilogue's expression, the halo. The frame of net.c is in frame.c.
 */
#include <string.h>
#include "emit.h"
#include "describe.h"
#include "kernels.h"

int emit_kernel(Emit *e, int m, int n, int k, int lda, int ldb, int ldc, bool accumulate, bool reduce, bool prefetch) {
    const KernelRow row = {m, n, k, lda, ldb, ldc, accumulate, reduce, prefetch};
    const char *key =
        arena_printf(e->arena, "%d %d %d %d %d %d %d%d%d", m, n, k, lda, ldb, ldc, accumulate, reduce, prefetch);
    const intptr_t known = (intptr_t)map_get(&e->kernel_index, key);
    if (known) return (int)known - 1;
    ARENA_PUSH(e->arena, e->kernels, e->kernel_count, e->kernel_capacity, row);
    map_put(&e->kernel_index, e->arena, key, (void *)(intptr_t)e->kernel_count);
    return e->kernel_count - 1;
}

const char *emit_function(Emit *e, const char *prefix, const char *comment, const char *returns, const char *parameters,
                          const char *body) {
    /* the prefix is part of the key: a name then tells truly what the function does */
    const char *key = arena_printf(e->arena, "%s|%s|%s|%s", prefix, returns, parameters, body);
    const char *known = map_get(&e->tasks, key);
    if (known) return known;
    const char *name = prefix;
    for (int i = 2; map_get(&e->names, name); i++) name = arena_printf(e->arena, "%s_%d", prefix, i);
    name = arena_strdup(e->arena, name);
    map_put(&e->names, e->arena, name, (void *)name);
    map_put(&e->tasks, e->arena, key, (void *)name);
    if (comment) text_printf(&e->functions, "/* %s */\n", comment);
    text_printf(&e->functions, "static TARGET %s %s(%s) {\n%s}\n\n", returns, name, parameters, body);
    return name;
}

const char *emit_load(Emit *e, const char *pointer, int channels_left) {
    if (channels_left >= e->lanes) return arena_printf(e->arena, "load(%s)", pointer);
    return arena_printf(e->arena, "load_n(%s, %d)", pointer, channels_left);
}

const char *emit_store(Emit *e, const char *pointer, const char *value, int channels_left) {
    if (channels_left >= e->lanes) return arena_printf(e->arena, "store(%s, %s)", pointer, value);
    return arena_printf(e->arena, "store_n(%s, %s, %d)", pointer, value, channels_left);
}

const char *emit_epilogue(Emit *e, const Epilogue *epilogue, const char *value, const char *bias, const char *addend,
                          const char *slope) {
    const char *v = value;
    if (bias) v = arena_printf(e->arena, "add(%s, %s)", v, bias);
    if (addend) v = arena_printf(e->arena, "add(%s, %s)", v, addend);
    switch (epilogue->act) {
    case ACT_NONE: return v;
    case ACT_RELU: return arena_printf(e->arena, "relu(%s)", v);
    case ACT_RELU6: return arena_printf(e->arena, "relu6(%s)", v);
    case ACT_PRELU: return arena_printf(e->arena, "prelu(%s, %s)", v, slope);
    case ACT_LEAKYRELU: return arena_printf(e->arena, "leakyrelu(%s, set1(%s))", v, float_c(e->arena, epilogue->slope));
    case ACT_SIGMOID: return arena_printf(e->arena, "sigmoid(%s)", v);
    case ACT_TANH: return arena_printf(e->arena, "tanh_(%s)", v);
    case ACT_SWISH: return arena_printf(e->arena, "swish(%s)", v);
    }
    bug("activation %d has no emission", (int)epilogue->act);
}

/* One strip of zeros: `rows` x `columns` pixels of `channels` channels from element `start` of y. */
static void halo_strip(Emit *e, const ValuePlan *p, long start, int rows, int columns, int channels, Text *body) {
    if (rows <= 0 || columns <= 0) return;
    const int vectors = channels / e->lanes * e->lanes, tail = channels - vectors;
    text_printf(body, "        for (int i = 0; i < %d; i++)\n            for (int j = 0; j < %d; j++) {\n", rows, columns);
    text_printf(body, "                float *p = a->y + (%ld + i * %d + j * %d);\n", start, p->layout.row, p->layout.pixel);
    if (vectors) text_printf(body, "                for (int c = 0; c < %d; c += %d) store(p + c, zero());\n", vectors, e->lanes);
    if (tail) text_printf(body, "                store_n(p + %d, zero(), %d);\n", vectors, tail);
    text_puts(body, "            }\n");
}

void emit_halo(Emit *e, const Value *out, Text *body) {
    const ValuePlan *p = plan_value(e->plan, out);
    const Layout *l = &p->layout;
    const Shape s = out->shape;
    if (!l->top && !l->left && !l->bottom && !l->right) return;
    const int width = l->left + s.w + l->right;
    text_puts(body, "    if (part == 0) { /* the halo: zeros that padded convolutions read */\n");
    halo_strip(e, p, -(long)l->top * l->row - (long)l->left * l->pixel, l->top, width, s.c, body);
    halo_strip(e, p, (long)s.h * l->row - (long)l->left * l->pixel, l->bottom, width, s.c, body);
    halo_strip(e, p, -(long)l->left * l->pixel, s.h, l->left, s.c, body);
    halo_strip(e, p, (long)s.w * l->pixel, s.h, l->right, s.c, body);
    text_puts(body, "    }\n");
}
