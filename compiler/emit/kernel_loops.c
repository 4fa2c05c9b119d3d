/* --kernels=c: matrix kernels as loops in C, for any CPU: calls of gemm (c/gemm_loops.h) with literal bounds. */
#include "kernels.h"

static void emit_kernel_loop(Emit *e, int index, Text *t) {
    const KernelRow *k = &e->kernels[index];
    if (k->lda % VECTOR) bug("kernel %s: the weights' rows are not whole vectors", kernel_text(e, k));
    const char *bounds =
        arena_printf(e->arena, "%d, %d, %d, %d, %d, %d, %d", k->m, k->n, k->k, k->lda, k->ldb, k->ldc, k->accumulate);
    const char *gemm = k->transposed ? "gemm_transposed" : "gemm";
    text_printf(t, "/* %d: %s */\n", index, kernel_text(e, k));
    if (k->reduce)
        text_printf(
            t,
            "static void rn_kernel_%d(const float *a, const float *b, float *c, const unsigned long long *count, "
            "const unsigned long long *at_a, const unsigned long long *at_b) {\n"
            "    %s(%s, a, b, c, *count, at_a, at_b, NULL);\n}\n",
            index, gemm, bounds);
    else
        text_printf(
            t,
            "static void rn_kernel_%d(const float *a, const float *b, float *c, const float *next_a, const float "
            "*next_b, const float *next_c) {\n"
            "    static const unsigned long long start = 0;\n"
            "    (void)next_a, (void)next_b, (void)next_c;\n"
            "    %s(%s, a, b, c, 1, &start, &start, %s);\n}\n",
            index, gemm, bounds, k->prefetch && e->machine->fetching == FETCH_WOVEN ? "next_a" : "NULL");
}

void emit_kernel_loops(Emit *e, Text *t) {
    if (!e->kernel_count) return;
    for (int i = 0; i < e->kernel_count; i++) emit_kernel_loop(e, i, t);
    text_puts(t, "\n");
}
