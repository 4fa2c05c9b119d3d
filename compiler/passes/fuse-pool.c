/* fuse-pool: a pool that alone reads a convolution's result is computed from the rows that are hot; the image before it
 * is never stored whole.
 *
 *     %1 = conv(%0 * @a 7x7 /2) -> relu       %2 = conv(%0 * @a 7x7 /2) -> relu -> maxpool 3x3 /2 pad 1
 *     %2 = maxpool(%1) 3x3 /2 pad 1
 *
 *     %3 = conv(%2 * @b 3x3 pad 1) -> relu    %4 = conv(%2 * @b 3x3 pad 1) -> relu -> maxpool 2x2 /2
 *     %4 = maxpool(%3) 2x2 /2
 *
 *     %8 = conv(%7 * @w 1x1) + %4 -> relu     %9 = conv(%7 * @w 1x1) + %4 -> relu -> avgpool global
 *     %9 = avgpool(%8) global                 (likewise maxpool global)
 *
 * The epilogue activates, then pools: exact for any activation. (Max commutes with a bias and with monotone activations
 * only; PReLU with a negative slope is not monotone. Whether the emitted code may exchange them is the plan's
 * decision.) Runs after fuse-act.
 */
#include "rewrite.h"

enum { STEM_CHANNELS = 4, LARGEST_DISJOINT = 4, LARGEST_OVERLAPPING = 8, MOST_UNROLLED = 1 << 16 };

/* Max-pool pays where windows are disjoint and small: each is computed whole, by any panel of output channels, in any
 * order. Overlapping ones need a ring of rows, and pay for the stem: few input channels mean a large image of many
 * output channels computed from little. Later convolutions walk their rows once per panel and pass over channels. The
 * emitted text has every pixel of such a window, for all channels: a large one has a loop's code instead, of its own.
 */
static bool pays_max(const Node *conv, const Node *pool) {
    const Window *w = &pool->attr.window;
    if (pool->op != OP_MAXPOOL || pool->attr.global || conv->nin > 1 || conv->epilogue.addend) return false;
    if (window_is_disjoint(w) && w->r <= LARGEST_DISJOINT && w->s <= LARGEST_DISJOINT) return true;
    if (w->r > LARGEST_OVERLAPPING || w->s > LARGEST_OVERLAPPING) return false;
    if ((int64_t)w->r * w->s * conv->features > MOST_UNROLLED) return false;
    return w->dilate_h == 1 && w->dilate_w == 1 && conv->in[0]->shape.c <= STEM_CHANNELS;
}

/* A pool of the whole image, said as such or as a window of its size. */
static bool is_global(const Node *pool) {
    const Window *w = &pool->attr.window;
    Shape in = pool->in[0]->shape;
    return pool->attr.global || (w->r == in.h && w->s == in.w && w->dilate_h == 1 && w->dilate_w == 1 && !w->top &&
                                 !w->left && !w->bottom && !w->right);
}

void pass_fuse_pool(Graph *graph) {
    Rewrite r;
    rewrite_begin(&r, graph);
    for (int i = 0; i < graph->node_count; i++) {
        Node *pool = graph->nodes[i];
        if (!pool || (pool->op != OP_MAXPOOL && pool->op != OP_AVGPOOL) || !epilogue_is_linear(&pool->epilogue))
            continue;
        Node *conv = pool->in[0]->producer;
        if (!conv || !conv_is_dense(conv) || rewrite_only_user(&r, conv->out) != pool || conv->out->home) continue;
        Epilogue *e = &conv->epilogue;
        if (e->pool != POOL_NONE || e->in_place) continue;
        if (is_global(pool)) {
            e->pool = pool->op == OP_AVGPOOL ? POOL_GLOBAL_AVG : POOL_GLOBAL_MAX;
        } else if (pays_max(conv, pool)) {
            e->pool = POOL_MAX;
            e->pool_window = pool->attr.window;
        } else {
            continue;
        }
        e->unpooled = conv->out->shape;
        e->unpooled_value = conv->out;
        rewrite_absorb(&r, conv, pool);
    }
    rewrite_end(&r);
}
