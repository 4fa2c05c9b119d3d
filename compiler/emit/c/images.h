/* Of images in channels-last layout, in terms of vectors_avx512.h and its like. */

/* i, or the nearest of 0 ... last: where a window is cut off, a row or column of it stands in for those outside. */
HELPER int clamp(int i, int last) { return i < 0 ? 0 : i > last ? last : i; }

/* Zeros around an h x w image of c channels: `top` rows above, `left` pixels before ... */
static TARGET void halo(float *p, int c, int h, int w, int row, int pixel, int top, int left, int bottom, int right) {
    for (int y = -top; y < h + bottom; y++)
        for (int x = -left; x < w + right; x++) {
            if (y >= 0 && y < h && x == 0 && w > 0) x = w; /* over the image's row */
            if (x >= w + right) break;
            int i = 0;
            for (; i + LANES <= c; i += LANES) store(p + (y * row + x * pixel + i), zero());
            if (i < c) store_n(p + (y * row + x * pixel + i), zero(), c - i);
        }
}
