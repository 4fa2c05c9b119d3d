/* The trained face network against dlib: the interpreter's 128 numbers for each picture are those that dlib computed
 * (examples/face/face_reference.json), and they tell which pictures show the same person.
 */
#include <CUnit/CUnit.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#include "graph/tensor.h"
#include "graph/interpret.h"
#include "runtime/image/image.h"
#include "example.h"
#include "load/load.h"

#define FOLDER "examples/face/"
enum { NUMBERS = 128 };
static const double tolerance = 1e-6; /* on numbers of up to 0.38; the interpreter sums in double and differs by 3e-7 */
static const double same_person = 0.6;

typedef struct Face {
    Arena arena;
    Graph *graph;
    TensorData weights;
} Face;

static void face_open(Face *face) {
    Diag diag = {0};
    *face = (Face){0};
    face->graph = example_load(&face->arena, FOLDER "face.rn", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(face->graph);
    CU_ASSERT_TRUE_FATAL(
        weights_load(face->graph, &(WeightsOptions){.path = FOLDER "face.safetensors"}, &face->weights, &diag));
    tensor_data_evaluate(face->graph, &face->weights);
}

static void face_close(Face *face) {
    tensor_data_free(&face->weights);
    arena_free(&face->arena);
}

/* The picture as the network's input: C x H x W, normalised as the source says. */
static float *read_chip(const Graph *graph, const char *path) {
    rn_image image;
    Shape shape = graph->input->shape;
    const Preprocess *p = &graph->preprocess;
    CU_ASSERT_EQUAL_FATAL(rn_image_read(&image, path, NULL, 0), RN_OK);
    CU_ASSERT_TRUE_FATAL(image.height == shape.h && image.width == shape.w && shape.c == 3 && p->order == ORDER_RGB);
    int pixels = shape.h * shape.w;
    float *planar = malloc((size_t)pixels * 3 * sizeof *planar);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < pixels; i++)
            planar[c * pixels + i] = (float)((image.rgb[3 * i + c] * p->range / 255 - p->mean[c]) / p->std[c]);
    rn_image_free(&image);
    return planar;
}

static void describe(const Face *face, const char *path, double numbers[NUMBERS]) {
    const Graph *graph = face->graph;
    float *image = read_chip(graph, path);
    double **values = calloc((size_t)graph->value_count, sizeof *values);
    interpret(graph, &face->weights, image, values, 2);
    CU_ASSERT_EQUAL_FATAL(shape_size(graph->outputs[0]->shape), NUMBERS);
    for (int i = 0; i < NUMBERS; i++) numbers[i] = values[graph->outputs[0]->id][i];
    for (int i = 0; i < graph->value_count; i++) free(values[i]);
    free(values);
    free(image);
}

static double distance(const double *a, const double *b) {
    double sum = 0;
    for (int i = 0; i < NUMBERS; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum);
}

static double largest_difference(const cJSON *expected, const double *numbers) {
    double largest = 0;
    CU_ASSERT_EQUAL_FATAL(cJSON_GetArraySize(expected), NUMBERS);
    for (int i = 0; i < NUMBERS; i++) {
        double error = fabs(numbers[i] - cJSON_GetArrayItem(expected, i)->valuedouble);
        if (!(error <= largest)) largest = isnan(error) ? INFINITY : error;
    }
    return largest;
}

static void test_face_numbers(void) {
    size_t size;
    char *text = file_read(FOLDER "face_reference.json", SIZE_MAX, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    cJSON *reference = cJSON_ParseWithLength(text, size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reference);
    Face face;
    face_open(&face);
    static const char *const people[] = {"obama", "obama2", "biden"};
    double numbers[3][NUMBERS];
    for (int i = 0; i < 3; i++) {
        const char *path = arena_printf(&face.arena, FOLDER "face_%s.png", people[i]);
        describe(&face, path, numbers[i]);
        double error = largest_difference(cJSON_GetObjectItemCaseSensitive(reference, people[i]), numbers[i]);
        if (!(error <= tolerance)) fprintf(stderr, "%s: differs from dlib by %g\n", path, error);
        CU_ASSERT_TRUE(error <= tolerance);
    }
    CU_ASSERT_TRUE(distance(numbers[0], numbers[1]) < same_person);
    CU_ASSERT_TRUE(distance(numbers[0], numbers[2]) > same_person);
    CU_ASSERT_TRUE(distance(numbers[1], numbers[2]) > same_person);
    face_close(&face);
    cJSON_Delete(reference);
    free(text);
}

static Shape layer_shape(const Graph *graph, const char *name) {
    Value *value = graph_find_layer(graph, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    return value->shape;
}

/* The sizes where the two sides of a block differ are easily got wrong by one. */
static void test_face_shapes(void) {
    Arena arena = {0};
    Graph *graph = example_load(&arena, FOLDER "face.rn", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    static const struct {
        const char *layer;
        Shape shape;
    } rows[] = {{"con1", {32, 72, 72}}, {"con2", {32, 35, 35}}, {"con8", {64, 17, 17}}, {"con9", {64, 17, 17}},
                {"con16", {128, 8, 8}}, {"con21", {128, 8, 8}}, {"con22", {256, 3, 3}}, {"con23", {256, 3, 3}},
                {"con24", {256, 4, 4}}, {"con27", {256, 4, 4}}, {"con28", {256, 1, 1}}, {"con29", {256, 1, 1}},
                {"fc", {128, 1, 1}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Shape shape = layer_shape(graph, rows[i].layer);
        if (!shape_equal(shape, rows[i].shape))
            fprintf(stderr, "%s is %dx%dx%d\n", rows[i].layer, shape.c, shape.h, shape.w);
        CU_ASSERT_TRUE(shape_equal(shape, rows[i].shape));
    }
    /* the last block: 1 x 1 from the convolutions, 2 x 2 from the shortcut's pool, filled to 2 x 2 */
    const Node *last_add = NULL;
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == OP_ADD) last_add = graph->nodes[i];
    CU_ASSERT_PTR_NOT_NULL_FATAL(last_add);
    CU_ASSERT_TRUE(last_add->attr.fill);
    CU_ASSERT_TRUE(shape_equal(last_add->out->shape, (Shape){256, 2, 2}));
    arena_free(&arena);
}

void suite_face(void) {
    CU_pSuite suite = CU_add_suite("face", NULL, NULL);
    CU_add_test(suite, "shapes", test_face_shapes);
    CU_add_test(suite, "dlib's numbers, and who is who", test_face_numbers);
}
