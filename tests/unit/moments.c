/* The mean-field model, against numbers worked out by hand, and the gains that it gives networks. */
#include "graph/act.h"
#include "graph/moments.h"

#include "example.h"
#include "nets.h"
#include "graph/ops.h"
#include "passes/passes.h"
#include "plan/error.h"

#include <CUnit/CUnit.h>
#include <math.h>

void suite_moments(void);

static const double pi = 3.14159265358979323846;

static int near(double got, double expected, double relative) {
    const int fine = fabs(got - expected) <= relative * fabs(expected) + 1e-12;
    if (!fine) printf("\n%g instead of %g\n", got, expected);
    return fine;
}

/* A rectified normal number's mean is 1/sqrt(2 pi), its mean square 1/2; half of the errors pass. */
static void test_relu(void) {
    double carried;
    Moments y = moments_activation(ACT_RELU, (ActNumbers){0}, (Moments){0, 0, 1}, &carried);
    CU_ASSERT(near(y.mean, 1 / sqrt(2 * pi), 0.01) && near(moments_square(y), 0.5, 0.01));
    CU_ASSERT(near(carried, 0.5, 0.01) && near(y.between, 0, 0));
    /* channels that are constant: what lies between them is all there is */
    y = moments_activation(ACT_RELU, (ActNumbers){0}, (Moments){0, 1, 0}, &carried);
    CU_ASSERT(near(y.between + y.mean * y.mean, 0.5, 0.01) && near(y.within, 0, 0) && near(carried, 0.5, 0.05));
    /* far from its kink nothing happens; and a leaky one has both slopes */
    y = moments_activation(ACT_RELU, (ActNumbers){0}, (Moments){10, 1, 1}, &carried);
    CU_ASSERT(near(y.mean, 10, 1e-3) && near(y.between, 1, 0.01) && near(y.within, 1, 0.01) && near(carried, 1, 1e-6));
    moments_activation(ACT_LEAKYRELU, (ActNumbers){.p = 0.2}, (Moments){0, 0, 1}, &carried);
    CU_ASSERT(near(carried, 0.5 + 0.5 * 0.04, 0.01));
}

static void test_linear(void) {
    const Moments x = {1, 2, 3}; /* mean square 6 */
    Tensor plain = {.op = RN_PARAM}, scale = {.op = RN_BN_SCALE};
    Tensor folded = {.op = RN_SCALE_OUT, .arg = {&plain, &scale}, .nargs = 2};
    double carried;
    Moments y = moments_product(x, &plain, &carried);
    CU_ASSERT(near(moments_square(y), 1, 1e-9) && near(y.within, 0.5, 1e-9) && near(carried, 1.0 / 6, 1e-9));
    /* a batch norm takes away some of what channels have in common, so that an error weighs more */
    y = moments_product(x, &folded, &carried);
    CU_ASSERT(moments_square(y) > 0.99 && moments_square(y) < 1.01 && y.within > 0.5 && carried > 1.0 / 6);
    /* errors of neighbours are averaged, but less than if they knew nothing of each other */
    y = moments_average(x, 16, &carried);
    CU_ASSERT(near(y.mean, 1, 0) && near(y.between, 2, 0) && near(y.within, 3.0 / 16, 1e-9));
    CU_ASSERT(carried < 1 && carried > 1.0 / 16);
    /* the largest of two, which four neighbours are worth: 1/sqrt(pi) deviations above the mean, variance 1 - 1/pi */
    y = moments_maximum(x, 4);
    CU_ASSERT(near(y.mean, 1 + sqrt(3 / pi), 0.01) && near(y.between, 2, 0) && near(y.within, 3 * (1 - 1 / pi), 0.01));
    CU_ASSERT(near(moments_square(moments_sum(x, (Moments){0, 1, 1})), 8, 1e-9));
    y = moments_residual(x, (Moments){0, 1, 1}, &carried);
    CU_ASSERT(near(y.mean, 0.2, 1e-9) && near(y.between, 1.08, 1e-9) && near(y.within, 1.12, 1e-9));
    CU_ASSERT(near(carried, 0.04, 1e-9));
    CU_ASSERT(near(moments_square(moments_times(x, (Moments){1, 1, 1})), 18, 1e-9));
}

static double random_normal(uint64_t *state) { /* a sum of uniform numbers */
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(*state >> 11) * 0x1p-53;
    }
    return sum;
}

/* Every activation's moments against those of numbers drawn. */
static void test_drawn_activations(void) {
    enum { CHANNELS = 20000, PIXELS = 10 };
    uint64_t state = 7;
    for (Act act = ACT_NONE + 1; act < ACT_COUNT; act++) {
        const double step = 1e-4;
        const ActNumbers numbers = {act_info(act)->parameter == PARAMETER_PER_CHANNEL ? 0.25 : 0.4, 0.9};
        double sum = 0, squares = 0, slopes = 0, carried;
        for (int c = 0; c < CHANNELS; c++) {
            const double mean = 0.3 + sqrt(0.5) * random_normal(&state);
            for (int i = 0; i < PIXELS; i++) {
                const double x = mean + random_normal(&state), y = act_apply(act, x, numbers);
                const double rise = (act_apply(act, x + step, numbers) - y) / step;
                sum += y, squares += y * y, slopes += rise * rise;
            }
        }
        const Moments m = moments_activation(act, numbers, (Moments){0.3, 0.5, 1}, &carried);
        const double n = CHANNELS * PIXELS;
        CU_ASSERT(near(m.mean, sum / n, 0.05) && near(moments_square(m), squares / n, 0.05));
        CU_ASSERT(near(carried, slopes / n, 0.05));
    }
}

static Plan *plan_of(Arena *arena, const char *file, int level) {
    Graph *graph = example_load(arena, file, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    passes_run(graph, &(PassOptions){.level = level});
    return plan_make(arena, graph, &(PlanOptions){.isa = 4, .batch = 1, .winograd = true, .tolerance = 1e-4});
}

/* The largest error over the largest element, of numbers drawn: an eighth of the channels' variance is their means'. */
static double drawn_sensitivity(Act act, int channels, int pixels, double size, uint64_t *state) {
    const ActNumbers numbers = {.p = 0.1};
    double error = 0, largest = 0;
    for (int c = 0; c < channels; c++) {
        const double mean = sqrt(0.125) * random_normal(state);
        for (int i = 0; i < pixels; i++) {
            const double x = size * (mean + sqrt(0.875) * random_normal(state)), y = act_apply(act, x, numbers);
            const double off = size * 1e-5 * random_normal(state);
            error = fmax(error, fabs(act_apply(act, x + off, numbers) - y));
            largest = fmax(largest, fabs(y));
        }
    }
    return error / largest / 1e-5;
}

/* What is said of an output's largest element is on the safe side of what is drawn, but not far. A sigmoid's numbers
 * are three times as large as the moments say. */
static void test_heads(void) {
    static const struct {
        Act act;
        double size;
    } acts[] = {{ACT_NONE, 1}, {ACT_RELU, 1}, {ACT_SIGMOID, 3}, {ACT_TANH, 3}, {ACT_LEAKYRELU, 1}};
    static const struct { int channels, side; } shapes[] = {{1, 40}, {64, 28}, {100, 1}, {8, 16}};
    uint64_t state = 1;
    Arena arena = {0};
    for (size_t a = 0; a < sizeof acts / sizeof *acts; a++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            const int side = shapes[i].side;
            Graph *graph = net_new(&arena, "head", (Shape){shapes[i].channels, side, side});
            const Head head = {.value = graph->input, .act = acts[a].act, .numbers = {.p = 0.1}};
            const double said = head_sensitivity(&head, graph->input, (Moments){0, 0.125, 0.875});
            double most = 0;
            for (int run = 0; run < 20; run++)
                most =
                    fmax(most, drawn_sensitivity(acts[a].act, shapes[i].channels, side * side, acts[a].size, &state));
            const int fine = said > 0.7 * most && said < 2.5 * most; /* the model's margin is 2 */
            if (!fine) printf("\nact %d, shape %zu: %g said, %g drawn\n", (int)acts[a].act, i, said, most);
            CU_ASSERT(fine);
        }
    arena_free(&arena);
}

/* Where an output's errors come from: a softmax's and a sigmoid's are those of what it reads. */
static void test_head_found(void) {
    Arena arena = {0};
    const Graph *resnet = example_load(&arena, "examples/resnet18.rn", NULL);
    const Head softmax = head_find(resnet->outputs[0]);
    CU_ASSERT(softmax.softmax && softmax.value->producer->op == OP_FC && !softmax.fused);
    for (int fused = 0; fused < 2; fused++) {
        Graph *graph = example_source(&arena, "network n {\n input 3x8x8\n conv 2, 1x1 bias; sigmoid; upsample 2\n}");
        CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
        if (fused) passes_run(graph, &(PassOptions){.level = 2});
        const Head head = head_find(graph->outputs[0]);
        CU_ASSERT(head.act == ACT_SIGMOID && !head.softmax && !!head.fused == fused);
        CU_ASSERT(head.value->producer->op == OP_CONV);
    }
    arena_free(&arena);
}

/* The logits' error arrives as it is, the classes of one picture's largest. A plain stack spreads what a shortcut
 * holds; the deeper, the more. Fused or not, it is the same network. */
static void test_gains(void) {
    Arena arena = {0};
    static const char *const files[] = {"examples/resnet34.rn", "examples/plain34.rn", "examples/cifar/plain20.rn",
                                        "examples/cifar/plain56.rn", "examples/se_resnet50.rn"};
    enum { FILES = sizeof files / sizeof *files };
    double first[FILES];
    for (int i = 0; i < FILES; i++) {
        const Plan *plan = plan_of(&arena, files[i], 2);
        const Head head = head_find(plan->graph->outputs[0]);
        CU_ASSERT(plan->value_gains[head.value->id] > 1 && plan->value_gains[head.value->id] < 16);
        CU_ASSERT(isinf(plan->gains[0].window_h)); /* a global average sees all places of a tile */
        first[i] = plan->gains[0].first;
        const Plan *unfused = plan_of(&arena, files[i], 0);
        CU_ASSERT(
            near(unfused->value_gains[unfused->graph->input->id], plan->value_gains[plan->graph->input->id], 0.2));
    }
    CU_ASSERT(first[1] > 10 * first[0] && first[3] > 10 * first[2]);
    arena_free(&arena);
}

void suite_moments(void) {
    CU_pSuite suite = CU_add_suite("moments", NULL, NULL);
    CU_add_test(suite, "activations", test_relu);
    CU_add_test(suite, "every activation, against numbers drawn", test_drawn_activations);
    CU_add_test(suite, "sums and products", test_linear);
    CU_add_test(suite, "an output's largest element", test_heads);
    CU_add_test(suite, "an output's head", test_head_found);
    CU_add_test(suite, "how far errors spread", test_gains);
}
