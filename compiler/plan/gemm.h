/* How a GEMM that is followed by another fetches the other's weights to L2 while it multiplies. The machine's row says
 * which of three ways it takes.
 *
 * In the kernel: libxsmm's AVX-512 kernels do it themselves (its AL2 prefetch), all of it in their first sweep, over as
 * many columns as they hold in registers. Its AVX2 kernels have no prefetches.
 *
 * In pieces: AVX2 kernels hold three columns in registers. They wait for memory while the first three sweep over the
 * weights, then multiply the others while memory rests. So such a GEMM is cut to pieces of that size (or of two
 * columns, where one would be left), and before each piece a share of the next weights is fetched: as many lines as a
 * core can wait for at once.
 *
 * Woven: kernels of rnc's own (emit/c/woven.h), whose prefetches stand evenly between the multiplications of all
 * sweeps. Such a GEMM may go over the taps of a window and over the rows of an image.
 */
#ifndef RNC_PLAN_GEMM_H
#define RNC_PLAN_GEMM_H

#include "machine.h"

typedef struct Gemm { /* y = or += w x */
    int m, n, k, lda, ldb, ldc;
    bool accumulate;
    bool transposed; /* x is stored with its columns side by side: ldb from one k to the next */
    int64_t columns; /* that each weight is multiplied with, once it is there: of an image or a group */
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

/* A woven GEMM, with n columns of pixels. */
typedef struct Weave {
    int vectors;      /* of its panel */
    int columns;      /* of a sweep; of those after the first `wide` one less */
    int sweeps, wide; /* of a call */
    int lines;        /* of the next weights, that 8 steps of k of a sweep fetch ... */
    int streams;      /* ... from so many places in turn (emit/c/woven.h) */
    int apart;        /* floats between the places that they are fetched from */
    int share;        /* floats from where a sweep begins to fetch to where the next does */
    int fetching;     /* sweeps that fetch, of all calls: after them all lines are on their way */
} Weave;

enum { WEAVE_STEPS = 8 }; /* as in woven.h */

/* Whether the machine's kernels are woven where weights come from afar, and this one can be; and whether it had better,
 * for its number of columns. */
bool gemm_may_be_woven(const Machine *machine, const Gemm *gemm);
bool gemm_is_woven(const Machine *machine, const Gemm *gemm);
/* So many calls over so many taps fetch as many weights as they have themselves. */
Weave gemm_weave(const Machine *machine, const Gemm *gemm, int taps, int calls);

#endif
