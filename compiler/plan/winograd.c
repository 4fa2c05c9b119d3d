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
#include "cost.h"
#include "winograd.h"

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

WinogradPlan *plan_winograd(Plan *plan, const Node *node, const Choice *choice, int images) {
    WinogradPlan *w = arena_alloc(plan->arena, sizeof *w);
    if (choice->side > 1 && choice->side != winograd_side(plan, node)) bug("%s: pixels are not apart", node->name);
    if (!winograd_tiles(w, node, choice, images)) bug("%s: no F(%d, %d)", node->name, choice->m_h, choice->m_w);
    const int tiles = winograd_tile_count(w);
    ConvPlan panels = {0};
    plan_panels(plan, &panels, node->features);
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
    w->shared = w->blocks == 1 && panels.panels > 1 && !w->pool_rows;
    w->fetch = w->blocks > 1 && images == 1 && w->side == 1 && 4 * shape_size(node->in[0]->shape) > L2_BYTES;
    w->calls = divide_up(w->block, WINOGRAD_CALL);
    w->call = divide_up(w->block, w->calls);
    w->v_tile = round_up(w->channels, 16) + (w->channels > 16 ? 16 : 0); /* no power of two lines: tiles would share
                                                                            cache sets */
    w->m_tile = panels.panel;
    w->v_matrix = w->block * w->v_tile + 16;
    w->m_matrix = w->block * w->m_tile + 16;
    w->panel_size = (int64_t)winograd_products(w) * w->channels * panels.panel;
    return w;
}

bool winograd_tiles(WinogradPlan *w, const Node *node, const Choice *choice, int images) {
    const Window *window = &node->term[0].window;
    const Epilogue *e = &node->epilogue;
    const Shape out = node_walked_shape(node);
    const bool deep = choice->side > 1;
    if (rn_winograd_make(&w->h, choice->m_h, divide_up(window->r, choice->side), deep ? 1 : window->stride_h) ||
        rn_winograd_make(&w->w, choice->m_w, divide_up(window->s, choice->side), deep ? 1 : window->stride_w))
        return false;
    w->side = choice->side;
    w->channels = deep ? w->side * w->side * WINOGRAD_DEEP_PIXEL : node->in[0]->shape.c;
    w->images = images;
    w->rows = divide_up(out.h, choice->m_h);
    w->columns = divide_up(out.w, choice->m_w);
    w->pool_rows = e->pool == POOL_MAX && !window_is_apart(&e->pool_window);
    if (w->pool_rows) return images == 1;
    w->pool_apart = e->pool == POOL_MAX && (choice->m_h % e->pool_window.r || choice->m_w % e->pool_window.s);
    return !w->pool_apart || (images == 1 && choice->block >= w->rows * w->columns);
}

int winograd_side(const Plan *plan, const Node *node) {
    const Value *in = node->in[0];
    const Window *w = &node->term[0].window;
    const bool read_alone = in == plan->graph->input && plan_value(plan, in)->root == in; /* its spare lanes are zero */
    if (!read_alone || in->shape.c > WINOGRAD_DEEP_PIXEL || in->shape.h * in->shape.w == 1 || node->nin > 1) return 1;
    if ((w->stride_h != 2 && w->stride_h != 4) || w->r <= w->stride_h || w->s <= w->stride_w) return 1;
    return w->stride_h;
}
