/* The vectors of emitted code for any CPU, as the compiler's vector types. */
#include "vectors_c.h"

void suite_vectors_c(void);
void suite_vectors_c(void) {
    add_c_tests("vectors_c");
}
