/* The cost model (plan/cost.h): what follows from a machine's numbers, by plans for machines that differ in one of
 * them.
 */
#include <CUnit/CUnit.h>
#include <string.h>

#include "example.h"
#include "passes/passes.h"
#include "plan/choose.h"

void suite_cost(void);

static Machine znver4(void) {
    return *machine_named("znver4", RN_ISA_X86_64_V4);
}

static Plan *plan_of(Arena *arena, Graph *graph, const Machine *machine, PlanOptions options) {
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    passes_run(graph, &(PassOptions){.level = 2});
    options.isa = RN_ISA_X86_64_V4, options.machine = machine;
    if (!options.batch) options.batch = 1;
    options.winograd = options.strassen = options.reuse_memory = options.whole_batch = true;
    options.tolerance = 1e-4;
    return plan_make(arena, graph, &options);
}

static int64_t packed(const char *file, const Machine *machine, int threads) {
    Arena arena = {0};
    const Plan *plan = plan_of(&arena, example_load(&arena, file, NULL), machine, (PlanOptions){.threads = threads});
    const int64_t bytes = (int64_t)plan->recipe.packed_size;
    arena_free(&arena);
    return bytes;
}

/* The fewer bytes come from memory in a nanosecond, the fewer weights. Threads share them. */
static void test_memory(void) {
    static const char *const files[] = {"examples/resnet18.rn", "examples/resnet50.rn", "examples/googlenet.rn"};
    for (int i = 0; i < 3; i++) {
        Machine m = znver4();
        const int64_t two = packed(files[i], &m, 2);
        int64_t last = packed(files[i], &m, 1);
        CU_ASSERT(two < last);
        m.cores = 2; /* twice the memory: both have what one has */
        CU_ASSERT(packed(files[i], &m, 2) > two);
        for (int k = 0; k < 3; k++) {
            m.dram /= 2;
            const int64_t bytes = packed(files[i], &m, 1);
            CU_ASSERT(bytes < last);
            last = bytes;
        }
    }
}

/* The numbers that were measured for 306 MB of ResNet-50's weights, and a machine where they are too many. */
static void test_machines(void) {
    const Machine amd = znver4(), *intel = machine_named("emeraldrapids", RN_ISA_X86_64_V4);
    CU_ASSERT_PTR_NOT_NULL_FATAL(intel);
    CU_ASSERT(packed("examples/resnet50.rn", intel, 1) < packed("examples/resnet50.rn", &amd, 1) * 2 / 3);
}

/* Of all convolutions, by the model. */
static double memory_time(const Plan *plan) {
    double us = 0;
    for (int i = 0; i < plan->graph->node_count; i++) {
        const Decision *d = &plan->decisions[i];
        if (d->count) us += d->list[d->chosen].cost.memory;
    }
    return us;
}

/* Weights that L3 keeps from run to run do not depend on memory; those that it does not keep do. What is believed to
 * stay is there. */
static void test_weights_stay(void) {
    static const struct {
        const char *file;
        bool small;
    } networks[] = {{"examples/cifar/resnet20.rn", true}, {"examples/resnet18.rn", false}};
    for (int i = 0; i < 2; i++) {
        Machine m = znver4();
        Arena arena = {0};
        const Plan *plan =
            plan_of(&arena, example_load(&arena, networks[i].file, NULL), &m, (PlanOptions){.threads = 1});
        CU_ASSERT_EQUAL(plan->options.weights_stay, networks[i].small);
        CU_ASSERT(!networks[i].small || (double)plan->recipe.packed_size + (double)plan->arena_bytes <= m.l3_size);
        const double before = memory_time(plan);
        m.dram /= 4;
        const double slower =
            memory_time(plan_of(&arena, example_load(&arena, networks[i].file, NULL), &m, (PlanOptions){.threads = 1}));
        if (networks[i].small)
            CU_ASSERT_DOUBLE_EQUAL(slower, before, 1e-9 * before)
        else
            CU_ASSERT(slower > 1.3 * before)
        arena_free(&arena);
    }
}

/* All weights of a network count together: where memory is slow and L3 has room for direct sums' weights alone, the
 * plan takes those, though a layer by itself would have its weights transformed; where there is less room, or memory is
 * fast, it does not. */
static void test_whole_plan(void) {
    static const struct {
        double l3_size, dram;
        bool stay;
    } cases[] = {{40e6, 0.5, true}, {20e6, 0.5, false}, {30e6, 100, false}, {1e9, 0.5, true}};
    for (int i = 0; i < 4; i++) {
        Machine m = znver4();
        m.l3_size = cases[i].l3_size, m.dram = cases[i].dram;
        Arena arena = {0};
        const Plan *plan =
            plan_of(&arena, example_load(&arena, "examples/googlenet.rn", NULL), &m, (PlanOptions){.threads = 1});
        const double bytes = (double)plan->recipe.packed_size + (double)plan->arena_bytes;
        CU_ASSERT_EQUAL(plan->options.weights_stay, cases[i].stay);
        CU_ASSERT_EQUAL(bytes <= m.l3_size, cases[i].stay);
        arena_free(&arena);
    }
}

/* The best of an algorithm's candidates, INFINITY where it has none. */
static double best_us(const Plan *plan, Algorithm algorithm) {
    Candidate list[CHOOSE_MAX_CANDIDATES];
    const int count = choose_candidates(plan, plan->graph->nodes[0], 1, list);
    for (int i = 0; i < count; i++)
        if (list[i].choice.algorithm == algorithm) return list[i].cost.us;
    return 1e300;
}

/* Strassen's sums read the pixels of a large image from L3, in bursts; those of one that L2 holds are at hand. */
static void test_strassen(void) {
    static const struct {
        int pixels;
        bool far;
    } images[] = {{56, true}, {14, false}};
    for (int i = 0; i < 2; i++) {
        Arena arena = {0};
        double us[2];
        for (int slow = 0; slow < 2; slow++) {
            Machine m = znver4();
            if (slow) m.burst /= 8;
            const char *source = arena_printf(&arena, "network n {\n input 256x%dx%d\n conv 128, 1x1\n}",
                                              images[i].pixels, images[i].pixels);
            const Plan *plan = plan_of(&arena, example_source(&arena, source), &m, (PlanOptions){.threads = 1});
            us[slow] = best_us(plan, ALG_STRASSEN);
            const double direct = best_us(plan, ALG_POINTWISE);
            CU_ASSERT(us[slow] < 1e300 && direct < 1e300);
            if (slow && images[i].far) CU_ASSERT(us[slow] > direct);
            if (!slow) CU_ASSERT(us[slow] < direct);
        }
        if (images[i].far)
            CU_ASSERT(us[1] > 1.2 * us[0])
        else
            CU_ASSERT_DOUBLE_EQUAL(us[1], us[0], 1e-9)
        arena_free(&arena);
    }
}

/* Transforms are charged for what they write and read beyond L2: a larger L2, or L3 as fast, takes it away. */
static void test_transforms(void) {
    Arena arena = {0};
    double us[3];
    for (int i = 0; i < 3; i++) {
        Machine m = znver4();
        if (i == 1) m.l2_size = 64e6;
        if (i == 2) m.l3 /= 4;
        const char *source = "network n {\n input 256x28x28\n conv 256, 3x3\n}";
        const Plan *plan = plan_of(&arena, example_source(&arena, source), &m, (PlanOptions){.threads = 1});
        const Choice all = {ALG_WINOGRAD, 7, 7, 16, 1};
        us[i] = cost_winograd(plan, plan->graph->nodes[0], &all, 1).transforms;
    }
    CU_ASSERT(us[1] < us[0] && us[0] < us[2]);
    arena_free(&arena);
}

/* Tiles of one row or one column are candidates, the direct sum's pixel by pixel is not; no candidate is left out. */
static void test_one_dimension(void) {
    Arena arena = {0};
    const Machine m = znver4();
    static const char *const sources[] = {"network n {\n input 64x28x28\n conv 64, 3x3\n}",
                                          "network n {\n input 64x28x28\n conv 64, 1x3\n}",
                                          "network n {\n input 3x64x64\n conv 64, 7x7 /2\n}"};
    static const int tiles[] = {48, 6,
                                0}; /* 7 by 7 but for 1x1; 2 to 7; of two kinds, as many as there are points for */
    for (int i = 0; i < 3; i++) {
        const Plan *plan = plan_of(&arena, example_source(&arena, sources[i]), &m, (PlanOptions){.threads = 1});
        const Node *node = plan->graph->nodes[0];
        Candidate list[CHOOSE_MAX_CANDIDATES];
        const int count = choose_candidates(plan, node, 1, list);
        int found = 0, single = 0;
        for (int k = 0; k < count; k++) {
            if (list[k].choice.algorithm != ALG_WINOGRAD) continue;
            found++;
            single += list[k].choice.m_h == 1 || list[k].choice.m_w == 1;
            CU_ASSERT(list[k].choice.m_h * list[k].choice.m_w > 1);
        }
        CU_ASSERT(count < CHOOSE_MAX_CANDIDATES);
        if (tiles[i]) CU_ASSERT_EQUAL(found, tiles[i]);
        CU_ASSERT(single >= 6);
    }
    arena_free(&arena);
}

void suite_cost(void) {
    CU_pSuite suite = CU_add_suite("cost", NULL, NULL);
    CU_add_test(suite, "slower memory, fewer weights", test_memory);
    CU_add_test(suite, "machines", test_machines);
    CU_add_test(suite, "weights that stay in L3", test_weights_stay);
    CU_add_test(suite, "all weights together", test_whole_plan);
    CU_add_test(suite, "Strassen's pixels", test_strassen);
    CU_add_test(suite, "transforms beyond L2", test_transforms);
    CU_add_test(suite, "tiles of one row or column", test_one_dimension);
}
