/* --kernels=static: libxsmm's generator runs here, in the compiler, and what it would have compiled when an instance is
 * created stands in net.c as bytes. They are position-independent, and the same as its JIT's for that instruction set.
 *
 *     extern rn_gemm rn_kernel_0 __asm__("rn_net_kernel_0");
 *     __asm__(".pushsection .text.rn_kernels,\"ax\",@progbits ... rn_net_kernel_0: .byte 0x62, ...");
 *
 * A string of C has at most 4095 characters, so a kernel is several statements; a section of their own keeps them
 * together, whatever the compiler puts between.
 */
#include "kernels.h"

#include <libxsmm.h>
#include <libxsmm_generator.h>
#include <string.h>

#include "rn.h"

enum { BYTES_A_LINE = 20, LINES_A_STRING = 32 };

/* libxsmm's JIT makes tiny kernels for AVX2 even where there is AVX-512; so that results have the same bits, so do we
 */
static unsigned generator_target(const KernelRow *k, rn_isa isa) {
    enum { TINY = 16 }; /* floats of a matrix; libxsmm's dispatcher has it as a bare number too */
    const bool tiny = k->m * k->k <= TINY || k->k * k->n <= TINY || k->m * k->n <= TINY;
    return isa == RN_ISA_X86_64_V4 && !tiny ? LIBXSMM_X86_AVX512_CORE : LIBXSMM_X86_AVX2;
}

unsigned kernel_generate(const KernelRow *k, rn_isa isa, unsigned char code[KERNEL_CODE_MOST]) {
    const float alpha = 1, beta = k->accumulate;
    libxsmm_descriptor_blob blob;
    const libxsmm_gemm_descriptor *descriptor = libxsmm_gemm_descriptor_init2(
        &blob, LIBXSMM_GEMM_PRECISION_F32, LIBXSMM_GEMM_PRECISION_F32, k->m, k->n, k->k, k->lda, k->ldb, k->ldc, &alpha,
        &beta,
        (k->reduce ? LIBXSMM_GEMM_FLAG_BATCH_REDUCE_OFFSET : 0) | (k->transposed ? LIBXSMM_GEMM_FLAG_TRANS_B : 0),
        k->prefetch ? LIBXSMM_GEMM_PREFETCH_AL2 : LIBXSMM_GEMM_PREFETCH_NONE);
    if (!descriptor) bug("libxsmm describes no kernel %dx%dx%d", k->m, k->n, k->k);
    libxsmm_generated_code generated = {
        .generated_code = code, .buffer_size = KERNEL_CODE_MOST, .code_type = 2, .arch = generator_target(k, isa)};
    libxsmm_generator_gemm_kernel(&generated, descriptor);
    if (generated.last_error || !generated.code_size)
        bug("libxsmm generates no kernel %dx%dx%d: %s", k->m, k->n, k->k, libxsmm_strerror(generated.last_error));
    return generated.code_size;
}

static void emit_bytes(const unsigned char *code, unsigned size, Text *t) {
    for (unsigned i = 0; i < size; i++) {
        const char *before = i % BYTES_A_LINE ? "," : i ? "\\n\"\n        \".byte " : "        \".byte ";
        text_printf(t, "%s0x%x", before, code[i]);
    }
    text_puts(t, "\\n\"\n");
}

static void emit_kernel_code(Emit *e, int index, unsigned char *code, Text *t) {
    const KernelRow *k = &e->kernels[index];
    const unsigned size = kernel_generate(k, e->isa, code), most = BYTES_A_LINE * LINES_A_STRING;
    const char *symbol = arena_printf(e->arena, "rn_%s_kernel_%d%s", e->options->name, index, e->suffix);
    text_printf(t, "/* %d: %s */\n", index, kernel_text(e, k));
    text_printf(t, "extern %s rn_kernel_%d%s __asm__(\"%s\");\n", k->reduce ? "rn_brgemm" : "rn_gemm", index, e->suffix,
                symbol);
    for (unsigned at = 0; at < size; at += most) {
        text_puts(t, "__asm__(\".pushsection .text.rn_kernels,\\\"ax\\\",@progbits\\n\"\n");
        if (!at) text_printf(t, "        \".balign 64\\n.type %s, @function\\n%s:\\n\"\n", symbol, symbol);
        emit_bytes(code + at, size - at < most ? size - at : most, t);
        if (at + most >= size) text_printf(t, "        \".size %s, . - %s\\n\"\n", symbol, symbol);
        text_puts(t, "        \".popsection\");\n");
    }
}

void emit_machine_code(Emit *e, Text *t) {
    unsigned char *code = arena_alloc(e->arena, KERNEL_CODE_MOST);
    text_puts(t, "/* ---- kernels: libxsmm's machine code; m x n x k of C[n][m] = sum A[k][m] * B[n][k] ---- */\n");
    for (int i = 0; i < e->kernel_count; i++) emit_kernel_code(e, i, code, t);
    text_puts(t, "\n");
}
