/* cse: two layers of one op, with the same inputs, attributes, weights and epilogue, compute one value once.
 *
 *     %1 = relu(%0)                           %1 = relu(%0)
 *     %2 = conv(%1 * @w 1x1)                  %2 = conv(%1 * @w 1x1)
 *     %3 = relu(%0)                           %4 = add(%2, %1)
 *     %4 = add(%2, %3)
 *
 * One walk in topological order: a layer's key is a text of all that its result depends on, with inputs already
 * replaced by their first equals, so chains of equal layers fall together. A second layer that is an output stays, or
 * the output would lose its name.
 */
#include "graph/irtext_fields.h"
#include "rewrite.h"

static int id_of(const Tensor *t) {
    return t ? t->id : -1;
}

static void key_window(Text *key, const Window *w) {
    text_printf(key, " %dx%d/%dx%d~%dx%d+%d,%d,%d,%d%c", w->r, w->s, w->stride_h, w->stride_w, w->dilate_h, w->dilate_w,
                w->top, w->left, w->bottom, w->right, w->ceil ? 'c' : 'f');
}

static void key_epilogue(Text *key, const Rewrite *r, const Epilogue *e) {
    text_printf(key, " b%d", id_of(e->bias));
    if (e->addend)
        text_printf(key, " a%d/%d%s", rewrite_resolve(r, e->addend)->id, e->addend_stride,
                    e->addend_partial ? "partial" : "");
    if (e->act != ACT_NONE)
        text_printf(key, " act%d %a %a p%d", (int)e->act, e->numbers.p, e->numbers.q, id_of(e->prelu));
    if (e->pool != POOL_NONE) text_printf(key, " pool%d", (int)e->pool);
    if (e->pool == POOL_MAX) key_window(key, &e->pool_window);
}

/* All that the node's result depends on. */
static void make_key(Text *key, const Rewrite *r, const Node *node) {
    text_printf(key, "%d", (int)node->op);
    for (int i = 0; i < node->nin; i++) {
        text_printf(key, " %%%d", rewrite_resolve(r, node->in[i])->id);
        if (!node->term) continue;
        text_printf(key, "*%d g%d", id_of(node->term[i].weight), node->term[i].groups);
        if (node->op != OP_FC) key_window(key, &node->term[i].window);
    }
    for (int i = 0; i < NODE_MAX_WEIGHTS; i++)
        if (node->weight[i]) text_printf(key, " w%d:%d", i, node->weight[i]->id);
    irtext_print_attributes(key, node);
    key_epilogue(key, r, &node->epilogue);
}

void pass_cse(Graph *graph) {
    Rewrite r;
    rewrite_begin(&r, graph);
    Map seen = {0};
    Text key = {0};
    for (int i = 0; i < graph->node_count; i++) {
        Node *node = graph->nodes[i];
        if (node->out->home || node->epilogue.in_place) continue; /* it also says where its value lies */
        key.size = 0;
        make_key(&key, &r, node);
        const Node *first = map_get(&seen, key.s);
        if (!first) {
            map_put(&seen, &r.arena, arena_strndup(&r.arena, key.s, key.size), node);
        } else if (!node->out->is_output) {
            rewrite_forward(&r, node->out, first->out);
            rewrite_remove(&r, node);
        }
    }
    text_free(&key);
    rewrite_end(&r);
}
