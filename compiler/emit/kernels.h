/* A row of the kernel table that an emitted instance dispatches at creation; rn_kernel_spec in text. */
#ifndef RNC_EMIT_KERNELS_H
#define RNC_EMIT_KERNELS_H

#include <stdbool.h>

typedef struct KernelRow {
    int m, n, k, lda, ldb, ldc;
    bool accumulate, reduce, prefetch;
} KernelRow;

#endif
