/* plan_make: the decisions in order, and the plan as text (--dump=plan). */
#include <limits.h>
#include <string.h>
#include "plan.h"
#include "runtime/core/cpu.h"
#include "graph/ops.h"

Plan *plan_make(Arena *arena, const Graph *graph, const PlanOptions *options) {
    bug_context = "plan";
    Plan *plan = arena_alloc(arena, sizeof *plan);
    plan->graph = graph;
    plan->arena = arena;
    plan->options = *options;
    plan->values = arena_alloc(arena, (size_t)graph->value_count * sizeof *plan->values);
    plan->choices = arena_alloc(arena, ((size_t)graph->node_count + 1) * sizeof *plan->choices);
    plan->decisions = arena_alloc(arena, ((size_t)graph->node_count + 1) * sizeof *plan->decisions);
    plan_roots(plan);
    plan_group(plan);
    plan_gains(plan);
    plan_choices(plan);
    plan_layouts(plan);
    plan_steps(plan);
    plan_weights(plan);
    plan_memory(plan);
    /* offsets between a group's images are ints, in kernels too; without reuse of memory, say, they may be far apart */
    if (plan->group > 1 && plan->group * plan->kept_floats * 4 > INT_MAX / 2) {
        PlanOptions one_by_one = *options;
        one_by_one.whole_batch = false;
        one_by_one.last_layers = 0;
        return plan_make(arena, graph, &one_by_one);
    }
    if (options->weights_limit && !options->other_known && (int64_t)plan->recipe.packed_size > options->weights_limit) {
        PlanOptions limited = *options;
        limited.other_known = true;
        limited.other_bytes = (int64_t)plan->recipe.packed_size - plan->size.bytes;
        return plan_make(arena, graph, &limited);
    }
    return plan;
}

const char *algorithm_name(Algorithm algorithm) {
    static const char *const names[ALG_COUNT] = {
        [ALG_ALIAS] = "alias",
        [ALG_INPUT] = "input",
        [ALG_OUTPUT] = "output",
        [ALG_POINTWISE] = "pointwise",
        [ALG_DIRECT] = "direct",
        [ALG_WINOGRAD_INPUT] = "transform",
        [ALG_STRASSEN] = "strassen",
        [ALG_WINOGRAD] = "winograd",
        [ALG_DEPTHWISE] = "depthwise",
        [ALG_FC] = "fc",
        [ALG_MAP] = "map",
        [ALG_POOL] = "pool",
        [ALG_LRN] = "lrn",
        [ALG_SPP] = "spp",
        [ALG_PAD] = "pad",
        [ALG_SOFTMAX] = "softmax",
        [ALG_UPSAMPLE] = "upsample",
        [ALG_COPY] = "copy",
    };
    return names[algorithm];
}

static void print_conv(const Step *s, Text *text) {
    const ConvPlan *c = &s->conv;
    text_printf(text, " panels %dx%d", c->panels, c->panel);
    if (plan_merged_groups(s->node))
        text_printf(text, " groups %d of %d->%d", c->panels, s->in->shape.c / c->panels, c->advance);
    if (c->term[0].bf16) text_puts(text, " of bf16");
    if (s->algorithm == ALG_FC) return;
    text_printf(text, " rows %d%s tiles %dx%d", c->rows, c->flat ? " (flat)" : "", c->tiles, c->tile);
    if (c->last != c->tile) text_printf(text, " (last %d)", c->last);
    text_printf(text, " chunk %d rows", c->chunk_rows);
    for (int i = 0; i < s->node->nin; i++) {
        const TermPlan *t = &c->term[i];
        text_printf(text, " term %d: %dx%d", i, t->blocks, t->block);
        if (t->rest) text_printf(text, "+%d", t->rest);
    }
}

static void print_winograd(const Step *s, Text *text) {
    const WinogradPlan *w = s->winograd;
    text_printf(text, " F(%dx%d, %dx%d)", w->h.m, w->w.m, w->h.r, w->w.r);
    if (w->side > 1) text_printf(text, " of %dx%d pixels", w->side, w->side);
    text_printf(text, " products %d tiles %dx%d", winograd_products(w), w->rows, w->columns);
    if (s->algorithm == ALG_WINOGRAD)
        text_printf(text, " panels %dx%d blocks %dx%d calls %dx%d", s->conv.panels, s->conv.panel, w->blocks, w->block,
                    w->calls, w->call);
}

void plan_print(const Plan *plan, Text *text) {
    text_printf(text, "plan %s: %s, batch %d\n", plan->graph->name, rn_isa_name((rn_isa)plan->options.isa),
                plan->options.batch);
    if (plan->last_step < plan->step_count)
        text_printf(text, "steps %d and after: groups of %d images, %lld bytes kept of each\n", plan->last_step,
                    plan->group, (long long)plan->kept_floats * 4);
    for (int i = 0; i < plan->step_count; i++) {
        const Step *s = &plan->steps[i];
        const Value *v = s->out ? s->out : s->in;
        text_printf(text, "%4d %-9s %-28s %dx%dx%d", i, algorithm_name(s->algorithm), s->node ? s->node->name : v->name,
                    v->shape.c, v->shape.h, v->shape.w);
        if (s->algorithm == ALG_POINTWISE || s->algorithm == ALG_DIRECT || s->algorithm == ALG_FC) print_conv(s, text);
        if (s->winograd) print_winograd(s, text);
        if (s->strassen)
            text_printf(text, " %d pairs of tiles of %d pixels, %d panels", s->strassen->pairs, s->strassen->tile,
                        s->strassen->panels);
        if (s->temporary)
            text_printf(text, " temporary %lld at %lld", (long long)s->temporary, (long long)s->temporary_offset);
        if (s->out && s->algorithm != ALG_ALIAS) {
            const ValuePlan *p = plan_value(plan, s->out);
            text_printf(text, " -> buffer %d at %lld, pixel %d", p->buffer, (long long)p->offset, p->layout.pixel);
            if (p->kept) text_puts(text, " kept");
            if (p->channel) text_printf(text, " channel %d", p->channel);
            if (p->layout.top | p->layout.left | p->layout.bottom | p->layout.right)
                text_printf(text, " halo %d %d %d %d", p->layout.top, p->layout.left, p->layout.bottom,
                            p->layout.right);
        }
        text_puts(text, "\n");
    }
    for (int i = 0; i < plan->buffer_count; i++) {
        const Buffer *b = &plan->buffers[i];
        text_printf(text, "buffer %d: %lld floats at %lld, steps %d..%d\n", i, (long long)b->size, (long long)b->offset,
                    b->first, b->last);
    }
    text_printf(text, "arena %lld bytes, largest live set %lld bytes (%.1f %% over), scratch %lld bytes a thread\n",
                (long long)plan->arena_floats * 4, (long long)plan->live_floats * 4,
                plan->live_floats ? 100.0 * (double)(plan->arena_floats - plan->live_floats) / (double)plan->live_floats
                                  : 0,
                (long long)plan->scratch_floats * 4);
    text_printf(text, "packed weights %llu bytes\n", (unsigned long long)plan->recipe.packed_size);
}
