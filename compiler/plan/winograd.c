/* Tiles and blocks of one convolution by Winograd's method.
 *
 * Two ways. Where V and M of a block of tiles fit in L2, blocks are divided among the parts, and each part transforms,
 * multiplies and transforms back its own. Where weights dominate (late stages: few tiles, many channels) all tiles are
 * one block: the input transform is a step of its own, and panels are divided among the parts, so that each panel of
 * weights is read once.
 */
#include "cost.h"
#include "winograd.h"

WinogradPlan *plan_winograd(Plan *plan, const Node *node, const Choice *choice, int images) {
    WinogradPlan *w = arena_alloc(plan->arena, sizeof *w);
    if (!winograd_tiles(w, node, choice, images)) bug("%s: no F(%d, %d)", node->name, choice->m_h, choice->m_w);
    const int channels = node->in[0]->shape.c, tiles = winograd_tile_count(w);
    ConvPlan panels = {0};
    plan_panels(&panels, node->features);
    w->block = choice->block < tiles ? choice->block : tiles;
    w->blocks = divide_up(tiles, w->block);
    if (w->blocks > 1 && w->block > WINOGRAD_CALL) bug("%s: blocks of %d tiles", node->name, w->block);
    w->shared = w->blocks == 1 && panels.panels > 1;
    w->fetch = w->blocks > 1 && images == 1 && 4 * shape_size(node->in[0]->shape) > L2_BYTES;
    w->calls = divide_up(w->block, WINOGRAD_CALL);
    w->call = divide_up(w->block, w->calls);
    w->v_tile = round_up(channels, 16) + 16; /* no power of two: tiles would share cache sets */
    w->m_tile = panels.panel;
    w->v_matrix = w->block * w->v_tile + 16;
    w->m_matrix = w->block * w->m_tile + 16;
    w->panel_size = (int64_t)winograd_products(w) * channels * panels.panel;
    return w;
}

bool winograd_tiles(WinogradPlan *w, const Node *node, const Choice *choice, int images) {
    const Window *window = &node->term[0].window;
    const Epilogue *e = &node->epilogue;
    const Shape out = node_walked_shape(node);
    if (rn_winograd_make(&w->h, choice->m_h, window->r, window->stride_h) ||
        rn_winograd_make(&w->w, choice->m_w, window->s, window->stride_w))
        return false;
    w->images = images;
    w->rows = divide_up(out.h, choice->m_h);
    w->columns = divide_up(out.w, choice->m_w);
    w->pool_apart = e->pool == POOL_MAX && (choice->m_h % e->pool_window.r || choice->m_w % e->pool_window.s);
    return !w->pool_apart || (images == 1 && choice->block >= w->rows * w->columns);
}
