/* The matrix kernels of an emitted network: what its loops call as k[i].gemm or k[i].offs. A row is an rn_kernel_spec;
 * the target says how it becomes a function.
 */
#ifndef RNC_EMIT_KERNELS_H
#define RNC_EMIT_KERNELS_H

#include "emit.h"
#include "rn_emitted.h"

typedef rn_kernel_spec KernelRow;

/* The table and, but for JIT, the functions in it, for the instruction set that the text is now written for. */
void emit_kernels_declared(Emit *e, Text *text); /* ahead of those who use them */
void emit_kernels(Emit *e, Text *text);
const char *kernel_text(Emit *e, const KernelRow *row); /* "64x28x64, lda 64, ..." for a comment */

enum { KERNEL_CODE_MOST = 1 << 17 };
/* libxsmm's machine code for the kernel and instruction set; returns its size (machine_code.c). */
unsigned kernel_generate(const KernelRow *row, rn_isa isa, unsigned char code[KERNEL_CODE_MOST]);

void emit_machine_code(Emit *e, Text *text); /* machine_code.c: rn_kernel_0, ... as machine code */
void emit_kernel_loops(Emit *e, Text *text); /* kernel_loops.c: the same as loops in C */

#endif
