/* fold-shortcut: the other summand of a residual sum is computed by the sum's own layer.
 *
 * A projection becomes a second term of the block's last convolution, accumulated (beta = 1) onto the tile that is
 * hot; its output is never stored:
 *
 *     %3 = conv(%0 * @p 1x1 /2) + @t          %4 = conv(%2 * @w 3x3 pad 1, %0 * @p 1x1 /2) + @b2
 *     %4 = conv(%2 * @w 3x3 pad 1) + @b + %3        @b2 = add(@b, @t)
 *
 * A subsampled identity (option A: a pool of one pixel with a stride) is read in place with a stride:
 *
 *     %3 = maxpool(%0) 1x1 /2                 %4 = conv(%2 * @w 3x3 pad 1) + %0 stride 2 partial
 *     %4 = conv(%2 * @w 3x3 pad 1) + %3 partial
 *
 * Legal where the sum alone reads the shortcut. A projection must end in at most a bias, and neither convolution may
 * have groups (the terms share their output panels). Runs after fuse-add.
 */
#include "rewrite.h"

/* The block's last convolution `node` takes over the terms of its addend's. */
static bool fold_projection(Rewrite *r, Node *node, Node *projection) {
    Epilogue *e = &node->epilogue;
    if (!conv_is_dense(node) || !conv_is_dense(projection) || !epilogue_is_linear(&projection->epilogue)) return false;
    if (e->addend_stride != 1 || e->addend_partial || node->nin + projection->nin > NODE_MAX_TERMS) return false;
    Graph *graph = r->graph;
    Value **in = arena_alloc(graph->arena, sizeof *in * NODE_MAX_TERMS);
    for (int i = 0; i < node->nin; i++) in[i] = node->in[i];
    for (int i = 0; i < projection->nin; i++) {
        in[node->nin + i] = projection->in[i];
        node->term[node->nin + i] = projection->term[i];
    }
    node->in = in;
    node->nin += projection->nin;
    e->bias = tensor_add(graph, e->bias, projection->epilogue.bias);
    e->addend = NULL;
    rewrite_inherit(r, node, projection);
    rewrite_remove(r, projection);
    return true;
}

/* A pool of single pixels: out[c][y][x] = in[c][s*y][s*x]. */
static bool is_subsampling(const Node *node) {
    const Window *w = &node->attr.window;
    return (node->op == OP_MAXPOOL || node->op == OP_AVGPOOL) && !node->attr.global && w->r == 1 && w->s == 1 &&
           w->stride_h == w->stride_w && !w->top && !w->left && !w->bottom && !w->right &&
           epilogue_is_linear(&node->epilogue);
}

static void fold_subsampling(Rewrite *r, Node *node, Node *pool) {
    Epilogue *e = &node->epilogue;
    e->addend = pool->in[0];
    e->addend_stride *= pool->attr.window.stride_h;
    rewrite_inherit(r, node, pool);
    rewrite_remove(r, pool);
}

void pass_fold_shortcut(Graph *graph) {
    Rewrite r;
    rewrite_begin(&r, graph);
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (!node || node->op != OP_CONV || !node->epilogue.addend || node->epilogue.in_place) continue;
        Value *addend = node->epilogue.addend;
        Node *shortcut = addend->producer;
        if (!shortcut || rewrite_only_user(&r, addend) != node || addend->home) continue;
        if (is_subsampling(shortcut))
            fold_subsampling(&r, node, shortcut);
        else if (shortcut->op == OP_CONV)
            fold_projection(&r, node, shortcut);
    }
    rewrite_end(&r);
}
