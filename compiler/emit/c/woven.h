/* Woven kernels: y[n][m] = or += the sum of w[k][m] x[n][k], one sweep of a few columns over a panel's weights, whose
 * prefetches of the next weights to L2 stand evenly between the multiplications. Kernels of libxsmm's fetch as much,
 * but all of it in their first sweep, which then waits for memory, while memory rests during the others.
 *
 * Columns of x and y are found through tables, so that a sweep may go on from one row of an image to the next. With
 * several taps the sum goes over them too: at each, x begins x_at[tap] bytes further, and w where it was. An element's
 * sum is made in libxsmm's order, so its bits are the same.
 *
 * In 8 steps of k, `lines` cache lines are fetched, from next on, or from several places in turn (`streams`, of which
 * lines is a multiple) that are `apart` floats from each other, where a core has more of them on their way then.
 *
 * A network's functions call woven_VxP with literal width, lines and streams: V vectors of channels by P columns.
 */
#define WOVEN_PARAMETERS                                                                                               \
    const float *w, const float *x, float *y, const int *x_of, const int *y_of, int k, int taps,                       \
        const unsigned long long *x_at, int accumulate, int channels, const float *next, int apart
#define WOVEN_ARGUMENTS w, x, y, x_of, y_of, k, taps, x_at, accumulate, channels, next, apart

enum { WOVEN_STEPS = 8, WOVEN_LINE = 16 /* floats */ };

/* Of the lines of 8 steps, those that stand before the part-th of `parts` vectors of a step. */
HELPER void woven_fetch(const float *next, int apart, int lines, int streams, int step, int part, int parts) {
    const int at = step * parts + part;
    for (int i = at * lines / (WOVEN_STEPS * parts); i < (at + 1) * lines / (WOVEN_STEPS * parts); i++)
        fetch_line(next + (i / streams * WOVEN_LINE + i % streams * apart));
}
/* The last vector of a panel has `channels` of its own. */
HELPER V woven_load(const float *p, int channels) { return channels == LANES ? load(p) : load_n(p, channels); }
HELPER void woven_store(float *p, V v, int channels) {
    if (channels == LANES)
        store(p, v);
    else
        store_n(p, v, channels);
}

#define WOVEN_COLUMNS_1(DO) DO(0)
#define WOVEN_COLUMNS_2(DO) WOVEN_COLUMNS_1(DO) DO(1)
#define WOVEN_COLUMNS_3(DO) WOVEN_COLUMNS_2(DO) DO(2)
#define WOVEN_COLUMNS_4(DO) WOVEN_COLUMNS_3(DO) DO(3)
#define WOVEN_COLUMNS_5(DO) WOVEN_COLUMNS_4(DO) DO(4)
#define WOVEN_COLUMNS_6(DO) WOVEN_COLUMNS_5(DO) DO(5)

/* The sums are named one by one, s01 for column 0 and vector 1, since gcc -O2 keeps no array in registers over a loop.
 * `n` channels are in the last vector. */
#define WOVEN_ZERO(j, i) V s##j##i = zero();
#define WOVEN_LOAD(j, i, n) s##j##i = woven_load(y + (y_of[j] + i * LANES), n);
#define WOVEN_STORE(j, i, n) woven_store(y + (y_of[j] + i * LANES), s##j##i, n);
#define WOVEN_ZERO_2(j) WOVEN_ZERO(j, 0) WOVEN_ZERO(j, 1)
#define WOVEN_ZERO_3(j) WOVEN_ZERO_2(j) WOVEN_ZERO(j, 2)
#define WOVEN_ZERO_4(j) WOVEN_ZERO_3(j) WOVEN_ZERO(j, 3)
#define WOVEN_LOAD_2(j) WOVEN_LOAD(j, 0, LANES) WOVEN_LOAD(j, 1, channels)
#define WOVEN_LOAD_3(j) WOVEN_LOAD(j, 0, LANES) WOVEN_LOAD(j, 1, LANES) WOVEN_LOAD(j, 2, channels)
#define WOVEN_LOAD_4(j)                                                                                                \
    WOVEN_LOAD(j, 0, LANES) WOVEN_LOAD(j, 1, LANES) WOVEN_LOAD(j, 2, LANES) WOVEN_LOAD(j, 3, channels)
#define WOVEN_STORE_2(j) WOVEN_STORE(j, 0, LANES) WOVEN_STORE(j, 1, channels)
#define WOVEN_STORE_3(j) WOVEN_STORE(j, 0, LANES) WOVEN_STORE(j, 1, LANES) WOVEN_STORE(j, 2, channels)
#define WOVEN_STORE_4(j)                                                                                               \
    WOVEN_STORE(j, 0, LANES) WOVEN_STORE(j, 1, LANES) WOVEN_STORE(j, 2, LANES) WOVEN_STORE(j, 3, channels)

/* One step of k: an element of each column, then vector after vector of weights. */
#define WOVEN_X(j) const V b##j = set1(x##j[step]);
#define WOVEN_ADD_0(j) s##j##0 = fma_(a, b##j, s##j##0);
#define WOVEN_ADD_1(j) s##j##1 = fma_(a, b##j, s##j##1);
#define WOVEN_ADD_2(j) s##j##2 = fma_(a, b##j, s##j##2);
#define WOVEN_ADD_3(j) s##j##3 = fma_(a, b##j, s##j##3);
#define WOVEN_VECTOR(i, parts, ADD, COLUMNS)                                                                           \
    {                                                                                                                  \
        woven_fetch(next, apart, lines, streams, step, i, parts);                                                      \
        const V a = load(w + (step * width + i * LANES));                                                              \
        COLUMNS(ADD)                                                                                                   \
    }
#define WOVEN_STEP_2(COLUMNS)                                                                                          \
    WOVEN_VECTOR(0, 2, WOVEN_ADD_0, COLUMNS)                                                                           \
    WOVEN_VECTOR(1, 2, WOVEN_ADD_1, COLUMNS)
#define WOVEN_STEP_3(COLUMNS)                                                                                          \
    WOVEN_VECTOR(0, 3, WOVEN_ADD_0, COLUMNS)                                                                           \
    WOVEN_VECTOR(1, 3, WOVEN_ADD_1, COLUMNS)                                                                           \
    WOVEN_VECTOR(2, 3, WOVEN_ADD_2, COLUMNS)
#define WOVEN_STEP_4(COLUMNS)                                                                                          \
    WOVEN_VECTOR(0, 4, WOVEN_ADD_0, COLUMNS)                                                                           \
    WOVEN_VECTOR(1, 4, WOVEN_ADD_1, COLUMNS)                                                                           \
    WOVEN_VECTOR(2, 4, WOVEN_ADD_2, COLUMNS)                                                                           \
    WOVEN_VECTOR(3, 4, WOVEN_ADD_3, COLUMNS)
#define WOVEN_AT(n, STEP, COLUMNS)                                                                                     \
    {                                                                                                                  \
        enum { step = n };                                                                                             \
        __asm__ volatile(""); /* or the C compiler would gather the prefetches */                                      \
        COLUMNS(WOVEN_X) STEP(COLUMNS)                                                                                 \
    }

#define WOVEN_FROM(j) const float *x##j = at + x_of[j];
#define WOVEN_NEXT(j) x##j += WOVEN_STEPS;
#define WOVEN_NEXT_1(j) x##j++;
#define WOVEN(ZERO, LOAD, STORE, STEP, COLUMNS)                                                                        \
    COLUMNS(ZERO)                                                                                                      \
    if (accumulate) {                                                                                                  \
        COLUMNS(LOAD)                                                                                                  \
    }                                                                                                                  \
    for (int tap = 0; tap < taps; tap++) {                                                                             \
        const float *at = x + x_at[tap] / sizeof *x;                                                                   \
        COLUMNS(WOVEN_FROM)                                                                                            \
        int c = 0;                                                                                                     \
        for (; c + WOVEN_STEPS <= k; c += WOVEN_STEPS, w += WOVEN_STEPS * width) {                                     \
            WOVEN_AT(0, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(1, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(2, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(3, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(4, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(5, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(6, STEP, COLUMNS)                                                                                 \
            WOVEN_AT(7, STEP, COLUMNS)                                                                                 \
            next += lines / streams * WOVEN_LINE;                                                                      \
            COLUMNS(WOVEN_NEXT)                                                                                        \
        }                                                                                                              \
        for (; c < k; c++, w += width) {                                                                               \
            const int lines = 0; /* the rest fetches nothing */                                                        \
            WOVEN_AT(0, STEP, COLUMNS)                                                                                 \
            COLUMNS(WOVEN_NEXT_1)                                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    COLUMNS(STORE)
#define WOVEN_2(COLUMNS) WOVEN(WOVEN_ZERO_2, WOVEN_LOAD_2, WOVEN_STORE_2, WOVEN_STEP_2, COLUMNS)
#define WOVEN_3(COLUMNS) WOVEN(WOVEN_ZERO_3, WOVEN_LOAD_3, WOVEN_STORE_3, WOVEN_STEP_3, COLUMNS)
#define WOVEN_4(COLUMNS) WOVEN(WOVEN_ZERO_4, WOVEN_LOAD_4, WOVEN_STORE_4, WOVEN_STEP_4, COLUMNS)

HELPER void woven_2x1(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_2(WOVEN_COLUMNS_1) }
HELPER void woven_2x2(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_2(WOVEN_COLUMNS_2) }
HELPER void woven_2x3(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_2(WOVEN_COLUMNS_3) }
HELPER void woven_2x4(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_2(WOVEN_COLUMNS_4) }
HELPER void woven_2x5(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_2(WOVEN_COLUMNS_5) }
HELPER void woven_2x6(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_2(WOVEN_COLUMNS_6) }
HELPER void woven_3x1(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_3(WOVEN_COLUMNS_1) }
HELPER void woven_3x2(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_3(WOVEN_COLUMNS_2) }
HELPER void woven_3x3(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_3(WOVEN_COLUMNS_3) }
HELPER void woven_3x4(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_3(WOVEN_COLUMNS_4) }
HELPER void woven_3x5(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_3(WOVEN_COLUMNS_5) }
HELPER void woven_3x6(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_3(WOVEN_COLUMNS_6) }
HELPER void woven_4x1(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_4(WOVEN_COLUMNS_1) }
HELPER void woven_4x2(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_4(WOVEN_COLUMNS_2) }
HELPER void woven_4x3(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_4(WOVEN_COLUMNS_3) }
HELPER void woven_4x4(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_4(WOVEN_COLUMNS_4) }
HELPER void woven_4x5(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_4(WOVEN_COLUMNS_5) }
HELPER void woven_4x6(WOVEN_PARAMETERS, int width, int lines, int streams) { WOVEN_4(WOVEN_COLUMNS_6) }
