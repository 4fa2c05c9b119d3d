/* What every file of emission shares: interning of functions and kernels, vector loads and stores with channel tails,
 * the epilogue's expression, the halo. The frame of net.c is in frame.c.
 */
#include <string.h>
#include "emit.h"
#include "graph/act.h"
#include "describe.h"
#include "graph/ops.h"
#include "kernels.h"

int emit_kernel(Emit *e, KernelKind kind, const Gemm *g) {
    const KernelRow row = {.m = g->m,
                           .n = g->n,
                           .k = g->k,
                           .lda = g->lda,
                           .ldb = g->ldb,
                           .ldc = g->ldc,
                           .accumulate = g->accumulate,
                           .reduce = kind == KERNEL_REDUCES,
                           .prefetch = kind == KERNEL_FETCHES,
                           .transposed = g->transposed};
    const char *key = arena_printf(e->arena, "%d %d %d %d %d %d %d %d %d", g->m, g->n, g->k, g->lda, g->ldb, g->ldc,
                                   g->accumulate, (int)kind, g->transposed);
    const intptr_t known = (intptr_t)map_get(&e->kernel_index, key);
    if (known) return (int)known - 1;
    ARENA_PUSH(e->arena, e->kernels, e->kernel_count, e->kernel_capacity, row);
    map_put(&e->kernel_index, e->arena, key, (void *)(intptr_t)e->kernel_count);
    return e->kernel_count - 1;
}

const char *emit_kernel_index(Emit *e, int kernel) {
    const KernelRow *k = &e->kernels[kernel];
    return arena_printf(e->arena, "%d /* %dx%dx%d */", kernel, k->m, k->n, k->k);
}

const char *emit_kernel_choice(Emit *e, const char *condition, int yes, int no) {
    const KernelRow *a = &e->kernels[yes], *b = &e->kernels[no];
    if (yes == no) return emit_kernel_index(e, yes);
    const bool same_size = a->m == b->m && a->n == b->n && a->k == b->k;
    return same_size
               ? arena_printf(e->arena, "%s ? %d : %s", condition, yes, emit_kernel_index(e, no))
               : arena_printf(e->arena, "%s ? %s : %s", condition, emit_kernel_index(e, yes), emit_kernel_index(e, no));
}

/* heading: "static TARGET void", what stands before the name */
static const char *intern_function(Emit *e, const char *prefix, const char *comment, const char *heading,
                                   const char *parameters, const char *body) {
    /* the prefix is part of the key: a name then tells truly what the function does */
    const char *key = arena_printf(e->arena, "%s|%s|%s|%s|%s", prefix, e->suffix, heading, parameters, body);
    const char *known = map_get(&e->tasks, key);
    if (known) return known;
    const char *name = arena_printf(e->arena, "%s%s", prefix, e->suffix);
    if (e->layout && map_get(&e->names, name)) {
        prefix = arena_printf(e->arena, "%s%s", prefix, e->layout);
        name = arena_printf(e->arena, "%s%s", prefix, e->suffix);
    }
    for (int i = 2; map_get(&e->names, name); i++) name = arena_printf(e->arena, "%s_%d%s", prefix, i, e->suffix);
    name = arena_strdup(e->arena, name);
    map_put(&e->names, e->arena, name, (void *)name);
    map_put(&e->tasks, e->arena, key, (void *)name);
    if (comment) text_printf(&e->functions, "/* %s */\n", comment);
    text_printf(&e->functions, "%s %s(%s) {\n%s}\n\n", heading, name, parameters, body);
    return name;
}

const char *emit_function(Emit *e, const char *prefix, const char *comment, const char *returns, const char *parameters,
                          const char *body) {
    return intern_function(e, prefix, comment, arena_printf(e->arena, "static TARGET %s", returns), parameters, body);
}

const char *emit_helper(Emit *e, const char *prefix, const char *comment, const char *parameters, const char *body) {
    return intern_function(e, prefix, comment, "HELPER void", parameters, body);
}

void line(Text *t, int depth, const char *format, ...) {
    text_printf(t, "%*s", depth * 4, "");
    va_list args;
    va_start(args, format);
    text_vprintf(t, format, args);
    va_end(args);
    text_puts(t, "\n");
}

const char *emit_plus(const Emit *e, const char *base, int64_t n) {
    if (!n) return base;
    return arena_printf(e->arena, "%s %c %lld", base, n < 0 ? '-' : '+', n < 0 ? -(long long)n : (long long)n);
}

const char *emit_load(Emit *e, const char *pointer, int channels_left) {
    if (channels_left >= e->lanes) return arena_printf(e->arena, "load(%s)", pointer);
    return arena_printf(e->arena, "load_n(%s, %d)", pointer, channels_left);
}

const char *emit_store(Emit *e, const char *pointer, const char *value, int channels_left) {
    if (channels_left >= e->lanes) return arena_printf(e->arena, "store(%s, %s)", pointer, value);
    return arena_printf(e->arena, "store_n(%s, %s, %d)", pointer, value, channels_left);
}

const char *emit_act(const Emit *e, Act act, const char *what, const char *v, ActNumbers numbers, const char *slope) {
    const ActInfo *info = act_info(act);
    const char *p = info->parameter == PARAMETER_PER_CHANNEL ? arena_printf(e->arena, ", %s", slope) : "", *q = "";
    if (info->parameter == PARAMETER_NUMBER) {
        p = arena_printf(e->arena, ", set1(%s)", float_c(e->arena, numbers.p));
        if (info->attribute[1]) q = arena_printf(e->arena, ", set1(%s)", float_c(e->arena, numbers.q));
    }
    return arena_printf(e->arena, "%s%s(%s%s%s)", info->function, what, v, p, q);
}

const char *emit_epilogue(Emit *e, const Epilogue *epilogue, const char *value, const char *bias, const char *addend,
                          const char *slope) {
    const char *v = value;
    if (bias) v = arena_printf(e->arena, "add(%s, %s)", v, bias);
    if (addend) v = arena_printf(e->arena, "add(%s, %s)", v, addend);
    return epilogue->act == ACT_NONE ? v : emit_act(e, epilogue->act, "", v, epilogue->numbers, slope);
}

void emit_halo(Emit *e, const Value *out, int images, Text *body) {
    emit_halo_of(e, &plan_value(e->plan, out)->layout, out->shape, images, body);
}

void emit_halo_of(Emit *e, const Layout *l, Shape s, int images, Text *body) {
    if (!l->top && !l->left && !l->bottom && !l->right) return;
    const char *y = "a->y";
    if (images > 1) {
        text_printf(body, "    for (int n = 0; part == 0 && n < %d; n++)\n    ", images);
        y = arena_printf(e->arena, "a->y + (size_t)n * %lld", image_stride(e));
    }
    text_printf(body, "    %shalo(%s, %d, %d, %d, %d, %d, %d, %d, %d, %d);\n", images > 1 ? "" : "if (part == 0) ", y,
                s.c, s.h, s.w, l->row, l->pixel, l->top, l->left, l->bottom, l->right);
}

/* ---- names and numbers of a step ---- */
const char *conv_name(const Emit *e, const Step *s) {
    const Window *w = &s->term[0].window;
    const Shape out = node_unpooled_shape(s->node);
    const char *stride = w->stride_h > 1 ? arena_printf(e->arena, "_stride%d", w->stride_h) : "";
    return arena_printf(e->arena, "conv%dx%d%s_%dto%d_%dx%d%s", w->r, w->s, stride, s->in[0]->shape.c,
                        s->node->features, out.h, out.w, s->nin > 1 ? "_shortcut" : "");
}

const char *epilogue_name(const Emit *e, const Step *s) {
    static const char *const pools[] = {
        [POOL_NONE] = "", [POOL_MAX] = "_maxpool", [POOL_GLOBAL_AVG] = "_mean", [POOL_GLOBAL_MAX] = "_most"};
    const Epilogue *ep = &s->epilogue;
    return arena_printf(e->arena, "%s%s%s%s",
                        ep->in_place ? "_in_place"
                        : ep->addend ? "_add"
                                     : "",
                        ep->act ? "_" : "", ep->act ? act_info(ep->act)->word : "", pools[ep->pool]);
}

const char *layer_task_name(const Emit *e, const Step *s) {
    const char *word = s->node ? op_info(s->node->op)->word : algorithm_name(s->algorithm);
    const Shape out = s->out->shape;
    if (*word == '.') word++; /* operations that the language has no word for */
    const Window *w = s->node && (op_info(s->node->op)->flags & OPF_WINDOW) ? &s->node->attr.window : NULL;
    const char *window = w && !s->node->attr.global ? arena_printf(e->arena, "%dx%d", w->r, w->s) : "";
    const char *stride = *window && w->stride_h > 1 ? arena_printf(e->arena, "_stride%d", w->stride_h) : "";
    const char *images = s->images > 1 ? arena_printf(e->arena, "_%d_images", s->images) : "";
    return arena_printf(e->arena, "%s%s%s_%dx%dx%d%s%s", word, window, stride, out.c, out.h, out.w, epilogue_name(e, s),
                        images);
}

long long image_stride(const Emit *e) {
    return e->plan->kept_bytes / (long long)sizeof(float);
}

long long scratch_floats(const Emit *e) {
    return e->plan->scratch_bytes / (long long)sizeof(float);
}
