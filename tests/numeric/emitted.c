/* Builds networks through the whole compiler and compares what the emitted C computes with the interpreter.
 *
 * Each case is a C file of its own, compiled two at a time; all are linked with librn into one shared object, which
 * also shows that any number of networks and builds live in one program.
 */
#include <CUnit/CUnit.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "graph/tensor.h"
#include "graph/interpret.h"
#include "../random_choice.h"
#include "language/ast.h"
#include "bounds.h"
#include "emit/emit.h"
#include "emitted.h"
#include "load/load.h"
#include "rn_emitted.h"
#include "save/save.h"

void suite_emitted(void);
void suite_emitted(void) {} /* helpers of the other suites */

bool cpu_runs(int isa) {
    __builtin_cpu_init();
    if (isa == 3) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

void batch_begin(Batch *batch) {
    memset(batch, 0, sizeof *batch);
    const char *given = getenv("RNC_FOLDER"); /* another process's, which may have what is compiled once */
    snprintf(batch->folder, sizeof batch->folder, "%s", given ? given : "/tmp/rn-numeric-XXXXXX");
    if (!given && !mkdtemp(batch->folder)) CU_FAIL_FATAL("no temporary folder");
}

bool folder_write(const char *folder, const char *name, const char *ending, const Text *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s.%s", folder, name, ending);
    return file_write(path, text->s, text->size);
}

void batch_add(Batch *batch, const char *name, const char *text, Variant variant) {
    Arena arena = {0};
    Text messages = {0};
    Diag diag = {.capture = &messages};
    Source *source = arena_alloc(&arena, sizeof *source);
    *source =
        (Source){.path = arena_printf(&arena, "%s.rn", name), .text = arena_strdup(&arena, text), .size = strlen(text)};
    const Ast *ast = ast_parse_text(&arena, source, &diag);
    Graph *graph = ast ? elaborate(&arena, ast, NULL, 0, &diag) : NULL;
    if (graph) {
        TensorData weights = {0};
        weights_random(graph, 1, &weights, 2);
        batch_add_graph(batch, name, arena, graph, weights, variant);
    } else {
        printf("\n%s does not compile:\n%s\n%s\n", name, messages.s ? messages.s : "", text);
        CU_FAIL("a test's network does not compile");
        arena_free(&arena);
    }
    text_free(&messages);
}

static void replace_all(Text *text, const char *from, const char *to) {
    Text out = {0};
    const char *p = text->s;
    for (const char *found; (found = strstr(p, from)) != NULL; p = found + strlen(from)) {
        text_write(&out, p, (size_t)(found - p));
        text_puts(&out, to);
    }
    text_puts(&out, p);
    text_free(text);
    *text = out;
}

/* The text for AVX-512, to be run on a CPU without: intrinsics in software, kernels for what the CPU has. */
static void run_in_software(Text *code) {
    Text whole = {0};
    text_puts(&whole, "#include \"avx512_in_software.h\"\n"); /* first, or the precompiled one is not taken */
    text_write(&whole, code->s, code->size);
    text_free(code);
    *code = whole;
    replace_all(code, "target(\"avx512f,avx512bw,avx512dq,avx512vl,fma\")", "target(\"avx2,fma\")");
    replace_all(code, "RN_ISA_X86_64_V4", "RN_ISA_X86_64_V3");
}

static void emit_case(EmittedCase *c, Text *code, Text *header) {
    const bool in_software = c->variant.isa == 4 && !cpu_runs(4); /* but kernels: libxsmm has some that the CPU runs */
    const EmitOptions options = {.name = c->name,
                                 .target = {in_software ? KERNELS_JIT : c->variant.kernels, {c->variant.isa}, 1},
                                 .command = "test",
                                 .source_hash = "0",
                                 .header_name = arena_printf(&c->arena, "%s.h", c->name)};
    emit_c(c->plan, &options, code);
    emit_h(c->plan, &options, header);
    if (in_software) run_in_software(code);
}

static void write_case(Batch *batch, EmittedCase *c) {
    Text code = {0}, header = {0};
    emit_case(c, &code, &header);
    CU_ASSERT(folder_write(batch->folder, c->name, "c", &code));
    CU_ASSERT(folder_write(batch->folder, c->name, "h", &header));
    text_free(&code);
    text_free(&header);
}

static int choose_winograd(const void *user, const Plan *plan, const Node *node, Candidate *list) {
    const Variant *variant = user;
    if (variant->winograd <= 0) return 0;
    return random_choice((uint64_t)variant->winograd * 1000 + (uint64_t)node->id, 1000, plan, node, list);
}

static PassOptions passes_of(const Variant *variant) {
    PassOptions passes = {.level = variant->level};
    char list[128], *rest = list;
    snprintf(list, sizeof list, "%s", variant->pass ? variant->pass : "");
    for (const char *name; (name = strsep(&rest, ",")) != NULL;)
        if (*name && !pass_option_set(&passes, name)) CU_FAIL("no such pass");
    return passes;
}

static void plan_case(EmittedCase *c, const PassOptions *passes) {
    const Variant *v = &c->variant;
    c->graph = graph_clone(c->source, &c->arena);
    passes_run(c->graph, passes);
    const char *trouble = NULL;
    const Machine *machine = machine_parse(v->machine ? v->machine : "generic", (rn_isa)v->isa, &c->arena, &trouble);
    if (!machine) CU_FAIL("no such machine");
    c->plan = plan_make(&c->arena, c->graph,
                        &(PlanOptions){.isa = v->isa,
                                       .machine = machine,
                                       .batch = v->batch,
                                       .threads = v->threads,
                                       .reuse_memory = pass_enabled(passes, PASS_reuse_memory),
                                       .whole_batch = pass_enabled(passes, PASS_whole_batch),
                                       .winograd = v->winograd < 0 && pass_enabled(passes, PASS_winograd),
                                       .strassen = v->winograd < 0 && pass_enabled(passes, PASS_strassen),
                                       .last_layers = v->last_layers,
                                       .candidates = choose_winograd,
                                       .candidates_user = v});
}

void graph_emit(Arena arena, Graph *g, Variant variant) {
    EmittedCase c = {.name = "emitted", .variant = variant, .arena = arena, .source = g};
    Text code = {0}, header = {0};
    const PassOptions passes = passes_of(&variant);
    g->arena = &c.arena;
    plan_case(&c, &passes);
    emit_case(&c, &code, &header);
    text_free(&code);
    text_free(&header);
    arena_free(&c.arena);
}

void batch_add_graph(Batch *batch, const char *name, Arena arena, Graph *g, TensorData weights, Variant variant) {
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity ? 2 * batch->capacity : 16;
        batch->cases = realloc(batch->cases, (size_t)batch->capacity * sizeof *batch->cases);
    }
    EmittedCase *c = &batch->cases[batch->count++];
    *c = (EmittedCase){.variant = variant, .arena = arena, .source = g, .weights = weights};
    g->arena = &c->arena; /* graphs grow where they live */
    snprintf(c->name, sizeof c->name, "%s_%s", name, variant.name);
    const PassOptions passes = passes_of(&variant);
    if (pass_enabled(&passes, PASS_store_bf16)) { /* the interpreter has the rounded weights too */
        pass_run(g, PASS_store_bf16);
        tensor_data_evaluate(g, &c->weights);
    }
    const int64_t size = shape_size(g->input->shape);
    c->image = malloc((size_t)(size * variant.batch) * sizeof *c->image);
    uint64_t state = 7;
    for (int64_t i = 0; i < size * variant.batch; i++)
        c->image[i] = (float)((double)(random_choice_bits(&state) >> 40) / (1 << 23) - 1.0) * 1.7f;
    c->expected = calloc((size_t)(g->value_count * variant.batch), sizeof *c->expected);
    for (int n = 0; n < variant.batch; n++)
        interpret(g, &c->weights, c->image + n * size, c->expected + n * g->value_count, 2);
    plan_case(c, &passes);
    write_case(batch, c);
    if (!batch->bounded) return;
    c->bounds = calloc((size_t)variant.batch, sizeof *c->bounds);
    for (int n = 0; n < variant.batch; n++)
        c->bounds[n] = bounds_make(g, &c->weights, c->expected + n * g->value_count, c->plan);
}

/* ---- running ---- */
typedef struct Watch {
    EmittedCase *c;
    const rn_model *model;
    double tolerance;
    int image, compared;
    int seen[2000]; /* images of each layer that have come */
} Watch;

static const Value *find_value(const Graph *g, const char *name) {
    for (int i = 0; i < g->value_count; i++)
        if (g->values[i]->name && !strcmp(g->values[i]->name, name)) return g->values[i];
    return NULL;
}

/* The largest expected value of any image, at least a thousandth of what values are made to be: a ReLU may happen to
 * leave next to nothing of large sums, which is no measure of their rounding. */
static double largest_expected(const EmittedCase *c, const Value *v) {
    double largest = 1e-3;
    for (int n = 0; n < c->variant.batch; n++) {
        const double *expected = c->expected[n * c->source->value_count + v->id];
        for (int64_t i = 0; i < shape_size(v->shape); i++)
            if (fabs(expected[i]) > largest) largest = fabs(expected[i]);
    }
    return largest;
}

/* An element's error in units of what is allowed: of its bound, or of `tolerance` times the largest expected value. A
 * NaN compares as infinite. */
typedef struct Worst {
    const EmittedCase *c;
    const Value *value;
    int image;
    double limit, ratio, error;
    int64_t at;
} Worst;

static Worst worst_of(const EmittedCase *c, const Value *v, int image, double tolerance) {
    return (Worst){.c = c, .value = v, .image = image, .limit = tolerance * largest_expected(c, v)};
}

static void compare_element(Worst *w, int64_t i, float got) {
    const EmittedCase *c = w->c;
    const double error = fabs((double)got - c->expected[w->image * c->source->value_count + w->value->id][i]);
    const double ratio = error / (c->bounds ? c->bounds[w->image][w->value->id][i] : w->limit);
    if (ratio <= w->ratio) return;
    w->ratio = isnan(ratio) ? INFINITY : ratio;
    w->error = error;
    w->at = i;
}

/* Keeps the case's worst; false where it is more than is allowed. */
static bool worst_fits(const Worst *w, EmittedCase *c, const char *name, const char *what, const char *algorithm) {
    if (w->ratio > c->worst) c->worst = w->ratio;
    if (w->ratio <= 1) return true;
    const Shape s = w->value->shape;
    printf("\n%s: %s (%s, %s) of image %d differs by %.3g from %.9g, %.3g times what is allowed, at %d,%d,%d of "
           "%dx%dx%d\n",
           c->name, name, what, algorithm, w->image, w->error,
           c->expected[w->image * c->source->value_count + w->value->id][w->at], w->ratio, (int)(w->at / s.w / s.h),
           (int)(w->at / s.w % s.h), (int)(w->at % s.w), s.c, s.h, s.w);
    return false;
}

static void compare_image(Watch *w, int layer, const rn_tensor *out, int image) {
    const rn_layer *row = &w->model->layers[layer];
    if (!strcmp(row->algorithm, "output")) return;
    const Value *v = find_value(w->c->source, row->value);
    if (!v || !w->c->expected[w->seen[layer] * w->c->source->value_count + v->id]) return;
    Worst worst = worst_of(w->c, v, w->seen[layer], w->tolerance);
    const Shape s = v->shape;
    int64_t i = 0;
    for (int c = 0; c < s.c; c++)
        for (int y = 0; y < s.h; y++)
            for (int x = 0; x < s.w; x++, i++)
                compare_element(&worst, i, *(const float *)rn_tensor_at(out, image, c, y, x));
    w->compared++;
    if (!worst_fits(&worst, w->c, row->name, row->what, row->algorithm))
        CU_FAIL("a layer differs from the interpreter");
}

static void compare_layer(void *user, int layer, const rn_tensor *out) {
    Watch *w = user;
    if (layer < 0) w->image++;
    for (int n = 0; layer >= 0 && out && n < out->images; n++, w->seen[layer]++) compare_image(w, layer, out, n);
}

static void compare_outputs(EmittedCase *c, const rn_model *model, int batch, const float *output, double tolerance) {
    for (int n = 0; n < batch; n++)
        for (int o = 0; o < model->output_count; o++) {
            const Value *v = c->source->outputs[o];
            Worst worst = worst_of(c, v, n, tolerance);
            for (int64_t i = 0; i < shape_size(v->shape); i++)
                compare_element(&worst, i, output[interpret_place(v, i)]);
            output += shape_size(v->shape);
            if (!worst_fits(&worst, c, model->outputs[o].name, "output", "no hook"))
                CU_FAIL("an output differs from the interpreter");
        }
}

/* Memory that ends where no access is allowed, so that one beyond the end is a crash. */
typedef struct Guarded {
    void *pages;
    size_t length;
    void *data; /* aligned to `align`: less than that lies between its end and the guard */
} Guarded;

static Guarded guarded_new(size_t size, size_t align) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (size + page - 1) / page * page;
    Guarded g = {.length = used + page};
    g.pages = mmap(NULL, g.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(g.pages != MAP_FAILED);
    CU_ASSERT_EQUAL_FATAL(mprotect((char *)g.pages + used, page, PROT_NONE), 0);
    g.data = (char *)g.pages + (used - size) / align * align;
    return g;
}

/* Whatever an earlier run may have left in the arena must not reach a result: all of it is NaN before the first. */
static void poison_activations(void *net, size_t arena_size) {
    const rn_context *context = net;
    float *end = (float *)(void *)((char *)net + arena_size / sizeof(float) * sizeof(float));
    for (float *p = context->arena; p < end; p++) *p = NAN;
}

static void run_batch(EmittedCase *c, const rn_model *model, void *net, int batch, double tolerance) {
    const size_t floats = model->output_size * (size_t)batch, size = (size_t)shape_size(c->source->input->shape);
    const Guarded output = guarded_new(floats * sizeof(float), sizeof(float)),
                  image = guarded_new(size * (size_t)batch * sizeof(float), sizeof(float));
    memcpy(image.data, c->image, size * (size_t)batch * sizeof(float));
    float *before = output.pages; /* and what lies before the output stays as it is */
    while (before < (float *)output.data) *before++ = -12345.0f;
    poison_activations(net, model->arena_size(c->variant.batch, c->variant.threads));
    CU_ASSERT_EQUAL(model->run(net, batch, image.data, output.data), RN_OK);
    while (before > (float *)output.pages) CU_ASSERT_EQUAL(*--before, -12345.0f);
    compare_outputs(c, model, batch, output.data, tolerance);
    if (c->ran && batch == c->variant.batch) c->ran(c, output.data);
    munmap(output.pages, output.length);
    munmap(image.pages, image.length);
}

/* With a layer hook; without one, when images may run beside each other, in memory of the caller's; and with fewer
 * images than a group has. */
static int run_case(const char *folder, EmittedCase *c, const rn_model *model, double tolerance) {
    char error[RN_ERROR_SIZE] = "";
    char path[256];
    Diag diag = {0};
    snprintf(path, sizeof path, "%s/%s.rnw", folder, c->name);
    CU_ASSERT_FATAL(save_packed(path, &c->plan->recipe, c->name, c->source, &c->weights, &diag, 2));
    CU_ASSERT_EQUAL(model->recipe->hash, c->plan->recipe.hash);
    rn_weights *weights = NULL;
    rn_status status = rn_weights_open(&weights, model, path, error, sizeof error);
    Watch watch = {.c = c, .model = model, .tolerance = tolerance};
    CU_ASSERT_FATAL(model->layer_count <= (int)(sizeof watch.seen / sizeof *watch.seen));
    rn_options options = {.threads = c->variant.threads,
                          .layer = compare_layer,
                          .layer_user = &watch,
                          .error = error,
                          .error_size = sizeof error};
    void *net = NULL;
    if (!status) status = model->create(&net, NULL, 0, weights, &options);
    if (status) printf("\n%s: %s\n", c->name, error);
    CU_ASSERT_EQUAL_FATAL(status, RN_OK);
    run_batch(c, model, net, c->variant.batch, tolerance);
    CU_ASSERT_EQUAL(watch.image, c->variant.batch);
    model->destroy(net);
    options.layer = NULL;
    const size_t size = model->arena_size(c->variant.batch, c->variant.threads);
    const Guarded arena = guarded_new(size, 64);
    CU_ASSERT_EQUAL_FATAL(model->create(&net, arena.data, size, weights, &options), RN_OK);
    for (int batch = c->variant.batch; batch > 0; batch--) run_batch(c, model, net, batch, tolerance);
    model->destroy(net);
    munmap(arena.pages, arena.length);
    rn_weights_close(weights);
    return watch.compared;
}

static void free_case(EmittedCase *c) {
    for (int i = 0; i < c->source->value_count * c->variant.batch; i++) free(c->expected[i]);
    for (int n = 0; c->bounds && n < c->variant.batch; n++) bounds_free(c->bounds[n], c->source->value_count);
    free(c->bounds);
    free(c->expected);
    free(c->image);
    tensor_data_free(&c->weights);
    arena_free(&c->arena);
}

/* Half of these suites' time is the C compiler's: at -O1 it takes half as long again as at -Og. */
static const char *level(void) {
    const char *full = getenv("FULL");
    return (full && *full) || getenv("STRESS_SECONDS") ? "-O1" : "-Og";
}

void *emitted_link(const char *folder) {
    char command[2048];
    const char *cc = getenv("CC") ? getenv("CC") : "cc", *build = getenv("OUT") ? getenv("OUT") : "build";
    /* <immintrin.h>, which takes longer than most cases, is compiled once */
    snprintf(command, sizeof command,
             "top=$PWD; cp tests/numeric/avx512_in_software.h %s && cd %s || exit; "
             "cc=\"%s -std=c11 %s -Wall -Wextra -Werror -pedantic -mavx2 -mfma -fPIC\"; "
             "compile() { xargs -r -P %s -n 1 $cc -I\"$top/runtime\" $* -c; }; "
             "rm -f *.o all.so; "
             "[ -e vectors.h.gch ] || { echo '#include <immintrin.h>' > vectors.h; $cc vectors.h || exit; }; "
             "if [ ! -e avx512_in_software.h.gch ] && grep -q avx512_in_software *.c; then $cc avx512_in_software.h || "
             "exit; fi; "
             "grep -l avx512_in_software *.c | compile || exit; "
             "grep -L avx512_in_software *.c | xargs -r grep -l immintrin | compile -include vectors.h || exit; "
             "grep -L immintrin *.c | compile || exit; "
             "cd \"$top\" && %s -shared -fopenmp -o %s/all.so %s/*.o %s/librn.a -lpng -ljpeg "
             "-lcjson -lxxhash -lz -lpthread -lrt -ldl -lm",
             folder, folder, cc, level(), getenv("RNC_JOBS") ? getenv("RNC_JOBS") : "2", cc, folder, folder, build);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
    snprintf(command, sizeof command, "%s/all.so", folder);
    void *library = dlopen(command, RTLD_NOW | RTLD_LOCAL);
    if (!library) printf("\n%s\n", dlerror());
    CU_ASSERT_PTR_NOT_NULL_FATAL(library);
    return library;
}

void emitted_folder_remove(const char *folder) {
    char command[300];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (getenv("KEEP") || getenv("RNC_FOLDER"))
        printf("\nkept %s\n", folder);
    else if (system(command))
        printf("\n%s is left\n", folder);
}

int batch_check(Batch *batch, double tolerance) {
    void *library = emitted_link(batch->folder);
    int compared = 0;
    for (int i = 0; i < batch->count; i++) {
        EmittedCase *c = &batch->cases[i];
        char symbol[128];
        snprintf(symbol, sizeof symbol, "%s_model", c->name);
        const rn_model *(*model)(void);
        *(void **)&model = dlsym(library, symbol);
        CU_ASSERT_PTR_NOT_NULL_FATAL(model);
        const unsigned failures = CU_get_number_of_failures();
        compared += run_case(batch->folder, c, model(), tolerance);
        if (batch->done) batch->done(c, CU_get_number_of_failures() > failures);
        free_case(c);
    }
    free(batch->cases);
    emitted_folder_remove(batch->folder);
    return compared;
}
