/* The CPU check, against the compiler's own (which knows features but not always the operating system's part), and
 * peaks. */
#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <time.h>

#include "runtime/core/cpu.h"
#include "runtime/core/peak.h"
#include "rn_tools.h"

static void test_levels(void) {
    __builtin_cpu_init();
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512cd");
    CU_ASSERT_EQUAL(rn_cpu_missing(RN_ISA_X86_64_V3) == NULL, v3);
    CU_ASSERT_EQUAL(rn_cpu_missing(RN_ISA_X86_64_V4) == NULL, v4);
    CU_ASSERT_STRING_EQUAL(rn_isa_name(RN_ISA_X86_64_V3), "x86-64-v3");
    CU_ASSERT_STRING_EQUAL(rn_isa_name(RN_ISA_X86_64_V4), "x86-64-v4");
}

/* Memory is slower than a terabyte a second, and faster than a disk, whatever runs beside the test. */
static void test_memory(void) {
    for (int threads = 1; threads <= 3; threads++) {
        const double rate = rn_peak_memory(threads, 0.02);
        CU_ASSERT(rate > 0.02 && rate < 1000);
    }
}

typedef struct Phases {
    double start, fast; /* seconds: a call takes 20 microseconds until start + fast, then 200 */
} Phases;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void spin(const void *operands) {
    const Phases *p = operands;
    const double begin = now(), end = begin + (begin < p->start + p->fast ? 20e-6 : 200e-6);
    while (now() < end) continue;
}

/* A rate is what is sustained: a clock that is high for a fifth of the time does not count. */
static void test_sustained(void) {
    const Phases phases = {now(), 0.01};
    const double rate = rn_peak_of(spin, &phases, 1e9, 0.05);
    CU_ASSERT(rate > 0 && rate < 1.01 / 200e-6);
}

/* Peaks: above nothing where the CPU has the instructions, nothing where not; kernels stay below the hardware */
static void test_peaks(void) {
    const rn_isa isas[] = {RN_ISA_X86_64_V3, RN_ISA_X86_64_V4};
    double best = 0;
    for (int i = 0; i < 2; i++) {
        const double peak = rn_peak_gflops(isas[i], 0.02);
        CU_ASSERT(rn_cpu_missing(isas[i]) ? peak == 0 : peak > 1 && peak < 1000);
        if (peak > best) best = peak;
    }
    const double gemm = rn_gemm_peak_gflops(0.02);
    CU_ASSERT(gemm > 0.1 && gemm < 2 * best); /* clocks move between the two */
}

void suite_cpu(void) {
    CU_pSuite suite = CU_add_suite("cpu", NULL, NULL);
    CU_add_test(suite, "levels", test_levels);
    CU_add_test(suite, "sustained rates", test_sustained);
    CU_add_test(suite, "peaks", test_peaks);
    CU_add_test(suite, "memory", test_memory);
}
