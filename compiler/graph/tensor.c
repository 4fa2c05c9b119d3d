/* Weight tensors: the words of the recipe's operations (runtime/rn_recipe.def), and evaluation for the interpreter. */
#include "tensor.h"
#include "ir.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word, *symbol, *what;
    int arity;
} recipe_ops[RN_RECIPE_OP_COUNT] = {
#define RN_PARAMETER(name, word, what) [RN_##name] = {#word, "RN_" #name, what, 0},
#define RN_EXPRESSION(name, word, arity, a, b, c, what) [RN_##name] = {#word, "RN_" #name, what, arity},
#define RN_PACKING(name, word, what) [RN_##name] = {#word, "RN_" #name, what, -1},
#include "rn_recipe.def"
};

const char *recipe_op_name(rn_recipe_op op) {
    return recipe_ops[op].word;
}

const char *recipe_op_symbol(rn_recipe_op op) {
    return recipe_ops[op].symbol;
}

const char *recipe_op_text(rn_recipe_op op) {
    return recipe_ops[op].what;
}

bool recipe_argument_is_statistic(rn_recipe_op op, int argument) {
    enum { NONE, SAME, KERNEL, FACTOR, SHIFT, AVERAGE, VARIANCE };
    static const unsigned char arguments[RN_RECIPE_OP_COUNT][3] = {
#define RN_EXPRESSION(name, word, arity, a, b, c, ...) [RN_##name] = {a, b, c},
#include "rn_recipe.def"
    };
    return arguments[op][argument] == AVERAGE || arguments[op][argument] == VARIANCE;
}

int recipe_op_arity(rn_recipe_op op) {
    return recipe_ops[op].arity;
}

rn_recipe_op recipe_op_by_name(const char *name) {
    int op = 0;
    while (op < RN_RECIPE_OP_COUNT && strcmp(recipe_ops[op].word, name)) op++;
    return (rn_recipe_op)op;
}

void tensor_data_free(TensorData *data) {
    for (int i = 0; i < data->count; i++) free(data->data[i]);
    free(data->data);
    *data = (TensorData){0};
}

static float *evaluate(const Tensor *tensor, const TensorData *data) {
    rn_recipe_step step = {
        .op = (uint8_t)tensor->op, .type = (uint8_t)tensor->type, .ndim = (uint8_t)tensor->ndim, .real = tensor->real};
    for (int i = 0; i < 4; i++) step.dim[i] = i < tensor->ndim ? tensor->dim[i] : 1;
    for (int i = 0; i < 2; i++) step.integer[i] = tensor->integer[i];
    const float *args[3] = {NULL};
    const int32_t *arg_dims[3] = {NULL};
    int32_t dims[3][4];
    for (int i = 0; i < 3; i++) {
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
