/* What the recipe's expressions (runtime/rn_recipe.def) say of a tensor's dims and integers, given its arguments'. */
#include "tensor.h"

static bool same_dims(const Tensor *a, const Tensor *b) {
    if (a->ndim != b->ndim) return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

bool tensor_is_vector(const Tensor *tensor, int64_t size) {
    return tensor->ndim == 1 && tensor->dim[0] == size;
}

static bool fits_param(const Tensor *t) {
    return (t->integer[0] == 0 || t->integer[0] == 1) && t->integer[1] == 0;
}

static bool fits_fill(const Tensor *t) {
    (void)t;
    return true;
}

static bool fits_identity_kernel(const Tensor *t) {
    return t->ndim == 4 && t->integer[0] > 0 && t->dim[0] % t->integer[0] == 0;
}

static bool fits_bn_scale(const Tensor *t) {
    return t->ndim == 1 && same_dims(t, t->arg[0]) && same_dims(t, t->arg[1]);
}

static bool fits_bn_shift(const Tensor *t) {
    return fits_bn_scale(t) && same_dims(t, t->arg[2]);
}

static bool fits_mul_add(const Tensor *t) {
    return fits_bn_shift(t);
}

static bool fits_scale_out(const Tensor *t) {
    return same_dims(t, t->arg[0]) && tensor_is_vector(t->arg[1], t->dim[0]);
}

/* The vector's channels are those that weight w sees: [groups * C/groups], fc: [C] with integer[1] pixels each. */
static bool fits_input(const Tensor *t, const Tensor *w, const Tensor *vector) {
    const int groups = t->integer[0], pixels = t->integer[1];
    if (groups < 1 || pixels < 1 || w->ndim < 2 || w->dim[0] % groups || w->dim[1] % pixels) return false;
    return tensor_is_vector(vector, (int64_t)w->dim[1] / pixels * groups);
}

static bool fits_scale_in(const Tensor *t) {
    return same_dims(t, t->arg[0]) && fits_input(t, t->arg[0], t->arg[1]);
}

static bool fits_shift_in(const Tensor *t) {
    return tensor_is_vector(t, t->arg[0]->dim[0]) && fits_input(t, t->arg[0], t->arg[1]);
}

static bool fits_add(const Tensor *t) {
    return same_dims(t, t->arg[0]) && same_dims(t, t->arg[1]);
}

static bool fits_embed(const Tensor *t) {
    const Tensor *a = t->arg[0];
    if (t->ndim != 4 || a->ndim != 4 || t->dim[0] != a->dim[0] || t->dim[1] != a->dim[1]) return false;
    for (int i = 0; i < 2; i++)
        if (t->integer[i] < 0 || t->integer[i] > t->dim[2 + i] - a->dim[2 + i]) return false;
    return true;
}

static bool fits_reshape(const Tensor *t) {
    return tensor_size(t) == tensor_size(t->arg[0]);
}

static bool fits_cast(const Tensor *t) {
    return same_dims(t, t->arg[0]);
}

static bool fits_space_to_depth(const Tensor *t) {
    const Tensor *a = t->arg[0];
    const int64_t side = t->integer[0], pixel = t->integer[1];
    if (t->ndim != 4 || a->ndim != 4 || side < 1 || pixel < a->dim[1] || t->dim[0] != a->dim[0]) return false;
    for (int i = 2; i < 4; i++)
        if (t->dim[i] != (a->dim[i] + side - 1) / side) return false;
    return t->dim[1] % pixel == 0 && t->dim[1] / pixel == side * side;
}

static bool fits_phases(const Tensor *t) {
    const Tensor *a = t->arg[0];
    const int64_t rows = t->integer[0], columns = t->integer[1];
    if (t->ndim != 4 || a->ndim != 4 || rows < 1 || columns < 1 || t->dim[1] < 1 || a->dim[0] % t->dim[1]) return false;
    if (t->dim[2] != (a->dim[2] + rows - 1) / rows || t->dim[3] != (a->dim[3] + columns - 1) / columns) return false;
    return t->dim[0] == (double)a->dim[0] / t->dim[1] * a->dim[1] * rows * columns;
}

bool tensor_dims_fit(const Tensor *tensor) {
    static bool (*const fits[RN_RECIPE_OP_COUNT])(const Tensor *tensor) = {
#define RN_PARAMETER(name, word, ...) [RN_##name] = fits_##word,
#define RN_EXPRESSION(name, word, ...) [RN_##name] = fits_##word,
#include "rn_recipe.def"
    };
    return fits[tensor->op](tensor);
}
