/* A trainer whose kernels libxsmm compiles when it is created; in a file of its own, as core/jit.c is. */
#include "core/gemm.h"
#include "core/status.h"
#include "rn_train_emitted.h"

rn_status rn_train_context_create_jit(void **trainer, size_t instance_size, size_t need, size_t kernels_offset,
                                      const rn_kernel_spec *specs, int count, const rn_train_model *model, void *arena,
                                      size_t size, const rn_train_options *options) {
    rn_status status = rn_train_context_create(trainer, instance_size, need, model, arena, size, options);
    if (status) return status;
    rn_kernel *kernels = (rn_kernel *)(void *)((char *)*trainer + kernels_offset);
    char reason[RN_ERROR_SIZE];
    for (int i = 0; i < count && !status; i++) status = rn_gemm_dispatch(&kernels[i], &specs[i], reason, sizeof reason);
    if (!status) return RN_OK;
    rn_train_destroy(*trainer);
    *trainer = NULL;
    if (options) rn_status_fail(options->error, options->error_size, status, "%s: %s", model->name, reason);
    return status;
}
