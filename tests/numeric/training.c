/* Emitted trainers against the interpreter: the loss, the errors and the gradient of every parameter of one step. And
 * the same bits for any number of threads. */
#include <CUnit/CUnit.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/interpret.h"
#include "trainer_case.h"

static const char *const networks[] = {
    "input 3x9x7\nconv 5, 3x3 pad 1 bias\ntanh\navgpool global\nfc 3",
    "input 4x11x10\nconv 6, 3x2 / 2 pad [1, 0, 2, 1] groups 2\ntanh\nconv 8, 3x3 pad 1 / 3 dilate 2\navgpool "
    "global\nfc 4\nsoftmax",
    "input 3x12x12\nconv 16, 3x3 pad 1; bn; relu\nresidual { conv 16, 3x3 pad 1; bn; relu; conv 16, 3x3 pad 1; bn "
    "}\nrelu\n"
    "residual { conv 24, 3x3 / 2 pad 1; bn; relu; conv 24, 3x3 pad 1; bn }\nrelu\nconv 20, 3x3 pad 1 bias\navgpool "
    "global\nfc 10\nsoftmax",
    "input 2x14x14\nconv 12, 5x5 pad 2; bn; relu\nmaxpool 3x3 / 2 pad 1\nconv 128, 1x1; relu\nconv 130, 3x3 pad 1\n"
    "swish\ndropout 0.3\nconv 20, 1x1 / 2\navgpool 2x2\nflatten\nfc 192\nsigmoid\ndropout 0.5\nfc 5",
    "input 8x5x6\nconv 150, 3x3 pad 1; bn; relu\nconv 130, 3x3 pad 1; bn; relu\nresidual { conv 130, 3x3 pad 1; bn "
    "}\nrelu\n"
    "conv 520, 3x3 pad 1 bias\ntanh\nconv 192, 3x3 pad 1 bias\navgpool global\nfc 10",
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
    /* depthwise: windows that registers hold and that they do not, strides, gaps */
    "input 3x9x11\nconv 40, 1x1; bn; relu6\nconv 40, 7x7 pad 3 groups 40 bias; tanh\nconv 40, 3x3 /2 pad 1 groups 40; "
    "bn; swish\nconvtranspose 40, 4x3 /3 groups 40 bias; tanh\nconv 40, 11x12 pad 5 groups 40\nconv 40, 2x2 /5 groups "
    "40\nfc 3",
    /* norms of one image; sizes that change; a window beside the image, strides larger than it */
    "input 3x7x6\nconv 20, 3x3 pad 1; relu; lrn size 4 alpha 2\nconv 21, 1x1 pad 1; groupnorm 3; tanh\nupsample "
    "2\nconv "
    "18, 3x2 /3 dilate 2 bias; layernorm; responsenorm; swish\nresize 5x9 bilinear\ngate { conv 18, 3x3; softmax "
    "}\nconv 5, 2x2 /40\n"
    "resize 4x3\nspp [3, 1]\nfc 3",
    "input 3x7x6\nconv 20, 3x3; pad top 1 left 2 bottom 3 right 1 reflect\nconv 34, 3x3; softmax branches 2\nconv 18, "
    "1x1; "
    "pad top 2 right 5 edge\nconv 40, 3x3; softmax pixels\nconv 21, 1x1; pad 1 value 0.5\nconv 5, 3x3; softmax log\nfc "
    "3",
    "input 3x7x6\nconv 20, 3x3 pad 1; bn; relu\nconv 18, 3x3; bn; tanh\nconv 9, 1x1; scale\navgpool global\nfc 3\n}\n"
    "train { freeze bn2, scale, conv2; loss crossentropy",
};
enum { NETWORKS = sizeof networks / sizeof *networks, LAYERS = sizeof layers / sizeof *layers };

static void test_direct(void) {
    TrainerCases all = {0};
    for (int i = 0; i < NETWORKS; i += trainer_stride())
        trainer_add(&all, networks[i], 9, RN_ISA_X86_64_V3, KERNELS_JIT, false, RECOMPUTE_NONE);
    trainer_check(&all);
}

static void test_layers(void) {
    TrainerCases all = {0};
    for (int i = 0; i < LAYERS; i++)
        trainer_add(&all, layers[i], 7, RN_ISA_X86_64_V3, KERNELS_JIT, false, RECOMPUTE_NONE);
    trainer_check(&all);
}

static void test_winograd(void) {
    TrainerCases all = {0};
    for (int i = 2; i < NETWORKS; i += trainer_stride()) /* of a batch that is not full */
        trainer_add(&all, networks[i], 9, RN_ISA_X86_64_V3, KERNELS_JIT, true, RECOMPUTE_NONE)->count = 8;
    trainer_check(&all);
}

static void test_portable(void) {
    TrainerCases all = {0};
    for (int i = 0; i < NETWORKS; i += trainer_stride())
        trainer_add(&all, networks[i], 5, RN_ISA_GENERIC, KERNELS_C, true, RECOMPUTE_NONE);
    trainer_check(&all);
}

static const char deep[] =
    "input 3x16x16\nconv 16, 3x3 pad 1; bn; relu\nrepeat 5 { residual { conv 16, 3x3 pad 1; bn; relu; conv 16, 3x3 "
    "pad 1; bn }\nrelu }\navgpool global\nfc 3";

/* What is computed again has the same bits as what is kept, and takes less memory. */
static void test_recompute(void) {
    TrainerCases all = {0};
    float *kept = NULL;
    for (Recompute mode = RECOMPUTE_NONE; mode <= RECOMPUTE_BLOCKS; mode++)
        trainer_add(&all, deep, 9, RN_ISA_X86_64_V3, KERNELS_JIT, true, mode);
    trainer_link(&all);
    for (int i = 0; i < all.count; i++) {
        const TrainerCase *c = all.cases[i];
        rn_train_result result;
        float *gradients = trainer_run(c, 2, &result);
        if (kept) CU_ASSERT_EQUAL(memcmp(kept, gradients, sizeof *kept * (size_t)c->model->gradient_floats), 0);
        if (kept) CU_ASSERT_TRUE(c->plan->live_bytes < all.cases[i - 1]->plan->live_bytes);
        free(kept);
        kept = gradients;
    }
    free(kept);
    trainer_free(&all);
}

/* ---- a loss that is not finite names the first layer of the forward pass that is not ---- */
static Tensor *tensor_named(const Graph *g, const char *name) {
    for (int i = 0; i < g->tensor_count; i++)
        if (g->tensors[i]->name && !strcmp(g->tensors[i]->name, name)) return g->tensors[i];
    return NULL;
}

/* By the interpreter, whose numbers are doubles: the first that no float holds. */
static const char *first_beyond_floats(const TrainerCase *c) {
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

static void step_fails(const TrainerCase *c, void *t, const char *says) {
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
    TrainerCases all = {0};
    TrainerCase *c = trainer_add(&all, networks[2], 9, RN_ISA_X86_64_V3, KERNELS_JIT, true, RECOMPUTE_SUMS);
    trainer_link(&all);
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
    trainer_free(&all);
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
