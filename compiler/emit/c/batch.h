/* What the tasks of training share: a batch's images lie one after another, and their pixels side by side, in whole
 * vectors of channels (plan/training.h). Numbers of channels, pixels and slabs are literals where these are called.
 */

/* Where slab s of so many begins: images are divided evenly. */
HELPER int slab_at(int images, int s, int slabs) { return (int)((long long)images * s / slabs); }

/* The sum of the slabs' vectors at p, in a binary tree. */
HELPER V tree_1(const float *p, size_t apart) {
    (void)apart;
    return load(p);
}
HELPER V tree_2(const float *p, size_t apart) { return add(load(p), load(p + apart)); }
HELPER V tree_4(const float *p, size_t apart) { return add(tree_2(p, apart), tree_2(p + 2 * apart, apart)); }
HELPER V tree_8(const float *p, size_t apart) { return add(tree_4(p, apart), tree_4(p + 4 * apart, apart)); }
HELPER V tree_16(const float *p, size_t apart) { return add(tree_8(p, apart), tree_8(p + 8 * apart, apart)); }

/* The same of doubles. */
HELPER double sum_of_slabs(const double *p, int apart, int slabs) {
    double sums[16];
    for (int s = 0; s < slabs; s++) sums[s] = p[s * apart];
    for (int half = 1; half < slabs; half *= 2)
        for (int s = 0; s < slabs; s += 2 * half) sums[s] += sums[s + half];
    return sums[0];
}

/* total[lane] += the lanes of v */
HELPER void add_lanes(double *total, V v) {
    float lanes[LANES];
    store(lanes, v);
    for (int i = 0; i < LANES; i++) total[i] += lanes[i];
}

/* Derivatives of activations: of their inputs, but for hardsigmoid's, which is of its result. */
HELPER V hardsigmoid_slope(V y) {
    return where_less(zero(), y, where_less(y, set1(1.0f), set1(1.0f / 6.0f), zero()), zero());
}
HELPER V hardswish_slope(V v) {
    const V inner = where_less(v, set1(3.0f), fma_(v, set1(1.0f / 3.0f), set1(0.5f)), set1(1.0f));
    return where_less(set1(-3.0f), v, inner, zero());
}
HELPER V elu_slope(V v, V alpha) { return where_less(zero(), v, set1(1.0f), mul(alpha, exp_(v))); }
HELPER V selu_slope(V v) { return where_less(zero(), v, set1(1.05070099f), mul(set1(1.75809934f), exp_(v))); }
HELPER V softplus_slope(V v) { return sigmoid(v); }
HELPER V mish_slope(V v) { /* t + v * sigmoid(v) * (1 - t^2), t = tanh(softplus(v)) as mish has it */
    const V e = exp_(min_(set1(20.0f), v)), n = mul(e, add(e, set1(2.0f))), t = div_(n, add(n, set1(2.0f)));
    return fma_(mul(v, sigmoid(v)), fma_(sub(zero(), t), t, set1(1.0f)), t);
}
HELPER V gelu_slope(V v) { /* the normal distribution, which is gelu(v) / v, and v times its density */
    const V near = fma_(v, set1(0.398942280f), set1(0.5f));
    const V normal = where_less(abs_(v), set1(1e-3f), near, div_(gelu(v), v));
    return fma_(mul(v, set1(0.398942280f)), exp_(mul(mul(v, set1(-0.5f)), v)), normal);
}
HELPER V gelu_tanh_slope(V v) { /* s + v * s * (1 - s) * t', where gelu_tanh(v) = v * s and s = sigmoid(t) */
    const V square = mul(v, v), s = sigmoid(mul(v, fma_(square, set1(0.0713548163f), set1(1.59576912f))));
    const V slope = fma_(square, set1(0.214064449f), set1(1.59576912f));
    return fma_(mul(mul(v, s), sub(set1(1.0f), s)), slope, s);
}
