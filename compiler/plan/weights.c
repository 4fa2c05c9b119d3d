/* Weights: the recipe (runtime/rn_recipe.h) that makes the packed file from the source's tensors, in the order in which
 * the steps read them, and the steps' offsets into it. A tensor's expression becomes one step however often it is used.
 */
#include "weights.h"

#include <string.h>

#include "algorithms.h"
#include "step.h"

int weights_recipe_step(Plan *plan, rn_recipe_step step) {
    ARENA_PUSH(plan->arena, plan->recipe_steps, plan->recipe.count, plan->recipe_capacity, step);
    return plan->recipe.count - 1;
}

int weights_tensor(Plan *plan, const Tensor *t) {
    if (plan->tensor_step[t->id] >= 0) return plan->tensor_step[t->id];
    rn_recipe_step step = {.op = (uint8_t)t->op, .type = (uint8_t)t->type, .ndim = (uint8_t)t->ndim, .real = t->real};
    for (int i = 0; i < t->nargs; i++) step.arg[i] = weights_tensor(plan, t->arg[i]);
    for (int i = 0; i < 4; i++) step.dim[i] = i < t->ndim ? t->dim[i] : 1;
    step.integer[0] = t->integer[0];
    step.integer[1] = t->integer[1];
    if (t->op == RN_PARAM) step.name = t->name;
    return plan->tensor_step[t->id] = weights_recipe_step(plan, step);
}

/* Appends the packing to the recipe; returns how many bytes it writes, from `offset` on. */
static size_t add_packing(Plan *plan, rn_recipe_step step) {
    step.offset = plan->recipe.packed_size;
    const size_t bytes = rn_recipe_pack_size(&step);
    weights_recipe_step(plan, step);
    plan->recipe.packed_size = (uint64_t)round_up_bytes((int64_t)(step.offset + bytes));
    return bytes;
}

void weights_pack(Plan *plan, Step *step, Role role, rn_recipe_op op, rn_dtype type, int arg, const int32_t dim[4],
                  const int32_t integer[4]) {
    const int64_t offset = (int64_t)plan->recipe.packed_size;
    rn_recipe_step recipe = {.op = (uint8_t)op, .type = (uint8_t)type, .ndim = 4, .arg = {arg}};
    memcpy(recipe.dim, dim, sizeof recipe.dim);
    if (integer) memcpy(recipe.integer, integer, sizeof recipe.integer);
    const size_t bytes = add_packing(plan, recipe);
    const Operand operand = {
        .role = role, .room = ROOM_WEIGHTS, .type = type, .offset = offset, .bytes = (int64_t)bytes};
    ARENA_PUSH(plan->arena, step->operands, step->operand_count, step->operand_capacity, operand);
}

void weights_pack_vector(Plan *plan, Step *step, Role role, const Tensor *t) {
    if (!t) return;
    const int32_t dim[4] = {(int32_t)tensor_size(t), 1, 1, 1};
    weights_pack(plan, step, role, RN_PACK_VECTOR, RN_F32, weights_tensor(plan, t), dim, NULL);
}

void weights_of_epilogue(Plan *plan, Step *step) {
    weights_pack_vector(plan, step, OPERAND_BIAS, step->epilogue.bias);
    weights_pack_vector(plan, step, OPERAND_SLOPE, step->epilogue.prelu);
}

/* Behind all that steps read: run_rgb alone reads it. */
static void pack_mean_image(Plan *plan) {
    const Tensor *mean = plan->graph->preprocess.mean_image;
    plan->mean_image = mean ? (int64_t)plan->recipe.packed_size : -1;
    if (!mean) return;
    add_packing(plan, (rn_recipe_step){.op = RN_PACK_VECTOR,
                                       .type = RN_F32,
                                       .ndim = 4,
                                       .arg = {weights_tensor(plan, mean)},
                                       .dim = {(int32_t)tensor_size(mean), 1, 1, 1}});
}

void plan_weights(Plan *plan) {
    const Graph *g = plan->graph;
    plan->tensor_step = arena_alloc(plan->arena, ((size_t)g->tensor_count + 1) * sizeof *plan->tensor_step);
    for (int i = 0; i < g->tensor_count; i++) plan->tensor_step[i] = -1;
    for (int i = 0; i < plan->step_count; i++) {
        Step *s = &plan->steps[i];
        const AlgorithmInfo *row = algorithm_info(s->algorithm);
        if (row->pack) row->pack(plan, s);
    }
    pack_mean_image(plan);
    plan->recipe.steps = plan->recipe_steps;
    plan->recipe.hash = rn_recipe_hash(plan->recipe_steps, plan->recipe.count);
}
