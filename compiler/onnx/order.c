/* Where a view is in no order that a layer reads, numbers move: the layers that do that. */
#include "import.h"

/* The atoms of a dimension, of which all but the first are of channels. */
static const Atom *atoms(const View *view, int dim, int *count) {
    *count = view->begin[dim + 1] - view->begin[dim];
    return &view->atom[view->begin[dim]];
}

/* [C: k] [H, C: rows] [W, C: columns]: channels that go to the pixels (DepthToSpace, PixelShuffle). */
static Value *to_pixels(Import *import, OnnxNode *node, const Operand *operand) {
    const View *view = &operand->view;
    int counts[3];
    const Atom *c = atoms(view, 1, &counts[0]), *h = atoms(view, 2, &counts[1]), *w = atoms(view, 3, &counts[2]);
    const Shape shape = operand->value->shape;
    const int64_t channels = counts[0] ? c->size : 1;
    if (counts[0] > 1 || (counts[0] && c->axis != AXIS_C)) return NULL;
    int64_t side[2] = {1, 1}, stride[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        const Atom *atom = i ? w : h;
        int left = counts[i + 1];
        const int64_t size = i ? shape.w : shape.h;
        const ViewAxis axis = i ? AXIS_W : AXIS_H;
        if (left && atom->axis == axis && atom->size == size)
            atom++, left--;
        else if (size > 1)
            return NULL;
        if (left && atom->axis == AXIS_C) side[i] = atom->size, stride[i] = atom->stride, left--;
        if (left) return NULL;
    }
    const int64_t step = counts[0] ? c->stride : 1;
    const bool together =
        step == 1 && (side[1] == 1 || stride[1] == channels) && (side[0] == 1 || stride[0] == side[1] * channels);
    const bool apart =
        step == side[0] * side[1] && (side[1] == 1 || stride[1] == 1) && (side[0] == 1 || stride[0] == side[1]);
    if (!together && !apart) return NULL;
    Layer layer = layer_default(OP_INTERLEAVE);
    layer.attr.window.stride_h = (int)side[0], layer.attr.window.stride_w = (int)side[1];
    layer.attr.channels = together ? (int)channels : 1;
    layer.attr.height = shape.h * (int)side[0], layer.attr.width = shape.w * (int)side[1];
    Value *in = operand->value;
    return import_layer(import, node, "pixels", OP_INTERLEAVE, &in, 1, &layer, NULL);
}

const Operand *import_in_order(Import *import, OnnxNode *node, OnnxTensor *tensor) {
    const Operand *operand = tensor->operand;
    const View *view = &operand->view;
    Value *value = NULL;
    if (view->rank != 4 || (view_axis(view, 0) != AXIS_N && view->size[AXIS_N] > 1)) return NULL;
    if (!value) value = to_pixels(import, node, operand);
    if (!value) return NULL;
    Operand *result = arena_alloc(import->model->arena, sizeof *result);
    result->value = value;
    if (!view_plain(import->model->batch, value->shape, &tensor->shape, &result->view)) return NULL;
    return tensor->operand = result;
}
