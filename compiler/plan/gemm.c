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

/* Sums that registers hold beside the columns' elements and a vector of weights. */
static int sweep_columns(const Machine *machine) {
    return machine->lanes == VECTOR ? 6 : 3;
}

/* A sweep of all columns would have nothing to spread; and one vector of channels makes too few sums for its additions
 * not to wait for each other. */
bool gemm_may_be_woven(const Machine *machine, const Gemm *g) {
    const int vectors = divide_up(g->m, machine->lanes);
    return machine->fetching == FETCH_WOVEN && machine->isa != RN_ISA_GENERIC && vectors >= 2 && vectors <= 4 &&
           g->n > sweep_columns(machine) && g->k >= WEAVE_STEPS;
}

/* Woven kernels take 3 % longer than libxsmm's on operands that are at hand, which more columns than these cost as much
 * as the fetching of a weight from memory does. */
bool gemm_is_woven(const Machine *m, const Gemm *g) {
    static const double SLOWER = 0.03;
    const double fetching = sizeof(float) / m->dram, multiplying = 2 / m->flops;
    return gemm_may_be_woven(m, g) && (double)g->columns * multiplying * SLOWER <= fetching;
}

Weave gemm_weave(const Machine *machine, const Gemm *g, int taps, int calls) {
    Weave w = {.vectors = divide_up(g->m, machine->lanes), .sweeps = divide_up(g->n, sweep_columns(machine))};
    w.columns = divide_up(g->n, w.sweeps);
    w.wide = g->n - (w.columns - 1) * w.sweeps;
    const int64_t lines = divide_up(taps * g->k * g->lda, LINE_FLOATS), steps = taps * (g->k / WEAVE_STEPS),
                  all = steps * w.sweeps * calls;
    w.lines = (int)((lines + all - 1) / all);
    w.streams = (int)machine->streams;
    if (w.lines < w.streams - 1) w.streams = w.lines;
    w.lines = round_up(w.lines, w.streams);
    w.apart = (int)(lines + w.streams - 1) / w.streams * LINE_FLOATS;
    w.share = (int)steps * (w.lines / w.streams) * LINE_FLOATS;
    w.fetching = (w.apart + w.share - 1) / w.share;
    return w;
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
