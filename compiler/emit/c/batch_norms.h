/* Normalisations in training that are of one image: softmax, layer norm and local response normalisation of a pixel's
 * channels, group norm and response norm of an image. `channels` is how many count; what lies in a vector beyond them
 * may be anything. Numbers are literals where these are called.
 */

/* A vector of channels, of which `left` are there; else `rest`. */
HELPER V load_left(const float *p, int left, V rest) { return left < LANES ? load_or(p, left, rest) : load(p); }

HELPER void store_left(float *p, int left, V v) {
    if (left < LANES)
        store_n(p, v, left);
    else
        store(p, v);
}

/* ---- softmax ---- */
HELPER void pixel_softmax(const float *x, int channels, float *y) {
    V m = set1(-INFINITY), s = zero();
    for (int c = 0; c < channels; c += LANES) m = max_(m, load_left(x + c, channels - c, m));
    m = set1(largest(m));
    for (int c = 0; c < channels; c += LANES) {
        const V e = exp_(sub(load_left(x + c, channels - c, set1(-INFINITY)), m));
        s = add(s, e);
        store(y + c, e);
    }
    const V scale = set1(1.0f / sum(s));
    for (int c = 0; c < channels; c += LANES) store(y + c, mul(load(y + c), scale));
}

/* From its result y: to = y * (dy - sum of dy * y). */
HELPER void pixel_softmax_gradient(const float *dy, const float *y, int channels, float *to) {
    V s = zero();
    for (int c = 0; c < channels; c += LANES)
        s = fma_(load_left(dy + c, channels - c, zero()), load_left(y + c, channels - c, zero()), s);
    const V all = set1(sum(s));
    for (int c = 0; c < channels; c += LANES) store(to + c, mul(load(y + c), sub(load(dy + c), all)));
}

/* Its logarithm: x less the largest and the logarithm of the sum. */
HELPER void pixel_log_softmax(const float *x, int channels, float *y) {
    V m = set1(-INFINITY), s = zero();
    for (int c = 0; c < channels; c += LANES) m = max_(m, load_left(x + c, channels - c, m));
    m = set1(largest(m));
    for (int c = 0; c < channels; c += LANES) s = add(s, exp_(sub(load_left(x + c, channels - c, set1(-INFINITY)), m)));
    const V less = set1(logf(sum(s)));
    for (int c = 0; c < channels; c += LANES) store(y + c, sub(sub(load(x + c), m), less));
}

/* to = dy - e^y * sum of dy. */
HELPER void pixel_log_softmax_gradient(const float *dy, const float *y, int channels, float *to) {
    V s = zero();
    for (int c = 0; c < channels; c += LANES) s = add(s, load_left(dy + c, channels - c, zero()));
    const V less = sub(zero(), set1(sum(s)));
    for (int c = 0; c < channels; c += LANES) store(to + c, fma_(exp_(load(y + c)), less, load(dy + c)));
}

/* As many softmaxes as `lanes`, side by side: over `count` numbers each, `apart` floats from one to the next. */
HELPER void softmax_apart(const float *x, int lanes, int count, int apart, float *y) {
    for (int c = 0; c < lanes; c += LANES) {
        V m = set1(-INFINITY), s = zero();
        for (int i = c; i < count * apart + c; i += apart) m = max_(m, load_left(x + i, lanes - c, zero()));
        for (int i = c; i < count * apart + c; i += apart)
            s = add(s, exp_(sub(load_left(x + i, lanes - c, zero()), m)));
        s = div_(set1(1.0f), s);
        for (int i = c; i < count * apart + c; i += apart)
            store_left(y + i, lanes - c, mul(exp_(sub(load_left(x + i, lanes - c, zero()), m)), s));
    }
}

HELPER void softmax_apart_gradient(const float *dy, const float *y, int lanes, int count, int apart, float *to) {
    for (int c = 0; c < lanes; c += LANES) {
        V s = zero();
        for (int i = c; i < count * apart + c; i += apart)
            s = fma_(load_left(dy + i, lanes - c, zero()), load_left(y + i, lanes - c, zero()), s);
        for (int i = c; i < count * apart + c; i += apart)
            store_left(to + i, lanes - c,
                       mul(load_left(y + i, lanes - c, zero()), sub(load_left(dy + i, lanes - c, zero()), s)));
    }
}

/* ---- layer norm ---- */
/* A pixel's mean and 1 / sqrt(variance + eps). */
HELPER void pixel_normal(const float *x, int channels, float eps, V *mean, V *by) {
    const float share = 1.0f / (float)channels;
    V s = zero(), q = zero();
    for (int c = 0; c < channels; c += LANES) s = add(s, load_left(x + c, channels - c, zero()));
    *mean = set1(sum(s) * share);
    for (int c = 0; c < channels; c += LANES) {
        const V apart = sub(load_left(x + c, channels - c, *mean), *mean);
        q = fma_(apart, apart, q);
    }
    *by = div_(set1(1.0f), sqrt_(set1(sum(q) * share + eps)));
}

HELPER void pixel_norm(const float *x, const float *weight, const float *bias, int channels, float eps, float *y) {
    V mean, by;
    pixel_normal(x, channels, eps, &mean, &by);
    for (int c = 0; c < channels; c += LANES)
        store(y + c, fma_(mul(sub(load(x + c), mean), by), load(weight + c), load(bias + c)));
}

/* (g - mean(g) - x' * mean(g * x')) / sqrt(variance + eps), g = dy * weight, x' normalised */
HELPER void pixel_norm_gradient(const float *dy, const float *x, const float *weight, int channels, float eps,
                                float *to) {
    V mean, by, s = zero(), q = zero();
    pixel_normal(x, channels, eps, &mean, &by);
    for (int c = 0; c < channels; c += LANES) {
        const int left = channels - c;
        const V g = mul(load_left(dy + c, left, zero()), load_left(weight + c, left, zero()));
        s = add(s, g);
        q = fma_(g, sub(load_left(x + c, left, mean), mean), q);
    }
    const V share = set1(1.0f / (float)channels), sums = mul(set1(sum(s)), share);
    const V products = mul(mul(mul(by, by), set1(sum(q))), share);
    for (int c = 0; c < channels; c += LANES) {
        const V g = fma_(load(dy + c), load(weight + c), sub(zero(), sums));
        store(to + c, mul(by, sub(g, mul(sub(load(x + c), mean), products))));
    }
}

/* mean and 1 / sqrt(variance + eps) of each pixel of an image, one after another */
HELPER void pixel_normals(const float *x, int pixels, int pixel, int channels, float eps, float *to) {
    for (int i = 0; i < pixels; i++) {
        V mean, by;
        pixel_normal(x + i * pixel, channels, eps, &mean, &by);
        to[2 * i] = sum(mean) * (1.0f / LANES), to[2 * i + 1] = sum(by) * (1.0f / LANES);
    }
}

/* Of a vector of channels over an image: the sums of dy, and of dy times x normalised. */
HELPER void pixel_products(const float *dy, const float *x, const float *normals, int rows, int width, int pixel,
                           double *sums, double *products) {
    V s = zero(), q = zero();
    for (int r = 0; r < rows; r++, dy += width * pixel, x += width * pixel, normals += 2 * width) {
        V row = zero(), product = zero();
        for (int i = 0; i < width; i++) {
            const V g = load(dy + i * pixel);
            row = add(row, g);
            product = fma_(g, mul(sub(load(x + i * pixel), set1(normals[2 * i])), set1(normals[2 * i + 1])), product);
        }
        s = add(s, row), q = add(q, product);
    }
    add_lanes(sums, s), add_lanes(products, q);
}

/* ---- group norm ---- */
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

/* Of each channel the mean of its group, all / size, all being the sum of the group's `sums` times the channels'
 * factors, if there are any. */
HELPER void group_means(const double *sums, const float *factor, int channels, int groups, int pixels, float *mean) {
    const int many = channels / groups;
    for (int first = 0; first < channels; first += many) {
        double all = 0;
        for (int c = first; c < first + many; c++) all += factor ? factor[c] * sums[c] : sums[c];
        for (int c = first; c < first + many; c++) mean[c] = (float)(all / ((double)many * pixels));
    }
}

/* Of each channel of an image: its group's mean and 1 / sqrt(variance + eps). sums: room for two of each. */
HELPER void image_normal(const float *x, int rows, int width, int pixel, int channels, int groups, float eps,
                         double *sums, float *mean, float *by) {
    for (int i = 0; i < 2 * pixel; i++) sums[i] = 0;
    for (int c = 0; c < pixel; c += LANES) image_moments(x + c, rows, width, pixel, zero(), sums + c, sums + pixel + c);
    for (int c = channels; c < pixel; c++) mean[c] = by[c] = 0;
    group_means(sums, NULL, channels, groups, rows * width, mean);
    for (int i = 0; i < 2 * pixel; i++) sums[i] = 0;
    for (int c = 0; c < pixel; c += LANES)
        image_moments(x + c, rows, width, pixel, load(mean + c), sums + c, sums + pixel + c);
    group_means(sums + pixel, NULL, channels, groups, rows * width, by);
    for (int c = 0; c < channels; c++) by[c] = 1.0f / sqrtf(by[c] + eps);
}

HELPER void image_norm(const float *x, const float *mean, const float *by, const float *weight, const float *bias,
                       int pixels, int pixel, float *y) {
    for (int c = 0; c < pixel; c += LANES) {
        const V about = load(mean + c), scale = mul(load(by + c), load(weight + c)), shift = load(bias + c);
        for (int i = c; i < pixels * pixel + c; i += pixel) store(y + i, fma_(sub(load(x + i), about), scale, shift));
    }
}

/* (g - mean(g) - x' * mean(g * x')) / sqrt(variance + eps), g = dy * weight, x' normalised. factor, sum, product: room
 * for a number of each channel. */
HELPER void image_norm_gradient(const float *dy, const float *x, const float *mean, const float *by,
                                const float *weight, int rows, int width, int pixel, int channels, int groups,
                                double *sums, float *factor, float *sum_of, float *product_of, float *to) {
    for (int i = 0; i < 2 * pixel; i++) sums[i] = 0;
    for (int c = 0; c < pixel; c += LANES)
        image_products(dy + c, x + c, rows, width, pixel, load(mean + c), sums + c, sums + pixel + c);
    for (int c = channels; c < pixel; c++) sum_of[c] = product_of[c] = 0;
    group_means(sums, weight, channels, groups, rows * width, sum_of);
    for (int c = 0; c < channels; c++) factor[c] = weight[c] * by[c] * by[c];
    group_means(sums + pixel, factor, channels, groups, rows * width, product_of);
    for (int c = 0; c < pixel; c += LANES) {
        const V about = load(mean + c), scale = load(by + c), w = load(weight + c);
        const V less = load(sum_of + c), times = load(product_of + c);
        for (int i = c; i < rows * width * pixel + c; i += pixel) {
            const V g = sub(mul(load(dy + i), w), less);
            store(to + i, mul(scale, sub(g, mul(sub(load(x + i), about), times))));
        }
    }
}

/* ---- response norm ---- */
/* Of each channel of an image the root of the sum of squares; returns 1 / (their mean + eps). sums: room for two of
 * each.
 */
HELPER float image_responses(const float *x, int rows, int width, int pixel, int channels, float eps, double *sums,
                             float *response) {
    double all = 0;
    for (int i = 0; i < 2 * pixel; i++) sums[i] = 0;
    for (int c = 0; c < pixel; c += LANES) image_moments(x + c, rows, width, pixel, zero(), sums + c, sums + pixel + c);
    for (int c = channels; c < pixel; c++) response[c] = 0;
    for (int c = 0; c < channels; c++) response[c] = (float)sqrt(sums[pixel + c]), all += response[c];
    return 1.0f / ((float)(all / channels) + eps);
}

HELPER void image_response_norm(const float *x, const float *response, float by, const float *weight, const float *bias,
                                int pixels, int pixel, float *y) {
    for (int c = 0; c < pixel; c += LANES) {
        const V scale = mul(mul(load(response + c), set1(by)), load(weight + c)), shift = load(bias + c);
        for (int i = c; i < pixels * pixel + c; i += pixel) store(y + i, fma_(load(x + i), scale, shift));
    }
}

/* dy * factor + x * times, factor being what x was multiplied by. factor, times: room for a number of each channel. */
HELPER void image_response_gradient(const float *dy, const float *x, const float *response, float by,
                                    const float *weight, int rows, int width, int pixel, int channels, double *sums,
                                    float *factor, float *times, float *to) {
    double common = 0;
    for (int i = 0; i < 2 * pixel; i++) sums[i] = 0;
    for (int c = 0; c < pixel; c += LANES)
        image_products(dy + c, x + c, rows, width, pixel, zero(), sums + c, sums + pixel + c);
    for (int c = channels; c < pixel; c++) factor[c] = times[c] = 0;
    for (int c = 0; c < channels; c++) {
        factor[c] = response[c] * by * weight[c];
        common += factor[c] * by * sums[pixel + c] / channels;
    }
    for (int c = 0; c < channels; c++)
        times[c] = response[c] > 0 ? (float)((weight[c] * by * sums[pixel + c] - common) / response[c]) : 0;
    for (int c = 0; c < pixel; c += LANES) {
        const V scale = load(factor + c), add_x = load(times + c);
        for (int i = c; i < rows * width * pixel + c; i += pixel)
            store(to + i, fma_(load(x + i), add_x, mul(load(dy + i), scale)));
    }
}

/* ---- local response normalisation ---- */
HELPER V lrn_power(V d, float beta) { /* d^-beta */
    const V one = set1(1.0f);
    if (beta == 0.5f) return div_(one, sqrt_(d));
    if (beta == 0.75f) return div_(one, mul(sqrt_(d), sqrt_(sqrt_(d))));
    if (beta == 1.0f) return div_(one, d);
    return exp_(mul(log_(d), set1(-beta)));
}

/* The squares of a pixel's channels into `row`, which has zeros before and after them. */
HELPER void lrn_squares(const float *x, int channels, float *row) {
    for (int c = 0; c < channels; c += LANES) {
        const V v = load_left(x + c, channels - c, zero());
        store(row + c, mul(v, v));
    }
}

/* k + share * the sum of `size` floats from p on, of each lane */
HELPER V lrn_denominator(const float *p, int size, float share, float k) {
    V s = load(p);
    for (int i = 1; i < size; i++) s = add(s, load(p + i));
    return fma_(s, set1(share), set1(k));
}

/* row: `before` zeros, then room for the channels, then zeros. */
HELPER void pixel_lrn(const float *x, int channels, int before, int after, float share, float beta, float k, float *row,
                      float *y) {
    lrn_squares(x, channels, row + before);
    for (int c = 0; c < channels; c += LANES)
        store(y + c, mul(load(x + c), lrn_power(lrn_denominator(row + c, before + 1 + after, share, k), beta)));
}

/* dy / d^beta - 2 * share * beta * x * sum of dy * x / d^(beta + 1) over the channels that x counts for. terms: as row,
 * with `after` zeros before. */
HELPER void pixel_lrn_gradient(const float *dy, const float *x, int channels, int before, int after, float share,
                               float beta, float k, float *row, float *terms, float *to) {
    const int size = before + 1 + after;
    lrn_squares(x, channels, row + before);
    for (int c = 0; c < channels; c += LANES) {
        const V d = lrn_denominator(row + c, size, share, k), power = lrn_power(d, beta), g = load(dy + c);
        const V term = div_(mul(mul(g, load(x + c)), power), d);
        store(to + c, mul(g, power));
        if (channels - c < LANES)
            store_n(terms + after + c, term, channels - c);
        else
            store(terms + after + c, term);
    }
    const V factor = set1(-2.0f * share * beta);
    for (int c = 0; c < channels; c += LANES) {
        const V all = lrn_denominator(terms + c, size, 1.0f, 0.0f);
        store(to + c, fma_(mul(factor, load(x + c)), all, load(to + c)));
    }
}
