/* QuantizeLinear and DequantizeLinear on values: integers of few bits between layers. The first one is the layer, which
 * gives what the integers stand for; the second finds that done. Between them integers may only move.
 */
#include "import.h"

#include <string.h>

static bool bounds_of(OnnxType type, double *low, double *high) {
    const struct {
        OnnxType type;
        int bits;
        bool is_signed;
    } types[] = {{ONNX__TENSOR_PROTO__DATA_TYPE__INT8, 8, true},
                 {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, 8, false},
                 {ONNX__TENSOR_PROTO__DATA_TYPE__INT16, 16, true},
                 {ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, 16, false}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].type != type) continue;
        const int count = 1 << types[i].bits;
        *low = types[i].is_signed ? -count / 2 : 0;
        *high = *low + count - 1;
        return true;
    }
    return false;
}

/* Of a tensor as a whole, or of each channel; false after a problem. */
static bool steps_of(Import *import, OnnxNode *node, const Operand *operand, ImportWeights *weights) {
    const OnnxTensor *scale = import_constant(import, node, 1, -1), *zero = import_has(node, 2) ? node->in[2] : NULL;
    const int channels = operand->value->shape.c;
    int axis = 0;
    if (!scale) return false;
    const int64_t count = onnx_elements(&scale->shape);
    if (zero && (!onnx_is_constant(zero) || onnx_elements(&zero->shape) != count))
        return import_problem(import, node, "its zero points are no constants, one for each scale");
    const bool each = count > 1 || (scale->shape.rank == 1 && channels == 1);
    if (count > 1 && (count != channels || scale->shape.rank != 1 ||
                      !onnx_axis(onnx_attribute_int(node, "axis", 1), operand->view.rank, &axis) ||
                      view_axis(&operand->view, axis) != AXIS_C))
        return import_problem(import, node, "it has %lld scales for %s, whose channels are %d", (long long)count,
                              view_text(import->model->arena, &operand->view), channels);
    *weights = (ImportWeights){{{each ? scale : NULL, NULL}, {NULL, import_floats(import, channels)}}};
    if (!each) weights->slot[WEIGHT].data = import_filled(import, channels, onnx_element(scale, 0));
    for (int c = 0; c < channels; c++)
        weights->slot[BIAS].data[c] = zero ? (float)onnx_element(zero, count > 1 ? c : 0) : 0;
    for (int64_t i = 0; i < count; i++)
        if (!(scale->reals[i] > 0))
            return import_problem(import, node, "scale %lld is %g", (long long)i, (double)scale->reals[i]);
    return true;
}

bool import_quantize(Import *import, OnnxNode *node) {
    const Operand *operand = import_operand(import, node, 0);
    Layer layer = layer_default(OP_QUANTIZE);
    ImportWeights weights;
    if (!operand) return false;
    if (!bounds_of(node->out[0]->type, &layer.attr.low, &layer.attr.high))
        return import_problem(import, node, "to %s is not supported", onnx_type_name((int)node->out[0]->type));
    if (!steps_of(import, node, operand, &weights)) return false;
    const View view = operand->view;
    Value *in = operand->value, *out = import_layer(import, node, NULL, OP_QUANTIZE, &in, 1, &layer, &weights);
    if (!out || !import_result(import, node, 0, out, &view)) return false;
    node->out[0]->operand->quantized = node;
    return true;
}

static bool same_numbers(const OnnxTensor *a, const OnnxTensor *b) {
    if (!a || !b) return !a && !b;
    if (!onnx_is_constant(a) || !onnx_is_constant(b) || onnx_elements(&a->shape) != onnx_elements(&b->shape))
        return false;
    for (int64_t i = 0; i < onnx_elements(&a->shape); i++)
        if (onnx_element(a, i) != onnx_element(b, i)) return false;
    return true;
}

bool import_dequantize(Import *import, OnnxNode *node) {
    const Operand *operand = import_operand(import, node, 0);
    if (!operand) return false;
    const OnnxNode *by = operand->quantized;
    if (!by) return import_problem(import, node, "it reads integers that no QuantizeLinear made");
    if (!import_has(node, 1) || !same_numbers(node->in[1], by->in[1]) ||
        !same_numbers(import_has(node, 2) ? node->in[2] : NULL, import_has(by, 2) ? by->in[2] : NULL))
        return import_problem(import, node, "its scale or zero point is not that of %s",
                              onnx_node_text(import->model->arena, by));
    int axis;
    if (onnx_elements(&node->in[1]->shape) > 1 &&
        (!onnx_axis(onnx_attribute_int(node, "axis", 1), operand->view.rank, &axis) ||
         view_axis(&operand->view, axis) != AXIS_C))
        return import_problem(import, node, "its axis is not that of %s", onnx_node_text(import->model->arena, by));
    return import_result(import, node, 0, operand->value, &operand->view);
}

/* Layers compute with real numbers: what has integers may only go elsewhere as it is. Zeros that join quantized ones
 * stand for another number. */
bool import_integers(Import *import, OnnxNode *node) {
    static const char *const moves[] = {"DequantizeLinear", "Reshape",   "Flatten", "Squeeze",
                                        "Unsqueeze",        "Transpose", "MaxPool", "Identity"};
    static const char *const plain_moves[] = {"Cast",   "CastLike",     "Slice",        "Split", "Gather",
                                              "Concat", "DepthToSpace", "SpaceToDepth", "Expand"};
    bool integers = false, quantized = false, may = false;
    for (int i = 0; i < node->nin; i++) {
        if (!node->in[i] || !node->in[i]->operand) continue;
        quantized |= node->in[i]->operand->quantized != NULL;
        integers |= onnx_type_is_integer(node->in[i]->type);
    }
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) may |= !strcmp(node->type, moves[i]);
    for (size_t i = 0; i < sizeof plain_moves / sizeof *plain_moves && !quantized; i++)
        may |= !strcmp(node->type, plain_moves[i]);
    return !integers || may || import_problem(import, node, "it computes with integers, which layers do not");
}

void import_keep_integers(OnnxNode *node) {
    const Operand *from = node->nin && node->in[0] ? node->in[0]->operand : NULL;
    if (from && from->quantized && node->out[0]->operand && strcmp(node->type, "DequantizeLinear") != 0)
        node->out[0]->operand->quantized = from->quantized;
}
