/* A step's gradients against PyTorch's: loss, gradients and running statistics of a small residual network with all that
 * a ResNet has: a strided stem with a bias, a max-pool, an identity and a projected shortcut, a classifier, smoothed and
 * mixed labels. PyTorch's numbers, in double, are pytorch.py's (PyTorch 2.15).
 *
 * Parameters and images are waves, so that both sides have the same. Of each gradient are compared the norm and the sum
 * of its elements times cos(index). */
#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/interpret.h"
#include "language/ast.h"
#include "passes/differentiate.h"

enum { IMAGES = 3, PIXELS = 2 * 13 * 15 };

static const char text[] = "block basic(width) {\n"
                           "    residual {\n"
                           "        conv width, 3x3 /stride; bn; relu\n"
                           "        conv width, 3x3; bn\n"
                           "    } shortcut project\n"
                           "    relu\n"
                           "}\n"
                           "network r {\n"
                           "    input 2x13x15\n"
                           "    conv 4, 5x5 /2 bias; bn; relu; maxpool 3x3 /2 pad 1\n"
                           "    stage 1 basic(4)\n"
                           "    stage 1 basic(6) /2\n"
                           "    avgpool global; fc 5\n"
                           "}\n"
                           "train { loss crossentropy smooth 0.1 }\n";

static const double expected_loss = 6.5115731698634;
static const struct Expected {
    const char *name;
    double norm, along; /* of the gradient; of running statistics, of these after the step */
} expected[] = {
    {"conv1.weight", 1.81274125152, -0.056056923734},
    {"conv1.bias", 4.16333634234e-17, -4.0285702294e-17},
    {"bn1.weight", 0.137585223293, 0.213403749695},
    {"bn1.bias", 0.0767598309036, 0.00929045076056},
    {"layer1.0.conv1.weight", 0.139371512946, -0.00672491108152},
    {"layer1.0.bn1.weight", 0.0197450229071, -0.0147104741487},
    {"layer1.0.bn1.bias", 0.0970883127685, 0.0251046377993},
    {"layer1.0.conv2.weight", 0.17993698295, -0.00119755789051},
    {"layer1.0.bn2.weight", 0.122632803576, 0.190469219763},
    {"layer1.0.bn2.bias", 0.0224848755549, -0.0169092776853},
    {"layer2.0.conv1.weight", 0.065974278599, -0.0435254126233},
    {"layer2.0.bn1.weight", 0.0130612074554, 0.0122706700293},
    {"layer2.0.bn1.bias", 0.0136226056105, 0.00757313577893},
    {"layer2.0.conv2.weight", 0.67229238161, 0.329762271628},
    {"layer2.0.bn2.weight", 0.578620242959, -0.425437249429},
    {"layer2.0.bn2.bias", 1.0317778695, -1.28336042933},
    {"layer2.0.downsample.0.weight", 1.60775997784, 0.657209020291},
    {"layer2.0.downsample.1.weight", 0.4845435879, -0.589553829303},
    {"layer2.0.downsample.1.bias", 1.0317778695, -1.28336042933},
    {"fc.weight", 2.48739481308, -0.0537773269875},
    {"fc.bias", 1.45829339941, 0.157452509573},
    {"bn1.running_mean", 0.032856421543, -0.0476126714906},
    {"bn1.running_var", 1.94395338702, 0.152393574739},
    {"layer1.0.bn1.running_mean", 0.120775404235, 0.00877602295614},
    {"layer1.0.bn1.running_var", 4.59096261913, 0.799162704403},
    {"layer1.0.bn2.running_mean", 0.075222869008, -0.0288470679209},
    {"layer1.0.bn2.running_var", 2.91782421028, 0.0814830532852},
    {"layer2.0.bn1.running_mean", 0.604056386106, 0.0372988459432},
    {"layer2.0.bn1.running_var", 9.21566654539, -2.33761113878},
    {"layer2.0.bn2.running_mean", 0.568650177073, 0.0456673741565},
    {"layer2.0.bn2.running_var", 3.13044861021, -0.431164683775},
    {"layer2.0.downsample.1.running_mean", 0.310555672681, 0.171470608143},
    {"layer2.0.downsample.1.running_var", 2.29730056227, -0.127625933737},
};

static void wave(float *to, int64_t count, double step, double phase, double scale, double shift) {
    for (int64_t i = 0; i < count; i++) to[i] = (float)(shift + scale * (float)sin(step * (double)i + phase));
}

/* Weights of two and more dimensions are half a wave, norms' weights 1 and a quarter of it, biases a quarter of it. The
 * phase is the sum of the name's letters. */
static TensorData make_weights(const Graph *graph) {
    TensorData weights = {calloc((size_t)graph->tensor_count, sizeof(float *)), graph->tensor_count};
    for (int i = 0; i < graph->tensor_count; i++) {
        const Tensor *t = graph->tensors[i];
        if (t->op != RN_PARAM) continue;
        const char *end = strrchr(t->name, '.');
        int phase = 0;
        for (const char *c = t->name; *c; c++) phase += *c;
        float *data = weights.data[i] = malloc(sizeof *data * (size_t)tensor_size(t));
        const bool mean = !strcmp(end, ".running_mean"), variance = !strcmp(end, ".running_var");
        const double shift = variance || (t->ndim == 1 && !strcmp(end, ".weight"));
        wave(data, tensor_size(t), 0.7, phase, mean || variance ? 0 : t->ndim > 1 ? 0.5 : 0.25, shift);
    }
    return weights;
}

static void compare(const struct Expected *e, const double *numbers, int64_t count) {
    double squares = 0, along = 0;
    for (int64_t i = 0; i < count; i++) squares += numbers[i] * numbers[i], along += numbers[i] * cos((double)i);
    const bool right = fabs(sqrt(squares) - e->norm) <= 1e-6 * e->norm + 1e-9 &&
                       fabs(along - e->along) <= 1e-6 * e->norm + 1e-9;
    if (!right) fprintf(stderr, "%s: %.12g %.12g, by PyTorch %.12g %.12g\n", e->name, sqrt(squares), along, e->norm, e->along);
    CU_ASSERT_TRUE(right);
}

static const struct Expected *find(const char *name) {
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strcmp(expected[i].name, name)) return &expected[i];
    CU_FAIL_FATAL("PyTorch has no such parameter");
    return NULL;
}

/* The running statistics after the step, as the update has them. */
static void compare_running(const Graph *graph, const TensorData *weights, double **values, const Running *r) {
    const double *stats = values[graph->outputs[r->output]->id];
    const int c = r->mean->dim[0];
    double mean[8], var[8];
    for (int k = 0; k < c; k++) {
        const double count = stats[2 * c + k];
        mean[k] = (1 - r->momentum) * weights->data[r->mean->id][k] + r->momentum * stats[k];
        var[k] = (1 - r->momentum) * weights->data[r->var->id][k] + r->momentum * stats[c + k] * count / (count - 1);
    }
    compare(find(r->mean->name), mean, c);
    compare(find(r->var->name), var, c);
}

static void test_pytorch(void) {
    Arena arena = {0};
    Diag diag = {0};
    const Source source = {"torch.rn", text, strlen(text)};
    const Ast *ast = ast_parse_text(&arena, &source, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ast);
    const Graph *graph = differentiate(elaborate(&arena, ast, NULL, 0, &diag), &arena, &diag);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    TensorData weights = make_weights(graph);
    float images[IMAGES * PIXELS];
    wave(images, IMAGES * PIXELS, 0.37, 0.2, 1, 0);
    const double labels[IMAGES * 4] = {0, 2, 1, 0, 3, 3, 1, 0, 4, 1, 0.7, 0};
    double **values = calloc((size_t)graph->value_count, sizeof *values), loss = 0;
    interpret_batch(graph, &weights, images, labels, IMAGES, values, 1);
    const Training *t = graph->training;
    for (int n = 0; n < IMAGES; n++) loss += values[graph->outputs[t->loss]->id][3 * n];
    CU_ASSERT_DOUBLE_EQUAL(loss, expected_loss, 1e-6);
    CU_ASSERT_EQUAL((size_t)(t->trained_count + 2 * t->running_count), sizeof expected / sizeof *expected);
    for (int i = 0; i < t->trained_count; i++) {
        const Value *value = graph->outputs[t->trained[i].output];
        compare(find(t->trained[i].param->name),
                values[value->id] + (size_t)t->trained[i].channel * (size_t)value->shape.h * (size_t)value->shape.w,
                tensor_size(t->trained[i].param));
    }
    for (int i = 0; i < t->running_count; i++) compare_running(graph, &weights, values, &t->running[i]);
    for (int i = 0; i < graph->value_count; i++) free(values[i]);
    free(values);
    tensor_data_free(&weights);
    arena_free(&arena);
}

void suite_pytorch(void) {
    CU_pSuite suite = CU_add_suite("pytorch", NULL, NULL);
    CU_add_test(suite, "a step's gradients against PyTorch's", test_pytorch);
}
