/* Rows of numbers: what -mtune makes of a name and changes, and what of a row. Errors are tested in cli/options. */
#include <CUnit/CUnit.h>
#include <stdint.h>
#include <string.h>

#include "measure/machine.h"
#include "plan/machine.h"
#include "runtime/core/cpu.h"

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

/* ---- rounding of what is measured ---- */
static const Cpu zen4 = {"AuthenticAMD", 25, 17, 1 << 20, 32 << 20};
static const Measured on_zen4 = {118, 114, 74, 28, 0.12, 8.2}; /* as a quiet Zen 4 gives them */

static const char *rounded(const char *near, rn_isa isa, bool same, const Cpu *cpu, Measured m) {
    const Machine row = machine_round(machine_named(near, isa), same, cpu, &m);
    return machine_spelling(&arena, &row);
}

/* From 0.7 to 1.4, by a generator of its own; a row's own CPU gets the row whatever each number is moved by. */
static double noise(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return 0.7 + 0.7 * (double)(*state >> 8) / (1 << 24);
}

static void test_rounding_is_stable(void) {
    uint32_t state = 1;
    for (int i = 0; i < 1000; i++) {
        Measured m = on_zen4;
        m.flops *= noise(&state), m.l2 *= noise(&state), m.l3 *= noise(&state), m.dram *= noise(&state);
        m.vector_op *= noise(&state), m.call *= noise(&state);
        CU_ASSERT_STRING_EQUAL(rounded("znver4", RN_ISA_X86_64_V4, true, &zen4, m), "znver4");
        arena_free(&arena);
    }
    /* a clock that halves takes the caches with it, and neighbours half of memory's bandwidth */
    const Measured slow = {59, 57, 37, 12, 0.24, 16.4};
    CU_ASSERT_STRING_EQUAL(rounded("znver4", RN_ISA_X86_64_V4, true, &zen4, slow), "znver4");
    CU_ASSERT_STRING_EQUAL(rounded("znver4", RN_ISA_X86_64_V4, true, &zen4, (Measured){0}), "znver4");
    arena_free(&arena);
}

/* A CPU that is like a row is that, and what differs is a power of two away; in a wide range the same. */
static void test_rounding_of_others(void) {
    const Cpu cpu = {"GenuineIntel", 6, 106, 1280 << 10, 54 << 20}; /* Ice Lake: caches known to the byte */
    static const double factors[] = {0.85, 0.9, 1, 1.1, 1.15};
    for (int i = 0; i < 5; i++) {
        const double f = factors[i];
        CU_ASSERT_STRING_EQUAL(rounded("sapphirerapids", RN_ISA_X86_64_V4, false, &cpu,
                                       (Measured){150 * f, 100 / f, 14 * f, 16 / f, 0.25 * f, 10 / f}),
                               "sapphirerapids,l3=15,burst=12.5,l2_size=960K,l3_size=9M");
    }
    const Cpu unknown = {.vendor = ""};
    CU_ASSERT_STRING_EQUAL(rounded("generic", RN_ISA_X86_64_V3, false, &unknown, (Measured){.flops = 50, .l3 = 15}),
                           "generic,flops=50.5,l3=15,burst=3.75");
    /* three times the L3 of the row's CPU */
    const Cpu stacked = {"AuthenticAMD", 25, 17, 1 << 20, 96 << 20};
    CU_ASSERT_STRING_EQUAL(rounded("znver4", RN_ISA_X86_64_V4, true, &stacked, on_zen4), "znver4,l3_size=36M");
    arena_free(&arena);
}

/* The nearest row has code for every instruction set that the CPU runs. */
static void test_nearest(void) {
    bool same;
    static const Cpu cpus[] = {
        {"GenuineIntel", 6, 207, 0, 0}, {"GenuineIntel", 6, 143, 0, 0}, {"GenuineIntel", 6, 85, 0, 0}, {.vendor = ""}};
    static const char *const rows[] = {"emeraldrapids", "sapphirerapids", "sapphirerapids", "generic"};
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_STRING_EQUAL(cpu_row(&cpus[i], &same), rows[i]);
        CU_ASSERT_EQUAL(same, i < 2);
    }
    const Cpu here = cpu_identify();
    for (int isa = RN_ISA_X86_64_V3; isa <= RN_ISA_X86_64_V4; isa++)
        if (rn_cpu_runs((rn_isa)isa)) CU_ASSERT_PTR_NOT_NULL(machine_named(cpu_row(&here, &same), (rn_isa)isa));
    CU_ASSERT(strlen(cpu_name(&arena, &here)) > 0);
    CU_ASSERT(here.l2 == 0 || (here.l2 >= 1 << 17 && here.l2 <= 1 << 26));
    arena_free(&arena);
}

void suite_machine(void);
void suite_machine(void) {
    CU_pSuite suite = CU_add_suite("machine", NULL, NULL);
    CU_add_test(suite, "rows", test_rows);
    CU_add_test(suite, "spellings", test_spellings);
    CU_add_test(suite, "other instruction sets", test_other_isa);
    CU_add_test(suite, "rounding is stable", test_rounding_is_stable);
    CU_add_test(suite, "rounding of other CPUs", test_rounding_of_others);
    CU_add_test(suite, "the nearest row", test_nearest);
}
