/* MPI between threads, see mpi_threads.h. Every call takes one lock; none is held while nobody calls, so that what
 * runtime/mpi forgets to order is not ordered here. */
#include "mpi.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RANKS = 64, DELAYS = 5 /* most looks for a message before it is there */ };

struct ThreadMessage {
    int from, to, tag, is_sent, is_done;
    void *data;
    size_t size;
    int delay;
    struct ThreadMessage *next;
};
typedef struct ThreadMessage Message;

struct ThreadRank {
    int rank;
    int is_started, is_called; /* is_called: a thread is in a call */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ThreadRank world[RANKS];
static int size, level, drawn;
static Message *first; /* in the order of their calls */
static _Thread_local int own = -1;

#define CHECK(promise)                                                                                                 \
    do {                                                                                                               \
        if (!(promise)) {                                                                                              \
            fprintf(stderr, "MPI: broken: %s\n", #promise);                                                            \
            _exit(99);                                                                                                 \
        }                                                                                                              \
    } while (0)

/* ---- ranks ---- */
void mpi_threads_begin(int ranks, int provided) {
    size = ranks;
    level = provided;
    for (int i = 0; i < ranks; i++) world[i].rank = i;
}

void mpi_threads_rank(int rank) {
    own = rank;
}

int mpi_threads_left(void) {
    int left = 0;
    for (const Message *m = first; m; m = m->next) left++;
    for (int i = 0; i < size; i++) left += world[i].is_started;
    return left;
}

static MPI_Comm rank_of(MPI_Comm comm) {
    if (comm) return comm;
    CHECK(own >= 0);
    return &world[own];
}

int MPI_Initialized(int *is_there) {
    *is_there = rank_of(NULL)->is_started;
    return 0;
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
    (void)argc, (void)argv;
    CHECK(!rank_of(NULL)->is_started && required == MPI_THREAD_SERIALIZED);
    rank_of(NULL)->is_started = 1;
    return MPI_Query_thread(provided);
}

int MPI_Query_thread(int *provided) {
    *provided = level;
    return 0;
}

int MPI_Finalize(void) {
    CHECK(rank_of(NULL)->is_started);
    rank_of(NULL)->is_started = 0;
    return 0;
}

int MPI_Comm_rank(MPI_Comm comm, int *rank) {
    *rank = rank_of(comm)->rank;
    return 0;
}

int MPI_Comm_size(MPI_Comm comm, int *ranks) {
    (void)comm;
    *ranks = size;
    return 0;
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *copy) {
    *copy = rank_of(comm);
    return 0;
}

int MPI_Comm_free(MPI_Comm *comm) {
    *comm = NULL;
    return 0;
}

int MPI_Abort(MPI_Comm comm, int status) {
    fprintf(stderr, "MPI_Abort of rank %d: %d\n", rank_of(comm)->rank, status);
    _exit(status);
}

/* ---- messages ---- */
static void begin_call(MPI_Comm comm) {
    CHECK(!__atomic_exchange_n(&comm->is_called, 1, __ATOMIC_RELAXED)); /* which orders nothing */
    pthread_mutex_lock(&lock);
}

static void end_call(MPI_Comm comm) {
    pthread_mutex_unlock(&lock);
    __atomic_store_n(&comm->is_called, 0, __ATOMIC_RELAXED);
}

static void post(MPI_Comm comm, Message message, MPI_Request *request) {
    Message *m = malloc(sizeof *m), **end = &first;
    CHECK(m && message.from >= 0 && message.from < size && message.to >= 0 && message.to < size);
    CHECK(message.from != message.to && message.tag >= 0);
    *m = message;
    begin_call(comm);
    m->delay = drawn++ * 7 % (DELAYS + 1);
    while (*end) end = &(*end)->next;
    *end = m;
    end_call(comm);
    *request = m;
}

int MPI_Isend(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request) {
    post(comm,
         (Message){.from = comm->rank,
                   .to = to,
                   .tag = tag,
                   .is_sent = 1,
                   .data = (void *)(size_t)data,
                   .size = (size_t)count * (size_t)type},
         request);
    return 0;
}

int MPI_Irecv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *request) {
    post(comm,
         (Message){.from = from, .to = comm->rank, .tag = tag, .data = data, .size = (size_t)count * (size_t)type},
         request);
    return 0;
}

/* The first that is not done of those between two ranks with a tag. */
static Message *oldest(const Message *like, int is_sent) {
    for (Message *m = first; m; m = m->next)
        if (!m->is_done && m->from == like->from && m->to == like->to && m->tag == like->tag && m->is_sent == is_sent)
            return m;
    return NULL;
}

static void look_for(Message *m) {
    if (m->is_done || oldest(m, m->is_sent) != m) return;
    Message *other = oldest(m, !m->is_sent);
    if (!other || m->delay-- > 0) return;
    CHECK(m->size == other->size);
    Message *sent = m->is_sent ? m : other, *received = m->is_sent ? other : m;
    memcpy(received->data, sent->data, m->size);
    m->is_done = other->is_done = 1;
}

static void forget(Message *m) {
    Message **at = &first;
    while (*at != m) at = &(*at)->next;
    *at = m->next;
    free(m);
}

int MPI_Testall(int count, MPI_Request *requests, int *done, void *statuses) {
    (void)statuses;
    CHECK(count > 0);
    MPI_Comm comm = &world[requests[0]->is_sent ? requests[0]->from : requests[0]->to];
    begin_call(comm);
    *done = 1;
    for (int i = 0; i < count; i++) {
        look_for(requests[i]);
        *done &= requests[i]->is_done;
    }
    for (int i = 0; i < count && *done; i++) {
        forget(requests[i]);
        requests[i] = NULL;
    }
    end_call(comm);
    if (!*done) sched_yield();
    return 0;
}
