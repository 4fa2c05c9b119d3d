/* The results of operators that compute with constants, as weights are made of others: products of matrices (factors,
 * spectral norms), softmax (weighed kernels), sums along an axis, padding.
 */
#include "operators.h"

#include <math.h>
#include <string.h>

/* What a product costs counts like so many numbers of constants: a few bytes can say one of any size. */
static bool is_affordable(OnnxModel *model, OnnxNode *node, int64_t results, int64_t depth) {
    if (!depth || results <= model->folded_most / depth) {
        model->folded_most -= results * depth;
        return true;
    }
    return onnx_problem(model, node, "constants of it would take %lld times %lld products", (long long)results,
                        (long long)depth);
}

/* Elements of a constant from one step along a dimension of the result to the next, which are 0 where it is spread. */
static void spread(const OnnxShape *shape, const OnnxShape *result, int64_t step, int64_t *stride) {
    for (int d = result->rank - 1, k = shape->rank - 1; d >= 0; d--, k--) {
        stride[d] = k >= 0 && shape->dim[k] > 1 ? step : 0;
        if (k >= 0) step *= shape->dim[k];
    }
}

/* As NumPy's matmul: of a single dimension a row, or a column. */
bool fold_matmul(OnnxModel *model, OnnxNode *node) {
    const OnnxTensor *a = node->in[0], *b = node->in[1];
    if (!a->reals || !b->reals) return onnx_problem(model, node, "of no real numbers");
    OnnxShape left = a->shape, right = b->shape, result = node->out[0]->shape;
    const int64_t depth = left.dim[left.rank - 1], rows = left.rank > 1 ? left.dim[left.rank - 2] : 1,
                  columns = right.rank > 1 ? right.dim[right.rank - 1] : 1, count = onnx_elements(&result);
    left.rank -= left.rank > 1 ? 2 : 1, right.rank -= right.rank > 1 ? 2 : 1;
    result.rank -= (a->shape.rank > 1) + (b->shape.rank > 1);
    int64_t of_a[ONNX_MOST_RANK], of_b[ONNX_MOST_RANK], *integers;
    float *reals;
    if (!is_affordable(model, node, count, depth)) return false;
    spread(&left, &result, rows * depth, of_a), spread(&right, &result, depth * columns, of_b);
    constant_allocate(model, node->out[0], &reals, &integers);
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = i / columns % rows, column = i % columns;
        int64_t x = row * depth, y = column;
        for (int64_t d = result.rank - 1, rest = i / (rows * columns); d >= 0; rest /= result.dim[d--])
            x += rest % result.dim[d] * of_a[d], y += rest % result.dim[d] * of_b[d];
        double sum = 0;
        for (int64_t k = 0; k < depth; k++) sum += (double)a->reals[x + k] * (double)b->reals[y + k * columns];
        reals[i] = (float)sum;
    }
    return true;
}

bool fold_gemm(OnnxModel *model, OnnxNode *node) {
    const OnnxTensor *a = node->in[0], *b = node->in[1], *c = node->nin > 2 ? node->in[2] : NULL;
    const OnnxShape *result = &node->out[0]->shape;
    const bool ta = onnx_attribute_int(node, "transA", 0) != 0, tb = onnx_attribute_int(node, "transB", 0) != 0;
    const double alpha = onnx_attribute_real(node, "alpha", 1), beta = onnx_attribute_real(node, "beta", 1);
    const int64_t rows = result->dim[0], columns = result->dim[1], depth = a->shape.dim[!ta];
    if (!a->reals || !b->reals || (c && !c->reals)) return onnx_problem(model, node, "of no real numbers");
    if (c && (c->shape.rank > 2 || !onnx_broadcasts_to(&c->shape, result)))
        return onnx_problem(model, node, "its sum with %s does not fit", onnx_shape_text(model->arena, &c->shape));
    float *reals;
    int64_t *integers;
    if (!is_affordable(model, node, rows * columns, depth)) return false;
    constant_allocate(model, node->out[0], &reals, &integers);
    for (int64_t i = 0; i < rows * columns; i++) {
        const int64_t row = i / columns, column = i % columns;
        double sum = 0;
        for (int64_t k = 0; k < depth; k++)
            sum += (double)a->reals[ta ? k * rows + row : row * depth + k] *
                   (double)b->reals[tb ? column * depth + k : k * columns + column];
        reals[i] = (float)(alpha * sum + (c ? beta * (double)c->reals[onnx_broadcast_index(c, result, i)] : 0));
    }
    return true;
}

/* Calls `along` for the elements of each row along an axis: the first one's index, how many, and their distance. */
static bool along_axis(OnnxModel *model, OnnxNode *node, int64_t axis, bool all_behind,
                       void (*along)(OnnxNode *node, float *reals, int64_t first, int64_t count, int64_t step)) {
    const OnnxShape *shape = &node->in[0]->shape;
    float *reals;
    int64_t *integers, outer = 1, inner = 1;
    int at;
    if (!onnx_axis(axis, shape->rank, &at)) return onnx_problem(model, node, "it has no axis %lld", (long long)axis);
    if (!node->in[0]->reals) return onnx_problem(model, node, "of no real numbers");
    for (int d = 0; d < at; d++) outer *= shape->dim[d];
    for (int d = at + 1; d < shape->rank; d++) inner *= shape->dim[d];
    const int64_t count = all_behind ? shape->dim[at] * inner : shape->dim[at];
    if (all_behind) inner = 1;
    constant_allocate(model, node->out[0], &reals, &integers);
    for (int64_t i = 0; i < outer * inner; i++) along(node, reals, i / inner * inner * count + i % inner, count, inner);
    return true;
}

static void softmax(OnnxNode *node, float *reals, int64_t first, int64_t count, int64_t step) {
    const float *in = node->in[0]->reals + first;
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++) most = fmax(most, (double)in[i * step]);
    for (int64_t i = 0; i < count; i++) sum += exp((double)in[i * step] - most);
    for (int64_t i = 0; i < count; i++) {
        const double x = (double)in[i * step] - most;
        reals[first + i * step] = (float)(!strcmp(node->type, "LogSoftmax") ? x - log(sum) : exp(x) / sum);
    }
}

/* Until set 12 over all dimensions from its axis on. */
bool fold_softmax(OnnxModel *model, OnnxNode *node) {
    const bool late = model->opset >= 13;
    return along_axis(model, node, onnx_attribute_int(node, "axis", late ? -1 : 1), !late, softmax);
}

static void sums(OnnxNode *node, float *reals, int64_t first, int64_t count, int64_t step) {
    const bool back = onnx_attribute_int(node, "reverse", 0) != 0, less = onnx_attribute_int(node, "exclusive", 0) != 0;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = first + (back ? count - 1 - i : i) * step;
        const double x = (double)node->in[0]->reals[at];
        reals[at] = (float)(less ? sum : sum + x);
        sum += x;
    }
}

bool fold_cumsum(OnnxModel *model, OnnxNode *node) {
    if (node->nin < 2 || !node->in[1] || onnx_elements(&node->in[1]->shape) != 1 || !node->in[1]->integers)
        return onnx_problem(model, node, "its axis is no integer");
    return along_axis(model, node, node->in[1]->integers[0], false, sums);
}

/* With a number alone. */
bool fold_pad(OnnxModel *model, OnnxNode *node) {
    const OnnxTensor *in = node->in[0], *value = node->nin > 2 ? node->in[2] : NULL;
    const OnnxShape *shape = &node->out[0]->shape;
    int64_t begin[ONNX_MOST_RANK], end[ONNX_MOST_RANK], *integers;
    float *reals;
    if (strcmp(onnx_attribute_string(model, node, "mode", "constant"), "constant") != 0)
        return onnx_problem(model, node, "a constant is padded with a number alone");
    if (value && onnx_elements(&value->shape) != 1) return onnx_problem(model, node, "it pads with what is no number");
    if (!onnx_pads(model, node, begin, end)) return false;
    const double number = value ? onnx_element(value, 0) : onnx_attribute_real(node, "value", 0);
    constant_allocate(model, node->out[0], &reals, &integers);
    const int64_t count = onnx_elements(shape);
    for (int64_t i = 0; i < count; i++) {
        int64_t from = 0, step = 1, rest = i;
        bool inside = true;
        for (int d = shape->rank - 1; d >= 0; rest /= shape->dim[d--]) {
            const int64_t at = rest % shape->dim[d] - begin[d];
            inside &= at >= 0 && at < in->shape.dim[d];
            from += at * step;
            step *= in->shape.dim[d];
        }
        constant_set(reals, integers, i, inside ? onnx_element(in, from) : number);
    }
    return true;
}
