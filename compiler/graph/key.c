#include "key.h"

#include <inttypes.h>

#include "irtext_fields.h"

static void key_window(Text *key, const Window *w) {
    text_printf(key, " %dx%d/%dx%d~%dx%d+%d,%d,%d,%d%c", w->r, w->s, w->stride_h, w->stride_w, w->dilate_h, w->dilate_w,
                w->top, w->left, w->bottom, w->right, w->ceil ? 'c' : 'f');
}

/* Nothing where there is none. */
static void key_tensor(Text *key, const KeyNames *names, const char *slot, const Tensor *tensor) {
    if (tensor) text_printf(key, " %s%" PRIu64, slot, names->tensor(names->user, tensor));
}

static void key_epilogue(Text *key, const KeyNames *names, const Epilogue *e) {
    key_tensor(key, names, "b", e->bias);
    if (e->addend)
        text_printf(key, " a%" PRIu64 "/%d%s", names->value(names->user, e->addend), e->addend_stride,
                    e->addend_partial ? "partial" : "");
    if (e->act != ACT_NONE) {
        text_printf(key, " act%d %a %a", (int)e->act, e->numbers.p, e->numbers.q);
        key_tensor(key, names, "p", e->prelu);
    }
    if (e->pool != POOL_NONE) text_printf(key, " pool%d", (int)e->pool);
    if (e->pool == POOL_MAX) key_window(key, &e->pool_window);
}

void node_key(Text *key, const Node *node, const KeyNames *names) {
    static const char *const slots[NODE_MAX_WEIGHTS] = {"w0:", "w1:", "w2:", "w3:"};
    text_printf(key, "%d", (int)node->op);
    for (int i = 0; i < node->nin; i++) {
        text_printf(key, " %%%" PRIu64, names->value(names->user, node->in[i]));
        if (!node->term) continue;
        key_tensor(key, names, "*", node->term[i].weight);
        text_printf(key, " g%d", node->term[i].groups);
        if (node->op != OP_FC) key_window(key, &node->term[i].window);
    }
    for (int i = 0; i < NODE_MAX_WEIGHTS; i++) key_tensor(key, names, slots[i], node->weight[i]);
    irtext_print_attributes(key, node);
    key_epilogue(key, names, &node->epilogue);
}
