/* A network's parameters against the names and shapes of torchvision (resnet26d, resnetv2_50: timm; efficientnet_lite0:
 * efficientnet-lite-pytorch; unet: milesial/Pytorch-UNet), so that its weights load as they are.
 *
 * tests/golden/names/NET.txt: a line "name d0xd1..." per tensor of the package's state dict, sorted, without
 * num_batches_tracked and GoogLeNet's auxiliary heads. They were written down from the packages' modules, not by rnc.
 */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "example.h"

static const char *dims_text(Arena *arena, const Tensor *tensor) {
    const char *text = "";
    for (int i = 0; i < tensor->ndim; i++) text = arena_printf(arena, "%s%s%d", text, i ? "x" : "", tensor->dim[i]);
    return text;
}

/* A state dict's name and dims as the network's parameter is called: a factor that is the block's own parameter,
 * "layer_scale", is a layer's weight; dimensions of 1 at the end say nothing. The weights' reader knows both. */
static const char *parameter_name(Arena *arena, const char *name) {
    const char *last = strrchr(name, '.');
    const bool own = last && !strcmp(last, ".layer_scale");
    return own ? arena_printf(arena, "%s.weight", name) : arena_strdup(arena, name);
}

static const char *without_ones(Arena *arena, const char *dims) {
    char *text = arena_strdup(arena, dims);
    for (size_t n = strlen(text); n > 2 && !strcmp(text + n - 2, "x1"); n -= 2) text[n - 2] = 0;
    return text;
}

/* name -> dims */
static Map read_names(Arena *arena, const char *path) {
    Map names = {0};
    size_t size;
    char *text = file_read(path, SIZE_MAX, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *space = strchr(line, ' ');
        CU_ASSERT_PTR_NOT_NULL_FATAL(space);
        *space = 0;
        map_put(&names, arena, parameter_name(arena, line), arena_strdup(arena, space + 1));
    }
    free(text);
    return names;
}

static void check_names(const char *network, const char *names, int tensors) {
    Arena arena = {0};
    Map expected = read_names(&arena, arena_printf(&arena, "tests/golden/names/%s.txt", names));
    CU_ASSERT_EQUAL(expected.count, tensors);
    Graph *graph = example_load(&arena, arena_printf(&arena, "examples/%s.rn", network), NULL);
    CU_ASSERT_PTR_NOT_NULL(graph);
    Map found = {0};
    for (int i = 0; graph && i < graph->tensor_count; i++) {
        const Tensor *tensor = graph->tensors[i];
        if (tensor->op != RN_PARAM) continue;
        const char *dims = dims_text(&arena, tensor), *want = map_get(&expected, tensor->name);
        const bool same = want && !strcmp(without_ones(&arena, want), without_ones(&arena, dims));
        if (!same)
            fprintf(stderr, "%s: %s %s; the package: %s\n", network, tensor->name, dims, want ? want : "has none");
        CU_ASSERT_TRUE(same);
        CU_ASSERT_PTR_NULL(map_get(&found, tensor->name)); /* twice */
        map_put(&found, &arena, tensor->name, (void *)tensor);
    }
    for (int i = 0; graph && i < expected.count; i++) {
        const char *name = expected.entries[i].key;
        if (!map_get(&found, name)) fprintf(stderr, "%s: the package's %s is missing\n", network, name);
        CU_ASSERT_PTR_NOT_NULL(map_get(&found, name));
    }
    arena_free(&arena);
}

static const struct {
    const char *network, *names;
    int tensors; /* of the state dict, without num_batches_tracked */
} rows[] = {
    {"resnet18", "resnet18", 102},
    {"resnet50", "resnet50", 267},
    {"resnet50_dilated", "resnet50", 267},
    {"resnet50_fpn", "resnet50_fpn", 281},
    {"wide_resnet50_2", "wide_resnet50_2", 267},
    {"resnext50", "resnext50", 267},
    {"resnet26d", "resnet26d", 157},
    {"resnetv2_50", "resnetv2_50", 251},
    {"vgg16", "vgg16", 32},
    {"vgg16_bn", "vgg16_bn", 84},
    {"googlenet_bn", "googlenet_bn", 287},
    {"densenet121", "densenet121", 606},
    {"squeezenet1_1", "squeezenet1_1", 52},
    {"mobilenet_v2", "mobilenet_v2", 262},
    {"mobilenet_v3_large", "mobilenet_v3_large", 266},
    {"efficientnet_lite0", "efficientnet_lite0", 247},
    {"convnext_tiny", "convnext_tiny", 182},
    {"unet", "unet", 100},
    {"regnet_y_400mf", "regnet_y_400mf", 331},
};

static void test_names(void) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_names(rows[i].network, rows[i].names, rows[i].tensors);
}

void suite_names(void) {
    CU_pSuite suite = CU_add_suite("names", NULL, NULL);
    CU_add_test(suite, "names and shapes of the packages' weights", test_names);
}
