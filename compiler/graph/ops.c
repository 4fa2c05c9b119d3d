/* The table of operations, expanded from ops.def, and what ops share: the end of every shape rule. */
#include "tensor.h"
#include "ops.h"
#include "graph/ops/rules.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

const OpInfo op_table[OP_END] = {
#define ROW(name, word_, low, high, flags_, attributes, prefix)                                                        \
    .word = #word_, .id = #name, .min_in = low, .max_in = high, .flags = flags_, .attrs = attributes,                  \
    .infer = prefix##_infer, .params = prefix##_params, .cost = prefix##_cost
#define OP(name, word, low, high, flags, attributes, prefix)                                                           \
    [OP_##name] = {ROW(name, word, low, high, flags, attributes, prefix), .reference = prefix##_reference,             \
                   .moments = prefix##_moments, .gradient = prefix##_gradient},
#define TRAIN_OP(name, word, low, high, flags, attributes, prefix)                                                     \
    [OP_##name] = {ROW(name, word, low, high, (flags) | OPF_TRAINING, attributes, prefix),                             \
                   .reference = prefix##_reference},
#define BATCH_OP(name, word, low, high, flags, attributes, prefix)                                                     \
    [OP_##name] = {ROW(name, word, low, high, (flags) | OPF_TRAINING | OPF_BATCH, attributes, prefix),                 \
                   .reduce = prefix##_reduce},
#define FORWARD_OP(name, word, low, high, flags, attributes, prefix)                                                   \
    [OP_##name] = {ROW(name, word, low, high, (flags) | OPF_TRAINING, attributes, prefix),                             \
                   .reference = prefix##_reference, .gradient = prefix##_gradient},
#include "ops.def"
#include "train_ops.def"
#undef OP
#undef TRAIN_OP
#undef BATCH_OP
};

Op op_by_word(const char *word) {
    for (int i = 0; i < OP_END; i++)
        if (i != OP_COUNT && !strcmp(op_table[i].word, word)) return (Op)i;
    return OP_COUNT;
}

Broadcast broadcast_of(Shape first, Shape second) {
    if (shape_equal(first, second)) return BROADCAST_EQUAL;
    if (shape_equal((Shape){first.c, 1, 1}, second)) return BROADCAST_CHANNELS;
    if (shape_equal((Shape){1, first.h, first.w}, second)) return BROADCAST_PIXELS;
    return shape_size(second) == 1 ? BROADCAST_IMAGE : BROADCAST_NONE;
}

Broadcast node_broadcast(const Node *node) {
    return node->attr.fill ? BROADCAST_EQUAL : broadcast_of(node->in[0]->shape, node->in[1]->shape);
}

Tensor **node_weight(Node *node, int slot) {
    if (!node->term) return &node->weight[slot];
    return slot == WEIGHT ? &node->term[0].weight : &node->epilogue.bias;
}

Shape node_unpooled_shape(const Node *node) {
    return node->epilogue.pool == POOL_NONE ? node->out->shape : node->epilogue.unpooled;
}

bool window_is_disjoint(const Window *w) {
    return w->r == w->stride_h && w->s == w->stride_w && w->dilate_h == 1 && w->dilate_w == 1 && !w->top && !w->left &&
           !w->bottom && !w->right;
}

Shape node_walked_shape(const Node *node) {
    Shape shape = node_unpooled_shape(node);
    const Window *w = &node->epilogue.pool_window;
    if (node->epilogue.pool != POOL_MAX || !window_is_disjoint(w)) return shape;
    const int h = node->out->shape.h * w->r, columns = node->out->shape.w * w->s;
    if (h < shape.h) shape.h = h;
    if (columns < shape.w) shape.w = columns;
    return shape;
}

bool node_is_of_batch(const Node *node) {
    if (op_info(node->op)->flags & OPF_BATCH) return true;
    for (int i = 0; i < node->nin; i++)
        if (!node->in[i]->all) return false;
    return node->nin > 0;
}

int64_t node_cost(const Node *node) {
    return op_info(node->op)->cost(node);
}

/* ---- shared by the files in ops/ ---- */

bool rule_error(const Node *node, Diag *diag, const char *format, ...) {
    Text text = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    const char *word = op_info(node->op)->word;
    if (*word == '.') word++;
    if (!diag) bug("layer %s: %s: %s", node->name ? node->name : "", word, text.s);
    diag_error(diag, node->place, "%s: %s", word, text.s);
    text_free(&text);
    return false;
}

/* The shape after the epilogue's pool, of an op whose own result is `shape`. */
static bool pooled_shape(const Node *node, Diag *diag, Shape shape, Shape *out) {
    *out = shape;
    if (pool_is_global(&node->epilogue)) *out = (Shape){shape.c, 1, 1};
    if (node->epilogue.pool != POOL_MAX) return true;
    return rule_window(node, diag, &node->epilogue.pool_window, shape, &out->h, &out->w) &&
           rule_window_covers(node, diag, &node->epilogue.pool_window, shape, out->h, out->w);
}

bool rule_set_shape(Node *node, Diag *diag, int64_t c, int64_t h, int64_t w) {
    if (c <= 0 || h <= 0 || w <= 0)
        return rule_error(node, diag, "the result would be %" PRId64 "x%" PRId64 "x%" PRId64, c, h, w);
    if (c > INT_MAX || h > INT_MAX || w > INT_MAX || c > INT_MAX / h || c * h > INT_MAX / w)
        return rule_error(
            node, diag, "the result, %" PRId64 "x%" PRId64 "x%" PRId64 ", exceeds the limit of 2^31 elements", c, h, w);
    Shape shape = {(int)c, (int)h, (int)w};
    if (node->epilogue.pool != POOL_NONE) node->epilogue.unpooled = shape;
    node->out->all = node_is_of_batch(node);
    return pooled_shape(node, diag, shape, &node->out->shape);
}

bool rule_window(const Node *node, Diag *diag, const Window *window, Shape in, int *p, int *q) {
    if (window->r < 1 || window->s < 1)
        return rule_error(node, diag, "a kernel of %dx%d is not possible", window->r, window->s);
    if (window->stride_h < 1 || window->stride_w < 1)
        return rule_error(node, diag, "stride %dx%d: must be 1 or more", window->stride_h, window->stride_w);
    if (window->dilate_h < 1 || window->dilate_w < 1)
        return rule_error(node, diag, "dilate %dx%d: must be 1 or more", window->dilate_h, window->dilate_w);
    if (window->top < 0 || window->left < 0 || window->bottom < 0 || window->right < 0)
        return rule_error(node, diag, "a padding of %d,%d,%d,%d is negative", window->top, window->left, window->bottom,
                          window->right);
    const int numbers[] = {window->r,        window->s,   window->stride_h, window->stride_w, window->dilate_h,
                           window->dilate_w, window->top, window->left,     window->bottom,   window->right};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] > RULE_WINDOW_LIMIT)
            return rule_error(node, diag, "%d exceeds the limit of %d on kernel, stride, dilate and pad", numbers[i],
                              RULE_WINDOW_LIMIT);
    *p = window_out(in.h, window->r, window->stride_h, window->dilate_h, window->top, window->bottom, window->ceil);
    *q = window_out(in.w, window->s, window->stride_w, window->dilate_w, window->left, window->right, window->ceil);
    if (*p > 0 && *q > 0) return true;
    Text pad = {0}, dilate = {0};
    if (window->top == window->left && window->top == window->bottom && window->top == window->right)
        text_printf(&pad, "%d", window->top);
    else
        text_printf(&pad, "%d,%d,%d,%d (top, left, bottom, right)", window->top, window->left, window->bottom,
                    window->right);
    if (window->dilate_h > 1 || window->dilate_w > 1)
        text_printf(&dilate, " dilated by %dx%d", window->dilate_h, window->dilate_w);
    rule_error(node, diag, "kernel %dx%d%s does not fit a %dx%d input with pad %s", window->r, window->s,
               dilate.s ? dilate.s : "", in.h, in.w, pad.s);
    text_free(&pad);
    text_free(&dilate);
    return false;
}

/* Whether each of `out` windows along one dimension has a position inside 0..size-1. One that starts inside has; those
 * that start before are few; only the last can start behind. */
static bool windows_cover(int size, int kernel, int stride, int dilate, int pad, int out) {
    if ((int64_t)(out - 1) * stride - pad >= size) return false;
    for (int o = 0; o < out && (int64_t)o * stride < pad; o++) {
        int before = pad - o * stride, skip = (before + dilate - 1) / dilate; /* positions before the image */
        if (skip >= kernel || (int64_t)skip * dilate - before >= size) return false;
    }
    return true;
}

bool rule_window_covers(const Node *node, Diag *diag, const Window *window, Shape in, int p, int q) {
    if (windows_cover(in.h, window->r, window->stride_h, window->dilate_h, window->top, p) &&
        windows_cover(in.w, window->s, window->stride_w, window->dilate_w, window->left, q))
        return true;
    return rule_error(node, diag, "with kernel %dx%d and pad %d,%d,%d,%d some windows lie wholly in the padding",
                      window->r, window->s, window->top, window->left, window->bottom, window->right);
}

bool rule_of_images(const Node *node, Diag *diag, int count) {
    for (int i = 0; i < count; i++)
        if (node->in[i]->all) return rule_error(node, diag, "its input %d is one for the batch", i + 1);
    return true;
}

bool rule_same_shapes(const Node *node, Diag *diag, int count) {
    for (int i = 1; i < count; i++)
        if (!shape_equal(node->in[i]->shape, node->in[0]->shape))
            return rule_error(node, diag, "its inputs differ in size");
    return true;
}

const float *rule_weight(const Node *node, const TensorData *weights, const Tensor *tensor) {
    if (!tensor) bug("layer %s has no weight tensor where it needs one", node->name);
    if (!weights || tensor->id >= weights->count || !weights->data[tensor->id])
        bug("layer %s: tensor %s was not evaluated", node->name, tensor->name ? tensor->name : "");
    return weights->data[tensor->id];
}

/* Of several, the first is a block's last convolution, the others are its projected shortcut. */
/* In a wide layer an error grows as numbers do. In a narrow one it may find the few channels that grow more: over
 * layers of n channels the logarithm of what is left of a vector varies by their 1/n (Hanin and Nica 2019, "Products of
 * many large random matrices and gradients in deep neural networks"). */
static double narrow(const Value *in) {
    return 1 + 1.0 / in->shape.c;
}

Moments rule_terms_moments(const Node *node, const Moments *in, double *carried) {
    const Moments first = moments_product(in[0], node->term[0].weight, &carried[0]);
    Moments shortcut = {0};
    for (int i = 1; i < node->nin; i++)
        shortcut = moments_sum(shortcut, moments_product(in[i], node->term[i].weight, &carried[i]));
    for (int i = 0; i < node->nin; i++) carried[i] *= narrow(node->in[i]);
    if (node->nin == 1) return first;
    double branch;
    const Moments sum = moments_residual(first, shortcut, &branch);
    carried[0] *= branch;
    return sum;
}
