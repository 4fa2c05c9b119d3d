#include "filtering.h"

#include "linear.h"

enum { MOST_STRIDE = 4 }; /* of what is kept; others are derived each time */

struct Filterings {
    struct {
        bool known;
        const Filtering *transform; /* NULL: there is none */
    } of[RN_WINOGRAD_MAX + 1][RN_WINOGRAD_MAX + 1][MOST_STRIDE + 1];
};

static const Filtering *derive(Arena *arena, int m, int taps, int stride) {
    rn_winograd w;
    if (rn_winograd_make(&w, m, taps, stride)) return NULL;
    Filtering *t = arena_alloc(arena, sizeof *t);
    t->w = w;
    t->input_operations = linear_factor(w.input, w.n, w.span).operations;
    t->output_operations = linear_factor(w.output, w.m, w.n).operations;
    rn_winograd_amplify(&w, t->rough, t->even);
    return t;
}

struct Filterings *filterings_new(Arena *arena) {
    return arena_alloc(arena, sizeof(struct Filterings));
}

const Filtering *filtering_of(const Plan *plan, int m, int taps, int stride) {
    if (m > RN_WINOGRAD_MAX || taps > RN_WINOGRAD_MAX) return NULL;
    if (stride > MOST_STRIDE) return derive(plan->arena, m, taps, stride);
    struct Filterings *t = plan->filterings;
    if (!t->of[m][taps][stride].known) {
        t->of[m][taps][stride].known = true;
        t->of[m][taps][stride].transform = derive(plan->arena, m, taps, stride);
    }
    return t->of[m][taps][stride].transform;
}
