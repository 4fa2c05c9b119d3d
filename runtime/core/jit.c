/* An instance whose kernels libxsmm compiles when it is created. In a file of its own: networks that bring their
 * kernels along do not link it, nor libxsmm.
 */
#include "gemm.h"
#include "status.h"

rn_status rn_context_create_jit(void **net, size_t instance_size, size_t need, size_t kernels_offset,
                                const rn_kernel_spec *specs, int count, const rn_model *model, void *arena, size_t size,
                                const rn_weights *weights, const rn_options *options) {
    rn_status status = rn_context_create(net, instance_size, need, model, arena, size, weights, options);
    if (status) return status;
    rn_kernel *kernels = (rn_kernel *)(void *)((char *)*net + kernels_offset);
    char reason[RN_ERROR_SIZE];
    for (int i = 0; i < count && !status; i++) status = rn_gemm_dispatch(&kernels[i], &specs[i], reason, sizeof reason);
    if (!status) return RN_OK;
    rn_context_destroy(*net);
    *net = NULL;
    if (options) rn_status_fail(options->error, options->error_size, status, "%s: %s", model->name, reason);
    return status;
}
