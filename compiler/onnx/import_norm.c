/* Normalisations, and softmax. */
#include "import.h"

#include <string.h>

/* A norm of channels in any order of dimensions, of which number `dim` is C. */
static const Operand *channels_at(Import *import, OnnxNode *node, int dim) {
    const Operand *operand = import_operand(import, node, 0);
    if (!operand) return NULL;
    const ViewAxis axis = dim < operand->view.rank ? view_axis(&operand->view, dim) : AXIS_PART;
    if (axis == AXIS_C || (axis == AXIS_NONE && operand->view.size[AXIS_C] == 1)) return operand;
    import_problem(import, node, "dimension %d of %s is not the channels", dim,
                   view_text(import->model->arena, &operand->view));
    return NULL;
}

bool import_batchnorm(Import *import, OnnxNode *node) {
    const Operand *operand = channels_at(import, node, 1);
    if (!operand) return false;
    const int channels = operand->value->shape.c;
    ImportWeights weights = {0};
    if (onnx_attribute_int(node, "training_mode", 0)) return import_problem(import, node, "it is in training_mode");
    for (int i = 0; i < 4; i++) {
        weights.slot[i].source = import_constant(import, node, i + 1, channels);
        if (!weights.slot[i].source)
            return import_has(node, i + 1) ? false : import_problem(import, node, "input %d is missing", i + 1);
    }
    Layer layer = layer_default(OP_BN);
    layer.attr.eps = onnx_attribute_real(node, "epsilon", 1e-5);
    Value *in = operand->value;
    const View view = operand->view;
    return import_result(import, node, 0, import_layer(import, node, NULL, OP_BN, &in, 1, &layer, &weights), &view);
}

/* scale and bias, or ones and zeros */
static bool affine_weights(Import *import, OnnxNode *node, int scale, int bias, int64_t count, ImportWeights *weights) {
    *weights = (ImportWeights){0};
    for (int i = 0; i < 2; i++) {
        const int input = i ? bias : scale;
        if (import_has(node, input)) {
            weights->slot[i].source = import_constant(import, node, input, count);
            if (!weights->slot[i].source) return false;
        } else {
            weights->slot[i].data = import_filled(import, count, i ? 0 : 1);
        }
    }
    return true;
}

/* A scale and a bias for each channel, of those for each group. */
static ImportWeights for_channels(Import *import, const ImportWeights *of_groups, int64_t groups, int64_t channels) {
    ImportWeights weights = {0};
    for (int i = 0; i < 2; i++) {
        const ImportWeight *from = &of_groups->slot[i];
        const float *numbers = from->data ? from->data : from->source->reals;
        weights.slot[i].data = import_floats(import, channels);
        for (int64_t c = 0; c < channels; c++) weights.slot[i].data[c] = numbers[c / (channels / groups)];
    }
    return weights;
}

static bool norm(Import *import, OnnxNode *node, Op op, int groups, const Operand *operand,
                 const ImportWeights *weights) {
    Layer layer = layer_default(op);
    layer.attr.eps = onnx_attribute_real(node, "epsilon", 1e-5);
    layer.attr.groups = groups;
    Value *in = operand->value;
    const View view = operand->view;
    return import_result(import, node, 0, import_layer(import, node, NULL, op, &in, 1, &layer, weights), &view);
}

/* Dimension 1 is the channels: of each alone. Or it is groups of channels, whose other dimensions hold the rest:
 * PyTorch writes a group norm so, with a scale of 1 and a bias of 0. */
bool import_instancenorm(Import *import, OnnxNode *node) {
    const Operand *operand = import_operand(import, node, 0);
    if (!operand) return false;
    const View *view = &operand->view;
    const int channels = operand->value->shape.c;
    ImportWeights weights;
    if (view_is_image(view)) {
        if (!affine_weights(import, node, 1, 2, channels, &weights)) return false;
        return norm(import, node, OP_GROUPNORM, channels, operand, &weights);
    }
    if (!view_is_plain(view) || view->rank < 3 || !view_begins_with_images(view) || !view_is_of(view, 1, AXIS_C) ||
        view->begin[2] - view->begin[1] > 1)
        return import_problem(import, node, "dimensions %s are no channels or groups of them",
                              view_text(import->model->arena, view));
    const int64_t groups = node->in[0]->shape.dim[1];
    if (!affine_weights(import, node, 1, 2, groups, &weights)) return false;
    weights = for_channels(import, &weights, groups, channels);
    return norm(import, node, OP_GROUPNORM, (int)groups, operand, &weights);
}

bool import_groupnorm(Import *import, OnnxNode *node) {
    const Operand *operand = channels_at(import, node, 1);
    if (!operand) return false;
    if (!view_begins_with_images(&operand->view))
        return import_problem(import, node, "its first dimension of %s is not the images",
                              view_text(import->model->arena, &operand->view));
    const int64_t groups = onnx_attribute_int(node, "num_groups", 0), channels = operand->value->shape.c;
    ImportWeights weights;
    if (groups < 1 || channels % groups)
        return import_problem(import, node, "%lld groups of %lld channels", (long long)groups, (long long)channels);
    if (import->model->opset >= 21 || groups == channels) {
        if (!affine_weights(import, node, 1, 2, channels, &weights)) return false;
        return norm(import, node, OP_GROUPNORM, (int)groups, operand, &weights);
    }
    if (!affine_weights(import, node, 1, 2, groups, &weights)) return false; /* until set 20 a number for each group */
    weights = for_channels(import, &weights, groups, channels);
    return norm(import, node, OP_GROUPNORM, (int)groups, operand, &weights);
}

/* What a norm of the last dimension reads, which is the channels of each pixel. */
static const Operand *channels_last(Import *import, OnnxNode *node) {
    int axis;
    const int rank = node->in[0]->shape.rank;
    if (onnx_axis(onnx_attribute_int(node, "axis", -1), rank, &axis) && axis == rank - 1)
        return channels_at(import, node, axis);
    import_problem(import, node, "it is over more than the last dimension");
    return NULL;
}

bool import_layernorm(Import *import, OnnxNode *node) {
    const Operand *operand = channels_last(import, node);
    ImportWeights weights;
    if (!operand || !affine_weights(import, node, 1, 2, operand->value->shape.c, &weights)) return false;
    return norm(import, node, OP_LAYERNORM, 1, operand, &weights);
}

/* A layer norm without a mean and a bias. */
bool import_rmsnorm(Import *import, OnnxNode *node) {
    const Operand *operand = channels_last(import, node);
    if (!operand) return false;
    const int channels = operand->value->shape.c;
    const View view = operand->view;
    const ImportWeights weights = {{{import_constant(import, node, 1, channels), NULL}}};
    if (!weights.slot[0].source) return false;
    if (channels > IMPORT_MOST_LRN)
        return import_problem(import, node, "it is over %d channels; rnc has it over %d at most", channels,
                              IMPORT_MOST_LRN);
    const double eps = onnx_attribute_real(node, "epsilon", 1e-5);
    Value *out = import_divided_by_root(import, node, "root", operand, 1.0 / channels, eps);
    Layer layer = layer_default(OP_SCALE);
    layer.bias = false;
    if (out) out = import_layer(import, node, NULL, OP_SCALE, &out, 1, &layer, &weights);
    return import_result(import, node, 0, out, &view);
}

bool import_lrn(Import *import, OnnxNode *node) {
    Value *in = import_image(import, node, 0);
    const int64_t size = onnx_attribute_int(node, "size", 0);
    if (!in) return false;
    if (size < 1 || size % 2 == 0 || size >= 2 * IMPORT_MOST_LRN)
        return import_problem(import, node, "its size is %lld; odd ones are supported, to %d", (long long)size,
                              2 * IMPORT_MOST_LRN - 1);
    Layer layer = layer_default(OP_LRN);
    layer.attr.size = (int)size;
    layer.attr.alpha = onnx_attribute_real(node, "alpha", 1e-4);
    layer.attr.beta = onnx_attribute_real(node, "beta", 0.75);
    layer.attr.k = onnx_attribute_real(node, "bias", 1);
    return import_plain(import, node, 0, import_layer(import, node, NULL, OP_LRN, &in, 1, &layer, NULL));
}

/* A softmax over k numbers of the channels that lie `stride` apart: side by side they are groups, which are shuffled to
 * lie apart, and back. */
static Value *softmax_of_parts(Import *import, OnnxNode *node, Value *in, Atom part) {
    Layer layer = layer_default(OP_SOFTMAX), shuffle = layer_default(OP_SHUFFLE);
    layer.attr.branches = (int)part.size;
    if (part.size * part.stride == in->shape.c)
        return import_layer(import, node, NULL, OP_SOFTMAX, &in, 1, &layer, NULL);
    if (part.stride != 1) return NULL;
    shuffle.attr.groups = in->shape.c / (int)part.size;
    Value *out = import_layer(import, node, "apart", OP_SHUFFLE, &in, 1, &shuffle, NULL);
    if (out) out = import_layer(import, node, "softmax", OP_SOFTMAX, &out, 1, &layer, NULL);
    shuffle.attr.groups = (int)part.size;
    return out ? import_layer(import, node, NULL, OP_SHUFFLE, &out, 1, &shuffle, NULL) : NULL;
}

/* Softmax and LogSoftmax over the channels, a part of them or all pixels. Until set 12 it is over all dimensions from
 * its axis on: the same where those behind are 1. */
bool import_softmax(Import *import, OnnxNode *node) {
    const bool late = import->model->opset >= 13, log_of = !strcmp(node->type, "LogSoftmax");
    int axis;
    if (!onnx_axis(onnx_attribute_int(node, "axis", late ? -1 : 1), node->in[0]->shape.rank, &axis))
        return import_problem(import, node, "it has no such axis");
    const int problems = import->problem_count;
    const Operand *operand = import_operand(import, node, 0);
    if (!operand) return false;
    const View view = operand->view;
    for (int d = axis + 1; d < view.rank && !late; d++)
        if (node->in[0]->shape.dim[d] != 1)
            return import_problem(import, node, "it is over several dimensions together");
    const ViewAxis is = view_axis(&view, axis);
    const bool channels = is == AXIS_C || (is == AXIS_NONE && view.size[AXIS_C] == 1);
    const Atom *atom = &view.atom[view.begin[axis]];
    Layer layer = layer_default(OP_SOFTMAX);
    layer.attr.log = log_of;
    layer.attr.pixels = !channels && import_is_pixels(&view, axis);
    Value *in = operand->value, *out = NULL;
    if (channels || (layer.attr.pixels && !log_of))
        out = import_layer(import, node, NULL, OP_SOFTMAX, &in, 1, &layer, NULL);
    else if (!log_of && is == AXIS_PART && view.begin[axis + 1] - view.begin[axis] == 1 && atom->axis == AXIS_C)
        out = softmax_of_parts(import, node, in, *atom);
    if (!out && import->problem_count == problems)
        return import_problem(import, node, "dimension %d of %s is neither channels nor all pixels", axis,
                              view_text(import->model->arena, &view));
    return import_result(import, node, 0, out, &view);
}

/* Over rows and columns it is where a response norm begins, over channels where they are divided by it. */
bool import_l2(Import *import, OnnxNode *node) {
    if (!import_operand(import, node, 0)) return false;
    return import_responsenorm_pieces(import, node) || import_l2norm_pieces(import, node) ||
           import_problem(import, node, "its input is not divided by it, nor by its mean over the channels");
}

bool import_dropout(Import *import, OnnxNode *node) {
    const Operand *operand = import_operand(import, node, 0);
    if (!operand) return false;
    if (node->nout > 1 && node->out[1] && node->out[1]->uses) return import_problem(import, node, "its mask is read");
    if (import_has(node, 2) && !(onnx_is_constant(node->in[2]) && onnx_element(node->in[2], 0) == 0))
        return import_problem(import, node, "it is in training_mode");
    return import_result(import, node, 0, operand->value, &operand->view);
}
