/* For tests that run a graph given as text: parse it, give its parameters values, interpret it. */
#ifndef RNC_TEST_IR_RUN_H
#define RNC_TEST_IR_RUN_H

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/irtext.h"
#include "graph/tensor.h"
#include "graph/interpret.h"
#include "graph/ops.h"

typedef struct IrRun {
    Arena arena;
    Source source;
    Graph *graph; /* NULL where the text is wrong: its errors went to stderr */
    TensorData weights;
    double **values;
    uint64_t seed;
} IrRun;

/* The next number of a repeatable sequence, in [-1, 1). */
static inline float ir_run_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(*seed >> 32) / 2147483648.0f;
}

/* Every parameter gets random elements (variances are tests' own business: ir_run_set). */
static inline void ir_run_open(IrRun *run, const char *text) {
    *run = (IrRun){.source = {"test.ir", text, strlen(text)}, .seed = 1};
    Diag diag = {0};
    run->graph = irtext_parse(&run->arena, &run->source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(run->graph);
    tensor_data_evaluate(run->graph, &run->weights);
    for (int i = 0; i < run->graph->tensor_count; i++) {
        const Tensor *tensor = run->graph->tensors[i];
        if (tensor->op != RN_PARAM) continue;
        float *data = malloc(sizeof *data * (size_t)tensor_size(tensor));
        for (int64_t j = 0; j < tensor_size(tensor); j++) data[j] = ir_run_random(&run->seed);
        run->weights.data[i] = data;
    }
}

static inline const Tensor *ir_run_tensor(const IrRun *run, const char *name) {
    for (int i = 0; i < run->graph->tensor_count; i++) {
        const char *found = run->graph->tensors[i]->name;
        if (found && !strcmp(found, name)) return run->graph->tensors[i];
    }
    CU_FAIL_FATAL("no such tensor");
    return NULL;
}

static inline float *ir_run_data(const IrRun *run, const char *name) {
    return run->weights.data[ir_run_tensor(run, name)->id];
}

static inline void ir_run_set(IrRun *run, const char *name, const float *data) {
    memcpy(ir_run_data(run, name), data, sizeof *data * (size_t)tensor_size(ir_run_tensor(run, name)));
}

/* Evaluates the expressions, runs the graph, returns the first output. */
static inline const double *ir_run(IrRun *run, const float *image, int threads) {
    tensor_data_evaluate(run->graph, &run->weights);
    run->values = calloc((size_t)run->graph->value_count, sizeof *run->values);
    interpret(run->graph, &run->weights, image, run->values, threads);
    return run->values[run->graph->outputs[0]->id];
}

static inline void ir_run_close(IrRun *run) {
    for (int i = 0; run->values && i < run->graph->value_count; i++) free(run->values[i]);
    free(run->values);
    tensor_data_free(&run->weights);
    arena_free(&run->arena);
}

/* Whether all elements agree; a NaN agrees with nothing. */
static inline bool ir_run_near(const double *got, const double *expected, int64_t count, double tolerance) {
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(got[i] - expected[i]) <= tolerance * fmax(1, fabs(expected[i])))) {
            fprintf(stderr, "element %lld: %.17g instead of %.17g\n", (long long)i, got[i], expected[i]);
            return false;
        }
    return true;
}

#endif
