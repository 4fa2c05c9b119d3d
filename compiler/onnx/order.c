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

/* [C: m] [C: g of m] [H] [W]: what are g groups of m channels become m groups of g (a channel shuffle). */
static Value *to_shuffled(Import *import, OnnxNode *node, const Operand *operand) {
    const View *view = &operand->view;
    int count;
    const Atom *c = atoms(view, 1, &count);
    const ViewAxis h = view_axis(view, 2), w = view_axis(view, 3);
    if (count != 2 || c[0].axis != AXIS_C || c[1].axis != AXIS_C || c[0].stride != 1 || c[1].stride != c[0].size ||
        c[0].size * c[1].size != view->size[AXIS_C] || (h != AXIS_H && h != AXIS_NONE) ||
        (w != AXIS_W && w != AXIS_NONE))
        return NULL;
    Layer layer = layer_default(OP_SHUFFLE);
    layer.attr.groups = (int)c[1].size;
    Value *in = operand->value;
    return import_layer(import, node, "shuffle", OP_SHUFFLE, &in, 1, &layer, NULL);
}

/* [H: rows] [W: columns] [C], or [C] [H: rows] [W: columns], and what is left of rows and columns: pixels that go to
 * the channels (SpaceToDepth, PixelUnshuffle). */
static Value *to_channels(Import *import, OnnxNode *node, const Operand *operand) {
    const View *view = &operand->view;
    const Shape shape = operand->value->shape;
    int counts[3], side[2] = {1, 1}, at = 0;
    const Atom *c = atoms(view, 1, &counts[0]), *h = atoms(view, 2, &counts[1]), *w = atoms(view, 3, &counts[2]);
    const bool apart = counts[0] && c->axis == AXIS_C && counts[0] > 1;
    if (counts[1] > 1 || counts[2] > 1) return NULL;
    if (apart && c[at++].size != shape.c) return NULL;
    for (ViewAxis axis = AXIS_H; axis <= AXIS_W; axis++) {
        const Atom *rest = axis == AXIS_H ? h : w;
        const int64_t left = counts[axis - AXIS_H + 1] ? rest->size : 1;
        if (left > 1 && rest->axis != axis) return NULL;
        if (at < counts[0] && c[at].axis == axis && c[at].stride == 1) side[axis - AXIS_H] = (int)c[at++].size;
        if (left * side[axis - AXIS_H] != view->size[axis] || (left > 1 && rest->stride != side[axis - AXIS_H]))
            return NULL;
    }
    if (!apart && at < counts[0] && (c[at].axis != AXIS_C || c[at++].size != shape.c)) return NULL;
    if (at != counts[0] || side[0] * side[1] == 1) return NULL;
    Layer layer = layer_default(OP_PHASES);
    layer.attr.window.stride_h = side[0], layer.attr.window.stride_w = side[1];
    layer.attr.channels = apart ? 1 : shape.c;
    Value *in = operand->value;
    return import_layer(import, node, "phases", OP_PHASES, &in, 1, &layer, NULL);
}

/* The value's own order in other dimensions, of which the first is the images. */
static Value *to_shape(Import *import, OnnxNode *node, const Operand *operand, const OnnxShape *dims) {
    const int64_t batch = operand->view.size[AXIS_N];
    Shape to = {1, 1, 1};
    if (dims->rank < 2 || dims->rank > 4 || dims->dim[0] != batch || !view_is_plain(&operand->view)) return NULL;
    to.c = (int)dims->dim[1];
    if (dims->rank > 2) to.w = (int)dims->dim[dims->rank - 1];
    if (dims->rank > 3) to.h = (int)dims->dim[2];
    Layer layer = layer_default(OP_RESHAPE);
    layer.attr.channels = to.c, layer.attr.height = to.h, layer.attr.width = to.w;
    Value *in = operand->value;
    return import_layer(import, node, "reshape", OP_RESHAPE, &in, 1, &layer, NULL);
}

Operand *import_reshaped(Import *import, OnnxNode *node, const Operand *operand, const OnnxShape *dims) {
    Operand *result = arena_alloc(import->model->arena, sizeof *result);
    result->value = to_shape(import, node, operand, dims);
    return result->value && view_plain(import->model->batch, result->value->shape, dims, &result->view) ? result : NULL;
}

const Operand *import_in_order(Import *import, OnnxNode *node, OnnxTensor *tensor) {
    const Operand *operand = tensor->operand;
    const View *view = &operand->view;
    Value *value = NULL;
    if (view_is_plain(view)) {
        Operand *reshaped = import_reshaped(import, node, operand, &tensor->shape);
        if (reshaped) tensor->operand = reshaped;
        return reshaped;
    }
    if (view->rank != 4 || !view_begins_with_images(view)) return NULL;
    value = to_shuffled(import, node, operand);
    if (!value) value = to_channels(import, node, operand);
    if (!value) value = to_pixels(import, node, operand);
    if (!value) return NULL;
    Operand *result = arena_alloc(import->model->arena, sizeof *result);
    result->value = value;
    if (!view_plain(import->model->batch, value->shape, &tensor->shape, &result->view)) return NULL;
    return tensor->operand = result;
}
