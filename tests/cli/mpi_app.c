/* An application with a loop of its own over MPI: steps of one batch, of which each rank has its share. Rank 0 prints
 * what the bits of the parameters hash to. */
#include "net.h"
#include "rn_train_mpi.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 24, STEPS = 5 };

int main(void) {
    char error[RN_ERROR_SIZE];
    rn_train_mpi *mpi;
    if (rn_train_mpi_create(&mpi, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    const rn_train_team *team = rn_train_mpi_team(mpi);
    const rn_train_options options = {.threads = 1, .team = team, .error = error, .error_size = sizeof error};
    const int n = BATCH / team->ranks, first = team->rank * n;
    static float images[BATCH * NET_INPUT_SIZE];
    int32_t labels[BATCH];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof images / sizeof *images; i++)
        images[i] = (float)((seed = seed * 69069 + 1) >> 8) / (1 << 24);
    for (int i = 0; i < BATCH; i++) labels[i] = i % 4;
    net_trainer *t;
    int status = 1;
    if (net_train_create(&t, NULL, 0, &options)) {
        if (team->rank == 0) fprintf(stderr, "%s\n", error);
        rn_train_mpi_destroy(mpi);
        return 1;
    }
    int good = !net_train_init(t, 1);
    for (int step = 0; step < STEPS && good; step++)
        good = !net_train_step(t, n, images + (size_t)first * NET_INPUT_SIZE, labels + first, NULL);
    if (good && team->rank == 0) {
        size_t floats;
        const unsigned char *bytes = (const unsigned char *)net_train_parameters(t, &floats);
        uint64_t hash = 0xcbf29ce484222325u;
        for (size_t i = 0; i < floats * sizeof(float); i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
        printf("%016llx\n", (unsigned long long)hash);
    }
    if (good)
        status = 0;
    else
        fprintf(stderr, "%s\n", net_train_message(t));
    net_train_destroy(t);
    rn_train_mpi_destroy(mpi);
    return status;
}
