#include "trainer_case.h"

#include <CUnit/CUnit.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emitted.h"
#include "graph/interpret.h"
#include "language/ast.h"
#include "passes/differentiate.h"
#include "passes/passes.h"
#include "runtime/train/philox.h"

int trainer_stride(void) {
    return getenv("SANITIZED") ? 3 : 1;
}

static float draw(uint64_t *seed) { /* [-1, 1) */
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(*seed >> 32) / 2147483648.0f;
}

static void write_case(const TrainerCase *c, const char *folder, const Plan *inference, rn_isa isa, Kernels kernels) {
    Text code = {0}, header = {0};
    const EmitOptions emit = {.name = c->name,
                              .target = {kernels, {isa}, 1},
                              .command = "test",
                              .source_hash = "0",
                              .header_name = arena_printf(&((TrainerCase *)c)->arena, "%s.h", c->name),
                              .training = c->plan};
    emit_c(inference, &emit, &code);
    emit_h(inference, &emit, &header);
    CU_ASSERT(folder_write(folder, c->name, "c", &code));
    CU_ASSERT(folder_write(folder, c->name, "h", &header));
    text_free(&code);
    text_free(&header);
}

TrainerCase *trainer_add_case(TrainerCases *all, int batch, bool winograd, Recompute mode) {
    if (!all->count) {
        strcpy(all->folder, "/tmp/rnc-training-XXXXXX");
        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(all->folder));
    }
    CU_ASSERT_FATAL(all->count < CASES_MOST);
    TrainerCase *c = all->cases[all->count++] = calloc(1, sizeof *c);
    snprintf(c->name, sizeof c->name, "t%d", all->count);
    c->seed = 5;
    c->count = batch;
    c->recompute = mode;
    c->winograd = winograd;
    return c;
}

void trainer_write(TrainerCase *c, const char *folder, int batch, rn_isa isa, Kernels kernels, int level) {
    Diag diag = {0};
    Graph *trained = differentiate(c->source, &c->arena, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(trained);
    c->graph = graph_clone(trained, &c->arena);
    const PassOptions passes = {.level = level};
    passes_run(c->graph, &passes);
    Graph *inference = graph_clone(c->source, &c->arena);
    passes_run(inference, &passes);
    PlanOptions options = {.isa = isa,
                           .fuse = level > 0,
                           .batch = 1,
                           .reuse_memory = level > 0,
                           .winograd = level > 0,
                           .strassen = level > 0};
    const Plan *plan = plan_make(&c->arena, inference, &options);
    options.batch = batch;
    options.winograd = c->winograd;
    recompute(c->graph, c->recompute, 2);
    c->plan = plan_training(&c->arena, c->graph, c->source, &options, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c->plan);
    write_case(c, folder, plan, isa, kernels);
}

TrainerCase *trainer_add(TrainerCases *all, const char *layers, int batch, rn_isa isa, Kernels kernels, bool winograd,
                         Recompute mode) {
    TrainerCase *c = trainer_add_case(all, batch, winograd, mode);
    c->layers = layers;
    Diag diag = {0};
    Source *source = arena_alloc(&c->arena, sizeof *source);
    const char *train = strstr(layers, "train {") ? "" : "}\ntrain {\n loss crossentropy\n"; /* else it goes on */
    const char *text =
        arena_printf(&c->arena, "network t {\n%s\n%s batch %d\n sgd lr 0.1\n stop at 10\n}\n", layers, train, batch);
    *source = (Source){"test.rn", text, strlen(text)};
    const Ast *ast = ast_parse_text(&c->arena, source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ast);
    c->source = elaborate(&c->arena, ast, NULL, 0, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c->source);
    trainer_write(c, all->folder, batch, isa, kernels, 2);
    return c;
}

void trainer_fill(TrainerCase *c) {
    const Graph *g = c->graph;
    const int count = c->count;
    c->weights = (TensorData){calloc((size_t)g->tensor_count, sizeof(float *)), g->tensor_count};
    for (int i = 0; i < g->tensor_count; i++) {
        const Tensor *t = g->tensors[i];
        if (t->op != RN_PARAM) continue;
        float *data = c->weights.data[i] = malloc(sizeof *data * (size_t)tensor_size(t));
        const double scale = t->ndim > 1 ? 1.5 / sqrt((double)tensor_size(t) / t->dim[0]) : 0.3;
        const bool mean = strstr(t->name, "running_mean");
        for (int64_t j = 0; j < tensor_size(t); j++)
            data[j] = (float)((t->ndim == 1 && !mean) + scale * draw(&c->seed));
    }
    tensor_data_evaluate(g, &c->weights);
    const int64_t size = shape_size(g->input->shape);
    c->images = malloc(sizeof *c->images * (size_t)(size * count));
    for (int64_t i = 0; i < size * count; i++) c->images[i] = draw(&c->seed);
    c->labels = malloc(sizeof *c->labels * 4 * (size_t)count);
    const int classes = c->model->classes;
    for (int n = 0; n < count; n++) {
        double *label = c->labels + 4 * n;
        label[0] = n % classes, label[1] = (n + 1) % classes, label[2] = n % 3 == 1 ? 0.75 : 1;
        const uint32_t counter[4] = {0, (uint32_t)n, 0, RN_DRAW_DROPOUT};
        uint32_t word[4];
        rn_philox(word, counter, 0); /* of seed 0, in step 0 */
        label[3] = word[0] & 0xffffff;
    }
}

void trainer_empty(TrainerCase *c) {
    tensor_data_free(&c->weights);
    free(c->images);
    free(c->labels);
}

static void free_case(TrainerCase *c) {
    trainer_empty(c);
    arena_free(&c->arena);
    free(c);
}

void trainer_link(TrainerCases *all) {
    all->library = emitted_link(all->folder);
    for (int i = 0; i < all->count; i++) {
        char symbol[64];
        snprintf(symbol, sizeof symbol, "%s_train_model", all->cases[i]->name);
        const rn_train_model *(*model)(void);
        *(void **)&model = dlsym(all->library, symbol);
        CU_ASSERT_PTR_NOT_NULL_FATAL(model);
        all->cases[i]->model = model();
        trainer_fill(all->cases[i]);
    }
}

void trainer_free(TrainerCases *all) {
    for (int i = 0; i < all->count; i++) free_case(all->cases[i]);
    dlclose(all->library);
    emitted_folder_remove(all->folder);
}

float *trainer_run(const TrainerCase *c, int threads, rn_train_result *result) {
    char error[RN_ERROR_SIZE];
    void *t = NULL;
    const rn_train_options options = {.threads = threads, .error = error, .error_size = sizeof error};
    const size_t need = c->model->size(c->model->batch, threads);
    void *arena = aligned_alloc(64, (need + 63) / 64 * 64);
    memset(arena, 0xff, need); /* NaNs: nothing may count on zeros */
    if (rn_train_create(c->model, &t, arena, need, &options)) printf("\n%s\n", error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    float *parameters = rn_train_parameters(t, NULL);
    const TrainPlan *plan = c->plan->training;
    for (int i = 0; i < plan->count; i++)
        memcpy(parameters + plan->parameters[i].row.offset, c->weights.data[plan->parameters[i].tensor->id],
               sizeof(float) * (size_t)tensor_size(plan->parameters[i].tensor));
    rn_train_label *labels = malloc(sizeof *labels * (size_t)c->count);
    for (int n = 0; n < c->count; n++)
        labels[n] =
            (rn_train_label){(int32_t)c->labels[4 * n], (int32_t)c->labels[4 * n + 1], (float)c->labels[4 * n + 2]};
    const rn_status status = rn_train_gradients_mixed(t, c->count, c->images, labels, result);
    if (status) printf("\n%s\n", rn_train_message(t));
    CU_ASSERT_EQUAL_FATAL(status, RN_OK);
    size_t floats;
    const float *live = rn_train_gradient_buffer(t, &floats);
    float *copy = malloc(sizeof *copy * floats);
    memcpy(copy, live, sizeof *copy * floats);
    rn_train_destroy(t);
    free(labels);
    free(arena);
    return copy;
}

/* Keeps the larger error, of which NaN is the largest. */
static void note(double error, const char *of, double *worst, const char **what) {
    if (error <= *worst) return;
    *worst = isnan(error) ? INFINITY : error;
    *what = of;
}

static const double *gradient_of(const Graph *g, const Trained *t, double *const *values) {
    const Value *value = g->outputs[t->output];
    return values[value->id] + (size_t)t->channel * (size_t)value->shape.h * (size_t)value->shape.w;
}

static double largest_gradient(const TrainerCase *c, double *const *values) {
    const Training *training = c->graph->training;
    double largest = 1e-9;
    for (int i = 0; i < training->trained_count; i++) {
        const Trained *t = &training->trained[i];
        const double *expected = gradient_of(c->graph, t, values);
        for (int64_t j = 0; j < tensor_size(t->param); j++) largest = fmax(largest, fabs(expected[j] / c->count));
    }
    return largest;
}

double trainer_error(TrainerCase *c, double share, const char **what, float **gradients, rn_train_result *result) {
    const Graph *g = c->graph;
    double **values = calloc((size_t)g->value_count, sizeof *values), loss = 0, wrong = 0, worst = 0;
    interpret_batch(g, &c->weights, c->images, c->labels, c->count, values, 2);
    for (int n = 0; n < c->count; n++) {
        const double *one = values[g->outputs[g->training->loss]->id] + 3 * n;
        loss += one[0], wrong += one[1];
    }
    *gradients = trainer_run(c, 1, result);
    note(fabs(result->loss - loss) / fabs(loss), "the loss", &worst, what);
    note(result->wrong == (int64_t)wrong ? 0 : INFINITY, "the number of errors", &worst, what);
    const double least = share * largest_gradient(c, values);
    for (int i = 0; i < g->training->trained_count; i++) {
        const Trained *t = &g->training->trained[i];
        const double *expected = gradient_of(g, t, values);
        const float *got = *gradients + train_offset(c->plan, t->param);
        double scale = least;
        for (int64_t j = 0; j < tensor_size(t->param); j++) scale = fmax(scale, fabs(expected[j] / c->count));
        for (int64_t j = 0; j < tensor_size(t->param); j++)
            note(fabs(got[j] - expected[j] / c->count) / scale, t->param->name, &worst, what);
    }
    for (int i = 0; i < g->training->running_count; i++) {
        const Running *r = &g->training->running[i];
        const double *stats = values[g->outputs[r->output]->id];
        const int channels = (int)tensor_size(r->mean);
        const float *mean = *gradients + train_offset(c->plan, r->mean),
                    *var = *gradients + train_offset(c->plan, r->var);
        for (int k = 0; k < channels; k++) {
            const double m = stats[2 * channels + k], v = stats[channels + k] * (m > 1 ? m / (m - 1) : 1);
            note(fabs(mean[k] - stats[k]) / (1 + fabs(stats[k])), r->mean->name, &worst, what);
            note(fabs(var[k] - v) / (1 + v), r->var->name, &worst, what);
        }
    }
    for (int i = 0; i < g->value_count; i++) free(values[i]);
    free(values);
    return worst;
}

void trainer_compare_threads(const TrainerCase *c, const float *gradients, const rn_train_result *result) {
    for (int threads = 2; threads <= 5; threads += 3) {
        rn_train_result other;
        float *again = trainer_run(c, threads, &other);
        CU_ASSERT_EQUAL(memcmp(again, gradients, sizeof *again * (size_t)c->model->gradient_floats), 0);
        CU_ASSERT_EQUAL(other.loss, result->loss);
        free(again);
    }
}

static void compare(TrainerCase *c) {
    const double tolerance = c->winograd ? 1e-4 : 2e-5;
    const char *what = "";
    float *gradients;
    rn_train_result result;
    const double worst = trainer_error(c, 1e-3, &what, &gradients, &result);
    if (!(worst <= tolerance)) printf("\n%s: %s is off by %.3g\n", c->layers, what, worst);
    CU_ASSERT_TRUE(worst <= tolerance);
    trainer_compare_threads(c, gradients, &result);
    free(gradients);
}

void trainer_check(TrainerCases *all) {
    trainer_link(all);
    for (int i = 0; i < all->count; i++) compare(all->cases[i]);
    trainer_free(all);
}
