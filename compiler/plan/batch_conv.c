/* Convolutions in training: which results read which positions, in both directions; blocks of tiles; slabs.
 *
 * A fully connected layer is a convolution whose window is its input; its columns are the images.
 */
#include "batch_conv.h"

#include "graph/ops.h"
#include "step.h"

#include <limits.h>

enum {
    TILE = 4,                 /* of Winograd's method: F(4 x 4, 3 x 3), whose error training takes (docs/training.md) */
    TILES_BYTES = 600 << 10,  /* V and M of a block, so that L2 has room for the strip and the weights; at least */
    TILES_MOST = 128,         /* tiles of a block */
    STRIP_BYTES = 256 << 10,  /* so that L2 has room for what is made of it */
    PANELS_BYTES = 448 << 10, /* of the side of a weights' gradient that is in scratch whole, */
    PANELS_DEPTH = 196,       /* and pixels that are worth going through the sums for */
    SHARED_TILES = 64,        /* of a unit, where weights are shared */
    DEPTH = 16                /* least tiles of a batch-reduce element of a gradient */
};

static const double TILES_SHARE = 25.0 / 32; /* of L2, for V and M where that is more than TILES_BYTES */

/* ---- directions ---- */
static PhaseLine *forward_line(Arena *arena, int results, int kernel, int dilate, int before) {
    PhaseLine *line = arena_alloc(arena, sizeof *line);
    *line = (PhaseLine){.results = results, .phases = 1, .count = kernel};
    line->tap = arena_alloc(arena, sizeof(int) * (size_t)kernel);
    line->at = arena_alloc(arena, sizeof(int) * (size_t)kernel);
    for (int t = 0; t < kernel; t++) line->tap[t] = t, line->at[t] = t * dilate - before;
    return line;
}

/* Whether the next phase reads with the next taps what the last of the line's read. */
static bool goes_on(const PhaseLine *line, const PhaseLine *next) {
    bool alike =
        line->phase + line->phases == next->phase && line->results == next->results && line->count == next->count;
    for (int t = 0; t < line->count && alike; t++)
        alike = next->tap[t] == line->tap[t] + line->phases && next->at[t] == line->at[t];
    return alike;
}

/* Result r of the transposed convolution reads source (r + before - tap * dilate) / stride, where that is whole. */
static PhaseLine *data_lines(Arena *arena, int results, int kernel, int stride, int dilate, int before, int *count,
                             bool *gaps) {
    PhaseLine *lines = NULL;
    int capacity = 0;
    for (int phase = 0; phase < stride && phase < results; phase++) {
        PhaseLine line = {.phase = phase, .phases = 1, .results = (results - phase + stride - 1) / stride};
        int capacities[2] = {0}, ats = 0;
        for (int t = 0; t < kernel; t++) {
            const int at = phase + before - t * dilate;
            if (at % stride) continue;
            ARENA_PUSH(arena, line.tap, line.count, capacities[0], t);
            ARENA_PUSH(arena, line.at, ats, capacities[1], at / stride);
        }
        if (!line.count)
            *gaps = true;
        else if (*count && goes_on(&lines[*count - 1], &line))
            lines[*count - 1].phases++;
        else
            ARENA_PUSH(arena, lines, *count, capacity, line);
    }
    return lines;
}

/* Zeros before and after a source of `size` that a line's results read. */
static void widen(const PhaseLine *line, int step, int size, int *before, int *after) {
    for (int t = 0; t < line->count; t++) {
        const int last = (line->results - 1) * step + line->at[t] - (size - 1);
        if (-line->at[t] > *before) *before = -line->at[t];
        if (last > *after) *after = last;
    }
}

static Sliding sliding_of(Arena *arena, const BatchConv *c) {
    const Window *w = &c->window;
    Sliding s = {.in_step_h = 1, .in_step_w = 1, .out_step_h = 1, .out_step_w = 1};
    if (c->kind == CONV_DATA) {
        s.source = c->y, s.result = c->x;
        s.out_step_h = w->stride_h, s.out_step_w = w->stride_w;
        s.rows = data_lines(arena, c->x.h, w->r, w->stride_h, w->dilate_h, w->top, &s.row_lines, &s.gaps);
        s.columns = data_lines(arena, c->x.w, w->s, w->stride_w, w->dilate_w, w->left, &s.column_lines, &s.gaps);
    } else {
        s.source = c->x, s.result = c->y;
        s.in_step_h = w->stride_h, s.in_step_w = w->stride_w;
        s.rows = forward_line(arena, c->y.h, w->r, w->dilate_h, w->top);
        s.columns = forward_line(arena, c->y.w, w->s, w->dilate_w, w->left);
        s.row_lines = s.column_lines = 1;
    }
    for (int i = 0; i < s.row_lines; i++) widen(&s.rows[i], s.in_step_h, s.source.h, &s.top, &s.bottom);
    for (int i = 0; i < s.column_lines; i++) widen(&s.columns[i], s.in_step_w, s.source.w, &s.left, &s.right);
    return s;
}

/* ---- Winograd's method ---- */
static bool winograd_can(const Plan *plan, const BatchConv *c) {
    const Window *w = &c->window;
    return plan->options.winograd && w->r == 3 && w->s == 3 && w->stride_h == 1 && w->stride_w == 1 &&
           w->dilate_h == 1 && w->dilate_w == 1 && w->top == 1 && w->left == 1 && w->bottom == 1 && w->right == 1 &&
           c->groups == 1 && !c->depthwise && c->joined == 1 && c->x.c >= 8 && c->y.c >= 8 && c->x.h > 2 && c->x.w > 2;
}

/* Whether weights, or their gradient's sums, had better be gone through once for all tiles. */
static bool is_shared(const BatchConv *c, int batch) {
    const int64_t channels = batch_lda(c->in_channels > c->out_channels ? c->in_channels : c->out_channels);
    const int64_t all = (int64_t)(batch + DEPTH) * c->rows * c->columns + SHARED_TILES; /* offsets are ints */
    if (all * channels > INT_MAX / (c->f.n * c->f.n)) return false;
    const int64_t most = c->kind == CONV_WEIGHTS ? 128 * 128 - 1 : 256 * 256;
    return c->winograd && (int64_t)c->in_channels * c->out_channels > most;
}

/* The network's input has pixels of few floats, too few for a GEMM; those of a window's row lie side by side. */
static void merge_row(const Plan *plan, BatchConv *c, const Value *x) {
    const int pixel = plan_value(plan, x)->layout.pixel;
    c->merged = c->kind != CONV_DATA && pixel < VECTOR && c->groups == 1 && c->joined == 1 && c->window.dilate_w == 1 &&
                c->window.s > 1;
    if (!c->merged) return;
    c->in_channels = pixel * c->window.s;
    c->taps = c->window.r;
    PhaseLine *columns = c->sliding.columns;
    columns->count = 1;
}

/* From one product's matrix to the next: no multiple of a page, or all products fall to the same sets of the caches. */
static int64_t product_floats(int64_t floats) {
    return floats * (int64_t)sizeof(float) % 4096 ? floats : floats + VECTOR;
}

/* V and M, or V and Z, of all tiles lie in temporaries; a transform has a strip of a whole image, a unit M of `tiles`.
 */
static void share_tiles(const Plan *plan, BatchConv *c) {
    const int image = c->rows * c->columns, products = c->f.n * c->f.n;
    const int in = batch_lda(c->in_channels), out = batch_lda(c->out_channels);
    c->images = 1, c->tile_rows = c->rows;
    c->strip_h = c->rows * TILE + 2;
    c->chunk = image < DEPTH ? DEPTH / image : 1;
    const int ranks = plan->training->ranks;
    c->group_images = round_up(train_group_images(plan), c->chunk);
    c->all_tiles = (int64_t)(ranks ? ranks * c->group_images : c->group_images) * image;
    c->tiles = c->all_tiles < SHARED_TILES ? (int)c->all_tiles : train_block(plan, SHARED_TILES, image);
    c->all_tiles = divide_up((int)c->all_tiles, c->tiles) * (int64_t)c->tiles;
    c->v_product = (int)product_floats(c->all_tiles * in);
    c->m_product =
        c->kind == CONV_WEIGHTS ? (int)product_floats(c->all_tiles * out) : (int)product_floats(c->tiles * BATCH_PANEL);
    c->m_at = 0;
    c->strip_at = c->kind == CONV_WEIGHTS ? 0 : (int64_t)products * c->m_product;
}

/* V and M of a block: the larger it is, the fewer times the weights are read again. */
static int tiles_bytes(const Plan *plan) {
    const double bytes = TILES_SHARE * plan->options.machine->l2_size;
    return bytes < TILES_BYTES ? TILES_BYTES : bytes < INT_MAX ? (int)bytes : INT_MAX;
}

static void winograd_blocks(const Plan *plan, BatchConv *c) {
    const int ranks = plan->training->ranks, batch = ranks ? ranks * train_group_images(plan) : plan->options.batch;
    rn_winograd_make(&c->f, TILE, 3, 1);
    const int products = c->f.n * c->f.n;
    c->rows = divide_up(c->y.h, TILE), c->columns = divide_up(c->y.w, TILE);
    const int in = batch_lda(c->in_channels), out = batch_lda(c->out_channels);
    const int m = c->kind == CONV_WEIGHTS ? out : out < BATCH_PANEL ? out : BATCH_PANEL;
    int most = tiles_bytes(plan) / (products * (in + m) * (int)sizeof(float));
    if (most > TILES_MOST) most = TILES_MOST;
    if (most < 8) most = 8;
    const int image = c->rows * c->columns;
    c->images = image <= most ? most / image : 1;
    if (c->images > batch) c->images = batch;
    c->images = train_block(plan, c->images, 1);
    c->tile_rows = image <= most ? c->rows : most / c->columns > 1 ? most / c->columns : 1;
    if (c->tile_rows < c->rows) c->tile_rows = divide_up(c->rows, divide_up(c->rows, c->tile_rows)); /* evenly */
    c->tiles = c->images * c->tile_rows * c->columns;
    c->v_product = (int)product_floats((int64_t)c->tiles * in);
    c->m_product = (int)product_floats((int64_t)c->tiles * m);
    c->strip_h = c->tile_rows * TILE + 2;
    c->strip_w = c->columns * TILE + 2;
    c->m_at = (int64_t)products * c->v_product;
    c->strip_at = c->m_at + (int64_t)products * c->m_product;
    c->shared = is_shared(c, batch);
    if (c->shared) share_tiles(plan, c);
}

/* Some rows of results at a time, so that the strip of their source stays in L2; not where results are of several
 * lines, nor where a row's windows would be copied more often than twice. */
static void band(BatchConv *c) {
    const Sliding *s = &c->sliding;
    const PhaseLine *line = s->rows;
    int span = 1;
    if (s->row_lines != 1 || s->out_step_h > 1) return;
    for (int t = 0; t < line->count; t++)
        if (line->at[t] + s->top + 1 > span) span = line->at[t] + s->top + 1;
    const int64_t row = (int64_t)sizeof(float) * c->strip_w * c->strip_pixel * s->in_step_h;
    for (int rows = s->result.h; rows > 1 && rows * s->in_step_h >= span && c->strip_rows * row > STRIP_BYTES; rows--)
        if (s->result.h % rows == 0) c->strip_rows = rows;
    if (c->strip_rows < s->result.h) c->strip_h = (c->strip_rows - 1) * s->in_step_h + span;
}

/* A pixel of a strip takes an odd number of cache lines: the pixels of a row fall to different sets. */
static int spread(int pixel) {
    return pixel < BATCH_PANEL || pixel / VECTOR % 2 ? pixel : pixel + VECTOR;
}

/* Rows of results, dividing all evenly, of at most `most` bytes where a row has so many. */
static int rows_of(int results, int64_t row, int64_t most) {
    int best = results;
    for (int rows = results; rows >= 1 && best * row > most; rows--)
        if (results % rows == 0) best = rows;
    return best;
}

static PanelStrip panel_strip(int channels, int pixels, int images) {
    const int pixel = channels < BATCH_PANEL ? batch_lda(channels) : BATCH_PANEL;
    return (PanelStrip){pixel, (int64_t)pixels * pixel, (int64_t)images * pixels * pixel};
}

/* Both sides of the weights' gradient; -> floats. */
static int64_t panel_strips(BatchConv *c, int batch) {
    const bool x_whole = c->x.c <= c->y.c;
    const int64_t x_row = (int64_t)sizeof(float) * c->strip_w * batch_lda(c->x.c) * c->window.stride_h;
    const int64_t y_row = (int64_t)sizeof(float) * c->y.w * batch_lda(c->y.c);
    c->strip_rows = rows_of(c->y.h, x_whole ? x_row : y_row, PANELS_BYTES);
    c->strip_h = (c->strip_rows - 1) * c->window.stride_h + (c->window.r - 1) * c->window.dilate_h + 1;
    c->images = c->strip_rows < c->y.h ? 1 : PANELS_DEPTH / (c->y.h * c->y.w);
    if (c->images > batch / c->slabs) c->images = batch / c->slabs;
    if (c->images < 1) c->images = 1;
    c->x_panel = panel_strip(c->x.c, c->strip_h * c->strip_w, c->images);
    c->y_panel = panel_strip(c->y.c, c->strip_rows * c->y.w, c->images);
    const int64_t x = c->x_panel.panel * (x_whole ? divide_up(c->x.c, BATCH_PANEL) : 1);
    c->gradient_at = x;
    return c->gradient_at + c->y_panel.panel * (x_whole ? 1 : divide_up(c->y.c, BATCH_PANEL)) + VECTOR;
}

static int64_t floats_of_scratch(BatchConv *c, int pixel, int batch) {
    c->strip_pixel = pixel;
    if (c->winograd) return c->strip_at + (int64_t)c->strip_h * c->strip_w * pixel + VECTOR;
    const Sliding *s = &c->sliding;
    c->panels = c->kind == CONV_WEIGHTS && c->groups == 1 && !c->merged && !c->depthwise;
    c->strip = (s->top | s->left | s->bottom | s->right) != 0 || c->merged || c->panels || !reader_is_stored(c->source);
    c->strip_h = s->source.h + s->top + s->bottom, c->strip_w = s->source.w + s->left + s->right;
    c->strip_rows = s->result.h;
    if (!c->strip) return 0;
    if (c->panels) return panel_strips(c, batch);
    if (c->merged) c->strip_w = c->y.w, c->strip_pixel = round_up(c->in_channels, VECTOR);
    if (!c->merged && !c->depthwise && c->kind != CONV_WEIGHTS) c->strip_pixel = spread(pixel);
    band(c);
    return (int64_t)c->strip_h * c->strip_w * c->strip_pixel + VECTOR;
}

/* ---- steps ---- */
static void fill(BatchConv *c, const Window *window, int groups, Shape x, Shape y) {
    c->window = *window;
    c->groups = groups;
    c->taps = window->r * window->s;
    c->x = x, c->y = y;
}

/* How many groups fill a vector, on both sides. */
static int groups_of_vector(const BatchConv *c, Shape from, Shape to) {
    const int channels = (from.c > to.c ? from.c : to.c) / c->groups;
    int most = VECTOR / channels;
    while (most > 1 && c->groups % most) most--;
    return most > 1 ? most : 1;
}

/* Each channel by itself: weights and their sums are vectors of channels, one for each tap. Groups of few channels are
 * joined, so that a vector is full. */
static void split_groups(const Plan *plan, BatchConv *c, const Value *in, Shape from, Shape to) {
    c->depthwise =
        c->groups > 1 && c->groups == from.c && c->groups == to.c && plan_value(plan, in)->layout.pixel % VECTOR == 0;
    c->joined = c->groups > 1 && !c->depthwise ? groups_of_vector(c, from, to) : 1;
    c->groups = c->depthwise ? 1 : c->groups / c->joined;
    c->in_channels = c->depthwise ? 1 : from.c / c->groups, c->out_channels = to.c / c->groups;
}

static Window fc_window(Shape x) {
    Window w = window_unit();
    w.r = w.stride_h = x.h, w.s = w.stride_w = x.w; /* of one position: a stride is none; its gradient has a tap each */
    return w;
}

static int64_t packed_floats(BatchConv *c) {
    const int64_t taps = c->winograd ? c->f.n * c->f.n : c->taps;
    c->matrix = product_floats((int64_t)c->in_channels * batch_lda(c->out_channels));
    return taps * c->groups * c->matrix;
}

static int transform_step(Plan *plan, const Node *node, const BatchConv *c, const Value *value, bool gradient) {
    const int channels = gradient ? c->out_channels : c->in_channels;
    const int64_t product = gradient ? c->m_product : c->v_product;
    const int temporary = plan_temporary(plan, (int64_t)sizeof(float) * c->f.n * c->f.n * product);
    Step *step = step_add(plan, ALG_BATCH_TRANSFORM, node, node->out);
    step_name_part(plan, step, gradient ? "gradient's transform" : "transform");
    step->complete = false;
    BatchTransform *t = arena_alloc(plan->arena, sizeof *t);
    *t = (BatchTransform){c, reader_new(plan, step, value, NULL), gradient};
    step->detail = t;
    if (!gradient)
        step->scratch = (int64_t)sizeof(float) * ((int64_t)c->strip_h * c->strip_w * batch_lda(channels) + VECTOR);
    step_writes_temporary(plan, step, temporary);
    return temporary;
}

static bool is_data(const Node *node) {
    return node->op == OP_CONVTRANSPOSE || node->op == OP_FC_DATA;
}

int64_t batch_conv_parts(const Node *node) {
    if (!is_data(node) || node->op == OP_FC_DATA) return 1;
    Arena arena = {0};
    BatchConv c = {.kind = CONV_DATA};
    fill(&c, &node->term[0].window, node->term[0].groups, node->out->shape, node->in[0]->shape);
    const Sliding s = sliding_of(&arena, &c);
    arena_free(&arena);
    return (int64_t)s.row_lines * s.column_lines;
}

void batch_conv_steps(Plan *plan, const Node *node) {
    BatchConv *c = arena_alloc(plan->arena, sizeof *c);
    const Value *in = node->in[0];
    const bool data = is_data(node);
    const Tensor *weight = node->term ? node->term[0].weight : node->weight[WEIGHT];
    c->kind = data ? CONV_DATA : CONV_RESULT;
    c->is_fc = node->op == OP_FC || node->op == OP_FC_DATA;
    const Shape x = data ? node->out->shape : in->shape, y = data ? in->shape : node->out->shape;
    const Window window = c->is_fc ? fc_window(x) : node->term[0].window;
    fill(c, &window, c->is_fc ? 1 : node->term[0].groups, x, y);
    split_groups(plan, c, in, in->shape, node->out->shape);
    c->winograd = winograd_can(plan, c);
    if (c->winograd) winograd_blocks(plan, c);
    c->sliding = sliding_of(plan->arena, c);
    merge_row(plan, c, in);
    const int weights = plan_temporary(plan, (int64_t)sizeof(float) * packed_floats(c));

    Step *pack = step_add(plan, ALG_BATCH_PACK, node, node->out);
    step_name_part(plan, pack, "pack");
    pack->detail = c;
    pack->complete = false;
    train_reads_parameter(plan, pack, OPERAND_W, weight);
    step_writes_temporary(plan, pack, weights);

    const int transformed = c->shared ? transform_step(plan, node, c, in, false) : -1;
    Step *step = step_add(plan, ALG_BATCH_CONV, node, node->out);
    step->detail = c;
    if (c->shared)
        step_reads_temporary(plan, step, transformed);
    else
        c->source = reader_new(plan, step, in, NULL);
    step->scratch = c->shared  ? (int64_t)sizeof(float) * c->strip_at
                    : c->is_fc ? 0
                               : (int64_t)sizeof(float) * floats_of_scratch(c, plan_value(plan, in)->layout.pixel, 1);
    step->macs = op_info(node->op)->cost(node);
    step->multiplications = c->winograd ? (int64_t)c->f.n * c->f.n * c->rows * c->columns * x.c * y.c : step->macs;
    step_reads_temporary(plan, step, weights)->role = OPERAND_W;
    if (node->epilogue.bias) train_reads_parameter(plan, step, OPERAND_BIAS, node->epilogue.bias);
    step_writes_result(plan, step);
}

void batch_weights_steps(Plan *plan, const Node *node) {
    BatchConv *c = arena_alloc(plan->arena, sizeof *c);
    const Shape x = node->in[0]->shape, y = node->in[1]->shape;
    c->kind = CONV_WEIGHTS;
    c->is_fc = node->op == OP_FC_WEIGHTS;
    const Window window = c->is_fc ? fc_window(x) : node->attr.window;
    fill(c, &window, c->is_fc ? 1 : node->attr.groups, x, y);
    split_groups(plan, c, node->in[0], x, y);
    c->winograd = winograd_can(plan, c);
    if (c->winograd) winograd_blocks(plan, c);
    c->sliding = sliding_of(plan->arena, c);
    merge_row(plan, c, node->in[0]);
    c->slab = packed_floats(c);
    const int ranks = plan->training->ranks;
    c->slabs = c->is_fc || c->shared ? (ranks ? ranks : 1) : train_slabs(plan, (int64_t)sizeof(float) * c->slab);
    const int slabs = plan_temporary(plan, (int64_t)sizeof(float) * c->slab * c->slabs);

    const int v = c->shared ? transform_step(plan, node, c, node->in[0], false) : -1;
    const int z = c->shared ? transform_step(plan, node, c, node->in[1], true) : -1;
    Step *step = step_add(plan, ALG_BATCH_WEIGHTS, node, node->out);
    step->detail = c;
    step->complete = false;
    if (c->shared) {
        step_reads_temporary(plan, step, v);
        step_reads_temporary(plan, step, z);
    } else {
        c->source = reader_new(plan, step, node->in[0], NULL);
        c->gradient = reader_new(plan, step, node->in[1], NULL);
    }
    const int pixel = plan_value(plan, node->in[0])->layout.pixel;
    step->scratch =
        c->shared || c->is_fc ? 0 : (int64_t)sizeof(float) * floats_of_scratch(c, pixel, plan->options.batch);
    if (!c->winograd && !c->panels && !reader_is_stored(c->gradient)) { /* a copy of it in scratch */
        c->gradient_at = divide_up((int)(step->scratch / (int64_t)sizeof(float)), VECTOR) * VECTOR;
        step->scratch = (int64_t)sizeof(float) * (c->gradient_at + plan_value(plan, node->in[1])->apart + VECTOR);
    }
    step->macs = op_info(node->op)->cost(node);
    step->multiplications = c->winograd ? (int64_t)c->f.n * c->f.n * c->rows * c->columns * x.c * y.c : step->macs;
    step_writes_temporary(plan, step, slabs);

    Step *sum = step_add(plan, ALG_BATCH_GRADIENT, node, node->out);
    step_name_part(plan, sum, "sum");
    sum->detail = c;
    step_reads_temporary(plan, sum, slabs);
    train_writes_gradient(plan, sum, train_gradient_of(plan, node->out, 0)->param);
}

/* ---- what --dump=plan shows ---- */
static void describe_way(const BatchConv *c, Text *text) {
    if (!c->winograd) {
        if (c->depthwise) text_puts(text, " depthwise");
        text_printf(text, " direct %d taps", c->merged ? c->window.r : c->taps);
        if (c->merged) text_printf(text, " of rows, strips of %d", c->strip_rows);
        return;
    }
    text_printf(text, " F(%dx%d, 3x3) products %d tiles %dx%d", c->f.m, c->f.m, c->f.n * c->f.n, c->rows, c->columns);
    if (c->shared)
        text_printf(text, " shared by %d", c->tiles);
    else if (c->images > 1)
        text_printf(text, " of %d images", c->images);
    else if (c->tile_rows < c->rows)
        text_printf(text, " by %d rows", c->tile_rows);
}

void batch_conv_describe(const Step *s, Text *text) {
    const BatchConv *c = batch_conv(s);
    describe_way(c, text);
    if (c->groups > 1) text_printf(text, " groups %d", c->groups);
    if (c->joined > 1) text_printf(text, " of %d", c->joined);
    if (c->kind == CONV_WEIGHTS) text_printf(text, " slabs %d", c->slabs);
}

void batch_transform_describe(const Step *s, Text *text) {
    const BatchTransform *t = s->detail;
    describe_way(t->conv, text);
}
