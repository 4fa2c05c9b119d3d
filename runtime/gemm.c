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
#include "status.h"

#include <libxsmm.h>
#include <libxsmm_generator.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char binding[] = "OMP_PROC_BIND";
static pthread_once_t gemm_once = PTHREAD_ONCE_INIT;

static void gemm_init(void) {
    const char *old = getenv(binding);
    char *saved = old ? strdup(old) : NULL; /* libxsmm replaces an empty value too */
    libxsmm_init();
    libxsmm_se = 1;
    if (saved)
        setenv(binding, saved, 1);
    else
        unsetenv(binding);
    free(saved);
}

/* May this process turn written memory into code? What libxsmm needs at the least. */
static int gemm_may_execute(void) {
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return 0;
    int denied = mprotect(page, size, PROT_READ | PROT_EXEC);
    munmap(page, size);
    return !denied;
}

static const char *gemm_refusal(const rn_kernel_spec *s) {
    if (s->m < 1 || s->n < 1 || s->k < 1) return "m, n and k must be at least 1";
    if (s->lda < s->m) return "lda is below m";
    if (s->ldb < s->k) return "ldb is below k";
    if (s->ldc < s->m) return "ldc is below m";
    if (s->accumulate > 1) return "accumulate must be 0 or 1";
    if (s->reduce > 1) return "reduce must be 0 or 1";
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
    pthread_once(&gemm_once, gemm_init);

    const libxsmm_blasint lda = s->lda, ldb = s->ldb, ldc = s->ldc;
    const float alpha = 1, beta = s->accumulate;
    const int flags = LIBXSMM_GEMM_FLAG_NONE;
    const int prefetch = s->prefetch ? LIBXSMM_GEMM_PREFETCH_AL2 : LIBXSMM_GEMM_PREFETCH_NONE;
    /* libxsmm's types end in `, ...`, for prefetches; its machine code reads the registers that ours pass */
    if (s->reduce)
        kernel->offs = (rn_brgemm_fn)libxsmm_smmdispatch_reducebatch_offs(s->m, s->n, s->k, &lda, &ldb, &ldc, &alpha,
                                                                          &beta, &flags, &prefetch);
    else
        kernel->gemm =
            (rn_gemm_fn)libxsmm_smmdispatch(s->m, s->n, s->k, &lda, &ldb, &ldc, &alpha, &beta, &flags, &prefetch);
    if (kernel->any) return RN_OK;

    const char *target = libxsmm_get_target_arch();
    return rn_status_fail(error, error_size, RN_ERROR_KERNEL,
                          "%s m=%d n=%d k=%d lda=%d ldb=%d ldc=%d: libxsmm made none for its target '%s'; check "
                          "LIBXSMM_TARGET and LIBXSMM_JIT in the environment, and that memory is not exhausted",
                          kind, s->m, s->n, s->k, s->lda, s->ldb, s->ldc, target ? target : "unknown");
}
