/* Weight tensors: the names and arities of the recipe's expressions, and their evaluation for the interpreter. */
#include "tensor.h"
#include "ir.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int arity;
} recipe_ops[RN_RECIPE_OP_COUNT] = {
    [RN_PARAM] = {"param", 0},
    [RN_FILL] = {"fill", 0},
    [RN_IDENTITY_KERNEL] = {"identity_kernel", 0},
    [RN_BN_SCALE] = {"bn_scale", 2},
    [RN_BN_SHIFT] = {"bn_shift", 3},
    [RN_MUL_ADD] = {"mul_add", 3},
    [RN_SCALE_OUT] = {"scale_out", 2},
    [RN_SCALE_IN] = {"scale_in", 2},
    [RN_SHIFT_IN] = {"shift_in", 2},
    [RN_ADD] = {"add", 2},
    [RN_EMBED] = {"embed", 1},
    [RN_RESHAPE] = {"reshape", 1},
    [RN_SPACE_TO_DEPTH] = {"space_to_depth", -1}, /* the plan's alone */
    [RN_PACK_VECTOR] = {"pack_vector", -1},
    [RN_PACK_PANELS] = {"pack_panels", -1},
    [RN_PACK_DEPTHWISE] = {"pack_depthwise", -1},
    [RN_PACK_WINOGRAD] = {"pack_winograd", -1},
    [RN_PACK_STRASSEN] = {"pack_strassen", -1},
    [RN_PACK_PANELS_BF16] = {"pack_panels_bf16", -1},
    [RN_ROUND_BF16] = {"round_bf16", 1},
};

const char *recipe_op_name(rn_recipe_op op) {
    return recipe_ops[op].name;
}

int recipe_op_arity(rn_recipe_op op) {
    return recipe_ops[op].arity;
}

rn_recipe_op recipe_op_by_name(const char *name) {
    int op = 0;
    while (op < RN_RECIPE_OP_COUNT && strcmp(recipe_ops[op].name, name)) op++;
    return (rn_recipe_op)op;
}

void tensor_data_free(TensorData *data) {
    for (int i = 0; i < data->count; i++) free(data->data[i]);
    free(data->data);
    *data = (TensorData){0};
}

static float *evaluate(const Tensor *tensor, const TensorData *data) {
    rn_recipe_step step = {.op = (uint8_t)tensor->op, .ndim = (uint8_t)tensor->ndim, .real = tensor->real};
    for (int i = 0; i < 4; i++) step.dim[i] = i < tensor->ndim ? tensor->dim[i] : 1;
    for (int i = 0; i < 2; i++) step.integer[i] = tensor->integer[i];
    const float *args[3] = {NULL};
    const int32_t *arg_dims[3] = {NULL};
    int32_t dims[3][4];
    for (int i = 0; i < 3; i++) {
        step.arg[i] = i < tensor->nargs ? tensor->arg[i]->id : -1;
        if (i >= tensor->nargs) continue;
        for (int j = 0; j < 4; j++) dims[i][j] = j < tensor->arg[i]->ndim ? tensor->arg[i]->dim[j] : 1;
        args[i] = data->data[tensor->arg[i]->id];
        arg_dims[i] = dims[i];
    }
    float *out = malloc(sizeof *out * (size_t)tensor_size(tensor));
    if (!out) out_of_memory();
    rn_recipe_evaluate(&step, args, arg_dims, out);
    return out;
}

void tensor_data_evaluate(const Graph *graph, TensorData *data) {
    if (data->count < graph->tensor_count) {
        float **grown = realloc(data->data, sizeof *grown * (size_t)graph->tensor_count);
        if (!grown) out_of_memory();
        for (int i = data->count; i < graph->tensor_count; i++) grown[i] = NULL;
        data->data = grown;
        data->count = graph->tensor_count;
    }
    for (int i = 0; i < graph->tensor_count; i++) {
        const Tensor *tensor = graph->tensors[i];
        bool ready = tensor->op != RN_PARAM && !data->data[i];
        for (int j = 0; j < tensor->nargs; j++) ready = ready && data->data[tensor->arg[j]->id];
        if (ready) data->data[i] = evaluate(tensor, data);
    }
}
