/* Blocking of one convolution or fully connected layer for libxsmm's kernels (C[M x N]: M output channels, N pixels).
 *
 * Panels of at most 64 output channels (AVX2: 32); tiles of N pixels; K split into blocks of input channels for
 * batch-reduce. A panel's weights serve `chunk_rows` rows before the next panel, so that the rows' pixels stay in L2
 * while panel after panel passes over them. 1x1 convolutions over halo-free values walk flat pixels: rows joined so
 * that a call has about 50 pixels even on a 7x7 image (kernels.md).
 */
#include <string.h>
#include "plan.h"
#include "graph/ops.h"
#include "rn.h"

enum {
    VECTORS = 4,          /* of a panel: what libxsmm's kernels hold in registers at their full speed */
    TILE = 30,            /* longest row tile of a windowed convolution */
    FLAT_TILE = 28,       /* longest flat tile ... */
    FLAT_IMAGE = 56,      /* ... but an image of so few pixels is one call */
    BLOCK = 64,           /* channels of a reduce element: a tile's pixels of a block stay in L1 */
    PLAIN_BLOCK = 512,    /* channels of a 1x1's GEMM: 64 x 512 weights leave L2 room for the next block's prefetch */
    CHUNK_CHANNELS = 128, /* channels whose taps' weights (x 9 x 64) fit in L2 beside the pixels */
    DIRECT_CHUNK_BYTES = 200 << 10, /* input pixels that stay in L2 under a panel */
    FLAT_CHUNK_BYTES = 768 << 10,
    LEAST_CHUNK_ROWS = 4, /* that pay for a panel's weights */
    FC_BLOCK = 512        /* K of one fc call: keeps the prefetchers of both streams busy (kernels.md) */
};

/* A wider panel would be several sweeps over its columns, each with a part of every row of weights: on AVX2 64 channels
 * take a tenth longer than two panels of 32, whose weights lie in one piece. */
int plan_panel(const Plan *plan) {
    return plan->options.isa == RN_ISA_X86_64_V3 ? VECTORS * 8 : VECTORS * 16;
}

/* Full panels and a tail: of 64, 96 is 64 + 32 and 1000 is 15 x 64 + 40. libxsmm's AVX2 kernels lose a tenth at widths
 * that are no multiple of 32 (48: 82 GFLOP/s where 32 and 64 reach 91), so equal panels (48 + 48) would not pay. */
void plan_panels(const Plan *plan, ConvPlan *c, int features) {
    const int most = plan_panel(plan);
    c->panel = features < most ? round_up(features, 16) : most;
    c->panels = divide_up(features, c->panel);
    c->advance = c->panel;
}

static int common_divisor(int a, int b) {
    return b ? common_divisor(b, a % b) : a;
}

/* Grouped kernels become block-diagonal: as many groups are merged as fit a vector of outputs. A vector costs the same
 * with 4 or 16 of its lanes in use, so the zeros between are free. Only whole merges: a last one with fewer groups
 * would read channels that are not there, and 0 * inf is no 0. Terms share their panels, which hold whole groups of
 * each: all that they have in common may be a single panel. */
int plan_merged_groups(const Node *n) {
    int groups = 0;
    bool grouped = false;
    for (int i = 0; n->op == OP_CONV && i < n->nin; i++) {
        groups = common_divisor(groups, n->term[i].groups);
        grouped |= n->term[i].groups > 1;
    }
    if (!grouped) return 0;
    int merge = 1;
    for (int m = 2; m * (n->features / groups) <= 16 && m <= groups; m++)
        if (groups % m == 0) merge = m;
    return groups / merge;
}

static void choose_groups(ConvPlan *c, int features, int merged) {
    c->panels = merged;
    c->advance = features / merged;
    c->panel = round_up(c->advance, 16);
}

/* Channels per GEMM: all where few, else the largest divisor near `most`, else `most` and a rest. */
static int choose_block(int channels, int most) {
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
    const Node *n = s->node;
    const Epilogue *e = &n->epilogue;
    if (s->algorithm != ALG_POINTWISE || e->pool == POOL_MAX) return false;
    if (e->addend && (e->addend_stride != 1 || !halo_free(plan, e->addend))) return false;
    if (e->pool == POOL_NONE && !halo_free(plan, n->out)) return false;
    for (int i = 0; i < n->nin; i++)
        if (n->term[i].window.stride_h != 1 || n->term[i].window.stride_w != 1 || !halo_free(plan, n->in[i]))
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
        if (n * c->panels % threads == 0 && divide_up(c->rows, divide_up(c->rows, n)) == n) return n;
    return chunks;
}

static void choose_walk(const Plan *plan, Step *s, Shape out) {
    ConvPlan *c = &s->conv;
    c->rows = out.h;
    c->width = out.w;
    c->flat = can_be_flat(plan, s);
    int longest = TILE;
    if (c->flat) {
        const int pixels = out.h * out.w;
        int best = pixels <= FLAT_IMAGE ? pixels : 0;
        for (int n = 1; n <= FLAT_TILE && !best; n++)
            if (pixels % (FLAT_TILE + 1 - n) == 0) best = FLAT_TILE + 1 - n;
        longest = pixels <= FLAT_IMAGE ? FLAT_IMAGE : FLAT_TILE;
        if (best >= 16 || best == pixels) c->width = best, c->rows = pixels / best;
    }
    choose_tiles(c, longest);
    const ValuePlan *in = plan_value(plan, s->in);
    const int64_t stride = s->node->term[0].window.stride_h;
    const Epilogue *e = &s->node->epilogue;
    const bool apart = e->pool == POOL_MAX && window_is_apart(&e->pool_window);
    int64_t row_bytes = 4 * (c->flat ? (int64_t)c->width * in->layout.pixel : stride * in->layout.row);
    if (apart) row_bytes += 4 * (int64_t)c->width * c->panel; /* kept until they are pooled */
    const int64_t budget = s->algorithm == ALG_POINTWISE ? FLAT_CHUNK_BYTES : DIRECT_CHUNK_BYTES;
    int64_t rows = budget / row_bytes;
    if (rows < LEAST_CHUNK_ROWS) rows = LEAST_CHUNK_ROWS;
    if (rows * 10 >= (int64_t)c->rows * 7) rows = c->rows;
    int chunks = divide_up(c->rows, (int)rows);
    chunks = e->pool == POOL_GLOBAL_AVG ? 1 : balanced_chunks(plan, c, chunks);
    c->chunk_rows = divide_up(c->rows, chunks);
    if (apart) c->chunk_rows = round_up(c->chunk_rows, e->pool_window.r);
}

/* `merged`: of plan_merged_groups. A term with groups is one block, since its zeros are between them (rn_recipe.h). */
static void plan_term(const ConvPlan *c, TermPlan *t, const Term *term, int channels, int merged) {
    const Window *w = &term->window;
    const int taps = w->r * w->s;
    if (merged) channels /= merged;
    t->advance = merged ? channels : 0;
    t->block = term->groups > 1 ? channels : choose_block(channels, taps == 1 ? PLAIN_BLOCK : BLOCK);
    t->blocks = channels / t->block;
    t->rest = channels % t->block;
    t->chunk = taps == 1 ? 1 : t->blocks;
    if (taps > 1 && t->block * t->blocks > CHUNK_CHANNELS) {
        const int most = CHUNK_CHANNELS / t->block > 0 ? CHUNK_CHANNELS / t->block : 1;
        for (t->chunk = most; t->blocks % t->chunk; t->chunk--) {
        }
    }
    t->panel_size = (int64_t)taps * channels * c->panel;
}

static void plan_fc(const Plan *plan, Step *s) {
    ConvPlan *c = &s->conv;
    const Node *n = s->node;
    plan_panels(plan, c, n->features);
    const ValuePlan *in = plan_value(plan, s->in);
    const Shape shape = s->in->shape;
    const bool contiguous =
        shape.h * shape.w == 1 || (in->layout.pixel == shape.c && in->layout.row == shape.w * shape.c);
    const int run = contiguous ? (int)shape_size(shape) : shape.c; /* floats in one piece */
    TermPlan *t = &c->term[0];
    t->block = choose_block(run, FC_BLOCK);
    t->blocks = run / t->block;
    t->rest = run % t->block;
    t->panel_size = shape_size(shape) * c->panel;
    t->bf16 = tensor_is_bf16(n->term[0].weight);
    c->rows = c->width = c->tile = c->tiles = c->last = 1;
    c->chunk_rows = contiguous ? 1 : shape.h * shape.w; /* pieces */
}

void plan_conv(Plan *plan, Step *s) {
    const Node *n = s->node;
    if (s->algorithm == ALG_FC) {
        plan_fc(plan, s);
        return;
    }
    ConvPlan *c = &s->conv;
    const Shape out = node_walked_shape(n);
    const int merged = plan_merged_groups(n);
    if (merged)
        choose_groups(c, n->features, merged);
    else
        plan_panels(plan, c, n->features);
    choose_walk(plan, s, out);
    for (int i = 0; i < n->nin; i++) plan_term(c, &c->term[i], &n->term[i], n->in[i]->shape.c, merged);
    for (int i = 1; i < n->nin; i++) c->term[i].chunk = c->term[i].blocks; /* passes are over the first term alone */
    const Epilogue *e = &n->epilogue;
    if (e->pool == POOL_GLOBAL_AVG) s->scratch = (int64_t)c->rows * c->width * c->panel;
    if (e->pool == POOL_MAX && window_is_apart(&e->pool_window))
        s->scratch = (int64_t)c->chunk_rows * c->width * c->panel;
    else if (e->pool == POOL_MAX)
        s->scratch = (int64_t)e->pool_window.r * out.w * round_up(n->features, 16);
    s->scratch = (s->scratch + 15) / 16 * 16;
}
