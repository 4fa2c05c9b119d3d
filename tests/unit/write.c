/* The writer of sources (write/): what it writes is the graph, is formatted, and is written again as it is; networks of
 * known structure are found again, also without names. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "example.h"
#include "graph/interpret.h"
#include "graph/irtext.h"
#include "graph/ops.h"
#include "language/ast.h"
#include "write/write.h"

#include "../random_source.h"

static int count_lines(const char *text) {
    int lines = 0;
    for (const char *line = text; *line;) {
        const char *end = strchr(line, '\n');
        lines += end > line;
        line = end + 1;
    }
    return lines;
}

/* Reads the text back; NULL after errors, which are printed. */
static Graph *read_text(Arena *arena, const char *text) {
    return example_source(arena, text);
}

static bool is_formatted(const char *text) {
    const Source source = {"written", text, strlen(text)};
    Text formatted = {0};
    Diag diag = {0};
    const bool good = ast_format(&source, &formatted, &diag) && !strcmp(formatted.s, text);
    text_free(&formatted);
    return good;
}

/* Names that say nothing, no groups: as of a file that other tools wrote. */
static void make_anonymous(Graph *graph) {
    for (int i = 0; i < graph->node_count; i++) {
        graph->nodes[i]->name = graph->nodes[i]->out->name = arena_printf(graph->arena, "/Op:%d", i * 7919 % 100003);
        graph->nodes[i]->group = NULL;
    }
    for (int i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i] != graph->preprocess.mean_image)
            graph->tensors[i]->name = arena_printf(graph->arena, "onnx::%d", i);
}

/* What is written of the graph has the properties of every written source; its lines, 0 where it has not. */
static int check_written(Graph *graph, bool rename, const char *what, WrittenSource *written) {
    Diag diag = {0};
    if (!source_write(graph, graph->name, rename, graph->arena, written, &diag)) {
        fprintf(stderr, "%s: not written\n", what);
        return 0;
    }
    Graph *again = read_text(graph->arena, written->text);
    WrittenSource second;
    bool good = again && is_formatted(written->text);
    for (int with_weights = 0; good && with_weights <= rename; with_weights++)
        good = source_write(again, again->name, with_weights, graph->arena, &second, &diag) &&
               !strcmp(second.text, written->text) && !second.renamed;
    if (!good) fprintf(stderr, "%s: it is written as\n%sand again as\n%s", what, written->text, second.text);
    return good ? count_lines(written->text) : 0;
}

/* ---- networks of known structure ---- */
static const struct {
    const char *name, *define;
    int named, anonymous; /* at most so many lines that are not empty */
} networks[] = {
    {"bn_inception", NULL, 62, 70},
    {"convnext_tiny", NULL, 30, 30},
    {"densenet121", NULL, 30, 30},
    {"efficientnet_lite0", NULL, 26, 26},
    {"googlenet", NULL, 36, 36},
    {"googlenet_bn", NULL, 38, 38},
    {"mobilenet_v2", NULL, 26, 26},
    {"mobilenet_v3_large", NULL, 60, 60},
    {"plain18", NULL, 18, 18},
    {"plain34", NULL, 18, 18},
    {"prelu_net_a", NULL, 16, 16},
    {"prelu_net_b", NULL, 16, 16},
    {"prelu_net_c", NULL, 16, 16},
    {"regnet_y_400mf", NULL, 24, 24},
    {"repvgg_a0", NULL, 32, 32},
    {"resnet18", NULL, 20, 20},
    {"resnet18_a", NULL, 20, 20},
    {"resnet26d", NULL, 32, 32},
    {"resnet34", NULL, 20, 20},
    {"resnet34_a", NULL, 20, 20},
    {"resnet34_c", NULL, 20, 20},
    {"resnet50", NULL, 21, 21},
    {"resnet50_dilated", NULL, 24, 24},
    {"resnet50_fpn", NULL, 48, 48},
    {"resnet50_paper", NULL, 21, 21},
    {"resnet50d", NULL, 32, 32},
    {"resnet101", NULL, 21, 21},
    {"resnet101_paper", NULL, 21, 21},
    {"resnet152", NULL, 21, 21},
    {"resnet152_paper", NULL, 21, 21},
    {"resnetv2_50", NULL, 34, 34},
    {"resnext50", NULL, 21, 21},
    {"se_resnet50", NULL, 24, 24},
    {"squeezenet1_1", NULL, 24, 24},
    {"unet", NULL, 34, 34},
    {"vgg16", NULL, 26, 26},
    {"vgg16_bn", NULL, 26, 26},
    {"vgg19", NULL, 29, 29},
    {"wide_resnet50_2", NULL, 21, 21},
    {"cifar/plain20", NULL, 28, 28},
    {"cifar/plain110", NULL, 28, 28},
    {"cifar/preact_resnet110", NULL, 42, 42},
    {"cifar/resnet20", NULL, 31, 31},
    {"cifar/resnet110", NULL, 32, 32},
    {"cifar/wrn28_10", NULL, 36, 36},
    {"fashion/resnet20", NULL, 31, 31},
    {"digits/resnet8", NULL, 32, 32},
    {"face/face", NULL, 106, 34},
};

static void test_examples(void) {
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        Arena arena = {0};
        WrittenSource written;
        Graph *graph =
            example_load(&arena, arena_printf(&arena, "examples/%s.rn", networks[i].name), networks[i].define);
        CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
        int lines = check_written(graph, false, networks[i].name, &written);
        if (!(lines && lines <= networks[i].named))
            printf("%s: %d lines\n%s", networks[i].name, lines, lines ? written.text : "");
        CU_ASSERT(lines && lines <= networks[i].named);
        make_anonymous(graph);
        lines = check_written(graph, true, networks[i].name, &written);
        if (!(lines && lines <= networks[i].anonymous))
            printf("%s without names: %d lines\n%s", networks[i].name, lines, lines ? written.text : "");
        CU_ASSERT(lines && lines <= networks[i].anonymous);
        arena_free(&arena);
    }
}

/* ---- random networks ---- */
static bool can_be_said(const Graph *graph) {
    for (int i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        const Window *w = &node->attr.window;
        if ((op_info(node->op)->flags & OPF_WINDOW) && !node->attr.global && (w->dilate_h != 1 || w->dilate_w != 1))
            return false;
    }
    return true;
}

/* The written network's outputs on an image are the same numbers: both are summed in one order. */
static bool same_numbers(const Graph *graph, const WrittenSource *written, uint64_t seed) {
    TensorData weights = random_weights(graph, seed), other = source_weights(written, &weights);
    float *image = random_image(graph, seed);
    double **a = calloc((size_t)graph->value_count, sizeof *a),
           **b = calloc((size_t)written->graph->value_count, sizeof *b);
    interpret(graph, &weights, image, a, 1);
    interpret(written->graph, &other, image, b, 1);
    bool same = graph->output_count == written->graph->output_count;
    for (int i = 0; same && i < graph->output_count; i++)
        same = !memcmp(a[graph->outputs[i]->id], b[written->graph->outputs[i]->id],
                       sizeof **a * (size_t)shape_size(graph->outputs[i]->shape));
    for (int i = 0; i < graph->value_count; i++) free(a[i]);
    for (int i = 0; i < written->graph->value_count; i++) free(b[i]);
    free(a), free(b), free(image), free(other.data);
    tensor_data_free(&weights);
    return same;
}

static void test_random(void) {
    enum { SEEDS = 400 };
    const char *first = getenv("RNC_SEED");
    const uint64_t from = first ? strtoull(first, NULL, 10) : 1;
    for (uint64_t seed = from; seed < from + (first ? 1 : SEEDS); seed++) {
        Arena arena = {0};
        WrittenSource written;
        Graph *graph = random_graph(&arena, seed);
        if (can_be_said(graph)) {
            const char *what = arena_printf(&arena, "RNC_SEED=%llu", (unsigned long long)seed);
            const bool good = check_written(graph, true, what, &written) && same_numbers(graph, &written, seed);
            if (!good) fprintf(stderr, "%s fails\n", what);
            CU_ASSERT(good);
        }
        arena_free(&arena);
    }
}

/* Sources with blocks, conditions, computed names: written under their own names, and under any. */
static void test_random_sources(void) {
    enum { SEEDS = 200 };
    const char *first = getenv("RNC_SEED");
    const uint64_t from = first ? strtoull(first, NULL, 10) : 1;
    for (uint64_t seed = from; seed < from + (first ? 1 : SEEDS); seed++) {
        Arena arena = {0};
        Text text = {0};
        Diag diag = {0};
        WrittenSource written;
        Graph *graph = random_source(&arena, seed, &text, &diag);
        CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
        const char *what = arena_printf(&arena, "a source, RNC_SEED=%llu", (unsigned long long)seed);
        bool good = check_written(graph, false, what, &written) && !written.renamed;
        good = good && same_numbers(graph, &written, seed);
        make_anonymous(graph);
        good = good && check_written(graph, true, what, &written) && same_numbers(graph, &written, seed);
        if (!good) fprintf(stderr, "%s fails:\n%s", what, text.s);
        CU_ASSERT(good);
        text_free(&text);
        arena_free(&arena);
    }
}

void suite_write(void);
void suite_write(void) {
    CU_pSuite suite = CU_add_suite("unit/write", NULL, NULL);
    CU_add_test(suite, "examples, with their names and without", test_examples);
    CU_add_test(suite, "random networks: the same numbers", test_random);
    CU_add_test(suite, "random sources: names", test_random_sources);
}
