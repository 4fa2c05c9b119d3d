/* The recipe's expressions: rows [k0, k1) of a tensor from its arguments. */
#include "recipe.h"
#include "core/dtype.h"

#include <math.h>
#include <string.h>

typedef struct Rows { /* of a result */
    const rn_recipe_step *step;
    const float *a, *b, *c; /* the arguments' elements */
    const int32_t *a_dim;
    float *out;
    int64_t k0, k1, begin, end; /* first and last row; first and last element */
} Rows;

static int64_t extent(const int32_t *dim, int i) {
    return rn_recipe_extent(dim, i);
}

static void evaluate_fill(const Rows *r) {
    for (int64_t i = r->begin; i < r->end; i++) r->out[i] = (float)r->step->real;
}

static int64_t group_count(const rn_recipe_step *step) {
    return step->integer[0] > 0 ? step->integer[0] : 1;
}

static void evaluate_identity_kernel(const Rows *rows) {
    const int32_t *dim = rows->step->dim;
    const int64_t features = extent(dim, 0), channels = extent(dim, 1); /* channels of one group */
    const int64_t r = extent(dim, 2), s = extent(dim, 3);
    const int64_t features_of_group = features / group_count(rows->step);
    const int64_t centre = (r - 1) / 2 * s + (s - 1) / 2;
    memset(rows->out + rows->begin, 0, (size_t)(rows->end - rows->begin) * sizeof *rows->out);
    for (int64_t k = rows->k0; k < rows->k1; k++) {
        const int64_t c = k - k / features_of_group * channels; /* k's number among the channels of its group */
        if (c >= 0 && c < channels) rows->out[(k * channels + c) * r * s + centre] = 1.0f;
    }
}

static void evaluate_bn_scale(const Rows *r) {
    for (int64_t i = r->begin; i < r->end; i++) r->out[i] = (float)((double)r->a[i] / sqrt(r->b[i] + r->step->real));
}

static void evaluate_bn_shift(const Rows *r) {
    for (int64_t i = r->begin; i < r->end; i++) r->out[i] = (float)((double)r->a[i] - (double)r->b[i] * r->c[i]);
}

static void evaluate_mul_add(const Rows *r) {
    for (int64_t i = r->begin; i < r->end; i++) r->out[i] = (float)((double)r->a[i] * r->b[i] + r->c[i]);
}

static void evaluate_scale_out(const Rows *r) {
    const int64_t row = rn_recipe_row_size(r->step->dim);
    for (int64_t k = r->k0; k < r->k1; k++)
        for (int64_t i = k * row; i < (k + 1) * row; i++) r->out[i] = (float)((double)r->a[i] * r->b[k]);
}

/* How a weight's row is laid out: [channels of the group][pixels], and which channels a row's group starts at. */
typedef struct InputLayout {
    int64_t channels, pixels, rows_per_group;
} InputLayout;

static InputLayout input_layout(const Rows *r) {
    const int32_t *dim = r->a_dim;
    const int64_t hw = r->step->integer[1] > 0 ? r->step->integer[1] : 1;
    return (InputLayout){extent(dim, 1) / hw, hw * extent(dim, 2) * extent(dim, 3),
                         extent(dim, 0) / group_count(r->step)};
}

static void evaluate_scale_in(const Rows *r) {
    const InputLayout in = input_layout(r);
    for (int64_t k = r->k0; k < r->k1; k++) {
        const float *s = r->b + k / in.rows_per_group * in.channels;
        for (int64_t c = 0; c < in.channels; c++)
            for (int64_t p = 0; p < in.pixels; p++) {
                const int64_t i = (k * in.channels + c) * in.pixels + p;
                r->out[i] = (float)((double)r->a[i] * s[c]);
            }
    }
}

static void evaluate_shift_in(const Rows *r) {
    const InputLayout in = input_layout(r);
    for (int64_t k = r->k0; k < r->k1; k++) {
        const float *t = r->b + k / in.rows_per_group * in.channels;
        double sum = 0;
        for (int64_t c = 0; c < in.channels; c++)
            for (int64_t p = 0; p < in.pixels; p++) sum += (double)r->a[(k * in.channels + c) * in.pixels + p] * t[c];
        r->out[k] = (float)sum;
    }
}

static void evaluate_add(const Rows *r) {
    for (int64_t i = r->begin; i < r->end; i++) r->out[i] = (float)((double)r->a[i] + r->b[i]);
}

static void evaluate_embed(const Rows *rows) {
    const int32_t *dim = rows->step->dim, *at = rows->step->integer;
    const int64_t channels = extent(dim, 1), R = extent(dim, 2), S = extent(dim, 3);
    const int64_t r = extent(rows->a_dim, 2), s = extent(rows->a_dim, 3);
    memset(rows->out + rows->begin, 0, (size_t)(rows->end - rows->begin) * sizeof *rows->out);
    for (int64_t kc = rows->k0 * channels; kc < rows->k1 * channels; kc++)
        for (int64_t y = 0; y < r; y++)
            memcpy(rows->out + (kc * R + y + at[0]) * S + at[1], rows->a + (kc * r + y) * s,
                   (size_t)s * sizeof *rows->out);
}

static void evaluate_reshape(const Rows *r) {
    memcpy(r->out + r->begin, r->a + r->begin, (size_t)(r->end - r->begin) * sizeof *r->out);
}

static void evaluate_cast(const Rows *r) {
    for (int64_t i = r->begin; i < r->end; i++) r->out[i] = rn_dtype_round((rn_dtype)r->step->type, r->a[i]);
}

static void evaluate_space_to_depth(const Rows *rows) {
    const int32_t *dim = rows->step->dim, *a_dim = rows->a_dim;
    const int64_t R = extent(dim, 2), S = extent(dim, 3), row = rn_recipe_row_size(dim);
    const int64_t channels = extent(a_dim, 1), r = extent(a_dim, 2), s = extent(a_dim, 3);
    const int64_t side = rows->step->integer[0], pixel = rows->step->integer[1];
    memset(rows->out + rows->begin, 0, (size_t)(rows->end - rows->begin) * sizeof *rows->out);
    for (int64_t k = rows->k0; k < rows->k1; k++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t y = 0; y < r; y++)
                for (int64_t x = 0; x < s; x++) {
                    const int64_t deep = (y % side * side + x % side) * pixel + c;
                    rows->out[k * row + (deep * R + y / side) * S + x / side] =
                        rows->a[((k * channels + c) * r + y) * s + x];
                }
}

/* A phase's kernel, of one output channel, from the transposed kernel's taps that make it; these come last to first. */
static void phase_kernel(const Rows *rows, int64_t k, int64_t row, int64_t column, float *out) {
    const int32_t *dim = rows->step->dim, *at = rows->step->integer;
    const int64_t channels = extent(dim, 1), J = extent(dim, 2), I = extent(dim, 3);
    const int64_t features = extent(rows->a_dim, 1), R = extent(rows->a_dim, 2), S = extent(rows->a_dim, 3);
    const int64_t first = k / features * channels; /* channel of the group */
    for (int64_t c = 0; c < channels; c++)
        for (int64_t j = J - 1; j >= 0; j--)
            for (int64_t i = I - 1; i >= 0; i--) {
                const int64_t r = row + j * at[0], s = column + i * at[1];
                const float *kernel = rows->a + ((first + c) * features + k % features) * R * S;
                *out++ = r < R && s < S ? kernel[r * S + s] : 0.0f;
            }
}

static void evaluate_phases(const Rows *rows) {
    const int64_t height = rows->step->integer[0], width = rows->step->integer[1], phases = height * width;
    const int64_t features = extent(rows->a_dim, 1), size = rn_recipe_row_size(rows->step->dim);
    for (int64_t i = rows->k0; i < rows->k1; i++) {
        const int64_t phase = i / features % phases, k = i / (features * phases) * features + i % features;
        phase_kernel(rows, k, phase / width, phase % width, rows->out + i * size);
    }
}

static const struct {
    int arity;
    void (*evaluate)(const Rows *rows); /* NULL: not an expression */
} expressions[RN_RECIPE_OP_COUNT] = {
#define RN_EXPRESSION(name, word, arity, ...) [RN_##name] = {arity, evaluate_##word},
#define RN_PACKING(name, ...) [RN_##name] = {1, NULL},
#include "rn_recipe.def"
};

int rn_recipe_arity(const rn_recipe_step *step) {
    return expressions[step->op].arity;
}

void rn_recipe_evaluate_rows(const rn_recipe_step *step, const float *const args[3], const int32_t *const arg_dims[3],
                             float *out, int64_t k0, int64_t k1) {
    const int64_t row = rn_recipe_row_size(step->dim);
    const Rows rows = {.step = step,
                       .a = args[0],
                       .b = args[1],
                       .c = args[2],
                       .a_dim = arg_dims[0],
                       .out = out,
                       .k0 = k0,
                       .k1 = k1,
                       .begin = k0 * row,
                       .end = k1 * row};
    if (expressions[step->op].evaluate) expressions[step->op].evaluate(&rows);
}

void rn_recipe_evaluate(const rn_recipe_step *step, const float *const args[3], const int32_t *const arg_dims[3],
                        float *out) {
    rn_recipe_evaluate_rows(step, args, arg_dims, out, 0, extent(step->dim, 0));
}
