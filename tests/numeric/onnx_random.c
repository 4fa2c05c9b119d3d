/* Random networks (tests/random_graph.h) as ONNX, as they are and after the passes of each level, run in NumPy by the
 * specification (onnx_run.py) and compared with the reference interpreter. RNC_SEED=N runs one seed.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../random_graph.h"
#include "driver.h"
#include "passes.h"
#include "save/save.h"
#include "../../runtime/npy.h"

enum { SEEDS = 60, LEVELS = 3 };
#define TOLERANCE "1e-5"

static void write_array(const char *path, const float *data, Shape shape) {
    char error[RN_ERROR_SIZE] = "";
    const size_t dim[] = {1, (size_t)shape.c, (size_t)shape.h, (size_t)shape.w};
    if (rn_npy_write(path, data, 4, dim, error, sizeof error)) CU_FAIL_FATAL("an array cannot be written");
}

/* NAME.onnx, NAME.in.npy and NAME.outNN.npy in `folder` */
static void write_case(Arena *arena, const char *folder, const char *name, const Graph *graph, uint64_t seed) {
    Diag diag = {0};
    TensorData weights = random_weights(graph, seed);
    float *image = random_image(graph, seed);
    double **values = calloc((size_t)graph->value_count, sizeof *values);
    tensor_data_evaluate(graph, &weights);
    CU_ASSERT_TRUE(save_onnx(graph, &weights, graph->name, (int)(seed % 2),
                             arena_printf(arena, "%s/%s.onnx", folder, name), &diag));
    write_array(arena_printf(arena, "%s/%s.in.npy", folder, name), image, graph->input->shape);
    interpret(graph, &weights, image, values, 1);
    for (int i = 0; i < graph->output_count; i++) {
        const Shape shape = graph->outputs[i]->shape;
        const double *value = values[graph->outputs[i]->id];
        float *out = malloc(sizeof *out * (size_t)shape_size(shape));
        for (int64_t j = 0; j < shape_size(shape); j++) out[j] = (float)value[j];
        write_array(arena_printf(arena, "%s/%s.out%02d.npy", folder, name, i), out, shape);
        free(out);
    }
    for (int i = 0; i < graph->value_count; i++) free(values[i]);
    free(values);
    free(image);
    tensor_data_free(&weights);
}

static void test_random_networks(void) {
    Arena arena = {0};
    Diag diag = {0};
    const char *one = getenv("RNC_SEED"), *python = getenv("PYTHON");
    const uint64_t first = one ? strtoull(one, NULL, 10) : (uint64_t)time(NULL);
    const char *folder = temp_folder_make(&arena, NULL, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    for (uint64_t seed = first; seed < first + (one ? 1 : SEEDS); seed++) {
        Graph *source = random_graph(&arena, seed);
        write_case(&arena, folder, arena_printf(&arena, "%llu", (unsigned long long)seed), source, seed);
        Graph *fused = graph_clone(source, &arena);
        passes_run(fused, &(PassOptions){.level = (int)(seed % LEVELS)});
        write_case(&arena, folder, arena_printf(&arena, "%llu-O%d", (unsigned long long)seed, (int)(seed % LEVELS)),
                   fused, seed);
    }
    const char *command =
        arena_printf(&arena, "%s tests/numeric/onnx_run.py " TOLERANCE " %s", python ? python : "python3", folder);
    int status = system(command);
    if (status) printf("random networks as ONNX: failed from seed %llu\n", (unsigned long long)first);
    CU_ASSERT_EQUAL(status, 0);
    temp_folder_remove(folder);
    arena_free(&arena);
}

void suite_onnx_random(void);
void suite_onnx_random(void) {
    CU_pSuite suite = CU_add_suite("onnx_random", NULL, NULL);
    CU_add_test(suite, "random networks mean the same in ONNX", test_random_networks);
}
