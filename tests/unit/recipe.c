/* The weight recipe: every expression against its formula written out naively, packing layouts against a walk in
 * storage order, whole recipes for order, threads, gaps and damaged tables. */
#include "rn_recipe.h"
#include "core/dtype.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *random_floats(size_t count, unsigned seed) {
    float *data = malloc(count * sizeof *data);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
    return data;
}

/* Evaluates into a buffer with guards; the caller frees. */
static float *evaluate(const rn_recipe_step *step, const float *a, const int32_t *a_dim, const float *b,
                       const int32_t *b_dim, const float *c, size_t count) {
    float *out = malloc((count + 1) * sizeof *out);
    for (size_t i = 0; i <= count; i++) out[i] = -77.0f;
    rn_recipe_evaluate(step, (const float *const[3]){a, b, c}, (const int32_t *const[3]){a_dim, b_dim, b_dim}, out);
    CU_ASSERT_EQUAL(out[count], -77.0f);
    return out;
}

#define ASSERT_ALL(count, condition)                                                                                   \
    do {                                                                                                               \
        size_t wrong = 0;                                                                                              \
        for (size_t i = 0; i < (count); i++) wrong += !(condition);                                                    \
        CU_ASSERT_EQUAL(wrong, 0);                                                                                     \
    } while (0)

static void test_vectors(void) {
    enum { K = 21 };
    const int32_t dim[4] = {K};
    float *a = random_floats(K, 1), *b = random_floats(K, 2), *c = random_floats(K, 3);
    for (int i = 0; i < K; i++) b[i] = fabsf(b[i]);
    rn_recipe_step step = {.op = RN_BN_SCALE, .ndim = 1, .dim = {K}, .real = 1e-3};
    float *out = evaluate(&step, a, dim, b, dim, NULL, K);
    ASSERT_ALL(K, out[i] == (float)((double)a[i] / sqrt((double)b[i] + 1e-3)));
    free(out);
    step.op = RN_BN_SHIFT;
    out = evaluate(&step, a, dim, b, dim, c, K);
    ASSERT_ALL(K, out[i] == (float)((double)a[i] - (double)b[i] * (double)c[i]));
    free(out);
    step.op = RN_MUL_ADD;
    out = evaluate(&step, a, dim, b, dim, c, K);
    ASSERT_ALL(K, out[i] == (float)((double)a[i] * (double)b[i] + (double)c[i]));
    free(out);
    step.op = RN_ADD;
    out = evaluate(&step, a, dim, b, dim, NULL, K);
    ASSERT_ALL(K, out[i] == (float)((double)a[i] + (double)b[i]));
    free(out);
    step.op = RN_FILL;
    step.real = 0.1;
    out = evaluate(&step, NULL, NULL, NULL, NULL, NULL, K);
    ASSERT_ALL(K, out[i] == 0.1f);
    free(out);
    step = (rn_recipe_step){.op = RN_RESHAPE, .ndim = 2, .dim = {3, 7}};
    out = evaluate(&step, a, dim, NULL, NULL, NULL, K);
    CU_ASSERT(memcmp(out, a, K * sizeof *a) == 0);
    free(out), free(a), free(b), free(c);
}

/* Grouped and ungrouped, convolution and fc: scaling by output and input channel, and the sums of the shifted input. */
static void check_channels(int K, int C, int groups, int r, int s, int hw) {
    const int per_group = C / groups;
    const int32_t dim[4] = {K, per_group * hw, r, s};
    const size_t row = (size_t)per_group * hw * r * s, count = (size_t)K * row;
    float *w = random_floats(count, 4), *in = random_floats((size_t)C, 5), *by_k = random_floats((size_t)K, 6);
    rn_recipe_step step = {
        .op = RN_SCALE_OUT, .ndim = 4, .dim = {dim[0], dim[1], dim[2], dim[3]}, .integer = {groups, hw}};
    float *out = evaluate(&step, w, dim, by_k, NULL, NULL, count);
    ASSERT_ALL(count, out[i] == (float)((double)w[i] * (double)by_k[i / row]));
    free(out);
    step.op = RN_SCALE_IN;
    out = evaluate(&step, w, dim, in, NULL, NULL, count);
    const size_t pixels = (size_t)hw * r * s, group_rows = (size_t)(K / groups);
    ASSERT_ALL(count,
               out[i] == (float)((double)w[i] * (double)in[i / row / group_rows * per_group + i % row / pixels]));
    free(out);
    step = (rn_recipe_step){.op = RN_SHIFT_IN, .ndim = 1, .dim = {K}, .integer = {groups, hw}};
    out = evaluate(&step, w, dim, in, NULL, NULL, (size_t)K);
    for (int k = 0; k < K; k++) {
        double sum = 0;
        for (size_t i = 0; i < row; i++) sum += (double)w[k * row + i] * in[k / group_rows * per_group + i / pixels];
        CU_ASSERT(fabs(out[k] - sum) <= 1e-6 * (fabs(sum) + 1));
    }
    free(out), free(w), free(in), free(by_k);
}

static void test_channels(void) {
    check_channels(5, 3, 1, 3, 3, 1);
    check_channels(12, 8, 4, 3, 1, 1);
    check_channels(6, 6, 6, 5, 5, 1); /* depthwise */
    check_channels(7, 4, 1, 1, 1, 9); /* fc on 4 x 3 x 3 */
}

static void test_kernels(void) {
    /* identity through a grouped convolution: convolving with it copies */
    const int K = 8, groups = 2, C = 4, R = 3, S = 5;
    rn_recipe_step step = {.op = RN_IDENTITY_KERNEL, .ndim = 4, .dim = {K, C, R, S}, .integer = {groups}};
    float *out = evaluate(&step, NULL, NULL, NULL, NULL, NULL, (size_t)K * C * R * S);
    for (int k = 0; k < K; k++)
        for (int c = 0; c < C; c++)
            for (int r = 0; r < R; r++)
                for (int s = 0; s < S; s++) {
                    const int channel = k / (K / groups) * C + c; /* of the whole input */
                    const float want = channel == k && r == 1 && s == 2 ? 1.0f : 0.0f;
                    CU_ASSERT_EQUAL(out[((k * C + c) * R + r) * S + s], want);
                }
    free(out);
    /* more outputs than inputs: the rest are zero */
    step = (rn_recipe_step){.op = RN_IDENTITY_KERNEL, .ndim = 4, .dim = {3, 2, 1, 1}, .integer = {1}};
    out = evaluate(&step, NULL, NULL, NULL, NULL, NULL, 6);
    const float widened[6] = {1, 0, 0, 1, 0, 0};
    CU_ASSERT(memcmp(out, widened, sizeof widened) == 0);
    free(out);

    const int32_t small[4] = {2, 3, 1, 2};
    float *w = random_floats(12, 7);
    step = (rn_recipe_step){.op = RN_EMBED, .ndim = 4, .dim = {2, 3, 3, 4}, .integer = {2, 1}};
    out = evaluate(&step, w, small, NULL, NULL, NULL, 72);
    for (int kc = 0; kc < 6; kc++)
        for (int r = 0; r < 3; r++)
            for (int s = 0; s < 4; s++)
                CU_ASSERT_EQUAL(out[(kc * 3 + r) * 4 + s], r == 2 && s >= 1 && s < 3 ? w[kc * 2 + s - 1] : 0.0f);
    free(out), free(w);
}

/* Each tap where the definition puts it, zeros elsewhere. */
static void check_space_to_depth(int C, int R, int S, int side, int pixel) {
    enum { K = 3 };
    const int deep = side * side * pixel, r = (R + side - 1) / side, s = (S + side - 1) / side;
    const int32_t dim[4] = {K, C, R, S};
    const size_t count = (size_t)K * deep * r * s;
    float *w = random_floats((size_t)K * C * R * S, 9);
    rn_recipe_step step = {.op = RN_SPACE_TO_DEPTH, .ndim = 4, .dim = {K, deep, r, s}, .integer = {side, pixel}};
    float *out = evaluate(&step, w, dim, NULL, NULL, NULL, count), *used = calloc(count, sizeof *used);
    for (int k = 0; k < K; k++)
        for (int c = 0; c < C; c++)
            for (int y = 0; y < R; y++)
                for (int x = 0; x < S; x++) {
                    const int channel = (y % side * side + x % side) * pixel + c;
                    const size_t at = ((size_t)(k * deep + channel) * r + y / side) * s + x / side;
                    CU_ASSERT_EQUAL(out[at], w[((k * C + c) * R + y) * S + x]);
                    used[at] = 1;
                }
    ASSERT_ALL(count, used[i] || out[i] == 0.0f);
    free(out), free(used), free(w);
}

static void test_space_to_depth(void) {
    check_space_to_depth(3, 7, 7, 2, 4);
    check_space_to_depth(1, 3, 5, 2, 4);
    check_space_to_depth(4, 11, 8, 4, 4);
    check_space_to_depth(2, 4, 2, 2, 2);
}

/* A transposed kernel's tap (r, s), of stride rows x columns, is that of phase (r % rows, s % columns), counted from
 * the last; all other taps are zeros. */
static void check_phases(int groups, int C, int K, int R, int S, int rows, int columns) {
    const int J = (R + rows - 1) / rows, I = (S + columns - 1) / columns, phases = rows * columns;
    const int32_t dim[4] = {groups * C, K, R, S};
    const size_t count = (size_t)groups * K * phases * C * J * I;
    float *w = random_floats((size_t)groups * C * K * R * S, 9);
    rn_recipe_step step = {
        .op = RN_PHASES, .ndim = 4, .dim = {groups * K * phases, C, J, I}, .integer = {rows, columns}};
    float *out = evaluate(&step, w, dim, NULL, NULL, NULL, count), *used = calloc(count, sizeof *used);
    for (int c = 0; c < groups * C; c++)
        for (int k = 0; k < K; k++)
            for (int r = 0; r < R; r++)
                for (int s = 0; s < S; s++) {
                    const int phase = r % rows * columns + s % columns, channel = (c / C * phases + phase) * K + k;
                    const size_t at = (((size_t)channel * C + c % C) * J + J - 1 - r / rows) * I + I - 1 - s / columns;
                    CU_ASSERT_EQUAL(out[at], w[((c * K + k) * R + r) * S + s]);
                    used[at] = 1;
                }
    ASSERT_ALL(count, used[i] || out[i] == 0.0f);
    free(out), free(used), free(w);
}

static void test_phases(void) {
    check_phases(1, 3, 4, 2, 2, 2, 2);
    check_phases(1, 2, 3, 4, 5, 2, 3);
    check_phases(3, 2, 2, 3, 3, 2, 2);
    check_phases(2, 1, 3, 1, 2, 3, 1);
    check_phases(1, 4, 2, 3, 3, 1, 1);
}

/* ---- packing ---- */

static int ceil16(int n) {
    return (n + 15) / 16 * 16;
}

/* Walks the layout of rn_recipe.h in storage order. */
static void check_panels(int K, int C, int R, int S, int panel, int block) {
    const rn_recipe_step step = {
        .op = RN_PACK_PANELS, .ndim = 4, .dim = {K, C, R, S}, .integer = {panel, block, 1}, .offset = 64};
    const size_t bytes = rn_recipe_pack_size(&step);
    CU_ASSERT_EQUAL(bytes % 64, 0);
    float *w = random_floats((size_t)K * C * R * S, 8);
    uint8_t *payload = aligned_alloc(64, bytes + 192);
    memset(payload, 0xee, bytes + 192);
    rn_recipe_pack(&step, w, payload);
    const float *at = (const float *)(payload + 64);
    size_t wrong = 0;
    for (int k0 = 0; k0 < K; k0 += panel) {
        const int width = K - k0 < panel ? ceil16(K - k0) : panel;
        for (int c0 = 0; c0 < C; c0 += block)
            for (int r = 0; r < R; r++)
                for (int s = 0; s < S; s++)
                    for (int c = c0; c < c0 + block && c < C; c++)
                        for (int k = k0; k < k0 + width; k++)
                            wrong += *at++ != (k < K ? w[((k * C + c) * R + r) * S + s] : 0.0f);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL((const uint8_t *)at, payload + 64 + bytes);
    CU_ASSERT(payload[63] == 0xee && payload[64 + bytes] == 0xee);
    free(w), free(payload);
}

static void check_groups(int groups, int rows, int C, int R, int S, int block) {
    const int K = groups * rows, merged = block / C, panel = ceil16(merged * rows);
    const rn_recipe_step step = {
        .op = RN_PACK_PANELS, .ndim = 4, .dim = {K, C, R, S}, .integer = {panel, block, groups}};
    const size_t bytes = rn_recipe_pack_size(&step);
    float *w = random_floats((size_t)K * C * R * S, 9);
    uint8_t *payload = aligned_alloc(64, bytes + 64);
    memset(payload, 0xee, bytes + 64);
    rn_recipe_pack(&step, w, payload);
    const float *at = (const float *)payload;
    size_t wrong = 0;
    for (int g0 = 0; g0 < groups; g0 += merged)
        for (int r = 0; r < R; r++)
            for (int s = 0; s < S; s++)
                for (int c = 0; c < block; c++)
                    for (int k = 0; k < panel; k++) {
                        const int g = g0 + c / C, row = (g - g0) * rows; /* group of the input, its first output here */
                        const int inside = g < groups && k >= row && k < row + rows;
                        wrong += *at++ != (inside ? w[(((g * rows + k - row) * C + c % C) * R + r) * S + s] : 0.0f);
                    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL((const uint8_t *)at, payload + bytes);
    CU_ASSERT_EQUAL(payload[bytes], 0xee);
    free(w), free(payload);
}

static void test_panels(void) {
    check_panels(64, 64, 1, 1, 64, 64);
    check_panels(128, 256, 3, 3, 64, 128);
    check_panels(100, 37, 3, 3, 64, 16); /* odd channels, a narrow last panel, a short last block */
    check_panels(10, 3, 7, 7, 64, 3);    /* stem */
    check_panels(33, 5, 1, 1, 32, 2);
    check_panels(1, 1, 1, 1, 16, 1);
    check_panels(40, 6, 2, 3, 16, 6); /* an fc on 6 x 2 x 3, in h, w, c order */
    check_groups(32, 4, 4, 3, 3, 16); /* ResNeXt-50 */
    check_groups(32, 8, 4, 3, 3, 12); /* groups that do not divide into the merged ones */
    check_groups(3, 5, 7, 1, 3, 7);
    check_groups(7, 3, 2, 3, 3, 64); /* more room than groups */
}

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The nearest of the two neighbours, by distance; the even one of two as near. */
static uint16_t nearest_bf16(float x) {
    const uint32_t below = bits_of(x) & 0xffff0000u;
    const double low = fabs((double)x - float_of(below)), high = fabs((double)float_of(below + 0x10000) - x);
    return (uint16_t)((below >> 16) + (high < low || (high == low && (below >> 16 & 1))));
}

static void test_bf16(void) {
    static const struct {
        uint32_t from;
        uint16_t to;
    } cases[] = {
        {0, 0},
        {0x80000000, 0x8000},
        {0x3f800000, 0x3f80},
        {0x3f807fff, 0x3f80}, /* below half */
        {0x3f808000, 0x3f80}, /* half: to the even one, down */
        {0x3f818000, 0x3f82}, /* and up */
        {0x3f808001, 0x3f81}, /* above half */
        {0xbf808001, 0xbf81},
        {0x3fffffff, 0x4000}, /* into the next power of 2 */
        {0x00000001, 0x0000}, /* denormal */
        {0x00018000, 0x0002},
        {0x7f7f7fff, 0x7f7f}, /* the largest */
        {0x7f7f8000, 0x7f80}, /* beyond it */
        {0x7f800000, 0x7f80}, /* infinities */
        {0xff800000, 0xff80},
        {0x7fc00000, 0x7fc0}, /* NaN */
        {0x7f800001, 0x7fc0}, /* one whose payload is cut off is no infinity */
        {0xffffffff, 0xffff},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_EQUAL(rn_bf16(float_of(cases[i].from)), cases[i].to);
    enum { K = 5000 };
    const int32_t dim[4] = {K};
    float *w = random_floats(K, 11);
    ASSERT_ALL(K, rn_bf16(w[i]) == nearest_bf16(w[i]));
    float *out =
        evaluate(&(rn_recipe_step){.op = RN_CAST, .type = RN_BF16, .ndim = 1, .dim = {K}}, w, dim, NULL, NULL, NULL, K);
    ASSERT_ALL(K, bits_of(out[i]) == (uint32_t)rn_bf16(w[i]) << 16);
    free(out), free(w);
}

/* The order of panels of floats, each number rounded; nothing beyond the size is written. */
static void check_panels_bf16(int K, int C, int R, int S, int panel) {
    rn_recipe_step step = {.op = RN_PACK_PANELS, .ndim = 4, .dim = {K, C, R, S}, .integer = {panel, C, 1}};
    const size_t wide = rn_recipe_pack_size(&step), bytes = wide / 2;
    float *w = random_floats((size_t)K * C * R * S, 12);
    float *floats = aligned_alloc(64, wide);
    uint8_t *payload = aligned_alloc(64, (bytes + 191) / 64 * 64);
    memset(payload, 0xee, bytes + 128);
    rn_recipe_pack(&step, w, (uint8_t *)floats);
    step.type = RN_BF16;
    CU_ASSERT_EQUAL(rn_recipe_pack_size(&step), bytes);
    step.offset = 64;
    rn_recipe_pack(&step, w, payload);
    const uint16_t *packed = (const uint16_t *)(payload + 64);
    ASSERT_ALL(bytes / 2, packed[i] == rn_bf16(floats[i]));
    CU_ASSERT(payload[63] == 0xee && payload[64 + bytes] == 0xee);
    free(w), free(floats), free(payload);
}

static void test_pack_small(void) {
    enum { CHANNELS = 20, GROUP = 4, R = 2, S = 3, TAPS = R * S, VECTORS = 2 }; /* of 16 channels */
    float *w = random_floats(CHANNELS * GROUP * TAPS, 10);
    _Alignas(64) uint8_t payload[VECTORS * 16 * GROUP * TAPS * 4];
    rn_recipe_step step = {.op = RN_PACK_GROUPED, .ndim = 4, .dim = {CHANNELS, GROUP, R, S}};
    CU_ASSERT_EQUAL(rn_recipe_pack_size(&step), sizeof payload);
    rn_recipe_pack(&step, w, payload);
    const float *packed = (const float *)payload;
    for (int c = 0; c < VECTORS * 16; c++)
        for (int r = 0; r < R; r++)
            for (int g = 0; g < GROUP; g++)
                for (int s = 0; s < S; s++)
                    CU_ASSERT_EQUAL(packed[(((c / 16 * R + r) * GROUP + g) * S + s) * 16 + c % 16],
                                    c < CHANNELS ? w[(c * GROUP + g) * TAPS + r * S + s] : 0.0f);
    memset(payload, 0xee, sizeof payload);
    step = (rn_recipe_step){.op = RN_PACK_VECTOR, .ndim = 1, .dim = {19}, .offset = 128};
    rn_recipe_pack(&step, w, payload);
    for (int k = 0; k < 32; k++) CU_ASSERT_EQUAL(packed[32 + k], k < 19 ? w[k] : 0.0f);
    CU_ASSERT(payload[127] == 0xee && payload[256] == 0xee);
    free(w);
}

/* ---- whole recipes ---- */

enum { FEATURES = 96, CHANNELS = 80 };

typedef struct Source {
    int asked, fail_at; /* fail_at: the request that gets nothing; 0: none */
} Source;

static float *source(void *user, const char *name, int ndim, const int32_t *dim) {
    Source *s = user;
    if (++s->asked == s->fail_at) return NULL;
    size_t count = 1;
    for (int i = 0; i < ndim; i++) count *= (size_t)dim[i];
    float *data = random_floats(count, (unsigned)name[0]);
    if (name[0] == 'v')
        for (size_t i = 0; i < count; i++) data[i] = fabsf(data[i]);
    return data;
}

/* conv + bn: weight * scale in panels, bias - mean * scale as a vector; a gap between the two areas */
static const rn_recipe_step steps[] = {
    {.op = RN_PARAM, .ndim = 4, .arg = {-1, -1, -1}, .dim = {FEATURES, CHANNELS, 3, 3}, .name = "weight"},
    {.op = RN_PARAM, .ndim = 1, .arg = {-1, -1, -1}, .dim = {FEATURES}, .name = "gamma"},
    {.op = RN_PARAM, .ndim = 1, .arg = {-1, -1, -1}, .dim = {FEATURES}, .name = "var"},
    {.op = RN_BN_SCALE, .ndim = 1, .arg = {1, 2, -1}, .dim = {FEATURES}, .real = 1e-5},
    {.op = RN_SCALE_OUT, .ndim = 4, .arg = {0, 3, -1}, .dim = {FEATURES, CHANNELS, 3, 3}},
    {.op = RN_PACK_PANELS,
     .ndim = 4,
     .arg = {4, -1, -1},
     .dim = {FEATURES, CHANNELS, 3, 3},
     .integer = {64, 32, 1},
     .offset = 1024},
    {.op = RN_PARAM, .ndim = 1, .arg = {-1, -1, -1}, .dim = {FEATURES}, .name = "bias"},
    {.op = RN_PARAM, .ndim = 1, .arg = {-1, -1, -1}, .dim = {FEATURES}, .name = "mean"},
    {.op = RN_BN_SHIFT, .ndim = 1, .arg = {6, 7, 3}, .dim = {FEATURES}},
    {.op = RN_PACK_VECTOR, .ndim = 4, .arg = {8, -1, -1}, .dim = {FEATURES, 1, 1, 1}, .offset = 0},
};
enum { STEPS = sizeof steps / sizeof steps[0], PAYLOAD = 1024 + FEATURES * CHANNELS * 9 * 4 + 128 };

static int run(const rn_recipe_step *table, int count, uint64_t size, Source *s, uint8_t *payload, int threads) {
    const rn_recipe recipe = {table, count, size, 0};
    return rn_recipe_run(&recipe, source, s, payload, threads);
}

static void test_panels_bf16(void) {
    check_panels_bf16(64, 64, 1, 1, 64);
    check_panels_bf16(100, 37, 1, 1, 64); /* a narrow last panel */
    check_panels_bf16(1, 1, 1, 1, 16);    /* half a cache line */
    check_panels_bf16(130, 5, 3, 7, 64);  /* an image as input */
    check_panels_bf16(33, 9, 1, 3, 48);
    /* in a whole recipe: what the area does not fill of its last cache line is zero; the rounded tensor packs alike */
    const rn_recipe_step table[] = {
        {.op = RN_PARAM, .ndim = 2, .arg = {-1, -1, -1}, .dim = {5, 3}, .name = "weight"},
        {.op = RN_PACK_PANELS,
         .type = RN_BF16,
         .ndim = 4,
         .arg = {0, -1, -1},
         .dim = {5, 3, 1, 1},
         .integer = {16, 3, 1}},
        {.op = RN_CAST, .type = RN_BF16, .ndim = 2, .arg = {0, -1, -1}, .dim = {5, 3}},
        {.op = RN_PACK_PANELS,
         .type = RN_BF16,
         .ndim = 4,
         .arg = {2, -1, -1},
         .dim = {5, 3, 1, 1},
         .integer = {16, 3, 1},
         .offset = 128},
    };
    _Alignas(64) uint8_t payload[256];
    memset(payload, 0xee, sizeof payload);
    Source s = {0};
    CU_ASSERT_EQUAL(run(table, 4, sizeof payload, &s, payload, 2), 0);
    CU_ASSERT(memcmp(payload, payload + 128, 128) == 0);
    for (int i = 96; i < 128; i++) CU_ASSERT_EQUAL(payload[i], 0);
}

static void test_run(void) {
    uint8_t *one = aligned_alloc(64, PAYLOAD), *four = aligned_alloc(64, PAYLOAD);
    memset(one, 0x11, PAYLOAD);
    memset(four, 0x44, PAYLOAD);
    Source s = {0};
    CU_ASSERT_EQUAL(run(steps, STEPS, PAYLOAD, &s, one, 1), 0);
    CU_ASSERT_EQUAL(s.asked, 5);
    CU_ASSERT_EQUAL(run(steps, STEPS, PAYLOAD, &s, four, 4), 0);
    CU_ASSERT(memcmp(one, four, PAYLOAD) == 0); /* threads change nothing, gaps and end are zero */
    size_t dirty = 0;
    for (int i = FEATURES * 4; i < 1024; i++) dirty += one[i] != 0;
    for (int i = PAYLOAD - 128; i < PAYLOAD; i++) dirty += one[i] != 0;
    CU_ASSERT_EQUAL(dirty, 0);
    /* one element of each area, by hand */
    float *w = random_floats((size_t)FEATURES * CHANNELS * 9, 'w'), *gamma = random_floats(FEATURES, 'g');
    float *var = random_floats(FEATURES, 'v'), *bias = random_floats(FEATURES, 'b'),
          *mean = random_floats(FEATURES, 'm');
    const int k = 70, c = 35, t = 4; /* second panel (32 wide), second block of 32 */
    const float scale = (float)((double)gamma[k] / sqrt(fabs((double)var[k]) + 1e-5));
    const float *panel = (const float *)(one + 1024) + 64 * CHANNELS * 9 + 32 * 9 * 32;
    CU_ASSERT_EQUAL(panel[(t * 32 + c - 32) * 32 + k - 64], (float)((double)w[(k * CHANNELS + c) * 9 + t] * scale));
    CU_ASSERT_EQUAL(((const float *)one)[k], (float)(bias[k] - (double)mean[k] * scale));
    free(w), free(gamma), free(var), free(bias), free(mean);
    for (int n = 1; n <= 5; n++) { /* each missing parameter in turn */
        Source failing = {.fail_at = n};
        CU_ASSERT_EQUAL(run(steps, STEPS, PAYLOAD, &failing, one, 2), -1);
    }
    free(one), free(four);
}

/* A table that is wrong is refused before anything is written where it should not be. */
static void test_unsound(void) {
    uint8_t *payload = aligned_alloc(64, PAYLOAD);
    rn_recipe_step table[STEPS];
    Source s = {0};
#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        memcpy(table, steps, sizeof steps);                                                                            \
        change;                                                                                                        \
        CU_ASSERT_EQUAL(run(table, STEPS, PAYLOAD, &s, payload, 1), -1);                                               \
    } while (0)
    REFUSED(table[9].offset = 1024);            /* overlap */
    REFUSED(table[9].offset = 1024 - 64);       /* overlap in part */
    REFUSED(table[5].offset = PAYLOAD - 64);    /* beyond the end */
    REFUSED(table[5].offset = UINT64_MAX - 63); /* and wrapping around */
    REFUSED(table[9].offset = 4);               /* not on a cache line */
    REFUSED(table[4].arg[1] = 4);               /* its own argument */
    REFUSED(table[4].arg[1] = 8);               /* a later one */
    REFUSED(table[9].arg[0] = 5);               /* a packed area is no tensor */
    REFUSED(table[9].arg[0] = -1);
    REFUSED(table[9].dim[0] = FEATURES + 1); /* not the argument's size */
    REFUSED(table[5].integer[0] = 40);       /* no multiple of 16 */
    REFUSED(table[5].integer[1] = 0);
    REFUSED((table[5].type = RN_BF16, table[5].integer[2] = 2)); /* of one group only */
    REFUSED(table[5].type = RN_DTYPE_COUNT);
    REFUSED(table[9].type = RN_BF16); /* vectors are floats */
    REFUSED(table[4].type = RN_BF16); /* only a cast rounds to another type */
    REFUSED(table[3].arg[1] = -1);    /* a missing argument */
    REFUSED(table[3].op = RN_RECIPE_OP_COUNT);
    REFUSED(table[0].name = NULL);
#undef REFUSED
    CU_ASSERT_EQUAL(s.asked, 0);
    free(payload);
}

static void test_hash(void) {
    rn_recipe_step table[STEPS];
    const uint64_t hash = rn_recipe_hash(steps, STEPS);
    CU_ASSERT_EQUAL(rn_recipe_hash(steps, STEPS), hash);
    CU_ASSERT_NOT_EQUAL(rn_recipe_hash(steps, STEPS - 1), hash);
#define DIFFERS(change)                                                                                                \
    do {                                                                                                               \
        memcpy(table, steps, sizeof steps);                                                                            \
        change;                                                                                                        \
        CU_ASSERT_NOT_EQUAL(rn_recipe_hash(table, STEPS), hash);                                                       \
    } while (0)
    DIFFERS(table[0].name = "weighs");
    DIFFERS(table[0].dim[3] = 5);
    DIFFERS(table[3].op = RN_BN_SHIFT);
    DIFFERS(table[3].real = 1e-3);
    DIFFERS(table[4].arg[0] = 1);
    DIFFERS(table[5].integer[1] = 16);
    DIFFERS(table[5].offset = 2048);
    DIFFERS(table[1].ndim = 2);
    DIFFERS(table[5].type = RN_BF16);
#undef DIFFERS
    memcpy(table, steps, sizeof steps);
    char name[] = "weight"; /* the text counts, not the pointer; nor dims that the tensor does not have */
    table[0].name = name;
    table[1].dim[1] = 1;
    table[3].arg[2] = 2; /* nor arguments that the operation does not have */
    CU_ASSERT_EQUAL(rn_recipe_hash(table, STEPS), hash);
}

void suite_recipe(void) {
    CU_pSuite suite = CU_add_suite("recipe", NULL, NULL);
    CU_add_test(suite, "vector expressions", test_vectors);
    CU_add_test(suite, "scaling and shifting by channel", test_channels);
    CU_add_test(suite, "identity and embedded kernels", test_kernels);
    CU_add_test(suite, "space to depth", test_space_to_depth);
    CU_add_test(suite, "phases of a transposed kernel", test_phases);
    CU_add_test(suite, "panels and merged groups", test_panels);
    CU_add_test(suite, "depthwise and vectors", test_pack_small);
    CU_add_test(suite, "rounding to bf16", test_bf16);
    CU_add_test(suite, "panels of bf16", test_panels_bf16);
    CU_add_test(suite, "a recipe, with any number of threads", test_run);
    CU_add_test(suite, "damaged tables are refused", test_unsound);
    CU_add_test(suite, "hash of the meaning", test_hash);
}
