/* The vectors of emitted code for AVX-512. */
#include "emit/c/vectors_avx512.h"
#include "emit/c/vector_functions.h"
#include "emit/c/images.h"
#include "emit/c/strassen.h"
#include "vectors.h"

void suite_vectors_avx512(void);
void suite_vectors_avx512(void) {
    add_vector_tests("vectors_avx512", __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                                           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"));
}
