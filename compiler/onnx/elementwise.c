/* Operators that work on each number alone: their shapes by broadcasting, and their results. */
#include "operators.h"

#include <math.h>
#include <string.h>

#define ELEMENTWISE(name, inputs, flags, attribute0, otherwise0, attribute1, otherwise1, formula)                      \
    static double apply_##name(double a, double b, double c, double p, double q) {                                     \
        (void)a, (void)b, (void)c, (void)p, (void)q;                                                                   \
        return formula;                                                                                                \
    }
#include "elementwise.def"
#undef ELEMENTWISE

enum { NONE = 0, VARIADIC = 1, TRUTH = 2 };

static const Elementwise table[] = {
#define ELEMENTWISE(name, inputs, flags, attribute0, otherwise0, attribute1, otherwise1, formula)                      \
    {#name,                                                                                                            \
     inputs,                                                                                                           \
     ((flags)&VARIADIC) != 0,                                                                                          \
     ((flags)&TRUTH) != 0,                                                                                             \
     {attribute0, attribute1},                                                                                         \
     {otherwise0, otherwise1},                                                                                         \
     apply_##name},
#include "elementwise.def"
#undef ELEMENTWISE
};

static double attribute(OnnxNode *node, const Elementwise *e, int i) {
    const char *name = e->attribute[i];
    const Onnx__AttributeProto *a = name ? onnx_attribute(node, name) : NULL;
    if (!a) return e->otherwise[i];
    if (!strcmp(name, "approximate") && a->has_s) return a->s.len == 4 && !memcmp(a->s.data, "tanh", 4);
    if (!strcmp(name, "fmod")) return (double)onnx_attribute_int(node, name, 0);
    if (!a->has_f) node->misfit = name;
    return (double)a->f;
}

void onnx_find_formula(OnnxNode *node) {
    for (size_t i = 0; i < sizeof table / sizeof *table && !*node->domain; i++) {
        if (strcmp(table[i].name, node->type) != 0) continue;
        node->formula = &table[i];
        for (int k = 0; k < 2; k++) node->number[k] = attribute(node, node->formula, k);
    }
}

double onnx_elementwise_apply(const OnnxNode *node, const double *in) {
    const Elementwise *e = node->formula;
    const double p = node->number[0], q = node->number[1];
    /* Clip's bounds are the only inputs that may be absent */
    const double b = node->nin > 1 && node->in[1] ? in[1] : -INFINITY;
    const double c = node->nin > 2 && node->in[2] ? in[2] : INFINITY;
    double result = e->apply(in[0], b, c, p, q);
    if (e->variadic && node->nin == 1) result = in[0];
    for (int i = 2; e->variadic && i < node->nin; i++) result = e->apply(result, in[i], 0, p, q);
    return result;
}

/* ---- shapes ---- */

bool onnx_broadcast(const OnnxNode *node, OnnxShape *shape) {
    *shape = (OnnxShape){0};
    for (int i = 0; i < node->nin; i++)
        if (node->in[i] && node->in[i]->shape.rank > shape->rank) shape->rank = node->in[i]->shape.rank;
    for (int d = 0; d < shape->rank; d++) shape->dim[d] = 1;
    for (int i = 0; i < node->nin; i++) {
        if (!node->in[i]) continue;
        const OnnxShape *in = &node->in[i]->shape;
        for (int d = 0; d < in->rank; d++) {
            int64_t *dim = &shape->dim[shape->rank - in->rank + d];
            if (in->dim[d] == 1 || in->dim[d] == *dim) continue;
            if (*dim != 1) return false;
            *dim = in->dim[d];
        }
    }
    return true;
}

bool onnx_broadcasts_to(const OnnxShape *shape, const OnnxShape *result) {
    const int missing = result->rank - shape->rank;
    for (int d = 0; d < shape->rank && missing >= 0; d++)
        if (shape->dim[d] != 1 && shape->dim[d] != result->dim[missing + d]) return false;
    return missing >= 0;
}

int64_t onnx_broadcast_index(const OnnxTensor *tensor, const OnnxShape *shape, int64_t element) {
    int64_t index = 0, stride = 1;
    const int missing = shape->rank - tensor->shape.rank;
    for (int d = shape->rank - 1; d >= missing; d--) {
        const int64_t dim = tensor->shape.dim[d - missing];
        if (dim > 1) index += element % shape->dim[d] * stride;
        stride *= dim;
        element /= shape->dim[d];
    }
    return index;
}

/* Until operator set 6 the second input lies at an axis of the first, by default at its end as later; the slopes of a
 * PRelu at the channels. */
static bool align_old(OnnxModel *model, OnnxNode *node) {
    if (model->opset > 6 || node->nin != 2 || !node->in[1]) return true;
    const OnnxShape *a = &node->in[0]->shape, *b = &node->in[1]->shape;
    const bool slopes = !strcmp(node->type, "PRelu") && b->rank == 1 && b->dim[0] > 1;
    const int64_t axis = slopes ? 1 : onnx_attribute_int(node, "axis", a->rank - b->rank);
    const int64_t behind = a->rank - (axis < 0 ? axis + a->rank : axis) - b->rank;
    if (behind == 0 || b->rank > a->rank) return true;
    if (behind < 0) return onnx_problem(model, node, "axis %lld of its first input", (long long)axis);
    OnnxTensor *moved = arena_alloc(model->arena, sizeof *moved);
    *moved = *node->in[1];
    for (int i = 0; i < behind; i++) moved->shape.dim[moved->shape.rank++] = 1;
    if (!onnx_is_constant(moved))
        return onnx_problem(model, node, "its second input is spread from axis %lld on", (long long)axis);
    node->in[1] = moved;
    return true;
}

bool infer_elementwise(OnnxModel *model, OnnxNode *node) {
    const Elementwise *e = node->formula;
    const int value = !strcmp(node->type, "Where") ? 1 : 0; /* the input whose type the result has */
    if (!node->nin || !node->in[0] || (value && (node->nin < 3 || !node->in[1] || !node->in[2])))
        return onnx_problem(model, node, "an input is missing");
    const bool clip = !strcmp(node->type, "Clip"), like = !strcmp(node->type, "CastLike");
    if (!e->variadic && (node->nin > e->inputs || (node->nin < e->inputs && !clip && !like)))
        return onnx_problem(model, node, "it has %d inputs, not %d", node->nin, e->inputs);
    for (int i = 1; i < node->nin; i++)
        if (!node->in[i] && !clip) return onnx_problem(model, node, "an input is missing");
    OnnxTensor *out = node->out[0];
    OnnxType type = node->in[value]->type;
    if (!strcmp(node->type, "Cast") && !(type = (OnnxType)onnx_attribute_int(node, "to", 0)))
        return onnx_problem(model, node, "it does not say to which type");
    if (like && node->nin > 1) { /* of the second input it is the type alone that is read */
        type = node->in[1]->type;
        node->nin = 1;
    }
    if (!align_old(model, node)) return false;
    if (!onnx_broadcast(node, &out->shape)) {
        out->shape.rank = -1;
        return onnx_problem(model, node, "%s and %s do not fit together",
                            onnx_shape_text(model->arena, &node->in[0]->shape),
                            node->nin > 1 && node->in[1] ? onnx_shape_text(model->arena, &node->in[1]->shape) : "");
    }
    out->type = e->truth ? ONNX__TENSOR_PROTO__DATA_TYPE__BOOL : type;
    return true;
}

bool fold_elementwise(OnnxModel *model, OnnxNode *node) {
    OnnxTensor *out = node->out[0];
    const int64_t count = onnx_elements(&out->shape);
    const bool to_bool = out->type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
    double *in = arena_alloc(model->arena, sizeof *in * (size_t)(node->nin + 1));
    float *reals;
    int64_t *integers;
    constant_allocate(model, out, &reals, &integers);
    for (int64_t i = 0; i < count; i++) {
        for (int k = 0; k < node->nin; k++)
            if (node->in[k]) in[k] = onnx_element(node->in[k], onnx_broadcast_index(node->in[k], &out->shape, i));
        const double result = onnx_elementwise_apply(node, in);
        constant_set(reals, integers, i, to_bool ? result != 0 : result);
        if (integers) integers[i] = constant_wrapped(out->type, integers[i]);
    }
    return true;
}
