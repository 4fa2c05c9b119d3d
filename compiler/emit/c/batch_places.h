/* Resizing, pooling and padding in training: where results read, of one side of an image. Numbers are literals where
 * these are called. */

/* Result i of a resized side, in ratios of integers (graph/ops/resize.c): the pixel, the next one, that one's share. */
typedef struct Place {
    int at, next;
    float share;
} Place;
HELPER Place place_of(int i, long long step, long long start, long long scale, int size, int between) {
    const long long place = i * step + start < 0 ? 0 : i * step + start;
    const int at = place / scale < size ? (int)(place / scale) : size - 1;
    return (Place){at, at < size - 1 ? at + 1 : at, between ? (float)(place % scale) / (float)scale : 0};
}

/* a + (b - a) * share */
HELPER V mix_(V a, V b, V share) { return fma_(sub(b, a), share, a); }

/* The largest of a bin of an image, rows top .. bottom - 1, columns left .. right - 1, of a vector of channels. */
HELPER V largest_of_bin(const float *x, int row, int pixel, int top, int bottom, int left, int right) {
    V most = load(x + top * row + left * pixel);
    for (int r = top; r < bottom; r++)
        for (int i = left; i < right; i++) most = max_nan(most, load(x + r * row + i * pixel));
    return most;
}

/* Adds to the bin's first largest. */
HELPER void add_to_largest(const float *x, V most, V gradient, int row, int pixel, int top, int bottom, int left,
                           int right, float *to) {
    for (int r = top; r < bottom; r++)
        for (int i = left; i < right; i++) {
            const V v = load(x + r * row + i * pixel);
            float *at = to + r * row + i * pixel;
            store(at, add(load(at), where_less(v, most, zero(), gradient)));
            gradient = where_less(v, most, gradient, zero());
        }
}

/* Where a row or column beside an image of `size` comes from: its edge; the image mirrored at it. */
HELPER int edge_place(int at, int size) { return at < 0 ? 0 : at < size ? at : size - 1; }
HELPER int mirrored_place(int at, int size) { return at < 0 ? -at : at < size ? at : 2 * (size - 1) - at; }
