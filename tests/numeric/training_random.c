/* Emitted trainers of random networks against the interpreter, for every instruction set, kind of kernels, with and
 * without optimisation, and with less memory. RNC_SEED=N runs one seed, and RNC_SEEDS=M so many from there. */
#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "emitted.h"
#include "graph/irtext.h"
#include "graph/train.h"
#include "trainer_case.h"
#include "../random_trained.h"

/* What a user may choose. */
static const struct {
    rn_isa isa;
    Kernels kernels;
    int level;
    bool winograd;
} ways[] = {
    {RN_ISA_X86_64_V4, KERNELS_JIT, 2, true},     {RN_ISA_X86_64_V3, KERNELS_JIT, 0, false},
    {RN_ISA_GENERIC, KERNELS_C, 2, true},         {RN_ISA_X86_64_V3, KERNELS_STATIC, 2, false},
    {RN_ISA_X86_64_V4, KERNELS_STATIC, 0, false}, {RN_ISA_GENERIC, KERNELS_C, 0, false},
};

static void add_random(TrainerCases *all, uint64_t seed) {
    const size_t way = seed % (sizeof ways / sizeof *ways);
    const rn_isa isa = ways[way].isa;
    if (isa != RN_ISA_GENERIC && !cpu_runs(isa == RN_ISA_X86_64_V4 ? 4 : 3)) return;
    TrainerCase *c = trainer_add_case(all, (int)(seed % 7) + 1, ways[way].winograd, (Recompute)(seed / 6 % 3));
    c->seed = c->id = seed;
    c->source = random_trained(&c->arena, seed);
    Train *train = arena_alloc(&c->arena, sizeof *train);
    train->recipe = (rn_train_recipe){.batch = c->count, .lr = 0.1, .stop = 10};
    c->source->train = train;
    trainer_write(c, all->folder, c->count, isa, ways[way].kernels, ways[way].level);
}

enum { TRIES = 4, SEEDS = 9 };
#define TOLERANCE 2e-3 /* norms of next to no variance */

/* An edge of a relu or of a maximum between two roundings, or a batch norm of next to no variance, may make a draw of
 * parameters and images unfit; a wrong result is wrong with all. */
static void compare_random(TrainerCase *c) {
    const char *what = "";
    double worst = INFINITY;
    for (int tries = 0; tries < TRIES && !(worst <= TOLERANCE); tries++) {
        float *gradients;
        rn_train_result result;
        if (tries) trainer_empty(c), trainer_fill(c);
        const double error = trainer_error(c, 0.05, &what, &gradients, &result);
        if (error < worst) worst = error;
        if (worst <= TOLERANCE) trainer_compare_threads(c, gradients, &result);
        free(gradients);
    }
    CU_ASSERT_TRUE(worst <= TOLERANCE);
    if (worst <= TOLERANCE) return;
    Text text = {0};
    irtext_print(c->graph, &text);
    printf("\nRNC_SEED=%llu: %s is off by %.3g\n%s", (unsigned long long)c->id, what, worst, text.s);
    text_free(&text);
}

static void test_random(void) {
    const char *one = getenv("RNC_SEED"), *many = getenv("RNC_SEEDS");
    const uint64_t first = one ? strtoull(one, NULL, 10) : (uint64_t)time(NULL) * 1000;
    const int seeds = many ? atoi(many) : one ? 1 : SEEDS / trainer_stride();
    TrainerCases all = {0};
    for (int i = 0; i < seeds; i++) add_random(&all, first + (uint64_t)i);
    if (!all.count) return;
    trainer_link(&all);
    for (int i = 0; i < all.count; i++) compare_random(all.cases[i]);
    trainer_free(&all);
}

/* Every operation that a program can write is drawn. */
static void test_drawn(void) {
    bool drawn[OP_COUNT] = {false};
    for (uint64_t seed = 0; seed < 400; seed++) {
        Arena arena = {0};
        const Graph *g = random_trained(&arena, seed);
        for (int i = 0; i < g->node_count; i++) drawn[g->nodes[i]->op] = true;
        arena_free(&arena);
    }
    for (int op = 0; op < OP_COUNT; op++) {
        const OpInfo *info = op_info((Op)op);
        if (drawn[op] || *info->word == '.' || op == OP_QUANTIZE) continue; /* which has no gradient */
        printf("\n%s is not drawn\n", info->word);
        CU_FAIL("an operation is not drawn");
    }
}

void suite_training_random(void) {
    CU_pSuite suite = CU_add_suite("training_random", NULL, NULL);
    CU_add_test(suite, "random networks have every operation", test_drawn);
    CU_add_test(suite, "random networks against the interpreter", test_random);
}
