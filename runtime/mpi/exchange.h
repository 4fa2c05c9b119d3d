/* One sum or broadcast over the ranks, as a row of rounds of MPI_Isend and MPI_Irecv: begun, then advanced by whoever
 * has time, until it is done.
 *
 * Sums are made in a binary tree over ranks: 0 and 1, 2 and 3, ..., then those pairs, and so on. Every partial sum is
 * of two neighbours in the tree, and a + b = b + a to the bit, so all ranks get the same bits, whoever added.
 *
 *     doubles   recursive doubling: in round d rank r exchanges all with r ^ 2^d (few numbers: few messages)
 *     floats    recursive halving, nearest rank first, then doubling back (Rabenseifner 2004): in round d each of r and
 *               r ^ 2^d keeps half of what it has, and adds; 2 (N - 1) / N of the bytes go out
 *
 * Beyond the largest power of two P, rank P + i adds its numbers to rank i's before, and gets the sums after.
 */
#ifndef RN_MPI_EXCHANGE_H
#define RN_MPI_EXCHANGE_H

#include <mpi.h>
#include <stdint.h>

enum { EXCHANGE_CHILDREN = 31 };

typedef enum ExchangeKind { EXCHANGE_DOUBLES, EXCHANGE_FLOATS, EXCHANGE_BYTES } ExchangeKind;

typedef struct Exchange {
    ExchangeKind kind;
    const char *what;
    void *data;
    int64_t count; /* of elements; EXCHANGE_BYTES: rank 0's become all ranks' */
    void *staging; /* for floats and doubles: as many */
    int tag;
    int round;                  /* that is under way */
    int peer;                   /* the rank of it that something is received from; -1: none */
    int64_t first[32], end[32]; /* floats: what this rank kept before each halving */
    MPI_Request requests[EXCHANGE_CHILDREN];
    int request_count;
    double waited; /* seconds, for this round: whoever advances counts them */
    int64_t sent;  /* bytes, in all */
} Exchange;

typedef struct Ranks {
    MPI_Comm comm;
    int rank, ranks;
    int power, levels; /* the largest power of two within ranks, 2^levels */
} Ranks;

Ranks exchange_ranks(MPI_Comm comm);
/* data, count, kind, what, staging and tag are set. */
void exchange_begin(const Ranks *ranks, Exchange *exchange);
/* Whether it is done. *moved is set to 1 where a round has ended. */
int exchange_advance(const Ranks *ranks, Exchange *exchange, int *moved);

#endif
