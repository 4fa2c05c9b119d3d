/* Tiles and blocks of one convolution by Winograd's method.
 *
 * Three ways. Where V and M of a block of tiles fit in L2, blocks are divided among the parts, and each part
 * transforms, multiplies and transforms back its own. Where weights dominate (late stages: few tiles, many channels)
 * all tiles are one block: the input transform is a step of its own, and panels are divided among the parts, so that
 * each panel of weights is read once. Where an overlapping max-pool follows, a part takes its rows of tiles one after
 * another.
 *
 * A strided convolution of few channels (the stem) has side x side pixels taken as one (space to depth): 7x7 at stride
 * 2 over pixels of 4 floats (3 channels and a zero) is 4x4 at stride 1 over 16 channels. That is F(m, 4) with K = 16,
 * where the phases of a stride would need more products, each with K = 3. The input stays as it is: a row of such a
 * pixel lies side by side in memory, so that the transform loads a vector from each of its rows. Its weights are an
 * expression.
 */
#include "winograd.h"

#include <limits.h>

#include "conv.h"
#include "gemm.h"
#include "graph/ops.h"
#include "step.h"
#include "weights.h"

/* A window is pooled when its last row is there. Of the rows above the tiles that complete it, how many it reads. */
static int carried_rows(const WinogradPlan *w, const Node *node) {
    const Window *pool = &node->epilogue.pool_window;
    const int height = node_walked_shape(node).h;
    int most = 0;
    for (int p = 0; p < node->out->shape.h; p++) {
        const int top = p * pool->stride_h - pool->top, end = top + pool->r < height ? top + pool->r : height;
        const int above = (end - 1) / w->h.m * w->h.m - (top > 0 ? top : 0);
        if (above > most) most = above;
    }
    return most;
}

/* ---- geometry ---- */
bool winograd_may_be(const Node *n) {
    if (n->op != OP_CONV || n->term[0].groups != 1) return false;
    const Window *w = &n->term[0].window;
    const Epilogue *e = &n->epilogue;
    if (w->r * w->s == 1 || w->dilate_h != 1 || w->dilate_w != 1 || w->stride_h != w->stride_w) return false;
    if (e->pool && n->nin > 1) return false;
    if (e->pool == POOL_MAX && (e->addend || e->pool_window.dilate_h != 1 || e->pool_window.dilate_w != 1))
        return false;
    return machine_fits_int(n->in[0]->shape) && machine_fits_int(node_unpooled_shape(n));
}

const Filtering *winograd_filtering(const Plan *plan, const Node *node, const Choice *choice, int dimension) {
    const Window *w = &node->term[0].window;
    const int taps = divide_up(dimension ? w->s : w->r, choice->side);
    const int stride = choice->side > 1 ? 1 : dimension ? w->stride_w : w->stride_h;
    return filtering_of(plan, dimension ? choice->m_w : choice->m_h, taps, stride);
}

bool winograd_tiles(WinogradPlan *w, const Plan *plan, const Node *node, const Choice *choice, int images) {
    const Epilogue *e = &node->epilogue;
    const Shape out = node_walked_shape(node);
    const bool deep = choice->side > 1;
    const Filtering *rows = winograd_filtering(plan, node, choice, 0),
                    *columns = winograd_filtering(plan, node, choice, 1);
    if (!rows || !columns) return false;
    w->h = rows->w, w->w = columns->w;
    w->side = choice->side;
    w->channels = deep ? w->side * w->side * WINOGRAD_DEEP_PIXEL : node->in[0]->shape.c;
    w->images = images;
    w->rows = divide_up(out.h, choice->m_h);
    w->columns = divide_up(out.w, choice->m_w);
    w->pool_rows = e->pool == POOL_MAX && !window_is_disjoint(&e->pool_window);
    if (w->pool_rows) return images == 1;
    w->pool_image = e->pool == POOL_MAX && (choice->m_h % e->pool_window.r || choice->m_w % e->pool_window.s);
    return !w->pool_image || (images == 1 && choice->block >= w->rows * w->columns);
}

int winograd_side(const Plan *plan, const Node *node) {
    const Value *in = node->in[0];
    const Window *w = &node->term[0].window;
    const bool read_alone = in == plan->graph->input && plan_value(plan, in)->root == in; /* its spare lanes are zero */
    if (!read_alone || in->shape.c > WINOGRAD_DEEP_PIXEL || in->shape.h * in->shape.w == 1 || node->nin > 1) return 1;
    if ((w->stride_h != 2 && w->stride_h != 4) || w->r <= w->stride_h || w->s <= w->stride_w) return 1;
    return w->stride_h;
}

void winograd_reach(const Choice *c, Shape *out, Window *window) {
    out->h = round_up(out->h, c->m_h), out->w = round_up(out->w, c->m_w);
    window->r = round_up(window->r, c->side), window->s = round_up(window->s, c->side);
}

/* ---- steps ---- */
const WinogradPlan *winograd_plan(const Step *step) {
    if (step->algorithm != ALG_WINOGRAD && step->algorithm != ALG_TRANSFORM)
        bug("%s is not by Winograd's method", step->name);
    return step->detail;
}

/* The image that the output transform writes: the result, or one in scratch that is pooled from there. */
static void place_image(const Plan *plan, const Node *node, WinogradPlan *w) {
    const Layout *out = &plan_value(plan, node->out)->layout;
    const bool stored = w->pool_rows || w->pool_image;
    w->pixel = w->pool_rows ? round_up(node->features, VECTOR) : w->pool_image ? w->panels.width : out->pixel;
    w->row = stored ? node_walked_shape(node).w * w->pixel : out->row;
    w->pool_late = epilogue_commutes_with_max(&node->epilogue);
}

static WinogradPlan *make_plan(Plan *plan, const Node *node, const Choice *choice, int images) {
    WinogradPlan *w = arena_alloc(plan->arena, sizeof *w);
    if (choice->side > 1 && choice->side != winograd_side(plan, node))
        bug("%s: its pixels cannot be taken as one", node->name);
    if (!winograd_tiles(w, plan, node, choice, images)) bug("%s: no F(%d, %d)", node->name, choice->m_h, choice->m_w);
    const int tiles = winograd_tile_count(w);
    w->panels = panels_of(plan, node->features);
    if (w->pool_rows) {
        w->row_blocks = divide_up(w->columns, choice->block < WINOGRAD_CALL ? choice->block : WINOGRAD_CALL);
        w->block = divide_up(w->columns, w->row_blocks);
        w->row_blocks = divide_up(w->columns, w->block);
        w->blocks = w->rows * w->row_blocks;
        w->tail = w->columns - (w->row_blocks - 1) * w->block;
        w->carried = carried_rows(w, node);
    } else {
        w->block = choice->block < tiles ? choice->block : tiles;
        w->blocks = divide_up(tiles, w->block);
        w->tail = tiles - (w->blocks - 1) * w->block;
    }
    if (w->blocks > 1 && w->block > WINOGRAD_CALL) bug("%s: blocks of %d tiles", node->name, w->block);
    if (w->blocks > 1 && pool_is_global(&node->epilogue))
        bug("%s: an image's pool in %d blocks", node->name, w->blocks);
    w->shared = w->blocks == 1 && w->panels.count > 1 && !w->pool_rows;
    w->fetch = w->blocks > 1 && images == 1 && w->side == 1 &&
               4.0 * (double)shape_size(node->in[0]->shape) > plan->options.machine->l2_size;
    w->calls = divide_up(w->block, WINOGRAD_CALL);
    w->call = divide_up(w->block, w->calls);
    /* no power of two lines: tiles would share cache sets */
    w->v_tile = round_up(w->channels, VECTOR) + (w->channels > VECTOR ? VECTOR : 0);
    w->m_tile = w->panels.width;
    w->v_matrix = w->block * w->v_tile + VECTOR;
    w->m_matrix = w->block * w->m_tile + VECTOR;
    w->panel_size = (int64_t)winograd_products(w) * w->channels * w->panels.width;
    const int64_t weights = w->panel_size * w->panels.count * (int64_t)sizeof(float);
    const bool stay = w->blocks > 1 && (double)weights <= plan->options.machine->l2_size / 2; /* in L2 */
    w->uses = stay ? INT_MAX : tiles;
    place_image(plan, node, w);
    return w;
}

/* Further terms have been added into the result by a step before. */
static void accumulate(Step *s) {
    s->nin = 1;
    s->epilogue.addend = (Value *)s->out;
    s->epilogue.addend_stride = 1;
    s->epilogue.addend_partial = false;
    s->epilogue.in_place = true;
}

/* The input transform of all tiles. Returns the index of V's place. */
static int add_transform(Plan *plan, const Node *node, const WinogradPlan *w, const WinogradPlan *one) {
    Step *s = step_add(plan, ALG_TRANSFORM, node, node->out);
    step_name_part(plan, s, "transform");
    s->nin = 1;
    s->epilogue = (Epilogue){0};
    s->complete = false;
    s->images = w->images;
    s->detail = w;
    const int v = plan_temporary(plan, (int64_t)sizeof(float) * winograd_products(w) * w->v_matrix);
    step_reads_inputs(plan, s);
    step_writes_temporary(plan, s, v);
    if (one) {
        Step *single = step_for_one(plan, s);
        single->detail = one;
        s->one = single;
    }
    return v;
}

/* What a part needs for itself: V, unless all share it, and M; and the image that is pooled, or its last rows. */
static int64_t scratch_floats(const Node *node, const WinogradPlan *w) {
    const Shape image = node_walked_shape(node);
    int64_t floats = (int64_t)((w->shared ? 0 : w->v_matrix) + w->m_matrix) * winograd_products(w);
    if (w->pool_image) floats += (int64_t)image.h * w->row;
    if (w->pool_rows) floats += (int64_t)(w->carried + w->h.m) * w->row;
    return floats;
}

/* Up to three: the further terms, the input transform, the rest. */
void winograd_steps(Plan *plan, const Node *node) {
    const Choice *choice = &plan->choices[node->id];
    const int images = plan_images(plan, node);
    if (node->nin > 1) conv_step_of_terms(plan, node, 1);
    WinogradPlan *w = make_plan(plan, node, choice, images), *one = NULL;
    if (images > 1) {
        one = make_plan(plan, node, choice, 1);
        one->shared = w->shared; /* of the same steps */
    }
    const int v = w->shared ? add_transform(plan, node, w, one) : -1;
    Step *s = step_add(plan, ALG_WINOGRAD, node, node->out);
    s->images = images;
    s->detail = w;
    s->macs =
        shape_size(node_unpooled_shape(node)) * node->in[0]->shape.c * node->term[0].window.r * node->term[0].window.s;
    s->multiplications = (int64_t)winograd_products(w) * w->rows * w->columns * w->channels * node->features;
    s->scratch = round_up_bytes((int64_t)sizeof(float) * scratch_floats(node, w));
    const Gemm products = {.m = w->panels.width, .n = w->call, .k = w->channels, .columns = w->uses};
    s->woven = gemm_is_woven(plan->options.machine, &products);
    if (node->nin > 1) accumulate(s);
    if (w->shared)
        step_reads_temporary(plan, s, v);
    else
        step_reads_inputs(plan, s);
    step_reads_addend(plan, s);
    step_writes_result(plan, s);
    if (one) {
        Step *single = step_for_one(plan, s);
        single->detail = one;
        s->one = single;
    }
}

void winograd_pack(Plan *plan, Step *s) {
    const WinogradPlan *w = winograd_plan(s);
    const int32_t dim[4] = {s->node->features, w->channels, w->h.r, w->w.r};
    const int32_t integer[4] = {w->panels.width, w->h.m, w->w.m, w->h.stride};
    weights_of_epilogue(plan, s);
    int weight = weights_tensor(plan, s->term[0].weight);
    if (w->side > 1)
        weight = weights_recipe_step(plan, (rn_recipe_step){.op = RN_SPACE_TO_DEPTH,
                                                            .ndim = 4,
                                                            .arg = {weight},
                                                            .dim = {dim[0], dim[1], dim[2], dim[3]},
                                                            .integer = {w->side, WINOGRAD_DEEP_PIXEL}});
    weights_pack(plan, s, OPERAND_W, RN_PACK_WINOGRAD, RN_F32, weight, dim, integer);
}

void winograd_describe(const Step *s, Text *text) {
    const WinogradPlan *w = winograd_plan(s);
    text_printf(text, " F(%dx%d, %dx%d)", w->h.m, w->w.m, w->h.r, w->w.r);
    if (w->side > 1) text_printf(text, " of %dx%d pixels", w->side, w->side);
    text_printf(text, " products %d tiles %dx%d", winograd_products(w), w->rows, w->columns);
    if (s->algorithm == ALG_WINOGRAD)
        text_printf(text, " panels %dx%d blocks %dx%d calls %dx%d", w->panels.count, w->panels.width, w->blocks,
                    w->block, w->calls, w->call);
}
