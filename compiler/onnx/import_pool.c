/* Pools, sums over pixels, and resizing. */
#include "import.h"

#include <math.h>
#include <string.h>

static bool pool(Import *import, OnnxNode *node, Op op) {
    const Operand *operand = import_has(node, 0) ? node->in[0]->operand : NULL;
    const bool padded = op == OP_MAXPOOL && operand && operand->pad && isinf(operand->filling.attr.value) &&
                        !operand->filling.attr.channels; /* as it pads by itself */
    Value *in = padded ? operand->value : import_image(import, node, 0);
    Layer layer = layer_default(op);
    if (!in || !import_window(import, node, NULL, &layer.attr.window)) return false;
    if (padded) {
        const Window *by = &operand->filling.attr.window;
        layer.attr.window.top += by->top, layer.attr.window.bottom += by->bottom;
        layer.attr.window.left += by->left, layer.attr.window.right += by->right;
    }
    if (node->nout > 1 && node->out[1] && node->out[1]->uses)
        return import_problem(import, node, "its indices are read by a node");
    if (onnx_attribute_int(node, "storage_order", 0) && node->nout > 1)
        return import_problem(import, node, "its indices are in another order");
    const Window *w = &layer.attr.window;
    const bool pads = w->top || w->left || w->bottom || w->right;
    if (w->r == in->shape.h && w->s == in->shape.w && !pads) {
        layer = layer_default(op); /* all of the image */
        layer.attr.global = true;
    }
    layer.attr.count_include_pad = pads && op == OP_AVGPOOL && onnx_attribute_int(node, "count_include_pad", 0) != 0;
    return import_windowed(import, node, import_layer(import, node, NULL, op, &in, 1, &layer, NULL));
}

bool import_maxpool(Import *import, OnnxNode *node) {
    return pool(import, node, OP_MAXPOOL);
}

bool import_averagepool(Import *import, OnnxNode *node) {
    return pool(import, node, OP_AVGPOOL);
}

static Value *global_pool(Import *import, OnnxNode *node, Op op, Value *in) {
    Layer layer = layer_default(op);
    layer.attr.global = true;
    return in ? import_layer(import, node, NULL, op, &in, 1, &layer, NULL) : NULL;
}

bool import_global_pool(Import *import, OnnxNode *node) {
    const Op op = !strcmp(node->type, "GlobalMaxPool") ? OP_MAXPOOL : OP_AVGPOOL;
    return import_plain(import, node, 0, global_pool(import, node, op, import_image(import, node, 0)));
}

/* How much of rows and columns the axes take; false after a problem, where they take anything else. */
static bool reduced_pixels(Import *import, OnnxNode *node, const View *view, const bool *axes, int64_t taken[4]) {
    for (int i = AXIS_N; i <= AXIS_W; i++) taken[i] = 1;
    for (int d = 0; d < view->rank; d++)
        for (int i = view->begin[d]; i < view->begin[d + 1] && axes[d]; i++)
            taken[view->atom[i].axis] *= view->atom[i].size;
    for (int i = AXIS_N; i <= AXIS_W; i++)
        if (taken[i] > 1 && (i < AXIS_H || taken[i] != view->size[i]))
            return import_problem(import, node, "of %s it is over more than whole rows and columns",
                                  view_text(import->model->arena, view));
    return true;
}

/* Of all pixels, rows or columns of each channel: a pool, of a sum with a factor behind it. */
bool import_reduce(Import *import, OnnxNode *node) {
    const Operand *operand = import_operand(import, node, 0);
    if (!operand) return false;
    const View *view = &operand->view;
    bool axes[ONNX_MOST_RANK];
    int64_t taken[4];
    View result;
    if (!strcmp(node->type, "ReduceMean") && import_layernorm_pieces(import, node)) return true;
    if (!onnx_axes(import->model, node, view->rank, onnx_attribute_int(node, "noop_with_empty_axes", 0) == 0, axes))
        return import_problem(import, node, "%s", node->problem);
    bool done;
    if (import_channel_sum(import, node, axes, &done)) return done;
    if (!reduced_pixels(import, node, view, axes, taken)) return false;
    if (taken[AXIS_H] * taken[AXIS_W] == 1)
        return view_reshape(view, &node->out[0]->shape, &result) &&
               import_result(import, node, 0, operand->value, &result);
    const Op op = !strcmp(node->type, "ReduceMax") ? OP_MAXPOOL : OP_AVGPOOL;
    Layer layer = layer_default(op);
    layer.attr.global = taken[AXIS_H] == view->size[AXIS_H] && taken[AXIS_W] == view->size[AXIS_W];
    if (!layer.attr.global) layer.attr.window.r = (int)taken[AXIS_H], layer.attr.window.s = (int)taken[AXIS_W];
    Value *out = operand->value;
    out = import_layer(import, node, NULL, op, &out, 1, &layer, NULL);
    if (out && !strcmp(node->type, "ReduceSum")) {
        Layer factor = layer_default(OP_SCALE);
        factor.bias = false;
        const double count = (double)(taken[AXIS_H] * taken[AXIS_W]);
        const ImportWeights weights = {{{NULL, import_filled(import, out->shape.c, count)}}};
        out = import_layer(import, node, "sum", OP_SCALE, &out, 1, &factor, &weights);
    }
    return out && view_collapse(view, taken[AXIS_H] > 1, taken[AXIS_W] > 1, &node->out[0]->shape, &result) &&
           import_result(import, node, 0, out, &result);
}

/* ---- resize ---- */

static bool is_one(const char *word, const char *a, const char *b, const char *c) {
    return !strcmp(word, a) || !strcmp(word, b) || !strcmp(word, c);
}

/* The scale that a Resize has for an axis where it says one, 0 where it says a size. */
static double said_scale(Import *import, OnnxNode *node, int axis) {
    const bool late = import->model->opset >= 11 && strcmp(node->type, "Upsample") != 0;
    const int i = late ? 2 : 1;
    const Onnx__AttributeProto *old = onnx_attribute(node, "scales");
    const int rank = node->in[0]->shape.rank;
    int64_t axes[ONNX_MOST_RANK];
    const int named = onnx_attribute_ints(node, "axes", axes, ONNX_MOST_RANK), count = named < 0 ? rank : named;
    int at = named < 0 ? axis : -1, one = 0;
    for (int k = 0; k < named && k < ONNX_MOST_RANK; k++)
        if (onnx_axis(axes[k], rank, &one) && one == axis) at = k;
    if (at < 0) return 0; /* as large as it was */
    if (import_has(node, i) && node->in[i]->reals && onnx_elements(&node->in[i]->shape) == count)
        return (double)node->in[i]->reals[at];
    return old && old->n_floats > (size_t)at ? (double)old->floats[at] : 0;
}

/* Coordinates go by the scale as it is said; ours by sizes, which is the same where the scale is a ratio of sizes. */
static bool scales_are_sizes(Import *import, OnnxNode *node) {
    for (int d = 2; d < node->in[0]->shape.rank; d++) {
        const double scale = said_scale(import, node, d);
        const double from = (double)node->in[0]->shape.dim[d], to = (double)node->out[0]->shape.dim[d];
        if (scale != 0 && fabs(scale * from - to) > 1e-4) return false;
    }
    return true;
}

bool import_resize(Import *import, OnnxNode *node) {
    Value *in = import_image(import, node, 0);
    if (!in) return false;
    OnnxModel *model = import->model;
    const OnnxShape *from = &node->in[0]->shape, *to = &node->out[0]->shape;
    const bool old = model->opset < 11 || !strcmp(node->type, "Upsample");
    const char *mode = onnx_attribute_string(model, node, "mode", "nearest");
    const char *at =
        old ? "asymmetric" : onnx_attribute_string(model, node, "coordinate_transformation_mode", "half_pixel");
    const char *nearest = old ? "floor" : onnx_attribute_string(model, node, "nearest_mode", "round_prefer_floor");
    const bool linear = is_one(mode, "linear", "bilinear", "linear"),
               upscales = to->dim[2] >= from->dim[2] && to->dim[3] >= from->dim[3];
    if (from->rank != 4 || from->dim[0] != to->dim[0] || from->dim[1] != to->dim[1])
        return import_problem(import, node, "from %s to %s is more than rows and columns",
                              onnx_shape_text(model->arena, from), onnx_shape_text(model->arena, to));
    if (view_axis(&node->in[0]->operand->view, 2) == AXIS_W || view_axis(&node->in[0]->operand->view, 3) == AXIS_H)
        return import_problem(import, node, "it reads rows as columns");
    if (!linear && strcmp(mode, "nearest") != 0)
        return import_problem(import, node, "mode '%s' is not supported", mode);
    if (onnx_attribute_int(node, "antialias", 0) && !upscales)
        return import_problem(import, node, "antialias is not supported");
    Layer layer = layer_default(OP_RESIZE);
    layer.attr.bilinear = linear;
    layer.attr.align_corners = !strcmp(at, "align_corners");
    layer.attr.asymmetric = !strcmp(at, "asymmetric");
    if (!is_one(at, "half_pixel", "align_corners", "asymmetric") && strcmp(at, "pytorch_half_pixel") != 0)
        return import_problem(import, node, "coordinate_transformation_mode '%s' is not supported", at);
    if (!strcmp(at, "pytorch_half_pixel") && (to->dim[2] == 1 || to->dim[3] == 1))
        return import_problem(import, node, "pytorch_half_pixel to a single row or column is not supported");
    if (!linear && strcmp(nearest, layer.attr.asymmetric ? "floor" : "round_prefer_ceil") != 0) {
        /* pixels halfway between two are all that roundings differ in: there are none by odd factors, and with half
         * pixels of whole factors none at all */
        const bool whole = to->dim[2] % from->dim[2] == 0 && to->dim[3] % from->dim[3] == 0;
        if (!whole || layer.attr.asymmetric || layer.attr.align_corners || is_one(nearest, "floor", "ceil", "floor"))
            return import_problem(import, node, "nearest_mode '%s' at '%s' coordinates is not supported", nearest, at);
    }
    for (int d = 2; d < 4 && old && !linear; d++) /* between pixels: set 10 leaves the rounding open */
        if (to->dim[d] < from->dim[d] && from->dim[d] % to->dim[d])
            return import_problem(import, node, "nearest from %lld to %lld pixels is not supported before set 11",
                                  (long long)from->dim[d], (long long)to->dim[d]);
    if (!scales_are_sizes(import, node))
        return import_problem(import, node, "its scales are no ratio of sizes: %s to %s",
                              onnx_shape_text(model->arena, from), onnx_shape_text(model->arena, to));
    layer.attr.height = (int)to->dim[2], layer.attr.width = (int)to->dim[3];
    return import_plain(import, node, 0, import_layer(import, node, NULL, OP_RESIZE, &in, 1, &layer, NULL));
}
