/* A factored constant matrix (linear.h) as vector code: inputs d0 ... are there, outputs r0 ... are defined. */
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

void emit_linear(const Emit *e, const Linear *l, int indent, Text *t) {
    for (int j = 0; j < l->columns; j++) {
        const int pair = l->column_pair[j];
        if (pair <= j || !linear_reads(l, j)) continue;
        text_printf(t, "%*sconst V ", indent, "");
        if (linear_uses(l, j)) text_printf(t, "p%d = add(d%d, d%d)", j, j, pair);
        if (linear_uses(l, pair)) text_printf(t, "%sp%d = sub(d%d, d%d)", linear_uses(l, j) ? ", " : "", pair, j, pair);
        text_puts(t, ";\n");
    }
    for (int i = 0; i < l->rows; i++)
        text_printf(t, "%*sconst V %s%d = %s;\n", indent, "", l->row_pair[i] >= 0 ? "q" : "r", i,
                    row_expression(e, l, i));
    for (int i = 0; i < l->rows; i++)
        if (l->row_pair[i] > i)
            text_printf(t, "%*sconst V r%d = add(q%d, q%d), r%d = sub(q%d, q%d);\n", indent, "", i, i, l->row_pair[i],
                        l->row_pair[i], i, l->row_pair[i]);
}
