/* Woven kernels for AVX-512. */
#include "emit/c/vectors_avx512.h"
#include "woven.h"

void suite_woven_avx512(void);
void suite_woven_avx512(void) {
    add_woven_tests("woven_avx512", !rn_cpu_missing(RN_ISA_X86_64_V4));
}
