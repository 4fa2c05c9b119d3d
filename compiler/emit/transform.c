/* A factored constant matrix (linear.h) as a function of vectors, always inlined: with constant indices and step, the
 * arrays that it is called with stay in registers. Sums and differences of paired inputs are p0, p1 ..., paired rows of
 * the matrix q0, q1 .... Results are stored last, or gcc would keep its loads apart from what uses them.
 */
#include "transform.h"
#include "describe.h"

static const char *input_name(const Emit *e, const Linear *l, int j) {
    return arena_printf(e->arena, "%s%d", l->column_pair[j] >= 0 ? "p" : "d", j);
}

/* sum of m[row][j] * input j, entries of 1 first: they need no multiplication */
static const char *row_expression(const Emit *e, const Linear *l, int row) {
    const char *sum = NULL;
    for (int pass = 0; pass < 3; pass++)
        for (int j = 0; j < l->columns; j++) {
            const double c = l->m[row][j];
            if (c == 0 || (c == 1 ? 0 : c == -1 ? 1 : 2) != pass) continue;
            const char *in = input_name(e, l, j), *factor = float_c(e->arena, c);
            if (pass == 0)
                sum = sum ? arena_printf(e->arena, "add(%s, %s)", sum, in) : in;
            else if (pass == 1)
                sum = arena_printf(e->arena, "sub(%s, %s)", sum ? sum : "zero()", in);
            else
                sum = sum ? arena_printf(e->arena, "fma_(set1(%s), %s, %s)", factor, in, sum)
                          : arena_printf(e->arena, "mul(set1(%s), %s)", factor, in);
        }
    return sum ? sum : "zero()";
}

void emit_linear(const Emit *e, const Linear *l, Text *t) {
    if (l->rows == 1) line(t, 1, "(void)step;");
    text_puts(t, "    const V ");
    for (int j = 0, count = 0; j < l->columns; j++)
        if (linear_reads(l, j)) text_printf(t, "%sd%d = d[%d]", count++ ? ", " : "", j, j);
    text_puts(t, ";\n");
    for (int j = 0; j < l->columns; j++) {
        const int pair = l->column_pair[j];
        if (pair <= j || !linear_reads(l, j)) continue;
        text_puts(t, "    const V ");
        if (linear_uses(l, j)) text_printf(t, "p%d = add(d%d, d%d)", j, j, pair);
        if (linear_uses(l, pair)) text_printf(t, "%sp%d = sub(d%d, d%d)", linear_uses(l, j) ? ", " : "", pair, j, pair);
        text_puts(t, ";\n");
    }
    for (int i = 0; i < l->rows; i++)
        line(t, 1, "const V %s%d = %s;", l->row_pair[i] >= 0 ? "q" : "r", i, row_expression(e, l, i));
    for (int i = 0; i < l->rows; i++) {
        const int pair = l->row_pair[i];
        if (pair > i) line(t, 1, "const V r%d = add(q%d, q%d), r%d = sub(q%d, q%d);", i, i, pair, pair, i, pair);
    }
    for (int i = 0; i < l->rows; i++)
        line(t, 1, "to[%s%s] = r%d;", i == 1 ? "" : arena_printf(e->arena, i ? "%d * " : "%d", i), i ? "step" : "", i);
}

/* Written once for each instruction set, however many layers use it. */
static Transform emit_transform(Emit *e, const rn_winograd *w, bool input) {
    const char *stride = w->stride > 1 ? arena_printf(e->arena, "_stride%d", w->stride) : "";
    const char *name = arena_printf(e->arena, "f%d_r%d%s_%s", w->m, w->r, stride, input ? "input" : "output");
    const char *key = arena_printf(e->arena, "%s%s", name, e->suffix);
    const Transform *known = map_get(&e->transforms, key);
    if (known) return *known;
    const char *comment =
        input
            ? arena_printf(e->arena, "F(%d, %d) in one dimension: %d pixels to %d products", w->m, w->r, w->span, w->n)
            : arena_printf(e->arena, "F(%d, %d) in one dimension: %d products to %d pixels", w->m, w->r, w->n, w->m);
    Transform *t = arena_alloc(e->arena, sizeof *t);
    t->linear = input ? linear_factor(w->input, w->n, w->span) : linear_factor(w->output, w->m, w->n);
    Text body = {0};
    emit_linear(e, &t->linear, &body);
    t->function = emit_helper(e, name, comment, "const V *d, V *to, int step", body.s);
    text_free(&body);
    map_put(&e->transforms, e->arena, key, t);
    return *t;
}

Transform emit_input_transform(Emit *e, const rn_winograd *w) {
    return emit_transform(e, w, true);
}

Transform emit_output_transform(Emit *e, const rn_winograd *w) {
    return emit_transform(e, w, false);
}
