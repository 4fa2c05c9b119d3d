/* Convolutions and matrix products. */
#include "import.h"

#include <string.h>

/* Of one or two dimensions; of one, `w` is its columns. */
static bool to_window(Import *import, OnnxNode *node, const OnnxWindow *from, Window *window) {
    const int last = from->rank - 1;
    *window = window_unit();
    if (from->rank > 2) return import_problem(import, node, "its images have %d dimensions, not 2", from->rank);
    for (int i = 0; i < from->rank; i++)
        if (from->kernel[i] > UINT16_MAX || from->stride[i] > UINT16_MAX || from->dilate[i] > UINT16_MAX ||
            from->begin[i] > UINT16_MAX || from->end[i] > UINT16_MAX)
            return import_problem(import, node, "a number of its window is more than %d", UINT16_MAX);
    window->s = (int)from->kernel[last];
    window->stride_w = (int)from->stride[last], window->dilate_w = (int)from->dilate[last];
    window->left = (int)from->begin[last], window->right = (int)from->end[last];
    if (from->rank == 2) {
        window->r = (int)from->kernel[0];
        window->stride_h = (int)from->stride[0], window->dilate_h = (int)from->dilate[0];
        window->top = (int)from->begin[0], window->bottom = (int)from->end[0];
    }
    window->ceil = from->ceil;
    return true;
}

/* A dimension of pixels that the value has as its other one, as an image of one row may be read as one of one column.
 */
static bool is_turned(const View *view) {
    const int last = view->rank - 1;
    return (view->rank == 4 && view_axis(view, 2) == AXIS_W) || (last > 1 && view_axis(view, last) == AXIS_H);
}

static bool turn(Import *import, OnnxNode *node, Window *w) {
    if (w->r > 1 && w->s > 1 && strcmp(node->type, "Conv") == 0)
        return import_problem(import, node, "a kernel of %dx%d reads rows as columns", w->r, w->s);
    *w = (Window){w->s,    w->r,   w->stride_w, w->stride_h, w->dilate_w, w->dilate_h,
                  w->left, w->top, w->right,    w->bottom,   w->ceil};
    return true;
}

/* What a window over the node's input makes, which has its rows as columns where the input has. */
bool import_windowed(Import *import, OnnxNode *node, Value *value) {
    const View *in = &node->in[0]->operand->view;
    OnnxShape turned = node->out[0]->shape;
    View view;
    if (!value || in->rank != 4 || !is_turned(in)) return import_plain(import, node, 0, value);
    turned.dim[2] = node->out[0]->shape.dim[3], turned.dim[3] = node->out[0]->shape.dim[2];
    if (!view_plain(import->model->batch, value->shape, &turned, &view))
        return import_problem(import, node, "it reads rows as columns");
    view = view_transpose(&view, (const int[]){0, 1, 3, 2});
    return import_result(import, node, 0, value, &view);
}

bool import_window(Import *import, OnnxNode *node, const int64_t *kernel, Window *window) {
    OnnxWindow found;
    if (!onnx_window(import->model, node, &node->in[0]->shape, kernel, &found))
        return import_problem(import, node, "%s", node->problem);
    return to_window(import, node, &found, window) &&
           (!is_turned(&node->in[0]->operand->view) || turn(import, node, window));
}

static bool fits(Import *import, OnnxNode *node, int64_t features, int64_t groups, Layer *layer) {
    if (features < 1 || features > INT32_MAX || groups < 1 || groups > INT32_MAX)
        return import_problem(import, node, "it has %lld channels in %lld groups", (long long)features,
                              (long long)groups);
    layer->features = (int)features, layer->groups = (int)groups;
    return true;
}

bool import_conv(Import *import, OnnxNode *node) {
    Value *in = import_image(import, node, 0);
    const OnnxTensor *weight = import_constant(import, node, 1, -1);
    if (!in || !weight) return false;
    Layer layer = layer_default(OP_CONV);
    if (!fits(import, node, weight->shape.dim[0], onnx_attribute_int(node, "group", 1), &layer) ||
        !import_window(import, node, weight->shape.dim + 2, &layer.window))
        return false;
    layer.bias = import_has(node, 2);
    const OnnxTensor *bias = import_constant(import, node, 2, layer.features);
    if (layer.bias && !bias) return false;
    if (weight->shape.dim[1] * layer.groups != in->shape.c)
        return import_problem(import, node, "weights of %s do not fit %d channels",
                              onnx_shape_text(import->model->arena, &weight->shape), in->shape.c);
    const ImportWeights weights = {{{weight, NULL}, {bias, NULL}}};
    return import_windowed(import, node, import_layer(import, node, NULL, OP_CONV, &in, 1, &layer, &weights));
}

bool import_convtranspose(Import *import, OnnxNode *node) {
    Value *in = import_image(import, node, 0);
    const OnnxTensor *weight = import_constant(import, node, 1, -1);
    if (!in || !weight) return false;
    Layer layer = layer_default(OP_CONVTRANSPOSE);
    OnnxWindow window;
    int64_t extra[3];
    const int64_t groups = onnx_attribute_int(node, "group", 1);
    if (!onnx_transposed_window(import->model, node, &node->in[0]->shape, weight->shape.dim + 2, &window, extra))
        return import_problem(import, node, "%s", node->problem);
    if (is_turned(&node->in[0]->operand->view)) return import_problem(import, node, "it reads rows as columns");
    if (!to_window(import, node, &window, &layer.window) ||
        !fits(import, node, weight->shape.dim[1] * groups, groups, &layer))
        return false;
    layer.bias = import_has(node, 2);
    const OnnxTensor *bias = import_constant(import, node, 2, layer.features);
    if (layer.bias && !bias) return false;
    if (weight->shape.dim[0] != in->shape.c)
        return import_problem(import, node, "weights of %s do not fit %d channels",
                              onnx_shape_text(import->model->arena, &weight->shape), in->shape.c);
    layer.attr.extra_columns = (int)extra[window.rank - 1];
    if (window.rank == 2) layer.attr.extra_rows = (int)extra[0];
    const ImportWeights weights = {{{weight, NULL}, {bias, NULL}}};
    return import_plain(import, node, 0, import_layer(import, node, NULL, OP_CONVTRANSPOSE, &in, 1, &layer, &weights));
}

/* ---- matrix products ---- */

/* Weights K x count of a matrix whose element (i, k) is at i * step_i + k * step_k, times alpha; input i of the product
 * is number i of a dimension, whose place in the order C, H, W of a value `order` has. */
static float *matrix(Import *import, const OnnxTensor *m, int64_t count, int64_t features, bool by_features,
                     const int64_t *order, double alpha) {
    float *data = import_floats(import, count * features);
    for (int64_t k = 0; k < features; k++)
        for (int64_t i = 0; i < count; i++)
            data[k * count + (order ? order[i] : i)] =
                (float)(alpha * (double)m->reals[by_features ? k * count + i : i * features + k]);
    return data;
}

/* Where each element of the dimension is in a value's C, H, W; NULL where it is not all of an image. */
static int64_t *order_of(Import *import, const View *view, int dim) {
    const int64_t *size = view->size, all = size[AXIS_C] * size[AXIS_H] * size[AXIS_W];
    int64_t count = 1;
    const int64_t scale[4] = {0, size[AXIS_H] * size[AXIS_W], size[AXIS_W], 1};
    for (int i = view->begin[dim]; i < view->begin[dim + 1]; i++) {
        if (view->atom[i].axis == AXIS_N) return NULL;
        count *= view->atom[i].size;
    }
    if (count != all) return NULL;
    int64_t *order = arena_alloc(import->model->arena, sizeof *order * (size_t)all);
    for (int64_t e = 0; e < all; e++) {
        int64_t rest = e;
        for (int i = view->begin[dim + 1] - 1; i >= view->begin[dim]; rest /= view->atom[i--].size)
            order[e] += rest % view->atom[i].size * view->atom[i].stride * scale[view->atom[i].axis];
    }
    return order;
}

/* The last dimension times a matrix: a fully connected layer where it is all of an image, a 1x1 convolution where it is
 * the channels of each pixel. `bias` of K numbers or NULL. */
static bool product(Import *import, OnnxNode *node, bool by_features, double alpha, const OnnxTensor *matrix_in,
                    ImportWeight bias) {
    const Operand *operand = import_operand(import, node, 0);
    if (!operand) return false;
    const View *view = &operand->view;
    const int last = view->rank - 1;
    const int64_t features = matrix_in->shape.dim[!by_features], count = matrix_in->shape.dim[by_features];
    int64_t *order = order_of(import, view, last);
    const bool pixels = view_axis(view, last) == AXIS_C && !order;
    View result;
    if (!order && !pixels)
        return import_problem(import, node,
                              "it multiplies a dimension of %s that is neither an image's channels nor all of it",
                              view_text(import->model->arena, view));
    bool in_order = alpha == 1 && by_features;
    for (int64_t i = 0; order && in_order && i < count; i++) in_order = order[i] == i;
    Layer layer = layer_default(pixels ? OP_CONV : OP_FC);
    layer.features = (int)features;
    layer.bias = bias.source || bias.data;
    const ImportWeights weights = {
        {{matrix_in, in_order ? NULL : matrix(import, matrix_in, count, features, by_features, order, alpha)}, bias}};
    Value *in = operand->value;
    if (pixels && in_order) { /* K x C x 1 x 1 */
        ImportWeights copied = weights;
        copied.slot[WEIGHT].data = matrix(import, matrix_in, count, features, by_features, NULL, alpha);
        Value *out = import_layer(import, node, NULL, OP_CONV, &in, 1, &layer, &copied);
        return out && view_replace(view, last, AXIS_C, out->shape.c, &result) &&
               import_result(import, node, 0, out, &result);
    }
    Value *out = import_layer(import, node, NULL, pixels ? OP_CONV : OP_FC, &in, 1, &layer, &weights);
    if (!out) return false;
    if (view_replace(view, last, AXIS_C, out->shape.c, &result)) {
        if (!pixels) result.size[AXIS_H] = result.size[AXIS_W] = 1;
        return import_result(import, node, 0, out, &result);
    }
    return import_problem(import, node, "its dimensions %s are not read", view_text(import->model->arena, view));
}

/* alpha * A * B + beta * C */
bool import_gemm(Import *import, OnnxNode *node) {
    const OnnxTensor *b = import_constant(import, node, 1, -1), *c = NULL;
    if (!b) return false;
    if (onnx_attribute_int(node, "transA", 0)) return import_problem(import, node, "it transposes what it reads");
    const bool by_features = onnx_attribute_int(node, "transB", 0) != 0;
    const int64_t features = b->shape.dim[!by_features];
    const double beta = onnx_attribute_real(node, "beta", 1);
    ImportWeight bias = {NULL, NULL};
    if (import_has(node, 2)) {
        c = import_constant(import, node, 2, -1);
        if (!c) return false;
        const int64_t count = onnx_elements(&c->shape);
        if (count != 1 && (count != features || c->shape.dim[c->shape.rank - 1] != features))
            return import_problem(import, node, "it adds %s, which is no bias",
                                  onnx_shape_text(import->model->arena, &c->shape));
        bias.source = c;
        if (count == 1 || beta != 1) {
            bias.data = import_floats(import, features);
            for (int64_t k = 0; k < features; k++) bias.data[k] = (float)(beta * onnx_element(c, count == 1 ? 0 : k));
        }
    }
    return product(import, node, by_features, onnx_attribute_real(node, "alpha", 1), b, bias);
}

/* A MatMul, and the bias that an Add behind it is. */
bool import_matmul(Import *import, OnnxNode *node) {
    if (import_has(node, 1) && node->in[1]->operand) return import_weighed_sum(import, node);
    const OnnxTensor *b = import_constant(import, node, 1, -1);
    return b && product(import, node, false, 1, b, (ImportWeight){NULL, NULL});
}
