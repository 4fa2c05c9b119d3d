/* Rounds of messages, see exchange.h. */
#include "exchange.h"

Ranks exchange_ranks(MPI_Comm comm) {
    Ranks r = {.comm = comm, .power = 1};
    MPI_Comm_rank(comm, &r.rank);
    MPI_Comm_size(comm, &r.ranks);
    while (2 * r.power <= r.ranks) r.power *= 2, r.levels++;
    return r;
}

/* ---- messages ---- */
static MPI_Datatype type_of(const Exchange *x, int *size) {
    *size = x->kind == EXCHANGE_DOUBLES ? 8 : x->kind == EXCHANGE_FLOATS ? 4 : 1;
    return x->kind == EXCHANGE_DOUBLES ? MPI_DOUBLE : x->kind == EXCHANGE_FLOATS ? MPI_FLOAT : MPI_BYTE;
}

/* Elements [first, end). */
static void send_part(const Ranks *r, Exchange *x, int to, int64_t first, int64_t end) {
    int size;
    const MPI_Datatype type = type_of(x, &size);
    MPI_Isend((char *)x->data + first * size, (int)(end - first), type, to, x->tag, r->comm,
              &x->requests[x->request_count++]);
    x->sent += (end - first) * size;
}

static void receive_part(const Ranks *r, Exchange *x, int from, void *to, int64_t first, int64_t end) {
    int size;
    const MPI_Datatype type = type_of(x, &size);
    MPI_Irecv((char *)to + first * size, (int)(end - first), type, from, x->tag, r->comm,
              &x->requests[x->request_count++]);
    x->peer = from;
}

/* data += staging */
static void add_part(Exchange *x, int64_t first, int64_t end) {
    if (x->kind == EXCHANGE_DOUBLES) {
        double *to = x->data;
        const double *from = x->staging;
        for (int64_t i = first; i < end; i++) to[i] += from[i];
    } else {
        float *to = x->data;
        const float *from = x->staging;
#pragma omp simd
        for (int64_t i = first; i < end; i++) to[i] += from[i];
    }
}

/* ---- rounds of a sum ---- */
/* 0: ranks beyond the power of two give theirs away. 1 .. levels: halving, or doubling of doubles. Then as many that
 * put floats together again. The last: those beyond get the sums. */
static int last_round(const Ranks *r, const Exchange *x) {
    return x->kind == EXCHANGE_FLOATS ? 2 * r->levels + 1 : r->levels + 1;
}

static int has_beyond(const Ranks *r) {
    return r->rank + r->power < r->ranks;
}

/* What is kept in level d of what was there before. */
static void halve(const Ranks *r, Exchange *x, int d) {
    const int64_t middle = x->first[d] + (x->end[d] - x->first[d]) / 2;
    const int upper = r->rank >> d & 1;
    x->first[d + 1] = upper ? middle : x->first[d];
    x->end[d + 1] = upper ? x->end[d] : middle;
}

static void exchange_halves(const Ranks *r, Exchange *x, int d) {
    const int peer = r->rank ^ 1 << d;
    halve(r, x, d);
    const int upper = r->rank >> d & 1;
    receive_part(r, x, peer, x->staging, x->first[d + 1], x->end[d + 1]);
    send_part(r, x, peer, upper ? x->first[d] : x->end[d + 1], upper ? x->first[d + 1] : x->end[d]);
}

static void put_together(const Ranks *r, Exchange *x, int d) {
    const int peer = r->rank ^ 1 << d, upper = r->rank >> d & 1;
    receive_part(r, x, peer, x->data, upper ? x->first[d] : x->end[d + 1], upper ? x->first[d + 1] : x->end[d]);
    send_part(r, x, peer, x->first[d + 1], x->end[d + 1]);
}

static void post_sum(const Ranks *r, Exchange *x) {
    const int last = last_round(r, x), beyond = r->rank >= r->power, level = x->round - 1;
    if (x->round == 0) {
        if (beyond) send_part(r, x, r->rank - r->power, 0, x->count);
        if (has_beyond(r)) receive_part(r, x, r->rank + r->power, x->staging, 0, x->count);
    } else if (x->round == last) {
        if (beyond) receive_part(r, x, r->rank - r->power, x->data, 0, x->count);
        if (has_beyond(r)) send_part(r, x, r->rank + r->power, 0, x->count);
    } else if (!beyond && x->kind == EXCHANGE_DOUBLES) {
        receive_part(r, x, r->rank ^ 1 << level, x->staging, 0, x->count);
        send_part(r, x, r->rank ^ 1 << level, 0, x->count);
    } else if (!beyond && level < r->levels) {
        exchange_halves(r, x, level);
    } else if (!beyond) {
        put_together(r, x, 2 * r->levels - x->round);
    }
}

static void finish_sum(const Ranks *r, Exchange *x) {
    const int beyond = r->rank >= r->power, level = x->round - 1;
    if (beyond || x->round == last_round(r, x)) return;
    if (x->round == 0) {
        if (has_beyond(r)) add_part(x, 0, x->count);
    } else if (x->kind == EXCHANGE_DOUBLES) {
        add_part(x, 0, x->count);
    } else if (level < r->levels) {
        add_part(x, x->first[level + 1], x->end[level + 1]);
    }
}

/* ---- rounds of a broadcast: a binomial tree ---- */
/* The parent of r is r without its highest bit; round 0 receives, round 1 sends to the children. */
static void post_bytes(const Ranks *r, Exchange *x) {
    int high = 0; /* above the highest bit of the rank */
    while (r->rank >> high) high++;
    if (x->round == 0 && r->rank) receive_part(r, x, r->rank ^ 1 << (high - 1), x->data, 0, x->count);
    for (int d = high; x->round == 1 && d < EXCHANGE_CHILDREN - 1 && (r->rank | 1 << d) < r->ranks; d++)
        send_part(r, x, r->rank | 1 << d, 0, x->count);
}

/* ---- all ---- */
static void post(const Ranks *r, Exchange *x) {
    x->request_count = 0;
    x->peer = -1;
    x->waited = 0;
    (x->kind == EXCHANGE_BYTES ? post_bytes : post_sum)(r, x);
}

void exchange_begin(const Ranks *r, Exchange *x) {
    x->round = 0;
    x->sent = 0;
    x->first[0] = 0, x->end[0] = x->count;
    post(r, x);
}

int exchange_advance(const Ranks *r, Exchange *x, int *moved) {
    const int last = x->kind == EXCHANGE_BYTES ? 1 : last_round(r, x);
    for (;;) {
        int done = 1;
        if (x->request_count) MPI_Testall(x->request_count, x->requests, &done, MPI_STATUSES_IGNORE);
        if (!done) return 0;
        if (x->request_count) *moved = 1;
        if (x->kind != EXCHANGE_BYTES) finish_sum(r, x);
        if (x->round++ == last) return 1;
        post(r, x);
    }
}
