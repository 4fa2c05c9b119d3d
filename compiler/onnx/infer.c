/* The shapes of results: what the operators' definitions say (onnx.ai/onnx/operators), from operator set 6 on. */
#include "operators.h"

#include <math.h>
#include <string.h>

bool onnx_problem(OnnxModel *model, OnnxNode *node, const char *format, ...) {
    Text text = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    node->problem = arena_strdup(model->arena, text.s);
    text_free(&text);
    return false;
}

bool onnx_axis(int64_t axis, int rank, int *result) {
    if (axis < -rank || axis >= rank) return false;
    *result = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

static bool bad_axis(OnnxModel *model, OnnxNode *node, int64_t axis) {
    return onnx_problem(model, node, "%s has no axis %lld", onnx_shape_text(model->arena, &node->in[0]->shape),
                        (long long)axis);
}

/* The result's shape; sizes that are none are a problem. */
static bool set_shape(OnnxModel *model, OnnxNode *node, int i, OnnxShape shape) {
    int64_t count = 1;
    for (int d = 0; d < shape.rank; d++) {
        if (shape.dim[d] < 0 || (shape.dim[d] && count > onnx_most_elements / shape.dim[d]))
            return onnx_problem(model, node, "its result would be %s", onnx_shape_text(model->arena, &shape));
        count *= shape.dim[d];
    }
    if (i < node->nout && node->out[i]) {
        node->out[i]->shape = shape;
        if (!node->out[i]->type)
            node->out[i]->type = node->in[0] ? node->in[0]->type : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    }
    return true;
}

bool infer_same(OnnxModel *model, OnnxNode *node) {
    return set_shape(model, node, 0, node->in[0]->shape);
}

/* ---- windows ---- */

static bool window_list(OnnxModel *model, OnnxNode *node, const char *name, int rank, int64_t *values) {
    const int count = onnx_attribute_ints(node, name, values, rank);
    if (count >= 0 && count != rank) return onnx_problem(model, node, "%s has %d numbers, not %d", name, count, rank);
    for (int i = 0; i < count; i++)
        if (values[i] < 1 || values[i] > INT32_MAX)
            return onnx_problem(model, node, "%s has a number that is not possible, %lld", name, (long long)values[i]);
    return true;
}

static bool read_window(OnnxModel *model, OnnxNode *node, const OnnxShape *in, const int64_t *kernel, OnnxWindow *w) {
    *w = (OnnxWindow){.rank = in->rank - 2};
    if (w->rank < 1 || w->rank > 3)
        return onnx_problem(model, node, "it has a window over %s, which is no image",
                            onnx_shape_text(model->arena, in));
    for (int i = 0; i < w->rank; i++) w->kernel[i] = kernel ? kernel[i] : 0, w->stride[i] = w->dilate[i] = 1;
    if (!window_list(model, node, "kernel_shape", w->rank, w->kernel) ||
        !window_list(model, node, "strides", w->rank, w->stride) ||
        !window_list(model, node, "dilations", w->rank, w->dilate))
        return false;
    for (int i = 0; i < w->rank; i++)
        if (w->kernel[i] < 1 || (kernel && w->kernel[i] != kernel[i]))
            return onnx_problem(model, node, "its kernel_shape is missing, or is not that of its weights");
    int64_t pads[6] = {0};
    const int count = onnx_attribute_ints(node, "pads", pads, 2 * w->rank);
    if (count >= 0 && count != 2 * w->rank)
        return onnx_problem(model, node, "pads has %d numbers, not %d", count, 2 * w->rank);
    for (int i = 0; i < w->rank; i++) {
        w->begin[i] = pads[i], w->end[i] = pads[w->rank + i];
        if (w->begin[i] < 0 || w->end[i] < 0 || w->begin[i] > INT32_MAX || w->end[i] > INT32_MAX)
            return onnx_problem(model, node, "it has a padding of %lld and %lld", (long long)w->begin[i],
                                (long long)w->end[i]);
    }
    w->ceil = onnx_attribute_int(node, "ceil_mode", 0) != 0;
    return true;
}

static int64_t reach(const OnnxWindow *w, int i) {
    return (w->kernel[i] - 1) * w->dilate[i] + 1;
}

bool onnx_window(OnnxModel *model, OnnxNode *node, const OnnxShape *in, const int64_t *kernel, OnnxWindow *w) {
    if (!read_window(model, node, in, kernel, w)) return false;
    const char *pad = onnx_attribute_string(model, node, "auto_pad", "NOTSET");
    const bool upper = !strcmp(pad, "SAME_UPPER"), lower = !strcmp(pad, "SAME_LOWER");
    if (!upper && !lower && strcmp(pad, "NOTSET") != 0 && strcmp(pad, "VALID") != 0)
        return onnx_problem(model, node, "auto_pad '%s' is not known", pad);
    for (int i = 0; i < w->rank && (upper || lower); i++) {
        const int64_t size = in->dim[i + 2], out = (size + w->stride[i] - 1) / w->stride[i];
        const int64_t all = (out - 1) * w->stride[i] + reach(w, i) - size, pads = all > 0 ? all : 0;
        w->begin[i] = lower ? pads - pads / 2 : pads / 2;
        w->end[i] = pads - w->begin[i];
        w->ceil = false;
    }
    for (int i = 0; i < w->rank && !strcmp(pad, "VALID"); i++) w->begin[i] = w->end[i] = 0;
    return true;
}

static int64_t window_count(const OnnxWindow *w, int i, int64_t size) {
    const int64_t room = size + w->begin[i] + w->end[i] - reach(w, i);
    if (room < 0) return -1;
    int64_t count = (w->ceil ? room + w->stride[i] - 1 : room) / w->stride[i] + 1;
    if (w->ceil && (count - 1) * w->stride[i] >= size + w->begin[i]) count--;
    return count;
}

static bool set_windows(OnnxModel *model, OnnxNode *node, const OnnxWindow *w, int64_t channels) {
    OnnxShape shape = node->in[0]->shape;
    shape.dim[1] = channels;
    for (int i = 0; i < w->rank; i++) shape.dim[i + 2] = window_count(w, i, shape.dim[i + 2]);
    return set_shape(model, node, 0, shape);
}

/* The weights of a convolution or matrix product: rank known, and as many inputs as it needs. */
static bool has_weights(OnnxModel *model, OnnxNode *node, int rank) {
    if (node->nin < 2 || !node->in[1]) return onnx_problem(model, node, "it has no weights");
    if (node->in[0]->shape.rank != rank || node->in[1]->shape.rank != rank)
        return onnx_problem(model, node, "%s and weights of %s do not fit together",
                            onnx_shape_text(model->arena, &node->in[0]->shape),
                            onnx_shape_text(model->arena, &node->in[1]->shape));
    return true;
}

bool infer_conv(OnnxModel *model, OnnxNode *node) {
    OnnxWindow w;
    if (!has_weights(model, node, node->in[0]->shape.rank) ||
        !onnx_window(model, node, &node->in[0]->shape, node->in[1]->shape.dim + 2, &w))
        return false;
    return set_windows(model, node, &w, node->in[1]->shape.dim[0]);
}

bool onnx_transposed_window(OnnxModel *model, OnnxNode *node, const OnnxShape *in, const int64_t *kernel, OnnxWindow *w,
                            int64_t extra[3]) {
    if (!read_window(model, node, in, kernel, w)) return false;
    int64_t out[6] = {0};
    extra[0] = extra[1] = extra[2] = 0;
    const int extras = onnx_attribute_ints(node, "output_padding", extra, w->rank);
    const int shaped = onnx_attribute_ints(node, "output_shape", out, w->rank);
    const char *pad = onnx_attribute_string(model, node, "auto_pad", "NOTSET");
    const bool same = !strncmp(pad, "SAME_", 5), upper = !strcmp(pad, "SAME_UPPER");
    if ((extras >= 0 && extras != w->rank) || (shaped >= 0 && shaped != w->rank))
        return onnx_problem(model, node, "output_padding or output_shape is not of %d numbers", w->rank);
    for (int i = 0; i < w->rank; i++)
        if (extra[i] < 0 || extra[i] > INT32_MAX || out[i] < 0 || out[i] > INT32_MAX ||
            w->kernel[i] > INT32_MAX / w->dilate[i] || in->dim[i + 2] > INT32_MAX / w->stride[i])
            return onnx_problem(model, node, "its result would be too large");
    for (int i = 0; i < w->rank && !strcmp(pad, "VALID"); i++) w->begin[i] = w->end[i] = 0;
    for (int i = 0; i < w->rank && (same || shaped >= 0); i++) {
        const int64_t size = in->dim[i + 2];
        const int64_t wanted = shaped >= 0 ? out[i] : size * w->stride[i];
        const int64_t pads = (size - 1) * w->stride[i] + extra[i] + reach(w, i) - wanted;
        if (pads < 0) extra[i] -= pads; /* what the kernels do not reach */
        w->begin[i] = pads <= 0 ? 0 : upper ? pads / 2 : pads - pads / 2;
        w->end[i] = pads <= 0 ? 0 : pads - w->begin[i];
    }
    return true;
}

bool infer_convtranspose(OnnxModel *model, OnnxNode *node) {
    OnnxWindow w;
    int64_t extra[3];
    if (!has_weights(model, node, node->in[0]->shape.rank) ||
        !onnx_transposed_window(model, node, &node->in[0]->shape, node->in[1]->shape.dim + 2, &w, extra))
        return false;
    OnnxShape shape = node->in[0]->shape;
    const int64_t group = onnx_attribute_int(node, "group", 1);
    if (group < 1 || group > INT32_MAX) return onnx_problem(model, node, "it has %lld groups", (long long)group);
    shape.dim[1] = node->in[1]->shape.dim[1] * group;
    for (int i = 0; i < w.rank; i++)
        shape.dim[i + 2] = (shape.dim[i + 2] - 1) * w.stride[i] + reach(&w, i) - w.begin[i] - w.end[i] + extra[i];
    return set_shape(model, node, 0, shape);
}

bool infer_pool(OnnxModel *model, OnnxNode *node) {
    OnnxWindow w;
    if (!onnx_window(model, node, &node->in[0]->shape, NULL, &w)) return false;
    return set_windows(model, node, &w, node->in[0]->shape.dim[1]);
}

bool infer_global_pool(OnnxModel *model, OnnxNode *node) {
    OnnxShape shape = node->in[0]->shape;
    for (int i = 2; i < shape.rank; i++) shape.dim[i] = 1;
    return set_shape(model, node, 0, shape);
}

/* ---- matrices ---- */

bool infer_gemm(OnnxModel *model, OnnxNode *node) {
    if (!has_weights(model, node, 2)) return false;
    const bool ta = onnx_attribute_int(node, "transA", 0) != 0, tb = onnx_attribute_int(node, "transB", 0) != 0;
    const OnnxShape *a = &node->in[0]->shape, *b = &node->in[1]->shape;
    if (a->dim[!ta] != b->dim[tb])
        return onnx_problem(model, node, "%s and %s cannot be multiplied", onnx_shape_text(model->arena, a),
                            onnx_shape_text(model->arena, b));
    return set_shape(model, node, 0, (OnnxShape){2, {a->dim[ta], b->dim[!tb]}});
}

/* A matrix for each of the same dimensions before the last two. */
static bool multiplies_alike(const OnnxShape *a, const OnnxShape *b) {
    bool alike = a->rank == b->rank && a->rank > 2 && a->dim[a->rank - 1] == b->dim[b->rank - 2];
    for (int d = 0; d < a->rank - 2 && alike; d++) alike = a->dim[d] == b->dim[d];
    return alike;
}

/* Of constants: of any ranks, as NumPy's. */
static bool infer_constant_matmul(OnnxModel *model, OnnxNode *node) {
    OnnxShape a = node->in[0]->shape, b = node->in[1]->shape, shape = {0};
    const int64_t rows = a.rank > 1 ? a.dim[a.rank - 2] : 1, columns = b.rank > 1 ? b.dim[b.rank - 1] : 1;
    const bool has_rows = a.rank > 1, has_columns = b.rank > 1;
    if (!a.rank || !b.rank || a.dim[a.rank - 1] != b.dim[has_columns ? b.rank - 2 : 0])
        return onnx_problem(model, node, "%s and %s cannot be multiplied", onnx_shape_text(model->arena, &a),
                            onnx_shape_text(model->arena, &b));
    a.rank -= has_rows ? 2 : 1, b.rank -= has_columns ? 2 : 1;
    const OnnxShape *longer = a.rank > b.rank ? &a : &b;
    for (int d = 0; d < longer->rank; d++) {
        const int i = d - (longer->rank - a.rank), k = d - (longer->rank - b.rank);
        const int64_t x = i < 0 ? 1 : a.dim[i], y = k < 0 ? 1 : b.dim[k];
        if (x != y && x != 1 && y != 1) return onnx_problem(model, node, "its matrices are not as many");
        shape.dim[shape.rank++] = x == 1 ? y : x;
    }
    if (has_rows) shape.dim[shape.rank++] = rows;
    if (has_columns) shape.dim[shape.rank++] = columns;
    return set_shape(model, node, 0, shape);
}

bool infer_matmul(OnnxModel *model, OnnxNode *node) {
    if (node->nin < 2 || !node->in[1]) return onnx_problem(model, node, "an input is missing");
    const OnnxShape *a = &node->in[0]->shape, *b = &node->in[1]->shape;
    if (onnx_is_constant(node->in[0]) && onnx_is_constant(node->in[1])) return infer_constant_matmul(model, node);
    if (!onnx_is_constant(node->in[1]) && multiplies_alike(a, b)) {
        OnnxShape result = *a;
        result.dim[a->rank - 1] = b->dim[b->rank - 1];
        return set_shape(model, node, 0, result);
    }
    if (a->rank < 2 || b->rank != 2 || a->dim[a->rank - 1] != b->dim[0])
        return onnx_problem(model, node, "%s and %s: only the last dimension times a matrix is read",
                            onnx_shape_text(model->arena, a), onnx_shape_text(model->arena, b));
    OnnxShape shape = *a;
    shape.dim[shape.rank - 1] = b->dim[1];
    return set_shape(model, node, 0, shape);
}

/* ---- along axes ---- */

bool onnx_axes(OnnxModel *model, OnnxNode *node, int rank, bool all, bool axes[ONNX_MOST_RANK]) {
    int64_t list[ONNX_MOST_RANK];
    int axis;
    const int count = onnx_list(node, "axes", 1, list, ONNX_MOST_RANK);
    if (count == -2) return onnx_problem(model, node, "its axes are no constant list");
    for (int d = 0; d < ONNX_MOST_RANK; d++) axes[d] = all && count <= 0;
    for (int i = 0; i < count; i++) {
        if (!onnx_axis(list[i], rank, &axis)) return bad_axis(model, node, list[i]);
        axes[axis] = true;
    }
    return true;
}

bool infer_reduce(OnnxModel *model, OnnxNode *node) {
    const OnnxShape *in = &node->in[0]->shape;
    const bool keep = onnx_attribute_int(node, "keepdims", 1) != 0;
    const bool nothing = onnx_attribute_int(node, "noop_with_empty_axes", 0) != 0;
    bool axes[ONNX_MOST_RANK];
    OnnxShape shape = {0};
    if (!onnx_axes(model, node, in->rank, !nothing, axes)) return false;
    for (int d = 0; d < in->rank; d++)
        if (!axes[d] || keep) shape.dim[shape.rank++] = axes[d] ? 1 : in->dim[d];
    return set_shape(model, node, 0, shape);
}

bool infer_transpose(OnnxModel *model, OnnxNode *node) {
    const OnnxShape *in = &node->in[0]->shape;
    int64_t perm[ONNX_MOST_RANK];
    const int count = onnx_attribute_ints(node, "perm", perm, ONNX_MOST_RANK);
    bool taken[ONNX_MOST_RANK] = {false};
    OnnxShape shape = *in;
    if (count >= 0 && count != in->rank) return onnx_problem(model, node, "its perm is not of %d numbers", in->rank);
    for (int d = 0; d < in->rank; d++) {
        const int64_t from = count < 0 ? in->rank - 1 - d : perm[d];
        if (from < 0 || from >= in->rank || taken[from]) return onnx_problem(model, node, "its perm is no permutation");
        taken[from] = true;
        shape.dim[d] = in->dim[from];
    }
    return set_shape(model, node, 0, shape);
}

bool infer_concat(OnnxModel *model, OnnxNode *node) {
    OnnxShape shape = node->in[0]->shape;
    int axis;
    if (!onnx_attribute(node, "axis")) return onnx_problem(model, node, "it has no axis");
    if (!onnx_axis(onnx_attribute_int(node, "axis", 0), shape.rank, &axis))
        return bad_axis(model, node, onnx_attribute_int(node, "axis", 0));
    for (int i = 1; i < node->nin; i++) {
        if (!node->in[i]) return onnx_problem(model, node, "an input is missing");
        const OnnxShape *in = &node->in[i]->shape;
        bool fits = in->rank == shape.rank;
        for (int d = 0; fits && d < shape.rank; d++) fits = d == axis || in->dim[d] == shape.dim[d];
        if (!fits)
            return onnx_problem(model, node, "%s and %s do not fit together", onnx_shape_text(model->arena, &shape),
                                onnx_shape_text(model->arena, in));
        shape.dim[axis] += in->dim[axis];
    }
    return set_shape(model, node, 0, shape);
}

bool onnx_split(OnnxModel *model, OnnxNode *node, int *axis, int64_t *sizes) {
    const OnnxShape *in = &node->in[0]->shape;
    if (!onnx_axis(onnx_attribute_int(node, "axis", 0), in->rank, axis))
        return bad_axis(model, node, onnx_attribute_int(node, "axis", 0));
    const int count = onnx_list(node, "split", 1, sizes, node->nout);
    const int64_t size = in->dim[*axis], part = (size + node->nout - 1) / node->nout;
    int64_t all = 0;
    if (count != -1 && count != node->nout)
        return onnx_problem(model, node, "its split is no constant list of %d sizes", node->nout);
    for (int i = 0; i < node->nout; i++) {
        if (count == -1)
            sizes[i] = i < node->nout - 1 || size - all < part ? (size - all < part ? size - all : part) : part;
        if (sizes[i] < 0 || sizes[i] > size - all)
            return onnx_problem(model, node, "its parts are more than %lld", (long long)size);
        all += sizes[i];
    }
    return all == size || onnx_problem(model, node, "its parts are %lld of %lld", (long long)all, (long long)size);
}

bool infer_split(OnnxModel *model, OnnxNode *node) {
    int axis;
    int64_t *sizes = arena_alloc(model->arena, sizeof *sizes * (size_t)(node->nout + 1));
    if (!onnx_split(model, node, &axis, sizes)) return false;
    for (int i = 0; i < node->nout; i++) {
        OnnxShape shape = node->in[0]->shape;
        shape.dim[axis] = sizes[i];
        if (!set_shape(model, node, i, shape)) return false;
    }
    return true;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high) {
    return x < low ? low : x > high ? high : x;
}

bool onnx_slice(OnnxModel *model, OnnxNode *node, OnnxRange range[ONNX_MOST_RANK]) {
    const OnnxShape *in = &node->in[0]->shape;
    int64_t starts[ONNX_MOST_RANK], ends[ONNX_MOST_RANK], axes[ONNX_MOST_RANK], steps[ONNX_MOST_RANK];
    const int count = onnx_list(node, "starts", 1, starts, ONNX_MOST_RANK);
    const int ending = onnx_list(node, "ends", 2, ends, ONNX_MOST_RANK);
    const int named = onnx_list(node, "axes", 3, axes, ONNX_MOST_RANK);
    const int stepped = onnx_list(node, "steps", 4, steps, ONNX_MOST_RANK);
    if (count < 0 || ending != count || (named != -1 && named != count) || (stepped != -1 && stepped != count))
        return onnx_problem(model, node, "its starts, ends, axes and steps are no constant lists of one length");
    for (int d = 0; d < in->rank; d++) range[d] = (OnnxRange){0, 1, in->dim[d]};
    for (int i = 0; i < count; i++) {
        int axis;
        const int64_t at = named == -1 ? i : axes[i];
        const int64_t step = stepped == -1 ? 1 : clamp(steps[i], -INT32_MAX, INT32_MAX);
        if (!onnx_axis(at, in->rank, &axis)) return bad_axis(model, node, at);
        if (!step) return onnx_problem(model, node, "it has a step of 0");
        const int64_t size = in->dim[axis], least = step < 0 ? -1 : 0, most = step < 0 ? size - 1 : size;
        const int64_t start = clamp(starts[i] < 0 ? starts[i] + size : starts[i], 0, most);
        const int64_t end = clamp(ends[i] < 0 ? ends[i] + size : ends[i], least, size);
        const int64_t length = step < 0 ? start - end : end - start, by = step < 0 ? -step : step;
        range[axis] = (OnnxRange){start, step, length > 0 && size ? (length + by - 1) / by : 0};
    }
    return true;
}

bool infer_slice(OnnxModel *model, OnnxNode *node) {
    OnnxRange range[ONNX_MOST_RANK];
    OnnxShape shape = node->in[0]->shape;
    if (!onnx_slice(model, node, range)) return false;
    for (int d = 0; d < shape.rank; d++) shape.dim[d] = range[d].count;
    return set_shape(model, node, 0, shape);
}

bool infer_gather(OnnxModel *model, OnnxNode *node) {
    if (node->nin < 2 || !node->in[1]) return onnx_problem(model, node, "it has no indices");
    const OnnxShape *in = &node->in[0]->shape, *at = &node->in[1]->shape;
    int axis;
    if (!onnx_axis(onnx_attribute_int(node, "axis", 0), in->rank, &axis))
        return bad_axis(model, node, onnx_attribute_int(node, "axis", 0));
    OnnxShape shape = {.rank = in->rank - 1 + at->rank};
    if (shape.rank > ONNX_MOST_RANK) return onnx_problem(model, node, "its result has %d dimensions", shape.rank);
    for (int d = 0; d < axis; d++) shape.dim[d] = in->dim[d];
    for (int d = 0; d < at->rank; d++) shape.dim[axis + d] = at->dim[d];
    for (int d = axis + 1; d < in->rank; d++) shape.dim[at->rank + d - 1] = in->dim[d];
    return set_shape(model, node, 0, shape);
}

/* ---- other shapes of the same numbers ---- */

bool infer_reshape(OnnxModel *model, OnnxNode *node) {
    const OnnxShape *in = &node->in[0]->shape;
    const bool zero = onnx_attribute_int(node, "allowzero", 0) != 0;
    OnnxShape shape = {0};
    int64_t known = 1;
    int open = -1;
    shape.rank = onnx_list(node, "shape", 1, shape.dim, ONNX_MOST_RANK);
    if (shape.rank < 0) return onnx_problem(model, node, "its shape is not known when the network is compiled");
    for (int d = 0; d < shape.rank; d++) {
        if (!shape.dim[d] && !zero && d < in->rank) shape.dim[d] = in->dim[d];
        if (shape.dim[d] == -1 && open < 0)
            open = d;
        else if (shape.dim[d] < 0 || shape.dim[d] > onnx_most_elements || known > onnx_most_elements)
            return onnx_problem(model, node, "to %s is not possible", onnx_shape_text(model->arena, &shape));
        else
            known *= shape.dim[d];
    }
    const int64_t count = onnx_elements(in);
    if (open >= 0) shape.dim[open] = known && count % known == 0 ? count / known : -1;
    if (open >= 0 ? shape.dim[open] < 0 : known != count)
        return onnx_problem(model, node, "%s cannot become %s", onnx_shape_text(model->arena, in),
                            onnx_shape_text(model->arena, &shape));
    return set_shape(model, node, 0, shape);
}

bool infer_flatten(OnnxModel *model, OnnxNode *node) {
    const OnnxShape *in = &node->in[0]->shape;
    int64_t axis = onnx_attribute_int(node, "axis", 1);
    if (axis < 0) axis += in->rank;
    if (axis < 0 || axis > in->rank) return bad_axis(model, node, axis);
    OnnxShape shape = {2, {1, 1}};
    for (int d = 0; d < in->rank; d++) shape.dim[d >= axis] *= in->dim[d];
    return set_shape(model, node, 0, shape);
}

bool infer_squeeze(OnnxModel *model, OnnxNode *node) {
    const OnnxShape *in = &node->in[0]->shape;
    bool axes[ONNX_MOST_RANK];
    OnnxShape shape = {0};
    const bool named = onnx_list(node, "axes", 1, (int64_t[ONNX_MOST_RANK]){0}, ONNX_MOST_RANK) > 0;
    if (!onnx_axes(model, node, in->rank, true, axes)) return false;
    for (int d = 0; d < in->rank; d++) {
        if (named && axes[d] && in->dim[d] != 1)
            return onnx_problem(model, node, "dimension %d of %s is not 1", d, onnx_shape_text(model->arena, in));
        if (!axes[d] || in->dim[d] != 1) shape.dim[shape.rank++] = in->dim[d];
    }
    return set_shape(model, node, 0, shape);
}

bool infer_unsqueeze(OnnxModel *model, OnnxNode *node) {
    const OnnxShape *in = &node->in[0]->shape;
    int64_t list[ONNX_MOST_RANK];
    bool axes[ONNX_MOST_RANK] = {false};
    const int count = onnx_list(node, "axes", 1, list, ONNX_MOST_RANK);
    OnnxShape shape = {.rank = in->rank + count};
    if (count < 0 || shape.rank > ONNX_MOST_RANK)
        return onnx_problem(model, node, "its axes are no constant list, or too many");
    for (int i = 0; i < count; i++) {
        int axis;
        if (!onnx_axis(list[i], shape.rank, &axis) || axes[axis]) return bad_axis(model, node, list[i]);
        axes[axis] = true;
    }
    for (int d = 0, from = 0; d < shape.rank; d++) shape.dim[d] = axes[d] ? 1 : in->dim[from++];
    return set_shape(model, node, 0, shape);
}

static bool infer_blocks(OnnxModel *model, OnnxNode *node, bool to_space) {
    OnnxShape shape = node->in[0]->shape;
    const int64_t side = onnx_attribute_int(node, "blocksize", 0);
    const char *mode = onnx_attribute_string(model, node, "mode", "DCR");
    if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
        return onnx_problem(model, node, "mode '%s' is not supported", mode);
    if (shape.rank != 4 || side < 1 || side > 1024 ||
        (to_space ? shape.dim[1] % (side * side) : shape.dim[2] % side || shape.dim[3] % side))
        return onnx_problem(model, node, "%s has no blocks of %lld", onnx_shape_text(model->arena, &shape),
                            (long long)side);
    shape.dim[1] = to_space ? shape.dim[1] / (side * side) : shape.dim[1] * side * side;
    for (int d = 2; d < 4; d++) shape.dim[d] = to_space ? shape.dim[d] * side : shape.dim[d] / side;
    return set_shape(model, node, 0, shape);
}

bool infer_depth_to_space(OnnxModel *model, OnnxNode *node) {
    return infer_blocks(model, node, true);
}

bool infer_space_to_depth(OnnxModel *model, OnnxNode *node) {
    return infer_blocks(model, node, false);
}

bool infer_expand(OnnxModel *model, OnnxNode *node) {
    const OnnxShape *in = &node->in[0]->shape;
    OnnxShape to = {0};
    to.rank = onnx_list(node, "shape", 1, to.dim, ONNX_MOST_RANK);
    if (to.rank < 0) return onnx_problem(model, node, "its shape is not known when the network is compiled");
    OnnxShape shape = {.rank = to.rank > in->rank ? to.rank : in->rank};
    for (int d = 0; d < shape.rank; d++) {
        const int i = d - (shape.rank - in->rank), j = d - (shape.rank - to.rank);
        const int64_t a = i < 0 ? 1 : in->dim[i], b = j < 0 ? 1 : to.dim[j];
        if (a != b && a != 1 && b != 1)
            return onnx_problem(model, node, "%s and %s do not fit together", onnx_shape_text(model->arena, in),
                                onnx_shape_text(model->arena, &to));
        shape.dim[d] = a == 1 ? b : a;
    }
    return set_shape(model, node, 0, shape);
}

bool infer_tile(OnnxModel *model, OnnxNode *node) {
    OnnxShape shape = node->in[0]->shape;
    int64_t times[ONNX_MOST_RANK];
    if (onnx_list(node, "repeats", 1, times, ONNX_MOST_RANK) != shape.rank)
        return onnx_problem(model, node, "its repeats are no constant list of %d", shape.rank);
    for (int d = 0; d < shape.rank; d++) {
        if (times[d] < 0 || times[d] > onnx_most_elements)
            return onnx_problem(model, node, "it has impossible repeats");
        shape.dim[d] *= times[d];
    }
    return set_shape(model, node, 0, shape);
}

/* Pad's numbers: before all axes, then behind all; from set 18 on of some axes alone. */
bool onnx_pads(OnnxModel *model, OnnxNode *node, int64_t begin[ONNX_MOST_RANK], int64_t end[ONNX_MOST_RANK]) {
    const int rank = node->in[0]->shape.rank;
    int64_t pads[2 * ONNX_MOST_RANK], axes[ONNX_MOST_RANK];
    const int count = onnx_list(node, "pads", 1, pads, 2 * ONNX_MOST_RANK);
    const int named = onnx_list(node, "axes", 3, axes, ONNX_MOST_RANK), half = named == -1 ? rank : named;
    for (int d = 0; d < ONNX_MOST_RANK; d++) begin[d] = end[d] = 0;
    if (named == -2 || count != 2 * half)
        return onnx_problem(model, node, "its pads are no constant list of %d", 2 * rank);
    for (int i = 0; i < half; i++) {
        int axis;
        if (!onnx_axis(named == -1 ? i : axes[i], rank, &axis)) return bad_axis(model, node, axes[i]);
        begin[axis] = pads[i], end[axis] = pads[half + i];
        if (begin[axis] < -INT32_MAX || begin[axis] > INT32_MAX || end[axis] < -INT32_MAX || end[axis] > INT32_MAX)
            return onnx_problem(model, node, "it has a padding of %lld", (long long)begin[axis]);
    }
    return true;
}

bool infer_pad(OnnxModel *model, OnnxNode *node) {
    OnnxShape shape = node->in[0]->shape;
    int64_t begin[ONNX_MOST_RANK], end[ONNX_MOST_RANK];
    if (!onnx_pads(model, node, begin, end)) return false;
    for (int d = 0; d < shape.rank; d++) shape.dim[d] += begin[d] + end[d];
    return set_shape(model, node, 0, shape);
}

/* ---- resize ---- */

static const OnnxTensor *resize_input(const OnnxNode *node, int i) {
    return i < node->nin && node->in[i] && onnx_elements(&node->in[i]->shape) ? node->in[i] : NULL;
}

/* From set 11 on: x, roi, scales, sizes; before: x, scales; Upsample of set 7: an attribute. */
bool infer_resize(OnnxModel *model, OnnxNode *node) {
    OnnxShape shape = node->in[0]->shape;
    const bool late = model->opset >= 11 && strcmp(node->type, "Upsample") != 0;
    const OnnxTensor *scales = resize_input(node, late ? 2 : 1), *sizes = late ? resize_input(node, 3) : NULL;
    const Onnx__AttributeProto *old = onnx_attribute(node, "scales");
    int64_t axes[ONNX_MOST_RANK];
    int count = onnx_attribute_ints(node, "axes", axes, ONNX_MOST_RANK);
    if (count < 0) {
        count = shape.rank;
        for (int d = 0; d < count; d++) axes[d] = d;
    }
    const int64_t given = sizes    ? onnx_elements(&sizes->shape)
                          : scales ? onnx_elements(&scales->shape)
                          : old    ? (int64_t)old->n_floats
                                   : 0;
    if (given != count || count > shape.rank || (sizes && !sizes->integers) || (!sizes && scales && !scales->reals))
        return onnx_problem(model, node, "its sizes or scales are no constant list of %d", count);
    if (strcmp(onnx_attribute_string(model, node, "keep_aspect_ratio_policy", "stretch"), "stretch") != 0)
        return onnx_problem(model, node, "it keeps the aspect ratio by a policy");
    for (int i = 0; i < count; i++) {
        int axis;
        if (!onnx_axis(axes[i], shape.rank, &axis)) return bad_axis(model, node, axes[i]);
        const double scale = sizes ? 0 : scales ? (double)scales->reals[i] : (double)old->floats[i];
        const double size = sizes ? (double)sizes->integers[i] : floor((double)shape.dim[axis] * scale);
        if (!(size >= 1 && size <= (double)onnx_most_elements))
            return onnx_problem(model, node, "to a size of %g is not possible", size);
        shape.dim[axis] = (int64_t)size;
    }
    return set_shape(model, node, 0, shape);
}

/* ---- constants ---- */

bool infer_constant(OnnxModel *model, OnnxNode *node) {
    OnnxTensor *out = node->out[0];
    const Onnx__AttributeProto *a = onnx_attribute(node, "value");
    if (a && a->t) {
        if (constant_read(model, out, a->t, onnx_node_text(model->arena, node))) return true;
        out->shape.rank = -1, out->reals = NULL, out->integers = NULL;
        return false;
    }
    const Onnx__AttributeProto *i = onnx_attribute(node, "value_int"), *is = onnx_attribute(node, "value_ints");
    const Onnx__AttributeProto *f = onnx_attribute(node, "value_float"), *fs = onnx_attribute(node, "value_floats");
    if (!i && !is && !f && !fs) return onnx_problem(model, node, "its value is of a kind that is not read");
    out->type = i || is ? ONNX__TENSOR_PROTO__DATA_TYPE__INT64 : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    const size_t count = is ? is->n_ints : fs ? fs->n_floats : 1;
    if (!set_shape(model, node, 0, (OnnxShape){is || fs, {(int64_t)count}})) return false;
    float *reals;
    int64_t *integers;
    constant_allocate(model, out, &reals, &integers);
    for (size_t k = 0; k < count; k++)
        if (integers)
            integers[k] = is ? is->ints[k] : i->i;
        else
            reals[k] = fs ? fs->floats[k] : f->f;
    return true;
}

bool infer_constant_of_shape(OnnxModel *model, OnnxNode *node) {
    const Onnx__AttributeProto *value = onnx_attribute(node, "value");
    OnnxShape shape = {0};
    shape.rank = onnx_list(node, "shape", 0, shape.dim, ONNX_MOST_RANK);
    if (shape.rank < 0) return onnx_problem(model, node, "its shape is not known when the network is compiled");
    node->out[0]->type = value && value->t ? (OnnxType)value->t->data_type : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    return set_shape(model, node, 0, shape);
}

/* Shape and Size of a value whose shape is known are constants, though the value is none. */
bool infer_shape(OnnxModel *model, OnnxNode *node) {
    const OnnxShape *in = &node->in[0]->shape;
    const bool is_size = !strcmp(node->type, "Size");
    const int64_t from = onnx_attribute_int(node, "start", 0), to = onnx_attribute_int(node, "end", in->rank);
    const int64_t start = clamp(from < 0 ? from + in->rank : from, 0, in->rank);
    const int64_t end = clamp(to < 0 ? to + in->rank : to, start, in->rank);
    float *reals;
    int64_t *integers;
    node->out[0]->type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    if (!set_shape(model, node, 0, (OnnxShape){!is_size, {end - start}})) return false;
    constant_allocate(model, node->out[0], &reals, &integers);
    for (int64_t d = start; d < end && !is_size; d++) integers[d - start] = in->dim[d];
    if (is_size) *integers = onnx_elements(in);
    return true;
}

bool infer_range(OnnxModel *model, OnnxNode *node) {
    for (int i = 0; i < 3; i++)
        if (i >= node->nin || !node->in[i] || !onnx_is_constant(node->in[i]) || onnx_elements(&node->in[i]->shape) != 1)
            return onnx_problem(model, node, "its bounds are not known when the network is compiled");
    const double start = onnx_element(node->in[0], 0), limit = onnx_element(node->in[1], 0);
    const double count = ceil((limit - start) / onnx_element(node->in[2], 0));
    if (!(count < (double)onnx_most_elements)) return onnx_problem(model, node, "it has %g numbers", count);
    return set_shape(model, node, 0, (OnnxShape){1, {count > 0 ? (int64_t)count : 0}});
}

bool infer_quantize(OnnxModel *model, OnnxNode *node) {
    OnnxTensor *out = node->out[0];
    const bool back = !strcmp(node->type, "DequantizeLinear");
    if (node->nin < 2 || !node->in[1]) return onnx_problem(model, node, "it has no scale");
    if (back)
        out->type = node->in[1]->type;
    else
        out->type = node->nin > 2 && node->in[2]
                        ? node->in[2]->type
                        : (OnnxType)onnx_attribute_int(node, "output_dtype", ONNX__TENSOR_PROTO__DATA_TYPE__UINT8);
    return set_shape(model, node, 0, node->in[0]->shape);
}
