/* The SIMD prelude: the top of every net.c. It defines TARGET, the instruction set as a function attribute (so that the
 * user's compiler needs no -march), the vector type V and the few helpers that the loops are written in; after it, the
 * text of a layer is the same for AVX2 and AVX-512.
 *
 * Only the primitives differ between the two; exponential, logarithm and what is made of them are shared text. The
 * polynomials are those of Cephes (S. Moshier, expf, logf, tanhf): about 2 ulp. All comparisons are arranged so that a
 * NaN goes through: max_(a, b) and min_(a, b) return b where either is NaN.
 */
#include <string.h>
#include "emit.h"
#include "prelude.h"
#include "runtime/core/cpu.h"

static const char primitives_avx512[] =
    "#define TARGET __attribute__((target(\"avx512f,avx512bw,avx512dq,avx512vl,fma\")))\n"
    "#define HELPER static inline TARGET __attribute__((always_inline, unused))\n"
    "\n"
    "typedef __m512 V; /* 16 floats */\n"
    "\n"
    "HELPER V load(const float *p) { return _mm512_loadu_ps(p); }\n"
    "HELPER void store(float *p, V v) { _mm512_storeu_ps(p, v); }\n"
    "HELPER __mmask16 first_(int n) { return (__mmask16)((1u << n) - 1); }\n"
    "HELPER V load_n(const float *p, int n) { return _mm512_maskz_loadu_ps(first_(n), p); }\n"
    "HELPER V load_or(const float *p, int n, V rest) { return _mm512_mask_loadu_ps(rest, first_(n), p); }\n"
    "HELPER void store_n(float *p, V v, int n) { _mm512_mask_storeu_ps(p, first_(n), v); }\n"
    "HELPER V set1(float x) { return _mm512_set1_ps(x); }\n"
    "HELPER V zero(void) { return _mm512_setzero_ps(); }\n"
    "HELPER V add(V a, V b) { return _mm512_add_ps(a, b); }\n"
    "HELPER V sub(V a, V b) { return _mm512_sub_ps(a, b); }\n"
    "HELPER V mul(V a, V b) { return _mm512_mul_ps(a, b); }\n"
    "HELPER V div_(V a, V b) { return _mm512_div_ps(a, b); }\n"
    "HELPER V fma_(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }\n"
    "HELPER V sqrt_(V a) { return _mm512_sqrt_ps(a); }\n"
    "HELPER V max_(V a, V b) { return _mm512_max_ps(a, b); } /* b where either is NaN */\n"
    "HELPER V min_(V a, V b) { return _mm512_min_ps(a, b); }\n"
    "/* The larger, where a NaN in either stays. */\n"
    "HELPER V max_nan(V a, V b) { return _mm512_mask_max_ps(a, _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a, b); }\n"
    "HELPER V abs_(V a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }\n"
    "HELPER V copysign_(V a, V sign) {\n"
    "    return _mm512_or_ps(_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a), _mm512_and_ps(_mm512_set1_ps(-0.0f), sign));\n"
    "}\n"
    "/* a < b ? x : y; y where a or b is NaN */\n"
    "HELPER V where_less(V a, V b, V x, V y) { return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), x); "
    "}\n"
    "HELPER V round_(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }\n"
    "HELPER V scale2(V a, V n) { return _mm512_scalef_ps(a, n); } /* a * 2^n, n whole */\n"
    "/* x = m * 2^e, m in [sqrt(1/2), sqrt(2)) */\n"
    "HELPER V split2(V x, V *e) {\n"
    "    const __m512i bits = _mm512_castps_si512(x);\n"
    "    const __m512i n = _mm512_srai_epi32(_mm512_sub_epi32(bits, _mm512_set1_epi32(0x3f3504f3)), 23);\n"
    "    *e = _mm512_cvtepi32_ps(n);\n"
    "    return _mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(n, 23)));\n"
    "}\n"
    "HELPER float sum(V v) { return _mm512_reduce_add_ps(v); }\n"
    "HELPER float largest(V v) { return _mm512_reduce_max_ps(v); }\n";

static const char primitives_avx2[] =
    "#define TARGET __attribute__((target(\"avx2,fma\")))\n"
    "#define HELPER static inline TARGET __attribute__((always_inline, unused))\n"
    "\n"
    "typedef __m256 V; /* 8 floats */\n"
    "\n"
    "/* 8 words from first_lanes + 8 - n: a mask of the first n lanes */\n"
    "static const int32_t first_lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};\n"
    "\n"
    "HELPER V load(const float *p) { return _mm256_loadu_ps(p); }\n"
    "HELPER void store(float *p, V v) { _mm256_storeu_ps(p, v); }\n"
    "HELPER __m256i first_(int n) { return _mm256_loadu_si256((const __m256i *)(first_lanes + 8 - n)); }\n"
    "HELPER V load_n(const float *p, int n) { return _mm256_maskload_ps(p, first_(n)); }\n"
    "HELPER V load_or(const float *p, int n, V rest) {\n"
    "    return _mm256_blendv_ps(rest, _mm256_maskload_ps(p, first_(n)), _mm256_castsi256_ps(first_(n)));\n"
    "}\n"
    "HELPER void store_n(float *p, V v, int n) { _mm256_maskstore_ps(p, first_(n), v); }\n"
    "HELPER V set1(float x) { return _mm256_set1_ps(x); }\n"
    "HELPER V zero(void) { return _mm256_setzero_ps(); }\n"
    "HELPER V add(V a, V b) { return _mm256_add_ps(a, b); }\n"
    "HELPER V sub(V a, V b) { return _mm256_sub_ps(a, b); }\n"
    "HELPER V mul(V a, V b) { return _mm256_mul_ps(a, b); }\n"
    "HELPER V div_(V a, V b) { return _mm256_div_ps(a, b); }\n"
    "HELPER V fma_(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }\n"
    "HELPER V sqrt_(V a) { return _mm256_sqrt_ps(a); }\n"
    "HELPER V max_(V a, V b) { return _mm256_max_ps(a, b); } /* b where either is NaN */\n"
    "HELPER V min_(V a, V b) { return _mm256_min_ps(a, b); }\n"
    "/* The larger, where a NaN in either stays. */\n"
    "HELPER V max_nan(V a, V b) { return _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q)); "
    "}\n"
    "HELPER V abs_(V a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }\n"
    "HELPER V copysign_(V a, V sign) {\n"
    "    return _mm256_or_ps(_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a), _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));\n"
    "}\n"
    "/* a < b ? x : y; y where a or b is NaN */\n"
    "HELPER V where_less(V a, V b, V x, V y) { return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ)); }\n"
    "HELPER V round_(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }\n"
    "/* a * 2^n, n whole, in two steps since 2^n alone may overflow */\n"
    "HELPER V scale2(V a, V n) {\n"
    "    const __m256i i = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(i, 1), bias = _mm256_set1_epi32(127);\n"
    "    const __m256i rest = _mm256_sub_epi32(i, half);\n"
    "    a = _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23)));\n"
    "    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23)));\n"
    "}\n"
    "/* x = m * 2^e, m in [sqrt(1/2), sqrt(2)) */\n"
    "HELPER V split2(V x, V *e) {\n"
    "    const __m256i bits = _mm256_castps_si256(x);\n"
    "    const __m256i n = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f3504f3)), 23);\n"
    "    *e = _mm256_cvtepi32_ps(n);\n"
    "    return _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(n, 23)));\n"
    "}\n"
    "HELPER float sum(V v) {\n"
    "    __m128 a = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));\n"
    "    a = _mm_add_ps(a, _mm_movehl_ps(a, a));\n"
    "    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));\n"
    "}\n"
    "HELPER float largest(V v) {\n"
    "    __m128 a = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));\n"
    "    a = _mm_max_ps(a, _mm_movehl_ps(a, a));\n"
    "    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));\n"
    "}\n";

static const char shared_functions[] =
    "HELPER V exp_(V x) { /* e^x = 2^n * e^r; inf above 88.8, 0 below -104 */\n"
    "    x = max_(set1(-104.0f), min_(set1(89.0f), x));\n"
    "    const V n = round_(mul(x, set1(1.44269504f)));\n"
    "    const V r = fma_(n, set1(2.12194440e-4f), fma_(n, set1(-0.693359375f), x));\n"
    "    V p = fma_(set1(1.9875691500e-4f), r, set1(1.3981999507e-3f));\n"
    "    p = fma_(p, r, set1(8.3334519073e-3f));\n"
    "    p = fma_(p, r, set1(4.1665795894e-2f));\n"
    "    p = fma_(p, r, set1(1.6666665459e-1f));\n"
    "    p = fma_(p, r, set1(5.0000001201e-1f));\n"
    "    return scale2(add(fma_(p, mul(r, r), r), set1(1.0f)), n);\n"
    "}\n"
    "HELPER V log_(V x) { /* x normal and positive; NaN where x is negative, infinite or NaN */\n"
    "    V e;\n"
    "    const V m = sub(split2(x, &e), set1(1.0f)), square = mul(m, m);\n"
    "    V p = fma_(set1(7.0376836292e-2f), m, set1(-1.1514610310e-1f));\n"
    "    p = fma_(p, m, set1(1.1676998740e-1f));\n"
    "    p = fma_(p, m, set1(-1.2420140846e-1f));\n"
    "    p = fma_(p, m, set1(1.4249322787e-1f));\n"
    "    p = fma_(p, m, set1(-1.6668057665e-1f));\n"
    "    p = fma_(p, m, set1(2.0000714765e-1f));\n"
    "    p = fma_(p, m, set1(-2.4999993993e-1f));\n"
    "    p = fma_(p, m, set1(3.3333331174e-1f));\n"
    "    p = fma_(e, set1(-2.12194440e-4f), mul(mul(p, m), square));\n"
    "    p = fma_(e, set1(0.693359375f), add(m, fma_(square, set1(-0.5f), p)));\n"
    "    const V root = sqrt_(x);\n"
    "    return add(p, sub(root, root));\n"
    "}\n"
    "HELPER V relu(V v) { return max_(zero(), v); }\n"
    "HELPER V relu6(V v) { return min_(set1(6.0f), max_(zero(), v)); }\n"
    "HELPER V prelu(V v, V slope) { return where_less(v, zero(), mul(v, slope), v); }\n"
    "HELPER V leakyrelu(V v, V slope) { return where_less(v, zero(), mul(v, slope), v); }\n"
    "HELPER V sigmoid(V v) { return div_(set1(1.0f), add(set1(1.0f), exp_(sub(zero(), v)))); }\n"
    "HELPER V swish(V v) { return div_(v, add(set1(1.0f), exp_(sub(zero(), v)))); }\n"
    "HELPER V tanh_(V v) { /* a polynomial near 0, where 1 - 2 / (e^2|v| + 1) cancels */\n"
    "    const V size = abs_(v), square = mul(v, v);\n"
    "    V p = fma_(set1(-5.70498872745e-3f), square, set1(2.06390887954e-2f));\n"
    "    p = fma_(p, square, set1(-5.37397155531e-2f));\n"
    "    p = fma_(p, square, set1(1.33314422036e-1f));\n"
    "    p = fma_(p, square, set1(-3.33332819422e-1f));\n"
    "    const V small = fma_(mul(p, square), v, v);\n"
    "    const V large = sub(set1(1.0f), div_(set1(2.0f), add(set1(1.0f), exp_(add(size, size)))));\n"
    "    return where_less(size, set1(0.625f), small, copysign_(large, v));\n"
    "}\n";

/* Where weights are stored as bf16, the upper halves of floats: a vector of them, widened. */
static const char widening_avx512[] =
    "HELPER V load_bf16(const uint16_t *p) {\n"
    "    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));\n"
    "    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));\n"
    "}\n";
static const char widening_avx2[] =
    "HELPER V load_bf16(const uint16_t *p) {\n"
    "    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));\n"
    "    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));\n"
    "}\n";
static const char widening_c[] = "#ifdef VECTORS\n"
                                 "typedef uint16_t halves_ __attribute__((vector_size(8)));\n"
                                 "typedef uint32_t words_ __attribute__((vector_size(16)));\n"
                                 "HELPER V load_bf16(const uint16_t *p) {\n"
                                 "    halves_ v;\n"
                                 "    memcpy(&v, p, sizeof v);\n"
                                 "    return (V)(__builtin_convertvector(v, words_) << 16);\n"
                                 "}\n"
                                 "#else\n"
                                 "HELPER V load_bf16(const uint16_t *p) {\n"
                                 "    uint32_t wide[4];\n"
                                 "    for (int i = 0; i < 4; i++) wide[i] = (uint32_t)p[i] << 16;\n"
                                 "    V v;\n"
                                 "    memcpy(&v, wide, sizeof v);\n"
                                 "    return v;\n"
                                 "}\n"
                                 "#endif\n";

static const char zeroupper_x86[] =
    "/* After the last kernel: what it leaves in the upper halves of vector registers makes SSE code slow. */\n"
    "HELPER void zeroupper(void) { _mm256_zeroupper(); }\n";

void emit_includes(const Emit *e, Text *text) {
    if (e->target.isa[0] != RN_ISA_GENERIC) text_puts(text, "#include <immintrin.h>\n");
    text_puts(text, "#include <math.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <string.h>\n\n");
}

/* The next name that the prelude defines as a HELPER, from *at on; NULL at its end. */
static const char *next_helper(const char **at, int *length) {
    static const char helper[] = "\nHELPER ";
    const char *line = strstr(*at, helper);
    if (!line) return NULL;
    const char *end = line + strcspn(line, "("), *name = end;
    while (name[-1] != ' ' && name[-1] != '*') name--;
    *at = end;
    *length = (int)(end - name);
    return name;
}

/* and what else the text of one instruction set defines by a fixed name */
static const char *const other_names[] = {"V", "first_lanes"};
enum { OTHER_NAMES = sizeof other_names / sizeof *other_names };

/* Where the text for several instruction sets stands in one file, the same words mean each one's own. */
static void rename_helpers(const Emit *e, const char *prelude, Text *text) {
    const char *name;
    int n;
    for (int i = 0; i < OTHER_NAMES; i++)
        text_printf(text, "#define %s %s%s\n", other_names[i], other_names[i], e->suffix);
    while ((name = next_helper(&prelude, &n))) text_printf(text, "#define %.*s %.*s%s\n", n, name, n, name, e->suffix);
    text_puts(text, "\n");
}

static bool has_bf16(const Plan *plan) {
    for (int i = 0; i < plan->step_count; i++)
        if (plan->steps[i].term && tensor_is_bf16(plan->steps[i].term[0].weight)) return true;
    return false;
}

static const char *prelude_text(const Emit *e) {
    const bool c = e->isa == RN_ISA_GENERIC, avx512 = e->isa >= RN_ISA_X86_64_V4;
    const char *primitives = c ? prelude_c_primitives : avx512 ? primitives_avx512 : primitives_avx2;
    const char *widening = c ? widening_c : avx512 ? widening_avx512 : widening_avx2;
    return arena_printf(e->arena, "%s%s%s%s", primitives, has_bf16(e->plan) ? widening : "", shared_functions,
                        c ? "" : zeroupper_x86);
}

void emit_prelude(Emit *e, Text *text) {
    const char *prelude = prelude_text(e);
    if (*e->suffix) text_printf(text, "/* ==== for %s ==== */\n\n", rn_isa_name((rn_isa)e->isa));
    text_puts(text, "/* ---- one vector ---- */\n");
    if (*e->suffix) rename_helpers(e, prelude, text);
    text_printf(text, "%s\n", prelude);
}

void emit_prelude_end(Emit *e, Text *text) {
    const char *prelude = prelude_text(e), *name;
    int n;
    if (!*e->suffix) return;
    text_puts(text, "#undef TARGET\n#undef HELPER\n");
    for (int i = 0; i < OTHER_NAMES; i++) text_printf(text, "#undef %s\n", other_names[i]);
    while ((name = next_helper(&prelude, &n))) text_printf(text, "#undef %.*s\n", n, name);
    text_puts(text, "\n");
}
