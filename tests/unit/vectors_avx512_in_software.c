/* The vectors of emitted code for AVX-512, on any CPU with AVX2; so the stand-in that other tests use is tested too. */
#include "../numeric/avx512_in_software.h"
#define target(isa) target("avx2,fma") /* of TARGET's attribute */
#include "emit/c/vectors_avx512.h"
#include "emit/c/vector_functions.h"
#include "emit/c/images.h"
#include "emit/c/strassen.h"
#include "vectors.h"

void suite_vectors_avx512_in_software(void);
void suite_vectors_avx512_in_software(void) {
    add_vector_tests("vectors_avx512_in_software", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
}
