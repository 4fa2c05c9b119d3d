/* conv: out[k][y][x] = sum over terms, c, r, s of weight[k][c][r][s] * in[c][y*stride + r*dilate - top][...], zero
 * outside the image; with groups, output channel k sees the C/groups input channels of its group alone. A term has its
 * own window (a projection shortcut joins its block's last convolution as a second term); all give the same P x Q.
 *
 * The reference has to convolve ResNet-152 in seconds, so it is the definition in a friendlier order: the image is
 * copied once with its padding, the weights once with output channels innermost, and a tile of 7 pixels by 4 output
 * channels is summed in registers, over c, r, s in this order, in double.
 */
#include "graph/tensor.h"
#include "rules.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

bool conv_infer(Node *node, Diag *diag) {
    if (node->features < 1) return rule_error(node, diag, "%d output channels: must be 1 or more", node->features);
    if (node->nin > NODE_MAX_TERMS) return rule_error(node, diag, "%d inputs are too many", node->nin);
    int p = 0, q = 0;
    for (int i = 0; i < node->nin; i++) {
        const Term *term = &node->term[i];
        Shape in = node->in[i]->shape;
        if (term->groups < 1) return rule_error(node, diag, "groups %d: must be 1 or more", term->groups);
        if (in.c % term->groups)
            return rule_error(node, diag, "groups %d does not divide %d input channels", term->groups, in.c);
        if (node->features % term->groups)
            return rule_error(node, diag, "groups %d does not divide %d output channels", term->groups, node->features);
        int rows, columns;
        if (!rule_window(node, diag, &term->window, in, &rows, &columns)) return false;
        double elements = (double)node->features * (in.c / term->groups) * term->window.r * term->window.s;
        if (elements > INT_MAX) return rule_error(node, diag, "%.3g weights exceed the limit of 2^31", elements);
        if (i > 0 && (rows != p || columns != q))
            return rule_error(node, diag, "its terms differ in size: %dx%d and %dx%d", p, q, rows, columns);
        p = rows, q = columns;
    }
    return rule_set_shape(node, diag, node->features, p, q);
}

int conv_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {
    const Term *term = &node->term[0];
    spec[0] = (ParamSpec){
        "weight", WEIGHT, 4, {node->features, node->in[0]->shape.c / term->groups, term->window.r, term->window.s}};
    if (bias) spec[1] = (ParamSpec){"bias", BIAS, 1, {node->features}};
    return bias ? 2 : 1;
}

int64_t conv_cost(const Node *node) {
    Shape out = node_unpooled_shape(node);
    int64_t cost = 0;
    for (int i = 0; i < node->nin; i++) {
        const Term *term = &node->term[i];
        cost += shape_size(out) * (node->in[i]->shape.c / term->groups) * term->window.r * term->window.s;
    }
    return cost;
}

/* ---- reference ---- */

/* Sanitizers run before the resolvers of cloned functions can, so there the baseline code runs. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define RNC_NO_CLONES
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
#define RNC_NO_CLONES
#endif
#ifdef RNC_NO_CLONES
#define FOR_EACH_ISA
#else
#define FOR_EACH_ISA __attribute__((target_clones("avx2", "default")))
#endif

enum { LANES = 4, TILE = 7 };                                 /* output channels, pixels of a tile */
typedef double Lanes __attribute__((vector_size(LANES * 8))); /* one pixel's LANES output channels */

/* sum[t] = LANES output channels at pixel t of TILE neighbours. The taps (c, r, s) of the kernel lie offset[i] behind
 * the first pixel's corner in the padded image; weight[i] is a tap's weight for each of these channels. */
FOR_EACH_ISA
static void conv_tile(const double *corner, int stride, const ptrdiff_t *offset, const Lanes *weight, size_t taps,
                      Lanes sum[TILE]) {
    Lanes total[TILE] = {{0}};
    for (size_t i = 0; i < taps; i++) {
        const double *pixel = corner + offset[i];
#pragma GCC unroll 7 /* keeps the sums in registers */
        for (int t = 0; t < TILE; t++) total[t] += weight[i] * pixel[t * (ptrdiff_t)stride];
    }
    memcpy(sum, total, sizeof total);
}

/* Where the taps of one group's kernel lie in a padded image of height x width, in the weights' order. */
static ptrdiff_t *tap_offsets(const Window *window, int channels, int height, int width) {
    ptrdiff_t *offset = malloc(sizeof *offset * (size_t)channels * (size_t)window->r * (size_t)window->s),
              *next = offset;
    if (!offset) out_of_memory();
    for (int c = 0; c < channels; c++)
        for (int r = 0; r < window->r; r++)
            for (int s = 0; s < window->s; s++)
                *next++ = ((ptrdiff_t)c * height + r * window->dilate_h) * width + s * window->dilate_w;
    return offset;
}

/* The image with zeros around it; also to the right, where the last tile of a row reaches beyond the row. */
static double *pad_image(const Term *term, Shape in, const double *image, int q, int *height, int *width) {
    const Window *window = &term->window;
    int tiles = (q + TILE - 1) / TILE * TILE;
    int reach = (tiles - 1) * window->stride_w + (window->s - 1) * window->dilate_w + 1;
    *height = in.h + window->top + window->bottom;
    *width = in.w + window->left + window->right;
    if (*width < reach) *width = reach;
    double *padded = calloc((size_t)in.c * *height * *width, sizeof *padded);
    if (!padded) out_of_memory();
    for (int c = 0; c < in.c; c++)
        for (int y = 0; y < in.h; y++)
            memcpy(padded + ((size_t)c * *height + y + window->top) * *width + window->left,
                   image + ((size_t)c * in.h + y) * in.w, sizeof(double) * (size_t)in.w);
    return padded;
}

/* K x C/groups x R x S floats -> per group and block of LANES output channels [C/groups][R][S] of Lanes. */
static Lanes *transpose_weights(const float *weight, int groups, int features, size_t size) {
    int blocks = (features + LANES - 1) / LANES;
    size_t bytes = sizeof(Lanes) * groups * blocks * size;
    Lanes *lanes = aligned_alloc(sizeof(Lanes), bytes);
    if (!lanes) out_of_memory();
    memset(lanes, 0, bytes);
    for (int g = 0; g < groups; g++)
        for (int k = 0; k < features; k++) {
            const float *from = weight + ((size_t)g * features + k) * size;
            Lanes *to = lanes + ((size_t)g * blocks + k / LANES) * size;
            for (size_t i = 0; i < size; i++) to[i][k % LANES] = from[i];
        }
    return lanes;
}

/* out += weight * in of one term */
static void conv_term(const Node *node, const Term *term, Shape in, const double *image, double *out,
                      const TensorData *weights, int threads) {
    Shape result = node_unpooled_shape(node);
    int groups = term->groups, features = node->features / groups, channels = in.c / groups;
    int blocks = (features + LANES - 1) / LANES;
    size_t taps = (size_t)channels * term->window.r * term->window.s;
    int height, width;
    double *padded = pad_image(term, in, image, result.w, &height, &width);
    Lanes *lanes = transpose_weights(rule_weight(node, weights, term->weight), groups, features, taps);
    ptrdiff_t *offset = tap_offsets(&term->window, channels, height, width);
#pragma omp parallel for collapse(2) schedule(dynamic, 4) num_threads(threads)
    for (int block = 0; block < groups * blocks; block++)
        for (int y = 0; y < result.h; y++) {
            int group = block / blocks, first = block % blocks * LANES; /* first feature within the group */
            const double *row = padded + ((size_t)group * channels * height + y * term->window.stride_h) * width;
            for (int x = 0; x < result.w; x += TILE) {
                Lanes sum[TILE];
                conv_tile(row + (size_t)x * term->window.stride_w, term->window.stride_w, offset, lanes + block * taps,
                          taps, sum);
                for (int k = 0; k < LANES && first + k < features; k++) {
                    double *to = out + ((size_t)(group * features + first + k) * result.h + y) * result.w + x;
                    for (int t = 0; t < TILE && x + t < result.w; t++) to[t] += sum[t][k];
                }
            }
        }
    free(offset);
    free(padded);
    free(lanes);
}

Moments conv_moments(const Node *node, const Moments *in, double *carried) {
    return rule_terms_moments(node, in, carried);
}

void conv_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    memset(out, 0, sizeof(double) * (size_t)shape_size(node_unpooled_shape(node)));
    for (int i = 0; i < node->nin; i++)
        conv_term(node, &node->term[i], node->in[i]->shape, in[i], out, weights, threads);
}

/* Of the input: the transposed convolution with the same weights; of the weights: .conv_weights (Dumoulin and Visin
 * 2016, "A guide to convolution arithmetic for deep learning", chapter 4). */
bool conv_gradient(Gradients *g, const Node *node, Value *dy) {
    Value *x = node->in[0];
    const Term *term = &node->term[0];
    const Window *w = &term->window;
    if (gradients_want(g, x)) {
        Node *data = gradients_node(g, node, "data", OP_CONVTRANSPOSE, &dy, 1);
        data->term[0] = *term;
        data->features = x->shape.c;
        data->attr.extra_rows =
            x->shape.h + w->top + w->bottom - (w->r - 1) * w->dilate_h - 1 - (dy->shape.h - 1) * w->stride_h;
        data->attr.extra_columns =
            x->shape.w + w->left + w->right - (w->s - 1) * w->dilate_w - 1 - (dy->shape.w - 1) * w->stride_w;
        gradients_add(g, x, gradients_done(g, data));
    }
    if (gradients_train(g, term->weight)) {
        Node *weights = gradients_node(g, node, "weights", OP_CONV_WEIGHTS, (Value *[]){x, dy}, 2);
        weights->attr.window = *w;
        weights->attr.groups = term->groups;
        if (!gradients_param(g, node, term->weight, gradients_done(g, weights), 0)) return false;
    }
    return gradients_bias(g, node, node->epilogue.bias, dy);
}
