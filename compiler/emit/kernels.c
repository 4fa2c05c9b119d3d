/* The kernel table of net.c: specifications that create has libxsmm compile, or functions that are there already. */
#include "kernels.h"

#include <string.h>

const char *kernel_table_for(const char *statements) {
    const bool used = strstr(statements, "k[") || strstr(statements, "(k, ");
    return used ? "    const rn_kernel *k = a->k;\n" : "";
}

static void emit_specs(Emit *e, Text *t) {
    text_puts(t, "/* libxsmm kernels, dispatched once by create; what is not said is 0: f32, no prefetch, ... */\n"
                 "static const rn_kernel_spec kernels[] = {\n");
    for (int i = 0; i < e->kernel_count; i++) {
        const KernelRow *k = &e->kernels[i];
        text_printf(t, "    /* %d */ {.m = %d, .n = %d, .k = %d, .lda = %d, .ldb = %d, .ldc = %d%s%s%s%s},\n", i, k->m,
                    k->n, k->k, k->lda, k->ldb, k->ldc, k->accumulate ? ", .accumulate = 1" : "",
                    k->reduce ? ", .reduce = 1" : "", k->prefetch ? ", .prefetch = 1" : "",
                    k->transposed ? ", .transposed = 1" : "");
    }
    if (!e->kernel_count) text_puts(t, "    {.m = 0}, /* none */\n");
    text_puts(t, "};\n\n");
}

static void emit_functions(Emit *e, Text *t) {
    text_printf(t, "static const rn_kernel kernels%s[] = {\n", e->suffix);
    for (int i = 0; i < e->kernel_count; i++)
        text_printf(t, "    {.%s = rn_kernel_%d%s},\n", e->kernels[i].reduce ? "offs" : "gemm", i, e->suffix);
    if (!e->kernel_count) text_puts(t, "    {.any = NULL}, /* none */\n");
    text_puts(t, "};\n\n");
}

const char *kernel_text(Emit *e, const KernelRow *k) {
    return arena_printf(e->arena, "%dx%dx%d, lda %d, ldb %d, ldc %d%s%s%s%s", k->m, k->n, k->k, k->lda, k->ldb, k->ldc,
                        k->accumulate ? ", accumulates" : "", k->reduce ? ", batch-reduce" : "",
                        k->prefetch ? ", fetches the next weights" : "", k->transposed ? ", transposed" : "");
}

void emit_kernels_declared(Emit *e, Text *t) {
    const int rows = e->kernel_count ? e->kernel_count : 1;
    if (e->target.kernels != KERNELS_JIT)
        text_printf(t, "static const rn_kernel kernels%s[%d];\n", e->suffix, rows);
    else if (e->isa == e->target.isa[e->target.count - 1])
        text_printf(t, "static const rn_kernel_spec kernels[%d];\n", rows);
}

void emit_kernels(Emit *e, Text *t) {
    switch (e->target.kernels) {
    case KERNELS_JIT: /* one table for all instruction sets, whole when the last has asked: libxsmm knows the CPU */
        if (e->isa == e->target.isa[e->target.count - 1]) emit_specs(e, t);
        return;
    case KERNELS_STATIC:
        emit_machine_code(e, t);
        break;
    case KERNELS_C:
        emit_kernel_loops(e, t);
        break;
    }
    emit_functions(e, t);
}
