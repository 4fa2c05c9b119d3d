/* The interpreter trains: a residual network of four channels learns four made-up classes of pictures by stochastic
 * gradient descent over its training graph, and knows new pictures as a graph of inference, with the running statistics
 * that training left. Frozen layers stay as they were. */
#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/interpret.h"
#include "language/ast.h"
#include "passes/differentiate.h"
#include "passes/passes.h"

enum { SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 4, BATCH = 16, STEPS = 60, NEW = 64 };

static const char network[] = "block basic(width) {\n"
                              "    residual {\n"
                              "        conv width, 3x3 /stride; bn; relu\n"
                              "        conv width, 3x3; bn\n"
                              "    } shortcut project\n"
                              "    relu\n"
                              "}\n"
                              "network r {\n"
                              "    input 1x8x8\n"
                              "    conv 4, 3x3; bn; relu\n"
                              "    stage 1 basic(4)\n"
                              "    stage 1 basic(4) /2\n"
                              "    avgpool global; fc 4; softmax\n"
                              "}\n"
                              "train { loss crossentropy smooth 0.05; batch 16; sgd lr 0.1; stop at 60 %s }\n";

typedef struct Learner {
    Arena arena;
    Graph *source, *graph;
    TensorData weights;
    double **momentum; /* by trained parameter */
    uint64_t seed;
} Learner;

static double draw(uint64_t *seed) { /* [0, 1) */
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 32) / 4294967296.0;
}

/* Waves from side to side, from top to bottom, along a diagonal, and rings, each from a drawn place on, in noise. */
static void draw_picture(Learner *l, int class, float *picture) {
    const double phase = 6.2832 * draw(&l->seed), x0 = SIDE * draw(&l->seed), y0 = SIDE * draw(&l->seed);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const double along[CLASSES] = {x, y, (x + y) / 1.4142, hypot(x - x0, y - y0)};
            picture[y * SIDE + x] = (float)(sin(1.8 * along[class] + phase) + 0.6 * (draw(&l->seed) - 0.5));
        }
}

static void open_learner(Learner *l, const char *more) {
    *l = (Learner){.seed = 5};
    Diag diag = {0};
    Source *source = arena_alloc(&l->arena, sizeof *source);
    const char *text = arena_printf(&l->arena, network, more);
    *source = (Source){"learn.rn", text, strlen(text)};
    const Ast *ast = ast_parse_text(&l->arena, source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ast);
    l->source = elaborate(&l->arena, ast, NULL, 0, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(l->source);
    l->graph = differentiate(l->source, &l->arena, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(l->graph);
    const PassOptions passes = {.level = 2};
    passes_run(l->graph, &passes);
    const Training *t = l->graph->training;
    l->momentum = arena_alloc(&l->arena, sizeof *l->momentum * (size_t)t->trained_count);
    for (int i = 0; i < t->trained_count; i++)
        l->momentum[i] = arena_alloc(&l->arena, sizeof(double) * (size_t)tensor_size(t->trained[i].param));
    l->weights = (TensorData){calloc((size_t)l->graph->tensor_count, sizeof(float *)), l->graph->tensor_count};
    for (int i = 0; i < l->graph->tensor_count; i++) {
        const Tensor *tensor = l->graph->tensors[i];
        if (tensor->op != RN_PARAM) continue;
        const int64_t size = tensor_size(tensor);
        const char *end = strrchr(tensor->name, '.');
        const bool one = tensor->ndim == 1 && (!strcmp(end, ".weight") || !strcmp(end, ".running_var"));
        const double limit = sqrt(6.0 * tensor->dim[0] / (double)size); /* He's variance */
        float *data = l->weights.data[i] = malloc(sizeof *data * (size_t)size);
        for (int64_t j = 0; j < size; j++) data[j] = tensor->ndim > 1 ? (float)(limit * (2 * draw(&l->seed) - 1)) : one;
    }
}

static void close_learner(Learner *l) {
    tensor_data_free(&l->weights);
    arena_free(&l->arena);
}

static const double *gradient_of(const Learner *l, double **values, const Trained *t) {
    const Value *value = l->graph->outputs[t->output];
    return values[value->id] + (size_t)t->channel * (size_t)value->shape.h * (size_t)value->shape.w;
}

/* With momentum 0.9; the gradients are of the sum of the losses. */
static void update(Learner *l, double **values) {
    const Training *t = l->graph->training;
    for (int i = 0; i < t->trained_count; i++) {
        const double *gradient = gradient_of(l, values, &t->trained[i]);
        for (int64_t j = 0; j < tensor_size(t->trained[i].param); j++) {
            l->momentum[i][j] = 0.9 * l->momentum[i][j] + gradient[j] / BATCH;
            l->weights.data[t->trained[i].param->id][j] -= (float)(0.05 * l->momentum[i][j]);
        }
    }
    for (int i = 0; i < t->running_count; i++) {
        const Running *r = &t->running[i];
        const double *stats = values[l->graph->outputs[r->output]->id];
        const int c = r->mean->dim[0];
        for (int k = 0; k < c; k++) {
            const double count = stats[2 * c + k];
            float *mean = &l->weights.data[r->mean->id][k], *var = &l->weights.data[r->var->id][k];
            *mean += (float)(r->momentum * (stats[k] - *mean));
            *var += (float)(r->momentum * (stats[c + k] * count / (count - 1) - *var));
        }
    }
}

/* Returns the mean loss. */
static double step(Learner *l) {
    const Graph *g = l->graph;
    float images[BATCH * PIXELS];
    double labels[BATCH * 4], loss = 0, **values = calloc((size_t)g->value_count, sizeof *values);
    for (int n = 0; n < BATCH; n++) {
        const double label[4] = {n % CLASSES, n % CLASSES, 1, n};
        memcpy(labels + 4 * n, label, sizeof label);
        draw_picture(l, n % CLASSES, images + (size_t)n * PIXELS);
    }
    tensor_data_evaluate(g, &l->weights);
    interpret_batch(g, &l->weights, images, labels, BATCH, values, 1);
    for (int n = 0; n < BATCH; n++) loss += values[g->outputs[g->training->loss]->id][3 * n] / BATCH;
    update(l, values);
    for (int i = 0; i < g->value_count; i++) free(values[i]);
    free(values);
    return loss;
}

/* How many of new pictures the network takes for others. */
static int count_errors(Learner *l) {
    const Graph *g = l->source;
    int errors = 0;
    double **values = calloc((size_t)g->value_count, sizeof *values);
    for (int n = 0; n < NEW; n++) {
        float picture[PIXELS];
        draw_picture(l, n % CLASSES, picture);
        interpret(g, &l->weights, picture, values, 1);
        const double *p = values[g->outputs[0]->id];
        int likeliest = 0;
        for (int k = 1; k < CLASSES; k++)
            if (p[k] > p[likeliest]) likeliest = k;
        errors += likeliest != n % CLASSES;
        for (int i = 0; i < g->value_count; i++) free(values[i]);
    }
    free(values);
    return errors;
}

static void test_learns(void) {
    Learner l;
    open_learner(&l, "");
    double first = 0, last = 0;
    for (int i = 0; i < STEPS; i++) {
        const double loss = step(&l);
        if (i < 5) first += loss / 5;
        if (i >= STEPS - 5) last += loss / 5;
    }
    const int errors = count_errors(&l);
    CU_ASSERT_TRUE(first > 1.0);
    CU_ASSERT_TRUE(last < 0.5);
    CU_ASSERT_TRUE(errors <= NEW / 10);
    if (!(last < 0.5 && errors <= NEW / 10))
        fprintf(stderr, "loss %g to %g, %d errors of %d\n", first, last, errors, NEW);
    close_learner(&l);
}

/* ---- frozen layers ---- */

static bool is_below(const char *name, const char *folder) {
    return !strncmp(name, folder, strlen(folder));
}

/* The stem and the first stage: no gradient of theirs is computed, nor any that only they would need, and their batch
 * norms' statistics stay; what comes after them learns all the same. */
static void test_frozen(void) {
    Learner l, free_learner;
    open_learner(&l, "; freeze conv1, bn1, layer1");
    open_learner(&free_learner, "");
    const Training *t = l.graph->training;
    int trained = 0;
    for (int i = 0; i < free_learner.graph->training->trained_count; i++) {
        const char *name = free_learner.graph->training->trained[i].param->name;
        trained += is_below(name, "layer2") || is_below(name, "fc");
    }
    CU_ASSERT_EQUAL(t->trained_count, trained);
    CU_ASSERT_EQUAL(t->running_count, 3); /* of the second stage, whose shortcut has one */
    for (int i = 0; i < l.graph->node_count; i++) {
        const Node *node = l.graph->nodes[i];
        CU_ASSERT_FALSE(node->backward && (is_below(node->name, "conv1") || is_below(node->name, "bn1") ||
                                           is_below(node->name, "layer1") || is_below(node->name, "relu ")));
        /* of the first layers behind them the weights' gradient is wanted, not the data's */
        CU_ASSERT_FALSE(!strcmp(node->name, "layer2.0.conv1 data") ||
                        !strcmp(node->name, "layer2.0.downsample.0 data"));
    }
    float **before = calloc((size_t)l.weights.count, sizeof *before);
    for (int i = 0; i < l.weights.count; i++) {
        if (l.graph->tensors[i]->op != RN_PARAM) continue;
        const size_t bytes = sizeof(float) * (size_t)tensor_size(l.graph->tensors[i]);
        before[i] = malloc(bytes);
        memcpy(before[i], l.weights.data[i], bytes);
    }
    const double first = step(&l);
    double last = 0;
    for (int i = 1; i < 20; i++) last = step(&l);
    CU_ASSERT_TRUE(last < first);
    for (int i = 0; i < l.weights.count; i++) {
        if (!before[i]) continue;
        const char *name = l.graph->tensors[i]->name;
        const bool frozen = is_below(name, "conv1") || is_below(name, "bn1") || is_below(name, "layer1");
        const size_t bytes = sizeof(float) * (size_t)tensor_size(l.graph->tensors[i]);
        CU_ASSERT_EQUAL(!memcmp(before[i], l.weights.data[i], bytes), frozen);
        free(before[i]);
    }
    free(before);
    close_learner(&l);
    close_learner(&free_learner);
}

void suite_learn(void) {
    CU_pSuite suite = CU_add_suite("learn", NULL, NULL);
    CU_add_test(suite, "a residual network learns by the interpreter", test_learns);
    CU_add_test(suite, "frozen layers stay", test_frozen);
}
