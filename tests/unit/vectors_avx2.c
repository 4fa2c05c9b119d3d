/* The vectors of emitted code for AVX2. */
#include "emit/c/vectors_avx2.h"
#include "emit/c/vector_functions.h"
#include "emit/c/images.h"
#include "emit/c/strassen.h"
#include "vectors.h"

void suite_vectors_avx2(void);
void suite_vectors_avx2(void) {
    add_vector_tests("vectors_avx2", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
}
