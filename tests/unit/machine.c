/* Rows of numbers: what -mtune makes of a name and changes, and what of a row. Errors are tested in cli/options. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "plan/machine.h"

static Arena arena;

static const Machine *parse(const char *spelling, rn_isa isa) {
    const char *trouble = NULL;
    const Machine *machine = machine_parse(spelling, isa, &arena, &trouble);
    CU_ASSERT_EQUAL(!machine, trouble != NULL);
    return machine;
}

/* Every row has what every number must, and its name is its spelling. */
static void test_rows(void) {
    static const char *const names[] = {"generic", "znver3", "znver4", "sapphirerapids", "emeraldrapids"};
    static const rn_isa isas[] = {RN_ISA_GENERIC, RN_ISA_X86_64_V3, RN_ISA_X86_64_V4};
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++) {
            const Machine *m = machine_named(names[i], isas[k]);
            CU_ASSERT_EQUAL(!m, i == 1 && k == 2);
            if (!m) continue;
            CU_ASSERT_PTR_EQUAL(parse(names[i], isas[k]), m);
            CU_ASSERT_STRING_EQUAL(machine_spelling(&arena, m), names[i]);
            CU_ASSERT(strstr(machine_names(&arena, isas[k]), names[i]) != NULL);
            CU_ASSERT(m->lanes > 0 && m->panel % m->lanes == 0);
            CU_ASSERT(m->flops > 0 && m->l2 >= m->l3 && m->l3 > m->dram && m->dram > 0);
            CU_ASSERT(m->l2_size > 0 && m->l3_size > m->l2_size && m->cores >= 1 && m->vector_op > 0);
            CU_ASSERT(m->call > 0 && m->results > 0 && m->exposed >= 0 && m->waiting >= 0 && m->waiting <= 1);
        }
    arena_free(&arena);
}

/* A spelling gives the row, and the row the spelling, without what it has of the table anyway. */
static void test_spellings(void) {
    static const char *const same[] = {"znver4,l3=30", "emeraldrapids,l2_size=1536001,l3_size=3M",
                                       "znver4,flops=0.1,exposed=0,fetching=woven", "generic,dram=1234567.125"};
    for (int i = 0; i < 4; i++) {
        const Machine *m = parse(same[i], RN_ISA_X86_64_V4);
        CU_ASSERT_PTR_NOT_NULL_FATAL(m);
        CU_ASSERT_STRING_EQUAL(machine_spelling(&arena, m), same[i]);
    }
    const Machine *row = machine_named("znver4", RN_ISA_X86_64_V4), *m = parse("znver4,l3=30,l3=31", RN_ISA_X86_64_V4);
    CU_ASSERT_EQUAL(m->l3, 31); /* the last counts, as of options */
    CU_ASSERT_EQUAL(m->dram, row->dram);
    CU_ASSERT_EQUAL(m->fetching, row->fetching);
    CU_ASSERT_EQUAL(parse("generic,l2_size=1.5M", RN_ISA_X86_64_V3)->l2_size, 1536 << 10);
    CU_ASSERT_STRING_EQUAL(machine_spelling(&arena, parse("generic,fetching=pieces,l3=60", RN_ISA_X86_64_V3)),
                           "generic");
    arena_free(&arena);
}

/* Code for a second instruction set is for the same CPU, where there is such a row. */
static void test_other_isa(void) {
    const Machine *znver4 = machine_named("znver4", RN_ISA_X86_64_V4);
    CU_ASSERT_PTR_EQUAL(machine_with(znver4, RN_ISA_X86_64_V4), znver4);
    CU_ASSERT_PTR_EQUAL(machine_with(znver4, RN_ISA_X86_64_V3), machine_named("znver4", RN_ISA_X86_64_V3));
    const Machine *znver3 = machine_named("znver3", RN_ISA_X86_64_V3);
    CU_ASSERT_PTR_EQUAL(machine_with(znver3, RN_ISA_X86_64_V4), machine_named("generic", RN_ISA_X86_64_V4));
}

void suite_machine(void);
void suite_machine(void) {
    CU_pSuite suite = CU_add_suite("machine", NULL, NULL);
    CU_add_test(suite, "rows", test_rows);
    CU_add_test(suite, "spellings", test_spellings);
    CU_add_test(suite, "other instruction sets", test_other_isa);
}
