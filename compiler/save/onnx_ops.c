/* Every op, and what an epilogue adds, in terms of ONNX's operators: one function each, in the table at the end.
 *
 * Most have a counterpart. What differs is written out in nodes that mean exactly the same:
 *
 *     swish                 Sigmoid, Mul
 *     hardswish             HardSigmoid, Mul
 *     mish                  Softplus, Tanh, Mul
 *     gelu                  with Erf, or with Sigmoid for tanh: its own operator is of later operator sets
 *     scale, affine         Mul, Add with C x 1 x 1 initializers
 *     interleave, phases    Reshape, Transpose, Reshape; Slice where something is cut off
 *     shuffle               Reshape, Transpose, Reshape
 *     quantize              QuantizeLinear, DequantizeLinear
 *     softmax               of pixels or branches: Reshape, Softmax, Reshape
 *     layernorm             ReduceMean, Sub, Mul, ReduceMean, Add, Sqrt, Div; Mul, Add
 *     responsenorm          ReduceL2, ReduceMean, Add, Div, Mul; Mul, Add
 *     lrn of an even size   written out: ONNX's window has its longer side behind, ours before; and many refuse one
 *     spp                   a MaxPool a level; bins of unequal size: Slice and ReduceMax, rows first, then columns
 *     add with fill         Pad at the ends of the smaller side, Add
 *     a pool with ceil      the padding at the end that its windows need, and no ceil_mode
 *     avgpool with ceil and count_include_pad: Pad, then an AveragePool that counts what is inside
 *     a dilated maxpool, padded by its kernel's size or more: Pad with -inf, MaxPool
 */
#include "onnx.h"
#include "graph/act.h"

#include <math.h>
#include <string.h>

static int smaller(int a, int b) {
    return a < b ? a : b;
}

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

/* a + b, a * b: shapes as they are, or b a number for each channel, each pixel, or all. */
static Operand combine(OnnxWriter *w, const char *op_type, Operand a, Operand b) {
    if (a.flat != b.flat) a = as_image(w, a), b = as_image(w, b);
    return elementwise(w, op_type, a, b.name);
}

typedef struct Sides {
    int top, left, bottom, right, channels; /* channels: at the end */
} Sides;

static Operand pad_image(OnnxWriter *w, Operand x, Sides by, const char *mode, float with) {
    x = as_image(w, x);
    char *inputs[3] = {x.name};
    inputs[1] = onnx_indices(w, "pads", 8, (int64_t[]){0, 0, by.top, by.left, 0, by.channels, by.bottom, by.right});
    if (with != 0) inputs[2] = onnx_scalar(w, "with", with); /* 0 is the default */
    Shape shape = {x.shape.c + by.channels, x.shape.h + by.top + by.bottom, x.shape.w + by.left + by.right};
    Operand padded = onnx_add(w, "Pad", shape, false, with != 0 ? 3 : 2, inputs);
    onnx_string(w, "mode", mode); /* constant is the default, but pnnx wants it said */
    return padded;
}

/* Zeros at the ends of channels, rows and columns. */
static Operand fill_to(OnnxWriter *w, Operand x, Shape shape) {
    if (shape_equal(x.shape, shape)) return x;
    return pad_image(w, x, (Sides){0, 0, shape.h - x.shape.h, shape.w - x.shape.w, shape.c - x.shape.c}, "constant", 0);
}

/* ---- windows ---- */

static void window_attributes(OnnxWriter *w, const Window *window) {
    onnx_ints(w, "kernel_shape", 2, (int[]){window->r, window->s});
    onnx_ints(w, "strides", 2, (int[]){window->stride_h, window->stride_w});
    onnx_ints(w, "pads", 4, (int[]){window->top, window->left, window->bottom, window->right});
}

static void dilation_attribute(OnnxWriter *w, const Window *window) {
    onnx_ints(w, "dilations", 2, (int[]){window->dilate_h, window->dilate_w});
}

static Shape windows_of(const Window *v, Shape in) {
    return (Shape){in.c, window_out(in.h, v->r, v->stride_h, v->dilate_h, v->top, v->bottom, v->ceil),
                   window_out(in.w, v->s, v->stride_w, v->dilate_w, v->left, v->right, v->ceil)};
}

/* The padding at the end: the layer's own where its windows, rounded down, are the `out` that there are, since some
 * engines pad both sides of a pool alike; otherwise what they reach into, no more and no less. */
static int end_pad(int size, int kernel, int stride, int dilate, int before, int after, int out) {
    if (after < kernel && window_out(size, kernel, stride, dilate, before, after, false) == out) return after;
    const int64_t pad = (int64_t)(out - 1) * stride + dilate * (kernel - 1) + 1 - before - size;
    return pad > 0 ? (int)pad : 0;
}

/* A pool's window with the padding that its windows need. Rounded down they are as many as before, whichever way the
 * layer rounds: engines disagree on a ceil_mode's last window, and on what lies in it; and they refuse a padding that
 * is as large as the kernel, which no window of ours needs at the end. */
static Window exact_window(const Window *window, Shape in) {
    const Shape out = windows_of(window, in);
    Window exact = *window;
    exact.bottom = end_pad(in.h, window->r, window->stride_h, window->dilate_h, window->top, window->bottom, out.h);
    exact.right = end_pad(in.w, window->s, window->stride_w, window->dilate_w, window->left, window->right, out.w);
    exact.ceil = false;
    return exact;
}

/* Padding of a kernel's size or more: where windows are dilated. */
static bool pads_exceed_kernel(const Window *w) {
    return w->top >= w->r || w->bottom >= w->r || w->left >= w->s || w->right >= w->s;
}

static Operand max_pool(OnnxWriter *w, const Window *window, Operand x) {
    x = as_image(w, x);
    const Shape out = windows_of(window, x.shape);
    Window exact = exact_window(window, x.shape);
    if (pads_exceed_kernel(&exact)) {
        x = pad_image(w, x, (Sides){exact.top, exact.left, exact.bottom, exact.right, 0}, "constant", -INFINITY);
        exact.top = exact.left = exact.bottom = exact.right = 0;
    }
    Operand pooled = onnx_add(w, "MaxPool", out, false, 1, &x.name);
    window_attributes(w, &exact);
    if (exact.dilate_h > 1 || exact.dilate_w > 1) dilation_attribute(w, &exact);
    return pooled;
}

/* What a window counts of the padding, that of the layer, is written out; what rounding up adds, no window counts. */
static Operand average_pool(OnnxWriter *w, const Attr *attr, Operand x) {
    const Window *window = &attr->window;
    x = as_image(w, x);
    const Shape out = windows_of(window, x.shape);
    Window exact = exact_window(window, x.shape);
    bool counts_pad = attr->count_include_pad && (exact.top || exact.left || exact.bottom || exact.right);
    if (counts_pad && (exact.bottom > window->bottom || exact.right > window->right)) {
        const int bottom = smaller(exact.bottom, window->bottom), right = smaller(exact.right, window->right);
        x = pad_image(w, x, (Sides){exact.top, exact.left, bottom, right, 0}, "constant", 0);
        exact.top = exact.left = 0;
        exact.bottom -= bottom, exact.right -= right;
        counts_pad = false;
    }
    Operand pooled = onnx_add(w, "AveragePool", out, false, 1, &x.name);
    window_attributes(w, &exact);
    if (counts_pad) onnx_int(w, "count_include_pad", 1);
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
        dilation_attribute(w, &term->window);
        onnx_int(w, "group", term->groups);
        sum = i ? combine(w, "Add", sum, y) : y;
    }
    return sum;
}

/* Its weights are as PyTorch's, C x K/groups x R x S. */
static Operand export_convtranspose(OnnxWriter *w, const Node *node, const Operand *in) {
    const Term *term = &node->term[0];
    Operand x = as_image(w, in[0]);
    char *inputs[3] = {x.name, onnx_tensor(w, term->weight)};
    const bool bias = node->epilogue.bias;
    if (bias) inputs[2] = onnx_tensor(w, node->epilogue.bias);
    Operand y = onnx_add(w, "ConvTranspose", node_unpooled_shape(node), false, 2 + bias, inputs);
    window_attributes(w, &term->window);
    onnx_ints(w, "output_padding", 2, (int[]){node->attr.extra_rows, node->attr.extra_columns});
    onnx_int(w, "group", term->groups);
    return y;
}

/* Channels, or pixels, as the dimensions that they fall into; these in another order; an image again. */
static Operand transposed(OnnxWriter *w, Operand x, int ndim, const int64_t *parts, const int *order, Shape to) {
    x = as_image(w, x);
    x = onnx_add(w, "Reshape", x.shape, false, 2, (char *[]){x.name, onnx_indices(w, "parts", ndim, parts)});
    x = onnx_add(w, "Transpose", x.shape, false, 1, &x.name);
    onnx_ints(w, "perm", ndim, order);
    char *shape = onnx_indices(w, "shape", 4, (int64_t[]){0, to.c, to.h, to.w});
    return onnx_add(w, "Reshape", to, false, 2, (char *[]){x.name, shape});
}

/* DepthToSpace does it for equal strides only: phases become dimensions, which are transposed; then the crop. */
static Operand export_interleave(OnnxWriter *w, const Node *node, const Operand *in) {
    const Attr *attr = &node->attr;
    const Window *window = &attr->window;
    const Shape from = in[0].shape, to = node_unpooled_shape(node);
    const int64_t rows = window->stride_h, columns = window->stride_w, groups = to.c / attr->channels;
    const int64_t parts[] = {0, groups, rows, columns, attr->channels, from.h, from.w};
    const Shape all = {to.c, from.h * (int)rows, from.w * (int)columns};
    const Operand x = transposed(w, in[0], 7, parts, (int[]){0, 1, 4, 5, 2, 6, 3}, all);
    if (shape_equal(all, to)) return x;
    char *begin = onnx_indices(w, "begin", 2, (int64_t[]){window->top, window->left});
    char *end = onnx_indices(w, "end", 2, (int64_t[]){window->top + to.h, window->left + to.w});
    char *axes = onnx_indices(w, "axes", 2, (int64_t[]){2, 3});
    return onnx_add(w, "Slice", to, false, 4, (char *[]){x.name, begin, end, axes});
}

static Operand export_slice(OnnxWriter *w, const Node *node, const Operand *in) {
    const Attr *a = &node->attr;
    const int first[3] = {a->first, a->window.top, a->window.left}, count[3] = {a->channels, a->height, a->width};
    int64_t begin[3], end[3];
    for (int i = 0; i < 3; i++) begin[i] = first[i], end[i] = (int64_t)first[i] + count[i];
    char *inputs[4] = {as_image(w, in[0]).name, onnx_indices(w, "begin", 3, begin), onnx_indices(w, "end", 3, end),
                       onnx_indices(w, "axes", 3, (int64_t[]){1, 2, 3})};
    return onnx_add(w, "Slice", node_unpooled_shape(node), false, 4, inputs);
}

static Operand export_shuffle(OnnxWriter *w, const Node *node, const Operand *in) {
    const Shape s = in[0].shape;
    const int groups = node->attr.groups;
    const int64_t parts[] = {0, groups, s.c / groups, s.h, s.w};
    return transposed(w, in[0], 5, parts, (int[]){0, 2, 1, 3, 4}, s);
}

static Operand export_phases(OnnxWriter *w, const Node *node, const Operand *in) {
    const Shape s = in[0].shape, to = node_unpooled_shape(node);
    const int64_t rows = node->attr.window.stride_h, columns = node->attr.window.stride_w, k = node->attr.channels;
    const int64_t parts[] = {0, s.c / k, k, to.h, rows, to.w, columns};
    return transposed(w, in[0], 7, parts, (int[]){0, 1, 4, 6, 2, 3, 5}, to);
}

static Operand export_reshape(OnnxWriter *w, const Node *node, const Operand *in) {
    const Shape to = node_unpooled_shape(node);
    char *shape = onnx_indices(w, "shape", 4, (int64_t[]){0, to.c, to.h, to.w});
    return onnx_add(w, "Reshape", to, false, 2, (char *[]){in[0].name, shape});
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

static Operand by_scalar(OnnxWriter *w, const char *op_type, Operand x, const char *name, double value) {
    return elementwise(w, op_type, x, onnx_scalar(w, name, value));
}

static Operand export_scale(OnnxWriter *w, const Node *node, const Operand *in) {
    Operand y = elementwise(w, "Mul", in[0], per_channel(w, node->weight[WEIGHT], in[0].flat));
    return node->weight[BIAS] ? elementwise(w, "Add", y, per_channel(w, node->weight[BIAS], in[0].flat)) : y;
}

/* The operator set has none (LayerNormalization came with 17, and is over the last axes). */
static Operand reduce_mean(OnnxWriter *w, Operand x, Shape shape, int naxes, const int *axes) {
    Operand mean = onnx_add(w, "ReduceMean", shape, x.flat, 1, &x.name);
    onnx_ints(w, "axes", naxes, axes);
    onnx_int(w, "keepdims", 1);
    return mean;
}

/* (x - mean) / sqrt(variance + eps), both over some axes; `shape`: what is left of x's. */
static Operand normalize(OnnxWriter *w, Operand x, Shape shape, int naxes, const int *axes, double eps) {
    x = elementwise(w, "Sub", x, reduce_mean(w, x, shape, naxes, axes).name);
    Operand variance = reduce_mean(w, elementwise(w, "Mul", x, x.name), shape, naxes, axes);
    variance = elementwise(w, "Add", variance, onnx_scalar(w, "eps", eps));
    return elementwise(w, "Div", x, elementwise(w, "Sqrt", variance, NULL).name);
}

/* Nor has it a group norm: its groups become channels, whose rows are the group's elements. */
static Operand export_groupnorm(OnnxWriter *w, const Node *node, const Operand *in) {
    const Shape shape = in[0].shape;
    const int groups = node->attr.groups, size = (int)(shape_size(shape) / groups);
    char *rows = onnx_indices(w, "groups", 4, (int64_t[]){0, groups, size, 1});
    Operand x = onnx_add(w, "Reshape", (Shape){groups, size, 1}, false, 2, (char *[]){in[0].name, rows});
    x = normalize(w, x, (Shape){groups, 1, 1}, 1, (int[]){2}, node->attr.eps);
    char *back = onnx_indices(w, "shape", 4, (int64_t[]){0, shape.c, shape.h, shape.w});
    x = onnx_add(w, "Reshape", shape, false, 2, (char *[]){x.name, back});
    return export_scale(w, node, &x);
}

static Operand export_layernorm(OnnxWriter *w, const Node *node, const Operand *in) {
    const Shape shape = in[0].shape;
    Operand x = normalize(w, in[0], (Shape){1, shape.h, shape.w}, 1, (int[]){1}, node->attr.eps);
    return export_scale(w, node, &x);
}

static Operand export_responsenorm(OnnxWriter *w, const Node *node, const Operand *in) {
    const Shape channels = {in[0].shape.c, 1, 1};
    const Operand x = as_image(w, in[0]);
    Operand response = onnx_add(w, "ReduceL2", channels, false, 1, (char *[]){x.name});
    onnx_ints(w, "axes", 2, (int[]){2, 3});
    onnx_int(w, "keepdims", 1);
    Operand mean = reduce_mean(w, response, (Shape){1, 1, 1}, 1, (int[]){1});
    mean = elementwise(w, "Add", mean, onnx_scalar(w, "eps", node->attr.eps));
    response = elementwise(w, "Div", response, mean.name);
    const Operand y = elementwise(w, "Mul", x, response.name);
    return export_scale(w, node, &y);
}

/* ---- activations ---- */

static Operand hard_sigmoid(OnnxWriter *w, Operand x) {
    Operand y = elementwise(w, "HardSigmoid", x, NULL);
    onnx_float(w, "alpha", 1.0 / 6);
    onnx_float(w, "beta", 0.5);
    return y;
}

/* A bound that is infinite is left out. */
static Operand clip(OnnxWriter *w, Operand x, double low, double high) {
    char *inputs[3] = {x.name, isinf(low) ? arena_strdup(&w->arena, "") : onnx_scalar(w, "min", low)};
    if (!isinf(high)) inputs[2] = onnx_scalar(w, "max", high);
    return onnx_add(w, "Clip", x.shape, x.flat, !isinf(high) ? 3 : !isinf(low) ? 2 : 1, inputs);
}

/* Those that have no operator of their own. */
static Operand write_out_activation(OnnxWriter *w, Act act, ActNumbers numbers, Operand x) {
    switch (act) {
    case ACT_RELU6:
        return clip(w, x, 0, 6);
    case ACT_CLIP:
        return clip(w, x, numbers.p, numbers.q);
    case ACT_SWISH:
        return elementwise(w, "Mul", x, elementwise(w, "Sigmoid", x, NULL).name);
    case ACT_HARDSIGMOID:
        return hard_sigmoid(w, x);
    case ACT_HARDSWISH:
        return elementwise(w, "Mul", x, hard_sigmoid(w, x).name);
    case ACT_MISH:
        return elementwise(w, "Mul", x, elementwise(w, "Tanh", elementwise(w, "Softplus", x, NULL), NULL).name);
    case ACT_GELU: { /* x * (erf(x / sqrt(2)) + 1) / 2 */
        Operand y = elementwise(w, "Erf", by_scalar(w, "Mul", x, "root", M_SQRT1_2), NULL);
        y = elementwise(w, "Mul", x, by_scalar(w, "Add", y, "one", 1).name);
        return by_scalar(w, "Mul", y, "half", 0.5);
    }
    case ACT_GELU_TANH: { /* x * sigmoid(x * (a * x^2 + b)): 1 + tanh(t) is 2 * sigmoid(2t) */
        const double b = 2 * sqrt(2 / M_PI);
        Operand y = by_scalar(w, "Mul", elementwise(w, "Mul", x, x.name), "a", 0.044715 * b);
        y = elementwise(w, "Mul", x, by_scalar(w, "Add", y, "b", b).name);
        return elementwise(w, "Mul", x, elementwise(w, "Sigmoid", y, NULL).name);
    }
    default:
        bug("activation %s in ONNX", act_info(act)->word);
    }
}

static Operand activate(OnnxWriter *w, Act act, ActNumbers numbers, const Tensor *slopes, Operand x) {
    const ActInfo *info = act_info(act);
    if (act == ACT_NONE) return x;
    if (!info->onnx) return write_out_activation(w, act, numbers, x);
    char *weight = info->parameter == PARAMETER_PER_CHANNEL ? per_channel(w, slopes, x.flat) : NULL;
    Operand y = elementwise(w, info->onnx, x, weight);
    if (info->parameter == PARAMETER_NUMBER) onnx_float(w, "alpha", numbers.p);
    return y;
}

static Operand export_activation(OnnxWriter *w, const Node *node, const Operand *in) {
    return activate(w, node_act(node), node_act_numbers(node), node->weight[WEIGHT], in[0]);
}

/* ---- layers that move and combine ---- */

static Operand export_add(OnnxWriter *w, const Node *node, const Operand *in) {
    Shape shape = node_unpooled_shape(node);
    if (node_broadcast(node) != BROADCAST_EQUAL) return combine(w, "Add", in[0], in[1]);
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
    const Sides sides = {window->top, window->left, window->bottom, window->right, node->attr.channels};
    const char *mode = node->attr.reflect ? "reflect" : node->attr.edge ? "edge" : "constant";
    return pad_image(w, in[0], sides, mode, (float)node->attr.value);
}

/* Operator set 13 has 8 bits alone (onnx_check). One number for all channels where they agree. */
static Operand export_quantize(OnnxWriter *w, const Node *node, const Operand *in) {
    const Tensor *scale = node->weight[WEIGHT], *zero = node->weight[BIAS];
    const float *scales = w->data->data[scale->id], *zeros = w->data->data[zero->id];
    const bool is_signed = node->attr.low < 0;
    int count = 1;
    for (int c = 1; c < scale->dim[0]; c++)
        if (scales[c] != scales[0] || zeros[c] != zeros[0]) count = scale->dim[0];
    char *inputs[3] = {in[0].name, count > 1 ? onnx_tensor(w, scale) : onnx_scalar(w, "scale", (double)scales[0]),
                       onnx_bytes(w, "zero_point", count, zeros, is_signed)};
    Operand x = onnx_add(w, "QuantizeLinear", in[0].shape, in[0].flat, 3, inputs);
    if (count > 1) onnx_int(w, "axis", 1);
    inputs[0] = x.name;
    x = onnx_add(w, "DequantizeLinear", in[0].shape, in[0].flat, 3, inputs);
    if (count > 1) onnx_int(w, "axis", 1);
    return x;
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

/* Over one dimension of an image, in the dimensions that it is given for that. */
static Operand softmax_reshaped(OnnxWriter *w, Operand x, Shape dims, int axis) {
    const Shape shape = x.shape;
    char *there = onnx_indices(w, "dims", 4, (int64_t[]){0, dims.c, dims.h, dims.w});
    char *back = onnx_indices(w, "shape", 4, (int64_t[]){0, shape.c, shape.h, shape.w});
    x = onnx_add(w, "Reshape", dims, false, 2, (char *[]){x.name, there});
    x = elementwise(w, "Softmax", x, NULL);
    onnx_int(w, "axis", axis);
    return onnx_add(w, "Reshape", shape, false, 2, (char *[]){x.name, back});
}

static Operand export_softmax(OnnxWriter *w, const Node *node, const Operand *in) {
    const Shape s = in[0].shape;
    const int branches = node->attr.branches;
    if (node->attr.pixels) return softmax_reshaped(w, in[0], (Shape){s.c, 1, s.h * s.w}, 3);
    if (branches > 1) return softmax_reshaped(w, in[0], (Shape){branches, s.c / branches, s.h * s.w}, 1);
    Operand y = elementwise(w, node->attr.log ? "LogSoftmax" : "Softmax", in[0], NULL);
    onnx_int(w, "axis", 1);
    return y;
}

/* A scale of which engines make the size, rounding down: the product in float (ONNX Runtime) or in double (ONNX's own
 * shape inference). */
static float reaching(float scale, int from, int to) {
    while ((int)((double)scale * from) < to) scale = nextafterf(scale, INFINITY);
    return scale;
}

static Operand resize_by(OnnxWriter *w, Operand x, Shape to, const char *mode, const char *coordinates) {
    const float height = (float)to.h / (float)x.shape.h, width = (float)to.w / (float)x.shape.w;
    x = as_image(w, x);
    char *none = arena_strdup(&w->arena, ""); /* no region of interest */
    char *inputs[3] = {
        x.name, none,
        onnx_floats(w, "scales", 4,
                    (float[]){1, 1, reaching(height, x.shape.h, to.h), reaching(width, x.shape.w, to.w)})};
    Operand y = onnx_add(w, "Resize", to, false, 3, inputs);
    onnx_string(w, "mode", mode);
    if (*mode == 'n') onnx_string(w, "nearest_mode", "floor");
    onnx_string(w, "coordinate_transformation_mode", coordinates);
    return y;
}

static Operand export_upsample(OnnxWriter *w, const Node *node, const Operand *in) {
    return resize_by(w, in[0], node_unpooled_shape(node), "nearest", "asymmetric");
}

/* The nearest pixels along an axis, 2 or 3: their indices, since a scale that is no float may round to others. */
static Operand gather_pixels(OnnxWriter *w, const ResizeAxis *a, Operand x, Shape to, int axis) {
    const int count = axis == 2 ? to.h : to.w;
    int64_t *index = arena_alloc(&w->arena, sizeof *index * (size_t)count);
    for (int i = 0; i < count; i++) index[i] = (i * a->step + a->start) / a->scale;
    Operand y = onnx_add(w, "Gather", to, false, 2, (char *[]){x.name, onnx_indices(w, "pixels", count, index)});
    onnx_int(w, "axis", axis);
    return y;
}

static Operand export_resize(OnnxWriter *w, const Node *node, const Operand *in) {
    const Attr *attr = &node->attr;
    const char *coordinates = attr->align_corners ? "align_corners" : attr->asymmetric ? "asymmetric" : "half_pixel";
    const Shape from = in[0].shape, to = node_unpooled_shape(node);
    if (attr->bilinear) return resize_by(w, in[0], to, "linear", coordinates);
    const ResizeAxis rows = resize_axis(node, true), columns = resize_axis(node, false);
    Operand x = gather_pixels(w, &rows, as_image(w, in[0]), (Shape){from.c, to.h, from.w}, 2);
    return gather_pixels(w, &columns, x, to, 3);
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
    char *levels[INT_LIST_MOST];
    for (int i = 0; i < node->attr.levels.count; i++)
        levels[i] = as_flat(w, spp_level(w, x, node->attr.levels.item[i])).name;
    Operand y = onnx_add(w, "Concat", node_unpooled_shape(node), true, node->attr.levels.count, levels);
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
    [OP_MAXPOOL] = export_maxpool,
    [OP_AVGPOOL] = export_avgpool,
    [OP_CONVTRANSPOSE] = export_convtranspose,
    [OP_INTERLEAVE] = export_interleave,
    [OP_SLICE] = export_slice,
    [OP_SHUFFLE] = export_shuffle,
    [OP_PHASES] = export_phases,
    [OP_RESHAPE] = export_reshape,
    [OP_LAYERNORM] = export_layernorm,
    [OP_LRN] = export_lrn,
    [OP_SPP] = export_spp,
    [OP_QUANTIZE] = export_quantize,
    [OP_PAD] = export_pad,
    [OP_DROPOUT] = export_dropout,
    [OP_IDENTITY] = export_identity,
    [OP_FLATTEN] = export_flatten,
    [OP_SOFTMAX] = export_softmax,
    [OP_RESIZE] = export_resize,
    [OP_GROUPNORM] = export_groupnorm,
    [OP_RESPONSENORM] = export_responsenorm,
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
    x = activate(w, epilogue->act, epilogue->numbers, epilogue->prelu, x);
    if (epilogue->pool == POOL_MAX) x = max_pool(w, &epilogue->pool_window, x);
    if (epilogue->pool == POOL_GLOBAL_MAX) x = global_pool(w, "GlobalMaxPool", x);
    if (epilogue->pool == POOL_GLOBAL_AVG) x = global_pool(w, "GlobalAveragePool", x);
    return x;
}

Operand onnx_export_node(OnnxWriter *w, const Node *node) {
    const bool activation = op_info(node->op)->flags & OPF_ACTIVATION;
    const Exporter export = activation ? export_activation : exporters[node->op];
    if (!export) bug("op %s has no ONNX form", op_info(node->op)->word);
    Operand *in = arena_alloc(&w->arena, sizeof *in * (size_t)node->nin);
    for (int i = 0; i < node->nin; i++) in[i] = w->operand[node->in[i]->id];
    return export_epilogue(w, node, export(w, node, in));
}
