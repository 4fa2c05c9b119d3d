/* Matrix kernels: rn_kernel_spec -> a function that libxsmm compiled. */
#ifndef RN_GEMM_H
#define RN_GEMM_H

#include "rn_emitted.h"

/* Compiles (or finds) the kernel of `spec`. On an error kernel->any is NULL, the code is RN_ERROR_ARGUMENT for a spec
 * that libxsmm would mishandle or RN_ERROR_KERNEL where it made none, and `error` (may be NULL) says the shape, the
 * reason and the remedy. Thread-safe. The kernel lives until the process ends. */
rn_status rn_gemm_dispatch(rn_kernel *kernel, const rn_kernel_spec *spec, char *error, size_t error_size);

#endif
