/* rn_train_mpi: trainers of rnc --train --mpi over MPI, by librn_mpi.a, which is built where Open MPI is. A program of
 * rnc's calls rn_train_mpi_main; an application with a loop of its own takes the team:
 *
 *     rn_train_mpi *mpi;
 *     if (rn_train_mpi_create(&mpi, error, sizeof error)) ...
 *     rn_train_options options = {.threads = 2, .team = rn_train_mpi_team(mpi), ...};
 *     if (resnet56_train_create(&t, NULL, 0, &options)) ...
 *     ...                                                  steps of batch / team->ranks images on each rank
 *     resnet56_train_destroy(t);
 *     rn_train_mpi_destroy(mpi);
 *
 * A thread of its own alone calls MPI, so that sums go on while others compute. Where a rank hears nothing of another
 * for a minute (RN_MPI_TIMEOUT, seconds; 0: for ever), or for 20 steps' time where that is longer, it says so and ends
 * the job (MPI_Abort). C99 and C++.
 */
#ifndef RN_TRAIN_MPI_H
#define RN_TRAIN_MPI_H

#include "rn_train.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rn_train_mpi rn_train_mpi;

/* Of MPI_COMM_WORLD. Starts MPI unless the application has, which then has to have asked for MPI_THREAD_SERIALIZED at
 * least, and calls no MPI between create and destroy unless it has MPI_THREAD_MULTIPLE. One at a time. On an error
 * *mpi is NULL, `error` (may be NULL) has the text. */
rn_status rn_train_mpi_create(rn_train_mpi **mpi, char *error, size_t error_size);
/* Lives until destroy. */
const rn_train_team *rn_train_mpi_team(const rn_train_mpi *mpi);
/* Of all ranks; trainers that have the team are destroyed before. Ends MPI where create started it. NULL is allowed. */
void rn_train_mpi_destroy(rn_train_mpi *mpi);
/* Ends the processes of all ranks, with this exit status; does not return. */
void rn_train_mpi_abort(rn_train_mpi *mpi, int status);

/* rn_train_main for mpirun's processes. Started alone it is rn_train_main, and asks nothing of MPI. */
int rn_train_mpi_main(const rn_train_model *model, int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
