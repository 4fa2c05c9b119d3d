/* Kernel dispatch over libxsmm 1.17.
 *
 * libxsmm compiles a small GEMM per shape. It trusts its caller: a leading dimension below the matrix's height, an
 * alpha or beta that it does not know, or a prefetch on a batch-reduce kernel gives NULL, wrong results or a crash, and
 * NULL arguments mean beta = 1. So everything is checked here and everything is passed explicitly.
 *
 * Where the process may not make memory executable, libxsmm by default returns a pointer that crashes when it is
 * called. libxsmm_se = 1 ("security enhanced", set between libxsmm_init and the first dispatch) makes that NULL; but on
 * its way there it hands memory of the application's malloc to glibc's free, which ends a process that brought its own
 * malloc. So the right is tried out before libxsmm is asked, and libxsmm_se remains as the second line.
 *
 * libxsmm_init puts OMP_PROC_BIND=TRUE into the environment, which would pin the application's threads and its
 * children's; it is restored. What cannot be helped is in docs/runtime.md.
 */
#include "gemm.h"
#include "cpu.h"
#include "peak.h"
#include "status.h"
#include "threads.h"

#ifdef __x86_64__
#include <libxsmm.h>
#include <libxsmm_generator.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char binding[] = "OMP_PROC_BIND";

/* Under the lock: a child of fork() finds libxsmm's own locks free. 0: no memory. */
static int gemm_init(void) {
    static int is_ready;
    if (is_ready) return 1;
    const char *old = getenv(binding);
    char *saved = old ? strdup(old) : NULL; /* libxsmm replaces an empty value too */
    if (old && !saved) return 0;
    is_ready = 1;
    libxsmm_init();
    libxsmm_se = 1;
    if (saved)
        setenv(binding, saved, 1);
    else
        unsetenv(binding);
    free(saved);
    return 1;
}

/* May this process turn written memory into code? What libxsmm needs at the least. */
static int gemm_may_execute(void) {
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return errno == ENOMEM; /* which libxsmm will say */
    int denied = mprotect(page, size, PROT_READ | PROT_EXEC);
    munmap(page, size);
    return !denied;
}

static const char *gemm_refusal(const rn_kernel_spec *s) {
    if (s->m < 1 || s->n < 1 || s->k < 1) return "m, n and k must be at least 1";
    if (s->lda < s->m) return "lda is below m";
    if (s->ldb < (s->transposed ? s->n : s->k)) return s->transposed ? "ldb is below n" : "ldb is below k";
    if (s->ldc < s->m) return "ldc is below m";
    if (s->a != RN_F32 || s->b != RN_F32 || s->c != RN_F32) return "libxsmm makes kernels of f32 alone";
    if (s->accumulate > 1) return "accumulate must be 0 or 1";
    if (s->reduce > 1) return "reduce must be 0 or 1";
    if (s->transposed > 1) return "transposed must be 0 or 1";
    if (s->prefetch > 1) return "prefetch must be 0 or 1";
    if (s->reduce && s->prefetch) return "a batch-reduce kernel takes no prefetch";
    return NULL;
}

rn_status rn_gemm_dispatch(rn_kernel *kernel, const rn_kernel_spec *s, char *error, size_t error_size) {
    kernel->any = NULL;
    const char *kind = s->reduce ? "batch-reduce kernel" : "kernel";
    const char *refusal = gemm_refusal(s);
    if (refusal)
        return rn_status_fail(error, error_size, RN_ERROR_ARGUMENT, "%s m=%d n=%d k=%d lda=%d ldb=%d ldc=%d: %s", kind,
                              s->m, s->n, s->k, s->lda, s->ldb, s->ldc, refusal);
    if (!gemm_may_execute())
        return rn_status_fail(error, error_size, RN_ERROR_KERNEL,
                              "%s m=%d n=%d k=%d: this process may not make memory executable, which compiling kernels "
                              "needs; allow it (SELinux: execmem, systemd: MemoryDenyWriteExecute=no, or a looser "
                              "seccomp filter), or create the network before giving up that right",
                              kind, s->m, s->n, s->k);
    const libxsmm_blasint lda = s->lda, ldb = s->ldb, ldc = s->ldc;
    const float alpha = 1, beta = s->accumulate;
    const int flags = s->transposed ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
    const int prefetch = s->prefetch ? LIBXSMM_GEMM_PREFETCH_AL2 : LIBXSMM_GEMM_PREFETCH_NONE;
    /* libxsmm's kernels and its table of them cannot be given back, so this object stays: loaded again and again it
     * would lose them each time */
    static int is_kept;
    rn_keep_loaded(binding, &is_kept);
    /* libxsmm's types end in `, ...`, for prefetches; its machine code reads the registers that ours pass */
    rn_lock();
    if (!gemm_init())
        kernel->any = NULL;
    else if (s->reduce)
        kernel->offs = (rn_brgemm_fn)libxsmm_smmdispatch_reducebatch_offs(s->m, s->n, s->k, &lda, &ldb, &ldc, &alpha,
                                                                          &beta, &flags, &prefetch);
    else
        kernel->gemm =
            (rn_gemm_fn)libxsmm_smmdispatch(s->m, s->n, s->k, &lda, &ldb, &ldc, &alpha, &beta, &flags, &prefetch);
    rn_unlock();
    if (kernel->any) return RN_OK;

    const char *target = libxsmm_get_target_arch();
    return rn_status_fail(error, error_size, RN_ERROR_KERNEL,
                          "%s m=%d n=%d k=%d lda=%d ldb=%d ldc=%d: libxsmm made none for its target '%s'; check "
                          "LIBXSMM_TARGET and LIBXSMM_JIT in the environment, and that memory is not exhausted",
                          kind, s->m, s->n, s->k, s->lda, s->ldb, s->ldc, target ? target : "unknown");
}

/* ---- libxsmm's peak: the kernel shape that it does best, on operands that stay in L1 and L2 ---- */
enum { M = 64, N = 28, K = 64, TERMS = 4, CALLS = 50 };

typedef struct PeakOperands {
    rn_kernel kernel;
    float *a, *b, *c; /* TERMS x K x M, TERMS x N x K, N x M */
} PeakOperands;

static void gemm_peak_calls(const void *operands) {
    const PeakOperands *o = operands;
    unsigned long long offsets_a[TERMS], offsets_b[TERMS], count = TERMS;
    for (int i = 0; i < TERMS; i++) {
        offsets_a[i] = sizeof(float) * (unsigned long long)(i * K * M);
        offsets_b[i] = sizeof(float) * (unsigned long long)(i * K * N);
    }
    for (int i = 0; i < CALLS; i++) o->kernel.offs(o->a, o->b, o->c, &count, offsets_a, offsets_b);
    __asm__ volatile("vzeroupper"); /* or SSE code that comes after is four times slower */
}

double rn_gemm_peak_gflops(double seconds) {
    const rn_kernel_spec spec = {.m = M, .n = N, .k = K, .lda = M, .ldb = K, .ldc = M, .reduce = 1};
    PeakOperands o;
    if (rn_cpu_missing(RN_ISA_X86_64_V3) || rn_gemm_dispatch(&o.kernel, &spec, NULL, 0)) return 0;
    const size_t floats = TERMS * K * (M + N) + M * N;
    o.a = aligned_alloc(4096, (floats * sizeof *o.a + 4095) / 4096 * 4096);
    if (!o.a) return 0;
    o.b = o.a + TERMS * K * M;
    o.c = o.b + TERMS * K * N;
    for (size_t i = 0; i < floats; i++) o.a[i] = (float)(i % 17) / 16 - 0.5f;
    const double peak = rn_peak_of(gemm_peak_calls, &o, 2.0 * M * N * K * TERMS * CALLS, seconds);
    free(o.a);
    return peak;
}
#else /* libxsmm is for x86-64 */

rn_status rn_gemm_dispatch(rn_kernel *kernel, const rn_kernel_spec *spec, char *error, size_t error_size) {
    (void)spec;
    kernel->any = NULL;
    return rn_status_fail(error, error_size, RN_ERROR_KERNEL,
                          "libxsmm has no kernels for this processor; compile the network with --kernels=c");
}

double rn_gemm_peak_gflops(double seconds) {
    (void)seconds;
    return 0;
}
#endif
