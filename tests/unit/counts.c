/* Parameters and multiply-adds of every example, exactly.
 *
 * Where torchvision or timm publish a count (ResNet, VGG, ResNeXt, DenseNet, ResNet-D, SE-ResNet, and what has a file
 * in tests/golden/names) it is theirs, as their modules have it; the others were derived from the papers' tables by an
 * independent program. Parameters are what training changes: batch norm's running mean and variance are not among them.
 * Multiply-adds are of one image, convolutions and fc only.
 */
#include <CUnit/CUnit.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "example.h"
#include "view/view.h"

typedef struct Count {
    const char *path;
    int64_t parameters, multiply_adds;
} Count;

static const Count counts[] = {
    /* ImageNet */
    {"examples/plain18.rn", 11515688, 1794805760},
    {"examples/plain34.rn", 21623848, 3644493824},
    {"examples/resnet18_a.rn", 11515688, 1794805760},
    {"examples/resnet18.rn", 11689512, 1814073344},
    {"examples/resnet34_a.rn", 21623848, 3644493824},
    {"examples/resnet34.rn", 21797672, 3663761408},
    {"examples/resnet34_c.rn", 22716840, 3830747136},
    {"examples/resnet50.rn", 25557032, 4089184256},
    {"examples/resnet50_paper.rn", 25557032, 3857973248},
    {"examples/resnet101.rn", 44549160, 7801405440},
    {"examples/resnet101_paper.rn", 44549160, 7570194432},
    {"examples/resnet152.rn", 60192808, 11513626624},
    {"examples/resnet152_paper.rn", 60192808, 11282415616},
    {"examples/vgg16.rn", 138357544, 15470264320},
    {"examples/vgg19.rn", 143667240, 19632062464},
    {"examples/googlenet.rn", 6998552, 1582671872},
    {"examples/bn_inception.rn", 11194984, 2018851840},
    {"examples/prelu_net_a.rn", 178032072, 19058106368},
    {"examples/prelu_net_b.rn", 183343048, 23219904512},
    {"examples/prelu_net_c.rn", 330623944, 53463130112},
    {"examples/resnet50d.rn", 25576264, 4328824832},
    {"examples/resnext50.rn", 25028904, 4230479872},
    {"examples/se_resnet50.rn", 28088024, 4091699200},
    {"examples/densenet121.rn", 7978856, 2834161664},
    {"examples/repvgg_a0.rn", 9108968, 1512581120},
    {"examples/vgg16_bn.rn", 138365992, 15470264320},
    {"examples/googlenet_bn.rn", 6624904, 1498376192},
    {"examples/squeezenet1_1.rn", 1235496, 349151936},
    {"examples/resnet26d.rn", 16014408, 2581897216},
    {"examples/resnetv2_50.rn", 25549352, 4089184256},
    {"examples/wide_resnet50_2.rn", 68883240, 11398021120},
    {"examples/resnet50_dilated.rn", 25557032, 19079364608},
    {"examples/resnet50_fpn.rn", 26852416, 36201037824},
    {"examples/regnet_y_400mf.rn", 4344144, 401842848},
    {"examples/mobilenet_v2.rn", 3504872, 300774272},
    {"examples/mobilenet_v3_large.rn", 5483032, 216589760},
    {"examples/convnext_tiny.rn", 28589128, 4455531264},
    {"examples/unet.rn", 31037698, 48171581440},
    {"examples/efficientnet_lite0.rn", 4652008, 385187552},
    /* CIFAR-10 */
    {"examples/cifar/resnet20.rn", 269722, 40551040},
    {"examples/cifar/resnet32.rn", 464154, 68862592},
    {"examples/cifar/resnet44.rn", 658586, 97174144},
    {"examples/cifar/resnet56.rn", 853018, 125485696},
    {"examples/cifar/resnet110.rn", 1727962, 252887680},
    {"examples/cifar/resnet1202.rn", 19421274, 2829238912},
    {"examples/cifar/plain20.rn", 269722, 40551040},
    {"examples/cifar/plain32.rn", 464154, 68862592},
    {"examples/cifar/plain44.rn", 658586, 97174144},
    {"examples/cifar/plain56.rn", 853018, 125485696},
    {"examples/cifar/plain110.rn", 1727962, 252887680},
    {"examples/cifar/preact_resnet110.rn", 1727962, 252887680},
    {"examples/cifar/wrn28_10.rn", 36479194, 5243328768},
    /* Fashion-MNIST */
    {"examples/fashion/resnet20.rn", 269434, 30821248},
    {"examples/fashion/resnet20_cosine.rn", 269434, 30821248},
    {"examples/fashion/resnet56.rn", 852730, 95849344},
    {"examples/fashion/resnet110.rn", 1727674, 193391488},
    {"examples/fashion/resnet1202.rn", 19420986, 2165910400},
    {"examples/fashion/plain20.rn", 269434, 30821248},
    {"examples/fashion/plain56.rn", 852730, 95849344},
    {"examples/fashion/plain110.rn", 1727674, 193391488},
    /* digits */
    {"examples/digits/resnet8.rn", 4934, 48544},
    /* faces */
    {"examples/face/face.rn", 5614592, 270854144},
};
enum { COUNT_ROWS = sizeof counts / sizeof *counts };

static void check_counts(const Count *row) {
    Arena arena = {0};
    Graph *graph = example_load(&arena, row->path, NULL);
    CU_ASSERT_PTR_NOT_NULL(graph);
    if (graph) {
        Totals totals = graph_totals(graph);
        if (totals.params != row->parameters || totals.macs != row->multiply_adds)
            fprintf(stderr, "%s: %lld parameters, %lld multiply-adds; expected %lld, %lld\n", row->path,
                    (long long)totals.params, (long long)totals.macs, (long long)row->parameters,
                    (long long)row->multiply_adds);
        CU_ASSERT_EQUAL(totals.params, row->parameters);
        CU_ASSERT_EQUAL(totals.macs, row->multiply_adds);
    }
    arena_free(&arena);
}

static void test_counts(void) {
    for (int i = 0; i < COUNT_ROWS; i++) check_counts(&counts[i]);
}

static bool is_network(const char *path) { /* rather than a file of blocks */
    size_t size;
    char *text = file_read(path, SIZE_MAX, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    bool found = !strncmp(text, "network ", 8) || strstr(text, "\nnetwork ");
    free(text);
    return found;
}

static bool has_row(const char *path) {
    for (int i = 0; i < COUNT_ROWS; i++)
        if (!strcmp(counts[i].path, path)) return true;
    return false;
}

/* No example without a row, and no row without its example. */
static void test_every_example_has_a_row(void) {
    glob_t found;
    CU_ASSERT_EQUAL_FATAL(glob("examples/*.rn", 0, NULL, &found), 0);
    CU_ASSERT_EQUAL_FATAL(glob("examples/*/*.rn", GLOB_APPEND, NULL, &found), 0);
    int networks = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        if (!is_network(path)) continue;
        networks++;
        if (!has_row(path)) fprintf(stderr, "%s has no row in tests/unit/counts.c\n", path);
        CU_ASSERT_TRUE(has_row(path));
    }
    CU_ASSERT_EQUAL(networks, COUNT_ROWS);
    globfree(&found);
}

/* The ImageNet networks compile for smaller pictures, as tests of whole networks use them. */
static void test_small_inputs(void) {
    for (int i = 0; i < COUNT_ROWS; i++) {
        const char *path = counts[i].path;
        if (strchr(path + strlen("examples/"), '/')) continue; /* the others have their sizes */
        Arena arena = {0};
        Graph *graph = example_load(&arena, path, "size=64");
        CU_ASSERT_PTR_NOT_NULL(graph);
        if (graph) CU_ASSERT_TRUE(shape_equal(graph->input->shape, (Shape){3, 64, 64}));
        if (graph && strcmp(path, "examples/resnet50_fpn.rn") && strcmp(path, "examples/unet.rn"))
            CU_ASSERT_TRUE(shape_equal(graph->outputs[0]->shape, (Shape){1000, 1, 1}));
        arena_free(&arena);
    }
}

/* In the source's order: the finest first. */
static void test_pyramid(void) {
    Arena arena = {0};
    Graph *graph = example_load(&arena, "examples/resnet50_fpn.rn", "size=64");
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL_FATAL(graph->output_count, 5);
    for (int i = 0; i < 5; i++) CU_ASSERT_TRUE(shape_equal(graph->outputs[i]->shape, (Shape){256, 16 >> i, 16 >> i}));
    arena_free(&arena);
}

static void test_train_sections(void) {
    for (int i = 0; i < COUNT_ROWS; i++) {
        static const char *const folders[] = {"examples/cifar/", "examples/fashion/", "examples/digits/"};
        bool trains = false;
        for (int k = 0; k < 3; k++) trains |= !strncmp(counts[i].path, folders[k], strlen(folders[k]));
        if (!trains) continue;
        Arena arena = {0};
        Graph *graph = example_load(&arena, counts[i].path, NULL);
        CU_ASSERT_PTR_NOT_NULL(graph);
        if (graph) CU_ASSERT_PTR_NOT_NULL(graph->train);
        arena_free(&arena);
    }
}

void suite_counts(void) {
    CU_pSuite suite = CU_add_suite("counts", NULL, NULL);
    CU_add_test(suite, "parameters and multiply-adds of every example", test_counts);
    CU_add_test(suite, "every example has a row", test_every_example_has_a_row);
    CU_add_test(suite, "ImageNet networks at 64 x 64", test_small_inputs);
    CU_add_test(suite, "the feature pyramid's outputs", test_pyramid);
    CU_add_test(suite, "networks for CIFAR, Fashion-MNIST and digits have a training section", test_train_sections);
}
