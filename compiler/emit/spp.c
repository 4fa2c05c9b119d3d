/* spp: spatial pyramid pooling. Each level n takes the maxima of n x n bins of the image, vectors of channels at a
 * time; the result has one pixel, each level in C, n, n order, so a vector's lanes go n * n elements apart.
 */
#include "walk.h"

/* The maxima of one level for the vector of channels from `c` (an expression). */
static void emit_level(Emit *e, const Step *step, int n, int64_t start, const char *c, int left, Text *body) {
    const Value *in = step->node->in[0];
    const Shape shape = in->shape;
    const Layout *l = &plan_value(e->plan, in)->layout;
    const char *image = emit_offset(e, "a->x", c, 1, 1);
    const char *out = emit_offset(e, "a->y", arena_printf(e->arena, "%lld", (long long)start), 1, 1);
    const int lanes = left < e->lanes ? left : e->lanes;
    text_printf(body, "        for (int i = 0; i < %d; i++)\n            for (int j = 0; j < %d; j++) {\n", n, n);
    text_printf(body, "                const int top = i * %d / %d, bottom = ((i + 1) * %d + %d) / %d;\n", shape.h, n,
                shape.h, n - 1, n);
    text_printf(body, "                const int left = j * %d / %d, right = ((j + 1) * %d + %d) / %d;\n", shape.w, n,
                shape.w, n - 1, n);
    text_puts(body, "                V v = set1(-INFINITY);\n                for (int y = top; y < bottom; y++)\n"
                    "                    for (int x = left; x < right; x++)\n");
    const char *at = emit_offset(e, emit_offset(e, image, "y", l->row, shape.h), "x", l->pixel, shape.w);
    text_printf(body, "                        v = max_nan(v, %s);\n", emit_load(e, at, left));
    if (n == 1)
        text_printf(body, "                %s;\n", emit_store(e, emit_offset(e, out, c, 1, 1), "v", left));
    else {
        text_puts(body, "                store(lane, v);\n");
        out = emit_offset(e, out, c, n * n, shape.c);
        text_printf(body, "                float *out = %s + i * %d + j;\n", out, n);
        text_printf(body, "                for (int k = 0; k < %d; k++) out[k * %d] = lane[k];\n", lanes, n * n);
    }
    text_puts(body, "            }\n");
}

static void emit_levels(Emit *e, const Step *step, const char *c, int left, Text *body) {
    const Attr *attr = &step->node->attr;
    int64_t start = 0;
    bool scatters = false;
    for (int i = 0; i < attr->levels.count; i++) scatters |= attr->levels.item[i] > 1;
    if (scatters) text_printf(body, "        float lane[%d];\n", e->lanes);
    for (int i = 0; i < attr->levels.count; i++) {
        emit_level(e, step, attr->levels.item[i], start, c, left, body);
        start += (int64_t)step->node->in[0]->shape.c * attr->levels.item[i] * attr->levels.item[i];
    }
}

const char *emit_spp(Emit *e, const Step *step, Text *body) {
    const int channels = step->node->in[0]->shape.c, vectors = channels / e->lanes, rest = channels % e->lanes;
    emit_no_epilogue(step);
    emit_halo(e, step->out, 1, body);
    if (vectors) {
        text_printf(body, "    for (int block = part * %d / parts; block < (part + 1) * %d / parts; block++) {\n",
                    vectors, vectors);
        text_printf(body, "        const int c = block * %d;\n", e->lanes);
        emit_levels(e, step, "c", e->lanes, body);
        text_puts(body, "    }\n");
    }
    if (rest) {
        text_puts(body, "    if (part == parts - 1) {\n");
        emit_levels(e, step, arena_printf(e->arena, "%d", vectors * e->lanes), rest, body);
        text_puts(body, "    }\n");
    }
    return layer_task_name(e, step);
}
