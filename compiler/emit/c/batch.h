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
HELPER double tree(const double *p, int apart, int slabs) {
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

/* Of one image and vector of channels: the sums of x - about and of its square. Rows are summed apart, so that a
 * float's rounding is that of a row. */
HELPER void image_moments(const float *x, int rows, int width, int pixel, V about, double *sum, double *square) {
    V s = zero(), q = zero();
    for (int y = 0; y < rows; y++, x += width * pixel) {
        V row = zero(), squares = zero();
        for (int i = 0; i < width; i++) {
            const V v = sub(load(x + i * pixel), about);
            row = add(row, v);
            squares = fma_(v, v, squares);
        }
        s = add(s, row), q = add(q, squares);
    }
    add_lanes(sum, s), add_lanes(square, q);
}

/* The sums of d, and of d times (x - about). */
HELPER void image_products(const float *d, const float *x, int rows, int width, int pixel, V about, double *sum,
                           double *product) {
    V s = zero(), q = zero();
    for (int y = 0; y < rows; y++, d += width * pixel, x += width * pixel) {
        V row = zero(), products = zero();
        for (int i = 0; i < width; i++) {
            const V v = load(d + i * pixel);
            row = add(row, v);
            products = fma_(v, sub(load(x + i * pixel), about), products);
        }
        s = add(s, row), q = add(q, products);
    }
    add_lanes(sum, s), add_lanes(product, q);
}

/* The sum of d. */
HELPER void image_sums(const float *d, int rows, int width, int pixel, double *sum) {
    V s = zero();
    for (int y = 0; y < rows; y++, d += width * pixel) {
        V row = zero();
        for (int i = 0; i < width; i++) row = add(row, load(d + i * pixel));
        s = add(s, row);
    }
    add_lanes(sum, s);
}
