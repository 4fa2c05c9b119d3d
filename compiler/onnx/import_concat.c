/* Concat: of channels the layer of that name; of rows or columns a sum of images with zeros beside them. */
#include "import.h"

/* Of channels, in one order of dimensions. */
static bool concat_channels(Import *import, OnnxNode *node, int dim) {
    Value **in = arena_alloc(import->model->arena, sizeof *in * (size_t)(node->nin + 1));
    View first = {0}, view;
    for (int i = 0; i < node->nin; i++) {
        const Operand *operand = node->in[i]->operand;
        const ViewAxis is = view_axis(&operand->view, dim);
        if (is != AXIS_C && !(is == AXIS_NONE && operand->view.size[AXIS_C] == 1))
            return import_problem(import, node, "it is along dimension %d of %s, which is not the channels", dim,
                                  view_text(import->model->arena, &operand->view));
        if (i == 0) first = operand->view;
        if (!view_replace(&operand->view, dim, AXIS_C, first.size[AXIS_C], &view) || !view_same_order(&first, &view))
            return import_problem(import, node, "its inputs are in dimensions %s and %s",
                                  view_text(import->model->arena, &first),
                                  view_text(import->model->arena, &operand->view));
        in[i] = operand->value;
    }
    const Layer layer = layer_default(OP_CONCAT);
    Value *out = import_layer(import, node, NULL, OP_CONCAT, in, node->nin, &layer, NULL);
    return out && view_replace(&first, dim, AXIS_C, out->shape.c, &view) && import_result(import, node, 0, out, &view);
}

/* The value behind so many rows or columns of zeros. */
static Value *moved(Import *import, OnnxNode *node, int i, Value *in, bool rows, int64_t behind) {
    Layer layer = layer_default(OP_PAD);
    if (rows)
        layer.attr.window.top = (int)behind;
    else
        layer.attr.window.left = (int)behind;
    return import_layer(import, node, arena_printf(import->model->arena, "%d", i), OP_PAD, &in, 1, &layer, NULL);
}

/* Of rows or columns, in one order of dimensions: each value behind zeros for those before it, whose sum is then filled
 * with zeros to the larger one's size. */
static bool concat_pixels(Import *import, OnnxNode *node, int dim, ViewAxis axis) {
    Arena *arena = import->model->arena;
    const int64_t all = node->out[0]->shape.dim[dim];
    Value *sum = NULL;
    View result = {0};
    Layer add = layer_default(OP_ADD);
    add.attr.fill = true;
    if (all > UINT16_MAX) return import_problem(import, node, "it makes %lld rows or columns", (long long)all);
    for (int64_t i = 0, before = 0; i < node->nin; before += node->in[i++]->shape.dim[dim]) {
        const Operand *operand = node->in[i]->operand;
        const ViewAxis is = view_axis(&operand->view, dim);
        View view = {0};
        const bool fits = (is == axis || (is == AXIS_NONE && operand->view.size[axis] == 1)) &&
                          view_replace(&operand->view, dim, axis, all, &view);
        if (i == 0) result = view;
        if (!fits || !view_same_order(&result, &view))
            return import_problem(import, node, "it joins rows or columns of dimensions %s and %s",
                                  view_text(arena, &node->in[0]->operand->view), view_text(arena, &operand->view));
        Value *both[2] = {sum,
                          i ? moved(import, node, (int)i, operand->value, axis == AXIS_H, before) : operand->value};
        const char *part = i < node->nin - 1 ? arena_printf(arena, "sum%d", (int)i) : NULL;
        if (!both[1]) return false;
        sum = i ? import_layer(import, node, part, OP_ADD, both, 2, &add, NULL) : operand->value;
        if (!sum) return false;
    }
    return import_result(import, node, 0, sum, &result);
}

bool import_concat(Import *import, OnnxNode *node) {
    ViewAxis axis = AXIS_NONE;
    int dim = 0;
    onnx_axis(onnx_attribute_int(node, "axis", 0), node->out[0]->shape.rank, &dim);
    for (int i = 0; i < node->nin; i++) {
        const Operand *operand = import_operand(import, node, i);
        if (!operand) return false;
        /* [N] [C] [H W], as detectors join the results of several sizes: one row */
        if (view_axis(&operand->view, dim) == AXIS_PART && import_is_pixels(&operand->view, dim) &&
            import_in_order(import, node, node->in[i]))
            operand = node->in[i]->operand;
        const ViewAxis is = view_axis(&operand->view, dim);
        if (axis == AXIS_NONE) axis = is;
        if (node->nin == 1) return import_result(import, node, 0, operand->value, &operand->view);
    }
    if (axis == AXIS_H || axis == AXIS_W) return concat_pixels(import, node, dim, axis);
    if (axis == AXIS_NONE && node->in[0]->operand->view.size[AXIS_C] > 1) return import_stack(import, node, dim);
    return concat_channels(import, node, dim);
}
