/* Toom-Cook in exact rationals; see winograd.h. */
#include "winograd.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { MAX_FINITE = 8, MAX_PRODUCTS = MAX_FINITE + 1 };

typedef struct Rational { /* in lowest terms, q > 0; points are small and few, so that 64 bits suffice */
    int64_t p, q;
} Rational;

static int64_t greatest_divisor(int64_t a, int64_t b) {
    while (b) {
        const int64_t t = a % b;
        a = b, b = t;
    }
    return a < 0 ? -a : a;
}

static Rational rational(int64_t p, int64_t q) {
    const int64_t d = greatest_divisor(p, q) * (q < 0 ? -1 : 1);
    return (Rational){p / d, q / d};
}

static Rational add(Rational a, Rational b) {
    return rational(a.p * b.q + b.p * a.q, a.q * b.q);
}

static Rational mul(Rational a, Rational b) {
    return rational(a.p * b.p, a.q * b.q);
}

static Rational negative(Rational a) {
    return (Rational){-a.p, a.q};
}

static double real(Rational a) {
    return (double)a.p / (double)a.q;
}

/* The finite points for a number of products, in eighths; infinity is always the last one. Of the dyadic sets with
 * small numerators these have the least amplification (for r = 3) among those that come in pairs of +a and -a, whose
 * transforms share half of their terms, and whose matrices are exact as floats. */
static const signed char points_in_eighths[MAX_PRODUCTS + 1][MAX_FINITE] = {
    [2] = {0},
    [3] = {0, 8},
    [4] = {0, 8, -8},
    [5] = {0, 6, -6, 16},
    [6] = {0, 6, -6, 12, -12},
    [7] = {0, 8, -8, 16, -16, 3},
    [8] = {0, 4, -4, 8, -8, 16, -16},
    [9] = {0, 6, -6, 9, -9, 18, -18, 2},
};

/* Coefficients, lowest first, of the product of (x - point) over all finite points but `skip`; returns the degree. */
static int polynomial(const Rational *points, int count, int skip, Rational *c) {
    int degree = 0;
    c[0] = rational(1, 1);
    for (int i = 0; i < count; i++) {
        if (i == skip) continue;
        c[degree + 1] = rational(0, 1);
        for (int k = ++degree; k > 0; k--) c[k] = add(c[k - 1], mul(negative(points[i]), c[k]));
        c[0] = mul(negative(points[i]), c[0]);
    }
    return degree;
}

/* F(m, r) at stride 1 written into w's matrices from product `n0` on; input x[j] is column `first + step * j`, tap k is
 * column `tap0 + step * k`. */
static int add_phase(rn_winograd *w, int m, int r, int n0, int first, int step) {
    const int n = m + r - 1;
    if (r == 1) { /* m products of its own: every output is an input times the tap */
        for (int i = 0; i < m; i++)
            w->input[n0 + i][first + step * i] = w->kernel[n0 + i][first] = w->output[i][n0 + i] = 1;
        return m;
    }
    if (m == 1) { /* the direct sum */
        for (int k = 0; k < r; k++)
            w->input[n0 + k][first + step * k] = w->kernel[n0 + k][first + step * k] = w->output[0][n0 + k] = 1;
        return r;
    }
    if (n > MAX_PRODUCTS) return -1;
    Rational points[MAX_FINITE], c[MAX_PRODUCTS + 1];
    for (int i = 0; i < n - 1; i++) points[i] = rational(points_in_eighths[n][i], 8);
    for (int x = 0; x < n; x++) {
        const int degree = polynomial(points, n - 1, x, c); /* x == n - 1: all points, the row of infinity */
        for (int j = 0; j <= degree; j++) w->input[n0 + x][first + step * j] = real(c[j]);
        if (x == n - 1) {
            w->kernel[n0 + x][first + step * (r - 1)] = 1;
            w->output[m - 1][n0 + x] = 1;
            break;
        }
        Rational scale = rational(1, 1), power = rational(1, 1);
        for (int i = 0; i < n - 1; i++)
            if (i != x) scale = mul(scale, add(points[x], negative(points[i])));
        for (int k = 0; k < (m > r ? m : r); k++, power = mul(power, points[x])) {
            if (k < r) w->kernel[n0 + x][first + step * k] = real(power) / real(scale);
            if (k < m) w->output[k][n0 + x] = real(power);
        }
    }
    return n;
}

int rn_winograd_make(rn_winograd *w, int m, int r, int stride) {
    memset(w, 0, sizeof *w);
    w->m = m, w->r = r, w->stride = stride;
    w->span = (m - 1) * stride + r;
    if (m < 1 || r < 1 || stride < 1 || m > RN_WINOGRAD_MAX || w->span > RN_WINOGRAD_MAX) return -1;
    for (int phase = 0; phase < stride && phase < r; phase++) {
        const int taps = (r - phase + stride - 1) / stride;
        if (w->n + m + taps - 1 > RN_WINOGRAD_MAX) return -1;
        const int added = add_phase(w, m, taps, w->n, phase, stride);
        if (added < 0) return -1;
        w->n += added;
    }
    return 0;
}

void rn_winograd_amplify(const rn_winograd *w, double rough[RN_WINOGRAD_MAX], double even[RN_WINOGRAD_MAX]) {
    for (int i = 0; i < w->m; i++) rough[i] = even[i] = 0;
    for (int x = 0; x < w->n; x++) {
        double squares = 0, sum = 0, kernel = 0;
        for (int j = 0; j < w->span; j++) squares += w->input[x][j] * w->input[x][j], sum += w->input[x][j];
        for (int k = 0; k < w->r; k++) kernel += w->kernel[x][k] * w->kernel[x][k];
        for (int i = 0; i < w->m; i++) {
            const double output = w->output[i][x] * w->output[i][x] * kernel / w->r;
            rough[i] += output * squares;
            even[i] += output * sum * sum;
        }
    }
}

double rn_winograd_amplification(const rn_winograd *w) {
    double rough[RN_WINOGRAD_MAX], even[RN_WINOGRAD_MAX], total = 0;
    rn_winograd_amplify(w, rough, even);
    for (int i = 0; i < w->m; i++) total += rough[i];
    return sqrt(total / w->m);
}
