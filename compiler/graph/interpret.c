/* The reference interpreter: runs a graph by the ops' definitions (ops/ *.c) and this file's definition of an epilogue.
 *
 *     out = pool(act(op(inputs) + bias + addend))
 *
 * It is the oracle of every test, so it knows nothing of layouts, buffers or order: each value gets memory of its own,
 * planar C x H x W doubles, whatever `home` and `in_place` say.
 */
#include "tensor.h"
#include "act.h"
#include "interpret.h"
#include "ops.h"
#include "graph/ops/rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double *new_value(Shape shape) {
    double *data = malloc(sizeof *data * (size_t)shape_size(shape));
    if (!data) out_of_memory();
    return data;
}

/* The addend at (c, y, x) of the result: strided, and zero beyond a partial addend's end. */
static double addend_at(const Epilogue *epilogue, const double *addend, int c, int y, int x) {
    Shape shape = epilogue->addend->shape;
    int row = y * epilogue->addend_stride, column = x * epilogue->addend_stride;
    if (c >= shape.c || row >= shape.h || column >= shape.w) return 0;
    return addend[((size_t)c * shape.h + row) * shape.w + column];
}

/* Bias, addend and activation, in place on the op's own result. */
static void apply_epilogue(const Node *node, Shape shape, const double *addend, double *data,
                           const TensorData *weights) {
    const Epilogue *epilogue = &node->epilogue;
    const float *bias = epilogue->bias ? rule_weight(node, weights, epilogue->bias) : NULL;
    const float *prelu = epilogue->prelu ? rule_weight(node, weights, epilogue->prelu) : NULL;
    for (int c = 0; c < shape.c; c++) {
        const ActNumbers numbers = prelu ? (ActNumbers){.p = prelu[c]} : epilogue->numbers;
        for (int y = 0; y < shape.h; y++)
            for (int x = 0; x < shape.w; x++) {
                double *element = &data[((size_t)c * shape.h + y) * shape.w + x];
                double sum = *element;
                if (bias) sum += bias[c];
                if (addend) sum += addend_at(epilogue, addend, c, y, x);
                *element = act_apply(epilogue->act, sum, numbers);
            }
    }
}

static double *apply_pool(const Node *node, Shape shape, const double *data) {
    double *out = new_value(node->out->shape);
    if (node->epilogue.pool == POOL_MAX) {
        reference_maxpool(&node->epilogue.pool_window, shape, data, node->out->shape, out);
        return out;
    }
    int64_t pixels = (int64_t)shape.h * shape.w;
    for (int c = 0; c < shape.c && node->epilogue.pool == POOL_GLOBAL_MAX; c++) {
        out[c] = -INFINITY;
        for (int64_t i = 0; i < pixels; i++)
            if (data[c * pixels + i] > out[c] || isnan(data[c * pixels + i])) out[c] = data[c * pixels + i];
    }
    for (int c = 0; c < shape.c && node->epilogue.pool == POOL_GLOBAL_AVG; c++) {
        double sum = 0;
        for (int64_t i = 0; i < pixels; i++) sum += data[c * pixels + i];
        out[c] = sum / (double)pixels;
    }
    return out;
}

double *interpret_epilogue(const Node *node, double *data, const double *addend, const TensorData *weights) {
    Shape shape = node_unpooled_shape(node);
    apply_epilogue(node, shape, addend, data, weights);
    if (node->epilogue.pool == POOL_NONE) return data;
    double *pooled = apply_pool(node, shape, data);
    free(data);
    return pooled;
}

static void run_node(const Node *node, const TensorData *weights, double **values, int threads) {
    const double **in = malloc(sizeof *in * (size_t)node->nin);
    if (!in) out_of_memory();
    for (int i = 0; i < node->nin; i++) in[i] = values[node->in[i]->id];
    double *data = new_value(node_unpooled_shape(node));
    op_info(node->op)->reference(node, in, data, weights, threads);
    free(in);
    const double *addend = node->epilogue.addend ? values[node->epilogue.addend->id] : NULL;
    values[node->out->id] = interpret_epilogue(node, data, addend, weights);
}

int64_t interpret_place(const Value *value, int64_t i) {
    const int64_t pixels = (int64_t)value->shape.h * value->shape.w;
    return value->channels_last ? i % pixels * value->shape.c + i / pixels : i;
}

void interpret(const Graph *graph, const TensorData *weights, const float *image, double **values, int threads) {
    for (int i = 0; i < graph->value_count; i++) values[i] = NULL;
    double *input = new_value(graph->input->shape);
    for (int64_t i = 0; i < shape_size(graph->input->shape); i++) input[i] = image[interpret_place(graph->input, i)];
    values[graph->input->id] = input;
    for (int i = 0; i < graph->node_count; i++) run_node(graph->nodes[i], weights, values, threads < 1 ? 1 : threads);
}

/* ---- batches ---- */

static size_t value_elements(const Value *value, int images) {
    return (size_t)shape_size(value->shape) * (size_t)(value->all ? 1 : images);
}

static double *new_batch(const Value *value, int images) {
    double *data = malloc(sizeof *data * value_elements(value, images));
    if (!data) out_of_memory();
    return data;
}

/* A node's value of image n. */
static void run_image(const Node *node, const TensorData *weights, double *const *values, int n) {
    const double **in = malloc(sizeof *in * (size_t)node->nin);
    if (!in) out_of_memory();
    for (int i = 0; i < node->nin; i++)
        in[i] = values[node->in[i]->id] + (node->in[i]->all ? 0 : (size_t)n * (size_t)shape_size(node->in[i]->shape));
    double *data = new_value(node_unpooled_shape(node));
    op_info(node->op)->reference(node, in, data, weights, 1);
    const Value *addend = node->epilogue.addend;
    const double *added =
        addend ? values[addend->id] + (addend->all ? 0 : (size_t)n * (size_t)shape_size(addend->shape)) : NULL;
    data = interpret_epilogue(node, data, added, weights);
    const size_t size = (size_t)shape_size(node->out->shape);
    memcpy(values[node->out->id] + (node->out->all ? 0 : n * size), data, size * sizeof *data);
    free(data);
    free(in);
}

static void run_batch(const Node *node, const TensorData *weights, int images, double *const *values, int threads) {
    const OpInfo *info = op_info(node->op);
    if (info->flags & OPF_BATCH) {
        const double *in[NODE_MAX_TERMS];
        for (int i = 0; i < node->nin; i++) in[i] = values[node->in[i]->id];
        info->reduce(node, in, images, values[node->out->id]);
        return;
    }
    const int calls = node->out->all ? 1 : images;
#pragma omp parallel for num_threads(threads)
    for (int n = 0; n < calls; n++) run_image(node, weights, values, n);
}

void interpret_batch(const Graph *graph, const TensorData *weights, const float *image, const double *labels,
                     int images, double **values, int threads) {
    for (int i = 0; i < graph->value_count; i++) values[i] = NULL;
    double *input = values[graph->input->id] = new_batch(graph->input, images);
    for (size_t i = 0; i < value_elements(graph->input, images); i++) input[i] = image[i];
    if (graph->training) {
        const Value *value = graph->training->labels;
        values[value->id] = new_batch(value, images);
        memcpy(values[value->id], labels, sizeof *labels * value_elements(value, images));
    }
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        values[node->out->id] = new_batch(node->out, images);
        run_batch(node, weights, images, values, threads < 1 ? 1 : threads);
    }
}

double **interpret_image(const Graph *graph, const TensorData *weights, const float *image, int threads) {
    double **values = calloc((size_t)graph->value_count, sizeof *values);
    if (!values) out_of_memory();
    interpret(graph, weights, image, values, threads);
    return values;
}

void interpret_free(const Graph *graph, double **values) {
    for (int i = 0; values && i < graph->value_count; i++) free(values[i]);
    free(values);
}
