/* Functions of one vector, in terms of vectors_avx512.h, vectors_avx2.h or vectors_c.h. The polynomials are those of
 * Cephes (S. Moshier: expf, logf, tanhf): about 2 ulp.
 */
HELPER V exp_parts(V x, V *n) { /* e^x = 2^n * e^r: returns e^r - 1 */
    x = max_(set1(-104.0f), min_(set1(89.0f), x));
    *n = round_(mul(x, set1(1.44269504f)));
    const V r = fma_(*n, set1(2.12194440e-4f), fma_(*n, set1(-0.693359375f), x));
    V p = fma_(set1(1.9875691500e-4f), r, set1(1.3981999507e-3f));
    p = fma_(p, r, set1(8.3334519073e-3f));
    p = fma_(p, r, set1(4.1665795894e-2f));
    p = fma_(p, r, set1(1.6666665459e-1f));
    p = fma_(p, r, set1(5.0000001201e-1f));
    return fma_(p, mul(r, r), r);
}
HELPER V exp_(V x) { /* inf above 88.8, 0 below -104 */
    V n;
    const V part = exp_parts(x, &n);
    return scale2(add(part, set1(1.0f)), n);
}
HELPER V expm1_(V x) { /* e^x - 1, x below 88 */
    V n;
    const V part = exp_parts(x, &n), scale = scale2(set1(1.0f), n);
    return fma_(part, scale, sub(scale, set1(1.0f)));
}
HELPER V log_(V x) { /* x normal and positive; NaN where x is negative, infinite or NaN */
    V e;
    const V m = sub(split2(x, &e), set1(1.0f)), square = mul(m, m);
    V p = fma_(set1(7.0376836292e-2f), m, set1(-1.1514610310e-1f));
    p = fma_(p, m, set1(1.1676998740e-1f));
    p = fma_(p, m, set1(-1.2420140846e-1f));
    p = fma_(p, m, set1(1.4249322787e-1f));
    p = fma_(p, m, set1(-1.6668057665e-1f));
    p = fma_(p, m, set1(2.0000714765e-1f));
    p = fma_(p, m, set1(-2.4999993993e-1f));
    p = fma_(p, m, set1(3.3333331174e-1f));
    p = fma_(e, set1(-2.12194440e-4f), mul(mul(p, m), square));
    p = fma_(e, set1(0.693359375f), add(m, fma_(square, set1(-0.5f), p)));
    const V root = sqrt_(x);
    return add(p, sub(root, root));
}
HELPER V log1p_(V x) { /* log(1 + x), x from 0: what rounding takes from 1 + x is added again */
    const V sum = add(set1(1.0f), x);
    return add(log_(sum), div_(sub(x, sub(sum, set1(1.0f))), sum));
}
HELPER V relu(V v) { return max_(zero(), v); }
HELPER V relu6(V v) { return min_(set1(6.0f), max_(zero(), v)); }
HELPER V clip(V v, V low, V high) { return min_(high, max_(low, v)); }
HELPER V prelu(V v, V slope) { return where_less(v, zero(), mul(v, slope), v); }
HELPER V leakyrelu(V v, V slope) { return where_less(v, zero(), mul(v, slope), v); }
HELPER V sigmoid(V v) { return div_(set1(1.0f), add(set1(1.0f), exp_(sub(zero(), v)))); }
HELPER V swish(V v) { return div_(v, add(set1(1.0f), exp_(sub(zero(), v)))); }
HELPER V tanh_(V v) { /* a polynomial near 0, where 1 - 2 / (e^2|v| + 1) cancels */
    const V size = abs_(v), square = mul(v, v);
    V p = fma_(set1(-5.70498872745e-3f), square, set1(2.06390887954e-2f));
    p = fma_(p, square, set1(-5.37397155531e-2f));
    p = fma_(p, square, set1(1.33314422036e-1f));
    p = fma_(p, square, set1(-3.33332819422e-1f));
    const V small = fma_(mul(p, square), v, v);
    const V large = sub(set1(1.0f), div_(set1(2.0f), add(set1(1.0f), exp_(add(size, size)))));
    return where_less(size, set1(0.625f), small, copysign_(large, v));
}
/* v * (1 + erf(v / sqrt(2))) / 2. The normal distribution's tail below -|v| is e^(-v^2/2) * u * p(u), where p is a
 * polynomial fitted for the least largest relative error, 4e-8. */
HELPER V gelu(V v) {
    const V u = div_(set1(1.0f), fma_(abs_(v), set1(0.353553391f), set1(1.0f)));
    V p = fma_(set1(-0.0294453136f), u, set1(0.141850616f));
    p = fma_(p, u, set1(-0.242691083f));
    p = fma_(p, u, set1(0.137988184f));
    p = fma_(p, u, set1(-0.0125882173f));
    p = fma_(p, u, set1(0.10103465f));
    p = fma_(p, u, set1(0.121630572f));
    p = fma_(p, u, set1(0.141176733f));
    p = fma_(p, u, set1(0.141043838f));
    const V tail = mul(mul(p, u), exp_(mul(mul(v, set1(-0.5f)), v)));
    return mul(v, where_less(v, zero(), tail, sub(set1(1.0f), tail)));
}
HELPER V gelu_tanh(V v) { /* v * (1 + tanh(t)) / 2 = v / (1 + e^-2t), where t = sqrt(2 / pi) * (v + 0.044715 v^3) */
    const V t2 = mul(v, fma_(mul(v, v), set1(-0.0713548163f), set1(-1.59576912f)));
    return div_(v, add(set1(1.0f), exp_(t2)));
}
HELPER V hardsigmoid(V v) { return min_(set1(1.0f), max_(zero(), fma_(v, set1(1.0f / 6.0f), set1(0.5f)))); }
HELPER V hardswish(V v) { return mul(v, hardsigmoid(v)); }
HELPER V elu(V v, V alpha) { return where_less(v, zero(), mul(alpha, expm1_(v)), v); }
HELPER V selu(V v) { /* 1.7580993 = 1.0507010 * 1.6732632 */
    return where_less(v, zero(), mul(set1(1.75809934f), expm1_(v)), mul(set1(1.05070099f), v));
}
HELPER V softplus(V v) { return add(max_(zero(), v), log1p_(exp_(sub(zero(), abs_(v))))); }
HELPER V mish(V v) { /* v * tanh(log(1 + e)) = v * n / (n + 2), where e = e^v, n = e^2 + 2e; 1 from v = 20 on */
    const V e = exp_(min_(set1(20.0f), v)), n = mul(e, add(e, set1(2.0f)));
    return mul(v, div_(n, add(n, set1(2.0f))));
}
