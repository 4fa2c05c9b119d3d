/* dce: layers that no output needs are removed (a head above the layer that --output asks for, an unused branch).
 *
 *     %1 = conv(%0 * @w 3x3)                  %1 = conv(%0 * @w 3x3)
 *     %2 = relu(%1)                           output %1
 *     output %1
 *
 * Runs first, so that a dead reader does not keep a value from being fused; no later pass leaves dead layers behind.
 */
#include "rewrite.h"

void pass_dce(Graph *graph) {
    Rewrite r;
    rewrite_begin(&r, graph);
    for (int i = graph->node_count - 1; i >= 0; i--) {
        Node *node = graph->nodes[i];
        if (r.uses[node->out->id]) continue;
        for (int j = 0; j < node->nin; j++) r.uses[node->in[j]->id]--;
        if (node->epilogue.addend) r.uses[node->epilogue.addend->id]--;
        rewrite_remove(&r, node);
    }
    rewrite_end(&r);
}
