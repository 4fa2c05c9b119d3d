/* Emitted trainers against the interpreter: the loss, the errors and the gradient of every parameter of one step. And
 * the same bits for any number of threads. */
#include <CUnit/CUnit.h>
#include <dlfcn.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emit/emit.h"
#include "emitted.h"
#include "graph/interpret.h"
#include "language/ast.h"
#include "passes/differentiate.h"
#include "passes/passes.h"
#include "plan/training.h"
#include "rn_train.h"
#include "runtime/train/philox.h"

typedef struct Case {
    char name[16]; /* of the emitted trainer */
    Arena arena;
    Graph *source, *graph;
    Plan *plan;
    const rn_train_model *model;
    TensorData weights;
    float *images;
    double *labels;
    int count; /* images */
    Recompute recompute;
    bool winograd;
    const char *layers;
    uint64_t seed;
} Case;

/* Cases that are compiled beside each other and linked once. */
enum { CASES_MOST = 64 };
typedef struct Cases {
    Case *cases[CASES_MOST];
    int count;
    char folder[64];
    void *library;
} Cases;

/* Under sanitizers, where all is slower, every third case: they look for other faults than wrong numbers. */
static int stride(void) {
    return getenv("SANITIZED") ? 3 : 1;
}

static float draw(uint64_t *seed) { /* [-1, 1) */
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(*seed >> 32) / 2147483648.0f;
}

static void write_case(const Case *c, const char *folder, const Plan *inference, rn_isa isa, Kernels kernels) {
    Text code = {0}, header = {0};
    const EmitOptions emit = {.name = c->name,
                              .target = {kernels, {isa}, 1},
                              .command = "test",
                              .source_hash = "0",
                              .header_name = arena_printf(&((Case *)c)->arena, "%s.h", c->name),
                              .training = c->plan};
    emit_c(inference, &emit, &code);
    emit_h(inference, &emit, &header);
    CU_ASSERT(folder_write(folder, c->name, "c", &code));
    CU_ASSERT(folder_write(folder, c->name, "h", &header));
    text_free(&code);
    text_free(&header);
}

/* A network of these layers, which trains with crossentropy unless they end in a train section's begin, in C. */
static Case *add(Cases *all, const char *layers, int batch, rn_isa isa, Kernels kernels, bool winograd,
                 Recompute mode) {
    if (!all->count) {
        strcpy(all->folder, "/tmp/rnc-training-XXXXXX");
        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(all->folder));
    }
    CU_ASSERT_FATAL(all->count < CASES_MOST);
    Case *c = all->cases[all->count++] = calloc(1, sizeof *c);
    snprintf(c->name, sizeof c->name, "t%d", all->count);
    c->seed = 5;
    c->count = batch;
    c->recompute = mode;
    c->winograd = winograd;
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
    Graph *trained = differentiate(c->source, &c->arena, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(trained);
    c->graph = graph_clone(trained, &c->arena);
    const PassOptions passes = {.level = 2};
    passes_run(c->graph, &passes);
    Graph *inference = graph_clone(c->source, &c->arena);
    passes_run(inference, &passes);
    PlanOptions options = {
        .isa = isa, .fuse = true, .batch = 1, .reuse_memory = true, .winograd = true, .strassen = true};
    const Plan *plan = plan_make(&c->arena, inference, &options);
    options.batch = batch;
    options.winograd = winograd;
    recompute(c->graph, c->recompute, 2);
    c->plan = plan_training(&c->arena, c->graph, c->source, &options, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c->plan);
    write_case(c, all->folder, plan, isa, kernels);
    return c;
}

static void fill(Case *c) {
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

static void free_case(Case *c) {
    tensor_data_free(&c->weights);
    free(c->images);
    free(c->labels);
    arena_free(&c->arena);
    free(c);
}

static void link_cases(Cases *all) {
    all->library = emitted_link(all->folder);
    for (int i = 0; i < all->count; i++) {
        char symbol[64];
        snprintf(symbol, sizeof symbol, "%s_train_model", all->cases[i]->name);
        const rn_train_model *(*model)(void);
        *(void **)&model = dlsym(all->library, symbol);
        CU_ASSERT_PTR_NOT_NULL_FATAL(model);
        all->cases[i]->model = model();
        fill(all->cases[i]);
    }
}

static void free_cases(Cases *all) {
    for (int i = 0; i < all->count; i++) free_case(all->cases[i]);
    dlclose(all->library);
    emitted_folder_remove(all->folder);
}

/* One call of gradients; the buffer's copy, malloc'd. */
static float *run(const Case *c, int threads, rn_train_result *result) {
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

static void compare(Case *c) {
    const char *what = c->layers;
    const double tolerance = c->winograd ? 1e-4 : 2e-5;
    const Graph *g = c->graph;
    double **values = calloc((size_t)g->value_count, sizeof *values), loss = 0, wrong = 0;
    interpret_batch(g, &c->weights, c->images, c->labels, c->count, values, 2);
    for (int n = 0; n < c->count; n++) {
        const double *one = values[g->outputs[g->training->loss]->id] + 3 * n;
        loss += one[0], wrong += one[1];
    }
    rn_train_result result;
    float *gradients = run(c, 1, &result);
    if (!(fabs(result.loss - loss) <= tolerance * fabs(loss)))
        printf("\n%s: loss %g, not %g\n", what, result.loss, loss);
    CU_ASSERT_TRUE(fabs(result.loss - loss) <= tolerance * fabs(loss));
    CU_ASSERT_EQUAL(result.wrong, (int64_t)wrong);
    for (int i = 0; i < g->training->trained_count; i++) {
        const Trained *t = &g->training->trained[i];
        const Value *value = g->outputs[t->output];
        const double *expected =
            values[value->id] + (size_t)t->channel * (size_t)value->shape.h * (size_t)value->shape.w;
        const float *got = gradients + train_offset(c->plan, t->param);
        double scale = 1e-6, worst = 0;
        for (int64_t j = 0; j < tensor_size(t->param); j++) scale = fmax(scale, fabs(expected[j] / c->count));
        for (int64_t j = 0; j < tensor_size(t->param); j++) {
            const double error = fabs(got[j] - expected[j] / c->count) / scale;
            if (!(error <= worst)) worst = error;
        }
        if (!(worst <= tolerance)) printf("\n%s: gradient of %s is off by %.3g\n", what, t->param->name, worst);
        CU_ASSERT_TRUE(worst <= tolerance);
    }
    for (int i = 0; i < g->training->running_count; i++) {
        const Running *r = &g->training->running[i];
        const double *stats = values[g->outputs[r->output]->id];
        const int channels = (int)tensor_size(r->mean);
        const float *mean = gradients + train_offset(c->plan, r->mean),
                    *var = gradients + train_offset(c->plan, r->var);
        for (int k = 0; k < channels; k++) {
            const double m = stats[2 * channels + k], v = stats[channels + k] * (m > 1 ? m / (m - 1) : 1);
            CU_ASSERT_TRUE(fabs(mean[k] - stats[k]) <= 1e-5 * (1 + fabs(stats[k])));
            CU_ASSERT_TRUE(fabs(var[k] - v) <= 1e-5 * (1 + v));
        }
    }
    for (int threads = 2; threads <= 5; threads += 3) {
        rn_train_result other;
        float *again = run(c, threads, &other);
        CU_ASSERT_EQUAL(memcmp(again, gradients, sizeof *again * (size_t)c->model->gradient_floats), 0);
        CU_ASSERT_EQUAL(other.loss, result.loss);
        free(again);
    }
    free(gradients);
    for (int i = 0; i < g->value_count; i++) free(values[i]);
    free(values);
}

static void check(Cases *all) {
    link_cases(all);
    for (int i = 0; i < all->count; i++) compare(all->cases[i]);
    free_cases(all);
}

static const char *const networks[] = {
    "input 3x9x7\nconv 5, 3x3 pad 1 bias\ntanh\navgpool global\nfc 3",
    "input 4x11x10\nconv 6, 3x2 / 2 pad [1, 0, 2, 1] groups 2\ntanh\nconv 8, 3x3 pad 1 / 3 dilate 2\navgpool "
    "global\nfc 4\nsoftmax",
    "input 3x12x12\nconv 16, 3x3 pad 1; bn; relu\nresidual { conv 16, 3x3 pad 1; bn; relu; conv 16, 3x3 pad 1; bn "
    "}\nrelu\n"
    "residual { conv 24, 3x3 / 2 pad 1; bn; relu; conv 24, 3x3 pad 1; bn }\nrelu\nconv 20, 3x3 pad 1 bias\navgpool "
    "global\nfc 10\nsoftmax",
    "input 2x14x14\nconv 12, 5x5 pad 2; bn; relu\nmaxpool 3x3 / 2 pad 1\nconv 70, 1x1; relu\nconv 130, 3x3 pad 1\n"
    "swish\ndropout 0.3\nconv 20, 1x1 / 2\navgpool 2x2\nflatten\nfc 20\nsigmoid\ndropout 0.5\nfc 5",
    "input 8x5x6\nconv 150, 3x3 pad 1; bn; relu\nconv 130, 3x3 pad 1; bn; relu\nresidual { conv 130, 3x3 pad 1; bn "
    "}\nrelu\n"
    "conv 520, 3x3 pad 1 bias\ntanh\nconv 144, 3x3 pad 1 bias\navgpool global\nfc 10",
    "input 3x12x12\nconv 16, 3x3 pad 1; bn; relu\nresidual { conv 16, 3x3 pad 1; bn; relu; conv 16, 3x3 pad 1; bn "
    "}\nrelu\navgpool global\nfc 10\nsoftmax\n}\ntrain { freeze conv2, bn2, bn3; loss crossentropy smooth 0.1",
    /* biases of convolutions that Winograd's method could take, with weights of few channels and of many */
    "input 8x5x6\nconv 20, 3x3 pad 1 bias; relu\nconv 260, 3x3 pad 1 bias\ntanh\nconv 260, 3x3 pad 1 bias\navgpool "
    "global\nfc 3",
};
/* Other layers, for which one way of convolutions is enough. */
static const char *const layers[] = {
    "input 3x6x7\nconv 8, 1x1; bn\nconvtranspose 20, 3x4 / 2 pad 1 output_pad 1 bias\nrelu\n"
    "convtranspose 6, 3x3 groups 2\ntanh\navgpool global\nfc 3",
    /* what is of each element: every activation's derivative, scales, gates of both kinds */
    "input 3x7x6\nconv 20, 3x3 pad 1; bn; prelu\nconv 18, 1x1; scale; gelu\nconv 18, 1x1; scale no bias; gelu "
    "approximate\ngate { avgpool global; fc 5; relu; fc 18; hardsigmoid }\nconv 20, 1x1; bn; hardswish\n"
    "gate { conv 20, 3x3; sigmoid }\nconv 17, 1x1; bn; elu 0.7\nconv 9, 1x1; bn; selu\nconv 8, 1x1; mish\nconv 7, 1x1; "
    "softplus\navgpool global\nfc 3",
    /* norms of one image; sizes that change; a window beside the image, strides larger than it */
    "input 3x7x6\nconv 20, 3x3 pad 1; relu; lrn size 4 alpha 2\nconv 21, 1x1 pad 1; groupnorm 3; tanh\nupsample "
    "2\nconv "
    "18, 3x2 /3 dilate 2 bias; layernorm; swish\nresize 5x9 bilinear\ngate { conv 18, 3x3; softmax }\nconv 5, 2x2 /40\n"
    "resize 4x3\nspp [3, 1]\nfc 3",
    "input 3x7x6\nconv 20, 3x3 pad 1; bn; relu\nconv 18, 3x3; bn; tanh\nconv 9, 1x1; scale\navgpool global\nfc 3\n}\n"
    "train { freeze bn2, scale, conv2; loss crossentropy",
};
enum { NETWORKS = sizeof networks / sizeof *networks, LAYERS = sizeof layers / sizeof *layers };

static void test_direct(void) {
    Cases all = {0};
    for (int i = 0; i < NETWORKS; i += stride())
        add(&all, networks[i], 9, RN_ISA_X86_64_V3, KERNELS_JIT, false, RECOMPUTE_NONE);
    check(&all);
}

static void test_layers(void) {
    Cases all = {0};
    for (int i = 0; i < LAYERS; i++) add(&all, layers[i], 7, RN_ISA_X86_64_V3, KERNELS_JIT, false, RECOMPUTE_NONE);
    check(&all);
}

static void test_winograd(void) {
    Cases all = {0};
    for (int i = 2; i < NETWORKS; i += stride()) /* of a batch that is not full */
        add(&all, networks[i], 9, RN_ISA_X86_64_V3, KERNELS_JIT, true, RECOMPUTE_NONE)->count = 8;
    check(&all);
}

static void test_portable(void) {
    Cases all = {0};
    for (int i = 0; i < NETWORKS; i += stride())
        add(&all, networks[i], 5, RN_ISA_GENERIC, KERNELS_C, true, RECOMPUTE_NONE);
    check(&all);
}

static const char deep[] =
    "input 3x16x16\nconv 16, 3x3 pad 1; bn; relu\nrepeat 5 { residual { conv 16, 3x3 pad 1; bn; relu; conv 16, 3x3 "
    "pad 1; bn }\nrelu }\navgpool global\nfc 3";

/* What is computed again has the same bits as what is kept, and takes less memory. */
static void test_recompute(void) {
    Cases all = {0};
    float *kept = NULL;
    for (Recompute mode = RECOMPUTE_NONE; mode <= RECOMPUTE_BLOCKS; mode++)
        add(&all, deep, 9, RN_ISA_X86_64_V3, KERNELS_JIT, true, mode);
    link_cases(&all);
    for (int i = 0; i < all.count; i++) {
        const Case *c = all.cases[i];
        rn_train_result result;
        float *gradients = run(c, 2, &result);
        if (kept) CU_ASSERT_EQUAL(memcmp(kept, gradients, sizeof *kept * (size_t)c->model->gradient_floats), 0);
        if (kept) CU_ASSERT_TRUE(c->plan->live_bytes < all.cases[i - 1]->plan->live_bytes);
        free(kept);
        kept = gradients;
    }
    free(kept);
    free_cases(&all);
}

/* ---- a loss that is not finite names the first layer of the forward pass that is not ---- */
static Tensor *tensor_named(const Graph *g, const char *name) {
    for (int i = 0; i < g->tensor_count; i++)
        if (g->tensors[i]->name && !strcmp(g->tensors[i]->name, name)) return g->tensors[i];
    return NULL;
}

/* By the interpreter, whose numbers are doubles: the first that no float holds. */
static const char *first_beyond_floats(const Case *c) {
    const Graph *g = c->graph;
    double **values = calloc((size_t)g->value_count, sizeof *values);
    const char *first = NULL;
    interpret_batch(g, &c->weights, c->images, c->labels, c->count, values, 2);
    for (int i = 0; i < g->node_count && !first; i++) {
        const Value *v = g->nodes[i]->out;
        for (int64_t k = 0; !v->all && k < c->count * shape_size(v->shape); k++)
            if (!(fabs(values[v->id][k]) <= FLT_MAX)) first = v->name;
    }
    for (int i = 0; i < g->value_count; i++) free(values[i]);
    free(values);
    return first;
}

static void step_fails(const Case *c, void *t, const char *says) {
    const size_t bytes = sizeof(float) * (size_t)c->model->floats;
    float *before = malloc(bytes);
    memcpy(before, rn_train_parameters(t, NULL), bytes);
    int32_t labels[16] = {0};
    CU_ASSERT_EQUAL(rn_train_step(t, c->count, c->images, labels, NULL), RN_ERROR_FORMAT);
    if (!strstr(rn_train_message(t), says)) printf("\n'%s' does not say '%s'\n", rn_train_message(t), says);
    CU_ASSERT_PTR_NOT_NULL(strstr(rn_train_message(t), says));
    CU_ASSERT_EQUAL(memcmp(before, rn_train_parameters(t, NULL), bytes), 0);
    free(before);
}

static void test_not_finite(void) {
    static const struct {
        const char *parameter, *says;
        float factor; /* NAN: its last number alone is one */
    } faults[] = {{"conv1.weight", "the first layer with such a value is conv1", 3e38f},
                  {"bn2.weight", "the first layer with such a value is bn2", 3e38f}, /* computed where it is read */
                  {"conv5.weight", "the first layer with such a value is conv5", 3e38f},
                  {"fc.weight", "the first layer with such a value is fc", 3e38f},
                  {"bn3.bias", "the first parameter with such a value is bn3.bias", NAN},
                  {"fc.bias", "the first parameter with such a value is fc.bias", NAN}};
    Cases all = {0};
    Case *c = add(&all, networks[2], 9, RN_ISA_X86_64_V3, KERNELS_JIT, true, RECOMPUTE_SUMS);
    link_cases(&all);
    void *t = NULL;
    CU_ASSERT_EQUAL_FATAL(rn_train_create(c->model, &t, NULL, 0, &(rn_train_options){.threads = 2}), RN_OK);
    int32_t labels[16] = {0};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const rn_train_parameter *p = rn_train_parameter_named(t, faults[i].parameter);
        const Tensor *tensor = tensor_named(c->graph, faults[i].parameter);
        CU_ASSERT_FATAL(p && tensor);
        CU_ASSERT_EQUAL(rn_train_init(t, 1), RN_OK);
        float *w = rn_train_parameters(t, NULL) + p->offset, *same = c->weights.data[tensor->id];
        float *kept = malloc(sizeof *kept * (size_t)rn_train_count(p));
        memcpy(kept, same, sizeof *kept * (size_t)rn_train_count(p));
        for (int64_t k = 0; k < rn_train_count(p); k++)
            w[k] = same[k] = same[k] < 0 ? -faults[i].factor : faults[i].factor;
        if (isnan(faults[i].factor))
            memcpy(w, kept, sizeof *kept * (size_t)rn_train_count(p)), w[rn_train_count(p) - 1] = NAN;
        step_fails(c, t, faults[i].says);
        const char *first = isnan(faults[i].factor) ? NULL : first_beyond_floats(c);
        if (first) CU_ASSERT_PTR_NOT_NULL(strstr(faults[i].says, first));
        memcpy(same, kept, sizeof *kept * (size_t)rn_train_count(p));
        free(kept);
    }
    CU_ASSERT_EQUAL(rn_train_init(t, 1), RN_OK);
    CU_ASSERT_EQUAL(rn_train_step(t, c->count, c->images, labels, NULL), RN_OK);
    int steps = 0; /* as a too large lr does it */
    while (steps++ < 50 && rn_train_gradients(t, c->count, c->images, labels, &(rn_train_result){0}) == RN_OK)
        if (rn_train_step(t, c->count, c->images, labels, NULL))
            break;
        else
            rn_train_apply(t, 1e12);
    step_fails(c, t, "the loss is nan; the first ");
    CU_ASSERT_EQUAL(rn_train_init(t, 1), RN_OK);
    c->images[3 * shape_size(c->graph->input->shape) - 1] = INFINITY;
    step_fails(c, t, "the loss is nan; image 3 of the batch has such a value");
    rn_train_destroy(t);
    free_cases(&all);
}

void suite_training(void) {
    CU_pSuite suite = CU_add_suite("training", NULL, NULL);
    CU_add_test(suite, "direct sums against the interpreter; any number of threads", test_direct);
    CU_add_test(suite, "other layers against the interpreter", test_layers);
    CU_add_test(suite, "Winograd's method against the interpreter", test_winograd);
    CU_add_test(suite, "loops in C against the interpreter", test_portable);
    CU_add_test(suite, "computed again or kept, the bits are the same", test_recompute);
    CU_add_test(suite, "a loss that is not finite", test_not_finite);
}
