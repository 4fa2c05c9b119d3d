/* Woven kernels for AVX2. */
#include "emit/c/vectors_avx2.h"
#include "woven.h"

void suite_woven_avx2(void);
void suite_woven_avx2(void) {
    add_woven_tests("woven_avx2", !rn_cpu_missing(RN_ISA_X86_64_V3));
}
