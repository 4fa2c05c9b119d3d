#include "view.h"

/* Adds an atom behind the others; one that goes on where the last one of its dimension ends becomes part of it. */
static bool push(View *view, Atom atom, int first) {
    if (atom.size == 1) return true;
    Atom *last = view->count > first ? &view->atom[view->count - 1] : NULL;
    if (last && last->axis == atom.axis && last->stride == atom.stride * atom.size) {
        last->size *= atom.size;
        last->stride = atom.stride;
        return true;
    }
    if (view->count == VIEW_MOST_ATOMS) return false;
    view->atom[view->count++] = atom;
    return true;
}

bool view_reshape(const View *view, const OnnxShape *dims, View *result) {
    View joined = {.count = 0}, made = {.rank = dims->rank};
    for (int i = 0; i < 4; i++) made.size[i] = view->size[i];
    for (int i = 0; i < view->count; i++)
        if (!push(&joined, view->atom[i], 0)) return false;
    int at = 0;
    for (int d = 0; d < dims->rank; d++) {
        made.begin[d] = made.count;
        for (int64_t left = dims->dim[d]; left > 1;) {
            if (at == joined.count) return false;
            Atom *atom = &joined.atom[at];
            const int64_t take = atom->size <= left ? atom->size : left;
            if (left % take || atom->size % take) return false;
            const int64_t inner = atom->size / take;
            if (!push(&made, (Atom){atom->axis, take, atom->stride * inner}, made.begin[d])) return false;
            atom->size = inner;
            left /= take;
            if (inner == 1) at++;
        }
    }
    made.begin[dims->rank] = made.count;
    if (at < joined.count) return false;
    *result = made;
    return true;
}

bool view_plain(int64_t batch, Shape shape, const OnnxShape *dims, View *view) {
    View plain = {.size = {batch, shape.c, shape.h, shape.w}, .rank = 1};
    for (int axis = AXIS_N; axis <= AXIS_W; axis++) push(&plain, (Atom){(ViewAxis)axis, plain.size[axis], 1}, 0);
    plain.begin[1] = plain.count;
    return view_reshape(&plain, dims, view);
}

View view_transpose(const View *view, const int *perm) {
    View result = *view;
    result.count = 0;
    for (int d = 0; d < view->rank; d++) {
        result.begin[d] = result.count;
        for (int i = view->begin[perm[d]]; i < view->begin[perm[d] + 1]; i++)
            result.atom[result.count++] = view->atom[i];
    }
    result.begin[view->rank] = result.count;
    return result;
}

bool view_replace(const View *view, int dim, ViewAxis axis, int64_t count, View *result) {
    View made = *view;
    made.count = 0;
    made.size[axis] = count;
    for (int d = 0; d < view->rank; d++) {
        made.begin[d] = made.count;
        for (int i = view->begin[d]; i < view->begin[d + 1] && d != dim; i++) {
            if (view->atom[i].axis == axis) return false;
            made.atom[made.count++] = view->atom[i];
        }
        if (d == dim) push(&made, (Atom){axis, count, 1}, made.begin[d]);
    }
    made.begin[view->rank] = made.count;
    *result = made;
    return true;
}

bool view_is_of(const View *view, int dim, ViewAxis axis) {
    for (int i = view->begin[dim]; i < view->begin[dim + 1]; i++)
        if (view->atom[i].axis != axis) return false;
    return true;
}

ViewAxis view_axis(const View *view, int dim) {
    const int first = view->begin[dim], count = view->begin[dim + 1] - first;
    if (!count) return AXIS_NONE;
    const Atom *atom = &view->atom[first];
    return count == 1 && atom->stride == 1 && atom->size == view->size[atom->axis] ? atom->axis : AXIS_PART;
}

bool view_is_plain(const View *view) {
    View joined = {.count = 0};
    int at = 0;
    for (int i = 0; i < view->count; i++) push(&joined, view->atom[i], 0);
    for (int axis = AXIS_N; axis <= AXIS_W; axis++) {
        if (view->size[axis] == 1) continue;
        const Atom *atom = &joined.atom[at++];
        if (at > joined.count || atom->axis != (ViewAxis)axis || atom->stride != 1 || atom->size != view->size[axis])
            return false;
    }
    return at == joined.count;
}

bool view_is_image(const View *view) {
    if (view->rank < 2 || view->rank > 4 || !view_is_plain(view)) return false;
    for (int d = 0; d < view->rank; d++) {
        const ViewAxis axis = view_axis(view, d);
        if (axis == AXIS_PART) return false;
        if (axis != AXIS_NONE && d < 2 && axis != (ViewAxis)d) return false;
        if (axis != AXIS_NONE && d >= 2 && axis < AXIS_H) return false;
    }
    return true;
}

bool view_same_order(const View *a, const View *b) {
    if (a->count != b->count || a->rank != b->rank) return false;
    for (int axis = AXIS_N; axis <= AXIS_W; axis++)
        if (a->size[axis] != b->size[axis]) return false;
    for (int d = 0; d <= a->rank; d++)
        if (a->begin[d] != b->begin[d]) return false;
    for (int i = 0; i < a->count; i++)
        if (a->atom[i].axis != b->atom[i].axis || a->atom[i].size != b->atom[i].size ||
            a->atom[i].stride != b->atom[i].stride)
            return false;
    return true;
}

bool view_fits(const View *view, const OnnxShape *dims) {
    bool fits = view->rank == dims->rank;
    for (int d = 0; d < view->rank && fits; d++) {
        int64_t size = 1;
        for (int i = view->begin[d]; i < view->begin[d + 1]; i++) size *= view->atom[i].size;
        fits = size == dims->dim[d];
    }
    return fits;
}

bool view_collapse(const View *view, bool rows, bool columns, const OnnxShape *dims, View *result) {
    View left = *view;
    left.count = 0, left.rank = 1;
    for (int i = 0; i < view->count; i++) {
        const ViewAxis axis = view->atom[i].axis;
        if ((axis == AXIS_H && rows) || (axis == AXIS_W && columns))
            left.size[axis] = 1;
        else
            left.atom[left.count++] = view->atom[i];
    }
    left.begin[1] = left.count;
    return view_reshape(&left, dims, result);
}

bool view_begins_with_images(const View *view) {
    return view->rank > 0 && view_axis(view, 0) == (view->size[AXIS_N] == 1 ? AXIS_NONE : AXIS_N);
}

const char *view_text(Arena *arena, const View *view) {
    const char *text = "";
    for (int d = 0; d < view->rank; d++) {
        text = arena_printf(arena, "%s%s[", text, d ? " " : "");
        for (int i = view->begin[d]; i < view->begin[d + 1]; i++) {
            const Atom *atom = &view->atom[i];
            const bool whole = atom->size == view->size[atom->axis];
            text = arena_printf(arena, "%s%s%c", text, i > view->begin[d] ? " " : "", "NCHW"[atom->axis]);
            if (!whole) text = arena_printf(arena, "%s:%lld", text, (long long)atom->size);
        }
        text = arena_printf(arena, "%s]", text);
    }
    return text;
}
