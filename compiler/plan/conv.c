/* Blocking of one convolution or fully connected layer for libxsmm's kernels (C[M x N]: M output channels, N pixels).
 *
 * Panels of at most 64 output channels (AVX2: 32); tiles of N pixels; K split into blocks of input channels for
 * batch-reduce. A panel's weights serve `chunk_rows` rows before the next panel, so that the rows' pixels stay in L2
 * while panel after panel passes over them. 1x1 convolutions over halo-free values walk flat pixels: rows joined so
 * that a call has about 50 pixels even on a 7x7 image (kernels.md).
 */
#include "conv.h"
#include "gemm.h"

#include <math.h>
#include <string.h>

#include "algorithms.h"
#include "graph/act.h"
#include "graph/ops.h"
#include "step.h"
#include "weights.h"

enum {
    TILE = 30,           /* longest row tile of a windowed convolution */
    FLAT_TILE = 28,      /* longest flat tile: four times what libxsmm's AVX-512 kernels hold in registers ... */
    FLAT_IMAGE = 56,     /* ... but an image of so few pixels is one call */
    BLOCK = 64,          /* channels of a reduce element: a tile's pixels of a block stay in L1 */
    PLAIN_BLOCK = 512,   /* channels of a 1x1's GEMM: 64 x 512 weights leave L2 room for the next block's prefetch */
    PASS_CHANNELS = 128, /* of a window, whose pass is long enough for the loading and storing of its results */
    SMALL_CHUNK_BYTES = 60 << 10, /* of pixels and results that stay near L1 */
    LEAST_CHUNK_ROWS = 4,         /* that pay for a panel's weights */
    NEARLY_ALL_TENTHS = 7,        /* of the rows: then all are one chunk */
    WOVEN_IMAGE_WIDTH = 14,       /* of images that woven kernels take as one */
    SHORT_SUM = 48,               /* products */
    LEAST_FLAT_TILE = 16          /* narrower ones, though they come out even, use a kernel's columns badly */
};

/* Parts of L2: the weights of a pass, of which there are two, while the next ones are fetched; and those of a whole 1x1
 * layer that are at hand all the time. */
static const double PASS_WEIGHTS = 0.4, SMALL_WEIGHTS = 0.2;

/* Of the longest share: what other panels must come to. */
static const double EVENER = 0.96;

int conv_block(int channels, int most) {
    if (channels <= most) return channels;
    for (int b = most; b >= most / 2; b--)
        if (channels % b == 0) return b;
    return most;
}

static bool halo_free(const Plan *plan, const Value *v) {
    const Layout *l = &plan_value(plan, v)->layout;
    return l->row == v->shape.w * l->pixel;
}

/* All terms are 1x1 with stride 1, and no value that the step touches has gaps between its rows. */
static bool can_be_flat(const Plan *plan, const Step *s) {
    const Epilogue *e = &s->epilogue;
    if (s->algorithm != ALG_POINTWISE || e->pool == POOL_MAX) return false;
    if (e->addend && (e->addend_stride != 1 || !halo_free(plan, e->addend))) return false;
    if (e->pool == POOL_NONE && !halo_free(plan, s->out)) return false;
    for (int i = 0; i < s->nin; i++)
        if (s->term[i].window.stride_h != 1 || s->term[i].window.stride_w != 1 || !halo_free(plan, s->in[i]))
            return false;
    return true;
}

/* A row of `width` pixels in equal tiles of at most `longest`; the last may be shorter. */
static void choose_tiles(ConvPlan *c, int longest) {
    c->tiles = divide_up(c->width, longest);
    c->tile = divide_up(c->width, c->tiles);
    c->tiles = divide_up(c->width, c->tile);
    c->last = c->width - (c->tiles - 1) * c->tile;
}

/* At least `chunks`, a few more where the units (a panel of a chunk) then divide evenly among the threads: two, where
 * nobody said how many. */
static int balanced_chunks(const Plan *plan, const ConvPlan *c, int chunks) {
    const int threads = plan->options.threads > 1 ? plan->options.threads : 2;
    for (int n = chunks; n < chunks + threads && n <= c->rows / LEAST_CHUNK_ROWS; n++)
        if (n * c->panels.count % threads == 0 && divide_up(c->rows, divide_up(c->rows, n)) == n) return n;
    return chunks;
}

/* The widest flat tile that cuts the image without a rest; 0 where only narrow ones do. */
static int even_flat_tile(int pixels) {
    if (pixels <= FLAT_IMAGE) return pixels;
    for (int tile = FLAT_TILE; tile >= LEAST_FLAT_TILE; tile--)
        if (pixels % tile == 0) return tile;
    return 0;
}

/* Bytes of the first term's weights that one pass over the tiles reads. */
static double pass_bytes(const ConvPlan *c, const Step *s) {
    const TermPlan *t = &c->term[0];
    return (double)sizeof(float) * s->term[0].window.r * s->term[0].window.s * t->pass_blocks * t->block *
           c->panels.width;
}

static double weights_bytes(const Step *s) {
    double floats = 0;
    for (int i = 0; i < s->nin; i++) floats += (double)tensor_size(s->term[i].weight);
    return floats * (double)sizeof(float);
}

/* Rows of the walk that one panel of weights serves, so that their pixels stay in L2: of a 1x1, whose weights a panel
 * reads once, in all of it; of a window, in what this pass's weights and the next one's leave. Where all panels'
 * weights are a small part of L2, they may be read again and again, and a few pixels stay near L1. */
static int rows_of_chunk(const Plan *plan, const Step *s, const ConvPlan *c) {
    const double l2 = plan->options.machine->l2_size;
    const Layout *in = &plan_value(plan, s->in[0])->layout;
    const int64_t stride = s->term[0].window.stride_h;
    const bool pointwise = s->algorithm == ALG_POINTWISE, small = pointwise && weights_bytes(s) <= l2 * SMALL_WEIGHTS;
    double row = c->flat ? (double)c->width * in->pixel : (double)stride * in->row;
    if (c->to == TO_ROWS) row += (double)c->width * c->panels.width; /* kept until they are pooled */
    if (small) row += (double)c->width * s->node->features;
    const double budget = small ? SMALL_CHUNK_BYTES : pointwise ? l2 : l2 - 2 * pass_bytes(c, s);
    double rows = floor(budget / ((double)sizeof(float) * row));
    if (rows < (small ? 1 : LEAST_CHUNK_ROWS)) rows = small ? 1 : LEAST_CHUNK_ROWS;
    return 10 * rows >= (double)NEARLY_ALL_TENTHS * c->rows ? c->rows : (int)rows;
}

static void choose_walk(const Plan *plan, const Step *s, ConvPlan *c) {
    const Shape out = node_walked_shape(s->node);
    c->rows = out.h;
    c->width = out.w;
    c->flat = can_be_flat(plan, s);
    int longest = TILE;
    if (c->flat) {
        const int pixels = out.h * out.w, even = even_flat_tile(pixels);
        longest = pixels <= FLAT_IMAGE ? FLAT_IMAGE : FLAT_TILE;
        if (even) c->width = even, c->rows = pixels / even;
    }
    choose_tiles(c, longest);
    const int chunks = divide_up(c->rows, rows_of_chunk(plan, s, c));
    c->chunk_rows = divide_up(c->rows, c->to == TO_SUM ? 1 : balanced_chunks(plan, c, chunks));
    if (c->to == TO_ROWS) c->chunk_rows = round_up(c->chunk_rows, s->epilogue.pool_window.r);
}

bool epilogue_commutes_with_max(const Epilogue *e) {
    return !e->addend && act_rises(e->act, e->numbers);
}

static Destination destination(const Epilogue *e) {
    if (pool_is_global(e)) return TO_SUM;
    if (e->pool == POOL_NONE) return TO_OUTPUT;
    return window_is_disjoint(&e->pool_window) ? TO_ROWS : TO_RING;
}

/* Strides of the destination; and the floats of scratch that it takes, if it is there. */
static int64_t place_destination(const Plan *plan, const Step *s, ConvPlan *c) {
    const Layout *out = &plan_value(plan, s->out)->layout;
    c->finish_in_tile = s->epilogue.pool != POOL_MAX || !epilogue_commutes_with_max(&s->epilogue);
    c->pixel = c->to == TO_OUTPUT ? out->pixel
               : c->to == TO_RING ? round_up(s->node->features, VECTOR)
                                  : c->panels.width;
    c->row = c->to == TO_OUTPUT && !c->flat ? out->row : c->width * c->pixel;
    const int rows = c->to == TO_SUM    ? c->rows
                     : c->to == TO_ROWS ? c->chunk_rows
                     : c->to == TO_RING ? s->epilogue.pool_window.r
                                        : 0;
    return (int64_t)rows * c->row;
}

/* `merged`: of panels_merged_groups. A term with groups is one block, since its zeros are between them (rn_recipe.h).
 */
static void plan_term(const Machine *machine, const ConvPlan *c, TermPlan *t, const Term *term, int channels,
                      int merged) {
    const Window *w = &term->window;
    const int taps = w->r * w->s;
    if (merged) channels /= merged;
    t->advance = merged ? channels : 0;
    t->block = term->groups > 1 ? channels : conv_block(channels, taps == 1 ? PLAIN_BLOCK : BLOCK);
    t->blocks = channels / t->block;
    t->rest = channels % t->block;
    t->pass_blocks = taps == 1 ? 1 : t->blocks;
    const double channel_bytes = (double)sizeof(float) * taps * c->panels.width; /* of weights */
    const int pass_channels = (int)fmin(PASS_CHANNELS, machine->l2_size * PASS_WEIGHTS / channel_bytes);
    if (taps > 1 && t->block * t->blocks > pass_channels) {
        const int most = pass_channels / t->block > 0 ? pass_channels / t->block : 1;
        for (t->pass_blocks = most; t->blocks % t->pass_blocks; t->pass_blocks--) {
        }
    }
    t->panel_size = (int64_t)taps * channels * c->panels.width;
}

/* ---- steps ---- */
const ConvPlan *conv_plan(const Step *step) {
    if (step->algorithm != ALG_POINTWISE && step->algorithm != ALG_DIRECT) bug("%s is no direct sum", step->name);
    return step->detail;
}

static bool is_pointwise(const Term *term) {
    const Window *w = &term->window;
    return w->r == 1 && w->s == 1 && !w->top && !w->left && !w->bottom && !w->right && term->groups == 1;
}

static bool all_pointwise(const Term *term, int terms) {
    for (int i = 0; i < terms; i++)
        if (!is_pointwise(&term[i])) return false;
    return true;
}

bool pointwise_can(const Plan *plan, const Node *n) {
    (void)plan;
    return n->op == OP_CONV && all_pointwise(n->term, n->nin);
}

bool direct_can(const Plan *plan, const Node *n) {
    (void)plan;
    return n->op == OP_CONV;
}

static int64_t macs_of_terms(const Step *s) {
    const int64_t results = shape_size(node_unpooled_shape(s->node));
    int64_t macs = 0;
    for (int i = 0; i < s->nin; i++) {
        const Term *t = &s->term[i];
        macs += results * (s->in[i]->shape.c / t->groups) * t->window.r * t->window.s;
    }
    return macs;
}

/* Where other weights follow, which are not in L2 from the chunk before, woven kernels fetch them. A small image is one
 * call of them: its rows, and the halos between, would cut its columns to tiles too narrow for the registers. */
static void choose_weave(const Plan *plan, Step *s, ConvPlan *c, int merged) {
    const Machine *m = plan->options.machine;
    const int last = c->last;
    bool several = c->panels.count > 1, image = c->chunk_rows == c->rows && c->width <= WOVEN_IMAGE_WIDTH;
    for (int i = 0; i < s->nin; i++) {
        const TermPlan *t = &c->term[i];
        several |= t->blocks / t->pass_blocks > 1;
        image &= !t->rest && machine_fits_int(s->in[i]->shape);
    }
    const Gemm g = {.m = c->panels.width, .n = last, .k = c->term[0].block};
    const Gemm all = {.m = c->panels.width, .n = c->rows * c->width, .k = c->term[0].block};
    const bool near = c->chunk_rows < c->rows && weights_bytes(s) <= m->l2_size * SMALL_WEIGHTS;
    if (merged || !several || near || c->to == TO_RING) return;
    c->image = image && (c->to == TO_OUTPUT || c->to == TO_SUM) && gemm_may_be_woven(m, &all);
    s->woven = c->woven = c->image || gemm_may_be_woven(m, &g);
}

bool conv_has_short_sums(const Plan *plan, const Node *n) {
    const Term *t = &n->term[0];
    return n->op == OP_CONV && n->nin == 1 && t->groups == 1 && !n->epilogue.in_place &&
           !pool_is_global(&n->epilogue) && t->window.r * t->window.s * n->in[0]->shape.c <= SHORT_SUM &&
           plan->options.machine->isa != RN_ISA_GENERIC;
}

/* Blocks and walk, once the panels are chosen. */
static ConvPlan block(const Plan *plan, const Step *s, Panels panels, int merged) {
    ConvPlan c = {.panels = panels, .to = destination(&s->epilogue)};
    for (int i = 0; i < s->nin; i++) {
        plan_term(plan->options.machine, &c, &c.term[i], &s->term[i], s->in[i]->shape.c, merged);
        if (i) c.term[i].pass_blocks = c.term[i].blocks; /* passes are over the first term alone */
    }
    choose_walk(plan, s, &c);
    return c;
}

/* The results that the thread with the most of them computes, of all. */
static double longest_share(const ConvPlan *c, int features, int threads) {
    const int units = divide_up(c->rows, c->chunk_rows) * c->panels.count;
    int64_t longest = 0;
    for (int part = 0; part < threads; part++) {
        int64_t results = 0;
        for (int u = part * units / threads; u < (part + 1) * units / threads; u++) {
            const int from = u % c->panels.count * c->panels.width, row = u / c->panels.count * c->chunk_rows;
            const int channels = features - from < c->panels.width ? features - from : c->panels.width;
            results += (int64_t)channels * (c->rows - row < c->chunk_rows ? c->rows - row : c->chunk_rows);
        }
        if (results > longest) longest = results;
    }
    return (double)longest / ((double)features * c->rows);
}

/* Where full panels do not divide evenly among the threads, as 64 and 32 of 96 channels, narrower ones (or, but for
 * woven kernels, a wider one) may. libxsmm's AVX-512 kernels take all these widths at the same rate. */
static ConvPlan blocked_evenly(const Plan *plan, const Step *s) {
    static const int widths[] = {48, 32, MOST_PANEL};
    const Machine *m = plan->options.machine;
    const int features = s->node->features, threads = plan->options.threads;
    ConvPlan best = block(plan, s, panels_of(plan, features), 0);
    if (threads <= 1 || m->panel != 64 || best.to == TO_RING) return best;
    double least = longest_share(&best, features, threads);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        if (widths[i] > m->panel && m->fetching == FETCH_WOVEN) continue;
        const ConvPlan c = block(plan, s, panels_of_width(features, widths[i]), 0);
        const double share = longest_share(&c, features, threads);
        if (share > EVENER * least) continue;
        best = c, least = share;
    }
    return best;
}

static void complete_step(Plan *plan, Step *s) {
    ConvPlan *c = arena_alloc(plan->arena, sizeof *c);
    const int features = s->node->features, merged = panels_merged_groups(s->term, s->nin, features);
    s->detail = c;
    *c = merged ? block(plan, s, panels_of_groups(features, merged), merged) : blocked_evenly(plan, s);
    s->scratch = round_up_bytes((int64_t)sizeof(float) * place_destination(plan, s, c));
    c->short_sums = s->nin == s->node->nin && conv_has_short_sums(plan, s->node);
    c->fetch_next = !c->short_sums && s->nin == 1 && s->term[0].window.r * s->term[0].window.s == 1 &&
                    c->to != TO_RING && (c->panels.count > 1 || c->term[0].blocks > 1);
    if (!c->short_sums) choose_weave(plan, s, c, merged);
    s->macs = s->multiplications = macs_of_terms(s);
    step_reads_inputs(plan, s);
    step_reads_addend(plan, s);
    if (s->epilogue.in_place) s->operands[s->operand_count - 1].role = OPERAND_NONE; /* kernels add to what is there */
    step_writes_result(plan, s);
}

void conv_steps(Plan *plan, const Node *n) {
    complete_step(plan, step_add(plan, plan->choices[n->id].algorithm, n, n->out));
}

void conv_step_of_terms(Plan *plan, const Node *n, int first) {
    const bool pointwise = all_pointwise(n->term + first, n->nin - first);
    Step *s = step_add(plan, pointwise ? ALG_POINTWISE : ALG_DIRECT, n, n->out);
    step_name_part(plan, s, "shortcut");
    s->in += first, s->term += first, s->nin -= first;
    s->epilogue.bias = s->epilogue.prelu = NULL;
    s->epilogue.act = ACT_NONE;
    s->complete = false;
    complete_step(plan, s);
}

void conv_pack(Plan *plan, Step *s) {
    const ConvPlan *c = conv_plan(s);
    weights_of_epilogue(plan, s);
    for (int i = 0; i < s->nin; i++) {
        const Term *term = &s->term[i];
        const int32_t dim[4] = {s->node->features, term->weight->dim[1], term->weight->dim[2], term->weight->dim[3]};
        const int32_t integer[4] = {c->panels.width, c->term[i].block, term->groups};
        weights_pack(plan, s, (Role)(OPERAND_W + i), RN_PACK_PANELS, RN_F32, weights_tensor(plan, term->weight), dim,
                     integer);
    }
}

void conv_describe(const Step *s, Text *text) {
    const ConvPlan *c = conv_plan(s);
    text_printf(text, " panels %dx%d", c->panels.count, c->panels.width);
    if (panels_merged_groups(s->term, s->nin, s->node->features))
        text_printf(text, " groups %d of %d->%d", c->panels.count, s->in[0]->shape.c / c->panels.count,
                    c->panels.advance);
    text_printf(text, " rows %d%s tiles %dx%d", c->rows, c->flat ? " (flat)" : "", c->tiles, c->tile);
    if (c->last != c->tile) text_printf(text, " (last %d)", c->last);
    text_printf(text, " chunk %d rows", c->chunk_rows);
    if (c->image) text_puts(text, " whole image");
    if (c->short_sums) text_puts(text, " short sums");
    for (int i = 0; i < s->nin; i++) {
        const TermPlan *t = &c->term[i];
        text_printf(text, " term %d: %dx%d", i, t->blocks, t->block);
        if (t->rest) text_printf(text, "+%d", t->rest);
    }
}
