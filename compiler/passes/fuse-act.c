/* fuse-act: an activation that alone reads a layer's result joins that layer's epilogue, and is applied while the
 * result is in registers.
 *
 *     %2 = conv(%1 * @w 1x1) + %0             %3 = conv(%1 * @w 1x1) + %0 -> relu
 *     %3 = relu(%2)
 *
 * Carriers are those with OPF_EPILOGUE in ops.def, whose emitters end in the epilogue; pools, concat, lrn and the like
 * are loops of their own that end otherwise. A layer that pools already cannot take one: the epilogue activates first.
 */
#include "graph/act.h"
#include "rewrite.h"

void pass_fuse_act(Graph *graph) {
    Rewrite r;
    rewrite_begin(&r, graph);
    for (int i = 0; i < graph->node_count; i++) {
        Node *act = graph->nodes[i];
        if (!act || !(op_info(act->op)->flags & OPF_ACTIVATION) || !epilogue_is_linear(&act->epilogue)) continue;
        Node *node = act->in[0]->producer;
        if (!node || !op_carries_addend(node->op) || rewrite_only_user(&r, node->out) != act || node->out->home)
            continue;
        Epilogue *e = &node->epilogue;
        if (e->act != ACT_NONE || e->pool != POOL_NONE) continue;
        e->act = node_act(act);
        e->numbers = node_act_numbers(act);
        e->prelu = act->weight[WEIGHT];
        rewrite_absorb(&r, node, act);
    }
    rewrite_end(&r);
}
