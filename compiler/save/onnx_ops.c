/* Every op, and what an epilogue adds, in terms of ONNX's operators: one function each, in the table at the end.
 *
 * Most have a counterpart. What differs is written out in nodes that mean exactly the same:
 *
 *     swish                 Sigmoid, Mul
 *     scale, affine         Mul, Add with C x 1 x 1 initializers
 *     lrn of an even size   written out: ONNX's window has its longer side behind, ours before; and many refuse one
 *     spp                   a MaxPool a level; bins of unequal size: Slice and ReduceMax, rows first, then columns
 *     add with fill         Pad at the ends of the smaller side, Add
 *     avgpool with ceil and count_include_pad: Pad, then an AveragePool that counts what is inside
 */
#include "onnx.h"

#include <string.h>

/* ---- forms ---- */

/* [K] beside a value: K where that is flat, K x 1 x 1 beside an image. */
static char *per_channel(OnnxWriter *w, const Tensor *tensor, bool flat) {
    return onnx_tensor_as(w, tensor, flat ? 1 : 3, (int[]){tensor->dim[0], 1, 1});
}

static Operand as_image(OnnxWriter *w, Operand x) {
    if (!x.flat) return x;
    char *shape = onnx_indices(w, "shape", 4, (int64_t[]){0, x.shape.c, x.shape.h, x.shape.w});
    return onnx_add(w, "Reshape", x.shape, false, 2, (char *[]){x.name, shape});
}

static Operand as_flat(OnnxWriter *w, Operand x) {
    if (x.flat) return x;
    Operand flat = onnx_add(w, "Flatten", (Shape){(int)shape_size(x.shape), 1, 1}, true, 1, &x.name);
    onnx_int(w, "axis", 1);
    return flat;
}

static Operand elementwise(OnnxWriter *w, const char *op_type, Operand x, char *other) {
    return onnx_add(w, op_type, x.shape, x.flat, other ? 2 : 1, (char *[]){x.name, other});
}

/* a + b, a * b: shapes as they are, or b a factor per channel. */
static Operand combine(OnnxWriter *w, const char *op_type, Operand a, Operand b) {
    if (a.flat != b.flat) a = as_image(w, a), b = as_image(w, b);
    return elementwise(w, op_type, a, b.name);
}

static Operand pad_image(OnnxWriter *w, Operand x, int top, int left, int bottom, int right, int channels) {
    x = as_image(w, x);
    char *pads = onnx_indices(w, "pads", 8, (int64_t[]){0, 0, top, left, 0, channels, bottom, right});
    Shape shape = {x.shape.c + channels, x.shape.h + top + bottom, x.shape.w + left + right};
    Operand padded = onnx_add(w, "Pad", shape, false, 2, (char *[]){x.name, pads});
    onnx_string(w, "mode", "constant"); /* the default, but pnnx wants it said */
    return padded;
}

/* Zeros at the ends of channels, rows and columns. */
static Operand fill_to(OnnxWriter *w, Operand x, Shape shape) {
    if (shape_equal(x.shape, shape)) return x;
    return pad_image(w, x, 0, 0, shape.h - x.shape.h, shape.w - x.shape.w, shape.c - x.shape.c);
}

/* ---- windows ---- */

static void window_attributes(OnnxWriter *w, const Window *window) {
    onnx_ints(w, "kernel_shape", 2, (int[]){window->r, window->s});
    onnx_ints(w, "strides", 2, (int[]){window->stride_h, window->stride_w});
    onnx_ints(w, "pads", 4, (int[]){window->top, window->left, window->bottom, window->right});
}

static Shape windows_of(const Window *v, Shape in, bool ceil) {
    return (Shape){in.c, window_out(in.h, v->r, v->stride_h, v->dilate_h, v->top, v->bottom, ceil),
                   window_out(in.w, v->s, v->stride_w, v->dilate_w, v->left, v->right, ceil)};
}

/* ONNX's ceil_mode keeps a last window that would start in the padding, ours does not. Where ours drops it, or where
 * rounding changes nothing, rounding down gives the same. */
static bool rounds_up(const Window *window, Shape in) {
    return window->ceil && !shape_equal(windows_of(window, in, true), windows_of(window, in, false));
}

static Operand max_pool(OnnxWriter *w, const Window *window, Operand x) {
    x = as_image(w, x);
    Operand pooled = onnx_add(w, "MaxPool", windows_of(window, x.shape, window->ceil), false, 1, &x.name);
    window_attributes(w, window);
    if (window->dilate_h > 1 || window->dilate_w > 1)
        onnx_ints(w, "dilations", 2, (int[]){window->dilate_h, window->dilate_w});
    if (rounds_up(window, x.shape)) onnx_int(w, "ceil_mode", 1);
    return pooled;
}

static Operand average_pool(OnnxWriter *w, const Attr *attr, Operand x) {
    Window window = attr->window;
    x = as_image(w, x);
    Shape result = windows_of(&window, x.shape, window.ceil);
    bool up = rounds_up(&window, x.shape);
    bool counts_pad = attr->count_include_pad && (window.top || window.left || window.bottom || window.right);
    if (up && counts_pad) { /* implementations disagree on what counts beyond the padding */
        x = pad_image(w, x, window.top, window.left, window.bottom, window.right, 0);
        window.top = window.left = window.bottom = window.right = 0;
        counts_pad = false;
    }
    Operand pooled = onnx_add(w, "AveragePool", result, false, 1, &x.name);
    window_attributes(w, &window);
    if (counts_pad) onnx_int(w, "count_include_pad", 1);
    if (up) onnx_int(w, "ceil_mode", 1);
    return pooled;
}

static Operand global_pool(OnnxWriter *w, const char *op_type, Operand x) {
    x = as_image(w, x);
    return onnx_add(w, op_type, (Shape){x.shape.c, 1, 1}, false, 1, &x.name);
}

static Operand export_maxpool(OnnxWriter *w, const Node *node, const Operand *in) {
    return node->attr.global ? global_pool(w, "GlobalMaxPool", in[0]) : max_pool(w, &node->attr.window, in[0]);
}

static Operand export_avgpool(OnnxWriter *w, const Node *node, const Operand *in) {
    return node->attr.global ? global_pool(w, "GlobalAveragePool", in[0]) : average_pool(w, &node->attr, in[0]);
}

/* ---- layers with weights ---- */

static Operand export_conv(OnnxWriter *w, const Node *node, const Operand *in) {
    Operand sum = {0};
    for (int i = 0; i < node->nin; i++) {
        const Term *term = &node->term[i];
        Operand x = as_image(w, in[i]);
        char *inputs[3] = {x.name, onnx_tensor(w, term->weight)};
        bool bias = i == 0 && node->epilogue.bias;
        if (bias) inputs[2] = onnx_tensor(w, node->epilogue.bias);
        Operand y = onnx_add(w, "Conv", node_unpooled_shape(node), false, 2 + bias, inputs);
        window_attributes(w, &term->window);
        onnx_ints(w, "dilations", 2, (int[]){term->window.dilate_h, term->window.dilate_w});
        onnx_int(w, "group", term->groups);
        sum = i ? combine(w, "Add", sum, y) : y;
    }
    return sum;
}

static Operand export_fc(OnnxWriter *w, const Node *node, const Operand *in) {
    Operand sum = {0};
    for (int i = 0; i < node->nin; i++) {
        Operand x = as_flat(w, in[i]);
        char *inputs[3] = {x.name, onnx_tensor(w, node->term[i].weight)};
        bool bias = i == 0 && node->epilogue.bias;
        if (bias) inputs[2] = onnx_tensor(w, node->epilogue.bias);
        Operand y = onnx_add(w, "Gemm", (Shape){node->features, 1, 1}, true, 2 + bias, inputs);
        onnx_int(w, "transB", 1);
        sum = i ? combine(w, "Add", sum, y) : y;
    }
    return sum;
}

static Operand export_bn(OnnxWriter *w, const Node *node, const Operand *in) {
    char *inputs[5] = {in[0].name};
    for (int i = 0; i < 4; i++) inputs[1 + i] = onnx_tensor(w, node->weight[i]);
    Operand y = onnx_add(w, "BatchNormalization", in[0].shape, in[0].flat, 5, inputs);
    onnx_float(w, "epsilon", node->attr.eps);
    onnx_float(w, "momentum", 1 - node->attr.momentum); /* ONNX's is the old value's share */
    return y;
}

static Operand export_scale(OnnxWriter *w, const Node *node, const Operand *in) {
    Operand y = elementwise(w, "Mul", in[0], per_channel(w, node->weight[WEIGHT], in[0].flat));
    return elementwise(w, "Add", y, per_channel(w, node->weight[BIAS], in[0].flat));
}

/* ---- activations ---- */

static Operand activate(OnnxWriter *w, Act act, double slope, const Tensor *prelu, Operand x) {
    Operand y = {0};
    switch (act) {
    case ACT_NONE:
        return x;
    case ACT_RELU:
        return elementwise(w, "Relu", x, NULL);
    case ACT_RELU6:
        return onnx_add(w, "Clip", x.shape, x.flat, 3,
                        (char *[]){x.name, onnx_scalar(w, "min", 0), onnx_scalar(w, "max", 6)});
    case ACT_PRELU:
        return elementwise(w, "PRelu", x, per_channel(w, prelu, x.flat));
    case ACT_LEAKYRELU:
        y = elementwise(w, "LeakyRelu", x, NULL);
        onnx_float(w, "alpha", slope);
        return y;
    case ACT_SIGMOID:
        return elementwise(w, "Sigmoid", x, NULL);
    case ACT_TANH:
        return elementwise(w, "Tanh", x, NULL);
    case ACT_SWISH:
        return elementwise(w, "Mul", x, elementwise(w, "Sigmoid", x, NULL).name);
    }
    bug("activation %d", (int)act);
}

static Operand export_activation(OnnxWriter *w, const Node *node, const Operand *in) {
    return activate(w, op_act(node->op), node->attr.slope, node->weight[WEIGHT], in[0]);
}

/* ---- layers that move and combine ---- */

static Operand export_add(OnnxWriter *w, const Node *node, const Operand *in) {
    Shape shape = node_unpooled_shape(node);
    Operand a = fill_to(w, in[0], shape);
    return combine(w, "Add", a, fill_to(w, in[1], shape));
}

static Operand export_mul(OnnxWriter *w, const Node *node, const Operand *in) {
    (void)node;
    return combine(w, "Mul", in[0], in[1]);
}

static Operand export_concat(OnnxWriter *w, const Node *node, const Operand *in) {
    bool flat = true;
    char **inputs = arena_alloc(&w->arena, sizeof *inputs * (size_t)node->nin);
    for (int i = 0; i < node->nin; i++) flat = flat && in[i].flat;
    for (int i = 0; i < node->nin; i++) inputs[i] = flat ? in[i].name : as_image(w, in[i]).name;
    Operand y = onnx_add(w, "Concat", node_unpooled_shape(node), flat, node->nin, inputs);
    onnx_int(w, "axis", 1);
    return y;
}

static Operand export_pad(OnnxWriter *w, const Node *node, const Operand *in) {
    const Window *window = &node->attr.window;
    return pad_image(w, in[0], window->top, window->left, window->bottom, window->right, node->attr.channels);
}

static Operand export_dropout(OnnxWriter *w, const Node *node, const Operand *in) {
    return elementwise(w, "Dropout", in[0], onnx_scalar(w, "ratio", node->attr.rate));
}

static Operand export_identity(OnnxWriter *w, const Node *node, const Operand *in) {
    (void)node;
    return elementwise(w, "Identity", in[0], NULL);
}

static Operand export_flatten(OnnxWriter *w, const Node *node, const Operand *in) {
    (void)node;
    return in[0].flat ? elementwise(w, "Identity", in[0], NULL) : as_flat(w, in[0]);
}

static Operand export_softmax(OnnxWriter *w, const Node *node, const Operand *in) {
    (void)node;
    Operand y = elementwise(w, "Softmax", in[0], NULL);
    onnx_int(w, "axis", 1);
    return y;
}

static Operand export_upsample(OnnxWriter *w, const Node *node, const Operand *in) {
    const float factor = (float)node->attr.factor;
    Operand x = as_image(w, in[0]);
    char *none = arena_strdup(&w->arena, ""); /* no region of interest */
    char *inputs[3] = {x.name, none, onnx_floats(w, "scales", 4, (float[]){1, 1, factor, factor})};
    Operand y = onnx_add(w, "Resize", node_unpooled_shape(node), false, 3, inputs);
    onnx_string(w, "mode", "nearest");
    onnx_string(w, "nearest_mode", "floor");
    onnx_string(w, "coordinate_transformation_mode", "asymmetric");
    return y;
}

/* ---- lrn ---- */

/* x / (k + alpha * mean)^beta, where the mean is a pool over the channels, laid out as the rows of an image. */
static Operand lrn_written_out(OnnxWriter *w, const Attr *attr, Operand x) {
    const int before = attr->size / 2, after = (attr->size - 1) / 2, pixels = x.shape.h * x.shape.w;
    Operand square = elementwise(w, "Mul", x, x.name);
    char *rows = onnx_indices(w, "rows", 4, (int64_t[]){0, 1, x.shape.c, pixels});
    Operand image = onnx_add(w, "Reshape", (Shape){1, x.shape.c, pixels}, false, 2, (char *[]){square.name, rows});
    Operand mean = elementwise(w, "AveragePool", image, NULL);
    onnx_ints(w, "kernel_shape", 2, (int[]){attr->size, 1});
    onnx_ints(w, "pads", 4, (int[]){before, 0, after, 0});
    onnx_int(w, "count_include_pad", 1);
    char *back = onnx_indices(w, "shape", 4, (int64_t[]){0, x.shape.c, x.shape.h, x.shape.w});
    mean = onnx_add(w, "Reshape", x.shape, false, 2, (char *[]){mean.name, back});
    Operand base = elementwise(w, "Mul", mean, onnx_scalar(w, "alpha", attr->alpha));
    base = elementwise(w, "Add", base, onnx_scalar(w, "k", attr->k));
    return elementwise(w, "Div", x, elementwise(w, "Pow", base, onnx_scalar(w, "beta", attr->beta)).name);
}

static Operand export_lrn(OnnxWriter *w, const Node *node, const Operand *in) {
    const Attr *attr = &node->attr;
    Operand x = as_image(w, in[0]);
    if (attr->size % 2 == 0) return lrn_written_out(w, attr, x);
    Operand y = elementwise(w, "LRN", x, NULL);
    onnx_int(w, "size", attr->size);
    onnx_float(w, "alpha", attr->alpha); /* divided by the size there, too */
    onnx_float(w, "beta", attr->beta);
    onnx_float(w, "bias", attr->k);
    return y;
}

/* ---- spp ---- */

static int bin_begin(int size, int n, int i) {
    return (int)((int64_t)i * size / n);
}
static int bin_end(int size, int n, int i) {
    return (int)(((int64_t)(i + 1) * size + n - 1) / n);
}

/* Whether n bins are a sliding window. */
static bool bins_slide(int size, int n, int *kernel, int *stride) {
    *kernel = bin_end(size, n, 0);
    *stride = n > 1 ? bin_begin(size, n, 1) : 1;
    for (int i = 0; i < n; i++)
        if (bin_begin(size, n, i) != i * *stride || bin_end(size, n, i) != i * *stride + *kernel) return false;
    return *stride > 0;
}

/* The largest of each of n bins along rows (axis 2) or columns (3): H x W becomes n x W, H x n. */
static Operand bin_axis(OnnxWriter *w, Operand x, int axis, int n) {
    const int size = axis == 2 ? x.shape.h : x.shape.w;
    char **bins = arena_alloc(&w->arena, sizeof *bins * (size_t)n);
    char *axes = onnx_indices(w, "axes", 1, (int64_t[]){axis});
    for (int i = 0; i < n; i++) {
        Shape slice = x.shape, one = x.shape;
        *(axis == 2 ? &slice.h : &slice.w) = bin_end(size, n, i) - bin_begin(size, n, i);
        *(axis == 2 ? &one.h : &one.w) = 1;
        char *begin = onnx_indices(w, "starts", 1, (int64_t[]){bin_begin(size, n, i)});
        char *end = onnx_indices(w, "ends", 1, (int64_t[]){bin_end(size, n, i)});
        Operand part = onnx_add(w, "Slice", slice, false, 4, (char *[]){x.name, begin, end, axes});
        bins[i] = onnx_add(w, "ReduceMax", one, false, 1, &part.name).name;
        onnx_ints(w, "axes", 1, &axis);
        onnx_int(w, "keepdims", 1);
    }
    *(axis == 2 ? &x.shape.h : &x.shape.w) = n;
    Operand y = onnx_add(w, "Concat", x.shape, false, n, bins);
    onnx_int(w, "axis", axis);
    return y;
}

static Operand spp_level(OnnxWriter *w, Operand x, int n) {
    Window window = {.dilate_h = 1, .dilate_w = 1};
    if (bins_slide(x.shape.h, n, &window.r, &window.stride_h) && bins_slide(x.shape.w, n, &window.s, &window.stride_w))
        return max_pool(w, &window, x);
    return bin_axis(w, bin_axis(w, x, 2, n), 3, n);
}

static Operand export_spp(OnnxWriter *w, const Node *node, const Operand *in) {
    Operand x = as_image(w, in[0]);
    char *levels[SPP_MAX_LEVELS];
    for (int i = 0; i < node->attr.nlevels; i++) levels[i] = as_flat(w, spp_level(w, x, node->attr.levels[i])).name;
    Operand y = onnx_add(w, "Concat", node_unpooled_shape(node), true, node->attr.nlevels, levels);
    onnx_int(w, "axis", 1);
    return y;
}

/* ---- the table ---- */

typedef Operand (*Exporter)(OnnxWriter *w, const Node *node, const Operand *in);

static const Exporter exporters[OP_COUNT] = {
    [OP_CONV] = export_conv,
    [OP_FC] = export_fc,
    [OP_BN] = export_bn,
    [OP_SCALE] = export_scale,
    [OP_AFFINE] = export_scale,
    [OP_RELU] = export_activation,
    [OP_RELU6] = export_activation,
    [OP_PRELU] = export_activation,
    [OP_LEAKYRELU] = export_activation,
    [OP_SIGMOID] = export_activation,
    [OP_TANH] = export_activation,
    [OP_SWISH] = export_activation,
    [OP_MAXPOOL] = export_maxpool,
    [OP_AVGPOOL] = export_avgpool,
    [OP_LRN] = export_lrn,
    [OP_SPP] = export_spp,
    [OP_PAD] = export_pad,
    [OP_DROPOUT] = export_dropout,
    [OP_IDENTITY] = export_identity,
    [OP_FLATTEN] = export_flatten,
    [OP_SOFTMAX] = export_softmax,
    [OP_UPSAMPLE] = export_upsample,
    [OP_ADD] = export_add,
    [OP_MUL] = export_mul,
    [OP_CONCAT] = export_concat,
};

/* A convolution's and an fc's bias is in its own operator already. */
static Operand export_epilogue(OnnxWriter *w, const Node *node, Operand x) {
    const Epilogue *epilogue = &node->epilogue;
    if (epilogue->bias && !(op_info(node->op)->flags & OPF_TERMS))
        x = elementwise(w, "Add", x, per_channel(w, epilogue->bias, x.flat));
    if (epilogue->addend) {
        const int stride = epilogue->addend_stride;
        Operand addend = w->operand[epilogue->addend->id];
        Window subsample = {.r = 1, .s = 1, .stride_h = stride, .stride_w = stride, .dilate_h = 1, .dilate_w = 1};
        if (stride > 1) addend = max_pool(w, &subsample, addend);
        x = combine(w, "Add", x, fill_to(w, addend, x.shape));
    }
    x = activate(w, epilogue->act, epilogue->slope, epilogue->prelu, x);
    if (epilogue->pool == POOL_MAX) x = max_pool(w, &epilogue->pool_window, x);
    if (epilogue->pool == POOL_GLOBAL_AVG) x = global_pool(w, "GlobalAveragePool", x);
    return x;
}

Operand onnx_export_node(OnnxWriter *w, const Node *node) {
    if (!exporters[node->op]) bug("op %s has no ONNX form", op_info(node->op)->word);
    Operand *in = arena_alloc(&w->arena, sizeof *in * (size_t)node->nin);
    for (int i = 0; i < node->nin; i++) in[i] = w->operand[node->in[i]->id];
    return export_epilogue(w, node, exporters[node->op](w, node, in));
}
