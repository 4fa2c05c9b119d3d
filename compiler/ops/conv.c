/* conv: out[k][y][x] = sum over terms, c, r, s of weight[k][c][r][s] * in[c][y*stride + r*dilate - top][...], zero
 * outside the image; with groups, output channel k sees the C/groups input channels of its group alone. A term has its
 * own window (a projection shortcut joins its block's last convolution as a second term); all give the same P x Q.
 *
 * The reference has to convolve ResNet-152 in seconds, so it is the definition in a friendlier order: the image is
 * copied once with its padding, the weights once with output channels innermost, and a tile of 8 pixels by 8 output
 * channels is summed in registers, over c, r, s in this order, in double.
 */
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

int conv_params(const Node *node, bool bias, ParamSpec spec[4]) {
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
#define FOR_EACH_ISA __attribute__((target_clones("avx512f", "avx2", "default")))
#endif

enum { LANES = 8, TILE = 8 };                                 /* output channels, pixels of a tile */
typedef double Lanes __attribute__((vector_size(LANES * 8))); /* one pixel's LANES output channels */

typedef struct ConvPlan { /* one term, one group */
    const double *in;     /* C/groups x height x width: the image with its padding */
    int channels, height, width;
    const Lanes *weight; /* [K/groups / LANES, rounded up][C/groups][R][S], output channels beyond K/groups zero */
    Window window;
} ConvPlan;

/* sum[t] = the 8 output channels at the pixels (y, x+t), t = 0..TILE-1, of the block whose weights are given. */
FOR_EACH_ISA
static void conv_tile(const ConvPlan *plan, const Lanes *weight, int y, int x, Lanes sum[TILE]) {
    const Window *window = &plan->window;
    Lanes total[TILE] = {{0}};
    for (int c = 0; c < plan->channels; c++)
        for (int r = 0; r < window->r; r++) {
            const double *row =
                plan->in + ((size_t)c * plan->height + y * window->stride_h + r * window->dilate_h) * plan->width;
            for (int s = 0; s < window->s; s++) {
                Lanes w = *weight++;
                const double *pixel = row + (size_t)x * window->stride_w + s * window->dilate_w;
                for (int t = 0; t < TILE; t++) total[t] += w * pixel[(size_t)t * window->stride_w];
            }
        }
    memcpy(sum, total, sizeof total);
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
    if (!padded) bug("out of memory");
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
    if (!lanes) bug("out of memory");
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
    size_t size = (size_t)channels * term->window.r * term->window.s;
    int height, width;
    double *padded = pad_image(term, in, image, result.w, &height, &width);
    Lanes *lanes = transpose_weights(rule_weight(node, weights, term->weight), groups, features, size);
#pragma omp parallel for collapse(2) schedule(dynamic, 4) num_threads(threads)
    for (int block = 0; block < groups * blocks; block++)
        for (int y = 0; y < result.h; y++) {
            int group = block / blocks, first = block % blocks * LANES; /* first feature within the group */
            ConvPlan plan = {.in = padded + (size_t)group * channels * height * width,
                             .channels = channels,
                             .height = height,
                             .width = width,
                             .window = term->window};
            for (int x = 0; x < result.w; x += TILE) {
                Lanes sum[TILE];
                conv_tile(&plan, lanes + (size_t)block * size, y, x, sum);
                for (int k = 0; k < LANES && first + k < features; k++) {
                    double *row = out + ((size_t)(group * features + first + k) * result.h + y) * result.w;
                    for (int t = 0; t < TILE && x + t < result.w; t++) row[x + t] += sum[t][k];
                }
            }
        }
    free(padded);
    free(lanes);
}

void conv_reference(const Node *node, const double *const *in, double *out, const TensorData *weights, int threads) {
    memset(out, 0, sizeof(double) * (size_t)shape_size(node_unpooled_shape(node)));
    for (int i = 0; i < node->nin; i++)
        conv_term(node, &node->term[i], node->in[i]->shape, in[i], out, weights, threads);
}
