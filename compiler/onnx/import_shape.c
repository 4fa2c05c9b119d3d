/* What moves numbers, or only counts them otherwise. */
#include "import.h"

#include <math.h>
#include <string.h>

/* Reshape, Flatten, Squeeze, Unsqueeze: other dimensions of the same numbers in the same order. */
bool import_view(Import *import, OnnxNode *node) {
    const Operand *operand = import_operand(import, node, 0);
    View view;
    if (!operand) return false;
    if (view_reshape(&operand->view, &node->out[0]->shape, &view))
        return import_result(import, node, 0, operand->value, &view);
    const Operand *moved = import_reshaped(import, node, operand, &node->out[0]->shape);
    if (moved) return import_result(import, node, 0, moved->value, &moved->view);
    return import_problem(import, node, "%s of dimensions %s in %s would take channels, rows and columns apart",
                          onnx_shape_text(import->model->arena, &node->in[0]->shape),
                          view_text(import->model->arena, &operand->view),
                          onnx_shape_text(import->model->arena, &node->out[0]->shape));
}

bool import_transpose(Import *import, OnnxNode *node) {
    const Operand *operand = import_operand(import, node, 0);
    int64_t list[ONNX_MOST_RANK];
    int perm[ONNX_MOST_RANK];
    if (!operand) return false;
    const int rank = operand->view.rank, count = onnx_attribute_ints(node, "perm", list, ONNX_MOST_RANK);
    for (int d = 0; d < rank; d++) perm[d] = count < 0 ? rank - 1 - d : (int)list[d];
    const View view = view_transpose(&operand->view, perm);
    return import_result(import, node, 0, operand->value, &view);
}

/* Reshape, Transpose and Reshape in one: [b1, b2, c] or [c, b1, b2] of the channels go to rows and columns. */
bool import_depth_to_space(Import *import, OnnxNode *node) {
    const Operand *operand = import_operand(import, node, 0);
    if (!operand) return false;
    const OnnxShape *in = &node->in[0]->shape;
    const int64_t side = onnx_attribute_int(node, "blocksize", 1), channels = in->dim[1] / (side * side);
    const bool crd = !strcmp(onnx_attribute_string(import->model, node, "mode", "DCR"), "CRD");
    const OnnxShape split = {6,
                             {in->dim[0], crd ? channels : side, side, crd ? side : channels, in->dim[2], in->dim[3]}};
    const int dcr_order[6] = {0, 3, 4, 1, 5, 2}, crd_order[6] = {0, 1, 4, 2, 5, 3};
    View view;
    if (!view_reshape(&operand->view, &split, &view)) return import_problem(import, node, "its channels are in pieces");
    view = view_transpose(&view, crd ? crd_order : dcr_order);
    if (!view_reshape(&view, &node->out[0]->shape, &view))
        return import_problem(import, node, "its pixels are in pieces");
    return import_result(import, node, 0, operand->value, &view);
}

bool import_space_to_depth(Import *import, OnnxNode *node) {
    const Operand *operand = import_operand(import, node, 0);
    if (!operand) return false;
    const OnnxShape *in = &node->in[0]->shape;
    const int64_t side = onnx_attribute_int(node, "blocksize", 1);
    const bool crd = !strcmp(onnx_attribute_string(import->model, node, "mode", "DCR"), "CRD"); /* since set 28 */
    const OnnxShape split = {6, {in->dim[0], in->dim[1], in->dim[2] / side, side, in->dim[3] / side, side}};
    View view;
    if (!view_reshape(&operand->view, &split, &view)) return import_problem(import, node, "its pixels are in pieces");
    view = view_transpose(&view, crd ? (const int[]){0, 1, 3, 5, 2, 4} : (const int[]){0, 3, 5, 1, 2, 4});
    if (!view_reshape(&view, &node->out[0]->shape, &view))
        return import_problem(import, node, "its pixels are in pieces");
    return import_result(import, node, 0, operand->value, &view);
}

/* Whether all that reads a tensor is a sum or product with another value, which would spread it by itself. */
static bool is_spread_anyway(const OnnxModel *model, const OnnxTensor *tensor) {
    static const char *const operators[] = {"Add", "Mul", "Sub"};
    int uses = 0;
    for (int i = 0; i < model->node_count; i++) {
        const OnnxNode *node = model->nodes[i];
        bool spreads = node->nin == 2 && node->in[0] && node->in[1] && node->in[0] != node->in[1] &&
                       !onnx_is_constant(node->in[0]) && !onnx_is_constant(node->in[1]);
        if (node->done || !spreads || (node->in[0] != tensor && node->in[1] != tensor)) continue;
        for (size_t k = spreads = 0; k < sizeof operators / sizeof *operators; k++)
            spreads |= !strcmp(node->type, operators[k]);
        const OnnxShape *other = &node->in[node->in[0] == tensor]->shape;
        uses += spreads && other->rank == tensor->shape.rank && onnx_elements(other) == onnx_elements(&tensor->shape);
    }
    return uses == tensor->uses;
}

bool import_expand(Import *import, OnnxNode *node) {
    const Operand *operand = import_operand(import, node, 0);
    OnnxShape shape = node->out[0]->shape;
    View view;
    if (!operand) return false;
    if (!view_is_image(&operand->view) && import_in_order(import, node, node->in[0])) operand = node->in[0]->operand;
    const int missing = shape.rank - node->in[0]->shape.rank;
    for (int d = 0; d < shape.rank; d++) shape.dim[d] = d < missing ? 1 : node->in[0]->shape.dim[d - missing];
    const bool same = onnx_elements(&shape) == onnx_elements(&node->out[0]->shape);
    if ((!same && !is_spread_anyway(import->model, node->out[0])) || !view_reshape(&operand->view, &shape, &view))
        return import_problem(import, node, "it makes a value larger");
    Operand *result = arena_alloc(import->model->arena, sizeof *result); /* smaller than the tensor, where it spreads */
    *result = (Operand){.value = operand->value, .view = view};
    node->out[0]->operand = result;
    return true;
}

/* Whether a mode is one, and with which number; false after a problem. */
static bool padding_of(Import *import, OnnxNode *node, Attr *attr) {
    const char *mode = onnx_attribute_string(import->model, node, "mode", "constant");
    const OnnxTensor *value = import_has(node, 2) ? node->in[2] : NULL;
    attr->reflect = !strcmp(mode, "reflect"), attr->edge = !strcmp(mode, "edge");
    if (attr->reflect || attr->edge) return true;
    if (strcmp(mode, "constant") != 0) return import_problem(import, node, "mode '%s' is not supported", mode);
    if (value && (!onnx_is_constant(value) || onnx_elements(&value->shape) != 1))
        return import_problem(import, node, "it pads with what is no constant number");
    attr->value = value ? onnx_element(value, 0) : onnx_attribute_real(node, "value", 0);
    if (isfinite(attr->value) || attr->value < 0) return true;
    return import_problem(import, node, "it pads with %g", attr->value);
}

/* What a negative padding cuts off; the rest of it is to be added. */
static Value *cropped(Import *import, OnnxNode *node, Value *in, int64_t begin[ONNX_MOST_RANK],
                      int64_t end[ONNX_MOST_RANK]) {
    const int rank = node->in[0]->shape.rank;
    int64_t start[3] = {0}, size[3] = {in->shape.c, in->shape.h, in->shape.w};
    for (int d = 1; d < rank; d++) {
        const int axis = d == 1 ? 0 : d == rank - 1 ? 2 : 1;
        if (begin[d] < 0) start[axis] -= begin[d], size[axis] += begin[d], begin[d] = 0;
        if (end[d] < 0) size[axis] += end[d], end[d] = 0;
        if (size[axis] < 1) {
            import_problem(import, node, "nothing is left of dimension %d", d);
            return NULL;
        }
    }
    Layer layer = layer_default(OP_SLICE);
    layer.attr.first = (int)start[0], layer.attr.channels = (int)size[0];
    layer.attr.window.top = (int)start[1], layer.attr.height = (int)size[1];
    layer.attr.window.left = (int)start[2], layer.attr.width = (int)size[2];
    const bool all = shape_equal(in->shape, (Shape){(int)size[0], (int)size[1], (int)size[2]});
    return all ? in : import_layer(import, node, "crop", OP_SLICE, &in, 1, &layer, NULL);
}

/* Numbers around an image, and behind its channels. */
bool import_pad(Import *import, OnnxNode *node) {
    Value *in = import_image(import, node, 0);
    int64_t begin[ONNX_MOST_RANK], end[ONNX_MOST_RANK];
    Layer layer = layer_default(OP_PAD);
    if (!in) return false;
    if (!onnx_pads(import->model, node, begin, end)) return import_problem(import, node, "%s", node->problem);
    bool none = true;
    for (int d = 0; d < node->in[0]->shape.rank; d++) {
        none &= !begin[d] && !end[d];
        if ((d == 1 && begin[d] > 0) || (d == 0 && (begin[d] || end[d])) || begin[d] > UINT16_MAX ||
            end[d] > INT32_MAX / 2 || (d > 1 && end[d] > UINT16_MAX))
            return import_problem(import, node, "its padding of dimension %d, %lld and %lld, is not supported", d,
                                  (long long)begin[d], (long long)end[d]);
    }
    if (none) return import_plain(import, node, 0, in);
    if (node->in[0]->shape.rank == 4 &&
        (view_axis(&node->in[0]->operand->view, 2) == AXIS_W || view_axis(&node->in[0]->operand->view, 3) == AXIS_H))
        return import_problem(import, node, "it reads rows as columns");
    if (!padding_of(import, node, &layer.attr)) return false;
    in = cropped(import, node, in, begin, end);
    if (!in) return false;
    const int last = node->in[0]->shape.rank - 1;
    Window *w = &layer.attr.window;
    layer.attr.channels = (int)end[1];
    if (last >= 2) w->left = (int)begin[last], w->right = (int)end[last];
    if (last >= 3) w->top = (int)begin[2], w->bottom = (int)end[2];
    const bool at_end = !w->top && !w->left && !layer.attr.reflect && !layer.attr.edge && layer.attr.value == 0;
    if (!w->top && !w->left && !w->bottom && !w->right && !layer.attr.channels)
        return import_plain(import, node, 0, in);
    if (!at_end && isfinite(layer.attr.value))
        return import_plain(import, node, 0, import_layer(import, node, NULL, OP_PAD, &in, 1, &layer, NULL));
    /* zeros that a sum may want to do without, or what a MaxPool pads with by itself */
    Operand *operand = arena_alloc(import->model->arena, sizeof *operand);
    *operand = (Operand){.value = in, .pad = node, .filling = layer};
    if (!view_plain(import->model->batch,
                    (Shape){in->shape.c + layer.attr.channels, in->shape.h + w->top + w->bottom,
                            in->shape.w + w->left + w->right},
                    &node->out[0]->shape, &operand->view))
        return import_problem(import, node, "its result is no image");
    node->out[0]->operand = operand;
    return true;
}

/* The same dimensions, of which one has fewer elements of its axis. */
static void shrink(View *view, int dim, int64_t count) {
    const ViewAxis axis = view_axis(view, dim);
    const int at = view->begin[dim];
    view->size[axis] = view->atom[at].size = count;
    if (count > 1) return;
    for (int i = at; i < view->count - 1; i++) view->atom[i] = view->atom[i + 1];
    for (int d = dim + 1; d <= view->rank; d++) view->begin[d]--;
    view->count--;
}

/* Every step-th row and column, from the first on. */
static Value *every(Import *import, OnnxNode *node, const char *part, Value *in, const int64_t step[4]) {
    Layer layer = layer_default(OP_MAXPOOL);
    layer.attr.window.stride_h = (int)step[AXIS_H], layer.attr.window.stride_w = (int)step[AXIS_W];
    return step[AXIS_H] * step[AXIS_W] == 1
               ? in
               : import_layer(import, node, part ? arena_printf(import->model->arena, "%s.steps", part) : "steps",
                              OP_MAXPOOL, &in, 1, &layer, NULL);
}

/* The part of a value that ranges of its dimensions are, as result i of a node. */
static bool slice(Import *import, OnnxNode *node, int i, const OnnxRange *of) {
    OnnxRange range[ONNX_MOST_RANK];
    for (int d = 0; d < node->in[0]->shape.rank; d++) {
        range[d] = of[d];
        if (range[d].count == 1) range[d].step = 1;
    }
    const char *part = node->nout > 1 ? arena_printf(import->model->arena, "%d", i) : NULL;
    const Operand *operand = import_operand(import, node, 0);
    if (!operand) return false;
    for (int d = 0; d < operand->view.rank; d++) {
        const bool whole = range[d].count == node->in[0]->shape.dim[d] && range[d].step == 1;
        if (whole || view_axis(&operand->view, d) != AXIS_PART) continue;
        operand = import_in_order(import, node, node->in[0]);
        if (operand) break;
        return import_problem(import, node, "it cuts dimension %d of %s", d,
                              view_text(import->model->arena, &node->in[0]->operand->view));
    }
    View view = operand->view;
    Layer layer = layer_default(OP_SLICE);
    const Shape shape = operand->value->shape;
    int64_t size[4] = {1, shape.c, shape.h, shape.w}, start[4] = {0}, step[4] = {1, 1, 1, 1};
    bool all = true;
    for (int d = 0; d < operand->view.rank; d++) {
        const ViewAxis axis = view_axis(&operand->view, d);
        if (range[d].count == node->in[0]->shape.dim[d] && range[d].step == 1) continue;
        if (axis == AXIS_N || axis == AXIS_NONE || range[d].count < 1 || range[d].step < 1 ||
            (axis == AXIS_C && range[d].step > 1) || range[d].step > UINT16_MAX)
            return import_problem(import, node, "it takes %lld of dimension %d of %s, %lld apart",
                                  (long long)range[d].count, d, view_text(import->model->arena, &operand->view),
                                  (long long)range[d].step);
        start[axis] = range[d].start, step[axis] = range[d].step;
        size[axis] = (range[d].count - 1) * range[d].step + 1;
        shrink(&view, d, range[d].count);
        all = false;
    }
    if (!view_reshape(&view, &node->out[i]->shape, &view)) /* a Gather of one index has a dimension less */
        return import_problem(import, node, "its result has other dimensions");
    if (all) return import_result(import, node, i, operand->value, &view);
    layer.attr.first = (int)start[AXIS_C], layer.attr.channels = (int)size[AXIS_C];
    layer.attr.window.top = (int)start[AXIS_H], layer.attr.height = (int)size[AXIS_H];
    layer.attr.window.left = (int)start[AXIS_W], layer.attr.width = (int)size[AXIS_W];
    Value *in = operand->value;
    if (!shape_equal(shape, (Shape){(int)size[AXIS_C], (int)size[AXIS_H], (int)size[AXIS_W]}))
        in = import_layer(import, node, part, OP_SLICE, &in, 1, &layer, NULL);
    return in && import_result(import, node, i, every(import, node, part, in, step), &view);
}

bool import_slice(Import *import, OnnxNode *node) {
    OnnxRange range[ONNX_MOST_RANK];
    if (!onnx_slice(import->model, node, range)) return import_problem(import, node, "%s", node->problem);
    return slice(import, node, 0, range);
}

bool import_split(Import *import, OnnxNode *node) {
    int axis;
    int64_t *sizes = arena_alloc(import->model->arena, sizeof *sizes * (size_t)(node->nout + 1)), start = 0;
    OnnxRange range[ONNX_MOST_RANK];
    if (!onnx_split(import->model, node, &axis, sizes)) return import_problem(import, node, "%s", node->problem);
    for (int i = 0; i < node->nout; start += sizes[i++]) {
        if (!node->out[i] || !node->out[i]->uses) continue;
        for (int d = 0; d < node->in[0]->shape.rank; d++) range[d] = (OnnxRange){0, 1, node->in[0]->shape.dim[d]};
        range[axis] = (OnnxRange){start, 1, sizes[i]};
        if (!slice(import, node, i, range)) return false;
    }
    return true;
}

/* All elements in their order: as PyTorch writes as_strided. */
static bool takes_all(const OnnxTensor *indices, int64_t size) {
    if (!indices->integers || onnx_elements(&indices->shape) != size) return false;
    for (int64_t i = 0; i < size; i++)
        if (indices->integers[i] != i && indices->integers[i] != i - size) return false;
    return true;
}

bool import_gather(Import *import, OnnxNode *node) {
    const Operand *operand = import_operand(import, node, 0);
    int axis = 0;
    View view;
    if (!operand) return false;
    onnx_axis(onnx_attribute_int(node, "axis", 0), node->in[0]->shape.rank, &axis);
    if (takes_all(node->in[1], node->in[0]->shape.dim[axis]) &&
        view_reshape(&operand->view, &node->out[0]->shape, &view))
        return import_result(import, node, 0, operand->value, &view);
    const OnnxTensor *at = node->in[1];
    const int64_t size = node->in[0]->shape.dim[axis], count = at->integers ? onnx_elements(&at->shape) : 0;
    OnnxRange range[ONNX_MOST_RANK];
    for (int d = 0; d < node->in[0]->shape.rank; d++) range[d] = (OnnxRange){0, 1, node->in[0]->shape.dim[d]};
    for (int64_t i = 0; i < count; i++) { /* elements side by side are a slice */
        const int64_t index = at->integers[i] < 0 ? at->integers[i] + size : at->integers[i];
        if (i == 0) range[axis] = (OnnxRange){index, 1, count};
        if (index < 0 || index >= size || index != range[axis].start + i)
            return import_problem(import, node, "its indices are not side by side");
    }
    if (!count) return import_problem(import, node, "its indices are not known when the network is compiled");
    return slice(import, node, 0, range);
}
