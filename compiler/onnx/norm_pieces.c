/* Norms that are written in pieces, from their first node on. */
#include "import.h"

#include <math.h>
#include <string.h>

/* The node of that type that reads the tensor, of those that are not done; NULL where there is none. */
static OnnxNode *reader(const Import *import, const OnnxNode *after, const OnnxTensor *tensor, const char *type) {
    const OnnxModel *model = import->model;
    for (int i = after->index + 1; i < model->node_count && i < after->index + IMPORT_LOOK_AHEAD; i++) {
        OnnxNode *node = model->nodes[i];
        if (node->done || strcmp(node->type, type) != 0) continue;
        for (int k = 0; k < node->nin; k++)
            if (node->in[k] == tensor) return node;
    }
    return NULL;
}

static bool reads(const OnnxNode *node, const OnnxTensor *a, const OnnxTensor *b) {
    return node->nin == 2 && ((node->in[0] == a && node->in[1] == b) || (node->in[0] == b && node->in[1] == a));
}

static bool is_number(const OnnxTensor *tensor) {
    return tensor && onnx_is_constant(tensor) && onnx_elements(&tensor->shape) == 1;
}

bool import_is_square(const OnnxNode *node) {
    if (node->nin != 2) return false;
    if (strcmp(node->type, "Pow") == 0) return is_number(node->in[1]) && onnx_element(node->in[1], 0) == 2;
    return strcmp(node->type, "Mul") == 0 && node->in[0] == node->in[1];
}

/* The numbers of each channel that a Mul or Add applies to the tensor; NULL where it does not. */
static double *per_channel(Import *import, const OnnxNode *node, const OnnxTensor *tensor, const View *view) {
    const OnnxTensor *constant = node && node->in[0] == tensor ? node->in[1] : node ? node->in[0] : NULL;
    return constant && onnx_is_constant(constant) ? import_per_channel(import->model->arena, constant, view) : NULL;
}

/* Factors and, after them, a sum for each channel, in nodes behind the last one, which changes. */
static ImportWeights affine_behind(Import *import, OnnxNode **last, const View *view) {
    const int64_t channels = view->size[AXIS_C];
    ImportWeights weights = {{{NULL, import_filled(import, channels, 1)}, {NULL, import_filled(import, channels, 0)}}};
    for (bool sums = false; !sums && (*last)->out[0]->uses == 1;) {
        const OnnxTensor *y = (*last)->out[0];
        OnnxNode *next = reader(import, *last, y, "Mul");
        if (!next) next = reader(import, *last, y, "Add"), sums = true;
        const double *numbers = per_channel(import, next, y, view);
        if (!numbers) break;
        bool changes = false;
        ImportWeight *slot = &weights.slot[sums];
        for (int64_t c = 0; c < channels; c++) {
            const float before = slot->data[c];
            slot->data[c] = (float)(sums ? numbers[c] : before * numbers[c]);
            changes |= slot->data[c] != before;
        }
        if (changes) slot->source = next->in[next->in[0] == y];
        next->done = true;
        *last = next;
    }
    return weights;
}

/* The node that divides x by the root of what `sum` makes: x / sqrt(s), or x times 1 / sqrt(s); and the nodes between,
 * of which the second may be NULL. NULL where there is none. */
static OnnxNode *over_root(Import *import, const OnnxNode *sum, const OnnxTensor *x, OnnxNode *between[2]) {
    OnnxNode *root = between[0] = reader(import, sum, sum->out[0], "Sqrt");
    if (!root || sum->out[0]->uses != 1 || root->out[0]->uses != 1) return NULL;
    OnnxNode *share = reader(import, root, root->out[0], "Div");
    between[1] = NULL;
    if (share && share->in[0] == x) return share;
    const bool one = share && is_number(share->in[0]) && onnx_element(share->in[0], 0) == 1;
    OnnxNode *inverse = between[1] = one ? share : reader(import, root, root->out[0], "Reciprocal");
    OnnxNode *product = inverse && inverse->out[0]->uses == 1 ? reader(import, inverse, inverse->out[0], "Mul") : NULL;
    return product && reads(product, x, inverse->out[0]) ? product : NULL;
}

/* mean = ReduceMean(x), d = x - mean, var = ReduceMean(d * d), d / sqrt(var + eps), perhaps * weight, perhaps + bias */
bool import_layernorm_pieces(Import *import, OnnxNode *mean) {
    OnnxModel *model = import->model;
    const OnnxTensor *x = mean->in[0];
    const Operand *operand = import_operand(import, mean, 0);
    bool axes[ONNX_MOST_RANK], other[ONNX_MOST_RANK];
    if (!operand || mean->out[0]->shape.rank != x->shape.rank || !onnx_axes(model, mean, x->shape.rank, true, axes))
        return false;
    for (int d = 0; d < x->shape.rank; d++)
        if (axes[d] != (view_axis(&operand->view, d) == AXIS_C)) return false;
    OnnxNode *sub = reader(import, mean, mean->out[0], "Sub");
    if (!sub || mean->out[0]->uses != 1 || sub->in[0] != x || sub->in[1] != mean->out[0]) return false;
    const OnnxTensor *d = sub->out[0];
    OnnxNode *square = reader(import, sub, d, "Pow");
    if (!square) square = reader(import, sub, d, "Mul");
    if (!square || square->out[0]->uses != 1 || !import_is_square(square)) return false;
    OnnxNode *variance = reader(import, square, square->out[0], "ReduceMean");
    if (!variance || variance->out[0]->uses != 1 || variance->out[0]->shape.rank != x->shape.rank ||
        !onnx_axes(model, variance, x->shape.rank, true, other) || memcmp(axes, other, sizeof axes) != 0)
        return false;
    OnnxNode *add = reader(import, variance, variance->out[0], "Add");
    const OnnxTensor *eps = add ? add->in[add->in[0] == variance->out[0]] : NULL;
    OnnxNode *between[2], *last = add && is_number(eps) ? over_root(import, add, d, between) : NULL;
    if (!last || d->uses != (strcmp(square->type, "Pow") == 0 ? 2 : 3)) return false;
    OnnxNode *nodes[] = {mean, sub, square, variance, add, between[0], between[1], last};
    const View view = operand->view;
    const ImportWeights weights = affine_behind(import, &last, &view);
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (nodes[i]) nodes[i]->done = true;
    Layer layer = layer_default(OP_LAYERNORM);
    layer.attr.eps = onnx_decimal((float)onnx_element(eps, 0));
    Value *in = operand->value;
    return import_result(import, last, 0, import_layer(import, last, NULL, OP_LAYERNORM, &in, 1, &layer, &weights),
                         &view);
}

/* Whether a reduction is over just the dimensions that are channels, or rows and columns, and keeps them. */
static bool reduces(Import *import, OnnxNode *node, const View *view, bool channels) {
    bool axes[ONNX_MOST_RANK];
    if (!node || node->in[0]->shape.rank != view->rank || node->out[0]->shape.rank != view->rank ||
        !onnx_axes(import->model, node, view->rank, false, axes))
        return false;
    for (int d = 0; d < view->rank; d++) {
        const ViewAxis axis = view_axis(view, d);
        if (axis != AXIS_NONE && axes[d] != (channels ? axis == AXIS_C : axis == AXIS_H || axis == AXIS_W))
            return false;
    }
    return true;
}

/* The node that makes the root of the sum of squares over channels, or rows and columns: a ReduceL2, or the last one of
 * a square, a ReduceSum and a Sqrt. NULL where there is none. */
static OnnxNode *root_of_squares(Import *import, OnnxNode *first, const View *view, bool channels, OnnxNode **sum) {
    const bool direct = strcmp(first->type, "ReduceL2") == 0;
    if (!direct && !import_is_square(first)) return NULL;
    *sum = direct ? first : reader(import, first, first->out[0], "ReduceSum");
    if (!*sum || !reduces(import, *sum, view, channels)) return NULL;
    if (direct) return first;
    OnnxNode *root = reader(import, *sum, (*sum)->out[0], "Sqrt");
    return first->out[0]->uses == 1 && (*sum)->out[0]->uses == 1 ? root : NULL;
}

/* The node that applies a lower bound, a number, to the tensor, and that number. */
static OnnxNode *lower_bound(Import *import, OnnxNode *after, const OnnxTensor *tensor, double *bound) {
    OnnxNode *clip = reader(import, after, tensor, "Clip");
    if (!clip) clip = reader(import, after, tensor, "Max");
    if (!clip || clip->nin < 2 || tensor->uses != 1) return NULL;
    const OnnxTensor *low = clip->in[clip->in[0] != tensor ? 0 : 1], *high = clip->nin > 2 ? clip->in[2] : NULL;
    if (!is_number(low) || (high && (!is_number(high) || isfinite(onnx_element(high, 0))))) return NULL;
    *bound = onnx_element(low, 0);
    return clip;
}

Value *import_divided_by_root(Import *import, OnnxNode *node, const char *part, const Operand *x, double share,
                              double k) {
    Layer layer = layer_default(OP_LRN);
    Value *in = x->value;
    layer.attr.size = 2 * in->shape.c - 1, layer.attr.alpha = layer.attr.size * share;
    layer.attr.beta = 0.5, layer.attr.k = k;
    return import_layer(import, node, part, OP_LRN, &in, 1, &layer, NULL);
}

/* x / sqrt(ReduceMean(x * x) + eps) over the channels (B. Zhang, R. Sennrich, Root Mean Square Layer Normalization,
 * NeurIPS 2019) */
bool import_rmsnorm_pieces(Import *import, OnnxNode *square) {
    const OnnxTensor *x = square->in[0];
    const Operand *operand = x ? x->operand : NULL;
    if (!operand || operand->pad || !import_is_square(square) || square->out[0]->uses != 1) return false;
    OnnxNode *mean = reader(import, square, square->out[0], "ReduceMean");
    if (!reduces(import, mean, &operand->view, true) || mean->out[0]->uses != 1) return false;
    OnnxNode *add = reader(import, mean, mean->out[0], "Add");
    const OnnxTensor *eps = add ? add->in[add->in[0] == mean->out[0]] : NULL;
    OnnxNode *between[2], *last = is_number(eps) ? over_root(import, add, x, between) : NULL;
    const int channels = operand->value->shape.c;
    if (!last || !(onnx_element(eps, 0) > 0) || channels > IMPORT_MOST_LRN) return false;
    OnnxNode *nodes[] = {square, mean, add, between[0], between[1], last};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (nodes[i]) nodes[i]->done = true;
    const View view = operand->view;
    const double k = onnx_decimal((float)onnx_element(eps, 0));
    return import_result(import, last, 0, import_divided_by_root(import, square, NULL, operand, 1.0 / channels, k),
                         &view);
}

/* g = ReduceL2(x) over the channels, or the root of the sum of x's squares; x / max(g, eps): lrn over all channels,
 * with eps^2 below the root. Without a bound a pixel of zeros stays zeros. */
bool import_l2norm_pieces(Import *import, OnnxNode *first) {
    const OnnxTensor *x = first->in[0];
    const Operand *operand = x ? x->operand : NULL;
    OnnxNode *sum, *root = operand && !operand->pad ? root_of_squares(import, first, &operand->view, true, &sum) : NULL;
    double eps = 0;
    if (!root) return false;
    OnnxNode *clip = lower_bound(import, root, root->out[0], &eps), *last = clip ? clip : root;
    OnnxNode *expand = reader(import, last, last->out[0], "Expand");
    if (expand && last->out[0]->uses == 1) last = expand;
    OnnxNode *share = last->out[0]->uses == 1 ? reader(import, last, last->out[0], "Div") : NULL;
    if (!share || share->in[0] != x || share->in[1] != last->out[0] || !(eps >= 0 && eps < 1e-4) ||
        operand->value->shape.c > IMPORT_MOST_LRN || !onnx_same_shape(&share->out[0]->shape, &x->shape))
        return false;
    OnnxNode *nodes[] = {first, sum, root, clip, last, share};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (nodes[i]) nodes[i]->done = true;
    const View view = operand->view;
    const double k = fmax(eps * eps, 1e-30); /* still a float */
    return import_result(import, share, 0, import_divided_by_root(import, first, NULL, operand, 1, k), &view);
}

/* g = ReduceL2(x) over rows and columns, or the root of the sum of x's squares; g / (ReduceMean(g) + eps) * x, perhaps
 * * weight, perhaps + bias */
bool import_responsenorm_pieces(Import *import, OnnxNode *first) {
    const OnnxTensor *x = first->in[0];
    const Operand *operand = x ? x->operand : NULL;
    OnnxNode *sum,
        *root = operand && !operand->pad ? root_of_squares(import, first, &operand->view, false, &sum) : NULL;
    if (!root) return false;
    const OnnxTensor *g = root->out[0];
    OnnxNode *mean = reader(import, root, g, "ReduceMean");
    if (g->uses != 2 || !reduces(import, mean, &operand->view, true) || mean->out[0]->uses != 1) return false;
    OnnxNode *add = reader(import, mean, mean->out[0], "Add");
    const OnnxTensor *eps = add ? add->in[add->in[0] == mean->out[0]] : NULL;
    OnnxNode *share = is_number(eps) && add->out[0]->uses == 1 ? reader(import, add, add->out[0], "Div") : NULL;
    if (!share || share->in[0] != g || share->out[0]->uses != 1) return false;
    OnnxNode *last = reader(import, share, share->out[0], "Mul");
    if (!last || !reads(last, x, share->out[0])) return false;
    OnnxNode *nodes[] = {first, sum, root, mean, add, share, last};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) nodes[i]->done = true;
    Value *in = operand->value;
    const View view = operand->view;
    const ImportWeights weights = affine_behind(import, &last, &view);
    Layer layer = layer_default(OP_RESPONSENORM);
    layer.attr.eps = onnx_decimal((float)onnx_element(eps, 0));
    return import_result(import, last, 0, import_layer(import, first, NULL, OP_RESPONSENORM, &in, 1, &layer, &weights),
                         &view);
}
