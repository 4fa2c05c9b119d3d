/* Builds networks through the whole compiler and compares what the emitted C computes with the interpreter. */
#ifndef TEST_EMITTED_H
#define TEST_EMITTED_H

#include "graph/tensor.h"
#include "passes/passes.h"
#include "plan/plan.h"
#include "emit/target.h"

typedef struct Variant {
    const char *name; /* "O2", "O0", ... : part of the emitted API's name */
    int level, isa;
    const char *pass; /* "NAME", "no-NAME", several with commas between, or NULL: -f */
    int threads, batch;
    int winograd; /* 0: direct; -1: as the plan chooses; else every convolution that can be is by Winograd's or
                     Strassen's method, with tiles and blocks drawn from this seed */
    Kernels kernels;
    const char *machine; /* as -mtune has it; NULL: generic */
    int last_layers;     /* PlanOptions's: from which node on the batch is computed as a whole */
} Variant;

typedef struct EmittedCase {
    char name[64];
    Variant variant;
    Arena arena;
    Graph *source, *graph;
    Plan *plan;
    TensorData weights;
    double **expected; /* by value id of the source graph, per image of the batch */
    double ***bounds;  /* per image: by value id how far an element may be off (bounds.h); NULL: a tolerance for all */
    double worst;      /* the largest error in units of its bound */
    uint64_t id;       /* the test's */
    float *image;
    void (*ran)(const struct EmittedCase *c, const float *output); /* called with a whole batch's outputs; or NULL */
} EmittedCase;

typedef struct Batch { /* cases that are compiled together, for one compiler run each but one link */
    EmittedCase *cases;
    int count, capacity;
    char folder[64];
    bool bounded;                                    /* every case gets bounds */
    void (*done)(const EmittedCase *c, bool failed); /* called after each case; NULL: nothing */
} Batch;

void batch_begin(Batch *batch);
/* Adds `text` (rn source) compiled as `variant` says. A diagnostic is a failed test. */
void batch_add(Batch *batch, const char *name, const char *text, Variant variant);
/* The same from a graph as elaboration makes it, in an arena that the case takes over, with its weights. */
void batch_add_graph(Batch *batch, const char *name, Arena arena, Graph *source, TensorData weights, Variant variant);
/* The same without running it: passes, plan and C, for what may crash. */
void graph_emit(Arena arena, Graph *source, Variant variant);
/* Compiles, links, runs and compares all; every difference beyond `tolerance` (relative to a layer's largest value) is
 * a failed assertion that names case and layer. Returns how many layers were compared. */
int batch_check(Batch *batch, double tolerance);
/* FOLDER/NAME.ENDING. */
bool folder_write(const char *folder, const char *name, const char *ending, const Text *text);
/* Compiles every .c of the folder, two at a time, and links them with librn into one shared object, opened. Anything
 * that goes wrong, a warning too, is a fatal failure. */
void *emitted_link(const char *folder);
/* Unless KEEP is set. */
void emitted_folder_remove(const char *folder);
/* Whether this CPU runs the instruction set (3: AVX2 + FMA, 4: AVX-512); where it has no AVX-512, its intrinsics run in
 * software (avx512_in_software.h). */
bool cpu_runs(int isa);

#endif
