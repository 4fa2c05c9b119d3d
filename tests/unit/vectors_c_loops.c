/* The vectors of emitted code for any CPU and compiler, as structs and loops. */
#define RN_NO_VECTORS
#include "vectors_c.h"

void suite_vectors_c_loops(void);
void suite_vectors_c_loops(void) {
    add_c_tests("vectors_c_loops");
}
