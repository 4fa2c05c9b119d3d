/* linear_factor: greedy pairing of columns, of rows, or of both, whichever leaves the fewest operations. */
#include "linear.h"

#include <string.h>

/* A row is a sum: an operation for each entry but the first, which is free where it is 1. */
static int row_operations(const Linear *l, int row) {
    int entries = 0;
    bool one = false;
    for (int j = 0; j < l->columns; j++) {
        entries += l->m[row][j] != 0;
        one |= l->m[row][j] == 1;
    }
    return entries ? entries - one : 0;
}

bool linear_uses(const Linear *l, int column) {
    for (int i = 0; i < l->rows; i++)
        if (l->m[i][column] != 0) return true;
    return false;
}

bool linear_reads(const Linear *l, int input) {
    return linear_uses(l, input) || (l->column_pair[input] >= 0 && linear_uses(l, l->column_pair[input]));
}

static int count_operations(const Linear *l) {
    int operations = 0;
    for (int i = 0; i < l->rows; i++) operations += row_operations(l, i) + (l->row_pair[i] >= 0);
    for (int j = 0; j < l->columns; j++) operations += l->column_pair[j] >= 0 && linear_uses(l, j);
    return operations;
}

/* Entry `at` of line `line`: a row, or a column where `columns`. */
static double *entry(Linear *l, bool columns, int line, int at) {
    return columns ? &l->m[at][line] : &l->m[line][at];
}

static void pair_lines(Linear *l, bool columns, int i, int j) {
    const int length = columns ? l->rows : l->columns;
    for (int at = 0; at < length; at++) {
        double *a = entry(l, columns, i, at), *b = entry(l, columns, j, at);
        const double sum = (*a + *b) / 2, difference = (*a - *b) / 2;
        *a = sum, *b = difference;
    }
    signed char *pair = columns ? l->column_pair : l->row_pair;
    pair[i] = (signed char)j, pair[j] = (signed char)i;
}

/* Pairs lines as long as that saves operations. */
static void pair_all(Linear *l, bool columns) {
    const int count = columns ? l->columns : l->rows;
    for (;;) {
        Linear best = *l;
        int least = count_operations(l);
        const int before = least;
        for (int i = 0; i < count; i++)
            for (int j = i + 1; j < count; j++) {
                const signed char *pair = columns ? l->column_pair : l->row_pair;
                if (pair[i] >= 0 || pair[j] >= 0) continue;
                Linear tried = *l;
                pair_lines(&tried, columns, i, j);
                const int operations = count_operations(&tried);
                if (operations < least) least = operations, best = tried;
            }
        if (least == before) return;
        *l = best;
    }
}

Linear linear_factor(const double m[RN_WINOGRAD_MAX][RN_WINOGRAD_MAX], int rows, int columns) {
    Linear plain = {.rows = rows, .columns = columns};
    memcpy(plain.m, m, sizeof plain.m);
    memset(plain.row_pair, -1, sizeof plain.row_pair);
    memset(plain.column_pair, -1, sizeof plain.column_pair);
    Linear best = plain;
    best.operations = count_operations(&best);
    for (int way = 1; way < 4; way++) {
        Linear tried = plain;
        if (way & 1) pair_all(&tried, true);
        if (way & 2) pair_all(&tried, false);
        tried.operations = count_operations(&tried);
        if (tried.operations < best.operations) best = tried;
    }
    return best;
}
