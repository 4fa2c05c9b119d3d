/* A network's parameters against torchvision's own names and shapes, so that its weights load as they are.
 *
 * tests/golden/names/NET.txt: a line "name d0xd1..." per tensor of torchvision's state dict, sorted, without
 * num_batches_tracked. They were written down from torchvision's modules, not by rnc.
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

/* name -> dims */
static Map read_names(Arena *arena, const char *path) {
    Map names = {0};
    size_t size;
    char *text = file_read(path, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *space = strchr(line, ' ');
        CU_ASSERT_PTR_NOT_NULL_FATAL(space);
        *space = 0;
        map_put(&names, arena, arena_strdup(arena, line), arena_strdup(arena, space + 1));
    }
    free(text);
    return names;
}

static void check_names(const char *network, int tensors) {
    Arena arena = {0};
    Map expected = read_names(&arena, arena_printf(&arena, "tests/golden/names/%s.txt", network));
    CU_ASSERT_EQUAL(expected.count, tensors);
    Graph *graph = example_load(&arena, arena_printf(&arena, "examples/%s.rn", network), NULL);
    CU_ASSERT_PTR_NOT_NULL(graph);
    Map found = {0};
    for (int i = 0; graph && i < graph->tensor_count; i++) {
        const Tensor *tensor = graph->tensors[i];
        if (tensor->op != RN_PARAM) continue;
        const char *dims = dims_text(&arena, tensor), *want = map_get(&expected, tensor->name);
        if (!want || strcmp(want, dims))
            fprintf(stderr, "%s: %s %s; torchvision: %s\n", network, tensor->name, dims, want ? want : "has none");
        CU_ASSERT_TRUE(want && !strcmp(want, dims));
        CU_ASSERT_PTR_NULL(map_get(&found, tensor->name)); /* twice */
        map_put(&found, &arena, tensor->name, (void *)tensor);
    }
    for (int i = 0; graph && i < expected.count; i++) {
        const char *name = expected.entries[i].key;
        if (!map_get(&found, name)) fprintf(stderr, "%s: torchvision's %s is missing\n", network, name);
        CU_ASSERT_PTR_NOT_NULL(map_get(&found, name));
    }
    arena_free(&arena);
}

/* With the number of tensors that torchvision's state dict has (without num_batches_tracked). */
static void test_resnet18(void) {
    check_names("resnet18", 102);
}
static void test_resnet50(void) {
    check_names("resnet50", 267);
}
static void test_vgg16(void) {
    check_names("vgg16", 32);
}
static void test_densenet121(void) {
    check_names("densenet121", 606);
}
static void test_resnext50(void) {
    check_names("resnext50", 267);
}

void suite_names(void) {
    CU_pSuite suite = CU_add_suite("names", NULL, NULL);
    CU_add_test(suite, "ResNet-18", test_resnet18);
    CU_add_test(suite, "ResNet-50", test_resnet50);
    CU_add_test(suite, "VGG-16", test_vgg16);
    CU_add_test(suite, "DenseNet-121", test_densenet121);
    CU_add_test(suite, "ResNeXt-50", test_resnext50);
}
