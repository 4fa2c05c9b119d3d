/* A small constant matrix times a vector as straight-line code with few operations: the transforms of Winograd's
 * convolution (runtime/core/winograd.h). The plan counts the operations, emission writes them.
 *
 * Interpolation at +a and -a makes rows (or columns) that agree in every second place and are opposite in the others.
 * Half their sum and half their difference then have half the entries each:
 *
 *     r1 = 4 d2 + 2 d1,  r2 = 4 d2 - 2 d1     ->     s = 4 d2,  t = 2 d1,  r1 = s + t,  r2 = s - t
 */
#ifndef RNC_LINEAR_H
#define RNC_LINEAR_H

#include "runtime/core/winograd.h"
#include "base/base.h"

typedef struct Linear {
    int rows, columns;
    double m[RN_WINOGRAD_MAX][RN_WINOGRAD_MAX]; /* after pairing */
    signed char row_pair[RN_WINOGRAD_MAX];      /* the other row of the pair, -1: none; the lower one holds the sum */
    signed char column_pair[RN_WINOGRAD_MAX];
    int operations; /* vector operations; an fma is one */
} Linear;

/* Whether a result has a multiple of the column: of the input, of a pair's sum or difference (of columns that are
 * equal, only the sum). */
bool linear_uses(const Linear *linear, int column);
/* Whether a result depends on the input: strides that are larger than the kernel skip some. */
bool linear_reads(const Linear *linear, int input);

Linear linear_factor(const double m[RN_WINOGRAD_MAX][RN_WINOGRAD_MAX], int rows, int columns);

#endif
