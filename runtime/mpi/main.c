/* The commands of a training program as mpirun starts it. */
#include "rn_train_mpi.h"

#include <stdio.h>
#include <stdlib.h>

/* Whether a launcher has started this process: mpirun, or another of PMI or PMIx. */
static int is_launched(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i])) return 1;
    return 0;
}

int rn_train_mpi_main(const rn_train_model *model, int argc, char **argv) {
    char error[RN_ERROR_SIZE];
    rn_train_mpi *mpi;
    int alone = 0;
    if (!is_launched()) return rn_train_main(model, argc, argv);
    if (rn_train_mpi_create(&mpi, error, sizeof error)) {
        fprintf(stderr, "%s: error: %s\n", argc > 0 ? argv[0] : model->name, error);
        return 1;
    }
    const int status = rn_train_main_of(model, rn_train_mpi_team(mpi), argc, argv, &alone);
    if (alone) rn_train_mpi_abort(mpi, status);
    rn_train_mpi_destroy(mpi);
    return status;
}
