/* fold-affine: a per-channel affine layer (batch norm, scale) folds into the weights of the convolution or fc before or
 * after it, or into another affine layer, a layer norm or a response norm before it.
 *
 *     %1 = conv(%0 * @w 3x3 pad 1) + @b       %2 = conv(%0 * @w2 3x3 pad 1) + @b2
 *     %2 = affine(%1) weight @s bias @t             @w2 = scale_out(@w, @s)   @b2 = mul_add(@b, @s, @t)
 *
 *     %1 = affine(%0) weight @s bias @t       %2 = conv(%0 * @w2 3x3) + @b2
 *     %2 = conv(%1 * @w 3x3) + @b                   @w2 = scale_in(@w, @s)    @b2 = add(@b, shift_in(@w, @t))
 *
 * Legal where nothing else reads the value between. Backwards (the first form) the layer before must end in at most a
 * bias. Forwards a shift passes only through a convolution without padding: the padding's zeros stand for %1, not for
 * %0, so at a border the shift's part of the sum is another one; through a transposed convolution, whose windows
 * overlap less there, it does not pass. Folds to the layer before come first. Weights that are stored in a narrower
 * type stay as they are: scaled, they would have to be rounded again.
 */
#include "rewrite.h"

static bool is_affine(const Node *node) {
    return node && node->op == OP_AFFINE && epilogue_is_linear(&node->epilogue);
}

static bool is_rounded(const Node *node) {
    for (int i = 0; i < node->nin; i++)
        if (node->term[i].weight->type != RN_F32) return true;
    return false;
}

/* Weights times a factor for each channel of their second dimension: a convolution's input channels, a transposed one's
 * output channels. */
static Tensor *scale_inner(Graph *graph, Tensor *weight, Tensor *scale, int groups, int pixels) {
    Tensor *scaled =
        graph_add_expr(graph, RN_SCALE_IN, weight->name, weight->ndim, weight->dim, 2, (Tensor *[]){weight, scale}, 0);
    scaled->integer[0] = groups;
    scaled->integer[1] = pixels;
    return scaled;
}

/* affine(conv(x)), affine(fc(x)) */
static bool fold_back(Rewrite *r, Node *affine) {
    Graph *graph = r->graph;
    Node *node = affine->in[0]->producer;
    if (!node || !(op_info(node->op)->flags & OPF_TERMS) || !epilogue_is_linear(&node->epilogue)) return false;
    if (rewrite_only_user(r, node->out) != affine || node->out->home || is_rounded(node)) return false;
    Tensor *scale = affine->weight[WEIGHT], *shift = affine->weight[BIAS];
    for (int i = 0; i < node->nin; i++)
        node->term[i].weight = node->op == OP_CONVTRANSPOSE
                                   ? scale_inner(graph, node->term[i].weight, scale, node->term[i].groups, 1)
                                   : tensor_scale_out(graph, node->term[i].weight, scale);
    node->epilogue.bias = tensor_mul_add(graph, node->epilogue.bias, scale, shift);
    rewrite_absorb(r, node, affine);
    return true;
}

/* affine(affine(x)), affine(layernorm(x)), affine(responsenorm(x)): the first of the two stays and is returned, or
 * NULL. */
static Node *merge_affine(Rewrite *r, Node *affine) {
    Graph *graph = r->graph;
    Node *first = affine->in[0]->producer;
    const bool is_norm = first && (first->op == OP_LAYERNORM || first->op == OP_RESPONSENORM);
    const bool ends_so = is_affine(first) || (is_norm && epilogue_is_linear(&first->epilogue));
    if (!ends_so || rewrite_only_user(r, first->out) != affine || first->out->home) return NULL;
    Tensor *scale = affine->weight[WEIGHT], *shift = affine->weight[BIAS];
    first->weight[WEIGHT] = tensor_scale_out(graph, first->weight[WEIGHT], scale);
    first->weight[BIAS] = tensor_mul_add(graph, first->weight[BIAS], scale, shift);
    rewrite_absorb(r, first, affine);
    return first;
}

static bool has_padding(const Window *w) {
    return w->top || w->left || w->bottom || w->right || w->ceil;
}

static bool is_zero(const Tensor *t) {
    return t->op == RN_FILL && t->real == 0;
}

/* conv(affine(x)), fc(affine(x)) */
static void fold_forward(Rewrite *r, Node *affine) {
    Graph *graph = r->graph;
    Node *node = rewrite_only_user(r, affine->out);
    if (!node || !(op_info(node->op)->flags & OPF_TERMS) || affine->out->home || is_rounded(node)) return;
    int k = 0;
    while (k < node->nin && node->in[k] != affine->out) k++;
    if (k == node->nin) return; /* it is the addend */
    Term *term = &node->term[k];
    Tensor *scale = affine->weight[WEIGHT], *shift = affine->weight[BIAS], *weight = term->weight;
    bool shifts = !is_zero(shift);
    if (shifts && (node->op == OP_CONVTRANSPOSE || (node->op == OP_CONV && has_padding(&term->window)))) return;
    Shape in = affine->out->shape;
    int pixels = node->op == OP_FC ? in.h * in.w : 1;
    term->weight = node->op == OP_CONVTRANSPOSE
                       ? tensor_scale_out(graph, weight, scale)
                       : scale_inner(graph, weight, scale, node->op == OP_FC ? 1 : term->groups, pixels);
    if (shifts) {
        Tensor *sum = graph_add_expr(graph, RN_SHIFT_IN, NULL, 1, &node->features, 2, (Tensor *[]){weight, shift}, 0);
        sum->integer[0] = term->weight->integer[0];
        sum->integer[1] = pixels;
        node->epilogue.bias = tensor_add(graph, node->epilogue.bias, sum);
    }
    rewrite_inherit(r, node, affine);
    rewrite_remove(r, affine);
    node->in[k] = affine->in[0];
}

void pass_fold_affine(Graph *graph) {
    Rewrite r;
    rewrite_begin(&r, graph);
    for (int i = 0; i < graph->node_count; i++) {
        Node *affine = graph->nodes[i];
        if (!is_affine(affine) || fold_back(&r, affine)) continue;
        Node *merged = merge_affine(&r, affine);
        if (!merged || is_affine(merged)) fold_forward(&r, merged ? merged : affine);
    }
    rewrite_end(&r);
}
