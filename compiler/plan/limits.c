/* What a plan can hold. Emitted code and kernels count the floats of a value, with its halo and the gaps between its
 * pixels, in ints, and those of a panel of weights; they add a little, for which half of an int's range leaves room.
 * Whole arenas and packed files are counted in 64 bits.
 */
#include <limits.h>
#include <stdio.h>

#include "graph/ops.h"
#include "panels.h"

static const int64_t MOST_FLOATS = INT_MAX / 2;

typedef struct Halo {
    int64_t rows, columns; /* on both sides together */
} Halo;

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The padding that `out` windows over `size` pixels read, before and behind. */
static int64_t padding(int size, int kernel, int stride, int dilate, int before, int out) {
    const int64_t end = (int64_t)(out - 1) * stride + (int64_t)(kernel - 1) * dilate - before - (size - 1);
    return before + larger(end, 0);
}

/* The largest of any convolution: values that share their storage share the halo of all. */
static Halo largest_halo(const Graph *graph) {
    Halo halo = {0, 0};
    for (int i = 0; i < graph->node_count; i++) {
        const Node *n = graph->nodes[i];
        const Shape out = node_unpooled_shape(n);
        if (n->op == OP_CONVTRANSPOSE) {
            const Window w = convtranspose_phases(n).window;
            halo.rows = larger(halo.rows, w.top + w.bottom);
            halo.columns = larger(halo.columns, w.left + w.right);
        }
        for (int k = 0; n->op == OP_CONV && k < n->nin; k++) {
            const Window *w = &n->term[k].window;
            const Shape in = n->in[k]->shape;
            halo.rows = larger(halo.rows, padding(in.h, w->r, w->stride_h, w->dilate_h, w->top, out.h));
            halo.columns = larger(halo.columns, padding(in.w, w->s, w->stride_w, w->dilate_w, w->left, out.w));
        }
    }
    return halo;
}

static double floats_of(const Value *v, Halo halo) {
    const double pixel = v->shape.c < INT_MAX / 2 ? plan_pixel(v->shape.c) : v->shape.c;
    return pixel * (double)(v->shape.h + halo.rows) * (double)(v->shape.w + halo.columns);
}

static bool refuse(Diag *diag, Place place, const char *what, Shape shape, double floats) {
    if (!diag) return false;
    diag_error(diag, place, "%s, %dx%dx%d, would take %.3g GB; emitted code can address %.3g", what, shape.c, shape.h,
               shape.w, floats * sizeof(float) / 1e9, (double)MOST_FLOATS * sizeof(float) / 1e9);
    return false;
}

/* Of a convolution or an fc: of the most outputs that are computed together, which in a convolution with groups are
 * those of whole groups. */
static bool panels_fit(const Node *n, const Term *term, int features, Diag *diag) {
    const int merged = n->op == OP_FC ? 0 : panels_merged_groups(term, n->nin, features);
    const int outputs = merged ? features / merged : features;
    const int panel = merged || outputs < MOST_PANEL ? round_up(outputs, VECTOR) : MOST_PANEL;
    for (int k = 0; k < n->nin; k++) {
        Shape in = n->in[k]->shape;
        if (merged) in.c /= merged;
        const Window *w = &term[k].window;
        const Shape kernel = n->op == OP_FC ? in : (Shape){in.c, w->r, w->s};
        const double floats = (double)panel * kernel.c * kernel.h * kernel.w;
        char what[64];
        snprintf(what, sizeof what, "the layer's weights for %d outputs", panel);
        if (floats > (double)MOST_FLOATS) return refuse(diag, n->place, what, kernel, floats);
    }
    return true;
}

/* What becomes of a transposed convolution. */
static bool phases_fit(const Node *n, Halo halo, Diag *diag) {
    const Phases phases = convtranspose_phases(n);
    const Term term = {.window = phases.window, .groups = n->term[0].groups};
    const Value made = {.shape = phases.shape};
    const double floats = floats_of(&made, halo);
    if (floats > (double)MOST_FLOATS)
        return refuse(diag, n->place, "the layer's phases with their padding", phases.shape, floats);
    return panels_fit(n, &term, phases.shape.c, diag);
}

bool plan_fits(const Graph *graph, Diag *diag) {
    const Halo halo = largest_halo(graph);
    const double input = floats_of(graph->input, halo);
    if (input > (double)MOST_FLOATS)
        return refuse(diag, (Place){.source = graph->source}, "the input with its padding", graph->input->shape, input);
    for (int i = 0; i < graph->node_count; i++) {
        const Node *n = graph->nodes[i];
        const double floats = floats_of(n->out, halo);
        if (n->op == OP_CONVTRANSPOSE) {
            if (!phases_fit(n, halo, diag)) return false;
        } else if (n->term && !panels_fit(n, n->term, n->features, diag))
            return false;
        if (floats > (double)MOST_FLOATS)
            return refuse(diag, n->place, "the layer's result with its padding", n->out->shape, floats);
    }
    return true;
}
