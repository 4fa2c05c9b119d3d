/* Random networks (tests/random_graph.h, random_source.h) against an oracle that shares no code with rnc: each is
 * written as ONNX, run by onnx_run.py (NumPy by the specification; ONNX Runtime too, where Python has it) and compared
 *
 *     with the reference interpreter, as the network is and after the passes of each level,
 *     with what rnc's emitted code computes, at every level, for each target and kind of kernels.
 *
 *     RNC_SEED=17 build/tests/numeric =numeric/onnx_random         the network of seed 17 alone
 *     STRESS_SECONDS=3600 build/tests/numeric =numeric/onnx_random for so long
 *
 * KEEP=1 leaves the files.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "graph/tensor.h"
#include "graph/interpret.h"
#include "../random_source.h"
#include "base/toolchain.h"
#include "emitted.h"
#include "save/save.h"
#include "runtime/image/npy.h"

enum { SEEDS = 60, EMITTED_SEEDS = 12, STRESS_SEEDS = 20, LEVELS = 3 };
#define TOLERANCE "1e-5"
#define EMITTED_TOLERANCE "1e-4" /* fp32, by methods that round more */

/* In threes, of each level one. */
static const Variant variants[][3] = {
    {{"O2", 2, 4, NULL, 1, 1, 0, KERNELS_JIT, NULL, 0},
     {"O0_avx2", 0, 3, NULL, 1, 1, 0, KERNELS_JIT, NULL, 0},
     {"O1_c", 1, 0, NULL, 1, 1, 0, KERNELS_C, NULL, 0}},
    {{"O2_avx2_threads2_batch3", 2, 3, NULL, 2, 3, 0, KERNELS_STATIC, NULL, 0},
     {"O0_batch2", 0, 4, NULL, 1, 2, 0, KERNELS_JIT, NULL, 0},
     {"O1_threads2", 1, 4, NULL, 2, 1, 0, KERNELS_STATIC, NULL, 0}},
    {{"O2_c_batch2", 2, 0, NULL, 1, 2, 0, KERNELS_C, NULL, 0},
     {"O0_threads3", 0, 4, NULL, 3, 1, 0, KERNELS_STATIC, NULL, 0},
     {"O1_avx2_batch4", 1, 3, NULL, 2, 4, 0, KERNELS_JIT, NULL, 0}},
};
enum { TRIPLES = sizeof variants / sizeof *variants };

static char *folder; /* of the test that runs */

/* Of images of the network's input or an output, as it has them. */
static void write_array(const char *path, const float *data, int images, const Value *value) {
    char error[RN_ERROR_SIZE] = "";
    const Shape shape = value->shape;
    const bool turned = value->channels_last && (!value->producer || shape.h * shape.w > 1);
    const size_t c = (size_t)shape.c, h = (size_t)shape.h, w = (size_t)shape.w;
    const size_t dim[] = {(size_t)images, turned ? h : c, turned ? w : h, turned ? c : w};
    if (rn_npy_write(path, data, 4, dim, error, sizeof error)) CU_FAIL_FATAL("an array cannot be written");
}

/* NAME.onnx and NAME.in.npy: the network, for any number of images or for as many, and the images. */
static void write_network(Arena *arena, const char *name, const Graph *graph, TensorData *weights, int batch,
                          const float *image, int images) {
    Diag diag = {0};
    tensor_data_evaluate(graph, weights);
    CU_ASSERT_TRUE(
        save_onnx(graph, weights, graph->name, batch, arena_printf(arena, "%s/%s.onnx", folder, name), &diag));
    write_array(arena_printf(arena, "%s/%s.in.npy", folder, name), image, images, graph->input);
}

static const char *output_path(Arena *arena, const char *name, int i) {
    return arena_printf(arena, "%s/%s.out%02d.npy", folder, name, i);
}

/* The interpreter's outputs, as NAME.outNN.npy. */
static void write_case(Arena *arena, const char *name, const Graph *graph, uint64_t seed) {
    TensorData weights = random_weights(graph, seed);
    float *image = random_image(graph, seed);
    double **values = calloc((size_t)graph->value_count, sizeof *values);
    write_network(arena, name, graph, &weights, (int)(seed % 2), image, 1);
    interpret(graph, &weights, image, values, 1);
    for (int i = 0; i < graph->output_count; i++) {
        const Value *output = graph->outputs[i];
        const double *value = values[output->id];
        const int64_t size = shape_size(output->shape);
        float *out = malloc(sizeof *out * (size_t)size);
        for (int64_t j = 0; j < size; j++) out[interpret_place(output, j)] = (float)value[j];
        write_array(output_path(arena, name, i), out, 1, output);
        free(out);
    }
    for (int i = 0; i < graph->value_count; i++) free(values[i]);
    free(values);
    free(image);
    tensor_data_free(&weights);
}

/* EmittedCase.ran: the emitted code's outputs of all images. */
static void write_outputs(const EmittedCase *c, const float *output) {
    Arena arena = {0};
    int64_t size = 0, before = 0;
    for (int i = 0; i < c->source->output_count; i++) size += shape_size(c->source->outputs[i]->shape);
    for (int i = 0; i < c->source->output_count; i++) {
        const int64_t floats = shape_size(c->source->outputs[i]->shape);
        float *out = malloc(sizeof *out * (size_t)(floats * c->variant.batch));
        for (int n = 0; n < c->variant.batch; n++)
            memcpy(out + n * floats, output + n * size + before, sizeof *out * (size_t)floats);
        write_array(output_path(&arena, c->name, i), out, c->variant.batch, c->source->outputs[i]);
        free(out);
        before += floats;
    }
    arena_free(&arena);
}

/* Of every third seed from a text. */
static Graph *random_network(Arena *arena, uint64_t seed) {
    Text text = {0}, messages = {0};
    Diag diag = {.capture = &messages};
    Graph *graph = seed % 3 ? random_graph(arena, seed) : random_source(arena, seed, &text, &diag);
    if (!graph) printf("%s\n%s\n", text.s, messages.s);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    text_free(&text);
    text_free(&messages);
    return graph;
}

static void compare(const char *tolerance, uint64_t first, int count) {
    Text command = {0};
    const char *python = getenv("PYTHON");
    text_printf(&command, "%s tests/numeric/onnx_run.py %s %s", python ? python : "python3", tolerance, folder);
    fflush(NULL);
    const int status = system(command.s);
    if (status)
        printf("random networks as ONNX: failed, of seeds %llu to %llu; RNC_SEED= runs one\n",
               (unsigned long long)first, (unsigned long long)first + (unsigned)count - 1);
    CU_ASSERT_EQUAL(status, 0);
    text_free(&command);
}

static void make_folder(Arena *arena) {
    Diag diag = {0};
    folder = temp_folder_make(arena, NULL, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
}

static void remove_folder(Arena *arena) {
    if (getenv("KEEP"))
        printf("kept %s\n", folder);
    else
        temp_folder_remove(folder);
    arena_free(arena);
}

static void check_written(uint64_t first, int count) {
    Arena arena = {0};
    make_folder(&arena);
    for (uint64_t seed = first; seed < first + (uint64_t)count; seed++) {
        Graph *source = random_network(&arena, seed);
        write_case(&arena, arena_printf(&arena, "%llu", (unsigned long long)seed), source, seed);
        Graph *fused = graph_clone(source, &arena);
        passes_run(fused, &(PassOptions){.level = (int)(seed % LEVELS)});
        write_case(&arena, arena_printf(&arena, "%llu-O%d", (unsigned long long)seed, (int)(seed % LEVELS)), fused,
                   seed);
    }
    compare(TOLERANCE, first, count);
    remove_folder(&arena);
}

/* Each network at each level; half of them by Winograd's method. */
static void check_emitted(uint64_t first, int count) {
    Arena arena = {0};
    Batch batch;
    make_folder(&arena);
    batch_begin(&batch);
    for (uint64_t seed = first; seed < first + (uint64_t)count; seed++)
        for (int v = 0; v < 3; v++) {
            Arena own = {0}, *kept = &own;
            Graph *graph = random_network(kept, seed);
            Variant variant = variants[seed / 3 % TRIPLES][v];
            variant.winograd = (seed / 2 + (uint64_t)v) % 2 ? (int)(seed % 10000) + 1 : 0;
            variant.last_layers = variant.batch > 1 ? (int)(seed / 2 % 8) + 1 : 0;
            batch_add_graph(&batch, arena_printf(&arena, "network%llu", (unsigned long long)seed), own, graph,
                            random_weights(graph, seed), variant);
            EmittedCase *c = &batch.cases[batch.count - 1];
            c->ran = write_outputs;
            write_network(&c->arena, c->name, c->source, &c->weights, v % 2 ? variant.batch : 0, c->image,
                          variant.batch);
        }
    CU_ASSERT(batch_check(&batch, 1e-3) > count); /* with the oracle more closely */
    compare(EMITTED_TOLERANCE, first, count);
    remove_folder(&arena);
}

static uint64_t first_seed(void) {
    const char *one = getenv("RNC_SEED");
    if (one && *one) return strtoull(one, NULL, 10);
    return getenv("STRESS_SECONDS") ? (uint64_t)time(NULL) : 1; /* check's are always the same */
}

static bool one_seed(void) {
    return getenv("RNC_SEED") && *getenv("RNC_SEED") && !getenv("STRESS_SECONDS");
}

static void test_random_networks(void) {
    check_written(first_seed(), one_seed() ? 1 : SEEDS);
}

static void test_emitted_networks(void) {
    const char *stress = getenv("STRESS_SECONDS");
    const uint64_t first = first_seed();
    printf("onnx_random: from seed %llu\n", (unsigned long long)first);
    if (!stress) {
        const int share = getenv("SANITIZED") ? EMITTED_SEEDS / 4 : EMITTED_SEEDS;
        return check_emitted(first, one_seed() ? 1 : share);
    }
    const time_t end = time(NULL) + strtol(stress, NULL, 10);
    for (uint64_t seed = first; time(NULL) < end && !CU_get_number_of_failures(); seed += STRESS_SEEDS) {
        check_written(seed, STRESS_SEEDS);
        check_emitted(seed, STRESS_SEEDS);
        printf("onnx_random: %llu networks agree\n", (unsigned long long)(seed + STRESS_SEEDS - first));
        fflush(stdout);
    }
}

void suite_onnx_random(void);
void suite_onnx_random(void) {
    CU_pSuite suite = CU_add_suite("onnx_random", NULL, NULL);
    CU_add_test(suite, "random networks mean the same in ONNX", test_random_networks);
    CU_add_test(suite, "emitted code computes what the ONNX file says", test_emitted_networks);
}
