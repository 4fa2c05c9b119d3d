/* --kernels=c: matrix kernels as loops in C, for any CPU. A kernel's bounds are literal and everything below it is
 * inlined, so the C compiler sees a constant shape:
 *
 *     static void rn_kernel_0(const float *a, ...) { gemm(64, 28, 64, 64, 80, 80, 0, a, b, c, 1, &start, &start); }
 *
 * gemm covers C with blocks of 2 vectors of channels by 6 pixels: 12 sums, which with 2 vectors of weights and a pixel
 * fit the 16 vector registers of the smallest CPUs. The sums are named one by one, since gcc -O2 keeps no array in
 * registers. `wide` is as wide as the vectors that the C compiler has for its target.
 */
#include "kernels.h"

enum { BLOCK_PIXELS = 6, BLOCK_VECTORS = 2 };

static const char wide_text[] =
    "/* ---- kernels: C[n][m] (+)= sum A[k][m] * B[n][k] over all terms ---- */\n"
    "#if defined(__AVX512F__)\n"
    "#define WIDE 16\n"
    "#elif defined(__AVX__)\n"
    "#define WIDE 8\n"
    "#else\n"
    "#define WIDE 4\n"
    "#endif\n"
    "\n"
    "#ifdef VECTORS\n"
    "typedef float wide __attribute__((vector_size(4 * WIDE)));\n"
    "HELPER wide wide_add(wide sum, wide a, float x) { return sum + a * x; }\n"
    "#else\n"
    "typedef struct wide { float lane[WIDE]; } wide;\n"
    "HELPER wide wide_add(wide sum, wide a, float x) {\n"
    "    for (int i = 0; i < WIDE; i++) sum.lane[i] += a.lane[i] * x;\n"
    "    return sum;\n"
    "}\n"
    "#endif\n"
    "HELPER wide wide_load(const float *p) {\n"
    "    wide v;\n"
    "    memcpy(&v, p, sizeof v);\n"
    "    return v;\n"
    "}\n"
    "HELPER wide wide_start(const float *c, int accumulate, int channels) {\n"
    "    wide v;\n"
    "    memset(&v, 0, sizeof v);\n"
    "    if (accumulate) memcpy(&v, c, 4 * (size_t)channels);\n"
    "    return v;\n"
    "}\n"
    "HELPER void wide_store(float *c, wide v, int channels) { memcpy(c, &v, 4 * (size_t)channels); }\n"
    "\n"
    "#define GEMM_PARAMETERS                                                                                    \\\n"
    "    int k, int lda, int ldb, int ldc, int accumulate, const float *a, const float *b, float *c,            \\\n"
    "        unsigned long long terms, const unsigned long long *at_a, const unsigned long long *at_b\n"
    "#define GEMM_ARGUMENTS(i, j) \\\n"
    "    k, lda, ldb, ldc, accumulate, a + (i), b + (j) * ldb, c + ((j) * ldc + (i)), terms, at_a, at_b\n"
    "\n";

/* gemm_VxP: V vectors of channels, of the last one `channels`, by P pixels. */
static void emit_block(int vectors, int pixels, Text *t) {
    text_printf(t, "HELPER void gemm_%dx%d(int channels, GEMM_PARAMETERS) {\n", vectors, pixels);
    for (int j = 0; j < pixels; j++)
        for (int v = 0; v < vectors; v++)
            text_printf(t, "    wide s%d%d = wide_start(c + (%d * ldc + %d * WIDE), accumulate, %s);\n", j, v, j, v,
                        v + 1 < vectors ? "WIDE" : "channels");
    text_puts(t, "    for (unsigned long long term = 0; term < terms; term++) {\n"
                 "        const float *p = a + at_a[term] / 4, *x = b + at_b[term] / 4;\n"
                 "        for (int i = 0; i < k; i++, p += lda, x++) {\n");
    for (int v = 0; v < vectors; v++) text_printf(t, "            const wide w%d = wide_load(p + %d * WIDE);\n", v, v);
    for (int j = 0; j < pixels; j++)
        for (int v = 0; v < vectors; v++)
            text_printf(t, "            s%d%d = wide_add(s%d%d, w%d, x[%d * ldb]);\n", j, v, j, v, v, j);
    text_puts(t, "        }\n    }\n");
    for (int j = 0; j < pixels; j++)
        for (int v = 0; v < vectors; v++)
            text_printf(t, "    wide_store(c + (%d * ldc + %d * WIDE), s%d%d, %s);\n", j, v, j, v,
                        v + 1 < vectors ? "WIDE" : "channels");
    text_puts(t, "}\n");
}

/* gemm_V: V vectors of channels by all n pixels. */
static void emit_columns(int vectors, Text *t) {
    for (int pixels = 1; pixels <= BLOCK_PIXELS; pixels++) emit_block(vectors, pixels, t);
    text_printf(t,
                "HELPER void gemm_%d(int channels, int n, GEMM_PARAMETERS) {\n"
                "    int j = 0;\n"
                "    for (; j + %d <= n; j += %d) gemm_%dx%d(channels, GEMM_ARGUMENTS(0, j));\n"
                "    switch (n %% %d) {\n",
                vectors, BLOCK_PIXELS, BLOCK_PIXELS, vectors, BLOCK_PIXELS, BLOCK_PIXELS);
    for (int pixels = 1; pixels < BLOCK_PIXELS; pixels++)
        text_printf(t, "    case %d:\n        gemm_%dx%d(channels, GEMM_ARGUMENTS(0, j));\n        break;\n", pixels,
                    vectors, pixels);
    text_puts(t, "    }\n}\n");
}

static void emit_gemm_loops(Text *t) {
    text_puts(t, wide_text);
    for (int vectors = 1; vectors <= BLOCK_VECTORS; vectors++) emit_columns(vectors, t);
    text_puts(t, "/* A's rows hold whole vectors, so that of the last one only the result is cut. */\n"
                 "HELPER void gemm(int m, int n, GEMM_PARAMETERS) {\n"
                 "    int i = 0;\n"
                 "    for (; i + 2 * WIDE <= m; i += 2 * WIDE) gemm_2(WIDE, n, GEMM_ARGUMENTS(i, 0));\n"
                 "    for (; i + WIDE <= m; i += WIDE) gemm_1(WIDE, n, GEMM_ARGUMENTS(i, 0));\n"
                 "    if (i < m) gemm_1(m - i, n, GEMM_ARGUMENTS(i, 0));\n"
                 "}\n\n");
}

static void emit_kernel_loop(Emit *e, int index, Text *t) {
    const KernelRow *k = &e->kernels[index];
    if (k->lda % 16) bug("kernel %s: the weights' rows are not whole vectors", kernel_text(e, k));
    const char *bounds =
        arena_printf(e->arena, "%d, %d, %d, %d, %d, %d, %d", k->m, k->n, k->k, k->lda, k->ldb, k->ldc, k->accumulate);
    text_printf(t, "/* %d: %s */\n", index, kernel_text(e, k));
    if (k->reduce)
        text_printf(
            t,
            "static void rn_kernel_%d(const float *a, const float *b, float *c, const unsigned long long *count, "
            "const unsigned long long *at_a, const unsigned long long *at_b) {\n"
            "    gemm(%s, a, b, c, *count, at_a, at_b);\n}\n",
            index, bounds);
    else
        text_printf(
            t,
            "static void rn_kernel_%d(const float *a, const float *b, float *c, const float *next_a, const float "
            "*next_b, const float *next_c) {\n"
            "    static const unsigned long long start = 0;\n"
            "    (void)next_a, (void)next_b, (void)next_c;\n"
            "    gemm(%s, a, b, c, 1, &start, &start);\n}\n",
            index, bounds);
}

void emit_kernel_loops(Emit *e, Text *t) {
    if (!e->kernel_count) return;
    emit_gemm_loops(t);
    for (int i = 0; i < e->kernel_count; i++) emit_kernel_loop(e, i, t);
    text_puts(t, "\n");
}
