/* The results of operators that move numbers, or sum them up, where all their inputs are constants. */
#include "operators.h"

#include <math.h>
#include <string.h>

bool fold_none(OnnxModel *model, OnnxNode *node) {
    (void)model, (void)node;
    return false;
}

/* The result's element (i, j, ...) is the input's at start + i * stride[0] + j * stride[1] + ... */
static void copy_strided(OnnxModel *model, OnnxTensor *out, const OnnxTensor *in, int64_t start,
                         const int64_t *stride) {
    const OnnxShape *shape = &out->shape;
    int64_t at[ONNX_MOST_RANK] = {0}, from = start;
    const int64_t count = onnx_elements(shape);
    float *reals;
    int64_t *integers;
    constant_allocate(model, out, &reals, &integers);
    for (int64_t i = 0; i < count; i++) {
        if (reals)
            reals[i] = in->reals[from];
        else
            integers[i] = in->integers[from];
        for (int d = shape->rank - 1; d >= 0; d--) {
            from += stride[d];
            if (++at[d] < shape->dim[d]) break;
            from -= stride[d] * shape->dim[d];
            at[d] = 0;
        }
    }
}

static void row_major(const OnnxShape *shape, int64_t *stride) {
    int64_t step = 1;
    for (int d = shape->rank - 1; d >= 0; d--) {
        stride[d] = step;
        step *= shape->dim[d];
    }
}

bool fold_copy(OnnxModel *model, OnnxNode *node) {
    (void)model;
    node->out[0]->reals = node->in[0]->reals;
    node->out[0]->integers = node->in[0]->integers;
    return true;
}

bool fold_transpose(OnnxModel *model, OnnxNode *node) {
    const int rank = node->in[0]->shape.rank;
    int64_t perm[ONNX_MOST_RANK], from[ONNX_MOST_RANK], stride[ONNX_MOST_RANK];
    const int count = onnx_attribute_ints(node, "perm", perm, ONNX_MOST_RANK);
    row_major(&node->in[0]->shape, from);
    for (int d = 0; d < rank; d++) stride[d] = from[count < 0 ? rank - 1 - d : perm[d]];
    copy_strided(model, node->out[0], node->in[0], 0, stride);
    return true;
}

bool fold_expand(OnnxModel *model, OnnxNode *node) {
    const OnnxShape *in = &node->in[0]->shape, *out = &node->out[0]->shape;
    int64_t from[ONNX_MOST_RANK], stride[ONNX_MOST_RANK] = {0};
    row_major(in, from);
    for (int d = 0; d < in->rank; d++)
        if (in->dim[d] > 1) stride[out->rank - in->rank + d] = from[d];
    copy_strided(model, node->out[0], node->in[0], 0, stride);
    return true;
}

bool fold_slice(OnnxModel *model, OnnxNode *node) {
    OnnxRange range[ONNX_MOST_RANK];
    int64_t stride[ONNX_MOST_RANK], start = 0;
    if (!onnx_slice(model, node, range)) return false;
    row_major(&node->in[0]->shape, stride);
    for (int d = 0; d < node->in[0]->shape.rank; d++) {
        start += range[d].start * stride[d];
        stride[d] *= range[d].step;
    }
    copy_strided(model, node->out[0], node->in[0], start, stride);
    return true;
}

bool fold_split(OnnxModel *model, OnnxNode *node) {
    int axis;
    int64_t stride[ONNX_MOST_RANK], start = 0;
    int64_t *sizes = arena_alloc(model->arena, sizeof *sizes * (size_t)(node->nout + 1));
    if (!onnx_split(model, node, &axis, sizes)) return false;
    row_major(&node->in[0]->shape, stride);
    for (int i = 0; i < node->nout; i++) {
        if (node->out[i]) copy_strided(model, node->out[i], node->in[0], start, stride);
        start += sizes[i] * stride[axis];
    }
    return true;
}

bool fold_tile(OnnxModel *model, OnnxNode *node) {
    const OnnxShape *in = &node->in[0]->shape, *out = &node->out[0]->shape;
    const int64_t count = onnx_elements(out);
    int64_t stride[ONNX_MOST_RANK];
    float *reals;
    int64_t *integers;
    row_major(in, stride);
    constant_allocate(model, node->out[0], &reals, &integers);
    for (int64_t i = 0; i < count; i++) {
        int64_t from = 0, rest = i;
        for (int d = out->rank - 1; d >= 0; rest /= out->dim[d--]) from += rest % out->dim[d] % in->dim[d] * stride[d];
        if (reals)
            reals[i] = node->in[0]->reals[from];
        else
            integers[i] = node->in[0]->integers[from];
    }
    return true;
}

/* Runs of `inner` elements: what of a result lies together along and behind an axis. */
static void copy_run(float *reals, int64_t *integers, int64_t to, const OnnxTensor *in, int64_t from, int64_t inner) {
    if (reals)
        memcpy(reals + to, in->reals + from, sizeof *reals * (size_t)inner);
    else
        memcpy(integers + to, in->integers + from, sizeof *integers * (size_t)inner);
}

static int64_t product(const OnnxShape *shape, int from, int to) {
    int64_t n = 1;
    for (int d = from; d < to; d++) n *= shape->dim[d];
    return n;
}

bool fold_concat(OnnxModel *model, OnnxNode *node) {
    OnnxTensor *out = node->out[0];
    int axis = 0;
    float *reals;
    int64_t *integers, done = 0;
    onnx_axis(onnx_attribute_int(node, "axis", 0), out->shape.rank, &axis);
    constant_allocate(model, out, &reals, &integers);
    const int64_t outer = product(&out->shape, 0, axis), row = product(&out->shape, axis, out->shape.rank);
    for (int i = 0; i < node->nin; i++) {
        if (onnx_type_is_real(node->in[i]->type) != (reals != NULL))
            return onnx_problem(model, node, "its inputs are of several types");
        const int64_t inner = product(&node->in[i]->shape, axis, out->shape.rank);
        for (int64_t k = 0; k < outer; k++) copy_run(reals, integers, k * row + done, node->in[i], k * inner, inner);
        done += inner;
    }
    return true;
}

bool fold_gather(OnnxModel *model, OnnxNode *node) {
    const OnnxTensor *in = node->in[0], *at = node->in[1];
    int axis = 0;
    float *reals;
    int64_t *integers;
    if (!at->integers) return onnx_problem(model, node, "its indices are no integers");
    onnx_axis(onnx_attribute_int(node, "axis", 0), in->shape.rank, &axis);
    const int64_t size = in->shape.dim[axis], outer = product(&in->shape, 0, axis);
    const int64_t inner = product(&in->shape, axis + 1, in->shape.rank), indices = onnx_elements(&at->shape);
    for (int64_t i = 0; i < indices; i++)
        if (at->integers[i] < -size || at->integers[i] >= size)
            return onnx_problem(model, node, "index %lld of %lld", (long long)at->integers[i], (long long)size);
    constant_allocate(model, node->out[0], &reals, &integers);
    for (int64_t k = 0; k < outer; k++)
        for (int64_t i = 0; i < indices; i++) {
            const int64_t index = at->integers[i] < 0 ? at->integers[i] + size : at->integers[i];
            copy_run(reals, integers, (k * indices + i) * inner, in, (k * size + index) * inner, inner);
        }
    return true;
}

bool fold_reduce(OnnxModel *model, OnnxNode *node) {
    const OnnxTensor *in = node->in[0];
    const int rank = in->shape.rank;
    const char *kind = node->type + strlen("Reduce");
    bool axes[ONNX_MOST_RANK];
    int64_t stride[ONNX_MOST_RANK], step = 1;
    float *reals;
    int64_t *integers;
    if (!onnx_axes(model, node, rank, onnx_attribute_int(node, "noop_with_empty_axes", 0) == 0, axes)) return false;
    const int64_t count = onnx_elements(&in->shape), results = onnx_elements(&node->out[0]->shape);
    if (!count) return onnx_problem(model, node, "of no numbers");
    for (int d = rank - 1; d >= 0; d--) {
        stride[d] = axes[d] ? 0 : step;
        if (!axes[d]) step *= in->shape.dim[d];
    }
    double *sum = arena_alloc(model->arena, sizeof *sum * (size_t)results);
    for (int64_t i = 0; i < results; i++)
        sum[i] = !strcmp(kind, "Prod") ? 1 : !strcmp(kind, "Max") ? -INFINITY : !strcmp(kind, "Min") ? INFINITY : 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t to = 0, rest = i;
        for (int d = rank - 1; d >= 0; rest /= in->shape.dim[d--]) to += rest % in->shape.dim[d] * stride[d];
        const double x = onnx_element(in, i);
        sum[to] = !strcmp(kind, "Prod")                               ? sum[to] * x
                  : !strcmp(kind, "L2") || !strcmp(kind, "SumSquare") ? sum[to] + x * x
                  : !strcmp(kind, "L1")                               ? sum[to] + fabs(x)
                  : !strcmp(kind, "Max")                              ? fmax(sum[to], x)
                  : !strcmp(kind, "Min")                              ? fmin(sum[to], x)
                                                                      : sum[to] + x;
    }
    constant_allocate(model, node->out[0], &reals, &integers);
    for (int64_t i = 0; i < results && !strcmp(kind, "L2"); i++) sum[i] = sqrt(sum[i]);
    for (int64_t i = 0; i < results; i++)
        constant_set(reals, integers, i, !strcmp(kind, "Mean") ? sum[i] * (double)results / (double)count : sum[i]);
    return true;
}

/* Of weights that are standardised whenever they are used: by their own statistics, or by given ones. */
bool fold_batchnorm(OnnxModel *model, OnnxNode *node) {
    const OnnxTensor *in = node->in[0];
    const int64_t channels = in->shape.rank > 1 ? in->shape.dim[1] : 1, inner = product(&in->shape, 2, in->shape.rank);
    const int64_t count = onnx_elements(&in->shape);
    const bool own = onnx_attribute_int(node, "training_mode", 0) != 0;
    const double eps = onnx_attribute_real(node, "epsilon", 1e-5);
    float *reals;
    int64_t *integers;
    if (node->nin < 5 || !count) return onnx_problem(model, node, "an input is missing");
    for (int i = 1; i < 5; i++)
        if (!node->in[i] || !node->in[i]->reals || onnx_elements(&node->in[i]->shape) != channels)
            return onnx_problem(model, node, "input %d is not of %lld numbers", i, (long long)channels);
    if (!in->reals) return onnx_problem(model, node, "of no real numbers");
    double *mean = arena_alloc(model->arena, sizeof *mean * (size_t)channels);
    double *variance = arena_alloc(model->arena, sizeof *variance * (size_t)channels);
    const double share = (double)channels / (double)count;
    for (int64_t i = 0; i < count && own; i++) mean[i / inner % channels] += (double)in->reals[i] * share;
    for (int64_t i = 0; i < count && own; i++) {
        const double difference = (double)in->reals[i] - mean[i / inner % channels];
        variance[i / inner % channels] += difference * difference * share;
    }
    for (int64_t c = 0; c < channels && !own; c++)
        mean[c] = (double)node->in[3]->reals[c], variance[c] = (double)node->in[4]->reals[c];
    constant_allocate(model, node->out[0], &reals, &integers);
    for (int64_t i = 0; i < count; i++) {
        const int64_t c = i / inner % channels;
        const double scale = (double)node->in[1]->reals[c] / sqrt(variance[c] + eps);
        reals[i] = (float)(((double)in->reals[i] - mean[c]) * scale + (double)node->in[2]->reals[c]);
    }
    return true;
}

bool fold_constant_of_shape(OnnxModel *model, OnnxNode *node) {
    const Onnx__AttributeProto *value = onnx_attribute(node, "value");
    const int64_t count = onnx_elements(&node->out[0]->shape);
    OnnxTensor one = {0};
    float *reals;
    int64_t *integers;
    if (value && value->t && !constant_read(model, &one, value->t, onnx_node_text(model->arena, node))) return false;
    if (value && value->t && onnx_elements(&one.shape) != 1) return onnx_problem(model, node, "its value is not one");
    constant_allocate(model, node->out[0], &reals, &integers);
    for (int64_t i = 0; i < count && onnx_is_constant(&one); i++)
        constant_set(reals, integers, i, onnx_element(&one, 0));
    return true;
}

bool fold_range(OnnxModel *model, OnnxNode *node) {
    const double start = onnx_element(node->in[0], 0), step = onnx_element(node->in[2], 0);
    const int64_t count = onnx_elements(&node->out[0]->shape);
    float *reals;
    int64_t *integers;
    constant_allocate(model, node->out[0], &reals, &integers);
    for (int64_t i = 0; i < count; i++) constant_set(reals, integers, i, start + (double)i * step);
    return true;
}

/* Of a tensor as a whole, or along an axis; blocks along an axis are not read. */
bool fold_quantize(OnnxModel *model, OnnxNode *node) {
    const OnnxTensor *in = node->in[0], *scale = node->in[1], *zero = node->nin > 2 ? node->in[2] : NULL;
    OnnxTensor *out = node->out[0];
    const int64_t scales = onnx_elements(&scale->shape), count = onnx_elements(&in->shape);
    const bool back = !strcmp(node->type, "DequantizeLinear");
    int axis = 0;
    float *reals;
    int64_t *integers;
    if (scales > 1 &&
        (scale->shape.rank > 1 || !onnx_axis(onnx_attribute_int(node, "axis", 1), in->shape.rank, &axis) ||
         in->shape.dim[axis] != scales))
        return onnx_problem(model, node, "scales of %s do not fit %s", onnx_shape_text(model->arena, &scale->shape),
                            onnx_shape_text(model->arena, &in->shape));
    if (zero && onnx_elements(&zero->shape) != scales)
        return onnx_problem(model, node, "its zero points are not as many as its scales");
    const int64_t inner = product(&in->shape, axis + 1, in->shape.rank);
    const bool is_signed = out->type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8;
    if (!back && !is_signed && out->type != ONNX__TENSOR_PROTO__DATA_TYPE__UINT8)
        return onnx_problem(model, node, "to %s is not read", onnx_type_name((int)out->type));
    constant_allocate(model, out, &reals, &integers);
    for (int64_t i = 0; i < count; i++) {
        const int64_t k = scales > 1 ? i / inner % scales : 0;
        const double s = onnx_element(scale, k), z = zero ? onnx_element(zero, k) : 0, x = onnx_element(in, i);
        const double q = nearbyint(x / s) + z, low = is_signed ? -128 : 0;
        constant_set(reals, integers, i, back ? (x - z) * s : fmin(fmax(q, low), low + 255));
    }
    return true;
}
