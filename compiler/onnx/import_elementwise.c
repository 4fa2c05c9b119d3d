/* Operators that work on each number alone: of one value the layer that it computes (pieces.c), of several their sum or
 * product.
 */
#include "import.h"

#include <string.h>

/* The second value beside the first: in the same order, its dimensions the first one's or 1. */
static bool lies_beside(const View *a, const View *b) {
    if (a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++) {
        const int count = b->begin[d + 1] - b->begin[d];
        if (!count) continue;
        if (count != a->begin[d + 1] - a->begin[d]) return false;
        for (int i = 0; i < count; i++) {
            const Atom *x = &a->atom[a->begin[d] + i], *y = &b->atom[b->begin[d] + i];
            if (x->axis != y->axis || x->size != y->size || x->stride != y->stride) return false;
        }
    }
    return true;
}

/* Two values in one order, of which the second may be a number for each channel, pixel or image of the first. */
static bool combine(Import *import, OnnxNode *node, const char *part, Op op, const Operand *a, const Operand *b,
                    Operand *result) {
    if (!view_same_order(&a->view, &b->view) && !lies_beside(&a->view, &b->view))
        return import_problem(import, node, "it joins values of dimensions %s of %dx%dx%d and %s of %dx%dx%d",
                              view_text(import->model->arena, &a->view), a->value->shape.c, a->value->shape.h,
                              a->value->shape.w, view_text(import->model->arena, &b->view), b->value->shape.c,
                              b->value->shape.h, b->value->shape.w);
    const Layer layer = layer_default(op);
    Value *in[2] = {a->value, b->value};
    *result = (Operand){.value = import_layer(import, node, part, op, in, 2, &layer, NULL), .view = a->view};
    return result->value;
}

/* A sum of images of which zeros were added to the end of one or both, as far as the other one goes: a shortcut of
 * other channels. */
static bool import_filled_sum(Import *import, OnnxNode *node) {
    const Operand *a = node->in[0]->operand, *b = node->in[1]->operand;
    const Shape p = a->value->shape, q = b->value->shape;
    const Shape larger = {p.c > q.c ? p.c : q.c, p.h > q.h ? p.h : q.h, p.w > q.w ? p.w : q.w};
    View view;
    if ((a->pad && a->filling.attr.value != 0) || (b->pad && b->filling.attr.value != 0)) return false;
    if (node->nin != 2 || !view_is_image(&a->view) || !view_is_image(&b->view) ||
        !onnx_same_shape(&node->in[0]->shape, &node->in[1]->shape) ||
        !view_plain(import->model->batch, larger, &node->out[0]->shape, &view))
        return false;
    Layer layer = layer_default(OP_ADD);
    layer.attr.fill = true;
    Value *in[2] = {a->value, b->value};
    return import_plain(import, node, 0, import_layer(import, node, NULL, OP_ADD, in, 2, &layer, NULL));
}

static int64_t elements(const Operand *operand) {
    return shape_size(operand->value->shape);
}

/* Broadcasting puts dimensions of 1 before those of the one that has fewer. */
static void same_rank(Operand *a, Operand *b) {
    Operand *low = a->view.rank < b->view.rank ? a : b;
    const int missing = (low == a ? b : a)->view.rank - low->view.rank;
    View *view = &low->view;
    for (int d = view->rank; d >= 0 && missing; d--) view->begin[d + missing] = view->begin[d];
    for (int d = 0; d < missing; d++) view->begin[d] = 0;
    view->rank += missing;
}

static bool import_values(Import *import, OnnxNode *node, Op op) {
    if (op == OP_ADD && (node->in[0]->operand->pad || node->in[1]->operand->pad) && import_filled_sum(import, node))
        return true;
    const Operand *first = import_operand(import, node, 0);
    if (!first) return false;
    Operand all = *first;
    for (int i = 1; i < node->nin; i++) {
        const Operand *other = import_operand(import, node, i);
        if (!other) return false;
        if (view_is_image(&all.view) && !view_is_image(&other->view) && import_in_order(import, node, node->in[i]))
            other = node->in[i]->operand;
        Operand right = *other;
        same_rank(&all, &right);
        if (elements(&right) > elements(&all)) { /* the gate comes last */
            right = all;
            all = *other;
        }
        const char *part = i < node->nin - 1 ? arena_printf(import->model->arena, "%d", i) : NULL;
        if (!combine(import, node, part, op, &all, &right, &all)) return false;
    }
    return import_result(import, node, 0, all.value, &all.view);
}

static Operand negated(Import *import, OnnxNode *node, const char *part, const Operand *a) {
    Layer layer = layer_default(OP_SCALE);
    layer.bias = false;
    const ImportWeights weights = {{{NULL, import_filled(import, a->value->shape.c, -1)}}};
    Value *in = a->value;
    return (Operand){.value = import_layer(import, node, part, OP_SCALE, &in, 1, &layer, &weights), .view = a->view};
}

/* a - b as a + (-1) b */
static bool difference(Import *import, OnnxNode *node, const char *part, const Operand *a, const Operand *b,
                       Operand *result) {
    Operand negative = negated(import, node, "negative", b), left = *a;
    if (!negative.value) return false;
    same_rank(&left, &negative);
    const bool turned = elements(&negative) > elements(&left);
    return combine(import, node, part, OP_ADD, turned ? &negative : &left, turned ? &left : &negative, result);
}

static bool import_difference(Import *import, OnnxNode *node) {
    const Operand *a = import_operand(import, node, 0), *b = import_operand(import, node, 1);
    Operand result;
    return a && b && difference(import, node, NULL, a, b, &result) &&
           import_result(import, node, 0, result.value, &result.view);
}

/* The larger of two values of one shape, b + relu(a - b), as of halves of the channels (LightCNN's max feature map);
 * the smaller, a - relu(a - b). */
static bool import_larger(Import *import, OnnxNode *node, bool smaller) {
    const Operand *a = import_operand(import, node, 0), *b = import_operand(import, node, 1);
    const Layer relu = layer_default(OP_RELU);
    Operand apart, result;
    if (!a || !b) return false;
    if (!shape_equal(a->value->shape, b->value->shape))
        return import_problem(import, node, "its inputs are not of one shape");
    if (!difference(import, node, "apart", a, b, &apart)) return false;
    apart.value = import_layer(import, node, "relu", OP_RELU, &apart.value, 1, &relu, NULL);
    if (!apart.value) return false;
    if (!(smaller ? difference(import, node, NULL, a, &apart, &result)
                  : combine(import, node, NULL, OP_ADD, b, &apart, &result)))
        return false;
    return import_result(import, node, 0, result.value, &result.view);
}

bool import_elementwise(Import *import, OnnxNode *node) {
    const bool copies = !strcmp(node->type, "Identity") || !strncmp(node->type, "Cast", 4);
    bool values = node->nin > 1;
    for (int i = 0; i < node->nin; i++) values &= node->in[i] && node->in[i]->operand;
    if (copies && import_operand(import, node, 0)) {
        if (!onnx_type_is_real(node->out[0]->type))
            return import_problem(import, node, "to %s is not supported", onnx_type_name((int)node->out[0]->type));
        return import_result(import, node, 0, node->in[0]->operand->value, &node->in[0]->operand->view);
    }
    const int problems = import->problem_count;
    if (import_pieces(import, node)) return true;
    if (import->problem_count > problems) return false;
    if (import_responsenorm_pieces(import, node) || import_l2norm_pieces(import, node) ||
        import_rmsnorm_pieces(import, node))
        return true;
    if (values && (!strcmp(node->type, "Add") || !strcmp(node->type, "Sum")))
        return import_values(import, node, OP_ADD);
    if (values && !strcmp(node->type, "Mul")) return import_values(import, node, OP_MUL);
    if (import_is_square(node)) {
        node->in[1] = node->in[0];
        node->in[0]->uses++;
        return import_values(import, node, OP_MUL);
    }
    if (values && !strcmp(node->type, "Sub")) return import_difference(import, node);
    if (values && node->nin == 2 && (!strcmp(node->type, "Max") || !strcmp(node->type, "Min")))
        return import_larger(import, node, !strcmp(node->type, "Min"));
    if (node->nin == 1 && (!strcmp(node->type, "Sum") || !strcmp(node->type, "Max") || !strcmp(node->type, "Min")))
        return import_result(import, node, 0, node->in[0]->operand->value, &node->in[0]->operand->view);
    return import_problem(import, node,
                          values ? "rnc has no such layer of two values"
                                 : "no activation computes it, nor a factor and a sum for each channel");
}
