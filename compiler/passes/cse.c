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
#include "graph/key.h"
#include "rewrite.h"

static uint64_t name_value(const void *user, const Value *value) {
    return (uint64_t)rewrite_resolve(user, (Value *)value)->id;
}

static uint64_t name_tensor(const void *user, const Tensor *tensor) {
    (void)user;
    return (uint64_t)tensor->id;
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
        node_key(&key, node, &(KeyNames){name_value, name_tensor, &r});
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
