/* convtranspose: each input pixel adds weight * pixel to a window of the result, whose windows lie a stride apart:
 *
 *     out[k][i * stride + r - top][...] += weight[c][k][r][s] * in[c][i][...]       (PyTorch's ConvTranspose2d)
 *
 * The result has (H - 1) * stride + R - top - bottom + extra rows; those that no window reaches are 0. Weights are
 * C x K/groups x R x S.
 *
 * Row y + top = q * stride + f of the result, of phase f, is the sum of in[q - j] * weight[f + j * stride] over j: a
 * convolution at stride 1 for each phase (Shi et al. 2016, "Is the deconvolution layer the same as a convolutional
 * layer?").
 */
#include "graph/tensor.h"
#include "rules.h"

#include <limits.h>
#include <string.h>

static bool check_numbers(const Node *node, Diag *diag, const Window *w) {
    const Attr *attr = &node->attr;
    int p, q;
    const Shape reach = {1, (w->r - 1) * w->dilate_h + 1,
                         (w->s - 1) * w->dilate_w + 1}; /* any kernel fits an image of its size */
    if ((!node->backward && (w->dilate_h != 1 || w->dilate_w != 1)) || w->ceil)
        return rule_error(node, diag, "it has neither dilation nor ceil");
    if (!rule_window(node, diag, w, reach, &p, &q)) return false;
    if (attr->extra_rows < 0 || attr->extra_columns < 0 || attr->extra_rows >= w->stride_h ||
        attr->extra_columns >= w->stride_w)
        return rule_error(node, diag, "output_pad %dx%d: must be smaller than the stride, %dx%d", attr->extra_rows,
                          attr->extra_columns, w->stride_h, w->stride_w);
    return true;
}

bool convtranspose_infer(Node *node, Diag *diag) {
    const Term *term = &node->term[0];
    const Window *w = &term->window;
    const Shape in = node->in[0]->shape;
    if (node->features < 1) return rule_error(node, diag, "%d output channels: must be 1 or more", node->features);
    if (term->groups < 1) return rule_error(node, diag, "groups %d: must be 1 or more", term->groups);
    if (in.c % term->groups)
        return rule_error(node, diag, "groups %d does not divide %d input channels", term->groups, in.c);
    if (node->features % term->groups)
        return rule_error(node, diag, "groups %d does not divide %d output channels", term->groups, node->features);
    if (!check_numbers(node, diag, w)) return false;
    const double phases = (double)node->features * w->stride_h * w->stride_w;
    const double elements =
        phases * (in.c / term->groups) * (divide_up(w->r, w->stride_h) * divide_up(w->s, w->stride_w));
    if (elements > INT_MAX && !node->backward) /* a gradient has its convolution's, and no phases are made of it */
        return rule_error(node, diag, "%.3g weights exceed the limit of 2^31", elements);
    return rule_set_shape(node, diag, node->features,
                          (int64_t)(in.h - 1) * w->stride_h + (int64_t)(w->r - 1) * w->dilate_h + 1 - w->top -
                              w->bottom + node->attr.extra_rows,
                          (int64_t)(in.w - 1) * w->stride_w + (int64_t)(w->s - 1) * w->dilate_w + 1 - w->left -
                              w->right + node->attr.extra_columns);
}

int convtranspose_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    const Term *term = &node->term[0];
    spec[0] = (ParamSpec){
        "weight", WEIGHT, 4, {node->in[0]->shape.c, node->features / term->groups, term->window.r, term->window.s}};
    if (bias) spec[1] = (ParamSpec){"bias", BIAS, 1, {node->features}};
    return bias ? 2 : 1;
}

int64_t convtranspose_cost(const Node *node) {
    const Term *term = &node->term[0];
    return shape_size(node->in[0]->shape) * (node->features / term->groups) * term->window.r * term->window.s;
}

Moments convtranspose_moments(const Node *node, const Moments *in, double *carried) {
    return rule_terms_moments(node, in, carried);
}

/* Adds the window of input pixel (y, x), a plane of the kernel at `weight`, to a plane of the result. */
static void add_window(const Window *w, Shape result, double pixel, const float *weight, int y, int x, double *out) {
    const int top = y * w->stride_h - w->top, left = x * w->stride_w - w->left;
    for (int r = 0; r < w->r; r++)
        for (int s = 0; s < w->s; s++) {
            const int row = top + r * w->dilate_h, column = left + s * w->dilate_w;
            if (row >= 0 && row < result.h && column >= 0 && column < result.w)
                out[(size_t)row * result.w + column] += pixel * weight[r * w->s + s];
        }
}

void convtranspose_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,
                             int threads) {
    const Term *term = &node->term[0];
    const Window *w = &term->window;
    const Shape shape = node->in[0]->shape, result = node_unpooled_shape(node);
    const float *weight = rule_weight(node, weights, term->weight);
    const int features = result.c / term->groups, channels = shape.c / term->groups;
    const size_t plane = (size_t)result.h * result.w;
    memset(out, 0, sizeof *out * plane * (size_t)result.c);
#pragma omp parallel for num_threads(threads)
    for (int k = 0; k < result.c; k++)
        for (int i = 0; i < channels; i++) {
            const int c = k / features * channels + i;
            const float *kernel = weight + ((size_t)c * features + k % features) * w->r * w->s;
            for (int y = 0; y < shape.h; y++)
                for (int x = 0; x < shape.w; x++)
                    add_window(w, result, in[0][((size_t)c * shape.h + y) * shape.w + x], kernel, y, x,
                               out + k * plane);
        }
}

/* Along one dimension: positions of the convolution, of which the first is result pixel `crop` before the result. */
static void phases_along(int size, int kernel, int stride, int before, int out, int *taps, int *pad_before,
                         int *pad_after, int *positions, int *crop) {
    *taps = divide_up(kernel, stride);
    int first = before / stride, last = (before + out - 1) / stride;
    if (first > *taps - 1) first = *taps - 1; /* an image that is cropped: the first position has no padding */
    if (last < size - 1) last = size - 1;
    *pad_before = *taps - 1 - first;
    *pad_after = last - (size - 1);
    *positions = last - first + 1;
    *crop = before - first * stride;
}

Phases convtranspose_phases(const Node *node) {
    const Window *w = &node->term[0].window;
    const Shape in = node->in[0]->shape, out = node_unpooled_shape(node);
    Phases p = {.window = window_unit()};
    phases_along(in.h, w->r, w->stride_h, w->top, out.h, &p.window.r, &p.window.top, &p.window.bottom, &p.shape.h,
                 &p.top);
    phases_along(in.w, w->s, w->stride_w, w->left, out.w, &p.window.s, &p.window.left, &p.window.right, &p.shape.w,
                 &p.left);
    p.shape.c = node->features * w->stride_h * w->stride_w;
    return p;
}

/* Of the input: the convolution with the same weights; of the weights: those of that convolution, which reads dy. */
bool convtranspose_gradient(Gradients *g, const Node *node, Value *dy) {
    Value *x = node->in[0];
    const Term *term = &node->term[0];
    if (gradients_want(g, x)) {
        Node *data = gradients_node(g, node, "data", OP_CONV, &dy, 1);
        data->term[0] = *term;
        data->features = x->shape.c;
        gradients_add(g, x, gradients_done(g, data));
    }
    if (gradients_train(g, term->weight)) {
        Node *weights = gradients_node(g, node, "weights", OP_CONV_WEIGHTS, (Value *[]){dy, x}, 2);
        weights->attr.window = term->window;
        weights->attr.groups = term->groups;
        if (!gradients_param(g, node, term->weight, gradients_done(g, weights), 0)) return false;
    }
    return gradients_bias(g, node, node->epilogue.bias, dy);
}
