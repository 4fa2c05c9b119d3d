/* Random weights: the same for a seed, whatever the threads; every layer's result stays finite and of a usable size, on
 * pictures other than those of the calibration too, in deep networks, without batch norm, and on 1x1 images. */
#include "graph/tensor.h"
#include "graph/interpret.h"
#include "load/load.h"
#include "passes/passes.h"

#include "nets.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdlib.h>

static void test_deterministic(void) {
    Arena arena = {0};
    Graph *graph = net_resnet(&arena, "net", 16, (int[]){2, 1, 1}, 3, true);
    TensorData a, b, other;
    weights_random(graph, 5, &a, 1);
    weights_random(graph, 5, &b, 3);
    weights_random(graph, 6, &other, 1);
    CU_ASSERT_EQUAL(a.count, graph->tensor_count);
    int differ = 0;
    for (int i = 0; i < graph->tensor_count; i++) {
        const size_t size = (size_t)tensor_size(graph->tensors[i]) * sizeof(float);
        CU_ASSERT(memcmp(a.data[i], b.data[i], size) == 0);
        differ += memcmp(a.data[i], other.data[i], size) != 0;
    }
    CU_ASSERT_EQUAL(differ, graph->tensor_count);
    /* and the same on every machine: numbers that must not change from one release to the next without being noticed */
    const float *weight = a.data[graph->nodes[0]->term[0].weight->id];
    CU_ASSERT(weight[3] == -0x1.195aaap-4f && weight[4] == 0x1.d45d56p-2f);
    const Node *bn = graph->nodes[32]; /* the last: what it saw came through the whole network */
    CU_ASSERT_FATAL(bn->op == OP_BN);
    CU_ASSERT_EQUAL(a.data[bn->weight[VAR]->id][3], 0x1.f7cap-2f);
    tensor_data_free(&a), tensor_data_free(&b), tensor_data_free(&other);
    arena_free(&arena);
}

/* Convolutions before a batch norm keep He's variance; every parameter is where docs/weights.md says. */
static void test_distributions(void) {
    Arena arena = {0};
    Graph *graph = net_resnet(&arena, "net", 16, (int[]){2, 2, 2}, 3, true);
    TensorData data;
    int branches = 0;
    weights_random(graph, 1, &data, 2);
    for (int n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        if (node->op == OP_BN) {
            const Node *sum = value_only_user(graph, node->out);
            const int branch = sum && sum->op == OP_ADD && sum->in[0] == node->out;
            const float part = branch ? 0.2f : 1; /* a branch adds little to its shortcut */
            branches += branch;
            for (int k = 0; k < node->in[0]->shape.c; k++) {
                const float w = data.data[node->weight[WEIGHT]->id][k], b = data.data[node->weight[BIAS]->id][k];
                const float var = data.data[node->weight[VAR]->id][k];
                CU_ASSERT(w >= 0.799f * part && w <= 1.201f * part && fabsf(b) <= 0.1f && var > 0 && isfinite(var));
                CU_ASSERT(isfinite(data.data[node->weight[MEAN]->id][k]));
            }
        } else if (node->op == OP_CONV) {
            const Tensor *t = node->term[0].weight;
            const int64_t size = tensor_size(t);
            double sum = 0, squares = 0, cubes = 0, fourths = 0;
            for (int64_t i = 0; i < size; i++) {
                const double x = data.data[t->id][i];
                sum += x, squares += x * x, cubes += x * x * x, fourths += x * x * x * x;
            }
            const double variance = squares / size, he = 2.0 / ((double)size / t->dim[0]),
                         error = 4 / sqrt((double)size);
            CU_ASSERT(fabs(sum / size) <= error * sqrt(he));
            CU_ASSERT(fabs(variance / he - 1) <= 1.5 * error);
            CU_ASSERT(fabs(cubes / size) <= 4 * error * pow(he, 1.5));
            CU_ASSERT(fabs(fourths / size / (he * he) - 2.85) <=
                      10 * error); /* a normal one's is 3, eight uniforms' 2.85 */
        }
    }
    CU_ASSERT_EQUAL(branches, 6);
    tensor_data_free(&data);
    arena_free(&arena);
}

/* Root mean square of every value on a picture of white noise, another than the calibration's. */
static void measure(const Graph *graph, double *least, double *most, double *output) {
    TensorData data;
    weights_random(graph, 3, &data, 2);
    const int64_t size = shape_size(graph->input->shape);
    float *image = malloc((size_t)size * sizeof *image);
    unsigned seed = 99;
    for (int64_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        image[i] = ((float)(seed >> 8) * 0x1p-23f - 1) * 1.7320508f; /* mean 0, variance 1 */
    }
    double **values = calloc((size_t)graph->value_count, sizeof *values);
    interpret(graph, &data, image, values, 2);
    *least = INFINITY, *most = 0;
    for (int i = 0; i < graph->value_count; i++) {
        if (!values[i]) continue; /* fused away */
        double squares = 0;
        const int64_t count = shape_size(graph->values[i]->shape);
        for (int64_t j = 0; j < count; j++) squares += values[i][j] * values[i][j];
        const double rms = sqrt(squares / (double)count);
        if (!(rms >= *least)) *least = rms; /* NaN stays */
        if (!(rms <= *most)) *most = rms;
        if (graph->values[i] == graph->outputs[0]) *output = rms;
        free(values[i]);
    }
    free(values), free(image);
    tensor_data_free(&data);
}

static void check_range(Graph *graph, Arena *arena, double low, double high) {
    double least = 0, most = 0, output = 0; /* what measure() never met fails */
    measure(graph, &least, &most, &output);
    const int fine = least >= low && most <= high && output >= 0.1 && output <= high;
    if (!fine) printf("%s: rms %g to %g, output %g\n", graph->name, least, most, output);
    CU_ASSERT(fine);
    arena_free(arena);
}

static void test_sizes(void) {
    Arena arena = {0};
    check_range(net_resnet(&arena, "basic, batch norm, 32 blocks a stage", 8, (int[]){32, 32, 32}, 3, true), &arena,
                0.1, 60);
    check_range(net_resnet(&arena, "basic, 32 blocks a stage", 8, (int[]){32, 32, 32}, 3, false), &arena, 0.05, 60);
    check_range(net_resnet(&arena, "bottleneck", 32, (int[]){2, 2, 3, 2}, 4, true), &arena, 0.1, 60);
}

/* Plain stacks: nothing carries the signal but the weights' scale. */
static void test_plain(void) {
    for (int normalise = 0; normalise < 2; normalise++)
        for (int size = 1; size <= 9; size += 8) {
            Arena arena = {0};
            Graph *graph = net_new(&arena, normalise ? "plain, batch norm" : "plain", (Shape){3, size, size});
            Value *x = graph->input;
            for (int i = 0; i < 60; i++) {
                x = net_conv(graph, x, 24, i % 2 ? 1 : 3, 1, i % 3 || i == 0 ? 1 : 4, !normalise);
                if (normalise) x = net_op(graph, OP_BN, x, NULL);
                x = net_op(graph, i % 4 == 3 ? OP_PRELU : OP_RELU, x, NULL);
            }
            x = net_op(graph, OP_SCALE, x, NULL);
            graph_add_output(graph, net_fc(graph, x, 5));
            check_range(graph, &arena, 0.05, 20);
        }
}

/* Graphs that were folded and fused, as a .ir file may hold them: weights are expressions, values come from epilogues.
 */
static void test_fused(void) {
    for (int level = 0; level <= 2; level++)
        for (int normalise = 0; normalise < 2; normalise++) {
            Arena arena = {0};
            Graph *graph = net_resnet(&arena, "fused", 16, (int[]){4, 4, 4}, 3, normalise);
            passes_run(graph, &(PassOptions){.level = level});
            check_range(graph, &arena, 0.05, 20);
        }
}

/* A weight that is rounded is drawn as a weight: by its fan-in, not as a number near zero. */
static void test_rounded(void) {
    Arena arena = {0};
    Graph *graph = net_new(&arena, "net", (Shape){4, 1, 1});
    graph_add_output(graph, net_fc(graph, graph->input, 200));
    PassOptions passes = {.level = 2};
    CU_ASSERT_TRUE_FATAL(pass_option_set(&passes, "store-bf16"));
    passes_run(graph, &passes);
    const Tensor *rounded = graph->nodes[0]->term[0].weight;
    CU_ASSERT_FATAL(rounded->op == RN_CAST && rounded->type == RN_BF16);
    TensorData data;
    weights_random(graph, 1, &data, 1);
    const float *weight = data.data[rounded->arg[0]->id];
    double squares = 0, fourths = 0;
    for (int i = 0; i < 800; i++) squares += weight[i] * weight[i], fourths += pow(weight[i], 4);
    CU_ASSERT(fourths * 800 / (squares * squares) > 2.3); /* normal: about 3; uniform: 1.8 */
    tensor_data_free(&data);
    arena_free(&arena);
}

/* A second reader, several outputs, dead ends: values are released once and not before their last use (sanitizers see).
 */
static void test_lifetimes(void) {
    Arena arena = {0};
    Graph *graph = net_new(&arena, "net", (Shape){2, 5, 5});
    Value *a = net_conv(graph, graph->input, 4, 3, 1, 1, true), *b = net_op(graph, OP_ADD, a, a);
    net_op(graph, OP_RELU, b, NULL); /* nobody reads it */
    Value *c = net_op(graph, OP_MUL, a, net_op(graph, OP_SIGMOID, b, NULL));
    graph_add_output(graph, a);
    graph_add_output(graph, c);
    TensorData data;
    weights_random(graph, 0, &data, 1);
    for (int i = 0; i < graph->tensor_count; i++) CU_ASSERT_PTR_NOT_NULL(data.data[i]);
    tensor_data_free(&data);
    arena_free(&arena);
}

/* A conv and the network itself see constant input: no division by zero. */
static void test_constant(void) {
    Arena arena = {0};
    Graph *graph = net_new(&arena, "net", (Shape){1, 4, 4});
    graph->preprocess.given = true;
    graph->preprocess.range = 1e-30; /* the picture vanishes */
    graph->preprocess.std[0] = 1;
    Value *x = net_op(graph, OP_BN, net_conv(graph, graph->input, 3, 3, 1, 1, false), NULL);
    graph_add_output(graph, net_conv(graph, x, 2, 1, 1, 1, false));
    TensorData data;
    weights_random(graph, 0, &data, 1);
    for (int i = 0; i < graph->tensor_count; i++)
        for (int64_t j = 0; j < tensor_size(graph->tensors[i]); j++) CU_ASSERT(isfinite(data.data[i][j]));
    const float *var = data.data[graph->nodes[1]->weight[VAR]->id];
    CU_ASSERT(var[0] > 0 && var[1] > 0 && var[2] > 0);
    tensor_data_free(&data);
    arena_free(&arena);
}

void suite_random_weights(void) {
    CU_pSuite suite = CU_add_suite("random weights", NULL, NULL);
    CU_add_test(suite, "a seed's weights", test_deterministic);
    CU_add_test(suite, "distributions", test_distributions);
    CU_add_test(suite, "residual networks keep their size", test_sizes);
    CU_add_test(suite, "plain networks keep their size", test_plain);
    CU_add_test(suite, "fused networks keep their size", test_fused);
    CU_add_test(suite, "weights that are rounded", test_rounded);
    CU_add_test(suite, "shared, unused and output values", test_lifetimes);
    CU_add_test(suite, "constant input", test_constant);
}
