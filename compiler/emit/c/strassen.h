/* Strassen's multiplication (emit/strassen.c), in terms of vectors_avx512.h and its like. */

/* Of a pixel of the first and of the second tile, each with an upper and a lower half of `depth` channels: T1 to T4,
 * `size` floats apart, and where `copies`, B11, B21 and B22 behind them. */
HELPER void strassen_sums(const float *b1, const float *b2, int depth, float *t, int size, int copies) {
    for (int c = 0; c < depth; c += LANES) {
        const V b11 = load(b1 + c), b21 = load(b1 + depth + c), b12 = load(b2 + c), b22 = load(b2 + depth + c);
        const V t1 = sub(b12, b11), t2 = sub(b22, t1);
        store(t + c, t1);
        store(t + size + c, t2);
        store(t + 2 * size + c, sub(b22, b12));
        store(t + 3 * size + c, sub(t2, b21));
        if (!copies) continue;
        store(t + 4 * size + c, b11);
        store(t + 5 * size + c, b21);
        store(t + 6 * size + c, b22);
    }
}
