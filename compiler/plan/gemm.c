#include "gemm.h"

enum {
    PIECE_COLUMNS = 3,   /* that libxsmm's AVX2 kernels hold in registers */
    PIECE_LINES = 24,    /* of weights that a piece fetches: about what a core can wait for at once */
    SHORT_CHANNELS = 48, /* pieces that need be no longer for their lines are cut evenly at these: shorter ones spend
                            their time on loading and storing results */
    MOST_COLUMNS = 256,  /* pieces take 3 % longer, which costs more columns than these as much as memory does */
    LINE_FLOATS = CACHE_LINE / (int)sizeof(float)
};

bool gemm_in_pieces(const Machine *machine, const Gemm *g) {
    const bool few = g->n <= PIECE_COLUMNS; /* nothing is multiplied while memory rests */
    return machine->fetching == FETCH_IN_PIECES && !few && g->columns <= MOST_COLUMNS;
}

Pieces gemm_pieces(const Gemm *g) {
    Pieces p;
    p.columns = g->n == 4 ? 2 : g->n < PIECE_COLUMNS ? g->n : PIECE_COLUMNS; /* four are twice two */
    p.narrow = g->n % p.columns ? p.columns - g->n % p.columns : 0;
    const int rows = divide_up(g->n, PIECE_COLUMNS), most = PIECE_LINES * LINE_FLOATS * rows / g->lda;
    p.channels = divide_up(g->k, divide_up(g->k, most > SHORT_CHANNELS ? most : SHORT_CHANNELS));
    p.share = round_up(divide_up(g->lda * g->k, divide_up(g->k, p.channels) * rows), LINE_FLOATS);
    return p;
}
