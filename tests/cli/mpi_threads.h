/* A stand-in for <mpi.h>: ranks are threads of one process. It has what runtime/mpi calls; a thread says its rank by
 * mpi_threads_rank before it calls anything else. What MPI asks for is checked: one thread of a rank at a time,
 * messages of the size that is waited for, none left at the end. A message is copied late, out of the buffers as they
 * are then.
 */
#ifndef MPI_THREADS_H
#define MPI_THREADS_H

typedef struct ThreadRank *MPI_Comm;
typedef struct ThreadMessage *MPI_Request;
typedef int MPI_Datatype; /* bytes */

#define MPI_COMM_WORLD ((MPI_Comm)0)
#define MPI_STATUSES_IGNORE ((void *)0)
enum { MPI_BYTE = 1, MPI_FLOAT = 4, MPI_DOUBLE = 8 };
enum { MPI_THREAD_SINGLE, MPI_THREAD_FUNNELED, MPI_THREAD_SERIALIZED, MPI_THREAD_MULTIPLE };

int MPI_Initialized(int *is_there);
int MPI_Init_thread(int *argc, char ***argv, int required, int *provided);
int MPI_Query_thread(int *provided);
int MPI_Finalize(void);
int MPI_Comm_rank(MPI_Comm comm, int *rank);
int MPI_Comm_size(MPI_Comm comm, int *size);
int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *copy);
int MPI_Comm_free(MPI_Comm *comm);
int MPI_Isend(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request);
int MPI_Irecv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *request);
int MPI_Testall(int count, MPI_Request *requests, int *done, void *statuses);
int MPI_Abort(MPI_Comm comm, int status); /* says so on standard error, ends the process */

void mpi_threads_begin(int ranks, int provided);
void mpi_threads_rank(int rank); /* of the thread that calls */
int mpi_threads_left(void);      /* messages that nobody has received, and ranks that have not called MPI_Finalize */

#endif
