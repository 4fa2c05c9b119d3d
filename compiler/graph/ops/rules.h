/* For the files in ops/ and ops.c alone: the functions that each op's file defines, and what their rules share. */
#ifndef RNC_OPS_RULES_H
#define RNC_OPS_RULES_H

#include "graph/gradients.h"
#include "graph/tensor.h"
#include "graph/ops.h"

/* Declared from the table, so that a function that does not fit its row is a compile error. */
#define OP(name, word, low, high, flags, attributes, prefix)                                                           \
    bool prefix##_infer(Node *node, Diag *diag);                                                                       \
    int prefix##_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]);                                \
    int64_t prefix##_cost(const Node *node);                                                                           \
    void prefix##_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,         \
                            int threads);                                                                              \
    Moments prefix##_moments(const Node *node, const Moments *in, double *carried);                                    \
    bool prefix##_gradient(Gradients *g, const Node *node, Value *dy);
#define TRAIN_OP(name, word, low, high, flags, attributes, prefix)                                                     \
    bool prefix##_infer(Node *node, Diag *diag);                                                                       \
    int prefix##_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]);                                \
    int64_t prefix##_cost(const Node *node);                                                                           \
    void prefix##_reference(const Node *node, const double *const *in, double *out, const TensorData *weights,         \
                            int threads);
#define BATCH_OP(name, word, low, high, flags, attributes, prefix)                                                     \
    bool prefix##_infer(Node *node, Diag *diag);                                                                       \
    int prefix##_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]);                                \
    int64_t prefix##_cost(const Node *node);                                                                           \
    void prefix##_reduce(const Node *node, const double *const *in, int images, double *out);
#define FORWARD_OP(name, word, low, high, flags, attributes, prefix)                                                   \
    TRAIN_OP(name, word, low, high, flags, attributes, prefix)                                                         \
    bool prefix##_gradient(Gradients *g, const Node *node, Value *dy);
#include "graph/ops.def"
#include "graph/train_ops.def"
#undef OP
#undef TRAIN_OP
#undef BATCH_OP

enum { RULE_WINDOW_LIMIT = 65535 }; /* on a window's numbers: their products stay far from overflow */

/* An error at the layer's place, "conv: ...". Returns false. Without a diag the graph was promised to be right: bug().
 */
bool rule_error(const Node *node, Diag *diag, const char *format, ...) PRINTF_LIKE(3, 4);
/* The end of every infer: c x h x w is the op's own result; applies the epilogue's pool and the limit on sizes. */
bool rule_set_shape(Node *node, Diag *diag, int64_t c, int64_t h, int64_t w);
/* Output rows p and columns q of a window that slides over `in`; false after an error. */
bool rule_window(const Node *node, Diag *diag, const Window *window, Shape in, int *p, int *q);
/* A pool's windows must each see a pixel of the image: a maximum of nothing has no value. */
bool rule_window_covers(const Node *node, Diag *diag, const Window *window, Shape in, int p, int q);
/* The evaluated elements of a tensor; a missing one is our own mistake. */
const float *rule_weight(const Node *node, const TensorData *weights, const Tensor *tensor);
/* The moments of a sum of terms. */
Moments rule_terms_moments(const Node *node, const Moments *in, double *carried);
/* Max-pool by the definition; the op's, and the interpreter's for an epilogue. */
void reference_maxpool(const Window *window, Shape in, const double *image, Shape result, double *out);

/* Of a BATCH_OP: whether its first `count` inputs are of each image. */
bool rule_of_images(const Node *node, Diag *diag, int count);
/* Whether the first `count` inputs have one shape. */
bool rule_same_shapes(const Node *node, Diag *diag, int count);
/* Whether `stats` are a .stats of `value`; false after an error. */
bool rule_fits_stats(const Node *node, Diag *diag, const Value *value, const Value *stats);
/* Of the loss and its gradient: whether their inputs are logits and labels; the target of class k; the logarithm of the
 * sum of the logits' exponentials. */
bool rule_fits_labels(const Node *node, Diag *diag);
double rule_target(const Node *node, const double *labels, int k);
double rule_log_sum(Shape shape, const double *logits);

/* Of a sum or product: the element of the second value that is beside element i of the first, of so many pixels. */
static inline int64_t rule_beside(Broadcast broadcast, int64_t i, int64_t pixels) {
    return broadcast == BROADCAST_EQUAL      ? i
           : broadcast == BROADCAST_CHANNELS ? i / pixels
           : broadcast == BROADCAST_PIXELS   ? i % pixels
                                             : 0;
}
/* The gradient of the second value from what it is beside, `dy`, or dy * x: the sum over what reads it. */
void rule_broadcast_gradient(Gradients *g, const Node *node, Value *dy, Value *x);
/* Of layer norms and group norms: what x is normalised by, (x - mean) * scale; of the pixel of an image, of `size`
 * numbers of a group. Whether the groups divide the channels. */
typedef struct Normal {
    double mean, scale;
} Normal;
Normal rule_layer_normal(const double *x, Shape shape, int64_t pixel, double eps);
Normal rule_group_normal(const double *x, int64_t size, double eps);
bool rule_fits_groups(const Node *node, Diag *diag);
/* Of response norms: the root of the sum of squares of a channel's pixels; 1 / (their mean over the channels + eps). */
double rule_response(const double *x, int64_t pixels);
double rule_response_scale(const double *x, Shape shape, double eps);
/* Of pad: where the image's row or column at place `at` of the result, counted from the image's first, comes from; -1:
 * from nowhere. */
int64_t rule_pad_place(const Attr *attr, int64_t at, int size);
/* Of softmax: each of `all` is over `count` numbers, `step` apart; `next` after the one before it begins the next. */
typedef struct SoftmaxOf {
    int64_t count, step, all, next;
} SoftmaxOf;
SoftmaxOf rule_softmax_of(const Node *node);
bool rule_fits_softmax(const Node *node, Diag *diag);
/* Of spp: how many bins a channel has, 0 after an error; bin i of n along a side. */
typedef struct SppBin {
    int begin, end;
} SppBin;
int64_t rule_spp_bins(const Node *node, Diag *diag);
SppBin rule_spp_bin(int size, int n, int i);
/* Of resize: whether the sizes and the way are possible; where result i reads along an axis of `size` pixels. */
typedef struct ResizeAt {
    int pixel, next; /* as held within the image */
    double share;    /* of the next */
} ResizeAt;
bool rule_fits_resize(const Node *node, Diag *diag);
ResizeAt rule_resize_at(ResizeAxis axis, int i, int size);

/* For the many ops that read no parameters, and those that cost no multiply-adds. */
#define RULE_NO_PARAMS(prefix)                                                                                         \
    int prefix##_params(const Node *node, bool bias, ParamSpec spec[NODE_MAX_WEIGHTS]) {                               \
        (void)node, (void)bias, (void)spec;                                                                            \
        return 0;                                                                                                      \
    }
#define RULE_NO_COST(prefix)                                                                                           \
    int64_t prefix##_cost(const Node *node) {                                                                          \
        (void)node;                                                                                                    \
        return 0;                                                                                                      \
    }
/* For those that move numbers, or leave them about as large as they were. */
#define RULE_KEEPS_MOMENTS(prefix)                                                                                     \
    Moments prefix##_moments(const Node *node, const Moments *in, double *carried) {                                   \
        (void)node;                                                                                                    \
        *carried = 1;                                                                                                  \
        return in[0];                                                                                                  \
    }
/* For those that training has no use for: passes make them, or nobody has wanted to train them. */
#define RULE_NO_GRADIENT(prefix)                                                                                       \
    bool prefix##_gradient(Gradients *g, const Node *node, Value *dy) {                                                \
        (void)dy;                                                                                                      \
        return gradients_none(g, node);                                                                                \
    }

#endif
