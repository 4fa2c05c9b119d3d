/* Checks of a vectors_*.h of compiler/emit/c/, of vector_functions.h, images.h and strassen.h, which the file that
 * includes this has included before: element for element against C's operators and libm, and that partial loads and
 * stores touch nothing else.
 */
#ifndef TEST_VECTORS_H
#define TEST_VECTORS_H

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool same(float a, float b) { /* the same bits, or both NaN */
    return isnan(a) ? isnan(b) : !memcmp(&a, &b, sizeof a);
}

/* ---- functions of one vector: relative errors over the range where results are normal floats ---- */
#define EACH(name)                                                                                                     \
    static TARGET void each_##name(const float *x, float *y, int n) {                                                  \
        for (int i = 0; i < n; i += LANES) store(y + i, name(load(x + i)));                                            \
    }
EACH(exp_)
EACH(log_)
EACH(sigmoid)
EACH(swish)
EACH(tanh_)
EACH(gelu)
EACH(expm1_)
EACH(log1p_)
EACH(hardsigmoid)
EACH(hardswish)
#define elu_half(v) elu(v, set1(0.5f))
EACH(elu_half)
EACH(selu)
EACH(softplus)
EACH(mish)
EACH(gelu_tanh)

static double exact_sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static double exact_swish(double x) {
    return x / (1 + exp(-x));
}

static double exact_hardsigmoid(double x) {
    return fmin(fmax(x / 6 + 0.5, 0), 1);
}

static double exact_hardswish(double x) {
    return x * exact_hardsigmoid(x);
}

static double exact_elu_half(double x) {
    return x < 0 ? 0.5 * expm1(x) : x;
}

static double exact_selu(double x) {
    return 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * expm1(x) : x);
}

static double exact_softplus(double x) {
    return log1p(exp(x));
}

static double exact_mish(double x) {
    return x * tanh(log1p(exp(x)));
}

static double exact_gelu(double x) {
    return x * 0.5 * erfc(-x / sqrt(2));
}

static double exact_gelu_tanh(double x) {
    return x / (1 + exp(-2 * sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

static const struct {
    const char *name;
    void (*each)(const float *x, float *y, int n);
    double (*exact)(double x);
    double from, to, bound;
    bool logarithmic; /* points are e^from ... e^to */
} functions[] = {
    {"exp_", each_exp_, exp, -87, 88.7, 1.5e-7, false},
    {"log_", each_log_, log, -87, 88, 1.5e-7, true},
    {"sigmoid", each_sigmoid, exact_sigmoid, -87, 30, 3e-7, false},
    {"swish", each_swish, exact_swish, -87, 87, 3e-7, false},
    {"tanh_", each_tanh_, tanh, -30, 30, 3e-7, false},
    {"expm1_", each_expm1_, expm1, -87, 80, 3e-7, false},
    {"log1p_", each_log1p_, log1p, -80, 80, 3e-7, true},
    {"hardsigmoid", each_hardsigmoid, exact_hardsigmoid, -2.9, 9, 5e-6, false},
    {"hardswish", each_hardswish, exact_hardswish, -2.9, 9, 5e-6, false},
    {"elu_half", each_elu_half, exact_elu_half, -87, 30, 3e-7, false},
    {"selu", each_selu, exact_selu, -87, 30, 3e-7, false},
    {"softplus", each_softplus, exact_softplus, -80, 80, 3e-7, false},
    {"mish", each_mish, exact_mish, -80, 80, 6e-7, false},
    {"gelu", each_gelu, exact_gelu, -4, 30, 6e-7, false},
    {"gelu_tanh", each_gelu_tanh, exact_gelu_tanh, -4, 30, 1.5e-6, false},
};

static void test_functions(void) {
    enum { POINTS = 1 << 16 };
    static float x[POINTS], y[POINTS];
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        for (int i = 0; i < POINTS; i++) {
            const double t = functions[f].from + (functions[f].to - functions[f].from) * i / (POINTS - 1);
            const bool near_zero = i % 2; /* half of the points: small numbers of both signs */
            x[i] = (float)(functions[f].logarithmic ? exp(near_zero ? t / 1000 : t) : near_zero ? t * t * t / 1e6 : t);
        }
        functions[f].each(x, y, POINTS);
        double worst = 0;
        for (int i = 0; i < POINTS; i++) {
            const double want = functions[f].exact(x[i]);
            const double error = want == 0 ? fabs(y[i]) : fabs(y[i] - want) / fabs(want);
            if (!(error <= worst)) worst = error;
        }
        if (!(worst <= functions[f].bound)) printf("\n%s: relative error %g\n", functions[f].name, worst);
        CU_ASSERT(worst <= functions[f].bound);
    }
}

/* What lies beyond normal floats: as libm has it, but for log_'s, which take a positive normal number. */
static void test_special_values(void) {
    static const float special[16] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e30f, -1e30f, -120.0f};
    float y[16];
    each_exp_(special, y, 16);
    for (int i = 0; i < 16; i++) CU_ASSERT(same(y[i], expf(special[i])));
    each_sigmoid(special, y, 16);
    for (int i = 0; i < 16; i++) CU_ASSERT(fabs(y[i] - exact_sigmoid(special[i])) < 1e-30 || isnan(special[i]));
    CU_ASSERT(isnan(y[0]));
    each_tanh_(special, y, 16);
    for (int i = 0; i < 16; i++) CU_ASSERT(y[i] == tanhf(special[i]) || same(y[i], tanhf(special[i]))); /* 0 for -0 */
    each_swish(special, y, 16);
    CU_ASSERT(isnan(y[0]) && y[1] == INFINITY && y[3] == 0 && y[4] == 0 && y[5] == 1e30f);
    each_log_(special, y, 16);
    CU_ASSERT(isnan(y[0]) && isnan(y[1]) && isnan(y[2]) && isnan(y[6]));
}

/* ---- element by element: every pair of these ---- */
static const float values[] = {0.0f, -0.0f, NAN, INFINITY, -INFINITY, 1.5f, -2.5f, 0.5f, 6.5f, 1e-30f, 1e30f, -1e30f};
enum { VALUES = sizeof values / sizeof *values, PAIRS = (VALUES * VALUES + 15) / 16 * 16 };

#define OPERATOR(name, vector, scalar)                                                                                 \
    static TARGET void pairs_##name(const float *x, const float *y, float *z) {                                        \
        for (int i = 0; i < PAIRS; i += LANES) {                                                                       \
            const V a = load(x + i), b = load(y + i);                                                                  \
            (void)a, (void)b;                                                                                          \
            store(z + i, vector);                                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    static float one_##name(float a, float b) {                                                                        \
        (void)a, (void)b;                                                                                              \
        return scalar;                                                                                                 \
    }
OPERATOR(add, add(a, b), a + b)
OPERATOR(sub, sub(a, b), a - b)
OPERATOR(mul, mul(a, b), a *b)
OPERATOR(div, div_(a, b), a / b)
OPERATOR(fma, fma_(a, b, set1(0.0f)), a *b + 0.0f)
OPERATOR(sqrt, sqrt_(a), sqrtf(a))
OPERATOR(max, max_(a, b), a > b ? a : b)
OPERATOR(min, min_(a, b), a < b ? a : b)
OPERATOR(max_nan, max_nan(a, b), isnan(a) || a > b ? a : b)
OPERATOR(abs, abs_(a), fabsf(a))
OPERATOR(copysign, copysign_(a, b), copysignf(a, b))
OPERATOR(where_less, where_less(a, b, set1(1.0f), set1(2.0f)), a < b ? 1.0f : 2.0f)
OPERATOR(round, round_(a), rintf(a))
/* 3 * 2^n, n from -140 (denormal) to 126 */
OPERATOR(scale2, scale2(set1(3.0f), round_(min_(set1(126.0f), max_(b, set1(-140.0f))))),
         ldexpf(3.0f, isnan(b) ? -140 : (int)rintf(fminf(126.0f, fmaxf(-140.0f, b)))))
OPERATOR(relu, relu(a), 0 > a ? 0 : a)
OPERATOR(relu6, relu6(a), 6.0f < (0 > a ? 0 : a) ? 6.0f : 0 > a ? 0 : a)
OPERATOR(clip, clip(a, set1(-0.5f), b), b<(-0.5f > a ? -0.5f : a) ? b : -0.5f> a ? -0.5f : a)
OPERATOR(prelu, prelu(a, b), a < 0 ? a * b : a)
OPERATOR(leakyrelu, leakyrelu(a, set1(0.25f)), a < 0 ? a * 0.25f : a)

static const struct {
    const char *name;
    void (*pairs)(const float *x, const float *y, float *z);
    float (*one)(float a, float b);
} operators[] = {
#define ROW(name)                                                                                                      \
    { #name, pairs_##name, one_##name }
    ROW(add),  ROW(sub),     ROW(mul),   ROW(div),       ROW(fma),        ROW(sqrt),  ROW(max),
    ROW(min),  ROW(max_nan), ROW(abs),   ROW(copysign),  ROW(where_less), ROW(round), ROW(scale2),
    ROW(relu), ROW(relu6),   ROW(prelu), ROW(leakyrelu), ROW(clip),
#undef ROW
};

static void test_operators(void) {
    float x[PAIRS] = {0}, y[PAIRS] = {0}, z[PAIRS];
    for (int i = 0; i < VALUES * VALUES; i++) x[i] = values[i / VALUES], y[i] = values[i % VALUES];
    for (size_t f = 0; f < sizeof operators / sizeof *operators; f++) {
        operators[f].pairs(x, y, z);
        for (int i = 0; i < PAIRS; i++) {
            const float want = operators[f].one(x[i], y[i]);
            if (!same(z[i], want)) printf("\n%s(%g, %g) is %g, not %g\n", operators[f].name, x[i], y[i], z[i], want);
            CU_ASSERT(same(z[i], want));
        }
    }
}

/* ---- loads and stores, up to the end of a page that nothing follows ---- */
static TARGET void load_n_at(const float *p, int n, float *to) {
    store(to, load_n(p, n));
}

static TARGET void load_or_at(const float *p, int n, float rest, float *to) {
    store(to, load_or(p, n, set1(rest)));
}

static TARGET void store_n_at(float *p, const float *from, int n) {
    store_n(p, load(from), n);
}

static void test_parts(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(pages != MAP_FAILED && !mprotect(pages + page, page, PROT_NONE));
    float *const end = (float *)(void *)(pages + page), whole[16], rest[16];
    for (int i = 0; i < LANES; i++) whole[i] = (float)(i + 1);
    for (int n = 1; n < LANES; n++) {
        float *p = end - n;
        for (int i = 0; i < LANES; i++) end[-1 - i] = -1;
        store_n_at(p, whole, n);
        for (int i = 0; i < n; i++) CU_ASSERT(p[i] == (float)(i + 1));
        CU_ASSERT(p[-1] == -1);
        load_n_at(p, n, rest);
        for (int i = 0; i < LANES; i++) CU_ASSERT(rest[i] == (float)(i < n ? i + 1 : 0));
        load_or_at(p, n, 7, rest);
        for (int i = 0; i < LANES; i++) CU_ASSERT(rest[i] == (float)(i < n ? i + 1 : 7));
        for (int i = 0; i < n; i++) p[i] = -1; /* and not what lies behind */
        store_n_at(p - 1, whole, n);
        CU_ASSERT(p[n - 1] == -1 && p[-1] == 1);
    }
    munmap(pages, 2 * page);
}

/* ---- others ---- */
static TARGET float sum_of(const float *p) {
    return sum(load(p));
}

static TARGET float largest_of(const float *p) {
    return largest(load(p));
}

static TARGET void widen(const uint16_t *p, float *to) {
    store(to, load_bf16(p));
}

static TARGET void split(const float *p, float *m, float *e) {
    V exponent;
    store(m, split2(load(p), &exponent));
    store(e, exponent);
    zeroupper();
}

static void test_others(void) {
    static const float x[16] = {1, -2, 4, -8, 16, 32, -64, 128, 256, -512, 1024, 2048, 0.5f, 0.25f, -3, 5};
    float wide[16], m[16], e[16], want = 0, most = x[0], magnitude[16];
    uint16_t half[16];
    for (int i = 0; i < LANES; i++) {
        want += x[i]; /* exact, in any order */
        most = x[i] > most ? x[i] : most;
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        half[i] = (uint16_t)(bits >> 16);
        magnitude[i] = fabsf(x[i]) * (i % 2 ? 1.4f : 1.45f); /* below and above sqrt(2) */
    }
    CU_ASSERT(sum_of(x) == want && largest_of(x) == most);
    widen(half, wide);
    split(magnitude, m, e);
    for (int i = 0; i < LANES; i++) {
        CU_ASSERT(wide[i] == x[i]);
        CU_ASSERT(m[i] >= 0.7071f && m[i] < 1.41422f && ldexpf(m[i], (int)e[i]) == magnitude[i]);
    }
}

/* ---- images ---- */
static TARGET int clamped(int i, int last) {
    return clamp(i, last);
}

/* Zeros all around, the image and what lies beyond untouched, for channels below, of and above a vector. */
/* Lanes from other places; weave reads half a vector of each and no more. */
static TARGET void test_moved_lanes(void) {
    float x[LANES], y[LANES];
    for (int i = 0; i < LANES; i++) x[i] = (float)(100 + i);
    for (int group = 2; group < LANES; group *= 2)
        for (int k = 0; k < group; k++) {
            store(y, of_groups(load(x), group, k));
            for (int i = 0; i < LANES; i++) CU_ASSERT_EQUAL(y[i], x[i / group * group + k]);
        }
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_PTR_NOT_EQUAL_FATAL(pages, MAP_FAILED);
    mprotect(pages + page, page, PROT_NONE);
    mprotect(pages + 3 * page, page, PROT_NONE);
    float *a = (float *)(void *)(pages + page) - LANES / 2, *b = (float *)(void *)(pages + 3 * page) - LANES / 2;
    for (int i = 0; i < LANES / 2; i++) a[i] = (float)i, b[i] = (float)(50 + i);
    store(y, weave(a, b));
    for (int i = 0; i < LANES; i++) CU_ASSERT_EQUAL(y[i], (i % 2 ? b : a)[i / 2]);
    munmap(pages, 4 * page);
}

static void test_halo(void) {
    enum { H = 3, W = 2, TOP = 1, LEFT = 2, BOTTOM = 2, RIGHT = 1, PIXEL = 40, ROW = (LEFT + W + RIGHT) * PIXEL };
    enum { BEFORE = TOP * ROW + LEFT * PIXEL, SIZE = (TOP + H + BOTTOM) * ROW };
    static float image[SIZE];
    static const int channels[] = {1, 3, 8, 16, 19, 37};
    for (size_t k = 0; k < sizeof channels / sizeof *channels; k++) {
        const int c = channels[k];
        for (int i = 0; i < SIZE; i++) image[i] = 1;
        halo(image + BEFORE, c, H, W, ROW, PIXEL, TOP, LEFT, BOTTOM, RIGHT);
        bool right = true;
        for (int i = 0; i < SIZE; i++) {
            const int y = i / ROW - TOP, x = i % ROW / PIXEL - LEFT;
            const bool inside = y >= 0 && y < H && x >= 0 && x < W;
            right &= image[i] == (inside || i % PIXEL >= c ? 1 : 0);
        }
        CU_ASSERT(right);
    }
    CU_ASSERT(clamped(-3, 5) == 0 && clamped(4, 5) == 4 && clamped(9, 5) == 5);
}

/* ---- Strassen's sums ---- */
static TARGET void sums_of(const float *b1, const float *b2, float *t, int copies) {
    strassen_sums(b1, b2, 32, t, 40, copies);
}

static void test_strassen(void) {
    enum { DEPTH = 32, SIZE = 40, OPERANDS = 7 };
    float b1[2 * DEPTH], b2[2 * DEPTH], t[OPERANDS * SIZE];
    for (int i = 0; i < 2 * DEPTH; i++) b1[i] = (float)(i * i % 37), b2[i] = (float)(i * 7 % 23); /* sums are exact */
    for (int copies = 0; copies < 2; copies++) {
        for (int i = 0; i < OPERANDS * SIZE; i++) t[i] = -1;
        sums_of(b1, b2, t, copies);
        bool right = true;
        for (int i = 0; i < SIZE; i++) {
            const bool inside = i < DEPTH;
            const float b11 = b1[i], b21 = b1[DEPTH + i % DEPTH], b12 = b2[i], b22 = b2[DEPTH + i % DEPTH];
            const float want[OPERANDS] = {b12 - b11, b22 - (b12 - b11), b22 - b12, b22 - (b12 - b11) - b21, b11, b21,
                                          b22};
            for (int k = 0; k < OPERANDS; k++) right &= t[k * SIZE + i] == (inside && (k < 4 || copies) ? want[k] : -1);
        }
        CU_ASSERT(right);
    }
}

static void add_vector_tests(const char *name, bool can_run) {
    CU_pSuite suite = CU_add_suite(name, NULL, NULL);
    if (!can_run) return;
    CU_add_test(suite, "functions against libm", test_functions);
    CU_add_test(suite, "NaN, infinities, what overflows", test_special_values);
    CU_add_test(suite, "operators", test_operators);
    CU_add_test(suite, "parts of a vector", test_parts);
    CU_add_test(suite, "sums, bf16, exponents", test_others);
    CU_add_test(suite, "moved lanes", test_moved_lanes);
    CU_add_test(suite, "an image's halo", test_halo);
    CU_add_test(suite, "Strassen's sums", test_strassen);
}

#endif
