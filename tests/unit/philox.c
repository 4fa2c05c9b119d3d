/* Philox4x32-10 against the known answers of its authors, and the draws made from it. */
#include <CUnit/CUnit.h>

#include "runtime/train/philox.h"

/* Random123's kat_vectors */
static void test_known_answers(void) {
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t random[4];
        rn_philox(random, known[i].counter, known[i].key[0] | (uint64_t)known[i].key[1] << 32);
        for (int w = 0; w < 4; w++) CU_ASSERT_EQUAL(random[w], known[i].answer[w]);
    }
}

/* A counter's words are block, item, epoch and purpose; draws go through the blocks word by word. */
static void test_draws_follow_counters(void) {
    rn_draws d = rn_draws_for(0x1122334455667788u, RN_DRAW_TEST, 7, 9);
    for (uint32_t block = 0; block < 3; block++) {
        uint32_t random[4];
        rn_philox(random, (const uint32_t[4]){block, 9, 7, RN_DRAW_TEST}, 0x1122334455667788u);
        for (int w = 0; w < 4; w++) CU_ASSERT_EQUAL(rn_draw(&d), random[w]);
    }
}

static void test_uniform_and_below(void) {
    enum { N = 100000, KINDS = 7 };
    rn_draws d = rn_draws_for(1, RN_DRAW_TEST, 0, 0);
    double sum = 0, squares = 0;
    int seen[KINDS] = {0};
    for (int i = 0; i < N; i++) {
        const double u = rn_draw_uniform(&d);
        CU_ASSERT_FATAL(u >= 0 && u < 1);
        sum += u;
        squares += u * u;
        const uint32_t kind = rn_draw_below(&d, KINDS);
        CU_ASSERT_FATAL(kind < KINDS);
        seen[kind]++;
    }
    CU_ASSERT_DOUBLE_EQUAL(sum / N, 0.5, 4 * 0.2887 / 316); /* four deviations */
    CU_ASSERT_DOUBLE_EQUAL(squares / N, 1.0 / 3, 4 * 0.2981 / 316);
    for (int k = 0; k < KINDS; k++) CU_ASSERT_DOUBLE_EQUAL(seen[k], N / 7.0, 4 * 111);
    CU_ASSERT_EQUAL(rn_draw_below(&d, 1), 0);
}

static void test_normal(void) {
    enum { N = 100000 };
    rn_draws d = rn_draws_for(2, RN_DRAW_TEST, 0, 0);
    double moment[5] = {0};
    for (int i = 0; i < N; i++) {
        const double x = rn_draw_normal(&d);
        double power = 1;
        for (int m = 0; m < 5; m++, power *= x) moment[m] += power / N;
    }
    CU_ASSERT_DOUBLE_EQUAL(moment[1], 0, 4.0 / 316);
    CU_ASSERT_DOUBLE_EQUAL(moment[2], 1, 4 * 1.414 / 316);
    CU_ASSERT_DOUBLE_EQUAL(moment[3], 0, 4 * 3.873 / 316);
    CU_ASSERT_DOUBLE_EQUAL(moment[4], 3, 4 * 9.798 / 316);
}

void suite_philox(void) {
    CU_pSuite suite = CU_add_suite("unit/philox", NULL, NULL);
    CU_add_test(suite, "known_answers", test_known_answers);
    CU_add_test(suite, "draws_follow_counters", test_draws_follow_counters);
    CU_add_test(suite, "uniform_and_below", test_uniform_and_below);
    CU_add_test(suite, "normal", test_normal);
}
