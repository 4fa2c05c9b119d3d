/* Winograd's minimal filtering in one dimension: F(m, r) computes m outputs of a kernel with r taps from n products.
 *
 *     y = output * ((kernel * g) . (input * x))          . elementwise, over the n products
 *
 * Two dimensions nest: transform columns, then rows. The matrices are derived from interpolation points by Toom and
 * Cook's method in exact rationals (S. Winograd, "Arithmetic Complexity of Computations", 1980, ch. IV; A. Lavin and
 * S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016), with no table of coefficients. A stride s
 * splits the input into s phases, each an F(m, taps of that phase) of its own; their products follow one another.
 *
 * The compiler emits `input` and `output` as code; the recipe applies `kernel` when weights are packed.
 */
#ifndef RN_WINOGRAD_H
#define RN_WINOGRAD_H

enum { RN_WINOGRAD_MAX = 16 };

typedef struct rn_winograd {
    int m, r, stride;
    int n;                                           /* products */
    int span;                                        /* inputs: (m - 1) * stride + r */
    double input[RN_WINOGRAD_MAX][RN_WINOGRAD_MAX];  /* n x span, dyadic: exact as floats */
    double kernel[RN_WINOGRAD_MAX][RN_WINOGRAD_MAX]; /* n x r */
    double output[RN_WINOGRAD_MAX][RN_WINOGRAD_MAX]; /* m x n, dyadic */
} rn_winograd;

/* Fills *w for m >= 1 outputs of r >= 1 taps at stride >= 1. Returns -1 where no points are known for it (m plus a
 * phase's taps above 10) or a dimension passes RN_WINOGRAD_MAX. Thread-safe. */
int rn_winograd_make(rn_winograd *w, int m, int r, int stride);

/* How much the transforms amplify rounding: the mean square of what is added up for an output y[i], where the direct
 * sum has 1,
 *     sum over products x of output[i][x]^2 s[x] |kernel[x]|^2 / r
 * for uncorrelated weights. Inputs that are uncorrelated (rough) have s[x] = |input[x]|^2, equal ones (even), of which
 * the transform takes away most, the square of input[x]'s sum. Scaling a product's rows does not change it. In two
 * dimensions both multiply (docs/errors.md has how well it predicts). Fills the first m of each array. */
void rn_winograd_amplify(const rn_winograd *w, double rough[RN_WINOGRAD_MAX], double even[RN_WINOGRAD_MAX]);
/* Root of the mean of `rough` over the outputs. */
double rn_winograd_amplification(const rn_winograd *w);

#endif
