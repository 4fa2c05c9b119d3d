/* Emitted trainers beside the interpreter: cases are emitted, compiled beside each other and linked once. */
#ifndef TEST_TRAINER_CASE_H
#define TEST_TRAINER_CASE_H

#include "emit/emit.h"
#include "graph/tensor.h"
#include "passes/recompute.h"
#include "plan/training.h"
#include "rn_train.h"

typedef struct TrainerCase {
    char name[16]; /* of the emitted trainer */
    Arena arena;
    Graph *source, *graph;
    Plan *plan;
    const rn_train_model *model;
    TensorData weights;
    float *images;
    double *labels;
    int count; /* images */
    Recompute recompute;
    bool winograd;
    const char *layers;
    uint64_t seed, id; /* id: of a random network */
} TrainerCase;

/* TrainerCases that are compiled beside each other and linked once. */
enum { CASES_MOST = 64 };
typedef struct TrainerCases {
    TrainerCase *cases[CASES_MOST];
    int count;
    char folder[64];
    void *library;
} TrainerCases;

/* Under sanitizers, where all is slower, every third case: they look for other faults than wrong numbers. */
int trainer_stride(void);
/* A network of these layers, which trains with crossentropy unless they end in a train section's begin, in C. */
TrainerCase *trainer_add(TrainerCases *all, const char *layers, int batch, rn_isa isa, Kernels kernels, bool winograd,
                         Recompute mode);
/* A case without its network yet, which goes to `source`, in the case's arena; then its trainer, as of -O0 or -O2. */
TrainerCase *trainer_add_case(TrainerCases *all, int batch, bool winograd, Recompute mode);
void trainer_write(TrainerCase *c, const char *folder, int batch, rn_isa isa, Kernels kernels, int level);
/* Compiles and links all; draws parameters, images and labels of each. */
void trainer_link(TrainerCases *all);
void trainer_free(TrainerCases *all);
/* Draws them again, after trainer_empty. */
void trainer_fill(TrainerCase *c);
void trainer_empty(TrainerCase *c);
/* One call of gradients; the buffer's copy, malloc'd. */
float *trainer_run(const TrainerCase *c, int threads, rn_train_result *result);
/* How far a run is off, relative to each parameter's largest gradient, to the loss, to statistics; of gradients that
 * are next to none beside the others', to `least` of the largest of all. `what` is of the worst. */
double trainer_error(TrainerCase *c, double least, const char **what, float **gradients, rn_train_result *result);
/* The same bits with more threads. */
void trainer_compare_threads(const TrainerCase *c, const float *gradients, const rn_train_result *result);
/* Links, compares and frees all. */
void trainer_check(TrainerCases *all);

#endif
