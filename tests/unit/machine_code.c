/* The machine code of --kernels=static is what libxsmm's JIT compiles on a CPU of the target, byte for byte: over
 * random shapes, and small ones, for which its dispatcher has a rule of its own. For AVX2 a child asks the JIT, since
 * its target is chosen once a process.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emit/kernels.h"
#include "runtime/core/cpu.h"
#include "runtime/core/gemm.h"

enum { CASES = 200 };

static int draw(uint64_t *state, int from, int to) { /* inclusive */
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return from + (int)((*state >> 33) % (uint64_t)(to - from + 1));
}

static KernelRow draw_row(uint64_t *state, bool small) {
    KernelRow r = {
        .m = draw(state, 1, small ? 6 : 64), .n = draw(state, 1, small ? 6 : 30), .k = draw(state, 1, small ? 6 : 90)};
    r.lda = (r.m + 15) / 16 * 16, r.ldb = r.k + draw(state, 0, 16), r.ldc = r.m + draw(state, 0, 16);
    r.accumulate = draw(state, 0, 1), r.reduce = draw(state, 0, 1), r.prefetch = !r.reduce && draw(state, 0, 1);
    r.transposed = !draw(state, 0, 2); /* B, as in gradients of weights */
    if (r.transposed) r.ldb = r.n + draw(state, 0, 16);
    return r;
}

/* How many of the kernels differ; runs in a child. */
static int differing(int isa) {
    static unsigned char code[KERNEL_CODE_MOST];
    uint64_t state = 1;
    int differ = 0;
    if (isa == RN_ISA_X86_64_V3)
        setenv("LIBXSMM_TARGET", "hsw", 1);
    else
        unsetenv("LIBXSMM_TARGET");
    for (int i = 0; i < CASES; i++) {
        const KernelRow r = draw_row(&state, i % 2);
        const rn_kernel_spec spec = {.m = r.m,
                                     .n = r.n,
                                     .k = r.k,
                                     .lda = r.lda,
                                     .ldb = r.ldb,
                                     .ldc = r.ldc,
                                     .accumulate = r.accumulate,
                                     .reduce = r.reduce,
                                     .transposed = r.transposed,
                                     .prefetch = r.prefetch};
        rn_kernel kernel;
        if (rn_gemm_dispatch(&kernel, &spec, NULL, 0)) return 255;
        const unsigned size = kernel_generate(&r, isa, code);
        const void *compiled;
        memcpy(&compiled, &kernel, sizeof compiled);
        if (!memcmp(compiled, code, size)) continue;
        printf("other code: %dx%dx%d lda %d ldb %d ldc %d%s%s%s%s\n", r.m, r.n, r.k, r.lda, r.ldb, r.ldc,
               r.accumulate ? " accumulate" : "", r.reduce ? " reduce" : "", r.prefetch ? " prefetch" : "",
               r.transposed ? " transposed" : "");
        differ++;
    }
    return differ > 254 ? 254 : differ;
}

static void test_same_bytes(void) {
    for (int isa = RN_ISA_X86_64_V3; isa <= RN_ISA_X86_64_V4; isa++) {
        if (!rn_cpu_runs((rn_isa)isa)) continue;
        fflush(NULL);
        const pid_t child = fork();
        if (!child) _exit(differing(isa));
        int status = -1;
        CU_ASSERT_FATAL(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
        CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
    }
}

void suite_machine_code(void);
void suite_machine_code(void) {
    CU_pSuite suite = CU_add_suite("machine_code", NULL, NULL);
    CU_add_test(suite, "the bytes of libxsmm's JIT", test_same_bytes);
}
