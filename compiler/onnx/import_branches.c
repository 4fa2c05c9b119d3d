/* Branches that a dimension of their own counts: values stacked along it, and sums over it; and sums over pixels that
 * another value weighs, which exporters write as products of matrices.
 */
#include "import.h"

#include <string.h>

enum { MOST_BRANCHES = 64 };

/* The dimension, which was of no axis, becomes that of `count` values whose channels lie one after another. */
static View stacked(const View *view, int dim, int count) {
    View result = *view;
    const int at = view->begin[dim];
    for (int i = view->count; i > at; i--) result.atom[i] = view->atom[i - 1];
    result.atom[at] = (Atom){AXIS_C, count, view->size[AXIS_C]};
    for (int d = dim + 1; d <= view->rank; d++) result.begin[d]++;
    result.count++;
    result.size[AXIS_C] *= count;
    return result;
}

bool import_stack(Import *import, OnnxNode *node, int axis) {
    Value **in = arena_alloc(import->model->arena, sizeof *in * (size_t)(node->nin + 1));
    View first = {0};
    for (int i = 0; i < node->nin; i++) {
        const Operand *operand = import_operand(import, node, i);
        if (!operand) return false;
        if (i == 0) first = operand->view;
        if (!view_same_order(&first, &operand->view) || view_axis(&operand->view, axis) != AXIS_NONE)
            return import_problem(import, node, "its inputs are in dimensions %s and %s",
                                  view_text(import->model->arena, &first),
                                  view_text(import->model->arena, &operand->view));
        in[i] = operand->value;
    }
    if (first.count == VIEW_MOST_ATOMS) return import_problem(import, node, "it has too many dimensions");
    const Layer layer = layer_default(OP_CONCAT);
    const View view = stacked(&first, axis, node->nin);
    Value *out = import_layer(import, node, NULL, OP_CONCAT, in, node->nin, &layer, NULL);
    return out && import_result(import, node, 0, out, &view);
}

/* The view without an atom, of a value of so many channels. */
static View without(const View *view, int dim, int64_t channels) {
    View result = *view;
    for (int i = view->begin[dim]; i < view->count - 1; i++) result.atom[i] = view->atom[i + 1];
    for (int d = dim + 1; d <= view->rank; d++) result.begin[d]--;
    result.count--;
    result.size[AXIS_C] = channels;
    return result;
}

static Value *scaled(Import *import, OnnxNode *node, Value *in, double factor) {
    Layer layer = layer_default(OP_SCALE);
    layer.bias = false;
    const ImportWeights weights = {{{NULL, in ? import_filled(import, in->shape.c, factor) : NULL}}};
    return in ? import_layer(import, node, "factor", OP_SCALE, &in, 1, &layer, &weights) : NULL;
}

/* Parts of the channels, one after another, added up. */
static Value *branch_sum(Import *import, OnnxNode *node, Value *in, int branches) {
    const Layer add = layer_default(OP_ADD);
    Value *sum = NULL;
    for (int i = 0; i < branches; i++) {
        Layer layer = layer_default(OP_SLICE);
        layer.attr.channels = in->shape.c / branches, layer.attr.first = i * layer.attr.channels;
        layer.attr.height = in->shape.h, layer.attr.width = in->shape.w;
        Value *part =
            import_layer(import, node, arena_printf(import->model->arena, "%d", i), OP_SLICE, &in, 1, &layer, NULL);
        if (!part) return NULL;
        Value *both[2] = {sum, part};
        const char *name = i < branches - 1 ? arena_printf(import->model->arena, "sum%d", i) : NULL;
        sum = sum ? import_layer(import, node, name, OP_ADD, both, 2, &add, NULL) : part;
    }
    return sum;
}

/* All channels of a pixel, as a convolution. */
static Value *channel_sum(Import *import, OnnxNode *node, Value *in, double factor) {
    Layer layer = layer_default(OP_CONV);
    layer.features = 1;
    const ImportWeights weights = {{{NULL, import_filled(import, in->shape.c, factor)}}};
    return import_layer(import, node, NULL, OP_CONV, &in, 1, &layer, &weights);
}

bool import_channel_sum(Import *import, OnnxNode *node, const bool *axes, bool *done) {
    const Operand *operand = node->in[0]->operand;
    const View *view = &operand->view;
    int dim = -1, dims = 0;
    *done = false;
    for (int d = 0; d < view->rank; d++)
        if (axes[d] && view->begin[d + 1] > view->begin[d]) dim = d, dims++;
    if (dims != 1 || view->begin[dim + 1] - view->begin[dim] != 1 || !strcmp(node->type, "ReduceMax")) return false;
    const Atom atom = view->atom[view->begin[dim]];
    const bool all = atom.size == view->size[AXIS_C], outermost = atom.size * atom.stride == view->size[AXIS_C];
    if (atom.axis != AXIS_C || !(all || (outermost && atom.size <= MOST_BRANCHES))) return false;
    const bool mean = !strcmp(node->type, "ReduceMean");
    View result;
    Value *out = all ? channel_sum(import, node, operand->value, mean ? 1.0 / (double)atom.size : 1)
                     : branch_sum(import, node, operand->value, (int)atom.size);
    if (mean && !all) out = scaled(import, node, out, 1.0 / (double)atom.size);
    const View left = without(view, dim, all ? 1 : atom.stride);
    *done = out && view_reshape(&left, &node->out[0]->shape, &result) && import_result(import, node, 0, out, &result);
    return true;
}

/* Whether a dimension is all pixels, row after row. */
bool import_is_pixels(const View *view, int dim) {
    int at = view->begin[dim];
    for (ViewAxis axis = AXIS_H; axis <= AXIS_W; axis++) {
        if (view->size[axis] == 1) continue;
        if (at == view->begin[dim + 1] || view->atom[at].axis != axis || view->atom[at].size != view->size[axis])
            return false;
        at++;
    }
    return at == view->begin[dim + 1] && at > view->begin[dim];
}

/* [N] [C] [pixels] times [N] [pixels] [1]: the value, weighed at each pixel, summed over them. */
bool import_weighed_sum(Import *import, OnnxNode *node) {
    const Operand *a = import_operand(import, node, 0), *b = import_operand(import, node, 1);
    if (!a || !b) return false;
    const int last = a->view.rank - 1;
    const Shape x = a->value->shape, mask = b->value->shape;
    bool fits = b->view.rank == last + 1 && last > 0 && import_is_pixels(&a->view, last) &&
                import_is_pixels(&b->view, last - 1) && view_axis(&b->view, last) == AXIS_NONE && mask.c == 1 &&
                mask.h == x.h && mask.w == x.w && view_axis(&a->view, last - 1) == AXIS_C;
    for (int d = 0; d < last - 1 && fits; d++) fits = view_axis(&a->view, d) == view_axis(&b->view, d);
    if (!fits)
        return import_problem(import, node, "it multiplies values of dimensions %s and %s",
                              view_text(import->model->arena, &a->view), view_text(import->model->arena, &b->view));
    const Layer mul = layer_default(OP_MUL);
    Layer pool = layer_default(OP_AVGPOOL);
    pool.attr.global = true;
    Value *in[2] = {a->value, b->value};
    Value *out = import_layer(import, node, "weighed", OP_MUL, in, 2, &mul, NULL);
    if (out) out = import_layer(import, node, "mean", OP_AVGPOOL, &out, 1, &pool, NULL);
    return import_plain(import, node, 0, scaled(import, node, out, (double)x.h * x.w));
}
