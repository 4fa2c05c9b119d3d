/* The end of the first stage: shapes of all tensors, constants for all that does not depend on the input, and no node
 * left whose results nothing reads.
 */
#include "operators.h"

#include <string.h>

static const OnnxOperator table[] = {
#define OPERATOR(name, inputs, infer, fold, import) {#name, inputs, infer, fold, import},
#include "operators.def"
#undef OPERATOR
};

static const OnnxOperator elementwise = {"", -1, infer_elementwise, fold_elementwise, import_elementwise};

const OnnxOperator *onnx_operator(const OnnxNode *node) {
    if (*node->domain) return NULL;
    if (node->formula) return &elementwise;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, node->type)) return &table[i];
    return NULL;
}

static bool inputs_are(const OnnxNode *node, bool (*what)(const OnnxTensor *)) {
    for (int i = 0; i < node->nin; i++)
        if (node->in[i] && !what(node->in[i])) return false;
    return true;
}

static bool shape_is_known(const OnnxTensor *tensor) {
    return tensor->shape.rank >= 0;
}

/* A few bytes can say a constant of any size. */
static bool is_affordable(OnnxModel *model, const OnnxNode *node) {
    for (int i = 0; i < node->nout; i++)
        if (node->out[i] && node->out[i]->shape.rank >= 0) model->folded_most -= onnx_elements(&node->out[i]->shape);
    return model->folded_most >= 0;
}

static void infer_and_fold(OnnxModel *model, OnnxNode *node) {
    const OnnxOperator *op = node->op;
    if (!op || !node->nout || !inputs_are(node, shape_is_known)) return;
    if (op->most_inputs >= 0 && node->nin > op->most_inputs) {
        onnx_problem(model, node, "it has %d inputs, not %d", node->nin, op->most_inputs);
        return;
    }
    if (op->most_inputs != 0 && (!node->nin || !node->in[0])) {
        onnx_problem(model, node, "its input is missing");
        return;
    }
    if (!op->infer(model, node)) return;
    if (onnx_is_constant(node->out[0])) {
        node->done = true;
        return;
    }
    if (!inputs_are(node, onnx_is_constant)) return;
    if (!is_affordable(model, node))
        onnx_problem(model, node, "its result is a constant of %s, and constants become too many",
                     onnx_shape_text(model->arena, &node->out[0]->shape));
    else
        node->done = op->fold(model, node);
}

static void simplify_node(OnnxModel *model, OnnxNode *node) {
    infer_and_fold(model, node);
    if (!node->misfit) return;
    onnx_problem(model, node, "its attribute '%s' is of another type", node->misfit);
    node->done = false;
}

/* From the end: what is read by a node that is itself read by none is not read. */
static void count_uses(OnnxModel *model) {
    for (int i = 0; i < model->output_count; i++) model->outputs[i]->uses++;
    for (int i = model->node_count - 1; i >= 0; i--) {
        OnnxNode *node = model->nodes[i];
        bool used = false;
        for (int k = 0; k < node->nout; k++) used |= node->out[k] && node->out[k]->uses;
        if (!used) node->done = true;
        for (int k = 0; k < node->nin && !node->done; k++)
            if (node->in[k]) node->in[k]->uses++;
    }
}

bool model_simplify(OnnxModel *model) {
    const int errors = model->diag->errors;
    for (int i = 0; i < model->node_count; i++) simplify_node(model, model->nodes[i]);
    count_uses(model);
    return model->diag->errors == errors;
}
