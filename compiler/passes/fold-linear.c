/* fold-linear: a sum of linear branches over one value becomes one convolution, by the linearity of convolution: a
 * smaller kernel is a larger one with zeros around it, an identity is a 1x1 convolution with the unit matrix (Ding et
 * al. 2021, "RepVGG", section 3.3).
 *
 *     %1 = conv(%0 * @a 3x3 pad 1) + @b       %5 = conv(%0 * @w 3x3 pad 1) + @t2
 *     %2 = conv(%0 * @c 1x1) + @d
 *     %3 = add(%1, %2)                        @w  = @a + embed(@c) + embed(scale_out(identity_kernel, @s))
 *     %4 = affine(%0) weight @s bias @t       @t2 = @b + @d + @t
 *     %5 = add(%3, %4)
 *
 * Legal where each branch ends in at most a bias and only the sum reads it, strides and groups agree, kernels are not
 * dilated, and one kernel's window holds the other's at every output pixel. An identity or affine branch further needs
 * a convolution that keeps the shape. It never costs multiply-adds: the larger kernel stays as large as it is. Chains
 * of sums fold one after the other. Runs after fold-affine, which turns conv + bn into such a branch.
 */
#include "rewrite.h"

/* A convolution that may absorb another branch of `sum`. */
static bool is_linear_conv(const Rewrite *r, const Node *node, const Node *sum) {
    if (!node || node->op != OP_CONV || node->nin != 1 || rewrite_only_user(r, node->out) != sum || node->out->home)
        return false;
    const Window *w = &node->term[0].window;
    bool dilated = (w->dilate_h != 1 && w->r != 1) || (w->dilate_w != 1 && w->s != 1);
    return epilogue_is_linear(&node->epilogue) && !dilated;
}

/* Whether `inner`, moved by the difference of the paddings, lies within `outer` at every output pixel. */
static bool window_holds(const Window *outer, const Window *inner) {
    int down = outer->top - inner->top, right = outer->left - inner->left;
    return outer->stride_h == inner->stride_h && outer->stride_w == inner->stride_w && down >= 0 && right >= 0 &&
           down + inner->r <= outer->r && right + inner->s <= outer->s;
}

/* `weight`, a kernel seen through `inner`, as a kernel seen through `outer`. */
static Tensor *embed(Graph *graph, Tensor *weight, const Window *inner, const Window *outer) {
    if (inner->r == outer->r && inner->s == outer->s) return weight;
    int dim[4] = {weight->dim[0], weight->dim[1], outer->r, outer->s};
    Tensor *t = graph_add_expr(graph, RN_EMBED, weight->name, 4, dim, 1, &weight, 0);
    t->integer[0] = outer->top - inner->top;
    t->integer[1] = outer->left - inner->left;
    return t;
}

/* sum = conv(x) + conv(x): `node` absorbs `other`. */
static bool fold_conv(Rewrite *r, Node *node, Node *other, Node *sum) {
    Term *term = &node->term[0], *small = &other->term[0];
    if (node == other || node->in[0] != other->in[0] || term->groups != small->groups) return false;
    if (!window_holds(&term->window, &small->window)) return false;
    Graph *graph = r->graph;
    term->weight = tensor_add(graph, term->weight, embed(graph, small->weight, &small->window, &term->window));
    node->epilogue.bias = tensor_add(graph, node->epilogue.bias, other->epilogue.bias);
    Value *x = node->in[0];
    rewrite_remove(r, other);
    rewrite_absorb(r, node, sum);
    r->uses[x->id]--;
    r->user[x->id] = node;
    return true;
}

/* sum = conv(x) + x, or conv(x) + affine(x) where `affine` is not NULL: `node` absorbs it. */
static bool fold_identity(Rewrite *r, Node *node, Node *affine, Node *sum) {
    static const Window point = {.r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .dilate_h = 1, .dilate_w = 1};
    Term *term = &node->term[0];
    Value *x = node->in[0];
    if (!shape_equal(x->shape, node->out->shape) || !window_holds(&term->window, &point)) return false;
    Graph *graph = r->graph;
    int dim[4] = {node->features, x->shape.c / term->groups, 1, 1};
    Tensor *unit = graph_add_expr(graph, RN_IDENTITY_KERNEL, NULL, 4, dim, 0, NULL, 0);
    unit->integer[0] = term->groups;
    if (affine) {
        unit = tensor_scale_out(graph, unit, affine->weight[WEIGHT]);
        node->epilogue.bias = tensor_add(graph, node->epilogue.bias, affine->weight[BIAS]);
        rewrite_remove(r, affine);
    }
    term->weight = tensor_add(graph, term->weight, embed(graph, unit, &point, &term->window));
    rewrite_absorb(r, node, sum);
    r->uses[x->id]--;
    r->user[x->id] = node;
    return true;
}

/* The branch of `sum` that makes summand k is a convolution: it absorbs the other one, if it can. */
static bool fold_sum(Rewrite *r, Node *sum, int k) {
    Node *node = sum->in[k]->producer;
    Value *rest = sum->in[1 - k];
    if (!is_linear_conv(r, node, sum)) return false;
    if (rest == node->in[0]) return fold_identity(r, node, NULL, sum);
    Node *other = rest->producer;
    if (is_linear_conv(r, other, sum)) return fold_conv(r, node, other, sum);
    bool affine = other && other->op == OP_AFFINE && other->in[0] == node->in[0] &&
                  epilogue_is_linear(&other->epilogue) && rewrite_only_user(r, rest) == sum && !rest->home;
    return affine && fold_identity(r, node, other, sum);
}

void pass_fold_linear(Graph *graph) {
    Rewrite r;
    rewrite_begin(&r, graph);
    for (int i = 0; i < graph->node_count; i++) {
        Node *sum = graph->nodes[i];
        if (!sum || sum->op != OP_ADD || !epilogue_is_linear(&sum->epilogue)) continue;
        if (!shape_equal(sum->in[0]->shape, sum->in[1]->shape)) continue; /* zero-filling */
        if (!fold_sum(&r, sum, 0)) fold_sum(&r, sum, 1);
    }
    rewrite_end(&r);
}
