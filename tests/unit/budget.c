/* The choice within budgets: of time for smaller weights (-Os), of bytes (--weights-limit), of error beside both. */
#include <CUnit/CUnit.h>

#include "example.h"
#include "passes/passes.h"
#include "plan/plan.h"

void suite_budget(void);

static Plan *plan_of(Arena *arena, const char *file, PlanOptions options) {
    Graph *graph = example_load(arena, file, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    passes_run(graph, &(PassOptions){.level = 2});
    options.isa = 4, options.batch = 1, options.winograd = options.strassen = true;
    return plan_make(arena, graph, &options);
}

/* Of the convolutions, by the cost model. */
static double time_of(const Plan *plan) {
    double us = 0;
    for (int i = 0; i < plan->graph->node_count; i++) {
        const Decision *d = &plan->decisions[i];
        if (d->count) us += d->list[d->chosen].cost.us;
    }
    return us;
}

static const char *const files[] = {"examples/resnet18.rn", "examples/resnet50.rn", "examples/vgg16.rn",
                                    "examples/cifar/resnet110.rn"};
enum { FILES = sizeof files / sizeof *files };

/* Weights are far smaller for a tenth of the time more, and the tolerance is kept; what is said of both is so. */
static void test_small(void) {
    for (int i = 0; i < FILES; i++) {
        Arena arena = {0};
        const Plan *fast = plan_of(&arena, files[i], (PlanOptions){.tolerance = 1e-4});
        const Plan *small = plan_of(&arena, files[i], (PlanOptions){.tolerance = 1e-4, .time_share = 0.1});
        const double more = time_of(small) / time_of(fast) - 1;
        CU_ASSERT(more > 0 && more < 0.16); /* fully connected layers share the time, which they do not take */
        CU_ASSERT(small->size.time > 0.08 && small->size.time <= 0.1);
        CU_ASSERT(small->predicted_error <= 1e-4);
        const int64_t saved = (int64_t)fast->recipe.packed_size - (int64_t)small->recipe.packed_size;
        CU_ASSERT_EQUAL(saved, small->size.fastest_bytes - small->size.bytes);
        CU_ASSERT(saved > (int64_t)fast->recipe.packed_size / 5);
        arena_free(&arena);
    }
}

/* The limit is kept by what is packed, to the byte, in less time the larger it is; what nothing keeps is the smallest.
 */
static void test_limit(void) {
    for (int i = 0; i < FILES; i++) {
        Arena arena = {0};
        const Plan *fast = plan_of(&arena, files[i], (PlanOptions){.tolerance = 1e-4});
        const Plan *least = plan_of(&arena, files[i], (PlanOptions){.tolerance = 1e-4, .weights_limit = 1});
        const int64_t most = (int64_t)fast->recipe.packed_size, smallest = (int64_t)least->recipe.packed_size;
        CU_ASSERT(smallest > 1 && smallest < most);
        double last = time_of(least) * (1 + 1e-9);
        for (int part = 0; part <= 4; part++) {
            const int64_t limit = smallest + (most - smallest) * part / 4;
            const Plan *plan = plan_of(&arena, files[i], (PlanOptions){.tolerance = 1e-4, .weights_limit = limit});
            CU_ASSERT((int64_t)plan->recipe.packed_size <= limit);
            CU_ASSERT(plan->predicted_error <= 1e-4);
            CU_ASSERT(time_of(plan) <= last);
            last = time_of(plan);
        }
        CU_ASSERT(last == time_of(fast));
        arena_free(&arena);
    }
}

/* There may be nothing beside the layer that has a choice. */
static void test_alone(void) {
    Arena arena = {0};
    for (int64_t limit = 100000; limit <= 10000000; limit *= 10) {
        Graph *graph = example_source(&arena, "network n {\n input 64x56x56\n conv 64, 3x3\n}");
        CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
        passes_run(graph, &(PassOptions){.level = 2});
        const PlanOptions options = {.isa = 4, .batch = 1, .winograd = true, .tolerance = 1e-4, .weights_limit = limit};
        const int64_t packed = (int64_t)plan_make(&arena, graph, &options)->recipe.packed_size;
        CU_ASSERT(packed <= limit || packed == 4 * 64 * 64 * 9);
    }
    arena_free(&arena);
}

/* A tight tolerance goes before small weights. */
static void test_error_first(void) {
    Arena arena = {0};
    const PlanOptions options = {.tolerance = 6e-6, .time_share = 0.1};
    const Plan *plan = plan_of(&arena, "examples/resnet18.rn", options);
    CU_ASSERT(plan->predicted_error <= 6e-6);
    arena_free(&arena);
}

void suite_budget(void) {
    CU_pSuite suite = CU_add_suite("budget", NULL, NULL);
    CU_add_test(suite, "smaller weights for a share of the time", test_small);
    CU_add_test(suite, "a limit in bytes", test_limit);
    CU_add_test(suite, "a layer alone", test_alone);
    CU_add_test(suite, "the tolerance goes first", test_error_first);
}
