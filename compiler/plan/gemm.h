/* How a GEMM that is followed by another fetches the other's weights to L2 while it multiplies.
 *
 * libxsmm's AVX-512 kernels do it themselves (its AL2 prefetch). Its AVX2 kernels have no prefetches, and hold three
 * columns in registers: they wait for memory while the first three sweep over the weights, then multiply the others
 * while memory rests. So such a GEMM is cut to pieces of that size (or of two columns, where one would be left), and
 * before each piece a share of the next weights is fetched: as many lines as a core can wait for at once.
 */
#ifndef RNC_PLAN_GEMM_H
#define RNC_PLAN_GEMM_H

#include "machine.h"

typedef struct Gemm { /* y = or += w x */
    int m, n, k, lda, ldb, ldc;
    bool accumulate;
    int64_t columns; /* that a layer multiplies each weight with, of an image or a group */
} Gemm;

typedef struct Pieces {
    int columns;  /* of all pieces but, perhaps, the last ones */
    int narrow;   /* pieces of two columns that end a row of pieces, since one column alone has too few sums for its
                     additions not to wait for each other; 0: all are alike */
    int channels; /* of each but, perhaps, the last in a row */
    int share;    /* floats of the next weights that a piece fetches */
} Pieces;

/* False where the kernel fetches by itself, or where pieces cost more than they hide. */
bool gemm_in_pieces(const Machine *machine, const Gemm *gemm);
Pieces gemm_pieces(const Gemm *gemm);

#endif
