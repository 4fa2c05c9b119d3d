/* The CPU check, against the compiler's own (which knows features but not always the operating system's part), and
 * peaks. */
#include <CUnit/CUnit.h>
#include <stdbool.h>

#include "runtime/core/cpu.h"
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
    CU_add_test(suite, "peaks", test_peaks);
    CU_add_test(suite, "memory", test_memory);
}
