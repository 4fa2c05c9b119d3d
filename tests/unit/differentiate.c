/* The training graph against central differences of the loss it computes, parameter by parameter, for networks of every
 * operation. The interpreter's sums are double, so that what is left is the third derivative's share. */
#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/interpret.h"
#include "graph/irtext.h"
#include "language/ast.h"
#include "passes/differentiate.h"

enum { IMAGES = 3 };

typedef struct Run {
    Arena arena;
    Diag diag;
    Text errors;
    Graph *source, *graph;
    TensorData weights;
    float *images;
    double labels[IMAGES * 4];
    uint64_t seed;
} Run;

static float draw(uint64_t *seed) { /* [-1, 1) */
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(*seed >> 32) / 2147483648.0f;
}

static void run_open(Run *run, const char *layers) {
    *run = (Run){.seed = 7};
    run->diag.capture = &run->errors;
    Source *source = arena_alloc(&run->arena, sizeof *source);
    const char *text = arena_printf(&run->arena, "network t {\n%s\n}\n", layers);
    *source = (Source){"test.rn", text, strlen(text)};
    const Ast *ast = ast_parse_text(&run->arena, source, &run->diag);
    run->source = ast ? elaborate(&run->arena, ast, NULL, 0, &run->diag) : NULL;
    if (run->source) run->graph = differentiate(run->source, &run->arena, &run->diag);
    if (run->errors.size) fprintf(stderr, "%s", run->errors.s);
}

static void fill(Run *run) {
    const Graph *g = run->graph;
    run->weights = (TensorData){calloc((size_t)g->tensor_count, sizeof(float *)), g->tensor_count};
    for (int i = 0; i < g->tensor_count; i++) {
        const Tensor *t = g->tensors[i];
        if (t->op != RN_PARAM) continue;
        float *data = run->weights.data[i] = malloc(sizeof *data * (size_t)tensor_size(t));
        const double scale = t->ndim > 1 ? 1.5 / sqrt((double)tensor_size(t) / t->dim[0]) : 0.3;
        for (int64_t j = 0; j < tensor_size(t); j++) data[j] = (float)((t->ndim == 1) + scale * draw(&run->seed));
    }
    tensor_data_evaluate(g, &run->weights);
    const int64_t size = shape_size(g->input->shape);
    run->images = malloc(sizeof *run->images * (size_t)size * IMAGES);
    for (int64_t i = 0; i < size * IMAGES; i++) run->images[i] = draw(&run->seed);
    for (int n = 0; n < IMAGES; n++) {
        double *label = run->labels + 4 * n;
        label[0] = n % 2, label[1] = (n + 1) % 3, label[2] = n == 1 ? 0.7 : 1, label[3] = 1000 * n + 17;
    }
}

static void run_close(Run *run) {
    tensor_data_free(&run->weights);
    free(run->images);
    text_free(&run->errors);
    arena_free(&run->arena);
}

/* The values of one run; `gradients` of each trained parameter where it is not NULL. Returns the loss. */
static double evaluate(Run *run, double **gradients) {
    const Graph *g = run->graph;
    double **values = calloc((size_t)g->value_count, sizeof *values), loss = 0;
    interpret_batch(g, &run->weights, run->images, run->labels, IMAGES, values, 1);
    for (int n = 0; n < IMAGES; n++) loss += values[g->outputs[g->training->loss]->id][3 * n];
    for (int i = 0; gradients && i < g->training->trained_count; i++) {
        const Trained *t = &g->training->trained[i];
        const Value *value = g->outputs[t->output];
        const size_t count = (size_t)tensor_size(t->param);
        gradients[i] = malloc(sizeof(double) * count);
        memcpy(gradients[i], values[value->id] + (size_t)t->channel * (size_t)value->shape.h * (size_t)value->shape.w,
               sizeof(double) * count);
    }
    for (int i = 0; i < g->value_count; i++) free(values[i]);
    free(values);
    return loss;
}

/* The step is small, so that it crosses no edge, and a power of two, so that it is exact. */
static double difference(Run *run, float *at) {
    const float before = *at, step = 1.0f / 16384;
    *at = before + step;
    const double after = evaluate(run, NULL);
    *at = before - step;
    const double sum = after - evaluate(run, NULL);
    *at = before;
    return sum / (2 * (double)step);
}

/* The text of the graph is the graph: it reads back, to the same text. */
static void check_text(const Graph *graph) {
    Arena arena = {0};
    Diag diag = {0};
    Text once = {0}, twice = {0};
    irtext_print(graph, &once);
    const Source source = {"printed.ir", once.s, once.size};
    const Graph *again = irtext_parse(&arena, &source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(again);
    irtext_print(again, &twice);
    CU_ASSERT_STRING_EQUAL(once.s, twice.s);
    text_free(&once);
    text_free(&twice);
    arena_free(&arena);
}

static void check(const char *layers) {
    Run run;
    run_open(&run, layers);
    CU_ASSERT_PTR_NOT_NULL_FATAL(run.graph);
    check_text(run.graph);
    fill(&run);
    const Training *t = run.graph->training;
    double **gradients = calloc((size_t)t->trained_count, sizeof *gradients);
    for (int i = 0; i < t->trained_count; i++) {
        const int64_t count = tensor_size(t->trained[i].param), every = count > 12 ? count / 12 : 1;
        for (int64_t j = 0; j < count; j += every) {
            float *at = &run.weights.data[t->trained[i].param->id][j];
            *at = roundf(*at * 1024) / 1024; /* so that the steps are exact */
        }
    }
    evaluate(&run, gradients);
    for (int i = 0; i < t->trained_count; i++) {
        const int64_t count = tensor_size(t->trained[i].param), every = count > 12 ? count / 12 : 1;
        double scale = 1e-3;
        for (int64_t j = 0; j < count; j++) scale = fmax(scale, fabs(gradients[i][j]));
        for (int64_t j = 0; j < count; j += every) {
            const double expected = difference(&run, &run.weights.data[t->trained[i].param->id][j]);
            const double error = fabs(gradients[i][j] - expected) / scale;
            if (error > 1e-6)
                fprintf(stderr, "%s: %s[%lld]: %.12g, by differences %.12g\n", layers, t->trained[i].param->name,
                        (long long)j, gradients[i][j], expected);
            CU_ASSERT_TRUE(error <= 1e-6);
        }
        free(gradients[i]);
    }
    free(gradients);
    run_close(&run);
}

static void test_layers(void) {
    check("input 2x5x6\nconv 3, 3x3 pad 1 bias\navgpool global\nfc 3");
    check("input 4x7x6\nconv 6, 3x2 / 2 pad [1, 0, 2, 1] groups 2\ntanh\nconv 3, 3x3 pad 1 / 3 dilate 2\navgpool "
          "global\nfc 4\nsoftmax");
    check("input 3x4x4\nconv 5, 1x1; bn; tanh\nconv 4, 3x3 pad 1; bn; sigmoid\nflatten\nfc 3");
    check("input 3x6x6\nconv 4, 3x3 pad 1; bn; relu\nresidual { conv 4, 3x3 pad 1; bn; tanh; conv 4, 3x3 pad 1; bn "
          "}\nswish\navgpool global\nfc 3");
    check("input 3x6x6\nconv 4, 3x3 pad 1\nmaxpool 3x3 / 2 pad 1\nconv 4, 3x3\navgpool 2x2\nfc 3");
    check("input 3x6x6\nconv 4, 3x3 pad 1\nmaxpool global\nfc 3");
}

void suite_differentiate(void) {
    CU_pSuite suite = CU_add_suite("differentiate", NULL, NULL);
    CU_add_test(suite, "gradients against central differences", test_layers);
}
